//! Who calls: bearer tokens (JWT), the keys that may sign them, and the memory of those already verified.
//!
//! One [`Authenticator`] is shared by all workers. A token seen before costs a SHA-256 and one short lock; a new one
//! costs a signature check. Keys are fetched by a thread of their own, never while a request waits for the network.

mod cache;
mod caller;
mod config;
mod development;
mod errors;
mod jwks;
mod keys;
mod refresh;
mod source;
mod token;

pub use caller::{Caller, Scopes, Subject};
pub use config::{AuthConfig, refuse_in_production};
pub use development::{DEVELOPMENT_KID, DevelopmentKey, DevelopmentKeyError, TokenClaims};
pub use errors::{AuthRefusal, AuthSetupError, FetchFault, JwksFault};
pub use refresh::RefreshTimes;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::ExposeSecret;

use self::cache::{TokenCache, TokenDigest};
use self::keys::{KeyRing, KeyStore, Source, VerifyingKey};
use self::refresh::Refresher;
use self::source::{JwksFile, JwksUrl};
use self::token::{Expectations, UnverifiedToken};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The shortest HS256 secret that is accepted, in bytes: as long as the digest (RFC 7518, section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;

/// Decides who calls, from the `Authorization` header.
///
/// Dropping it ends the thread that refreshes its keys.
pub struct Authenticator {
    store: Arc<KeyStore>,
    refresher: Option<Refresher>,
    cache: TokenCache,
    expectations: Expectations,
}

impl Authenticator {
    /// Reads the keys that `config` names (the JWKS URL is fetched here once, which may block for three seconds)
    /// and starts refreshing them. A JWKS URL that gives no keys is tried again until it does: see
    /// [`Authenticator::is_ready`]. A JWKS file must be there, and whole: nothing is away that could come back.
    pub fn new(config: AuthConfig) -> Result<Authenticator, AuthSetupError> {
        Self::with_refresh_times(config, RefreshTimes::default())
    }

    /// As [`Authenticator::new`], with other times between looks at the JWKS file and URL.
    pub fn with_refresh_times(config: AuthConfig, times: RefreshTimes) -> Result<Authenticator, AuthSetupError> {
        if !config.has_keys() && config.development_key.is_none() {
            return Err(AuthSetupError::NoKeys);
        }
        let mut ring = KeyRing {
            secret: config.hs256_secret.as_ref().map(secret_key).transpose()?,
            development: config.development_key.as_ref().map(|key| key.verifying_key().clone()),
            ..KeyRing::default()
        };
        let mut file = None;
        if let Some(path) = &config.jwks_file {
            let (opened, keys) = JwksFile::open(path.clone())?;
            ring.file = Source::of(usable(keys, opened.place())?);
            file = Some(opened);
        }
        let mut url = None;
        if let Some(address) = &config.jwks_url {
            url = Some(JwksUrl::new(address)?);
            ring.url = Source::awaited();
        }
        let store = Arc::new(KeyStore::new(ring));
        let refresher = match file.is_some() || url.is_some() {
            true => Some(Refresher::start(Arc::clone(&store), file, url, times)?),
            false => None,
        };
        Ok(Authenticator {
            store,
            refresher,
            cache: TokenCache::default(),
            expectations: Expectations {
                issuer: config.issuer,
                audience: config.audience,
                leeway_seconds: i64::try_from(config.leeway.as_secs()).unwrap_or(i64::MAX),
            },
        })
    }

    /// Whether every origin of keys has given some: else tokens are refused that a key to come might verify.
    pub fn is_ready(&self) -> bool {
        !self.store.ring().awaits_keys()
    }

    /// Who calls, by the value of the only `Authorization` header, if there is one.
    ///
    /// A token with an unknown `kid` is refused at once; the keys are then looked up anew in the background, so
    /// that a later request passes.
    pub fn authenticate(&self, authorization: Option<&[u8]>) -> Result<Arc<Caller>, AuthRefusal> {
        let token = bearer_token(authorization.ok_or(AuthRefusal::Missing)?)?;
        let digest = TokenDigest::of(token);
        let now = unix_seconds(SystemTime::now());
        if let Some(caller) = self.cache.get(&digest, now, self.store.generation()) {
            return Ok(caller);
        }

        let token = UnverifiedToken::parse(token)?;
        let ring = self.store.ring();
        let (ring, claims) = match token.verify(&ring) {
            Err(refusal @ (AuthRefusal::UnknownKey | AuthRefusal::KeysAwaited)) => {
                let ring = self.ring_after_unknown_key(&ring).ok_or(refusal)?;
                let claims = token.verify(&ring)?;
                (ring, claims)
            }
            verified => (ring, verified?),
        };
        let accepted = self.expectations.check(&claims, now)?;
        let caller = Arc::new(accepted.caller);
        // The generation of the ring that verified, not the current one: keys may have changed in between.
        self.cache.insert(digest, Arc::clone(&caller), accepted.refused_from, ring.generation, now);
        Ok(caller)
    }

    /// As [`Authenticator::authenticate`], from all values of the header: more than one is refused, because a proxy
    /// and this service could each believe another one.
    pub fn authenticate_headers<'a>(
        &self,
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Arc<Caller>, AuthRefusal> {
        let mut values = values.into_iter();
        let first = values.next();
        match values.next() {
            None => self.authenticate(first),
            Some(_) => Err(AuthRefusal::SeveralHeaders),
        }
    }

    /// The keys after a look at the JWKS file, if they are others than those in `ring`.
    fn ring_after_unknown_key(&self, ring: &KeyRing) -> Option<Arc<KeyRing>> {
        if let Some(refresher) = &self.refresher {
            refresher.unknown_key(&self.store);
        }
        let newer = self.store.ring();
        (newer.generation != ring.generation).then_some(newer)
    }
}

/// Shows nothing of the keys and tokens within.
impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

fn secret_key(secret: &secrecy::SecretString) -> Result<VerifyingKey, AuthSetupError> {
    let secret = secret.expose_secret().as_bytes();
    if secret.len() < MIN_SECRET_BYTES {
        return Err(AuthSetupError::SecretTooShort);
    }
    Ok(VerifyingKey::from_secret(secret))
}

fn usable(keys: jwks::Jwks, place: &str) -> Result<Vec<VerifyingKey>, AuthSetupError> {
    if keys.keys.is_empty() {
        return Err(AuthSetupError::NoUsableKeys { place: place.to_owned() });
    }
    Ok(keys.keys)
}

/// The token in `Bearer <token>`; the scheme in any case (RFC 9110, section 11.1).
fn bearer_token(header: &[u8]) -> Result<&[u8], AuthRefusal> {
    const SCHEME: &[u8] = b"bearer";
    let (scheme, rest) = header.split_at_checked(SCHEME.len()).ok_or(AuthRefusal::NotBearer)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || rest.first().is_some_and(|byte| *byte != b' ') {
        return Err(AuthRefusal::NotBearer);
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let token = &rest[spaces..];
    match token.len() {
        0 => Err(AuthRefusal::Malformed),
        1..=MAX_TOKEN_BYTES => Ok(token),
        _ => Err(AuthRefusal::TooLong),
    }
}

fn unix_seconds(time: SystemTime) -> i64 {
    // A clock before 1970 makes every token not yet valid or expired late; zero is the nearest safe answer.
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

//! The keys that may have signed a token, and the choice of the one that must have.
//!
//! The key decides the algorithm. A token's header only says which key to try, and is refused when its `alg` is not
//! that key's: otherwise a public RSA key could be made to serve as an HMAC secret that everybody knows.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey, crypto};

use super::AuthRefusal;
use crate::domain::digest::{self, sha256};

/// A key with the one algorithm that it verifies.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    pub(super) kid: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
    /// Tells whether two keys are the same, as `DecodingKey` cannot be compared.
    fingerprint: digest::Sha256,
}

impl VerifyingKey {
    /// A P-256 key from its coordinates.
    pub(super) fn es256(kid: Option<String>, x: &[u8; 32], y: &[u8; 32]) -> VerifyingKey {
        let point = [&[0x04], x.as_slice(), y.as_slice()].concat();
        Self::new(kid, Algorithm::ES256, DecodingKey::from_ec_der(&point), &[&point])
    }

    /// An Ed25519 key.
    pub(super) fn eddsa(kid: Option<String>, x: &[u8; 32]) -> VerifyingKey {
        Self::new(kid, Algorithm::EdDSA, DecodingKey::from_ed_der(x), &[x])
    }

    /// An RSA key from its modulus and exponent, both without leading zeros.
    pub(super) fn rs256(kid: Option<String>, n: &[u8], e: &[u8]) -> VerifyingKey {
        let key = DecodingKey::from_rsa_raw_components(n, e);
        Self::new(kid, Algorithm::RS256, key, &[n, e])
    }

    /// The HS256 secret.
    pub(super) fn from_secret(secret: &[u8]) -> VerifyingKey {
        Self::new(None, Algorithm::HS256, DecodingKey::from_secret(secret), &[secret])
    }

    /// Whether `signature` (in base64url) is this key's for `message`.
    pub(super) fn verify(&self, message: &[u8], signature: &str) -> Result<(), AuthRefusal> {
        match crypto::verify(signature, message, &self.decoding, self.algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(AuthRefusal::BadSignature),
        }
    }

    fn new(kid: Option<String>, algorithm: Algorithm, decoding: DecodingKey, material: &[&[u8]]) -> VerifyingKey {
        let lengths = material.iter().map(|part| (part.len() as u64).to_be_bytes());
        let parts: Vec<_> = lengths.zip(material).flat_map(|(length, part)| [&length, *part].concat()).collect();
        VerifyingKey { kid, algorithm, decoding, fingerprint: sha256(&[&parts]) }
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.kid == other.kid && self.algorithm == other.algorithm && self.fingerprint == other.fingerprint
    }
}

/// Shows the algorithm only.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.algorithm)
    }
}

/// All keys at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyRing {
    /// Grows with every change of a key.
    pub(super) generation: u64,
    pub(super) secret: Option<VerifyingKey>,
    pub(super) development: Option<VerifyingKey>,
    pub(super) file: Source,
    pub(super) url: Source,
}

/// The keys of an origin that changes while the service runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    keys: Vec<VerifyingKey>,
    /// The origin has not given any yet.
    awaited: bool,
    /// When the origin was first seen to have none any more. Its last ones stay in force for a while.
    emptied_at: Option<Instant>,
}

impl Source {
    /// An origin that has given these.
    pub(super) fn of(keys: Vec<VerifyingKey>) -> Source {
        Source { keys, ..Source::default() }
    }

    /// An origin that has given none yet.
    pub(super) fn awaited() -> Source {
        Source { awaited: true, ..Source::default() }
    }
}

impl KeyRing {
    /// Whether an origin has not given its keys yet.
    pub(super) fn awaits_keys(&self) -> bool {
        self.file.awaited || self.url.awaited
    }

    /// The key that must have signed a token with this `alg` and `kid` in its header.
    pub(super) fn select(&self, alg: &str, kid: Option<&str>) -> Result<&VerifyingKey, AuthRefusal> {
        let algorithm = allowed(alg).ok_or(AuthRefusal::AlgorithmNotAllowed)?;
        if algorithm == Algorithm::HS256 && self.secret.is_none() {
            return Err(AuthRefusal::AlgorithmNotAllowed);
        }
        let Some(kid) = kid else {
            return self.only_key_of(algorithm);
        };
        // The secret has no `kid`, so a token with one never reaches it.
        let key = self.public_keys().find(|key| key.kid.as_deref() == Some(kid)).ok_or_else(|| self.unknown())?;
        match key.algorithm == algorithm {
            true => Ok(key),
            false => Err(AuthRefusal::AlgorithmNotAllowed),
        }
    }

    fn only_key_of(&self, algorithm: Algorithm) -> Result<&VerifyingKey, AuthRefusal> {
        let mut keys = self.secret.iter().chain(self.public_keys()).filter(|key| key.algorithm == algorithm);
        match (keys.next(), keys.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(self.unknown()),
        }
    }

    /// Why there is no key for a token: it may be among those that are still awaited.
    fn unknown(&self) -> AuthRefusal {
        if self.awaits_keys() { AuthRefusal::KeysAwaited } else { AuthRefusal::UnknownKey }
    }

    fn public_keys(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.development.iter().chain(&self.file.keys).chain(&self.url.keys)
    }

    fn source(&mut self, origin: Origin) -> &mut Source {
        match origin {
            Origin::File => &mut self.file,
            Origin::Url => &mut self.url,
        }
    }
}

/// The algorithms that a token may name. Everything else, `none` before all, is refused.
fn allowed(alg: &str) -> Option<Algorithm> {
    match alg {
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" => Some(Algorithm::EdDSA),
        "RS256" => Some(Algorithm::RS256),
        "HS256" => Some(Algorithm::HS256),
        _ => None,
    }
}

/// Where keys come from that change while the service runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    File,
    Url,
}

/// The keys in force.
pub(super) struct KeyStore {
    ring: RwLock<Arc<KeyRing>>,
    /// The ring's generation, to be read without the lock.
    generation: AtomicU64,
}

impl KeyStore {
    pub(super) fn new(ring: KeyRing) -> KeyStore {
        let generation = AtomicU64::new(ring.generation);
        KeyStore { ring: RwLock::new(Arc::new(ring)), generation }
    }

    /// The generation of the keys in force. What older keys have verified is void.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The keys in force.
    pub(super) fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts the keys of one origin in force, if there are any. The same keys again change nothing, so that a regular
    /// refresh does not void the verified tokens. None at all are believed only after a while: see
    /// [`KeyStore::take_back`].
    pub(super) fn publish(&self, origin: Origin, keys: Vec<VerifyingKey>) {
        self.change(|ring| {
            let source = ring.source(origin);
            if keys.is_empty() {
                if !source.keys.is_empty() && source.emptied_at.is_none() {
                    source.emptied_at = Some(Instant::now());
                    tracing::warn!(?origin, "the JWKS has no usable key any more; its last keys stay for a while");
                }
                return false;
            }
            let changed = source.keys != keys;
            if changed {
                tracing::info!(?origin, keys = keys.len(), "the keys that verify tokens have changed");
            }
            *source = Source::of(keys);
            changed
        });
    }

    /// Takes the keys of an origin back that has had none for as long as `after`: an empty JWKS is a mishap more often
    /// than it is meant, but whoever takes back the only key must be obeyed.
    pub(super) fn take_back(&self, after: Duration) {
        self.change(|ring| {
            let mut taken = false;
            for origin in [Origin::File, Origin::Url] {
                let source = ring.source(origin);
                if source.emptied_at.is_some_and(|at| at.elapsed() >= after) {
                    *source = Source::default();
                    tracing::warn!(?origin, "the JWKS has had no usable key for a while; its tokens are refused");
                    taken = true;
                }
            }
            taken
        });
    }

    /// Changes the ring; `change` says whether the keys in force are others now, which voids what the old ones verified.
    fn change(&self, change: impl FnOnce(&mut KeyRing) -> bool) {
        let mut current = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = KeyRing::clone(&current);
        if change(&mut next) {
            next.generation += 1;
        }
        let generation = next.generation;
        *current = Arc::new(next);
        self.generation.store(generation, Ordering::Release);
    }
}

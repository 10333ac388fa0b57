//! Where a JWKS is read from: a file, or an address.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use ureq::http::Uri;
use ureq::tls::{TlsConfig, TlsProvider};

use super::jwks::{Jwks, MAX_JWKS_BYTES};
use super::{AuthSetupError, FetchFault, JwksFault};

const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// Two changes within a file system's clock tick leave the same stamp. A stamp this young is not trusted yet.
const STAMP_SETTLES_AFTER: Duration = Duration::from_secs(1);

/// A JWKS file and what was last seen of it.
pub(super) struct JwksFile {
    path: PathBuf,
    place: String,
    seen: Mutex<Seen>,
}

struct Seen {
    /// Absent while the file is.
    stamp: Option<Stamp>,
    /// Whether the stamp was old enough to be trusted.
    settled: bool,
    at: Instant,
}

impl JwksFile {
    /// Reads the file for the first time.
    pub(super) fn open(path: PathBuf) -> Result<(JwksFile, Jwks), AuthSetupError> {
        let unreadable = |source| AuthSetupError::FileUnreadable { path: path.clone(), source };
        let stamp = Stamp::of(&fs::metadata(&path).map_err(unreadable)?);
        let document = read_limited(&path).map_err(unreadable)?;
        let place = path.display().to_string();
        let keys = Jwks::parse(&document, &place)
            .map_err(|source| AuthSetupError::FileInvalid { path: path.clone(), source })?;
        let seen = Seen { stamp: Some(stamp), settled: stamp.is_settled(), at: Instant::now() };
        Ok((JwksFile { path, place, seen: Mutex::new(seen) }, keys))
    }

    /// The path, for messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Hands the file's keys to `publish` if it has changed, unless it was looked at less than `gap` ago. Never waits
    /// for another thread that is looking. A file that has become unreadable gives nothing, so the old keys stay.
    ///
    /// The lock is held over `publish`: two threads could otherwise put an older file in force after a newer one.
    pub(super) fn look(&self, gap: Duration, publish: impl FnOnce(Jwks)) {
        let mut seen = match self.seen.try_lock() {
            Ok(seen) => seen,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if seen.at.elapsed() < gap {
            return;
        }
        let before = std::mem::replace(&mut *seen, Seen::nothing());
        // The stamp comes before the content: a change in between is then seen at the next look.
        let document = match fs::metadata(&self.path) {
            Ok(metadata) => {
                let stamp = Stamp::of(&metadata);
                seen.stamp = Some(stamp);
                seen.settled = stamp.is_settled();
                if before.stamp == seen.stamp && before.settled {
                    return;
                }
                read_limited(&self.path)
            }
            Err(_) if before.stamp.is_none() => return,
            Err(error) => Err(error),
        };
        match document.map(|document| Jwks::parse(&document, &self.place)) {
            Ok(Ok(keys)) => publish(keys),
            Ok(Err(error)) => {
                let place = &self.place;
                tracing::warn!(place, %error, "the JWKS file is broken; the old keys stay");
            }
            Err(error) => {
                // What cannot be read now may be readable at the next look, without any change of the file.
                seen.settled = false;
                let place = &self.place;
                tracing::warn!(place, %error, "the JWKS file cannot be read; the old keys stay");
            }
        }
    }
}

impl Seen {
    fn nothing() -> Seen {
        Seen { stamp: None, settled: false, at: Instant::now() }
    }
}

/// What of a file changes when it is written or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: (u64, u64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: (metadata.dev(), metadata.ino()),
        }
    }

    fn is_settled(&self) -> bool {
        let (seconds, nanos) = self.changed;
        let since = Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0));
        SystemTime::UNIX_EPOCH
            .checked_add(since)
            .and_then(|changed| changed.elapsed().ok())
            .is_some_and(|age| age >= STAMP_SETTLES_AFTER)
    }
}

/// Reads at most one byte more than a JWKS may have, so that the parser sees that it is too large.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a named pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut document = Vec::new();
    File::open(path)?.take(MAX_JWKS_BYTES as u64 + 1).read_to_end(&mut document)?;
    Ok(document)
}

/// A JWKS address and the client that fetches it.
pub(super) struct JwksUrl {
    address: Uri,
    place: String,
    agent: ureq::Agent,
}

impl JwksUrl {
    /// Checks the address: https, or http to this machine.
    pub(super) fn new(address: &str) -> Result<JwksUrl, AuthSetupError> {
        let uri: Uri = address.parse().map_err(|_| AuthSetupError::UrlInvalid)?;
        let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else {
            return Err(AuthSetupError::UrlInvalid);
        };
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(AuthSetupError::UrlInvalid);
        }
        let agent = match uri.scheme_str() {
            Some("https") => agent(Transport::Tls),
            Some("http") if is_loopback(host) => agent(Transport::Loopback),
            Some("http") => return Err(AuthSetupError::UrlInsecure),
            _ => return Err(AuthSetupError::UrlInvalid),
        };
        Ok(JwksUrl { place: without_secrets(address), address: uri, agent })
    }

    /// The address without its query, for messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Fetches the keys. Blocks for three seconds at most.
    pub(super) fn fetch(&self) -> Result<Jwks, FetchFault> {
        let failed = |error| FetchFault::Request(Box::new(error));
        let mut answer = self
            .agent
            .get(&self.address)
            .header("accept", "application/jwk-set+json, application/json")
            .call()
            .map_err(failed)?;
        if answer.status() != 200 {
            return Err(FetchFault::Status(answer.status().as_u16()));
        }
        let body = answer.body_mut().with_config().limit(MAX_JWKS_BYTES as u64).read_to_vec();
        match body {
            Ok(document) => Jwks::parse(&document, &self.place).map_err(FetchFault::Jwks),
            Err(ureq::Error::BodyExceedsLimit(_)) => Err(FetchFault::Jwks(JwksFault::TooLarge)),
            Err(error) => Err(failed(error)),
        }
    }
}

/// An address without user, password, query and fragment, which may be secret.
pub(super) fn without_secrets(address: &str) -> String {
    let shown = address.split(['?', '#']).next().unwrap_or_default();
    match shown.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => "[not an address]".to_owned(),
    }
}

enum Transport {
    Tls,
    Loopback,
}

fn agent(transport: Transport) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(FETCH_TIMEOUT))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("accrue/", env!("CARGO_PKG_VERSION")));
    let config = match transport {
        // A proxy from the environment would carry the keys over the network in the clear.
        Transport::Loopback => config.proxy(None),
        Transport::Tls => config.https_only(true).tls_config(
            // Named here, so that no process-wide default has to be installed first.
            TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .build(),
        ),
    };
    config.build().new_agent()
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

//! The development key: a key pair of this machine, so that one can try the service without an identity provider.
//! Production refuses it.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use rand::TryRng;
use rand::rngs::SysRng;
use serde_json::json;

use super::keys::VerifyingKey;
use super::token::is_subject;
use super::{Scopes, unix_seconds};
use crate::domain::ids::MemberId;

/// The `kid` of every development key.
pub const DEVELOPMENT_KID: &str = "accrue-development";

const MAX_KEY_FILE_BYTES: u64 = 16 * 1024;

/// What stands before the 32 secret bytes in an Ed25519 private key (PKCS #8, RFC 8410 section 7).
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// An Ed25519 key pair that issues tokens on this machine.
#[derive(Clone)]
pub struct DevelopmentKey {
    signing: EncodingKey,
    verifying: VerifyingKey,
}

/// What a token of the development key says.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// `sub`.
    pub subject: String,
    /// `member`, for a member's token.
    pub member: Option<MemberId>,
    /// `scope`.
    pub scopes: Scopes,
    /// `iat`.
    pub issued_at: SystemTime,
    /// From `iat` to `exp`. Whole seconds.
    pub ttl: Duration,
}

/// Why there is no development key, or no token of it.
#[derive(Debug, thiserror::Error)]
pub enum DevelopmentKeyError {
    /// There is none yet.
    #[error(
        "there is no development key at {}; the service makes one when it first starts for development",
        path.display()
    )]
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The file cannot be read or made.
    #[error("the development key {} cannot be read or made", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error("the development key {} is open to other users; run `chmod 600` on it", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{} is not an Ed25519 private key in PEM (PKCS #8); remove it to get a new one", path.display())]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
    /// The subject would not be accepted.
    #[error("the subject must have 1 to 128 characters, none of them a control character")]
    BadSubject,
    /// The token could not be signed.
    #[error("the token could not be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
}

impl DevelopmentKey {
    /// The key of `data_dir`, made on first use. Of several processes that make it at once, all end with the same.
    pub fn load_or_create(data_dir: &Path) -> Result<DevelopmentKey, DevelopmentKeyError> {
        match Self::load(data_dir) {
            Err(DevelopmentKeyError::Missing { path }) => {
                create(data_dir, &path).map_err(|source| DevelopmentKeyError::File { path: path.clone(), source })?;
                Self::load(data_dir)
            }
            loaded => loaded,
        }
    }

    /// The key of `data_dir`, which must exist.
    pub fn load(data_dir: &Path) -> Result<DevelopmentKey, DevelopmentKeyError> {
        let path = key_path(data_dir);
        let pem = match read_private(&path) {
            Ok(Some(pem)) => pem,
            Ok(None) => return Err(DevelopmentKeyError::Exposed { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DevelopmentKeyError::Missing { path });
            }
            Err(source) => return Err(DevelopmentKeyError::File { path, source }),
        };
        Self::from_pem(&pem).ok_or(DevelopmentKeyError::NotAKey { path })
    }

    /// Signs a token.
    pub fn issue(&self, claims: &TokenClaims) -> Result<String, DevelopmentKeyError> {
        if !is_subject(&claims.subject) {
            return Err(DevelopmentKeyError::BadSubject);
        }
        let issued_at = unix_seconds(claims.issued_at);
        let ttl = i64::try_from(claims.ttl.as_secs()).unwrap_or(i64::MAX);
        let mut body = json!({
            "iss": claims.issuer,
            "aud": claims.audience,
            "sub": claims.subject,
            "scope": claims.scopes.to_string(),
            "iat": issued_at,
            "exp": issued_at.saturating_add(ttl),
        });
        if let Some(member) = claims.member {
            body["member"] = json!(member.to_string());
        }
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(DEVELOPMENT_KID.to_owned());
        encode(&header, &body, &self.signing).map_err(DevelopmentKeyError::Signing)
    }

    pub(super) fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    fn from_pem(pem: &[u8]) -> Option<DevelopmentKey> {
        let signing = EncodingKey::from_ed_pem(pem).ok()?;
        let jwk = Jwk::from_encoding_key(&signing, Algorithm::EdDSA).ok()?;
        let AlgorithmParameters::OctetKeyPair(_) = &jwk.algorithm else {
            return None;
        };
        let public = DecodingKey::from_jwk(&jwk).ok()?;
        let public = public.try_get_as_bytes().ok()?.try_into().ok()?;
        let verifying = VerifyingKey::eddsa(Some(DEVELOPMENT_KID.to_owned()), public);
        Some(DevelopmentKey { signing, verifying })
    }
}

/// Shows nothing of the key.
impl fmt::Debug for DevelopmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DevelopmentKey(..)")
    }
}

/// Shows the lifetime only: a claim's value has no place in a log.
impl fmt::Debug for TokenClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenClaims").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

fn key_path(data_dir: &Path) -> PathBuf {
    data_dir.join("secrets").join("development-key.pem")
}

/// The file's content, or nothing if others than its owner may touch it.
fn read_private(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Ok(None);
    }
    let mut pem = Vec::new();
    file.take(MAX_KEY_FILE_BYTES).read_to_end(&mut pem)?;
    Ok(Some(pem))
}

/// Writes a new key beside `path` and links it there, which fails if another process was first: unlike a rename, a
/// link never replaces. Nobody ever sees half a key.
fn create(data_dir: &Path, path: &Path) -> io::Result<()> {
    // The data folder gets the usual permissions: others of its contents may belong to another user.
    fs::create_dir_all(data_dir)?;
    let folder = path.parent().unwrap_or(data_dir);
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let draft = folder.join(format!(".development-key.{}", uuid::Uuid::new_v4()));
    let linked = write_private(&draft, new_pem()?.as_bytes()).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&draft);
    linked.and(removed)?;
    // The name must survive a crash too, or tokens issued before it would be void after it.
    File::open(folder)?.sync_all()
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn new_pem() -> io::Result<String> {
    let mut der = [0; 48];
    let (head, secret) = der.split_at_mut(PKCS8_ED25519.len());
    head.copy_from_slice(&PKCS8_ED25519);
    SysRng.try_fill_bytes(secret).map_err(io::Error::other)?;
    // 48 bytes are 64 characters: exactly one line of PEM.
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der)))
}

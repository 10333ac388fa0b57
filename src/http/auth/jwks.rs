//! Reading a JWKS (RFC 7517). An entry that cannot be used is passed over with a warning, so that an identity
//! provider may publish keys for other purposes beside ours.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::keys::VerifyingKey;
use super::{DEVELOPMENT_KID, JwksFault};

/// The largest JWKS that is read.
pub(super) const MAX_JWKS_BYTES: usize = 1024 * 1024;

/// The most keys that a JWKS may have.
pub(super) const MAX_KEYS: usize = 100;

const MAX_KID_BYTES: usize = 256;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The usable keys of a JWKS; possibly none.
#[derive(Debug)]
pub(super) struct Jwks {
    pub(super) keys: Vec<VerifyingKey>,
    /// Whether an entry has the development key's `kid`. Such an entry is never usable: that name stands for the
    /// key of this machine, and production must not come to trust it at some later refresh.
    pub(super) names_development_key: bool,
}

impl Jwks {
    /// Reads `document`, which came from `place`.
    pub(super) fn parse(document: &[u8], place: &str) -> Result<Jwks, JwksFault> {
        let entries = entries(document)?;
        let mut jwks = Jwks { keys: Vec::new(), names_development_key: false };
        for (position, entry) in entries.into_iter().enumerate() {
            jwks.names_development_key |= entry["kid"] == DEVELOPMENT_KID;
            match usable_key(entry, &jwks.keys) {
                Ok(key) => jwks.keys.push(key),
                Err(reason) => {
                    tracing::warn!(place, position, reason, "a key of the JWKS is ignored");
                }
            }
        }
        Ok(jwks)
    }
}

fn entries(document: &[u8]) -> Result<Vec<Value>, JwksFault> {
    if document.len() > MAX_JWKS_BYTES {
        return Err(JwksFault::TooLarge);
    }
    let document: Value = serde_json::from_slice(document)
        .map_err(|fault| JwksFault::NotJson { line: fault.line(), column: fault.column() })?;
    let Value::Object(mut document) = document else {
        return Err(JwksFault::NoKeysArray);
    };
    match document.remove("keys") {
        Some(Value::Array(entries)) if entries.len() > MAX_KEYS => Err(JwksFault::TooManyKeys),
        Some(Value::Array(entries)) => Ok(entries),
        _ => Err(JwksFault::NoKeysArray),
    }
}

/// The members of a JWK that matter here.
#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

/// The key in `entry`, or why it is passed over.
fn usable_key(entry: Value, earlier: &[VerifyingKey]) -> Result<VerifyingKey, &'static str> {
    let mut entry: Entry = serde_json::from_value(entry).map_err(|_| "it is not a JWK")?;
    if entry.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return Err("its `use` is not `sig`");
    }
    if entry.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
        return Err("its `key_ops` do not contain `verify`");
    }
    if entry.kty == "oct" {
        return Err("it is symmetric; an HS256 secret is configured by itself");
    }
    if entry.d.is_some() {
        return Err("it contains the private key, so everybody who reads it can sign");
    }
    let kid = entry.kid.take();
    if let Some(kid) = &kid {
        if kid == DEVELOPMENT_KID {
            return Err("its `kid` is that of the development key");
        }
        if kid.len() > MAX_KID_BYTES {
            return Err("its `kid` is too long");
        }
        if earlier.iter().any(|key| key.kid.as_ref() == Some(kid)) {
            return Err("its `kid` is that of an earlier key");
        }
    }
    let (algorithm, key) = match (entry.kty.as_str(), entry.crv.as_deref()) {
        ("EC", Some("P-256")) => ("ES256", VerifyingKey::es256(kid, &bytes_32(entry.x)?, &bytes_32(entry.y)?)),
        ("OKP", Some("Ed25519")) => ("EdDSA", VerifyingKey::eddsa(kid, &bytes_32(entry.x)?)),
        ("RSA", _) => ("RS256", rsa_key(kid, entry.n, entry.e)?),
        _ => return Err("its type or curve is not supported"),
    };
    match entry.alg.as_deref() {
        Some(named) if named != algorithm => Err("its `alg` is not supported for its type"),
        _ => Ok(key),
    }
}

fn rsa_key(kid: Option<String>, n: Option<String>, e: Option<String>) -> Result<VerifyingKey, &'static str> {
    let (n, e) = (decoded(n)?, decoded(e)?);
    let (n, e) = (without_leading_zeros(&n), without_leading_zeros(&e));
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err("its modulus has fewer than 2048 or more than 8192 bits");
    }
    // With the exponent 1 every message would be its own signature.
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if !odd || e == [1] || e.len() > 4 {
        return Err("its exponent is not an odd number from 3 with at most 32 bits");
    }
    Ok(VerifyingKey::rs256(kid, n, e))
}

fn bytes_32(text: Option<String>) -> Result<[u8; 32], &'static str> {
    decoded(text)?.try_into().map_err(|_| "a coordinate does not have 32 bytes")
}

fn decoded(text: Option<String>) -> Result<Vec<u8>, &'static str> {
    let text = text.ok_or("a member that its type requires is absent")?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "a member is not base64url without padding")
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

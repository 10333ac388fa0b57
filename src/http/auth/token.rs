//! One token: its three parts, its signature, its claims, in this order. No claim is looked at before the signature
//! has been verified.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::caller::MAX_SCOPES;
use super::keys::KeyRing;
use super::{AuthRefusal, Caller, Scopes, Subject};

/// The most characters of a `sub`.
pub(super) const MAX_SUBJECT_CHARS: usize = 128;

/// A token taken apart, of which nothing is believed yet.
pub(super) struct UnverifiedToken<'a> {
    header: Header,
    /// Header and claims as they were signed.
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

impl<'a> UnverifiedToken<'a> {
    /// Takes a token in compact form apart.
    pub(super) fn parse(token: &'a [u8]) -> Result<UnverifiedToken<'a>, AuthRefusal> {
        let token = std::str::from_utf8(token).map_err(|_| AuthRefusal::Malformed)?;
        let (message, signature) = token.rsplit_once('.').ok_or(AuthRefusal::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(AuthRefusal::Malformed)?;
        if claims.contains('.') {
            return Err(AuthRefusal::Malformed);
        }
        let header: Header = from_part(header)?;
        if header.crit.is_some() {
            return Err(AuthRefusal::CriticalHeader);
        }
        Ok(UnverifiedToken { header, message, claims, signature })
    }

    /// The claims, once the right key of `ring` has verified the signature.
    pub(super) fn verify(&self, ring: &KeyRing) -> Result<Claims, AuthRefusal> {
        let key = ring.select(&self.header.alg, self.header.kid.as_deref())?;
        key.verify(self.message.as_bytes(), self.signature)?;
        from_part(self.claims)
    }
}

/// The claims that matter here, of whatever type, so that a refusal can name the one that is wrong. A claim that is
/// `null` is there, and wrong.
#[derive(Deserialize)]
pub(super) struct Claims {
    #[serde(default, deserialize_with = "present")]
    iss: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    sub: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    scope: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    member: Option<Value>,
}

/// What claims must say.
pub(super) struct Expectations {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) leeway_seconds: i64,
}

/// A caller and until when the token speaks for them.
pub(super) struct Accepted {
    pub(super) caller: Caller,
    /// The first second in which the token is expired, leeway included.
    pub(super) refused_from: i64,
}

impl Expectations {
    /// Checks verified claims at the second `now`.
    pub(super) fn check(&self, claims: &Claims, now: i64) -> Result<Accepted, AuthRefusal> {
        if text(required(&claims.iss, "iss")?, "iss")? != self.issuer {
            return Err(AuthRefusal::WrongIssuer);
        }
        if !audience_contains(required(&claims.aud, "aud")?, &self.audience)? {
            return Err(AuthRefusal::WrongAudience);
        }
        // A fraction of a second counts against the token, on both sides.
        let expires = seconds(required(&claims.exp, "exp")?, "exp", f64::floor)?;
        let refused_from = expires.saturating_add(self.leeway_seconds);
        if now >= refused_from {
            return Err(AuthRefusal::Expired);
        }
        if let Some(not_before) = &claims.nbf {
            let not_before = seconds(not_before, "nbf", f64::ceil)?;
            if now < not_before.saturating_sub(self.leeway_seconds) {
                return Err(AuthRefusal::NotYetValid);
            }
        }
        if let Some(issued_at) = &claims.iat {
            seconds(issued_at, "iat", f64::floor)?;
        }
        Ok(Accepted { caller: caller(claims)?, refused_from })
    }
}

/// Whether `subject` may stand in a token.
pub(super) fn is_subject(subject: &str) -> bool {
    (1..=MAX_SUBJECT_CHARS).contains(&subject.chars().count()) && !subject.chars().any(char::is_control)
}

fn caller(claims: &Claims) -> Result<Caller, AuthRefusal> {
    let sub = required(&claims.sub, "sub")?.as_str().ok_or(AuthRefusal::BadSubject)?;
    if !is_subject(sub) {
        return Err(AuthRefusal::BadSubject);
    }
    let subject = match &claims.member {
        None => Subject::Client(sub.to_owned()),
        Some(member) => {
            let id = member.as_str().and_then(|id| id.parse().ok());
            Subject::Member(id.ok_or(AuthRefusal::BadMember)?)
        }
    };
    let scopes = match &claims.scope {
        None => Scopes::default(),
        Some(scope) => Scopes::parse(text(scope, "scope")?),
    };
    if scopes.len() > MAX_SCOPES {
        return Err(AuthRefusal::InvalidClaim("scope"));
    }
    Ok(Caller { subject, scopes })
}

fn required<'a>(claim: &'a Option<Value>, name: &'static str) -> Result<&'a Value, AuthRefusal> {
    claim.as_ref().ok_or(AuthRefusal::MissingClaim(name))
}

fn text<'a>(claim: &'a Value, name: &'static str) -> Result<&'a str, AuthRefusal> {
    claim.as_str().ok_or(AuthRefusal::InvalidClaim(name))
}

/// `aud` is one name or an array of names (RFC 7519, section 4.1.3).
fn audience_contains(claim: &Value, audience: &str) -> Result<bool, AuthRefusal> {
    let Value::Array(names) = claim else {
        return Ok(text(claim, "aud")? == audience);
    };
    let mut found = false;
    for name in names {
        found |= text(name, "aud")? == audience;
    }
    Ok(found)
}

/// A NumericDate (RFC 7519, section 2), which may have a fraction.
fn seconds(claim: &Value, name: &'static str, round: fn(f64) -> f64) -> Result<i64, AuthRefusal> {
    if let Some(whole) = claim.as_i64() {
        return Ok(whole);
    }
    // The cast saturates, so a date beyond all others stays one.
    claim.as_f64().map(|date| round(date) as i64).ok_or(AuthRefusal::InvalidClaim(name))
}

fn from_part<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, AuthRefusal> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| AuthRefusal::Malformed)?;
    // An array would fill a struct by position.
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(AuthRefusal::Malformed);
    }
    serde_json::from_slice(&json).map_err(|_| AuthRefusal::Malformed)
}

/// Tells `null` from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

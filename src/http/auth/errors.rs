//! Why a caller is refused, and why the service refuses its configuration.

use std::io;
use std::path::PathBuf;

use super::MIN_SECRET_BYTES;
use crate::http::code::HttpCode;

/// Why a request is not authenticated. No variant holds any part of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthRefusal {
    /// No `Authorization` header.
    #[error("the request has no `Authorization` header; send `Authorization: Bearer <token>`")]
    Missing,
    /// Two or more `Authorization` headers.
    #[error("the request has more than one `Authorization` header; send exactly one")]
    SeveralHeaders,
    /// Another scheme than `Bearer`.
    #[error("the `Authorization` header does not have the scheme `Bearer`")]
    NotBearer,
    /// Over the length limit.
    #[error("the token is longer than {} bytes", super::MAX_TOKEN_BYTES)]
    TooLong,
    /// Not a JWT in compact form with a JSON header and JSON claims.
    #[error("the token is not a well-formed signed JWT in compact form")]
    Malformed,
    /// The header has `crit`.
    #[error("the token's header has `crit`; no critical extension is supported")]
    CriticalHeader,
    /// No such key, or no single key without a `kid`.
    #[error(
        "no key is known for this token: its `kid` is not among the configured keys, or it has no `kid` and the \
         keys of its algorithm are not exactly one; after a rotation, try again in a few seconds"
    )]
    UnknownKey,
    /// No such key, and the identity provider has given none yet.
    #[error(
        "the keys of the identity provider could not be fetched yet, so that this token cannot be checked; try again in \
         a few seconds"
    )]
    KeysAwaited,
    /// An algorithm that is never allowed, or another one than the key's.
    #[error(
        "the token's `alg` is not allowed: ES256, EdDSA and RS256 are, each with a key of that kind only, and \
         HS256 when a secret is configured"
    )]
    AlgorithmNotAllowed,
    /// The signature does not belong to the token and key.
    #[error("the token's signature does not match its content and key")]
    BadSignature,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iss` is another one.
    #[error("the token's `iss` is not the configured issuer")]
    WrongIssuer,
    /// `aud` does not contain this service.
    #[error("the token's `aud` does not contain the configured audience")]
    WrongAudience,
    /// A required claim is absent.
    #[error("the token has no claim `{0}`, which is required")]
    MissingClaim(&'static str),
    /// A claim has the wrong type or breaks a limit.
    #[error("the token's claim `{0}` is not of the type or size that it must have")]
    InvalidClaim(&'static str),
    /// `sub` breaks its limits.
    #[error("the token's `sub` must have 1 to 128 characters, none of them a control character")]
    BadSubject,
    /// `member` is no member's id.
    #[error("the token's `member` is not a member's id")]
    BadMember,
}

impl AuthRefusal {
    /// Does it refuse a token that, as far as is known, no issuer made for this service? Not one that was good once or for
    /// others, and not a request without a token. A `kid` that is not known may be that of a new key: for the seconds
    /// until it is fetched, its tokens look like guesses.
    pub fn is_guess(self) -> bool {
        match self {
            AuthRefusal::TooLong
            | AuthRefusal::Malformed
            | AuthRefusal::CriticalHeader
            | AuthRefusal::UnknownKey
            | AuthRefusal::AlgorithmNotAllowed
            | AuthRefusal::BadSignature => true,
            AuthRefusal::Missing
            | AuthRefusal::SeveralHeaders
            | AuthRefusal::NotBearer
            | AuthRefusal::KeysAwaited
            | AuthRefusal::Expired
            | AuthRefusal::NotYetValid
            | AuthRefusal::WrongIssuer
            | AuthRefusal::WrongAudience
            | AuthRefusal::MissingClaim(_)
            | AuthRefusal::InvalidClaim(_)
            | AuthRefusal::BadSubject
            | AuthRefusal::BadMember => false,
        }
    }

    /// The code of its problem.
    pub fn code(self) -> HttpCode {
        match self {
            AuthRefusal::Missing => HttpCode::TokenMissing,
            AuthRefusal::SeveralHeaders => HttpCode::AuthorizationRepeated,
            AuthRefusal::NotBearer => HttpCode::AuthorizationNotBearer,
            AuthRefusal::TooLong => HttpCode::TokenTooLong,
            AuthRefusal::Malformed => HttpCode::TokenMalformed,
            AuthRefusal::CriticalHeader => HttpCode::TokenCriticalHeader,
            AuthRefusal::UnknownKey => HttpCode::TokenKeyUnknown,
            AuthRefusal::KeysAwaited => HttpCode::TokenKeysUnavailable,
            AuthRefusal::AlgorithmNotAllowed => HttpCode::TokenAlgorithmNotAllowed,
            AuthRefusal::BadSignature => HttpCode::TokenSignatureInvalid,
            AuthRefusal::Expired => HttpCode::TokenExpired,
            AuthRefusal::NotYetValid => HttpCode::TokenNotYetValid,
            AuthRefusal::WrongIssuer => HttpCode::TokenIssuerWrong,
            AuthRefusal::WrongAudience => HttpCode::TokenAudienceWrong,
            AuthRefusal::MissingClaim(_) => HttpCode::TokenClaimMissing,
            AuthRefusal::InvalidClaim(_) => HttpCode::TokenClaimInvalid,
            AuthRefusal::BadSubject => HttpCode::TokenSubjectInvalid,
            AuthRefusal::BadMember => HttpCode::TokenMemberInvalid,
        }
    }
}

/// Why the service does not start with its configuration of keys.
#[derive(Debug, thiserror::Error)]
pub enum AuthSetupError {
    /// Nothing to verify a token with.
    #[error("no key to verify tokens with: configure a JWKS file, a JWKS URL or an HS256 secret")]
    NoKeys,
    /// The HS256 secret can be guessed.
    #[error("the HS256 secret is shorter than {MIN_SECRET_BYTES} bytes")]
    SecretTooShort,
    /// The JWKS file cannot be read.
    #[error("the JWKS file {} cannot be read", path.display())]
    FileUnreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The JWKS file holds something else.
    #[error("the JWKS file {} is not a JWKS", path.display())]
    FileInvalid {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: JwksFault,
    },
    /// The JWKS URL is no URL that can be fetched.
    #[error("the JWKS URL must be an https:// address with a host, and without a user name or password")]
    UrlInvalid,
    /// The JWKS URL is plain HTTP over a network.
    #[error("the JWKS URL must be https://; http:// is accepted for a loopback address only")]
    UrlInsecure,
    /// A JWKS file of which no key can be used.
    #[error(
        "the JWKS at {place} has no usable key: it needs an ES256 (P-256), EdDSA (Ed25519) or RS256 (RSA of 2048 \
         bits or more) public key for signatures"
    )]
    NoUsableKeys {
        /// The file.
        place: String,
    },
    /// The thread that refreshes the keys could not be started.
    #[error("the thread that refreshes the keys could not be started")]
    Thread(#[source] io::Error),
    /// Production without keys of its own.
    #[error(
        "no key to verify tokens with is configured for production: give the JWKS file or JWKS URL of your \
         identity provider, or an HS256 secret"
    )]
    ProductionWithoutKeys,
    /// Production with the development key.
    #[error(
        "the development key must not be used in production: leave it out, and give the JWKS file or JWKS URL of \
         your identity provider, or an HS256 secret"
    )]
    DevelopmentKeyInProduction,
    /// Production with the development key inside a JWKS.
    #[error(
        "the JWKS at {place} contains the development key, which must not be used in production: remove the key \
         with the kid `{kid}` from it",
        kid = super::DEVELOPMENT_KID
    )]
    DevelopmentKeyInJwks {
        /// The file or address.
        place: String,
    },
}

/// What is wrong with a JWKS as a whole.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JwksFault {
    /// Over the size limit.
    #[error("it is larger than {} bytes", super::jwks::MAX_JWKS_BYTES)]
    TooLarge,
    /// No JSON.
    #[error("it is not JSON (line {line}, column {column})")]
    NotJson {
        /// Where the parser stopped.
        line: usize,
        /// Where the parser stopped.
        column: usize,
    },
    /// JSON of another shape.
    #[error("it is not an object with an array `keys`")]
    NoKeysArray,
    /// Over the limit on keys.
    #[error("it has more than {} keys", super::jwks::MAX_KEYS)]
    TooManyKeys,
}

/// Why the JWKS URL gave no keys.
#[derive(Debug, thiserror::Error)]
pub enum FetchFault {
    /// No complete answer in time.
    #[error("the request failed")]
    Request(#[source] Box<ureq::Error>),
    /// Another answer than 200; redirects are not followed.
    #[error("the answer has the status {0} instead of 200")]
    Status(u16),
    /// The answer is no JWKS.
    #[error("the answer is not a JWKS")]
    Jwks(#[source] JwksFault),
}

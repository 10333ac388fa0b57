//! The codes of problems: those of the rules, and those that HTTP has besides. Codes never change their meaning; the
//! lists only grow.

use std::borrow::Cow;

use strum::IntoEnumIterator;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::refusal::{Class, RefusalCode};

/// The code of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// HTTP says no, or the service cannot answer.
    Http(HttpCode),
    /// The rules say no.
    Refused(RefusalCode),
}

impl Code {
    /// Every code, by its status.
    pub fn all() -> Vec<Code> {
        let mut all: Vec<Code> =
            HttpCode::iter().map(Code::Http).chain(RefusalCode::iter().map(Code::Refused)).collect();
        all.sort_by_key(|code| code.status());
        all
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Code::Http(code) => code.name(),
            Code::Refused(code) => code.name(),
        }
    }

    /// The HTTP status of its problems.
    pub fn status(self) -> u16 {
        match self {
            Code::Http(code) => code.status(),
            Code::Refused(code) => match code.class() {
                Class::NotFound => 404,
                Class::Conflict => 409,
                Class::Unprocessable => 422,
            },
        }
    }

    /// What kind of problem it is, for people.
    pub fn title(self) -> &'static str {
        match self {
            Code::Http(code) => code.title(),
            Code::Refused(code) => code.title(),
        }
    }
}

impl From<HttpCode> for Code {
    fn from(code: HttpCode) -> Self {
        Code::Http(code)
    }
}

impl From<RefusalCode> for Code {
    fn from(code: RefusalCode) -> Self {
        Code::Refused(code)
    }
}

/// In the document, the list of their names.
impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let names = Code::all().into_iter().map(Code::name);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        "ProblemCode".into()
    }
}

/// Declares [`HttpCode`]: each with its status and its title.
macro_rules! http_codes {
    ($($name:ident = $status:literal $title:literal,)+) => {
        /// The codes that HTTP has besides those of the rules.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr, strum::EnumIter,
        )]
        #[strum(serialize_all = "snake_case")]
        pub enum HttpCode {
            $(#[doc = $title] $name,)+
        }

        impl HttpCode {
            /// As it is written.
            pub fn name(self) -> &'static str {
                self.into()
            }

            /// The HTTP status of its problems.
            pub fn status(self) -> u16 {
                match self {
                    $(HttpCode::$name => $status,)+
                }
            }

            /// What kind of problem it is, for people.
            pub fn title(self) -> &'static str {
                match self {
                    $(HttpCode::$name => $title,)+
                }
            }
        }
    };
}

http_codes! {
    MalformedJson = 400 "The body is not JSON",
    MalformedRequest = 400 "No HTTP request",
    InvalidParameter = 400 "A parameter of the address or a header is wrong",
    IdempotencyKeyRequired = 400 "This call needs an Idempotency-Key",
    AuthorizationRepeated = 401 "More than one Authorization header",
    AuthorizationNotBearer = 401 "The Authorization header is not a bearer token",
    TokenMissing = 401 "No token",
    TokenTooLong = 401 "The token is too long",
    TokenMalformed = 401 "The token is not a JWT",
    TokenCriticalHeader = 401 "The token asks for an extension",
    TokenKeyUnknown = 401 "The token's key is not known",
    TokenAlgorithmNotAllowed = 401 "The token's algorithm is not allowed",
    TokenSignatureInvalid = 401 "The token's signature is wrong",
    TokenExpired = 401 "The token has expired",
    TokenNotYetValid = 401 "The token is not valid yet",
    TokenIssuerWrong = 401 "The token has another issuer",
    TokenAudienceWrong = 401 "The token is for another audience",
    TokenClaimMissing = 401 "The token lacks a claim",
    TokenClaimInvalid = 401 "A claim of the token is wrong",
    TokenSubjectInvalid = 401 "The token's subject is wrong",
    TokenMemberInvalid = 401 "The token's member is wrong",
    ScopeMissing = 403 "The token lacks a scope",
    NotFound = 404 "There is nothing at this address",
    JournalNotFound = 404 "No such journal",
    MethodNotAllowed = 405 "This address does not take this method",
    RequestTimeout = 408 "The request did not arrive in time",
    BodyTimeout = 408 "The body did not arrive in time",
    BodyTooLarge = 413 "The body is too large",
    UnsupportedMediaType = 415 "The body must be JSON",
    ContentEncodingUnsupported = 415 "The body must not be compressed",
    ValidationFailed = 422 "Fields are missing, unknown or wrong",
    ClockBackwards = 422 "The clock goes forward only",
    ClockTooFar = 422 "The clock does not go that far",
    TooManyCalls = 429 "More calls than a member may make",
    TooManyLookups = 429 "More receivers by external id than a member may name",
    TooManyFailedTokens = 429 "Too many tokens that were not issued",
    HeadTooLarge = 431 "The address and the headers are too long",
    Internal = 500 "An internal fault",
    Busy = 503 "Too much to do",
    ExpiredInQueue = 503 "Waited too long",
    DatabaseUnavailable = 503 "The database cannot be reached",
    ClockBehind = 503 "The clock is behind the ledger",
    ReadOnly = 503 "This service only reads",
    TokenKeysUnavailable = 503 "The keys that verify tokens are not there yet",
    OutcomeUnknown = 503 "It is not known whether this was done",
}

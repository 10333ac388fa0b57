//! What a client is told when it does not get what it asked for: RFC 9457 documents with stable codes.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};

use super::auth::AuthRefusal;
use super::code::{Code, HttpCode};
use super::headers;
use crate::domain::fields::Fault;
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::ledger::NoAnswer;
use crate::process::seldom;
use crate::read::ReadError;

/// A problem: its document, and the headers that go with it.
#[derive(Clone)]
pub struct Problem(Box<Parts>);

#[derive(Clone)]
struct Parts {
    code: Code,
    document: ProblemDocument,
    replayed: bool,
    header: Option<(HeaderName, HeaderValue)>,
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// A name for the kind of problem: `urn:accrue:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:accrue:problem:order_conflict")]
    pub kind: String,
    /// What kind of problem it is, for people.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable code, for programs.
    #[schema(value_type = Code, example = "order_conflict")]
    pub code: &'static str,
    /// What to do about it, in a sentence.
    pub detail: String,
    /// Every fault of the body or the parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    pub errors: Vec<Fault>,
    /// Facts that the code promises, such as `expected` of `currency_mismatch`: see the table of codes.
    #[serde(flatten)]
    #[schema(ignore)]
    pub facts: Map<String, Value>,
}

impl Problem {
    /// The problem `code` with a sentence about this case.
    pub fn new(code: impl Into<Code>, detail: impl Into<String>) -> Self {
        let code = code.into();
        let document = ProblemDocument {
            kind: format!("urn:accrue:problem:{}", code.name()),
            title: code.title(),
            status: code.status(),
            code: code.name(),
            detail: detail.into(),
            errors: Vec::new(),
            facts: Map::new(),
        };
        Self(Box::new(Parts { code, document, replayed: false, header: None }))
    }

    /// What the client is sent.
    pub fn document(&self) -> &ProblemDocument {
        &self.0.document
    }

    /// Faults of a body.
    pub fn validation(errors: Vec<Fault>) -> Self {
        let detail = match errors.as_slice() {
            [fault] => fault.to_string(),
            faults => format!("{} fields are wrong; each is listed in errors", faults.len()),
        };
        Self::new(HttpCode::ValidationFailed, detail).with_errors(errors)
    }

    /// Faults of query parameters, path or headers.
    pub fn parameters(errors: Vec<Fault>) -> Self {
        let detail = errors.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ");
        Self::new(HttpCode::InvalidParameter, detail).with_errors(errors)
    }

    /// A refusal, remembered or new.
    pub fn refused(refusal: &Refusal, replayed: bool) -> Self {
        let mut problem = Self::new(RefusalCode::from(refusal), refusal.to_string());
        problem.0.document.facts = refusal.facts();
        problem.0.replayed = replayed;
        problem
    }

    /// A method that the address does not take; `allow` are those that it takes.
    pub fn method_not_allowed(allow: String) -> Self {
        let detail = format!("this address takes {allow}");
        let mut problem = Self::new(HttpCode::MethodNotAllowed, detail);
        problem.0.header = HeaderValue::try_from(allow).ok().map(|allow| (header::ALLOW, allow));
        problem
    }

    /// A body that would have to be unpacked before it could be read.
    pub fn content_encoding_unsupported() -> Self {
        let detail = "send the body as it is, without Content-Encoding";
        let mut problem = Self::new(HttpCode::ContentEncodingUnsupported, detail);
        problem.0.header = Some((header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
        problem
    }

    /// More of something than a time may have; there is room for one more after `wait`.
    pub fn too_many(code: HttpCode, detail: &str, wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        let mut problem = Self::new(code, format!("{detail}; the next is possible in {seconds} seconds"));
        problem.0.header = Some((header::RETRY_AFTER, seconds.into()));
        problem
    }

    /// A member that does not exist, or that the caller may not know of.
    pub fn member_not_found() -> Self {
        Self::refused(&Refusal::MemberNotFound, false)
    }

    /// An order that was never posted with success.
    pub fn order_not_found() -> Self {
        Self::refused(&Refusal::OrderNotFound, false)
    }

    /// The document's text.
    pub fn text(&self) -> String {
        serde_json::to_string(&self.0.document).unwrap_or_default()
    }

    fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.0.document.errors = errors;
        self
    }
}

impl From<NoAnswer> for Problem {
    fn from(no_answer: NoAnswer) -> Self {
        let code = match no_answer {
            NoAnswer::Busy => HttpCode::Busy,
            NoAnswer::Expired => HttpCode::ExpiredInQueue,
            NoAnswer::Unavailable => HttpCode::DatabaseUnavailable,
            NoAnswer::ReadOnly => HttpCode::ReadOnly,
            NoAnswer::ClockBehind => HttpCode::ClockBehind,
            NoAnswer::OutcomeUnknown => HttpCode::OutcomeUnknown,
            NoAnswer::Fault => HttpCode::Internal,
        };
        Self::new(code, no_answer.to_string())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Busy => Self::new(HttpCode::Busy, error.to_string()),
            error if error.is_unavailable() => {
                if let Some(left_out) = seldom::due("query_unavailable") {
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(error, left_out, "a query found the database away");
                }
                Self::new(HttpCode::DatabaseUnavailable, ReadError::Unavailable.to_string())
            }
            error => {
                if let Some(left_out) = seldom::due("query_failed") {
                    tracing::error!(error = error as &dyn std::error::Error, left_out, "a query failed");
                }
                Self::new(HttpCode::Internal, "an internal fault; the log says more under the request's id")
            }
        }
    }
}

impl From<AuthRefusal> for Problem {
    fn from(refusal: AuthRefusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

/// Shows the code alone: details may quote what the client sent, and have no place in a log.
impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Problem").field(&self.0.document.code).finish()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.document.code, self.0.document.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.extensions_mut().insert(self.0.code);
        response.insert_header((header::CONTENT_TYPE, headers::PROBLEM));
        match self.0.document.status {
            401 => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            503 if self.0.code != HttpCode::ReadOnly.into() => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            _ => {}
        }
        if self.0.replayed {
            response.insert_header((headers::IDEMPOTENCY_REPLAYED, "true"));
        }
        if let Some(header) = self.0.header.clone() {
            response.insert_header(header);
        }
        response.body(self.text())
    }
}

//! What a client is told when it does not get what it asked for: RFC 9457 documents with stable codes.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};

use super::auth::AuthRefusal;
use super::headers;
use crate::domain::fields::Fault;
use crate::domain::refusal::Refusal;
use crate::ledger::NoAnswer;
use crate::process::seldom;
use crate::read::ReadError;

/// Every code, its status and its title. Codes never change their meaning; the table only grows.
pub const PROBLEMS: &[(&str, u16, &str)] = &[
    ("malformed_json", 400, "The body is not JSON"),
    ("malformed_request", 400, "No HTTP request"),
    ("invalid_parameter", 400, "A parameter of the address or a header is wrong"),
    ("idempotency_key_required", 400, "This call needs an Idempotency-Key"),
    ("authorization_repeated", 401, "More than one Authorization header"),
    ("authorization_not_bearer", 401, "The Authorization header is not a bearer token"),
    ("token_missing", 401, "No token"),
    ("token_too_long", 401, "The token is too long"),
    ("token_malformed", 401, "The token is not a JWT"),
    ("token_critical_header", 401, "The token asks for an extension"),
    ("token_key_unknown", 401, "The token's key is not known"),
    ("token_algorithm_not_allowed", 401, "The token's algorithm is not allowed"),
    ("token_signature_invalid", 401, "The token's signature is wrong"),
    ("token_expired", 401, "The token has expired"),
    ("token_not_yet_valid", 401, "The token is not valid yet"),
    ("token_issuer_wrong", 401, "The token has another issuer"),
    ("token_audience_wrong", 401, "The token is for another audience"),
    ("token_claim_missing", 401, "The token lacks a claim"),
    ("token_claim_invalid", 401, "A claim of the token is wrong"),
    ("token_subject_invalid", 401, "The token's subject is wrong"),
    ("token_member_invalid", 401, "The token's member is wrong"),
    ("scope_missing", 403, "The token lacks a scope"),
    ("not_found", 404, "There is nothing at this address"),
    ("member_not_found", 404, "No such member"),
    ("order_not_found", 404, "No such order"),
    ("redemption_not_found", 404, "No such redemption"),
    ("reward_not_found", 404, "No such reward"),
    ("cause_not_found", 404, "No such cause"),
    ("transfer_not_found", 404, "No such transfer"),
    ("receiver_not_found", 404, "Nobody to receive the points"),
    ("journal_not_found", 404, "No such journal"),
    ("method_not_allowed", 405, "This address does not take this method"),
    ("request_timeout", 408, "The request did not arrive in time"),
    ("body_timeout", 408, "The body did not arrive in time"),
    ("order_conflict", 409, "The order was posted before with other content"),
    ("external_id_conflict", 409, "The customer was enrolled before with other content"),
    ("idempotency_key_conflict", 409, "The key was used for another request"),
    ("refund_conflict", 409, "The refund was posted before with other content"),
    ("insufficient_points", 409, "Fewer points than that"),
    ("insufficient_pending_points", 409, "Fewer pending points than that"),
    ("hold_lapsed", 409, "The hold's time is over"),
    ("hold_of_shop", 409, "The hold is not the member's own"),
    ("redemption_state_conflict", 409, "The redemption is in another state"),
    ("redemption_of_another_order", 409, "The redemption is not for this order"),
    ("reward_not_available", 409, "The reward is not available at this time"),
    ("reward_out_of_stock", 409, "Not enough of the reward is left"),
    ("reward_limit_reached", 409, "The member has had as many as it may"),
    ("cause_not_open", 409, "The cause takes no points at this time"),
    ("transfer_state_conflict", 409, "The transfer is in another state"),
    ("transfer_over_daily_limit", 409, "More points than a member may give in a day"),
    ("receiver_not_active", 409, "The receiver cannot take points"),
    ("member_suspended", 409, "The member is suspended"),
    ("member_closed", 409, "The membership is closed"),
    ("body_too_large", 413, "The body is too large"),
    ("unsupported_media_type", 415, "The body must be JSON"),
    ("content_encoding_unsupported", 415, "The body must not be compressed"),
    ("validation_failed", 422, "Fields are missing, unknown or wrong"),
    ("currency_mismatch", 422, "Another currency than the programme's"),
    ("amount_over_limit", 422, "The amount is over the programme's limit"),
    ("occurred_in_future", 422, "The order lies in the future"),
    ("joined_in_future", 422, "The member joins in the future"),
    ("points_over_limit", 422, "More points than a wallet can hold"),
    ("effective_too_soon", 422, "The version takes effect too soon"),
    ("active_in_future", 422, "Active points that become active later"),
    ("pending_not_in_future", 422, "Pending points that are active already"),
    ("expires_in_past", 422, "Points that have expired"),
    ("expires_before_active", 422, "Points that expire before they become active"),
    ("member_hold_too_long", 422, "A member may not hold points for so long"),
    ("capture_over_held", 422, "More points than are held"),
    ("reward_captured_whole", 422, "A reward is captured whole"),
    ("reward_returned_in_units", 422, "Rewards come back one by one"),
    ("return_over_captured", 422, "More points than are captured"),
    ("points_without_value", 422, "Points have no value in money"),
    ("points_worth_nothing", 422, "So few points are worth nothing"),
    ("over_order_share", 422, "More than points may pay of an order"),
    ("paid_over_amount", 422, "The redemptions are worth more than the order"),
    ("refund_over_order", 422, "More than is left of the order"),
    ("refund_before_order", 422, "A refund before its order"),
    ("refund_items", 422, "More items than can still come back"),
    ("order_without_items", 422, "The order has no items"),
    ("refund_of_nothing", 422, "Neither money nor items come back"),
    ("refund_over_items", 422, "More than the items cost"),
    ("window_ends_before_it_begins", 422, "The window ends before it begins"),
    ("transfer_to_oneself", 422, "Giver and receiver are the same"),
    ("transfers_not_allowed", 422, "The programme has no transfers"),
    ("direct_transfer_not_allowed", 422, "The programme has no direct transfers"),
    ("transfer_over_limit", 422, "More points than one transfer may have"),
    ("clock_backwards", 422, "The clock goes forward only"),
    ("clock_too_far", 422, "The clock does not go that far"),
    ("too_many_calls", 429, "More calls than a member may make"),
    ("too_many_lookups", 429, "More receivers by external id than a member may name"),
    ("too_many_failed_tokens", 429, "Too many tokens that were not issued"),
    ("head_too_large", 431, "The address and the headers are too long"),
    ("internal", 500, "An internal fault"),
    ("busy", 503, "Too much to do"),
    ("expired_in_queue", 503, "Waited too long"),
    ("database_unavailable", 503, "The database cannot be reached"),
    ("clock_behind", 503, "The clock is behind the ledger"),
    ("token_keys_unavailable", 503, "The keys that verify tokens are not there yet"),
    ("outcome_unknown", 503, "It is not known whether this was done"),
];

/// What documents of these codes say besides: code, name of the fact, what it means. Points are integers, money is a
/// decimal string.
pub const FACTS: &[(&str, &str, &str)] = &[
    ("order_conflict", "order_id", "the order's id"),
    ("refund_conflict", "refund_id", "the refund's id"),
    ("insufficient_points", "available", "how many points are active"),
    ("insufficient_pending_points", "available", "how many points are pending"),
    ("redemption_state_conflict", "state", "its status"),
    ("redemption_of_another_order", "redemption_id", "which one"),
    ("reward_out_of_stock", "left", "how many are left"),
    ("reward_limit_reached", "maximum", "how many a member may have"),
    ("reward_limit_reached", "left", "how many more this one may have"),
    ("transfer_state_conflict", "state", "its status"),
    ("transfer_over_daily_limit", "maximum", "the most points of a day"),
    ("transfer_over_daily_limit", "left", "how many more today"),
    ("currency_mismatch", "expected", "the programme's currency"),
    ("amount_over_limit", "maximum", "the most of one order, in the programme's currency"),
    ("occurred_in_future", "minutes", "how far ahead is allowed"),
    ("joined_in_future", "minutes", "how far ahead is allowed"),
    ("effective_too_soon", "seconds", "how far ahead it must be"),
    ("expires_before_active", "expires_at", "when they would expire"),
    ("capture_over_held", "held", "how many points are held"),
    ("member_hold_too_long", "maximum", "the longest, a period such as `1H`"),
    ("reward_captured_whole", "held", "how many points are held"),
    ("hold_lapsed", "lapsed_at", "when it lapsed"),
    ("reward_returned_in_units", "unit", "what one of the reward cost, in points"),
    ("return_over_captured", "left", "how many points can still come back"),
    ("points_worth_nothing", "least", "the fewest points that are worth something"),
    ("over_order_share", "maximum", "the most that points may pay, in the programme's currency"),
    ("paid_over_amount", "amount", "the order's amount"),
    ("refund_over_order", "remaining", "what is left to refund, in the order's currency"),
    ("refund_before_order", "occurred_at", "when the order occurred, RFC 3339 in UTC"),
    ("refund_items", "sku", "the article"),
    ("refund_items", "left", "how much of it can still come back, as the `quantity` of an item"),
    ("refund_over_items", "worth", "what the items cost"),
    ("transfer_over_limit", "maximum", "the most points of one transfer"),
];

/// A problem: its document, and the headers that go with it.
#[derive(Clone)]
pub struct Problem(Box<Parts>);

/// The code of the problem that a response tells of, for the log; kept with the response.
#[derive(Debug, Clone, Copy)]
pub struct Code(pub &'static str);

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
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code, for programs.
    #[schema(example = "order_conflict")]
    pub code: String,
    /// What to do about it, in a sentence.
    pub detail: String,
    /// Every fault of the body or the parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(nullable = false)]
    pub errors: Vec<Fault>,
    /// Facts that the code promises, such as `expected` of `currency_mismatch`: see the table of codes.
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    pub facts: Map<String, Value>,
}

impl Problem {
    /// The problem `code` with a sentence about this case.
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        let (code, status, title) =
            PROBLEMS.iter().find(|row| row.0 == code).copied().unwrap_or(("internal", 500, "An internal fault"));
        let document = ProblemDocument {
            kind: format!("urn:accrue:problem:{code}"),
            title: title.to_owned(),
            status,
            code: code.to_owned(),
            detail: detail.into(),
            errors: Vec::new(),
            facts: Map::new(),
        };
        Self(Box::new(Parts { code: Code(code), document, replayed: false, header: None }))
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
        Self::new("validation_failed", detail).with_errors(errors)
    }

    /// Faults of query parameters, path or headers.
    pub fn parameters(errors: Vec<Fault>) -> Self {
        let detail = errors.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ");
        Self::new("invalid_parameter", detail).with_errors(errors)
    }

    /// A refusal, remembered or new.
    pub fn refused(refusal: &Refusal, replayed: bool) -> Self {
        let facts = match serde_json::to_value(refusal) {
            Ok(Value::Object(mut facts)) => {
                facts.remove("code");
                facts
            }
            _ => Map::new(),
        };
        let mut problem = Self::new(refusal.code(), refusal.to_string());
        problem.0.document.facts = facts;
        problem.0.replayed = replayed;
        problem
    }

    /// A method that the address does not take; `allow` are those that it takes.
    pub fn method_not_allowed(allow: String) -> Self {
        let detail = format!("this address takes {allow}");
        let mut problem = Self::new("method_not_allowed", detail);
        problem.0.header = HeaderValue::try_from(allow).ok().map(|allow| (header::ALLOW, allow));
        problem
    }

    /// A body that would have to be unpacked before it could be read.
    pub fn content_encoding_unsupported() -> Self {
        let detail = "send the body as it is, without Content-Encoding";
        let mut problem = Self::new("content_encoding_unsupported", detail);
        problem.0.header = Some((header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
        problem
    }

    /// More of something than a time may have; there is room for one more after `wait`.
    pub fn too_many(code: &str, detail: &str, wait: Duration) -> Self {
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
            NoAnswer::Busy => "busy",
            NoAnswer::Expired => "expired_in_queue",
            NoAnswer::Unavailable => "database_unavailable",
            NoAnswer::ClockBehind => "clock_behind",
            NoAnswer::OutcomeUnknown => "outcome_unknown",
            NoAnswer::Fault => "internal",
        };
        Self::new(code, no_answer.to_string())
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Busy => Self::new("busy", error.to_string()),
            error if error.is_unavailable() => {
                if let Some(left_out) = seldom::due("query_unavailable") {
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(error, left_out, "a query found the database away");
                }
                Self::new("database_unavailable", ReadError::Unavailable.to_string())
            }
            error => {
                if let Some(left_out) = seldom::due("query_failed") {
                    tracing::error!(error = error as &dyn std::error::Error, left_out, "a query failed");
                }
                Self::new("internal", "an internal fault; the log says more under the request's id")
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
            503 => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            _ => {}
        }
        if self.0.replayed {
            response.insert_header((super::IDEMPOTENCY_REPLAYED, "true"));
        }
        if let Some(header) = self.0.header.clone() {
            response.insert_header(header);
        }
        response.body(self.text())
    }
}

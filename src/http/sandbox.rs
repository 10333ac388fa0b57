//! `/v1/sandbox/clock`: the clock of a sandbox. A production ledger has no such address.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use serde_json::json;

use super::answer::json;
use super::call::{Answer, Call, Need, Takes, Verb};
use super::caller::Authorised;
use super::code::HttpCode;
use super::input::{Body, Read};
use super::problem::Problem;
use super::service::Service;
use crate::domain::fields::{self, Fields, Wrong};
use crate::domain::sandbox::{ClockMove, ClockRefusal};
use crate::domain::time::{self, Timestamp};
use crate::ledger::sandbox::ClockError;
use crate::postgres::clock::Reading;
use crate::process::seldom;
use crate::read::ReadError;

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "get_clock",
        verb: Verb::Get,
        path: "/v1/sandbox/clock",
        need: Need::Scope("sandbox"),
        summary: "Look at the clock (sandbox only)",
        about: "\
            The programme's time: by it points become active and expire, and orders are in the past or in the \
            future. Tokens keep real time. A production ledger answers 404.",
        answer: Answer::ok::<ClockReply>("What it shows", include_str!("examples/clock.json")),
        problems: &[HttpCode::NotFound],
        handler: || web::to(get_clock),
        ..Call::REST
    },
    Call {
        name: "move_clock",
        verb: Verb::Post,
        path: "/v1/sandbox/clock",
        need: Need::Scope("sandbox"),
        summary: "Move the clock forward (sandbox only)",
        about: "\
            For every member and every instance at once, and for good: it never goes back, and stays moved over \
            restarts. What falls due on the way shows in every wallet from then on. There is no key: `advance` that \
            is sent again moves the clock again, `to` is refused. A production ledger answers 404.",
        takes: Some(Takes::body::<ClockMove, ClockMoveBody>(&[(
            "Move the clock forward (sandbox only)",
            || json!({ "advance": "14D" }),
        )])),
        answer: Answer::ok::<ClockReply>("What it shows now", include_str!("examples/clock.json")),
        problems: &[HttpCode::NotFound, HttpCode::ClockBackwards, HttpCode::ClockTooFar, HttpCode::OutcomeUnknown],
        handler: || web::to(move_clock),
        ..Call::REST
    },
];

/// Where to move the clock: one of the two, not both.
#[derive(utoipa::ToSchema)]
#[schema(as = ClockMove)]
#[expect(dead_code, reason = "the fields are there for the document")]
pub struct ClockMoveBody {
    /// So far ahead of what it shows, counted in the programme's time zone: `36H`, `14D`, `12M`, `1Y`, and `12M_M` for
    /// twelve months and then to the end of that month.
    #[schema(example = "14D", nullable = false)]
    advance: Option<String>,
    /// To this instant, not before what it shows.
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    to: Option<Timestamp>,
}

/// What the clock shows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Clock)]
pub struct ClockReply {
    /// The programme's time. It goes on from there.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// How many whole seconds it has been moved ahead of real time.
    ahead_seconds: i64,
}

async fn get_clock(service: web::Data<Service>, _caller: Authorised) -> Result<HttpResponse, Problem> {
    let reading = service.reader.run(|view| view.clock.look(view.connection).map_err(ReadError::from)).await?;
    json(&ClockReply::of(reading))
}

async fn move_clock(
    service: web::Data<Service>,
    _caller: Authorised,
    body: Body<ClockMove>,
) -> Result<HttpResponse, Problem> {
    let Body(wanted) = body;
    let moved = web::block(move || service.ledger.move_clock(wanted)).await;
    let moved = moved.map_err(|_| Problem::new(HttpCode::Internal, "the clock could not be moved"))?;
    json(&ClockReply::of(moved?))
}

impl Read for ClockMove {
    fn read(wanted: &mut Fields<'_>) -> Option<Self> {
        let advance = wanted.optional("advance", |value| Ok(fields::parsed(value)));
        let to = wanted.optional("to", |value| Ok(fields::timestamp(value)));
        let (name, read) = match (advance, to) {
            (Some(period), None) => ("advance", period.map(ClockMove::Advance)),
            (None, Some(instant)) => ("to", instant.map(ClockMove::To)),
            _ => ("advance", Err(Wrong::new("contradiction", "must be given, or else to, and not both"))),
        };
        read.map_err(|wrong| wanted.fault(name, wrong)).ok()
    }
}

impl ClockReply {
    fn of(Reading { now, ahead }: Reading) -> Self {
        Self { now, ahead_seconds: ahead.num_seconds() }
    }
}

impl From<ClockError> for Problem {
    fn from(error: ClockError) -> Self {
        let code = match &error {
            ClockError::Refused(ClockRefusal::Backwards { .. }) => HttpCode::ClockBackwards,
            ClockError::Refused(ClockRefusal::TooFar) => HttpCode::ClockTooFar,
            ClockError::ReadOnly => HttpCode::ReadOnly,
            ClockError::Contended => HttpCode::Busy,
            ClockError::Unreachable(_) => HttpCode::DatabaseUnavailable,
            ClockError::Unanswered(_) => HttpCode::OutcomeUnknown,
        };
        if !matches!(error, ClockError::Refused(_) | ClockError::ReadOnly)
            && let Some(left_out) = seldom::due("clock_not_moved")
        {
            tracing::warn!(error = &error as &dyn std::error::Error, left_out, "the clock was not moved");
        }
        Self::new(code, error.to_string())
    }
}

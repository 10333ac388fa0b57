//! The HTTP interface: parse at the edge, one table for access, one for problems, a file per resource.

pub mod access;
mod adjustments;
pub mod auth;
mod causes;
mod connections;
mod donations;
mod exports;
mod headers;
pub mod input;
mod ledger;
mod limits;
mod lots;
mod members;
mod memberships;
mod openapi;
mod operations;
mod orders;
mod page;
pub mod problem;
mod programs;
mod redemptions;
mod refunds;
mod rewards;
mod sandbox;
mod server;
mod statements;
mod strict_json;
mod transfers;
mod unparsed;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::access::Authorised;
use self::auth::Authenticator;
pub use self::connections::Bounds;
use self::exports::Exports;
use self::limits::Limits;
pub use self::limits::LimitsConfig;
pub use self::openapi::{document, document_yaml};
use self::problem::Problem;
pub use self::server::{Running, ServerConfig, start};
use crate::domain::journal::entry::hex;
use crate::ledger::{Answer, Command, Ledger, NoAnswer, Outcome, Request};
use crate::read::Reader;

/// The header that marks an answer that was given before.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";

/// How long a command may wait in its queue before it is dropped.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a command may take once it was taken.
const PATIENCE: Duration = Duration::from_secs(20);

/// What every handler works with.
pub struct Service {
    /// The writer.
    pub ledger: Arc<Ledger>,
    /// The readers.
    pub reader: Reader,
    /// Who calls.
    pub authenticator: Arc<Authenticator>,
    /// The metrics.
    pub metrics: PrometheusHandle,
    /// The service role's database, for exports.
    pub database_url: String,
    exports: Arc<Exports>,
    limits: Limits,
    openapi_yaml: String,
}

/// What a service allows its callers.
#[derive(Debug, Clone, Copy)]
pub struct ServiceConfig {
    /// How often something may be asked.
    pub limits: LimitsConfig,
    /// How long an export may wait for its reader, in all, and keep its place when another asks for one.
    pub export_patience: Duration,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self { limits: LimitsConfig::default(), export_patience: Duration::from_secs(60) }
    }
}

impl Service {
    /// A service on these parts.
    pub fn new(
        ledger: Arc<Ledger>,
        reader: Reader,
        authenticator: Arc<Authenticator>,
        metrics: PrometheusHandle,
        database_url: String,
        config: ServiceConfig,
    ) -> Self {
        let (exports, limits) = (Exports::new(config.export_patience), Limits::new(config.limits));
        Self { ledger, reader, authenticator, metrics, database_url, exports, limits, openapi_yaml: document_yaml() }
    }

    async fn decide(
        &self,
        caller: &Authorised,
        key: Option<String>,
        command: impl Into<Command>,
    ) -> Result<Answer, Problem> {
        let deadline = Instant::now() + DEADLINE;
        let decided = self.ledger.decide(Request::new(caller.actor(), key, deadline, command));
        // A database that neither answers nor breaks the connection must not keep the caller for ever.
        let answer = tokio::time::timeout(DEADLINE + PATIENCE, decided).await;
        Ok(answer.unwrap_or(Err(NoAnswer::OutcomeUnknown))?)
    }
}

// 201 with the body of a success, or the problem of a refusal.
fn created(answer: Answer, location: Option<String>) -> Result<HttpResponse, Problem> {
    let mut response = answered(answer, StatusCode::CREATED)?;
    if let Some(location) = location.and_then(|location| header::HeaderValue::try_from(location).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

// As `created`; what was made stands in `collection`, under the `id` that the body gives it.
fn created_in(collection: &str, answer: Answer) -> Result<HttpResponse, Problem> {
    let id = match &answer.outcome {
        Outcome::Done(body) => {
            serde_json::from_str(body).ok().and_then(|body: Value| Some(body["id"].as_str()?.to_owned()))
        }
        Outcome::Refused(_) => None,
    };
    created(answer, id.map(|id| format!("{collection}/{id}")))
}

// 200 with the body of a success, or the problem of a refusal.
fn done(answer: Answer) -> Result<HttpResponse, Problem> {
    answered(answer, StatusCode::OK)
}

fn answered(answer: Answer, status: StatusCode) -> Result<HttpResponse, Problem> {
    let body = match answer.outcome {
        Outcome::Done(body) => body,
        Outcome::Refused(refusal) => return Err(Problem::refused(&refusal, answer.replayed)),
    };
    let mut response = HttpResponse::build(status);
    response.content_type("application/json");
    if answer.replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(response.body(body))
}

fn json(body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let body = serde_json::to_string(body).map_err(|_| Problem::new("internal", "the answer cannot be written"))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

// What the app polls: an ETag of `content`, and 304 if the caller has it already.
fn polled(request: &HttpRequest, content: &impl Serialize, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let content = serde_json::to_vec(content).map_err(|_| Problem::new("internal", "the answer cannot be written"))?;
    let etag = format!("W/\"{}\"", hex(&Sha256::digest(content)[..16]));
    let known = matches_etag(request, &etag);
    let mut response = if known { HttpResponse::NotModified().finish() } else { json(body)? };
    let value = header::HeaderValue::try_from(etag).map_err(|_| Problem::new("internal", "the tag is not a header"))?;
    response.headers_mut().insert(header::ETAG, value);
    Ok(response)
}

// An ETag is compared as it is; the weak form is enough for polling.
fn matches_etag(request: &HttpRequest, etag: &str) -> bool {
    let values = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|known| known.trim() == etag || known.trim() == "*")
}

//! What keeps the service running: liveness, readiness, metrics, and its own document.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::answer::json;
use super::call::{Answer, Call, Verb};
use super::problem::Problem;
use super::service::Service;
use crate::process::log;
use crate::read::Lag;

/// The calls.
pub const CALLS: &[Call] = &[
    Call {
        name: "get_liveness",
        verb: Verb::Get,
        path: "/livez",
        summary: "Is the process alive?",
        answer: Answer::ok::<Health>("It is", include_str!("examples/health.json")),
        handler: || web::to(get_liveness),
        ..Call::REST
    },
    Call {
        name: "get_readiness",
        verb: Verb::Get,
        path: "/readyz",
        summary: "Can it serve?",
        answer: Answer::ok::<Health>("It can", include_str!("examples/health.json")).or_else(
            503,
            "The database cannot be reached, a journal lies ahead of its clock, its lane does not commit, or the keys \
             that verify tokens are not there yet",
        ),
        handler: || web::to(get_readiness),
        ..Call::REST
    },
    Call {
        name: "get_metrics",
        verb: Verb::Get,
        path: "/metrics",
        summary: "Prometheus metrics",
        about: "\
            Counts and times only: nothing of members, orders or callers.\n\
            \n\
            | metric | what it says |\n\
            |---|---|\n\
            | `accrue_http_requests_total` | requests answered, by `method`, `route` and `status` |\n\
            | `accrue_http_request_seconds` | how long they took, by `route` |\n\
            | `accrue_http_connections` | connections that are open |\n\
            | `accrue_http_connections_cut_total` | connections that were dropped, by `reason`: `overdue` or \
            `gave_way` |\n\
            | `accrue_batches_total` | transactions that were committed, by `way`: `quiet` by what a lane remembers, or \
            `locked` |\n\
            | `accrue_batch_commands` | how many commands went into a transaction |\n\
            | `accrue_batch_seconds` | how long a transaction took |\n\
            | `accrue_queued_commands` | how many commands wait, by `journal` |\n\
            | `accrue_swept_members_total` | members whose dues the sweeper had written |\n\
            | `accrue_thread_restarts_total` | panics of threads that began anew, by `thread`, such as `lane-1` |\n\
            | `accrue_log_lines_lost_total` | log lines that standard error did not take |",
        answer: Answer::text(&["text/plain"], "Metrics in the text format"),
        handler: || web::to(get_metrics),
        ..Call::REST
    },
    Call {
        name: "get_document",
        verb: Verb::Get,
        path: "/openapi.yaml",
        summary: "The OpenAPI document",
        answer: Answer::other(&["application/yaml"], "This document"),
        handler: || web::to(get_document),
        ..Call::REST
    },
];

/// The document of the API, as it is served.
pub struct DocumentText(pub String);

/// How the service is.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Health {
    /// Is it well?
    ok: bool,
    /// How many seconds the standby was behind a moment ago that a service with `--read-only` reads; not there while
    /// that is not known, and of any other service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replica_lag_seconds: Option<f64>,
}

async fn get_liveness() -> Result<HttpResponse, Problem> {
    json(&Health { ok: true, replica_lag_seconds: None })
}

async fn get_readiness(service: web::Data<Service>) -> HttpResponse {
    let ok = service.authenticator.is_ready() && service.ledger.is_well() && service.reader.ready().await;
    let lag = service.reader.lag().and_then(Lag::last);
    let health = Health { ok, replica_lag_seconds: lag.map(|lag| lag.as_secs_f64()) };
    match ok {
        true => HttpResponse::Ok().json(health),
        false => HttpResponse::ServiceUnavailable().json(health),
    }
}

async fn get_metrics(service: web::Data<Service>) -> HttpResponse {
    for (journal, queued) in service.ledger.queued() {
        metrics::gauge!("accrue_queued_commands", "journal" => journal.to_string()).set(queued as f64);
    }
    metrics::counter!("accrue_log_lines_lost_total").absolute(log::stderr().lost());
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(service.metrics.render())
}

async fn get_document(text: web::Data<DocumentText>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/yaml").body(text.0.clone())
}

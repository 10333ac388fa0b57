//! What keeps the service running: liveness, readiness, metrics, and its own document.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;

use super::problem::Problem;
use super::{Service, json};
use crate::process::log;

/// How the service is.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Health {
    /// Is it well?
    ok: bool,
}

/// Is the process alive?
#[utoipa::path(tag = "operations", responses((status = 200, description = "It is", body = Health)))]
#[get("/livez")]
pub async fn livez() -> Result<HttpResponse, Problem> {
    json(&Health { ok: true })
}

/// Can it serve?
#[utoipa::path(
    tag = "operations",
    responses(
        (status = 200, description = "It can", body = Health),
        (status = 503, description = "The database cannot be reached, a journal lies ahead of its clock, its lane does not \
         commit, or the keys that verify tokens are not there yet", body = Health),
    ),
)]
#[get("/readyz")]
pub async fn readyz(service: web::Data<Service>) -> HttpResponse {
    match service.authenticator.is_ready() && service.ledger.is_well() && service.reader.ready().await {
        true => HttpResponse::Ok().json(Health { ok: true }),
        false => HttpResponse::ServiceUnavailable().json(Health { ok: false }),
    }
}

/// Prometheus metrics
///
/// Counts and times only: nothing of members, orders or callers.
///
/// | metric | what it says |
/// |---|---|
/// | `accrue_http_requests_total` | requests answered, by `method`, `route` and `status` |
/// | `accrue_http_request_seconds` | how long they took, by `route` |
/// | `accrue_http_connections` | connections that are open |
/// | `accrue_http_connections_cut_total` | connections that were dropped, by `reason`: `overdue` or `gave_way` |
/// | `accrue_batch_commands` | how many commands went into a transaction |
/// | `accrue_batch_seconds` | how long a transaction took |
/// | `accrue_queued_commands` | how many commands wait, by `journal` |
/// | `accrue_swept_members_total` | members whose dues the sweeper had written |
/// | `accrue_thread_restarts_total` | panics of threads that began anew, by `thread`, such as `lane-1` |
/// | `accrue_log_lines_lost_total` | log lines that standard error did not take |
#[utoipa::path(
    tag = "operations",
    responses((status = 200, description = "Metrics in the text format", body = String, content_type = "text/plain")),
)]
#[get("/metrics")]
pub async fn get_metrics(service: web::Data<Service>) -> HttpResponse {
    for (journal, queued) in service.ledger.queued() {
        metrics::gauge!("accrue_queued_commands", "journal" => journal.to_string()).set(queued as f64);
    }
    metrics::counter!("accrue_log_lines_lost_total").absolute(log::stderr().lost());
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(service.metrics.render())
}

/// The OpenAPI document
#[utoipa::path(
    tag = "operations",
    responses((status = 200, description = "This document", body = String, content_type = "application/yaml")),
)]
#[get("/openapi.yaml")]
pub async fn get_openapi(service: web::Data<Service>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/yaml").body(service.openapi_yaml.clone())
}

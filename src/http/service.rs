//! What every handler works with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusHandle;

use super::auth::Authenticator;
use super::caller::Authorised;
use super::exports::Exports;
use super::limits::{Limits, LimitsConfig};
use super::problem::Problem;
use crate::ledger::{Answer, Command, Ledger, NoAnswer, Request};
use crate::read::Reader;

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
    /// The exports that run.
    pub exports: Arc<Exports>,
    /// How often something may be asked.
    pub limits: Limits,
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
        Self { ledger, reader, authenticator, metrics, database_url, exports, limits }
    }

    /// Has a command decided under this key, and waits for its answer.
    pub async fn decide(
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

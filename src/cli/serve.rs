//! `accrue serve`

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tokio::signal::unix::{SignalKind, signal};

use super::args::{DatabaseArgs, KeyArgs, LimitArgs, ListenArgs, ServeArgs};
use super::database::Database;
use super::{descriptors, token};
use crate::http::auth::{self, AuthConfig, Authenticator};
use crate::http::{self, Bounds, LimitsConfig, Running, ServerConfig, Service, ServiceConfig};
use crate::jobs::Sweeper;
use crate::ledger::{Ledger, LedgerConfig, Mode};
use crate::postgres::clock::Clock;
use crate::process::seldom;
use crate::read::Reader;

/// How far the clocks of the service and of the issuer of tokens may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// How often the metrics' samples are summed up, and the log says what it left out.
const UPKEEP: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT.
pub fn run(database_args: &DatabaseArgs, args: &ServeArgs) -> Result<()> {
    let mut keys = auth_config(&args.keys);
    // A database of one's own is production: its tokens come from a real issuer.
    if database_args.database_url.is_some() {
        auth::refuse_in_production(&keys)?;
    }
    let listener = listen(&args.listen)?;
    if args.read_only && database_args.database_url.is_none() {
        bail!("--read-only serves the database that --database-url names; give one");
    }
    let database = Database::for_service(database_args, args.mode.mode())?;
    database.seed_file(args.program.as_deref())?;
    if database.is_private() && args.keys.is_empty() {
        keys.development_key = Some(token::development_key(&database_args.data_dir)?);
        tracing::warn!("tokens of the local development key are accepted; `accrue token` prints them");
    }
    if args.mode.mode() == Mode::Sandbox {
        tracing::warn!("this is a sandbox: its clock can be moved over the API");
    }
    let ledger = match args.read_only {
        true => Arc::new(Ledger::open_to_read(database.ledger())?),
        false => open(&database, &args.listen)?,
    };
    run_until_stopped(ledger, &database.url, keys, (listener, &args.listen), async |address| {
        tracing::info!("listening on http://{address}, documentation at http://{address}/docs/");
    })
}

/// Listens. Nothing is answered yet, but an address that is taken is known before anything else is done.
pub fn listen(args: &ListenArgs) -> Result<TcpListener> {
    TcpListener::bind(args.listen).with_context(|| format!("cannot listen on {}", args.listen))
}

/// Opens the ledger in `database`.
pub fn open(database: &Database, args: &ListenArgs) -> Result<Arc<Ledger>> {
    let queue_capacity = usize::try_from(args.queue)?;
    Ok(Arc::new(Ledger::open(LedgerConfig { queue_capacity, ..database.ledger() })?))
}

/// Serves, and sweeps unless the ledger is only read, until SIGTERM or SIGINT; then takes nothing more in, finishes what
/// is under way, and stops the lanes. Once it listens, `greet` is called with the address.
pub fn run_until_stopped(
    ledger: Arc<Ledger>,
    url: &str,
    keys: AuthConfig,
    (listener, args): (TcpListener, &ListenArgs),
    greet: impl AsyncFnOnce(SocketAddr),
) -> Result<()> {
    let authenticator = Arc::new(Authenticator::new(keys)?);
    let reader = Reader::new(url, Clock::database(), Arc::clone(ledger.programs()), args.readers);
    let mut reader = reader.context("the readers cannot be started")?;
    let mut sweeper = None;
    if ledger.is_read_only() {
        reader = reader.of_standby().context("the standby cannot be watched")?;
    } else {
        let started = Sweeper::start(Arc::clone(&ledger), url.to_owned(), Clock::database(), args.sweep_interval);
        sweeper = Some(started.context("the sweeper cannot be started")?);
    }
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("seconds".into()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("commands".into()), &COMMANDS)?
        .install_recorder()
        .context("metrics cannot be recorded")?;
    let upkeep = metrics.clone();
    let service =
        Service::new(Arc::clone(&ledger), reader, authenticator, metrics, url.to_owned(), allowed(&args.limits));
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let workers = args.workers.map_or((cores / 2).max(1), usize::from);
    // Each lane and each reader has a connection to the database, and the threads of the server have a few besides.
    let readers = usize::try_from(args.readers)?;
    let others = ledger.queued().len() + readers + 4 * workers;
    let connections = descriptors::for_connections(args.limits.connections, others)?;
    let config = ServerConfig { listener, workers, connections, bounds: Bounds::default() };
    let ran = actix_web::rt::System::new().block_on(async {
        // Before anything is answered: whoever has an answer may ask it to stop.
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let Running { address, server, handle } =
            http::start(service, config).with_context(|| format!("cannot serve on {}", args.listen))?;
        // Histograms keep every sample until someone reads them, or this runs.
        actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                upkeep.run_upkeep();
                seldom::log_left_out();
            }
        });
        actix_web::rt::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping: finishing what is under way");
            handle.stop(true).await;
        });
        let mut server = actix_web::rt::spawn(server);
        // A greeting that nobody reads may never end.
        tokio::select! {
            ended = &mut server => return anyhow::Ok(ended??),
            () = greet(address) => {}
        }
        anyhow::Ok(server.await??)
    });
    drop(sweeper);
    ledger.close();
    ran
}

fn allowed(args: &LimitArgs) -> ServiceConfig {
    let LimitArgs { member_calls, receiver_lookups, failed_tokens, export_patience, .. } = *args;
    ServiceConfig { limits: LimitsConfig { member_calls, receiver_lookups, failed_tokens }, export_patience }
}

/// The tokens that the arguments accept.
pub fn auth_config(args: &KeyArgs) -> AuthConfig {
    AuthConfig {
        issuer: args.claims.issuer.clone(),
        audience: args.claims.audience.clone(),
        jwks_file: args.jwks_file.clone(),
        jwks_url: args.jwks_url.clone(),
        hs256_secret: args.hs256_secret.clone(),
        development_key: None,
        leeway: LEEWAY,
    }
}

impl KeyArgs {
    fn is_empty(&self) -> bool {
        self.jwks_file.is_none() && self.jwks_url.is_none() && self.hs256_secret.is_none()
    }
}

const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const COMMANDS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

//! One private cluster for the run, and a database for each test, cloned from a migrated and seeded template.

use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

use accrue::domain::program::{Program, ProgramDocument};
use accrue::ledger::{Mode, setup};
use accrue::postgres::clock::Clock;
use accrue::postgres::cluster::{Cluster, ClusterConfig, Durability};
use accrue::postgres::{connect, migrate};
use accrue::read::verify::{self, NotVerified};
use diesel::PgConnection;
use diesel::connection::SimpleConnection;

use super::{PROGRAM, instant, scratch, sql};

/// How many journals members are spread over in tests.
const JOURNALS: i16 = 2;

/// The database that those of tests are cloned from.
const TEMPLATE: &str = "accrue_template";

/// A database of the run's cluster. It goes away with its last clone.
#[derive(Clone)]
pub struct Database(Arc<Name>);

enum Name {
    /// A database of the run's cluster, which goes away with its last clone.
    Cloned(String),
    /// A database of another cluster: the service's URL and the owner's.
    Elsewhere(String, String),
}

impl Database {
    /// A production database with the programme of the tests and nothing else.
    pub fn new() -> Self {
        Self::clone_of(TEMPLATE)
    }

    /// The same as a sandbox.
    pub fn sandbox() -> Self {
        const SANDBOX: &str = "accrue_sandbox_template";
        static MADE: Once = Once::new();
        MADE.call_once(|| with_cluster(|cluster| prepare(cluster, SANDBOX, Mode::Sandbox)));
        Self::clone_of(SANDBOX)
    }

    /// A database without anything in it, for migrations one by one.
    pub fn empty() -> Self {
        Self::clone_of("template1")
    }

    fn clone_of(template: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        with_cluster(|cluster| {
            let mut admin = connect::plain(&cluster.owner_url("postgres")).expect("the cluster answers");
            let clone = format!("CREATE DATABASE {name} TEMPLATE {template}");
            admin.batch_execute(&clone).expect("the template can be cloned");
        });
        Self(Arc::new(Name::Cloned(name)))
    }

    /// A database as [`Self::new`] makes it, on a cluster of the test's own.
    pub fn on(cluster: &Cluster) -> Self {
        const NAME: &str = "shop";
        prepare(cluster, NAME, Mode::Production);
        Self(Arc::new(Name::Elsewhere(cluster.service_url(NAME), cluster.owner_url(NAME))))
    }

    /// The service's URL.
    pub fn service_url(&self) -> String {
        match &*self.0 {
            Name::Cloned(name) => with_cluster(|cluster| cluster.service_url(name)),
            Name::Elsewhere(service, _) => service.clone(),
        }
    }

    /// The owner's URL.
    pub fn owner_url(&self) -> String {
        match &*self.0 {
            Name::Cloned(name) => with_cluster(|cluster| cluster.owner_url(name)),
            Name::Elsewhere(_, owner) => owner.clone(),
        }
    }

    /// A connection as the owner.
    pub fn owner(&self) -> PgConnection {
        connect::plain(&self.owner_url()).expect("the database answers")
    }

    /// A connection as the service.
    pub fn service(&self) -> PgConnection {
        connect::plain(&self.service_url()).expect("the database answers")
    }

    /// Checks the ledger: invariants 1, 2, 3, 6 and 7 over all that was done in it.
    pub fn audit(&self) {
        self.audit_with(|_| Ok(()));
    }

    /// The same, and something more.
    pub fn audit_with(&self, more: impl FnOnce(&mut PgConnection) -> Result<(), NotVerified>) {
        let mut service = self.service();
        let verified = verify::database(&mut service, |_| {}).and_then(|_| more(&mut service));
        verified.unwrap_or_else(|wrong| panic!("the ledger is wrong: {wrong}"));
        self.check_append_only(&mut service);
    }

    // Invariant 1: neither the service nor the owner can change what is written.
    fn check_append_only(&self, service: &mut PgConnection) {
        let mut owner = self.owner();
        for table in ["entry", "further_posting", "program_version"] {
            for change in [
                format!("UPDATE {table} SET journal = journal"),
                format!("DELETE FROM {table}"),
                format!("TRUNCATE {table}"),
            ] {
                assert!(service.batch_execute(&change).is_err(), "the service could: {change}");
                assert!(owner.batch_execute(&change).is_err(), "the owner could: {change}");
            }
        }
    }
}

/// The heads of all journals, locked: every lane waits until this is dropped.
pub struct HeldHeads(PgConnection);

impl Drop for HeldHeads {
    fn drop(&mut self) {
        // Not rolled back: what is rolled back counts as undone. A lost connection has let them go already.
        let _ = self.0.batch_execute("COMMIT");
    }
}

impl Database {
    /// Locks every journal's head.
    pub fn hold_heads(&self) -> HeldHeads {
        let mut owner = self.owner();
        owner.batch_execute("BEGIN; SELECT FROM journal ORDER BY id FOR UPDATE").expect("the heads are free");
        HeldHeads(owner)
    }

    /// How many transactions the services on it have rolled back; they must have been stopped. A batch that waits for the
    /// head finds everything as it must be: only one that did not wait is undone, because its numbers are taken.
    pub fn undone(&self) -> i64 {
        let mut owner = self.owner();
        let still_there = "SELECT count(*) FROM pg_stat_activity
                           WHERE datname = current_database() AND usename = 'accrue'";
        for _ in 0..1_000 {
            if sql::number(&mut owner, still_there) == 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let rolled_back = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(sql::number(&mut owner, still_there), 0, "the services were not stopped");
        sql::number(&mut owner, rolled_back)
    }

    /// Ends every connection of the service, as an administrator or a failing machine might.
    pub fn end_backends(&self) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND usename = 'accrue'";
        self.owner().batch_execute(end).expect("a superuser may");
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let Name::Cloned(name) = self else { return };
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        with_cluster(|cluster| {
            // A database that is left over goes with the next run's cluster.
            if let Ok(mut admin) = connect::plain(&cluster.owner_url("postgres")) {
                let _ = admin.batch_execute(&drop);
            }
        });
    }
}

fn with_cluster<T>(work: impl FnOnce(&Cluster) -> T) -> T {
    static CLUSTER: OnceLock<Mutex<Option<Cluster>>> = OnceLock::new();
    let cluster = CLUSTER.get_or_init(|| {
        extern "C" fn stop() {
            if let Some(cluster) = CLUSTER.get() {
                drop(cluster.lock().unwrap_or_else(PoisonError::into_inner).take());
                let _ = std::fs::remove_dir_all(data_dir());
            }
        }
        // SAFETY: the handler unwinds nowhere and touches only a static that is never freed.
        #[expect(unsafe_code, reason = "the test harness has no end to hook into but the process's")]
        let registered = unsafe { libc::atexit(stop) };
        assert_eq!(registered, 0, "the cluster can be stopped at the end");
        Mutex::new(Some(start()))
    });
    let cluster = cluster.lock().unwrap_or_else(PoisonError::into_inner);
    work(cluster.as_ref().expect("no test runs after the last one"))
}

// One for each run, so that two runs at once do not meet.
fn data_dir() -> PathBuf {
    scratch().join(format!("cluster-{}", process::id()))
}

fn start() -> Cluster {
    let data_dir = data_dir();
    let config = ClusterConfig { data_dir, durability: Durability::None, binaries: None };
    // A run that was killed leaves its Postgres behind; later that would remove the socket of this run's.
    let folders = std::fs::read_dir(&config.data_dir).into_iter().flatten().flatten();
    if folders.into_iter().any(|folder| folder.path().join("postmaster.pid").exists()) {
        drop(Cluster::start(&config));
    }
    let _ = std::fs::remove_dir_all(&config.data_dir);
    let cluster = Cluster::start(&config).expect("a private cluster starts");
    prepare(&cluster, TEMPLATE, Mode::Production);
    cluster
}

// A migrated database with the programme of the tests.
fn prepare(cluster: &Cluster, name: &str, mode: Mode) {
    cluster.ensure_database(name).expect("a database can be made");
    let mut owner = connect::plain(&cluster.owner_url(name)).expect("the database answers");
    migrate::run(&mut owner).expect("the migrations run");
    setup::initialise(&mut owner, Some(mode), JOURNALS, None).expect("the journals are made");
    let document = ProgramDocument::from_toml(PROGRAM).expect("the programme is right");
    let program = Arc::new(Program::compile(&document).expect("the programme is right"));
    // Tests with a stopped clock may stand anywhere after this.
    let clock = Clock::stopped_at(instant("2000-01-01T00:00:00Z"));
    let mut service = connect::plain(&cluster.service_url(name)).expect("the database answers");
    setup::seed(&mut service, &program, &clock).expect("the programme is published");
}

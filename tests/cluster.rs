//! Real private clusters, each in a folder of its own below `/tmp`.

mod commands;
mod folders;
mod leftovers;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use accrue::postgres::cluster::{Access, Cluster, ClusterConfig, ClusterError, Durability, resolve_data_dir};
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::wait_for;

#[test]
fn both_roles_connect_and_the_service_role_cannot_create_tables() {
    let place = Place::new();
    let cluster = place.start();
    cluster.ensure_database("shop").unwrap();
    cluster.ensure_database("shop").unwrap();

    let mut owner = connect(&cluster.owner_url("shop"));
    assert_eq!(text(&mut owner, "SELECT current_user::text AS value"), "accrue_owner");
    owner.batch_execute("CREATE TABLE public.entry (id int)").unwrap();
    owner.batch_execute("GRANT SELECT ON public.entry TO accrue_service").unwrap();

    let mut service = connect(&cluster.service_url("shop"));
    assert_eq!(text(&mut service, "SELECT current_user::text AS value"), "accrue");
    let member = "SELECT pg_has_role('accrue', 'accrue_service', 'USAGE')::text AS value";
    assert_eq!(text(&mut service, member), "true");
    assert_eq!(text(&mut service, "SELECT count(*)::text AS value FROM public.entry"), "0");
    for forbidden in ["CREATE TABLE public.mine (id int)", "CREATE SCHEMA mine", "CREATE ROLE mine"] {
        let refusal = service.batch_execute(forbidden).unwrap_err().to_string();
        assert!(refusal.contains("permission denied"), "{forbidden}: {refusal}");
    }
    drop(service);

    let login = "SELECT rolcanlogin::text AS value FROM pg_roles WHERE rolname = 'accrue_service'";
    assert_eq!(text(&mut owner, login), "false");
    assert!(matches!(cluster.ensure_database("Shop\""), Err(ClusterError::InvalidDatabaseName { .. })));
}

#[test]
fn a_full_cluster_is_durable_and_keeps_members_out_of_its_log() {
    let place = Place::new();
    let cluster = Cluster::start(&ClusterConfig { durability: Durability::Full, ..place.config() }).unwrap();
    let mut owner = connect(&cluster.owner_url("postgres"));
    for (setting, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("wal_compression", "lz4"),
        ("max_connections", "100"),
        ("log_error_verbosity", "terse"),
        ("server_encoding", "UTF8"),
    ] {
        let sql = format!("SELECT current_setting('{setting}') AS value");
        assert_eq!(text(&mut owner, &sql), value, "{setting}");
    }

    owner.batch_execute("CREATE TABLE member (email text UNIQUE)").unwrap();
    let twice = "INSERT INTO member VALUES ('ann@example.com'), ('ann@example.com')";
    owner.batch_execute(twice).unwrap_err();
    drop(owner);

    let log_file = cluster.log_file().to_owned();
    let (owner_url, service_url) = (cluster.owner_url("x"), cluster.service_url("x"));
    let shown = format!("{cluster:?}");
    cluster.stop().unwrap();
    let log = fs::read_to_string(log_file).unwrap();
    assert!(log.contains("duplicate key value"), "{log}");
    assert!(!log.contains("ann@example.com"), "{log}");
    for url in [owner_url, service_url] {
        let password = url.split([':', '@']).nth(2).unwrap();
        assert_eq!(password.len(), 64);
        assert!(!log.contains(password));
        assert!(!shown.contains(password));
    }
}

#[test]
fn data_survive_a_stop_and_a_second_start() {
    let place = Place::new();
    let began = Instant::now();
    let cluster = place.start();
    println!("first start took {:?}", began.elapsed());
    let pid = cluster.postmaster_pid();
    write_mark(&cluster);
    let url = cluster.owner_url("postgres");
    cluster.stop().unwrap();
    assert!(!is_alive(pid));
    assert!(PgConnection::establish(&url).is_err());

    let began = Instant::now();
    let cluster = place.start();
    println!("second start took {:?}", began.elapsed());
    assert_eq!(cluster.owner_url("postgres"), url);
    assert_has_mark(&cluster);

    let pid = cluster.postmaster_pid();
    drop(cluster);
    assert!(!is_alive(pid));
}

#[test]
fn the_terminal_cannot_interrupt_postgres() {
    let place = Place::new();
    let cluster = place.start();
    let postmaster = pid(cluster.postmaster_pid());
    assert_eq!(rustix::process::getpgid(Some(postmaster)).unwrap(), postmaster);
}

#[test]
fn the_folders_are_no_more_open_than_needed() {
    let place = Place::new();
    let cluster = place.start();
    let meta = |name: &str| fs::metadata(cluster.data_dir().join(name)).unwrap();
    let mode = |name: &str| meta(name).permissions().mode() & 0o777;
    let postgres = format!("postgres-{}", cluster.major_version());
    assert_eq!(mode("secrets"), 0o700);
    assert_eq!(mode("secrets/owner-password"), 0o600);
    assert_eq!(mode("secrets/service-password"), 0o600);
    assert_eq!(mode("socket"), 0o700);
    assert_eq!(mode(&postgres), 0o700);
    assert_eq!(mode(&format!("{postgres}.log")), 0o600);
    if is_root() {
        assert_eq!(mode(""), 0o711);
        assert_ne!(meta(&postgres).uid(), 0);
        assert_ne!(meta("socket").uid(), 0);
        for ours in ["", "secrets", "secrets/owner-password", "lock"] {
            assert_eq!(meta(ours).uid(), 0, "{ours}");
        }
    }
    let left: Vec<_> = names(cluster.data_dir()).filter(|name| name.contains("unfinished")).collect();
    assert_eq!(left, Vec::<String>::new());
}

/// Not a test: the service that other tests run as a process of its own and kill.
#[test]
#[ignore = "started by other tests"]
fn service() {
    let data_dir = PathBuf::from(std::env::var_os("TEST_DATA_DIR").expect("set by the test that starts this"));
    let config = ClusterConfig { data_dir, durability: Durability::Full, binaries: None };
    let cluster = Cluster::start(&config).unwrap();
    write_mark(&cluster);
    println!("\npostmaster {}", cluster.postmaster_pid());
    thread::sleep(Duration::from_secs(60));
}

/// A folder of one test, with the data folder in it.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = PathBuf::from(format!("/tmp/accrue-test-{:08x}", rand::random::<u32>()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    fn data_dir(&self) -> PathBuf {
        self.0.join("data")
    }

    fn config(&self) -> ClusterConfig {
        ClusterConfig { data_dir: self.data_dir(), durability: Durability::None, binaries: None }
    }

    fn start(&self) -> Cluster {
        Cluster::start(&self.config()).unwrap()
    }

    fn major(&self) -> u32 {
        let number = |name: String| name.strip_prefix("postgres-")?.parse().ok();
        names(&self.data_dir()).find_map(number).unwrap()
    }

    fn pid_file(&self) -> PathBuf {
        self.data_dir().join(format!("postgres-{}/postmaster.pid", self.major()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A service in a process of its own.
struct Service {
    process: Child,
    postmaster: u32,
}

impl Service {
    fn start(command: Command, data_dir: &Path) -> Self {
        let mut process = Self::command(command, data_dir);
        let output = BufReader::new(process.stdout.take().unwrap());
        let postmaster = output
            .lines()
            .find_map(|line| line.unwrap().strip_prefix("postmaster ")?.parse().ok())
            .expect("the service should say its postmaster");
        Self { process, postmaster }
    }

    fn command(mut command: Command, data_dir: &Path) -> Child {
        command
            .args(["--exact", "cluster::service", "--ignored", "--nocapture"])
            .env("TEST_DATA_DIR", data_dir)
            .current_dir("/")
            .stdout(Stdio::piped());
        // A copy of the binary is busy for as long as a process that another thread has just forked still holds it open
        // for writing.
        loop {
            match command.spawn() {
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::sleep(Duration::from_millis(10)),
                started => return started.unwrap(),
            }
        }
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    value: String,
}

fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap()
}

fn text(connection: &mut PgConnection, sql: &str) -> String {
    sql_query(sql).get_result::<Row>(connection).unwrap().value
}

fn write_mark(cluster: &Cluster) {
    let sql = "CREATE TABLE IF NOT EXISTS mark AS SELECT 'here' AS value";
    connect(&cluster.owner_url("postgres")).batch_execute(sql).unwrap();
}

fn assert_both_roles_connect(access: &Access) {
    access.ensure_database("shop").unwrap();
    for (url, role) in [(access.owner_url("shop"), "accrue_owner"), (access.service_url("shop"), "accrue")] {
        assert_eq!(text(&mut connect(&url), "SELECT current_user::text AS value"), role);
    }
}

fn assert_has_mark(cluster: &Cluster) {
    let mut owner = connect(&cluster.owner_url("postgres"));
    assert_eq!(text(&mut owner, "SELECT value FROM mark"), "here");
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// Whether a process runs; one that has ended and was not waited for does not.
fn is_alive(number: u32) -> bool {
    let runs = || fs::read(format!("/proc/{number}/cmdline")).is_ok_and(|command| !command.is_empty());
    test_kill_process(pid(number)).is_ok() && (runs() || !Path::new("/proc/self").exists())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

//! Real private clusters, each in a folder of its own below `/tmp`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use accrue::postgres::cluster::{Access, Cluster, ClusterConfig, ClusterError, Durability, resolve_data_dir};
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

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

#[test]
fn a_cluster_left_by_a_killed_service_is_stopped_and_started_again() {
    let place = Place::new();
    let mut service = Service::start(Command::new(std::env::current_exe().unwrap()), &place.data_dir());
    service.process.kill().unwrap();
    service.process.wait().unwrap();
    assert!(is_alive(service.postmaster), "Postgres should outlive its service");

    let cluster = place.start();
    assert_ne!(cluster.postmaster_pid(), service.postmaster);
    assert!(!is_alive(service.postmaster));
    assert_has_mark(&cluster);
}

#[test]
fn a_service_killed_while_postgres_starts_leaves_nothing_that_blocks() {
    let place = Place::new();
    place.start().stop().unwrap();
    for delay in [5, 20, 40, 60, 90] {
        let mut process = Service::command(Command::new(std::env::current_exe().unwrap()), &place.data_dir());
        std::thread::sleep(Duration::from_millis(delay));
        process.kill().unwrap();
        process.wait().unwrap();
        connect(&place.start().owner_url("postgres"));
    }
}

#[test]
fn a_service_killed_while_initdb_runs_leaves_no_half_cluster() {
    let place = Place::new();
    let mut process = Service::command(Command::new(std::env::current_exe().unwrap()), &place.data_dir());
    wait_for(|| names(&place.data_dir()).any(|name| name.contains("unfinished-password")));
    process.kill().unwrap();
    process.wait().unwrap();
    let cluster = place.start();
    connect(&cluster.owner_url("postgres"));
    cluster.stop().unwrap();
    place.start().stop().unwrap();
    assert!(!names(&place.data_dir()).any(|name| name.contains("unfinished")));
}

#[test]
fn a_killed_postmaster_recovers_at_the_next_start() {
    let place = Place::new();
    let cluster = Cluster::start(&ClusterConfig { durability: Durability::Full, ..place.config() }).unwrap();
    write_mark(&cluster);
    kill_process(pid(cluster.postmaster_pid()), Signal::KILL).unwrap();
    drop(cluster);
    assert!(place.pid_file().exists());

    let cluster = place.start();
    assert_has_mark(&cluster);
    assert!(fs::read_to_string(cluster.log_file()).unwrap().contains("not properly shut down"));
}

#[test]
fn the_backends_of_a_killed_postmaster_are_waited_for() {
    let place = Place::new();
    let cluster = place.start();
    let mut busy = connect(&cluster.owner_url("postgres"));
    // A backend that computes does not notice for a while that its postmaster is gone.
    let work = std::thread::spawn(move || {
        busy.batch_execute("SELECT count(*) FROM generate_series(1, 12000000) a WHERE a % 7 = 3")
    });
    std::thread::sleep(Duration::from_millis(100));
    kill_process(pid(cluster.postmaster_pid()), Signal::KILL).unwrap();
    drop(cluster);
    let began = Instant::now();
    let cluster = place.start();
    println!("start beside a busy backend took {:?}", began.elapsed());
    connect(&cluster.owner_url("postgres"));
    let _ = work.join().unwrap();
}

#[test]
fn a_stale_pid_file_does_not_block_whatever_its_process_is_now() {
    let place = Place::new();
    place.start().stop().unwrap();
    let stopped = format!("postgres-{}", place.major());
    let files = place.data_dir().join(stopped);
    // Another program of the very user that runs Postgres, which Postgres by itself takes for a postmaster.
    let mut sleeper = Command::new("sleep");
    sleeper.arg("60").current_dir("/");
    if is_root() {
        let owner = fs::metadata(&files).unwrap();
        sleeper.uid(owner.uid()).gid(owner.gid());
    }
    let mut sleeper = sleeper.spawn().unwrap();
    let recycled = format!("{}\n{}\n1700000000\n5432\n/x\n\n  5432001 1\nready   \n", sleeper.id(), files.display());
    for content in [recycled.as_str(), "4194303\n", "", "nonsense\n"] {
        fs::write(place.pid_file(), content).unwrap();
        fs::write(place.data_dir().join("socket/.s.PGSQL.5432.lock"), content).unwrap();
        if is_root() {
            let owner = fs::metadata(&files).unwrap();
            std::os::unix::fs::chown(place.pid_file(), Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        let began = Instant::now();
        let cluster = place.start();
        assert!(began.elapsed() < Duration::from_secs(5), "{content:?} took {:?}", began.elapsed());
        connect(&cluster.owner_url("postgres"));
    }
    assert!(sleeper.try_wait().unwrap().is_none(), "the other program must be left alone");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn a_second_start_on_one_folder_is_refused() {
    let place = Place::new();
    let cluster = place.start();
    let error = Cluster::start(&place.config()).unwrap_err();
    assert!(matches!(error, ClusterError::Locked { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("in use by another running service"), "{message}");
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    connect(&cluster.owner_url("postgres"));
    cluster.stop().unwrap();
    place.start();
}

#[test]
fn missing_binaries_are_reported_with_the_command_that_installs_them() {
    let place = Place::new();
    let empty = place.0.join("empty");
    fs::create_dir(&empty).unwrap();
    let error = Cluster::start(&ClusterConfig { binaries: Some(empty), ..place.config() }).unwrap_err();
    assert!(matches!(error, ClusterError::BinariesMissing { .. }), "{error:?}");
    for part in ["empty", "apt-get install postgresql", "dnf install", "brew install"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_folder_of_another_major_version_is_not_started_empty() {
    let place = Place::new();
    let other = place.data_dir().join("postgres-14");
    fs::create_dir_all(&other).unwrap();
    fs::set_permissions(place.data_dir(), fs::Permissions::from_mode(0o711)).unwrap();
    fs::write(other.join("PG_VERSION"), "14\n").unwrap();
    let error = Cluster::start(&place.config()).unwrap_err();
    assert!(matches!(error, ClusterError::OtherMajorVersion { .. }), "{error:?}");
    assert!(error.to_string().contains("holds a cluster of PostgreSQL 14"), "{error}");
}

#[test]
fn a_lost_owner_password_is_not_replaced() {
    let place = Place::new();
    place.start().stop().unwrap();
    fs::remove_file(place.data_dir().join("secrets/owner-password")).unwrap();
    let error = Cluster::start(&place.config()).unwrap_err();
    assert!(matches!(error, ClusterError::SecretMissing { .. }), "{error:?}");
}

#[test]
fn a_cluster_that_cannot_start_shows_the_end_of_its_log() {
    let place = Place::new();
    place.start().stop().unwrap();
    fs::remove_file(place.pid_file().with_file_name("global").join("pg_control")).unwrap();
    let error = Cluster::start(&place.config()).unwrap_err();
    assert!(matches!(error, ClusterError::Exited { .. }), "{error:?}");
    assert!(error.to_string().contains("pg_control"), "{error}");
}

#[test]
fn a_long_log_is_set_aside() {
    let place = Place::new();
    let log = place.start().log_file().to_owned();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len((16 << 20) + 1).unwrap();
    place.start();
    assert!(fs::metadata(&log).unwrap().len() < 1 << 20);
    assert!(fs::metadata(log.with_extension("log.old")).unwrap().len() > 16 << 20);
}

#[test]
fn a_data_folder_with_a_long_or_odd_path_has_its_socket_elsewhere() {
    let place = Place::new();
    for name in ["a,b c'\"é".to_owned(), "n".repeat(100)] {
        let data_dir = place.0.join(name);
        let config = ClusterConfig { data_dir: data_dir.clone(), ..place.config() };
        let cluster = Cluster::start(&config).unwrap();
        let mut owner = connect(&cluster.owner_url("postgres"));
        let sockets = text(&mut owner, "SELECT current_setting('unix_socket_directories') AS value");
        assert!(sockets.starts_with("/tmp/accrue-"), "{sockets}");
        drop(owner);
        cluster.stop().unwrap();
        let cluster = Cluster::start(&config).unwrap();
        connect(&cluster.owner_url("postgres"));
        drop(cluster);
        fs::remove_dir_all(sockets).unwrap();
    }
}

#[test]
fn a_data_folder_that_the_server_user_cannot_enter_is_relocated() {
    let place = Place::new();
    let closed = place.0.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let wanted = closed.join("data");
    let resolved = resolve_data_dir(&wanted).unwrap();
    if !is_root() {
        assert_eq!(resolved, wanted);
        return;
    }
    assert!(resolved.starts_with("/var/lib/accrue"), "{resolved:?}");
    assert_eq!(resolve_data_dir(&closed.join("x/../data")).unwrap(), resolved);
    assert_eq!(resolve_data_dir(&resolved).unwrap(), resolved);
    assert_ne!(resolve_data_dir(&closed.join("other")).unwrap(), resolved);

    let config = ClusterConfig { data_dir: wanted.clone(), ..place.config() };
    let cluster = Cluster::start(&config).unwrap();
    assert_eq!(cluster.data_dir(), resolved);
    write_mark(&cluster);
    cluster.stop().unwrap();
    assert!(!wanted.exists());

    // Opened up later, the wanted folder is still empty: the data stay where they are.
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(resolve_data_dir(&wanted).unwrap(), resolved);
    assert_has_mark(&Cluster::start(&config).unwrap());
    fs::remove_dir_all(resolved).unwrap();
}

#[test]
fn a_cluster_whose_folder_was_closed_is_an_error_and_not_an_empty_one() {
    let place = Place::new();
    place.start().stop().unwrap();
    if !is_root() {
        return;
    }
    fs::set_permissions(place.data_dir(), fs::Permissions::from_mode(0o700)).unwrap();
    let error = Cluster::start(&place.config()).unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error:?}");
}

#[test]
fn a_plain_user_runs_a_cluster_and_root_goes_on_with_it_as_that_user() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let (nobody, program) = (65534, place.0.join("program"));
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let open = place.0.join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let data_dir = open.join("data");

    let mut command = Command::new(program);
    command.uid(nobody).gid(nobody);
    let mut service = Service::start(command, &data_dir);
    let config = ClusterConfig { data_dir: data_dir.clone(), ..place.config() };
    let access = Access::open(&config).unwrap();
    assert!(access.is_shared());
    assert_both_roles_connect(&access);
    assert_eq!(fs::metadata(&data_dir).unwrap().uid(), nobody);
    assert_eq!(fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o700);
    service.process.kill().unwrap();
    service.process.wait().unwrap();

    let cluster = Cluster::start(&config).unwrap();
    assert!(!is_alive(service.postmaster));
    assert_eq!(cluster.data_dir(), data_dir);
    assert_has_mark(&cluster);
}

#[test]
fn a_command_uses_the_cluster_of_a_running_service() {
    let place = Place::new();
    let mut service = Service::start(Command::new(std::env::current_exe().unwrap()), &place.data_dir());
    // Nothing of what it takes to start a cluster is needed.
    let config = ClusterConfig { binaries: Some("/nowhere".into()), ..place.config() };
    let began = Instant::now();
    let access = Access::open(&config).unwrap();
    println!("attaching took {:?}", began.elapsed());
    assert!(access.is_shared());
    assert_eq!(access.data_dir(), place.data_dir());
    assert_both_roles_connect(&access);
    let mut owner = connect(&access.owner_url("postgres"));
    assert_eq!(text(&mut owner, "SELECT value FROM mark"), "here");
    let url = access.owner_url("shop");
    let shown = format!("{access:?}");
    assert!(!shown.contains(url.split([':', '@']).nth(2).unwrap()));
    access.stop().unwrap();
    drop(Access::open(&config).unwrap());

    assert_eq!(text(&mut owner, "SELECT value FROM mark"), "here");
    connect(&url);
    assert!(is_alive(service.postmaster));
    assert!(service.process.try_wait().unwrap().is_none());
    let error = Cluster::start(&place.config()).unwrap_err();
    assert!(matches!(error, ClusterError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("process {}", service.process.id())), "{error}");
    drop(owner);
    service.process.kill().unwrap();
    service.process.wait().unwrap();
    place.start();
}

#[test]
fn a_command_without_a_service_runs_the_cluster_and_lets_other_commands_use_it() {
    let place = Place::new();
    let first = Access::open(&place.config()).unwrap();
    assert!(!first.is_shared());
    assert_both_roles_connect(&first);
    let error = Cluster::start(&place.config()).unwrap_err();
    assert!(matches!(error, ClusterError::Locked { .. }), "{error:?}");

    let second = Access::open(&place.config()).unwrap();
    assert!(second.is_shared());
    assert_eq!(second.owner_url("shop"), first.owner_url("shop"));
    assert_eq!(second.service_url("shop"), first.service_url("shop"));
    assert_both_roles_connect(&second);
    first.stop().unwrap();
    assert!(PgConnection::establish(&second.owner_url("shop")).is_err());
    second.stop().unwrap();

    let third = Access::open(&place.config()).unwrap();
    assert!(!third.is_shared());
    let url = third.owner_url("shop");
    connect(&url);
    drop(third);
    assert!(PgConnection::establish(&url).is_err());
    place.start();
}

#[test]
fn a_command_takes_over_what_a_killed_service_left() {
    let place = Place::new();
    let mut service = Service::start(Command::new(std::env::current_exe().unwrap()), &place.data_dir());
    service.process.kill().unwrap();
    service.process.wait().unwrap();
    assert!(is_alive(service.postmaster), "Postgres should outlive its service");

    let access = Access::open(&place.config()).unwrap();
    assert!(!access.is_shared());
    assert!(!is_alive(service.postmaster));
    let url = access.owner_url("postgres");
    assert_eq!(text(&mut connect(&url), "SELECT value FROM mark"), "here");
    access.stop().unwrap();
    assert!(PgConnection::establish(&url).is_err());
}

#[test]
fn a_command_waits_for_a_service_that_starts_beside_what_a_killed_one_left() {
    let place = Place::new();
    let mut killed = Service::start(Command::new(std::env::current_exe().unwrap()), &place.data_dir());
    killed.process.kill().unwrap();
    killed.process.wait().unwrap();
    // Postgres of the killed service answers, and the lock says so, until the next service has got that far.
    let mut process = Service::command(Command::new(std::env::current_exe().unwrap()), &place.data_dir());
    let lock = place.data_dir().join("lock");
    let holder = format!("{}\n", process.id());
    wait_for(|| fs::read_to_string(&lock).unwrap() == holder);
    let access = Access::open(&place.config()).unwrap();
    assert!(access.is_shared());
    assert!(!is_alive(killed.postmaster));
    assert_both_roles_connect(&access);
    process.kill().unwrap();
    process.wait().unwrap();
    place.start();
}

#[test]
fn a_command_starts_the_cluster_if_the_service_it_waits_for_ends() {
    let place = Place::new();
    let mut process = Service::command(Command::new(std::env::current_exe().unwrap()), &place.data_dir());
    wait_for(|| names(&place.data_dir()).any(|name| name.contains("unfinished-password")));
    let config = place.config();
    let waiting = std::thread::spawn(move || Access::open(&config));
    std::thread::sleep(Duration::from_millis(100));
    process.kill().unwrap();
    process.wait().unwrap();
    let access = waiting.join().unwrap().unwrap();
    assert!(!access.is_shared());
    assert_both_roles_connect(&access);
}

#[test]
fn a_command_does_not_wait_forever_for_a_service_whose_postgres_has_died() {
    let place = Place::new();
    let mut cluster = place.start();
    assert!(!cluster.has_exited());
    kill_process(pid(cluster.postmaster_pid()), Signal::KILL).unwrap();
    wait_for(|| cluster.has_exited());
    let began = Instant::now();
    let error = Access::open(&place.config()).unwrap_err();
    assert!(matches!(error, ClusterError::Connect(_)), "{error:?}");
    println!("{error}: {}", std::error::Error::source(&error).unwrap());
    assert!((9..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    cluster.stop().unwrap();
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
    std::thread::sleep(Duration::from_secs(60));
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
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
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

fn wait_for(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
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

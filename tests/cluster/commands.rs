//! Commands beside a service, and without one.

use super::*;

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
    wait_for("the next service to hold the lock", || fs::read_to_string(&lock).unwrap() == holder);
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
    wait_for("initdb to begin", || names(&place.data_dir()).any(|name| name.contains("unfinished-password")));
    let config = place.config();
    let waiting = thread::spawn(move || Access::open(&config));
    thread::sleep(Duration::from_millis(100));
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
    wait_for("the end of Postgres", || cluster.has_exited());
    let error = Access::open(&place.config()).unwrap_err();
    assert!(matches!(error, ClusterError::Connect(_)), "{error:?}");
    println!("{error}: {}", std::error::Error::source(&error).unwrap());
    cluster.stop().unwrap();
}

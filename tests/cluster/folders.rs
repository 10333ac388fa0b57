//! Folders that cannot be used, or must not be, and what is said of them.

use super::*;

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

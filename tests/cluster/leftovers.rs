//! What a killed service or a killed Postgres leaves behind does not stand in the way of the next start.

use super::*;

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
        thread::sleep(Duration::from_millis(delay));
        process.kill().unwrap();
        process.wait().unwrap();
        connect(&place.start().owner_url("postgres"));
    }
}

#[test]
fn a_service_killed_while_initdb_runs_leaves_no_half_cluster() {
    let place = Place::new();
    let mut process = Service::command(Command::new(std::env::current_exe().unwrap()), &place.data_dir());
    wait_for("initdb to begin", || names(&place.data_dir()).any(|name| name.contains("unfinished-password")));
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
    let work = thread::spawn(move || {
        busy.batch_execute("SELECT count(*) FROM generate_series(1, 12000000) a WHERE a % 7 = 3")
    });
    thread::sleep(Duration::from_millis(100));
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
        let cluster = place.start();
        connect(&cluster.owner_url("postgres"));
    }
    assert!(sleeper.try_wait().unwrap().is_none(), "the other program is left alone, and its end is not waited for");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

//! Peers that open connections and say no more, or listen no more: each connection ends, and others are answered.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use accrue::http::Bounds;
use accrue::http::access::all_scopes;
use diesel::connection::SimpleConnection;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::support::{App, Client, NOON, PROGRAM, Place, Raw, Running, Serving, Stderr, sql, token, wait_for};

/// How many readers the service has that [`serve`] starts.
const READERS: i64 = 16;

const LIVEZ: &[u8] = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

// A request whose body does not come to its end.
fn begun(request: &str, authorization: Option<&str>) -> Vec<u8> {
    let authorization = authorization.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("{request} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{authorization}").into_bytes()
}

fn chunked(request: &str, authorization: Option<&str>) -> Vec<u8> {
    [&begun(request, authorization)[..], b"transfer-encoding: chunked\r\n\r\n"].concat()
}

fn sized(request: &str, authorization: Option<&str>) -> Vec<u8> {
    [&begun(request, authorization)[..], b"content-length: 100\r\n\r\n"].concat()
}

// What a peer sends first, and what it then sends again and again.
fn peers() -> Vec<(&'static str, Vec<u8>, &'static [u8])> {
    let operator = token("operator", &all_scopes().join(" "), None);
    let good = Some(operator.as_str());
    vec![
        ("nothing", Vec::new(), b""),
        ("half a head", b"GET /livez HTTP/1.1\r\nhost: x\r\n".to_vec(), b""),
        ("a dripped head", b"GET /livez HTTP/1.1\r\nx: ".to_vec(), b"x"),
        ("empty lines after an answer", LIVEZ.to_vec(), b"\r\n"),
        ("half a second head", [LIVEZ, b"GET /livez HTTP/1.1\r\n"].concat(), b""),
        ("half a third head", [LIVEZ, LIVEZ, b"G"].concat(), b""),
        ("a dripped second head", [LIVEZ, b"GET /livez HTTP/1.1\r\nx: "].concat(), b"x"),
        ("no body for what needs none", chunked("GET /livez", None), b""),
        ("no body of a length for what needs none", sized("GET /livez", None), b""),
        ("a dripped body for what needs none", chunked("GET /livez", None), b"1\r\nx\r\n"),
        ("a dripped size of a chunk", chunked("GET /livez", None), b"0"),
        ("no body behind a refused token", chunked("POST /v1/orders", Some("x")), b""),
        ("no body of a length behind a refused token", sized("POST /v1/orders", Some("x")), b""),
        ("a dripped body behind a refused token", chunked("POST /v1/orders", Some("x")), b"1\r\nx\r\n"),
        ("no body at no address", chunked("POST /v2", None), b""),
        ("no body for another method", chunked("DELETE /livez", None), b""),
        ("no body, and 408", chunked("POST /v1/orders", good), b""),
        ("no body of a length, and 408", sized("POST /v1/orders", good), b""),
        ("a dripped body, and 408", chunked("POST /v1/orders", good), b"1\r\n \r\n"),
        ("a dripped body over a limit", chunked("PATCH /v1/members/me", good), b"1\r\n \r\n"),
    ]
}

#[test]
fn a_connection_ends_whatever_its_peer_leaves_out_or_drips() {
    // Longer than the test waits: half a request is not idleness.
    let (idle, arrival) = (Duration::from_secs(3_600), Duration::from_millis(500));
    let app = App::reached(Serving { bounds: Bounds { idle, arrival, ..Bounds::default() }, ..Serving::default() });
    thread::scope(|scope| {
        for (name, first, drip) in peers() {
            let mut connection = app.connect();
            scope.spawn(move || {
                println!("{name}");
                connection.send(&first);
                if !drip.is_empty() {
                    wait_for("nobody to take what is dripped", || !connection.send(drip));
                }
                connection.closed();
            });
        }
    });
}

#[test]
fn a_body_that_does_not_arrive_in_time_is_told_so() {
    let bounds = Bounds { arrival: Duration::from_millis(300), ..Bounds::default() };
    let app = App::reached(Serving { bounds, ..Serving::default() });
    let operator = token("operator", &all_scopes().join(" "), None);
    let mut connection = app.connect();
    connection.send(&chunked("POST /v1/orders", Some(&operator)));
    connection.answer().assert_problem(408, "body_timeout");
    connection.closed();
}

#[test]
fn a_connection_ends_when_its_peer_asks_no_more() {
    let bounds = Bounds { idle: Duration::from_millis(300), ..Bounds::default() };
    let app = App::reached(Serving { bounds, ..Serving::default() });
    let mut connection = app.connect();
    connection.send(LIVEZ);
    connection.closed();
}

#[test]
fn a_connection_ends_when_its_peer_takes_nothing_of_its_answers() {
    let bounds = Bounds { stalled: Duration::from_millis(300), ..Bounds::default() };
    let app = App::reached(Serving { bounds, ..Serving::default() });
    let mut connection = app.connect();
    let script = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n".repeat(16);
    wait_for("the connection to be closed", || !connection.send(&script));
}

#[test]
fn a_request_that_arrives_slowly_but_in_time_is_answered() {
    let app = App::start();
    let mut connection = app.connect();
    for byte in LIVEZ.iter().chain(LIVEZ) {
        assert!(connection.send(&[*byte]));
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!((connection.answer().status, connection.answer().status), (200, 200));
    // What was answered early can still be sent to its end, and another request after it.
    let mut connection = app.connect();
    connection.send(&chunked("GET /livez", None));
    assert_eq!(connection.answer().status, 200);
    connection.send(b"1\r\nx\r\n0\r\n\r\n");
    connection.send(LIVEZ);
    assert_eq!(connection.answer().status, 200);
}

// Opens `n` connections of all kinds, and keeps them.
fn flood(n: usize, open: impl Fn() -> Raw) -> Vec<Raw> {
    let kinds = peers();
    let open = |(_, first, _): &(_, Vec<u8>, _)| {
        let mut connection = open();
        connection.send(first);
        connection
    };
    kinds.iter().cycle().take(n).map(open).collect()
}

#[test]
fn a_flood_of_connections_locks_nobody_out() {
    files(4_096);
    // Nothing ends by itself while the test runs.
    let hour = Duration::from_secs(3_600);
    let bounds = Bounds { idle: hour, arrival: hour, stalled: hour };
    let app = App::reached(Serving { connections: 64, bounds, ..Serving::default() });
    let member = app.enrol("ana");
    let mut flooding = Vec::new();
    for n in 0..22 {
        flooding.extend(flood(50, || app.connect()));
        app.earn(&member, &format!("A-{n}"), NOON, "5");
        assert_eq!(app.client(None).get("/livez").status, 200);
    }
    assert_eq!(flooding.len(), 1_100);
}

#[test]
fn who_waits_for_a_body_gives_way_as_well() {
    files(4_096);
    let hour = Duration::from_secs(3_600);
    let bounds = Bounds { idle: hour, arrival: hour, stalled: hour };
    let app = App::reached(Serving { connections: 64, bounds, ..Serving::default() });
    let operator = token("operator", &all_scopes().join(" "), None);
    let mut request = begun("POST /v1/orders", Some(&operator));
    request.extend(b"transfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n");
    let waiting = |n: usize| {
        let mut connection = app.connect();
        connection.send(&request);
        // From here on its body is waited for.
        assert!(connection.some(64).starts_with(b"HTTP/1.1 100 "), "connection {n}");
        connection
    };
    let flooding: Vec<Raw> = (0..200).map(waiting).collect();
    assert_eq!(app.client(None).get("/livez").status, 200);
    drop(flooding);
}

#[test]
fn a_request_that_is_being_answered_does_not_give_way_to_a_flood() {
    files(4_096);
    let app = App::reached(Serving { connections: 64, ..Serving::default() });
    let member = app.enrol("ana");
    let (held, answered) = (app.database.hold_heads(), AtomicBool::new(false));
    thread::scope(|scope| {
        let asked = scope.spawn(|| {
            app.earn(&member, "A-1", NOON, "5");
            answered.store(true, Ordering::SeqCst);
        });
        let waits = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        wait_for("the order to wait for its head", || sql::number(&mut app.owner(), waits) > 0);
        let flooding = flood(200, || app.connect());
        assert!(!answered.load(Ordering::SeqCst));
        drop(held);
        asked.join().unwrap();
        drop(flooding);
    });
}

#[test]
fn connections_leave_the_database_its_descriptors() {
    files(4_096);
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let service = Running::start(Stderr::Read, with_files(&place.command(&serve(&program)), "-n 128"));
    let token = place.run(&["token", "--as", "operator"]).expect(0).out.trim().to_owned();
    let operator = || Client::new(service.base.clone(), Some(token.clone()));
    let address = service.base.trim_start_matches("http://").parse().unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let flooding = scope.spawn(|| keep_flooding(address, &over));
        let _over = Over(&over);
        let gave_way = "accrue_http_connections_cut_total{reason=\"gave_way\"}";
        wait_for("connections to give way", || operator().get("/metrics").text.contains(gave_way));
        let member = operator().post("/v1/members", &json!({ "external_id": "ana" }));
        assert_eq!(member.status, 201, "{member:?}");
        // Not the wallet, for which all who ask have one reader.
        let profile = format!("/v1/members/{}", member.body["id"].as_str().unwrap());
        // All readers at once: more descriptors than those that connections leave free by giving way.
        let [mut held, mut owner] = [(); 2].map(|()| place.owner().expect("the private cluster answers"));
        held.batch_execute("BEGIN; LOCK TABLE wallet").unwrap();
        thread::scope(|scope| {
            let reads: Vec<_> = (0..READERS).map(|_| scope.spawn(|| operator().get(&profile))).collect();
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            wait_for("every reader to wait", || sql::number(&mut owner, waiting) >= READERS);
            held.batch_execute("COMMIT").unwrap();
            for read in reads {
                let read = read.join().unwrap();
                assert_eq!(read.status, 200, "{read:?}");
            }
        });
        let export = operator().get("/v1/ledger/export");
        assert_eq!(export.status, 200, "{export:?}");
        assert_eq!(operator().get("/readyz").status, 200);
        assert!(!flooding.is_finished());
    });
    assert_eq!(service.terminate(), Some(0));
}

// Opens one connection after another, and keeps as many as the service could have descriptors, until it is over.
fn keep_flooding(address: SocketAddr, over: &AtomicBool) {
    let mut open = VecDeque::new();
    while !over.load(Ordering::SeqCst) {
        open.extend(TcpStream::connect_timeout(&address, Duration::from_millis(100)));
        if open.len() > 500 {
            open.pop_front();
        }
        thread::sleep(Duration::from_millis(2));
    }
}

// Ends the flood however the test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn too_few_descriptors_are_refused_at_start() {
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let output = with_files(&place.command(&serve(&program)), "-n 90").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("open files are too few"), "{said}");
}

#[test]
fn the_limit_on_open_files_is_raised_at_start_as_far_as_it_may_be() {
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let service = Running::start(Stderr::Read, with_files(&place.command(&serve(&program)), "-Sn 90"));
    assert_eq!(Client::new(service.base.clone(), None).get("/livez").status, 200);
}

// What is needed besides connections depends on the number of workers, and that on the machine unless it is given.
fn serve(program: &Path) -> [&str; 9] {
    let program = program.to_str().unwrap();
    ["serve", "--listen", "127.0.0.1:0", "--workers", "1", "--readers", "16", "--program", program]
}

// The command, with a limit on the files that it may open.
fn with_files(command: &Command, limit: &str) -> Command {
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit {limit}; exec \"$0\" \"$@\"")).arg(command.get_program());
    limited.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

// Lets the test itself open so many files.
fn files(wanted: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).expect("the limit can be raised");
    }
}

//! Reading a hot standby: what it shows, what it refuses, and how far it says that it is behind.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use accrue::http::access::all_scopes;
use accrue::http::table;
use accrue::postgres::clock::Clock;
use accrue::postgres::cluster::{Cluster, ClusterConfig, Durability};
use accrue::postgres::connect;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::connection::SimpleConnection;
use jsonwebtoken::{Algorithm, EncodingKey};
use rustix::process::Signal;
use serde_json::json;

use crate::support::{Answer, App, Client, Database, NOON, Place, Running, Stderr, signal, sql, wait_for};

const SECRET: &str = "a secret of the tests that is long enough";

#[test]
fn a_standby_is_read_checked_and_never_written() {
    let place = Place::new();
    let cluster = cluster(&place);
    let app = App::on(Database::on(&cluster), Clock::database(), |_| {});
    let id = app.enrol("ana");
    app.earn(&id, "A-1", NOON, "42.00");
    let standby = Standby::of(&place, &app.database);
    let (service, client) = read_only(&place, &standby.service_url);
    let wallet = format!("/v1/members/{id}/wallet");
    let earned = || client.get(&wallet).body["lifetime_earned"].clone();
    wait_for("what was written before", || earned() == 42);
    app.earn(&id, "A-2", NOON, "8.00");
    wait_for("what was written meanwhile", || earned() == 50);
    wait_for("the standby to catch up", || lag(&client.get(&wallet)) == Some(0.0));
    let ready = client.get("/readyz");
    assert_eq!((ready.status, &ready.body["ok"]), (200, &json!(true)), "{ready:?}");
    assert!(ready.body["replica_lag_seconds"].is_number(), "{ready:?}");
    assert!(!client.get("/livez").headers.contains_key("accrue-replica-lag"), "it reads nothing");
    assert_eq!(client.get("/v1/orders/none").code(), "order_not_found");
    assert!(lag(&client.get("/v1/orders/none")).is_some(), "what is not there may be there soon");

    let cart = json!({ "member_id": id, "currency": "USD", "amount": "20.00" });
    let quoted = client.post("/v1/quotes", &cart);
    assert_eq!((quoted.status, &quoted.body["earned"]["points"]), (200, &json!(20)), "{quoted:?}");
    assert!(lag(&quoted).is_some(), "it reads a wallet");

    let rows = app.rows();
    for row in table::calls().filter(|row| row.tag() != "sandbox") {
        let path = row.path.replace("{id}", &id);
        let answer = client.send(row.method(), &path, &[("idempotency-key", "k")], row.writes().then_some("{}"));
        if row.writes() {
            answer.assert_problem(503, "read_only");
            assert!(!answer.headers.contains_key("retry-after"), "it never heals: {answer:?}");
            // Who may not write is told that, here as elsewhere.
            let nobody = Client::new(service.base.clone(), None);
            nobody.send(row.method(), &path, &[], None).assert_problem(401, "token_missing");
        } else {
            assert!(answer.status < 500, "{row:?}: {answer:?}");
        }
    }
    assert_eq!(app.rows(), rows);

    let export = place.run(&["export", "--database-url", &standby.service_url]).expect(0).out;
    place.file("ledger.ndjson", &export);
    let verified = place.run(&["verify", "ledger.ndjson"]).expect(0).out;
    let database = place.run(&["verify", "--database-url", &standby.service_url]).expect(0).out;
    for said in [verified, database] {
        assert!(said.contains("right: "), "{said}");
    }
    assert_eq!(client.get("/v1/ledger/export").text, export, "over HTTP too");
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn a_standby_that_falls_behind_says_so() {
    let place = Place::new();
    let cluster = cluster(&place);
    let app = App::on(Database::on(&cluster), Clock::database(), |_| {});
    let id = app.enrol("ana");
    let standby = Standby::of(&place, &app.database);
    let (_service, client) = read_only(&place, &standby.service_url);
    let wallet = format!("/v1/members/{id}/wallet");
    wait_for("the standby to catch up", || lag(&client.get(&wallet)) == Some(0.0));
    let mut owner = connect::plain(&standby.owner_url).unwrap();
    owner.batch_execute("SELECT pg_wal_replay_pause()").unwrap();
    wait_for("the pause", || sql::text(&mut owner, "SELECT pg_get_wal_replay_pause_state()") == "paused");
    app.earn(&id, "A-1", NOON, "42.00");
    wait_for("a lag", || lag(&client.get(&wallet)).is_some_and(|lag| lag > 0.5));
    let behind = client.get(&wallet);
    assert_eq!((behind.status, &behind.body["lifetime_earned"]), (200, &json!(0)), "{behind:?}");
    let before = lag(&behind).unwrap();
    assert!(before < 60.0, "counted from long before: {before}");
    wait_for("a longer one", || client.get("/readyz").body["replica_lag_seconds"].as_f64() > Some(before));
    assert_eq!(client.get("/readyz").status, 200, "it is well all the same");
    owner.batch_execute("SELECT pg_wal_replay_resume()").unwrap();
    wait_for("the standby to catch up", || lag(&client.get(&wallet)) == Some(0.0));
    assert_eq!(client.get(&wallet).body["lifetime_earned"], 42);
}

#[test]
fn a_primary_may_be_served_to_be_read_alone() {
    let (place, database) = (Place::new(), Database::new());
    let (_service, client) = read_only(&place, &database.service_url());
    wait_for("the first look", || lag(&client.get("/v1/ledger/journals")) == Some(0.0));
    client.ask("/v1/members", &json!({ "external_id": "ana" })).assert_problem(503, "read_only");
    // Each lane has a queue, of which the metrics tell.
    assert!(!client.get("/metrics").text.contains("accrue_queued_commands"));
}

#[test]
fn what_would_write_is_refused_at_the_start() {
    let place = Place::new();
    let without = place.run(&["serve", "--read-only"]).expect(2);
    assert!(without.err.contains("--database-url"), "{without:?}");
    assert!(!place.data_dir().exists(), "nothing was made");
    let seeding = ["serve", "--read-only", "--database-url", "postgres://nobody@localhost/x", "--program", "p.toml"];
    let seeding = place.run(&seeding).expect(2);
    assert!(seeding.err.contains("cannot be used with"), "{seeding:?}");
}

fn cluster(place: &Place) -> Cluster {
    let config = ClusterConfig { data_dir: place.data_dir(), durability: Durability::None, binaries: None };
    Cluster::start(&config).expect("a private cluster starts")
}

// `accrue serve --read-only` on this database, and a client with every scope.
fn read_only(place: &Place, url: &str) -> (Running, Client) {
    let serve = ["serve", "--read-only", "--listen", "127.0.0.1:0", "--database-url", url];
    let mut command = place.command(&serve);
    command.env("ACCRUE_HS256_SECRET", SECRET);
    let service = Running::start(Stderr::Read, command);
    let client = Client::new(service.base.clone(), Some(token()));
    (service, client)
}

fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let scopes = all_scopes().join(" ");
    let claims = json!({ "iss": "accrue", "aud": "accrue", "sub": "till", "exp": now + 600, "scope": scopes });
    let parts = [json!({ "alg": "HS256" }), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = parts.join(".");
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

// What an answer says of the lag.
fn lag(answer: &Answer) -> Option<f64> {
    Some(answer.headers.get("accrue-replica-lag")?.parse().expect("seconds"))
}

/// A standby that streams from the private cluster of a place. It ends with its value.
struct Standby {
    postgres: Child,
    service_url: String,
    owner_url: String,
}

impl Standby {
    fn of(place: &Place, primary: &Database) -> Self {
        let binaries =
            PathBuf::from(sql::text(&mut primary.owner(), "SELECT setting FROM pg_config WHERE name = 'BINDIR'"));
        let files = PathBuf::from(sql::text(&mut primary.owner(), "SELECT current_setting('data_directory')"));
        let user = fs::metadata(files).expect("the primary's files are there");
        let as_user = |name: &str| {
            let mut command = Command::new(binaries.join(name));
            if rustix::process::getuid().is_root() {
                command.uid(user.uid()).gid(user.gid());
            }
            command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
            command
        };
        let (data, sockets) = (place.path("standby-files"), place.path("standby"));
        for folder in [&data, &sockets] {
            make(folder, user.uid(), user.gid()).expect("a folder can be made");
        }
        // It asks for the primary by the URL that this writes down.
        let copied = as_user("pg_basebackup")
            .args(["--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync", "--pgdata"])
            .arg(&data)
            .arg("--dbname")
            .arg(primary.owner_url())
            .status();
        assert!(copied.expect("pg_basebackup is beside postgres").success());
        let postgres = as_user("postgres")
            .args(["-c", "listen_addresses=", "-c", "port=5432", "-c", "fsync=off", "-c"])
            .arg(format!("unix_socket_directories={}", sockets.display()))
            .arg("-D")
            .arg(&data)
            .stderr(Stdio::null())
            .spawn()
            .expect("it can be run");
        let elsewhere = |url: String| url.replace("data%2Fsocket", "standby");
        let (service_url, owner_url) = (elsewhere(primary.service_url()), elsewhere(primary.owner_url()));
        let standby = Self { postgres, service_url, owner_url };
        wait_for("the standby to answer", || connect::plain(&standby.service_url).is_ok());
        standby
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        signal(&self.postgres, Signal::INT);
        let _ = self.postgres.wait();
    }
}

// A folder that Postgres takes for its own.
fn make(folder: &Path, uid: u32, gid: u32) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    chown(folder, Some(uid), Some(gid))
}

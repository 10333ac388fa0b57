//! A running service for each test, on a database of its own, whose ledger is audited when the test ends.

mod client;
mod contract;
mod database;
mod points;
mod program;
mod raw;
pub mod sql;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use accrue::domain::ids::MemberId;
use accrue::domain::time::{self, Timestamp};
use accrue::http::auth::{AuthConfig, Authenticator, DevelopmentKey, Scopes, TokenClaims};
use accrue::http::{self, Bounds, ServerConfig, Service, ServiceConfig, access};
use accrue::ledger::{Ledger, LedgerConfig};
use accrue::postgres::clock::Clock;
use accrue::read::{Reader, verify};
use diesel::{PgConnection, RunQueryDsl};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};

pub use self::client::{Answer, Client, at_once};
pub use self::contract::{fits, seen};
pub use self::database::Database;
pub use self::points::{balances, fund, kinds, nobody, two_journals, wallet, wallets};
pub use self::program::{Place, Running, Stderr, signal};
pub use self::raw::Raw;

/// The programme of the tests: a point for a dollar, pending for 14 days, good until the end of the month twelve
/// months later, in New York.
pub const PROGRAM: &str = before_tiers(DEMO);

/// The programme of the demonstration, which has tiers.
pub const DEMO: &str = include_str!("../../src/cli/program.toml");

/// The same as a document.
pub fn demo() -> Value {
    serde_json::to_value(DEMO.parse::<toml::Table>().expect("it is TOML")).expect("it has a JSON form")
}

// Tiers are its last section.
const fn before_tiers(program: &str) -> &str {
    let mut n = 0;
    while !matches!(program.as_bytes().split_at(n).1, [b'[', b't', b'i', b'e', b'r', b's', b']', ..]) {
        n += 1;
    }
    program.split_at(n).0
}

/// When most tests take place.
pub const NOON: &str = "2026-03-10T12:00:00Z";

/// Two services on one database, as two instances are: what they do at once is kept apart by the heads' locks alone.
pub struct Pair([App; 2]);

impl Pair {
    /// Two services whose clocks stand at `at`.
    pub fn at(at: &str) -> Self {
        let database = Database::new();
        Self([0, 1].map(|_| App::on(database.clone(), Clock::stopped_at(instant(at)), |_| {})))
    }

    /// One of them for each number.
    pub fn app(&self, n: usize) -> &App {
        &self.0[n % 2]
    }

    /// Stops both, panics if a transaction was undone (one that waits for its head never is), and checks the ledger.
    pub fn end(self) {
        self.end_with(0);
    }

    /// The same where so many batches at most begin anew, because what they find needs a head that comes before theirs.
    pub fn end_with(self, most: i64) {
        let database = self.0[0].database.clone();
        for app in self.0 {
            app.stop();
        }
        assert!(database.undone() <= most, "a batch did not wait for its head");
        database.audit();
    }
}

/// How a service is reached, and what it allows.
pub struct Serving {
    /// Whose tokens it takes.
    pub keys: AuthConfig,
    /// What callers may ask.
    pub allowed: ServiceConfig,
    /// How many connections there may be.
    pub connections: usize,
    /// How long each may wait for its peer.
    pub bounds: Bounds,
}

impl Default for Serving {
    fn default() -> Self {
        let keys = AuthConfig { development_key: Some(key().clone()), ..AuthConfig::default() };
        Self { keys, allowed: ServiceConfig::default(), connections: 512, bounds: Bounds::default() }
    }
}

/// A service on a database of its own. When it is dropped it is stopped, and its ledger must check out.
pub struct App {
    /// Its database.
    pub database: Database,
    /// Its ledger, for commands without HTTP.
    pub ledger: Arc<Ledger>,
    /// Its clock.
    pub clock: Clock,
    address: SocketAddr,
    stop: Option<(actix_web::dev::ServerHandle, JoinHandle<()>)>,
}

impl App {
    /// A service whose clock is the database's.
    pub fn start() -> Self {
        Self::with(Clock::database(), |_| {})
    }

    /// A sandbox, whose clock is moved over the API.
    pub fn sandbox() -> Self {
        Self::on(Database::sandbox(), Clock::database(), |_| {})
    }

    /// A service whose clock stands at `at`; move it with `app.clock.set`.
    pub fn at(at: &str) -> Self {
        Self::with(Clock::stopped_at(instant(at)), |_| {})
    }

    /// A service with another ledger configuration.
    pub fn with(clock: Clock, configure: impl FnOnce(&mut LedgerConfig)) -> Self {
        Self::on(Database::new(), clock, configure)
    }

    /// A service on a database that exists.
    pub fn on(database: Database, clock: Clock, configure: impl FnOnce(&mut LedgerConfig)) -> Self {
        Self::serving(database, clock, configure, Serving::default())
    }

    /// A service that takes tokens of these keys and no others.
    pub fn trusting(keys: AuthConfig) -> Self {
        Self::reached(Serving { keys, ..Serving::default() })
    }

    /// A service that is reached in another way than others.
    pub fn reached(serving: Serving) -> Self {
        Self::serving(Database::new(), Clock::database(), |_| {}, serving)
    }

    fn serving(database: Database, clock: Clock, configure: impl FnOnce(&mut LedgerConfig), serving: Serving) -> Self {
        let Serving { keys, allowed, connections, bounds } = serving;
        let mut config = LedgerConfig { clock: clock.clone(), ..LedgerConfig::new(database.service_url()) };
        configure(&mut config);
        let ledger = Arc::new(Ledger::open(config).expect("the ledger opens"));
        let reader = Reader::new(&database.service_url(), clock.clone(), Arc::clone(ledger.programs()), 4);
        let reader = reader.expect("its threads start");
        let authenticator = Arc::new(Authenticator::new(keys).expect("the keys are usable"));
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let service =
            Service::new(Arc::clone(&ledger), reader, authenticator, metrics, database.service_url(), allowed);
        let (sender, started) = mpsc::channel();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
                let config = ServerConfig { listener, workers: 2, connections, bounds };
                let running = http::start(service, config).expect("it can be used");
                sender.send((running.address, running.handle)).expect("the test waits");
                running.server.await.expect("the server runs");
            });
        });
        let (address, handle) = started.recv().expect("the server starts");
        Self { database, ledger, clock, address, stop: Some((handle, thread)) }
    }

    /// A connection of which every byte is the test's.
    pub fn connect(&self) -> Raw {
        Raw::new(self.address)
    }

    /// `http://host:port`
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client with this token, or with none.
    pub fn client(&self, token: Option<String>) -> Client {
        Client::new(self.base(), token)
    }

    /// The checkout service.
    pub fn checkout(&self) -> Client {
        self.client(Some(token("checkout", access::CHECKOUT_SCOPES, None)))
    }

    /// Finance.
    pub fn finance(&self) -> Client {
        self.client(Some(token("finance", access::FINANCE_SCOPES, None)))
    }

    /// The operator.
    pub fn operator(&self) -> Client {
        self.client(Some(token("operator", &access::all_scopes().join(" "), None)))
    }

    /// The app of a member.
    pub fn member(&self, id: &str) -> Client {
        self.client(Some(token("app", access::MEMBER_SCOPE, Some(id.parse().expect("a member's id")))))
    }

    /// Enrols a customer and returns the member's id.
    pub fn enrol(&self, external_id: &str) -> String {
        let answer = self.checkout().post("/v1/members", &json!({ "external_id": external_id }));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["id"].as_str().expect("an id").to_owned()
    }

    /// An order of `amount` dollars, ready to post.
    pub fn order(&self, member: &str, order_id: &str, occurred_at: &str, amount: &str) -> Value {
        json!({
            "order_id": order_id, "member_id": member, "occurred_at": occurred_at, "currency": "USD",
            "amount": amount,
        })
    }

    /// Posts an order of `amount` dollars that earns.
    pub fn earn(&self, member: &str, order_id: &str, occurred_at: &str, amount: &str) -> Answer {
        let answer = self.checkout().post("/v1/orders", &self.order(member, order_id, occurred_at, amount));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    /// Publishes the programme of the tests with a change, and moves the clock to when that takes effect.
    pub fn publish(&self, effective_at: &str, change: impl FnOnce(&mut Value)) {
        let table: toml::Table = PROGRAM.parse().expect("the programme is TOML");
        let mut document = serde_json::to_value(table).expect("the programme has a JSON form");
        change(&mut document);
        let version = json!({ "effective_at": effective_at, "document": document });
        let answer = self.operator().ask("/v1/program/versions", &version);
        assert_eq!(answer.status, 201, "{answer:?}");
        self.clock.set(instant(effective_at));
    }

    /// What a member has: active, pending, held and debt.
    pub fn points(&self, member: &str) -> [i64; 4] {
        let wallet = self.checkout().get(&format!("/v1/members/{member}/wallet"));
        assert_eq!(wallet.status, 200, "{wallet:?}");
        ["active", "pending", "held", "debt"].map(|part| wallet.body[part].as_i64().expect("an integer"))
    }

    /// A connection as the owner of the database, for looking and for breaking things.
    pub fn owner(&self) -> PgConnection {
        self.database.owner()
    }

    /// How many rows each of the tables has that a request may write.
    pub fn rows(&self) -> Vec<(&'static str, i64)> {
        const TABLES: [&str; 18] = [
            "entry",
            "posting",
            "member",
            "member_profile",
            "wallet",
            "lot",
            "orders",
            "refund",
            "record",
            "donation",
            "cause",
            "cause_total",
            "tier_total",
            "tier_review",
            "reward",
            "note",
            "idempotency",
            "program_version",
        ];
        let mut owner = self.owner();
        let mut count = |table| {
            let count = diesel::dsl::sql::<diesel::sql_types::BigInt>(&format!("(SELECT count(*) FROM {table})"));
            (table, diesel::select(count).get_result(&mut owner).expect("the table can be counted"))
        };
        TABLES.into_iter().map(&mut count).collect()
    }

    /// Checks the ledger: see [`Database::audit`]; also that nothing in it lies in the future.
    pub fn audit(&self) {
        self.database.audit_with(|service| verify::present(service, &self.clock));
    }

    /// Stops the service and returns its database, unaudited.
    pub fn stop(mut self) -> Database {
        self.halt();
        self.database.clone()
    }

    fn halt(&mut self) {
        if let Some((handle, thread)) = self.stop.take() {
            // The future of a stop needs no polling to take effect, but waiting for it does.
            actix_web::rt::System::new().block_on(handle.stop(false));
            thread.join().expect("the server ends");
            self.ledger.close();
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if self.stop.is_some() {
            self.halt();
            if !thread::panicking() {
                self.audit();
            }
        }
    }
}

/// Waits until `done`. Panics after a time in which anything should have happened.
#[track_caller]
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A timestamp from its text.
pub fn instant(text: &str) -> Timestamp {
    time::parse(text).expect("a timestamp")
}

/// A token of the development key.
pub fn token(subject: &str, scopes: &str, member: Option<MemberId>) -> String {
    let claims = TokenClaims {
        issuer: "accrue".to_owned(),
        audience: "accrue".to_owned(),
        subject: subject.to_owned(),
        member,
        scopes: Scopes::parse(scopes),
        issued_at: SystemTime::now(),
        ttl: Duration::from_secs(3_600),
    };
    key().issue(&claims).expect("the key signs")
}

/// The folder for what tests leave behind.
pub fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

fn key() -> &'static DevelopmentKey {
    static KEY: OnceLock<DevelopmentKey> = OnceLock::new();
    KEY.get_or_init(|| DevelopmentKey::load_or_create(&scratch()).expect("a key can be made"))
}

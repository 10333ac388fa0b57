//! The service is killed again and again while points are earned, held, spent, given and refunded, and so are backends
//! of its Postgres. Everyone who calls does what callers do: tries the same request again until there is an answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::setting;
use crate::support::{Answer, Client, DEMO, Place, Running, Stderr, sql};

/// How often the service is killed, and how often a backend, unless the environment says otherwise.
const SERVICES: u32 = 50;
const BACKENDS: u32 = 20;

/// How many call at once, each for two members of its own.
const CALLERS: u64 = 4;

#[test]
fn what_was_acknowledged_is_there_once_however_often_service_and_database_are_killed() {
    let place = Place::new();
    let program = place.file("program.toml", DEMO);
    let seed = u64::from(setting("ACCRUE_CRASH_SEED", 1_998));
    let mut service = Running::serve(&place, &program);
    let token = place.run(&["token", "--as", "operator", "--ttl", "12h"]).expect(0).out.trim().to_owned();
    let shop = Arc::new(Shop {
        base: RwLock::new(service.base.clone()),
        token,
        answers: AtomicU64::new(0),
        closing: AtomicBool::new(false),
    });
    let cause = shop.send(&Call::post("/v1/causes", "cause", json!({ "name": "Trees" })));
    let cause = cause.body["id"].as_str().expect("the cause has an id").to_owned();
    let callers: Vec<_> = (0..CALLERS)
        .map(|n| {
            let (shop, cause) = (Arc::clone(&shop), cause.clone());
            thread::spawn(move || Caller::new(n, seed).run(&shop, &cause))
        })
        .collect();

    let mut random = StdRng::seed_from_u64(seed);
    let mut victims: Vec<Victim> = vec![Victim::Service; setting("ACCRUE_SERVICE_KILLS", SERVICES) as usize];
    victims.extend(vec![Victim::Backend; setting("ACCRUE_BACKEND_KILLS", BACKENDS) as usize]);
    for n in (1..victims.len()).rev() {
        victims.swap(n, random.random_range(0..=n));
    }
    for victim in victims {
        shop.wait_for_answers(random.random_range(1..40));
        match victim {
            Victim::Service => {
                drop(service);
                // A service must not need anybody to read its log, least of all while its database is away.
                let end = [Stderr::Read, Stderr::Stalled, Stderr::Gone][random.random_range(0..3)];
                service = Running::serve_to(end, &place, &program, &[]);
                *shop.base.write().unwrap() = service.base.clone();
            }
            Victim::Backend => kill_a_backend(&place),
        }
    }
    shop.wait_for_answers(20);
    shop.closing.store(true, Ordering::SeqCst);
    let ledgers: Vec<Caller> = callers.into_iter().map(|caller| caller.join().expect("a caller ends well")).collect();

    for caller in &ledgers {
        caller.check(&shop);
    }
    let calls: usize = ledgers.iter().map(|caller| caller.history.len()).sum();
    println!("{calls} calls were answered");
    assert_eq!(service.terminate(), Some(0));
    place.run(&["verify"]).expect(0);
}

#[derive(Clone, Copy)]
enum Victim {
    Service,
    Backend,
}

// Postgres takes a killed backend for a damaged memory, ends all others, and recovers from its log.
fn kill_a_backend(place: &Place) {
    let lane = "SELECT pid FROM pg_stat_activity WHERE usename = 'accrue' ORDER BY xact_start NULLS LAST, pid LIMIT 1";
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = place.owner().and_then(|mut owner| sql::try_texts(&mut owner, lane).ok());
        if let Some(pid) = found.and_then(|rows| rows.first()?.parse().ok()).and_then(Pid::from_raw) {
            // It may have ended by itself since.
            if kill_process(pid, Signal::KILL).is_ok() {
                return;
            }
        }
        assert!(Instant::now() < deadline, "no backend to kill");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The service, wherever it listens at the moment.
struct Shop {
    base: RwLock<String>,
    token: String,
    answers: AtomicU64,
    closing: AtomicBool,
}

/// A request that may be sent many times.
struct Call {
    path: String,
    key: String,
    body: Value,
}

impl Call {
    fn post(path: impl Into<String>, key: impl Into<String>, body: Value) -> Self {
        Self { path: path.into(), key: key.into(), body }
    }
}

impl Shop {
    // Sends it until there is an answer that says what became of it.
    fn send(&self, call: &Call) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let client = Client::new(self.base.read().unwrap().clone(), Some(self.token.clone()));
            let body = call.body.to_string();
            match client.try_send("POST", &call.path, &[("idempotency-key", &call.key)], Some(&body)) {
                Ok(answer) if answer.status < 500 => {
                    self.answers.fetch_add(1, Ordering::SeqCst);
                    return answer;
                }
                outcome => assert!(Instant::now() < deadline, "no answer to {}: {outcome:?}", call.path),
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for_answers(&self, more: u64) {
        let (enough, deadline) = (self.answers.load(Ordering::SeqCst) + more, Instant::now() + Duration::from_secs(60));
        while self.answers.load(Ordering::SeqCst) < enough {
            assert!(Instant::now() < deadline, "the service does not come back");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Someone who calls, for two members, and keeps books of what was answered.
struct Caller {
    n: u64,
    random: StdRng,
    history: Vec<(Call, Answer)>,
    /// What each member must have, over all parts of the wallet.
    points: BTreeMap<String, i64>,
}

impl Caller {
    fn new(n: u64, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed.wrapping_mul(CALLERS) + n);
        Self { n, random, history: Vec::new(), points: BTreeMap::new() }
    }

    fn run(mut self, shop: &Shop, cause: &str) -> Self {
        let members = ["a", "b"].map(|name| {
            let member = json!({ "external_id": format!("{name}-{}", self.n) });
            self.ask(shop, "/v1/members", member)["id"].as_str().expect("the member has an id").to_owned()
        });
        let mut round = 0;
        while !shop.closing.load(Ordering::SeqCst) {
            let [one, other] = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            self.round(shop, cause, round, [&members[one], &members[other]]);
            round += 1;
        }
        self
    }

    // A purchase, and what becomes of its points.
    fn round(&mut self, shop: &Shop, cause: &str, round: u64, [one, other]: [&str; 2]) {
        let order_id = format!("{}-{round}", self.n);
        let (amount, days) = (self.random.random_range(20..90), self.random.random_range(20..60));
        let occurred_at = (Utc::now() - TimeDelta::days(days)).to_rfc3339();
        let hold = json!({ "member_id": one, "points": self.random.random_range(1..20), "hold": { "ttl": "1h" } });

        let order = json!({
            "order_id": order_id, "member_id": one, "occurred_at": occurred_at, "currency": "USD",
            "amount": format!("{amount}.00"),
        });
        let earned = self.ask(shop, "/v1/orders", order)["earned"]["points"].as_i64().expect("an order earns");
        self.book(one, earned);
        let held = self.ask(shop, "/v1/redemptions", hold);
        if let Some(id) = held["id"].as_str() {
            let redemption = format!("/v1/redemptions/{id}");
            match self.random.random_range(0..3) {
                0 => {
                    self.ask(shop, &format!("{redemption}/void"), json!({}));
                }
                part => {
                    let points = if part == 1 { json!({ "points": 1 }) } else { json!({}) };
                    let captured = self.ask(shop, &format!("{redemption}/capture"), points);
                    self.book(one, -captured["captured"].as_i64().expect("a hold is captured"));
                    if self.random.random_bool(0.5) {
                        let returned = self.ask(shop, &format!("{redemption}/return"), json!({ "points": 1 }));
                        self.book(one, returned["returned"].as_i64().expect("what was captured comes back"));
                    }
                }
            }
        }
        let gift = json!({ "from_member_id": one, "to_member_id": other, "points": 2, "direct": true });
        if let Some(points) = self.ask(shop, "/v1/transfers", gift)["points"].as_i64() {
            self.book(one, -points);
            self.book(other, points);
        }
        let donation = json!({ "member_id": one, "cause_id": cause, "points": 1 });
        if let Some(points) = self.ask(shop, "/v1/donations", donation)["points"].as_i64() {
            self.book(one, -points);
        }
        let refund = json!({ "refund_id": "R-1", "amount": format!("{}.50", self.random.random_range(0..20)) });
        let reversed = self.ask(shop, &format!("/v1/orders/{order_id}/refunds"), refund)["points_reversed"].clone();
        let taken = ["pending", "active", "debt"].map(|part| reversed[part].as_i64().expect("a refund says"));
        self.book(one, -taken.iter().sum::<i64>());
    }

    fn ask(&mut self, shop: &Shop, path: &str, body: Value) -> Value {
        let key = format!("{}-{}", self.n, self.history.len());
        let call = Call::post(path, key, body);
        let answer = shop.send(&call);
        let body = answer.body.clone();
        assert!(answer.status < 300 || answer.code() == "insufficient_points", "{}: {answer:?}", call.path);
        self.history.push((call, answer));
        body
    }

    fn book(&mut self, member: &str, points: i64) {
        *self.points.entry(member.to_owned()).or_default() += points;
    }

    // Every request, sent again, gets its first answer; the wallets are what the answers add up to.
    fn check(&self, shop: &Shop) {
        for (call, answer) in &self.history {
            let again = shop.send(call);
            assert_eq!((again.status, &again.text), (answer.status, &answer.text), "{}", call.path);
            assert!(again.replayed(), "{}: {again:?}", call.path);
        }
        let client = Client::new(shop.base.read().unwrap().clone(), Some(shop.token.clone()));
        for (member, points) in &self.points {
            let wallet = client.get(&format!("/v1/members/{member}/wallet")).body;
            let part = |name: &str| wallet[name].as_i64().expect("a wallet has its parts");
            assert_eq!(part("active") + part("pending") + part("held") - part("debt"), *points, "{wallet}");
        }
    }
}

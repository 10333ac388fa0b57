//! The service is killed again and again while it looks at members anew.

use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::{FILE, LAST_PURCHASE, setting};
use crate::support::{Client, DEMO, Place, Running, Stderr, sql};

/// How often it is killed, unless `ACCRUE_REVIEW_KILLS` says otherwise.
const KILLS: u32 = 8;

/// How many of the file's orders are imported: the last, which count towards tiers by now.
const ORDERS: usize = 8_000;

#[test]
fn a_review_that_is_killed_again_and_again_looks_at_everyone_once() {
    let kills = i64::from(setting("ACCRUE_REVIEW_KILLS", KILLS));
    let ((killed, mut service), (whole, undisturbed)) = (Shop::open(), Shop::open());
    let mut reviewed = 0;
    for n in 1..=kills {
        let some_more = killed.members * n / (kills + 2);
        let (members, is_done) = killed.wait(&service, |members, _| members > reviewed && members >= some_more);
        assert!(!is_done, "the review ended before the kill {n} of {kills}");
        reviewed = members;
        drop(service);
        service = killed.serve();
    }
    let [killed, whole] = [(killed, service), (whole, undisturbed)].map(|(shop, service)| {
        assert_eq!(shop.wait(&service, |_, is_done| is_done), (shop.members, true));
        let stand = shop.rows(
            "SELECT concat_ws(' ', p.external_id, w.tier, m.standing::json ->> 'version', count(e.seq))
             FROM member m JOIN wallet w ON w.member = m.id JOIN member_profile p ON p.member = m.id
             LEFT JOIN entry e ON e.member = m.id AND starts_with(e.kind, 'tier.')
                 AND e.payload::json -> 'standing' ->> 'version' = '2'
             GROUP BY p.external_id, w.tier, m.standing::json ->> 'version' ORDER BY p.external_id",
        );
        assert_eq!(service.terminate(), Some(0));
        shop.place.run(&["verify"]).expect(0);
        stand
    });
    assert_eq!(killed, whole);
    assert!(whole.iter().any(|line| line.contains(" amber 2 1")), "nobody stands elsewhere: {:?}", whole.first());
}

/// A ledger with orders in it.
struct Shop {
    place: Place,
    /// How many members ordered.
    members: i64,
    token: String,
}

impl Shop {
    // With a service that has published other tiers, which are in force.
    fn open() -> (Self, Running) {
        let place = Place::new();
        place.file("program.toml", DEMO);
        let file = fs::read_to_string(FILE).unwrap();
        let lines: Vec<&str> = file.split_inclusive('\n').collect();
        place.file("orders.csv", [&lines[..1], &lines[lines.len() - ORDERS..]].concat().concat());
        let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
        let shift = (today - LAST_PURCHASE - 7).to_string();
        let mut shop = Self { place, members: 0, token: String::new() };
        let service = shop.serve();
        shop.token = shop.place.run(&["token", "--as", "operator"]).expect(0).out.trim().to_owned();
        shop.place.run(&["import", "orders", "orders.csv", "--shift-days", &shift]).expect(0);
        shop.members = shop.rows("SELECT count(*)::text FROM member")[0].parse().unwrap();
        shop.publish(&service);
        (shop, service)
    }

    fn serve(&self) -> Running {
        let program = self.place.path("program.toml").display().to_string();
        let arguments =
            ["serve", "--sandbox", "--listen", "127.0.0.1:0", "--sweep-interval", "1s", "--program", &program];
        Running::start(Stderr::Read, self.place.command(&arguments))
    }

    fn client(&self, service: &Running) -> Client {
        Client::new(service.base.clone(), Some(self.token.clone()))
    }

    // A second version, by which gold is amber and easier to reach.
    fn publish(&self, service: &Running) {
        let client = self.client(service);
        let mut document: Value = client.get("/v1/program/versions/1").body["document"].clone();
        document["tiers"]["levels"][1]["code"] = json!("amber");
        document["tiers"]["levels"][1]["annual_spend"] = json!("40");
        let effective_at = Utc::now() + TimeDelta::minutes(5);
        let version = json!({ "effective_at": effective_at.to_rfc3339(), "document": document });
        let published = client.ask("/v1/program/versions", &version);
        assert_eq!(published.status, 201, "{published:?}");
        let moved = client.post("/v1/sandbox/clock", &json!({ "to": effective_at.to_rfc3339() }));
        assert_eq!(moved.status, 200, "{moved:?}");
    }

    // Waits for the review of the second version: how many members by then, and is it all of them?
    fn wait(&self, service: &Running, until: impl Fn(i64, bool) -> bool) -> (i64, bool) {
        let (client, deadline) = (self.client(service), Instant::now() + Duration::from_secs(120));
        loop {
            let review = client.get("/v1/program/versions/2").body["review"].clone();
            let seen = (review["members"].as_i64().unwrap_or_default(), review["done"] == true);
            if until(seen.0, seen.1) {
                return seen;
            }
            assert!(Instant::now() < deadline, "the review stands at {review}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn rows(&self, query: &str) -> Vec<String> {
        sql::texts(&mut self.place.owner().expect("the database answers"), query)
    }
}

//! Ledgers of earlier forms stay readable: what stands in them is never read otherwise than it was meant.
//!
//! `tests/data/ledger_v1.sql` was written through the API by the program of the first three migrations, in a sandbox with
//! two journals whose clock was moved over more than a year. It holds every kind of entry: orders with and without items
//! and points, refunds whole and in parts under each policy, some waived and some left as debt, holds captured, voided,
//! returned and lapsed, rewards, donations, transfers of both forms with every answer in one journal and between two,
//! adjustments with notes, members suspended, closed and erased, points activated and expired, and five versions of the
//! programme. Members named after what is to come of them (`voids`, `lapses`, …) have something open.
//!
//! `tests/data/ledger_v1.json` holds what that program answered at its end: to every request that it remembered, sent
//! again, and what every wallet was.
//!
//! `tests/data/ledger_v2.sql` and `.json` were written in the same way by the program of the first five migrations, in one
//! journal: claims that stand, were paid, and were let go, points that came back after their end and expired, debts with
//! points held and without, a member's own hold, items by weight and by total, an order of nothing.

use accrue::domain::time::Timestamp;
use accrue::jobs::sweep_once;
use accrue::postgres::clock::Clock;
use accrue::postgres::connect;
use accrue::postgres::migrate::{self, MIGRATIONS};
use accrue::read::verify;
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use diesel_migrations::MigrationHarness;
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, Database, instant, sql};

/// A ledger as its program left it.
struct Written {
    ledger: &'static str,
    answers: &'static str,
    /// The last migration under which it was written.
    until: &'static str,
}

const FIRST: Written = Written {
    ledger: include_str!("data/ledger_v1.sql"),
    answers: include_str!("data/ledger_v1.json"),
    until: "20261123020000",
};

const SECOND: Written = Written {
    ledger: include_str!("data/ledger_v2.sql"),
    answers: include_str!("data/ledger_v2.json"),
    until: "20261127010000",
};

const HISTORY: &str = "
    SELECT concat_ws(' ', journal, seq, v, kind, program_version, payload, hash) FROM entry
    UNION ALL SELECT concat_ws(' ', journal, seq, n, debit, credit, points, lot) FROM posting ORDER BY 1";

#[test]
fn a_ledger_of_the_first_three_migrations_is_migrated_verified_and_goes_on() {
    let (app, began) = FIRST.migrated();
    app.audit();
    FIRST.check_wallets(&app);
    FIRST.check_answers(&app);
    app.audit();

    answer_what_is_open(&app);
    app.audit();

    let at = |days: i64| app.clock.set(began + TimeDelta::days(days));
    at(1);
    assert_eq!(points(&app, "lapses"), [110, 0, 40, 0], "the hold of twelve hours has lapsed");
    at(8);
    assert_eq!(points(&app, "offers"), [128, 0, 0, 0], "the offer that nobody answered has lapsed");
    at(16);
    assert_eq!(points(&app, "activates"), [150, 0, 0, 0]);
    assert_eq!(points(&app, "owes"), [0, 0, 0, 10], "30 of a debt of 40 are repaid");
    sweep(&app);
    assert_eq!(points(&app, "owes"), [0, 0, 0, 10]);
    app.audit();
    at(31);
    assert_eq!(points(&app, "lapses"), [150, 0, 0, 0], "the held reward went back");
    at(60);
    assert_eq!(points(&app, "expires"), [0, 0, 0, 0]);
    at(800);
    sweep(&app);
    assert_eq!(sql::number(&mut app.owner(), "SELECT sum(active + pending + held)::bigint FROM wallet"), 0);

    let export = app.finance().get("/v1/ledger/export").text;
    assert_eq!(verify::export(export.as_bytes(), |_| {}).unwrap().journals.len(), 3);
}

#[test]
fn a_ledger_with_claims_is_migrated_verified_and_goes_on() {
    let (app, began) = SECOND.migrated();
    app.audit();
    SECOND.check_wallets(&app);
    SECOND.check_answers(&app);
    app.audit();

    let checkout = app.checkout();
    let held = open(&checkout, &format!("/v1/redemptions?status=held&member={}", member(&app, "claims")));
    done(&checkout.ask(&format!("/v1/redemptions/{}/void", held[0]), &json!({})));
    assert_eq!(points(&app, "claims"), [40, 0, 0, 0], "a claim of 60 is paid");
    let rest = json!({ "refund_id": "R-2", "amount": "50.00" });
    done(&checkout.post("/v1/orders/C-3/refunds", &rest));
    assert_eq!(points(&app, "lets-go"), [0; 4]);
    let rest = json!({ "refund_id": "R-9", "amount": "4.00" });
    done(&checkout.post("/v1/orders/P-1/refunds", &rest));

    app.clock.set(began + TimeDelta::days(30));
    assert_eq!(points(&app, "debt-held"), [30, 0, 0, 0], "what was held repays a debt of 70");
    sweep(&app);
    app.audit();
}

impl Written {
    // Brought up to date and opened at the instant of its last entry.
    fn migrated(&self) -> (App, Timestamp) {
        let database = Database::empty();
        let mut owner = database.owner();
        while owner.run_next_migration(MIGRATIONS).unwrap().to_string() != self.until {}
        owner.batch_execute(self.ledger).unwrap();
        let before = sql::texts(&mut owner, HISTORY);
        migrate::run(&mut owner).unwrap();
        assert_eq!(sql::texts(&mut owner, HISTORY), before, "history cannot be migrated");
        let last =
            "SELECT to_char(max(recorded_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM entry";
        let last = instant(&sql::text(&mut owner, last));
        (App::on(database, Clock::stopped_at(last), |_| {}), last)
    }

    fn answers(&self) -> Value {
        serde_json::from_str(self.answers).unwrap()
    }

    fn check_wallets(&self, app: &App) {
        for (member, expected) in self.answers()["wallets"].as_object().unwrap() {
            let wallet = app.operator().get(&format!("/v1/members/{member}/wallet")).body;
            for (name, expected) in expected.as_object().unwrap() {
                assert_eq!(&wallet[name], expected, "{name} of member {member}");
            }
        }
    }

    fn check_answers(&self, app: &App) {
        let before = app.rows();
        for call in self.answers()["calls"].as_array().unwrap() {
            let text = |name: &str| call[name].as_str();
            let key = text("key").map(|key| ("idempotency-key", key));
            let body = Some(&call["body"]).filter(|body| !body.is_null()).map(Value::to_string);
            let (method, path) = (text("method").unwrap(), text("path").unwrap());
            let caller = caller(app, text("as").unwrap());
            let answer = caller.send(method, path, key.as_slice(), body.as_deref());
            assert_eq!((json!(answer.status), &answer.body), (call["status"].clone(), &call["answer"]), "{call}");
            assert!(answer.replayed(), "{call}");
        }
        assert_eq!(app.rows(), before, "what is answered again is done once");
    }
}

fn caller(app: &App, name: &str) -> Client {
    match name.split_once(':') {
        Some((_, member)) => app.member(member),
        None if name == "checkout" => app.checkout(),
        None => app.operator(),
    }
}

fn answer_what_is_open(app: &App) {
    let (checkout, operator) = (app.checkout(), app.operator());
    let rest = json!({ "refund_id": "R-2", "amount": "75.00" });
    done(&checkout.post("/v1/orders/O-refunds/refunds", &rest));
    assert_eq!(points(app, "refunds"), [0, 0, 0, 0]);

    let hold = |name: &str| open(&checkout, &format!("/v1/redemptions?status=held&member={}", member(app, name)));
    done(&checkout.ask(&format!("/v1/redemptions/{}/void", hold("voids")[0]), &json!({})));
    assert_eq!(points(app, "voids"), [150, 0, 0, 0]);
    let captured = format!("/v1/redemptions/{}/capture", hold("captures")[0]);
    done(&checkout.ask(&captured, &json!({ "points": 50 })));
    assert_eq!(points(app, "captures"), [100, 0, 0, 0]);

    // The last offer first: the receivers of the first two stand in the giver's journal, those of the others do not.
    let offers = open(&operator, &format!("/v1/transfers?status=offered&member={}", member(app, "offers")));
    for (n, reply) in [(3, "accept"), (2, "decline"), (1, "accept")] {
        done(&operator.ask(&format!("/v1/transfers/{}/{reply}", offers[n]), &json!({})));
    }
    let received = [0, 1, 2, 3].map(|n| points(app, &format!("receives-{n}"))[0]);
    assert_eq!(received, [10, 0, 12, 0]);
    assert_eq!(points(app, "offers"), [115, 0, 13, 0]);
}

fn sweep(app: &App) {
    let mut reader = connect::reader(&app.database.service_url()).unwrap();
    let swept = sweep_once(&mut reader, (&app.ledger, &app.clock), || false).unwrap();
    assert!(swept.settled > 0 && swept.failed == 0, "{swept:?}");
}

// The ids in a list of redemptions or transfers, from the newest to the oldest.
fn open(client: &Client, path: &str) -> Vec<String> {
    let list = client.get(path).body;
    let list = list.get("redemptions").or_else(|| list.get("transfers")).and_then(Value::as_array);
    list.unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn member(app: &App, external_id: &str) -> String {
    let found = app.operator().get(&format!("/v1/members?external_id={external_id}"));
    found.body["members"][0]["id"].as_str().unwrap_or_else(|| panic!("{found:?}")).to_owned()
}

fn points(app: &App, external_id: &str) -> [i64; 4] {
    app.points(&member(app, external_id))
}

#[track_caller]
fn done(answer: &Answer) {
    assert!([200, 201].contains(&answer.status), "{answer:?}");
}

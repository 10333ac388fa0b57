//! A history with everything in it, to be falsified.

use accrue::domain::audit::{Fault, Wrong};
use accrue::domain::ids::MemberId;
use accrue::domain::journal::entry::{Entry, Hash};
use accrue::postgres::connect;
use accrue::read::entries;
use accrue::read::verify::{self, Means, NotVerified, Verified};
use diesel::connection::SimpleConnection;
use serde_json::json;

use crate::support::{Answer, App, Database, fund, sql, two_journals};

/// A database with history, and a copy of its tables to go back to.
pub struct Books {
    database: Database,
    /// The member's journal.
    pub journal: i16,
    member: String,
    /// The number of the member's first earn, and that of the journal's last entry, which brought points too.
    pub earned: i64,
    /// See `earned`.
    pub last: i64,
    /// The number of an entry of the journal with several postings.
    pub further: i64,
}

// Those that follow from the journals, and the journals.
const TABLES: [&str; 16] = [
    "entry",
    "further_posting",
    "program_version",
    "member",
    "wallet",
    "lot",
    "orders",
    "refund",
    "record",
    "donation",
    "cause",
    "cause_total",
    "tier_total",
    "reward",
    "counter",
    "journal",
];

// Those of them that nothing may be changed in.
const APPEND_ONLY: [&str; 3] = ["entry", "further_posting", "program_version"];

impl Books {
    /// A history with rows of every kind.
    pub fn new() -> Self {
        let app = App::at("2026-03-10T12:00:00Z");
        let (member, other) = two_journals(&app);
        live(&app, &member, &other);
        app.audit();
        let journal = member.parse::<MemberId>().expect("a member's id").journal();
        let database = app.stop();
        let mut owner = database.owner();
        let keep = |table| format!("CREATE TABLE keep.{table} AS TABLE {table};");
        let keep = format!("CREATE SCHEMA keep; {}", TABLES.map(keep).concat());
        owner.batch_execute(&keep).expect("a superuser may");
        let earned = format!("SELECT min(seq) FROM entry WHERE member = '{member}' AND kind = 'points.earned'");
        let earned = sql::number(&mut owner, &earned);
        let last = sql::number(&mut owner, &format!("SELECT max(seq) FROM entry WHERE journal = {journal}"));
        let further = format!("SELECT max(seq) FROM further_posting WHERE journal = {journal}");
        let further = sql::number(&mut owner, &further);
        Self { database, journal, member, earned, last, further }
    }

    /// Every entry with its hash, as an export has them.
    pub fn entries(&self) -> Vec<(Entry, Hash)> {
        let mut owner = self.database.owner();
        let ledger = entries::ledger_id(&mut owner).expect("there is a ledger");
        let mut all = Vec::new();
        for (journal, ..) in entries::heads(&mut owner).expect("there are journals") {
            let page = entries::page(&mut owner, ledger, journal, (0, i64::MAX), 1_000);
            all.extend(page.expect("its entries can be read"));
        }
        all
    }

    // By one connection, and again by three, with the entries in ranges of one or three, the members in parts of their
    // own and all that was read in a file: the same must be said.
    fn verify(&self) -> Result<Verified, NotVerified> {
        let open = || connect::auditor(&self.database.service_url());
        let mut connection = open().expect("the database answers");
        let alone = verify::database(&mut connection, |_| {});
        for range in [1, 3] {
            let means = Means { open: Some(&open), threads: 3, range, part: 1, memory: 0 };
            let together = verify::database_by(&mut connection, &means, |_| {});
            assert_eq!(format!("{together:?}"), format!("{alone:?}"), "in ranges of {range}");
        }
        alone
    }

    /// What verification says after `change`. The tables are as before when this returns.
    pub fn after(&self, change: &str) -> NotVerified {
        let change = change
            .replace("{journal}", &self.journal.to_string())
            .replace("{member}", &self.member)
            .replace("{earned}", &self.earned.to_string())
            .replace("{last}", &self.last.to_string());
        let mut owner = self.database.owner();
        let triggers =
            |word: &str| APPEND_ONLY.map(|table| format!("ALTER TABLE {table} {word} TRIGGER USER;")).concat();
        owner.batch_execute(&triggers("DISABLE")).expect("a superuser may");
        let before = sql::dump(&mut owner);
        owner.batch_execute(&change).unwrap_or_else(|error| panic!("{change}: {error}"));
        assert_ne!(sql::dump(&mut owner), before, "{change} changes something");
        let said = self.verify();
        let restore = |table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM keep.{table};");
        owner.batch_execute(&TABLES.map(restore).concat()).expect("a superuser may");
        owner.batch_execute(&triggers("ENABLE")).expect("a superuser may");
        self.verify().expect("the tables are as they were");
        said.map(|_| panic!("verification found nothing wrong after {change}")).unwrap_err()
    }

    /// Asserts that the entry `seq` is the first that is said to be wrong after `change`.
    pub fn expect_entry(&self, change: &str, seq: i64, is: impl Fn(&Fault) -> bool) {
        match self.after(change) {
            NotVerified::Entry(Wrong { journal, seq: found, fault }) => {
                assert_eq!((journal, found), (self.journal, seq), "{change}: {fault}");
                assert!(is(&fault), "{change}: {fault}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }

    /// Asserts that the projection of the member's journal is said to be wrong after `change`, in words that contain
    /// `part`.
    pub fn expect_projection(&self, change: &str, part: &str) {
        let (journal, fault) = self.wrong_projection(change);
        assert_eq!(journal, self.journal, "{change}: {fault}");
        assert!(fault.contains(&part.replace("{member}", &self.member)), "{change}: {fault}");
    }

    /// The journal whose projection is said to be wrong after `change`, and how.
    pub fn wrong_projection(&self, change: &str) -> (i16, String) {
        match self.after(change) {
            NotVerified::Projection { journal, fault } => (journal, fault),
            other => panic!("{change}: {other:?}"),
        }
    }
}

// Both earn; `member` does all else that leaves a row, and earns last.
fn live(app: &App, member: &str, other: &str) {
    let (checkout, operator) = (app.checkout(), app.operator());
    let done = |answer: Answer| {
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        answer.body
    };
    let ordered = |n: usize, at: &str| {
        for member in [other, member] {
            done(checkout.post("/v1/orders", &app.order(member, &format!("{n}-{member}"), at, "21.90")));
        }
    };
    ordered(0, "2024-01-31T11:00:00Z");
    ordered(1, "2026-02-01T11:00:00Z");
    fund(app, member, "rich", "2026-02-01T12:00:00Z", 500);

    let reward = json!({ "name": "Umbrella", "kind": "product", "points": 5, "stock": 5 });
    let reward = done(operator.ask("/v1/rewards", &reward));
    done(checkout.ask("/v1/redemptions", &json!({ "member_id": member, "reward_id": reward["id"] })));
    let hold = |points: i64| json!({ "member_id": member, "points": points, "hold": { "ttl": "15m" } });
    let held = done(checkout.ask("/v1/redemptions", &hold(100)));
    let mut order = app.order(member, "paid", "2026-03-10T11:00:00Z", "20.00");
    order["redemption_ids"] = json!([held["id"]]);
    done(checkout.post("/v1/orders", &order));
    for (refund, amount) in [("R-1", "5.00"), ("R-2", "2.00")] {
        done(checkout.post("/v1/orders/paid/refunds", &json!({ "refund_id": refund, "amount": amount })));
    }
    done(checkout.ask("/v1/redemptions", &hold(10)));
    let cause = done(operator.ask("/v1/causes", &json!({ "name": "Trees" })));
    done(operator.ask("/v1/donations", &json!({ "member_id": member, "cause_id": cause["id"], "points": 3 })));
    for direct in [true, false] {
        let transfer = json!({ "from_member_id": member, "to_member_id": other, "points": 7, "direct": direct });
        done(operator.ask("/v1/transfers", &transfer));
    }
    // More than there is in any one lot, if the points above were not of several.
    let [active, ..] = app.points(member);
    done(operator.ask("/v1/donations", &json!({ "member_id": member, "cause_id": cause["id"], "points": active - 1 })));
    ordered(2, "2026-03-10T11:00:00Z");
}

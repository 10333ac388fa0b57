//! The program is killed again and again while it imports; in the end the books are those of a run that was not.

mod review;
mod service;

use std::env;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use accrue::postgres::cluster::{Access, ClusterConfig, Durability};
use accrue::postgres::connect;
use diesel::PgConnection;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{DEMO, Place, sql};

/// How often it is killed, unless `ACCRUE_CRASHES` says otherwise.
const CRASHES: u32 = 20;

/// How many entries are written before the last kill, at most: less than the file's orders and customers give.
const SHARE: u32 = 80_000;

/// 30 June 1998, in days since 1970.
const LAST_PURCHASE: u64 = 10_407;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cdnow_orders.csv");

#[test]
fn an_import_that_is_killed_twenty_times_ends_as_one_that_was_not() {
    let crashes = setting("ACCRUE_CRASHES", CRASHES);
    let mut random = StdRng::seed_from_u64(1_997);
    let place = Place::new();
    place.file("program.toml", DEMO);
    // The last purchase was a week ago: some points are pending, some active, some expired.
    let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let shift = (today - LAST_PURCHASE - 7).to_string();
    let import = ["import", "orders", FILE, "--program", "program.toml", "--shift-days", &shift];
    let mut written = 0;
    for n in 0..crashes {
        let mut command = place.command(&import);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Killed in the midst of writing, and so soon that the import cannot end before the last time.
        let until = written + i64::from(SHARE / crashes) * random.random_range(1..20) / 20;
        while written <= until {
            assert!(process.try_wait().unwrap().is_none(), "import {n} ended after {written} entries");
            thread::sleep(Duration::from_millis(random.random_range(1..20)));
            written = entries(&place).unwrap_or(written);
        }
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let last = place.run(&import).expect(0);
    println!("killed {crashes} times, the last time after {written} entries; then: {}", last.out);
    place.run(&["verify"]).expect(0);

    let other = Place::new();
    other.file("program.toml", DEMO);
    other.run(&import).expect(0);

    let [(_crashed, mut crashed), (_whole, mut whole)] = [&place, &other].map(|place| {
        let config = ClusterConfig { data_dir: place.data_dir(), durability: Durability::Full, binaries: None };
        let access = Access::open(&config).unwrap();
        let owner = connect::plain(&access.owner_url("accrue")).unwrap();
        (access, owner)
    });
    for (what, query) in TOTALS {
        let query = query.replace("{today}", &format!("(timestamptz 'epoch' + {today} * interval '1 day')"));
        let (crashed, whole) = (sql::texts(&mut crashed, &query), sql::texts(&mut whole, &query));
        println!("{what}: {}", whole.first().map_or("", String::as_str));
        assert_eq!(crashed.len(), whole.len(), "{what}");
        for (crashed, whole) in crashed.iter().zip(&whole) {
            assert_eq!(crashed, whole, "{what}");
        }
    }
    assert_eq!(count(&mut crashed, "orders"), 69_659);
    assert_eq!(count(&mut crashed, "member"), 23_570);
}

// A number that the environment may set, for longer runs.
fn setting(name: &str, default: u32) -> u32 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

// How many entries there are, as long as the database answers.
fn entries(place: &Place) -> Option<i64> {
    let rows = sql::try_texts(&mut place.owner()?, "SELECT sum(next_seq - 1)::text FROM journal").ok()?;
    rows.first()?.parse().ok()
}

fn count(connection: &mut PgConnection, table: &str) -> i64 {
    sql::number(connection, &format!("SELECT count(*) FROM {table}"))
}

const TOTALS: [(&str, &str); 5] = [
    (
        "entries by kind",
        "SELECT concat_ws(' ', kind, count(*)) FROM entry
         WHERE kind NOT IN ('points.activated', 'points.expired', 'tier.renewed', 'tier.downgraded') GROUP BY kind ORDER BY kind",
    ),
    (
        "orders and points",
        "SELECT concat_ws(' ', (SELECT count(*) FROM orders), (SELECT sum((payload::json -> 'order' ->> 'amount')::numeric) FROM entry),
         (SELECT sum(points) FROM posting WHERE debit = 'issuance'), (SELECT sum(earned) FROM lot))",
    ),
    (
        "orders by customer",
        "SELECT concat_ws(' ', p.external_id, o.order_id, e.effective_at AT TIME ZONE 'UTC',
             e.payload::json -> 'order' ->> 'amount')
         FROM orders o JOIN entry e USING (journal, seq) JOIN member_profile p ON p.member = o.member ORDER BY o.order_id",
    ),
    (
        "tiers by customer",
        "SELECT concat_ws(' ', p.external_id, e.payload::json -> 'standing' -> 'rank')
         FROM entry e JOIN member_profile p ON p.member = e.member WHERE e.kind = 'tier.upgraded'
         ORDER BY p.external_id, e.seq",
    ),
    // What each customer has at instants before, among and after the lots' own, whenever it was written.
    (
        "wallets by customer",
        "SELECT concat_ws(' ', p.external_id, days, sum(l.earned),
             sum(l.earned) FILTER (WHERE l.active_at > {today} + days * interval '1 day'),
             sum(l.earned) FILTER (WHERE l.active_at <= {today} + days * interval '1 day'
                 AND l.expires_at > {today} + days * interval '1 day'))
         FROM lot l JOIN member_profile p ON p.member = l.member
         CROSS JOIN (VALUES (-365), (-10), (1), (120)) AS instants (days)
         GROUP BY p.external_id, days ORDER BY p.external_id, days",
    ),
];

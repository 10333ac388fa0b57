//! The tiers of all real customers against SQL over their orders and refunds, in each period: at six dates, year ends
//! among them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::io::Cursor;
use std::thread;

use accrue::cli::import::{self, Report};
use accrue::domain::ids::MemberId;
use accrue::domain::time::local_midnight;
use accrue::ledger::{Ledger, Settle};
use accrue::postgres::connect;
use accrue::read::{Remembered, View, due};
use chrono::{Days, NaiveDate};
use chrono_tz::America::New_York;
use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::invariants::{code, queue, request};
use crate::support::{self, App, instant, sql};

const ORDERS: &str = include_str!("../data/cdnow_orders.csv");

/// So many days later, 1 January 1997 is that of 2024: some customers join on 29 February.
const SHIFT: u32 = 9_861;

/// In New York: a day of the first year, the last microsecond of it and the first of the second year, the same between
/// the second and the third, and the instant at which the membership years end that began on 29 February.
const DATES: [&str; 6] = [
    "2024-08-15T16:00:00Z",
    "2025-01-01T04:59:59.999999Z",
    "2025-01-01T05:00:00Z",
    "2026-01-01T04:59:59.999999Z",
    "2026-01-01T05:00:00Z",
    "2026-02-28T05:00:00Z",
];

/// The levels. SQL numbers them from 1, and 0 is none.
const CODES: [&str; 3] = ["silver", "gold", "platinum"];

const ORDERED: &str = "order_id,customer_id,ordered_on,items,amount";
const REFUNDED: &str = "order_id,refund_id,refunded_on,amount";

/// A customer, and the number of its level.
type Tier = (String, usize);

#[test]
fn the_tiers_of_rolling_months_are_those_that_sql_over_the_orders_gives() {
    let rules = json!({ "period": "rolling_12_months", "term": "12M", "refunds": "at_term" });
    compare(rules, day_of("2025-01-01T05:00:00Z"), include_str!("real_orders/rolling_12_months.sql"));
}

#[test]
fn the_tiers_of_calendar_years_are_those_that_sql_over_the_orders_gives() {
    let rules = json!({ "period": "calendar_year", "term": "next_period", "refunds": "at_once" });
    compare(rules, day_of("2026-01-01T05:00:00Z"), include_str!("real_orders/calendar_year.sql"));
}

#[test]
fn the_tiers_of_membership_years_are_those_that_sql_over_the_orders_gives() {
    let rules = json!({ "period": "membership_year", "term": "next_period", "refunds": "at_term" });
    compare(rules, day_of("2026-01-01T05:00:00Z"), include_str!("real_orders/membership_year.sql"));
}

// `first_end` is the first day on which a term may end.
fn compare(rules: Value, first_end: NaiveDate, expected: &str) {
    let app = App::at("2023-12-01T12:00:00Z");
    app.publish("2023-12-02T12:00:00Z", |document| {
        let mut levels = CODES.map(|code| json!({ "code": code, "name": { "en": code } }));
        levels[0]["orders"] = json!(1);
        levels[1]["annual_spend"] = json!("150.00");
        levels[2]["annual_spend"] = json!("500.00");
        document["tiers"] = rules;
        document["tiers"]["downgrade"] = json!("by_spend");
        document["tiers"]["levels"] = json!(levels);
        // Points are not looked at, and those that fall due make reads slow.
        document["earning"]["pending"] = json!("0D");
        document["earning"]["expiry"] = json!("never");
    });
    let refunds = refunds();
    let mut owner = app.owner();
    fill(&mut owner, &refunds);
    owner.batch_execute(include_str!("real_orders/tables.sql")).unwrap();
    owner.batch_execute(expected).unwrap();

    // What a term's end has decided, no order changes that arrives later. So from the first such end on the clock goes
    // through the days, and what is of a day is imported when it begins. Before, it does not matter when it arrives.
    let mut days = by_day(&refunds);
    let (mut ids, mut seen, mut posted) = (Vec::new(), Vec::new(), [0; 3]);
    for at in DATES {
        let later = days.split_off(&(day_of(at) + Days::new(1)));
        let (mut orders, mut refunds) = (String::new(), String::new());
        let mut those = std::mem::replace(&mut days, later).into_iter().peekable();
        while let Some((day, [ordered, refunded])) = those.next() {
            orders += &ordered;
            refunds += &refunded;
            if day >= first_end || those.peek().is_none() {
                app.clock.set(local_midnight(day, New_York));
                let report = import(&app, std::mem::take(&mut orders), ORDERED, import::orders);
                (posted[0], posted[1]) = (posted[0] + report.posted, posted[1] + report.enrolled);
                posted[2] += import(&app, std::mem::take(&mut refunds), REFUNDED, import::refunds).posted;
            }
        }
        app.clock.set(instant(at));
        if ids.is_empty() {
            owner.batch_execute("ANALYZE").unwrap();
            ids = customers(&mut owner);
        }
        let naive = naive(&mut owner, at);
        let service = tiers(&app, &ids);
        assert_eq!((service.len(), naive.len()), (23_570, 23_570));
        let wrong: Vec<_> = service.iter().zip(&naive).filter(|(service, naive)| service != naive).collect();
        let first = &wrong[..wrong.len().min(10)];
        assert!(wrong.is_empty(), "at {at} {} are wrong, the service's and SQL's: {first:?}", wrong.len());
        println!("{at}: {:?}", [0, 1, 2, 3].map(|level| naive.iter().filter(|(_, tier)| *tier == level).count()));
        // At the next date, what reads have found due now is what was written.
        settle(&app);
        seen.push(naive);
    }
    println!("{posted:?} orders, customers and refunds");
    assert!(posted[..2] == [69_659, 23_570] && posted[2] > 4_000);
    let moves = || seen.windows(2).flat_map(|seen| seen[0].iter().zip(&seen[1]).map(|(then, now)| now.1.cmp(&then.1)));
    assert!(moves().any(Ordering::is_gt) && moves().any(Ordering::is_lt));
    assert_ne!(seen[4], seen[5]);
    then(&app, &ids, &seen);
}

// Of a few hundred customers the service says later what it said then; some have another tier on the last date. A refund may
// leave a tier whose term has ended by then, and what is decided of it counts from that end, but was not known before.
fn then(app: &App, ids: &[(String, MemberId)], seen: &[Vec<Tier>]) {
    let checkout = app.checkout();
    let code = |path: &str| {
        let answer = checkout.get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        level(answer.body["code"].as_str())
    };
    let changed = (0..ids.len()).filter(|n| seen[4][*n] != seen[5][*n]).take(100);
    for n in (0..ids.len()).step_by(97).chain(changed) {
        let path = format!("/v1/members/{}/tier", ids[n].1);
        assert_eq!(code(&path), seen[5][n].1, "{:?}", ids[n]);
        for (at, seen) in DATES.iter().zip(seen) {
            assert_eq!(code(&format!("{path}?as_of={at}")), seen[n].1, "{:?} as of {at}", ids[n]);
        }
    }
}

fn level(code: Option<&str>) -> usize {
    code.map_or(0, |code| 1 + CODES.iter().position(|known| *known == code).unwrap())
}

fn day_of(at: &str) -> NaiveDate {
    instant(at).with_timezone(&New_York).date_naive()
}

// Refunds of about one order in twenty: of all of it, of a part, or of a part and then of what is left. Their days are
// of the years of the file.
fn refunds() -> String {
    let mut random = StdRng::seed_from_u64(69_659);
    let mut refunds = String::new();
    for line in ORDERS.lines().skip(1) {
        if random.random_range(0..20) > 0 {
            continue;
        }
        let (order, day, cents) = order(line);
        let part = if cents > 1 && random.random_bool(0.6) { random.random_range(1..cents) } else { cents };
        let first = random.random_range(1..=400);
        let mut refund = |number: u8, after: u64, cents: u64| {
            let day = day + Days::new(after);
            writeln!(refunds, "{order},R-{number},{day},{}.{:02}", cents / 100, cents % 100).unwrap();
        };
        refund(1, first, part);
        if part < cents && random.random_bool(0.5) {
            refund(2, random.random_range(first..=400), cents - part);
        }
    }
    refunds
}

// The id, day and cents of a line of the file of orders.
fn order(line: &str) -> (&str, NaiveDate, u64) {
    let [order, _, day, _, amount] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let (whole, cents) = amount.split_once('.').unwrap();
    assert_eq!(cents.len(), 2, "{line}");
    (order, day.parse().unwrap(), whole.parse::<u64>().unwrap() * 100 + cents.parse::<u64>().unwrap())
}

// The lines of orders and refunds of each day, as it is moved.
fn by_day(refunds: &str) -> BTreeMap<NaiveDate, [String; 2]> {
    let mut days: BTreeMap<NaiveDate, [String; 2]> = BTreeMap::new();
    for (n, lines) in [ORDERS.split_once('\n').unwrap().1, refunds].into_iter().enumerate() {
        for line in lines.lines() {
            let day: NaiveDate = line.split(',').nth(2).unwrap().parse().unwrap();
            writeln!(days.entry(day + Days::new(SHIFT.into())).or_default()[n], "{line}").unwrap();
        }
    }
    days
}

type Importer = fn(&Ledger, &str, Cursor<String>, i32) -> anyhow::Result<Report>;

fn import(app: &App, lines: String, header: &str, import: Importer) -> Report {
    if lines.is_empty() {
        return Report::default();
    }
    let file = Cursor::new(format!("{header}\n{lines}"));
    let report = import(&app.ledger, &app.database.service_url(), file, SHIFT as i32).unwrap();
    assert_eq!(report.posted, lines.lines().count() as u64, "{report:?}");
    report
}

// The orders and refunds, and the days that are looked at, in tables of the test's own.
fn fill(owner: &mut PgConnection, refunds: &str) {
    let dates = DATES.map(|at| format!("('{at}')")).join(",");
    let lines = |text: &str| {
        let lines = format!("string_to_table('{}', E'\\n') WITH ORDINALITY AS file (line, n)", text.trim_end());
        format!("{lines}, string_to_array(line, ',') AS a")
    };
    let script = format!(
        "CREATE TEMP TABLE looked AS
             SELECT (at::timestamptz AT TIME ZONE 'America/New_York')::date AS day FROM (VALUES {dates}) AS date (at);
         CREATE TEMP TABLE purchase AS
             SELECT a[1] AS order_id, a[2] AS customer, a[3]::date + {SHIFT} AS day, a[5]::numeric AS amount
             FROM {} WHERE n > 1;
         CREATE TEMP TABLE refund AS
             SELECT n AS number, a[1] AS order_id, a[3]::date + {SHIFT} AS day, a[4]::numeric AS amount
             FROM {};",
        lines(ORDERS),
        lines(refunds)
    );
    owner.batch_execute(&script).unwrap();
}

fn customers(owner: &mut PgConnection) -> Vec<(String, MemberId)> {
    let customers = "SELECT concat_ws(' ', external_id, member) FROM member_profile ORDER BY external_id COLLATE \"C\"";
    let customer = |row: String| {
        let (customer, id) = row.split_once(' ').unwrap();
        (customer.to_owned(), id.parse().unwrap())
    };
    sql::texts(owner, customers).into_iter().map(customer).collect()
}

// What SQL says at a date.
fn naive(owner: &mut PgConnection, at: &str) -> Vec<Tier> {
    let query = format!(
        "SELECT concat_ws(' ', customer, level) FROM expected
         WHERE day = ('{at}'::timestamptz AT TIME ZONE 'America/New_York')::date ORDER BY customer COLLATE \"C\""
    );
    let customer = |row: String| {
        let (customer, level) = row.split_once(' ').unwrap();
        (customer.to_owned(), level.parse().unwrap())
    };
    sql::texts(owner, &query).into_iter().map(customer).collect()
}

// What wallets show at the clock's time, read as the service reads them.
fn tiers(app: &App, ids: &[(String, MemberId)]) -> Vec<Tier> {
    let programs = app.ledger.programs().book();
    let read = |ids: &[(String, MemberId)]| -> Vec<Tier> {
        let mut connection = app.database.service();
        let mut view = View { connection: &mut connection, clock: &app.clock, programs: &programs };
        let ids_of: BTreeSet<MemberId> = ids.iter().map(|(_, id)| *id).collect();
        let read = support::wallets(&mut view, &ids_of, &mut Remembered::default());
        let code = |id| read[id].tier.as_ref().map(|tier| tier.code.as_str());
        ids.iter().map(|(customer, id)| (customer.clone(), level(code(id)))).collect()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = ids.chunks(ids.len().div_ceil(3)).map(|ids| scope.spawn(|| read(ids))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

// Writes down what is due, as a sweeper does, but without rests.
fn settle(app: &App) {
    let (mut reader, mut last) = (connect::reader(&app.database.service_url()).unwrap(), None);
    let now = app.clock.look(&mut reader).unwrap().now;
    loop {
        let page = due::page(&mut reader, now, last, 1_000).unwrap();
        let Some(end) = page.last() else { break };
        last = Some(*end);
        let settles = page.into_iter().map(|(_, member)| queue(&app.ledger, request("system", None, Settle(member))));
        let waiting: Vec<_> = settles.collect();
        assert!(waiting.into_iter().all(|answer| code(&answer.blocking_recv().unwrap().unwrap()) == "done"));
    }
}

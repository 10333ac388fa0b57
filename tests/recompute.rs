//! The ledger's wallets against a recomputation that knows nothing of lots, lanes or journals: SQL over the file.

use std::fs::File;
use std::thread;

use accrue::cli::import;
use accrue::domain::ids::MemberId;
use accrue::ledger::{Ledger, LedgerConfig};
use accrue::postgres::clock::Clock;
use accrue::postgres::connect;
use accrue::read::{Remembered, View, verify};
use diesel::PgConnection;
use diesel::connection::SimpleConnection;

use crate::support::{self, Database, instant, sql};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/cdnow_orders.csv");

/// The last order is of 30 June 1998. On each side of activations and of a month's end in New York, also one that is
/// not yet a month's end in UTC.
const INSTANTS: [&str; 7] = [
    "1998-07-01T05:00:00Z",
    "1998-07-14T03:59:59.999999Z",
    "1998-07-14T04:00:00Z",
    "1998-12-31T23:59:59Z",
    "1999-02-01T04:59:59.999999Z",
    "1999-02-01T05:00:00Z",
    "1999-07-01T04:00:00Z",
];

/// Points of a customer: earned, pending, active, expired.
type Points = [i64; 4];

#[test]
fn every_customers_points_are_those_that_sql_over_the_file_gives() {
    let database = Database::new();
    let clock = Clock::stopped_at(instant(INSTANTS[0]));
    let config = LedgerConfig { clock: clock.clone(), ..LedgerConfig::new(database.service_url()) };
    let ledger = Ledger::open(config).unwrap();
    let report = import::orders(&ledger, &database.service_url(), File::open(FILE).unwrap(), 0).unwrap();
    assert_eq!((report.posted, report.enrolled, report.rejected), (69_659, 23_570, 0), "{:?}", report.reasons);

    let mut owner = database.owner();
    load(&mut owner);
    let ids = customers(&mut owner);
    let mut seen: Vec<Points> = Vec::new();
    for at in INSTANTS {
        clock.set(instant(at));
        let naive = naive(&mut owner, at);
        let ledger = wallets(&database, &ledger, &clock, &ids);
        assert_eq!(naive.len(), 23_570);
        assert_eq!(ledger.len(), naive.len());
        for (naive, ledger) in naive.iter().zip(&ledger) {
            assert_eq!(naive, ledger, "at {at}: customer, then earned, pending, active, expired");
        }
        let total = naive.iter().fold([0; 4], |sum, (_, points)| [0, 1, 2, 3].map(|n| sum[n] + points[n]));
        println!("{at}: {total:?}");
        seen.push(total);
    }
    // The instants are apart from each other, and everything that can become of points does.
    seen.dedup();
    assert_eq!(seen.len(), INSTANTS.len());
    assert!((0..4).all(|n| seen.iter().any(|total| total[n] > 0)));
    let mut auditor = connect::auditor(&database.service_url()).unwrap();
    verify::database(&mut auditor, |_| {}).unwrap();
    ledger.close();
}

// The file, in a table of its own.
fn load(owner: &mut PgConnection) {
    let table = "CREATE TEMP TABLE file (order_id text, customer text, ordered_on date, items int, amount numeric)";
    owner.batch_execute(table).unwrap();
    let text = std::fs::read_to_string(FILE).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    for lines in lines.chunks(10_000) {
        let row = |line: &&str| format!("('{}')", line.replace(',', "','"));
        let rows: Vec<String> = lines.iter().map(row).collect();
        let insert = format!(
            "INSERT INTO file SELECT a, b, c::date, d::int, e::numeric FROM (VALUES {}) AS v (a, b, c, d, e)",
            rows.join(",")
        );
        owner.batch_execute(&insert).unwrap();
    }
}

fn customers(owner: &mut PgConnection) -> Vec<(String, MemberId, i64)> {
    let earned = "SELECT concat_ws(' ', p.external_id, p.member, COALESCE(sum(g.points), 0))
         FROM member_profile p LEFT JOIN entry e ON e.member = p.member
         LEFT JOIN posting g ON g.journal = e.journal AND g.seq = e.seq AND g.debit = 'issuance'
         GROUP BY p.external_id, p.member ORDER BY p.external_id";
    let customer = |row: String| {
        let [customer, id, earned] = row.split(' ').collect::<Vec<_>>()[..] else { panic!("{row}") };
        (customer.to_owned(), id.parse().unwrap(), earned.parse().unwrap())
    };
    sql::texts(owner, earned).into_iter().map(customer).collect()
}

// A point for a whole dollar; pending for 14 days; gone when the month ends in which the purchase was a year ago.
fn naive(owner: &mut PgConnection, at: &str) -> Vec<(String, Points)> {
    let query = format!(
        "WITH points AS (
             SELECT customer, floor(amount)::bigint AS points,
                 (ordered_on + 14)::timestamp AT TIME ZONE 'America/New_York' AS active_at,
                 (date_trunc('month', ordered_on + interval '1 year') + interval '1 month')
                     AT TIME ZONE 'America/New_York' AS expires_at
             FROM file)
         SELECT concat_ws(' ', customer, sum(points),
             COALESCE(sum(points) FILTER (WHERE active_at > at), 0),
             COALESCE(sum(points) FILTER (WHERE active_at <= at AND at < expires_at), 0),
             COALESCE(sum(points) FILTER (WHERE expires_at <= at), 0))
         FROM points, (VALUES (timestamptz '{at}')) AS now (at) GROUP BY customer ORDER BY customer"
    );
    let customer = |row: String| {
        let parts: Vec<&str> = row.split(' ').collect();
        (parts[0].to_owned(), [1, 2, 3, 4].map(|n: usize| parts[n].parse().unwrap()))
    };
    sql::texts(owner, &query).into_iter().map(customer).collect()
}

// What the wallets show at the clock's time, read as the service reads them. No job has run.
fn wallets(
    database: &Database,
    ledger: &Ledger,
    clock: &Clock,
    ids: &[(String, MemberId, i64)],
) -> Vec<(String, Points)> {
    let programs = ledger.programs().book();
    let read = |ids: &[(String, MemberId, i64)]| -> Vec<(String, Points)> {
        let mut connection = database.service();
        connection.batch_execute("SET enable_seqscan = off").unwrap();
        let mut view = View { connection: &mut connection, clock, programs: &programs };
        let read = support::wallets(&mut view, &ids.iter().map(|(_, id, _)| *id).collect(), &mut Remembered::default());
        let wallet = |(customer, id, earned): &(String, MemberId, i64)| {
            let wallet = read[id].balances;
            assert_eq!((wallet.held, wallet.debt), (0, 0));
            let expired = earned - wallet.pending - wallet.active;
            (customer.clone(), [*earned, wallet.pending, wallet.active, expired])
        };
        ids.iter().map(wallet).collect()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = ids.chunks(ids.len().div_ceil(3)).map(|ids| scope.spawn(move || read(ids))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

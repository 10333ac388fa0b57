//! Invariant 7: the sequence has no gaps, and time does not run backwards.

use std::thread;

use accrue::postgres::clock::Clock;

use crate::support::{App, Database, instant, sql};

const GAPS: &str = "SELECT count(*) FROM (
     SELECT seq, row_number() OVER (PARTITION BY journal ORDER BY seq) AS n, recorded_at,
         lag(recorded_at) OVER (PARTITION BY journal ORDER BY seq) AS before FROM entry
     ) AS e WHERE seq <> n OR recorded_at < before";

#[test]
fn entries_are_not_recorded_backwards_when_the_clock_is() {
    let app = App::at("2026-03-10T12:00:00Z");
    let member = app.enrol("ana");
    let post = |n: i32| {
        let order = app.order(&member, &format!("A-{n}"), "2026-03-01T00:00:00Z", "5");
        assert_eq!(app.checkout().post("/v1/orders", &order).status, 201);
    };
    post(1);
    app.clock.set(instant("2026-03-10T11:59:30Z"));
    post(2);
    app.clock.set(instant("2026-03-10T11:59:00Z"));
    post(3);
    app.clock.set(instant("2026-03-10T12:00:01Z"));
    post(4);
    let recorded = "SELECT recorded_at AT TIME ZONE 'UTC' FROM entry WHERE kind = 'points.earned' ORDER BY seq";
    let same = "2026-03-10 12:00:00";
    assert_eq!(sql::texts(&mut app.owner(), recorded), [same, same, same, "2026-03-10 12:00:01"]);
    assert_eq!(sql::number(&mut app.owner(), GAPS), 0);
}

#[test]
fn two_services_on_one_database_leave_no_gap_and_double_nothing() {
    let database = Database::new();
    // Their clocks differ by a minute.
    let clocks = ["2026-03-10T12:00:00Z", "2026-03-10T12:01:00Z"].map(|at| Clock::stopped_at(instant(at)));
    let [first, second] = clocks.map(|clock| App::on(database.clone(), clock, |_| {}));
    let members: Vec<String> = (0..4).map(|n| first.enrol(&format!("customer-{n}"))).collect();
    thread::scope(|scope| {
        for n in 0..8 {
            let (app, members) = (if n % 2 == 0 { &first } else { &second }, &members);
            scope.spawn(move || {
                let checkout = app.checkout();
                for order in 0..25 {
                    // Each order is posted to both services.
                    let id = format!("{}-{order}", n / 2);
                    let order = app.order(&members[order % 4], &id, "2026-03-10T11:00:00Z", "5");
                    assert_eq!(checkout.post("/v1/orders", &order).status, 201);
                }
            });
        }
    });
    let mut owner = database.owner();
    assert_eq!(sql::number(&mut owner, GAPS), 0);
    assert_eq!(sql::number(&mut owner, "SELECT count(*) FROM orders"), 100);
    assert_eq!(sql::number(&mut owner, "SELECT sum(points) FROM posting WHERE debit = 'issuance'"), 500);
    let counted = "SELECT count(*) FROM journal j
         WHERE next_seq <> 1 + (SELECT count(*) FROM entry e WHERE e.journal = j.id)";
    assert_eq!(sql::number(&mut owner, counted), 0);
}

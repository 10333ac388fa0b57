//! A journal whose last entry lies ahead of the clock, by someone's update or because the clock jumped ahead and came
//! back: nothing is decided for it, nothing expires by it, and whoever looks is told.

use accrue::domain::movement::transfer::TransferRequest;
use accrue::jobs::{Swept, sweep_once};
use accrue::ledger::{NoAnswer, setup};
use accrue::postgres::clock::Clock;
use accrue::postgres::connect;
use accrue::read::verify::{self, NotVerified};
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use serde_json::json;

use crate::invariants::{code, enrol, member, order, queue, request, wait_until_taken};
use crate::support::{App, Database, NOON, fund, instant, two_journals, wait_for};

const EARLIER: &str = "2026-02-01T12:00:00Z";

#[test]
fn a_head_that_someone_moved_ahead_stops_its_journal_and_no_other() {
    let app = App::start();
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    fund(&app, &ben, "B-1", EARLIER, 100);
    let journal = ana.parse::<accrue::domain::ids::MemberId>().unwrap().journal();
    let set = |time: &str| {
        let update = format!("UPDATE journal SET recorded_at = {time} WHERE id = {journal}");
        app.owner().batch_execute(&update).unwrap();
    };
    let ready = || app.client(None).get("/readyz").status;
    assert_eq!(ready(), 200);
    set("clock_timestamp() + interval '366 days'");
    let before = app.rows();

    let checkout = app.checkout();
    let order = app.order(&ana, "A-2", EARLIER, "5");
    let answer = checkout.post("/v1/orders", &order);
    answer.assert_problem(503, "clock_behind");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    let gift =
        |from: &str, to: &str| json!({ "from_member_id": from, "to_member_id": to, "points": 5, "direct": true });
    app.operator().ask("/v1/transfers", &gift(&ana, &ben)).assert_problem(503, "clock_behind");
    app.operator().ask("/v1/transfers", &gift(&ben, &ana)).assert_problem(503, "clock_behind");
    assert_eq!(app.rows(), before, "nothing was done");
    assert_eq!(checkout.post("/v1/orders", &app.order(&ben, "B-2", EARLIER, "5")).status, 201);
    wait_for("the service not to be ready", || ready() == 503);

    // Whoever reads is shown the present: nothing has expired, and no hold or offer has lapsed.
    assert_eq!(app.points(&ana), [100, 0, 0, 0]);
    let mut auditor = connect::auditor(&app.database.service_url()).unwrap();
    let head = verify::database(&mut auditor, |_| {}).unwrap_err().to_string();
    assert!(head.starts_with(&format!("journal {journal}: its head was written at ")), "{head}");
    let ahead = verify::present(&mut auditor, &app.clock).unwrap_err().to_string();
    assert!(ahead.contains(&format!("journal {journal} was last written at ")), "{ahead}");

    set(&format!("(SELECT max(recorded_at) FROM entry WHERE journal = {journal})"));
    assert_eq!(checkout.post("/v1/orders", &order).status, 201);
    wait_for("the service to be ready", || ready() == 200);
}

#[test]
fn a_clock_that_jumped_ahead_and_came_back_expires_nobodys_points() {
    let app = App::at(NOON);
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    fund(&app, &ana, "A-1", EARLIER, 100);
    app.clock.set(instant("2036-03-10T12:00:00Z"));
    // All journals get an entry while the clock is wrong, `ana` none.
    (0..8).for_each(|n| drop(app.enrol(&format!("customer-{n}"))));
    app.clock.set(instant("2026-03-10T12:00:05Z"));
    for member in [&ana, &ben] {
        let answer = app.checkout().post("/v1/orders", &app.order(member, &format!("{member}-2"), EARLIER, "5"));
        answer.assert_problem(503, "clock_behind");
        let wallet = app.checkout().get(&format!("/v1/members/{member}/wallet"));
        assert_eq!(wallet.body["as_of"], "2026-03-10T12:00:05.000000Z", "{wallet:?}");
    }
    assert_eq!(app.points(&ana), [100, 0, 0, 0]);
    app.database.audit();
    match verify::present(&mut app.database.service(), &app.clock) {
        Err(NotVerified::Future(named)) => {
            for journal in [1, 2] {
                assert!(named.contains(&format!("journal {journal} was last written at 2036-03-10")), "{named}");
                assert!(named.contains(&format!("journal {journal}, entry ")), "{named}");
            }
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(app.client(None).get("/readyz").status, 503);
    app.clock.set(instant("2036-03-10T12:00:00Z"));
}

#[test]
fn a_minute_ahead_is_how_clocks_differ_and_more_is_not() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let post = |n: i32| app.checkout().post("/v1/orders", &app.order(&member, &format!("A-{n}"), EARLIER, "5"));
    app.clock.set(instant(NOON) - TimeDelta::minutes(1));
    assert_eq!(post(1).status, 201);
    verify::present(&mut app.database.service(), &app.clock).unwrap();
    app.clock.set(instant(NOON) - TimeDelta::minutes(1) - TimeDelta::microseconds(1));
    post(2).assert_problem(503, "clock_behind");
    verify::present(&mut app.database.service(), &app.clock).unwrap_err();
    app.clock.set(instant(NOON));
    assert_eq!(post(2).status, 201);
}

#[test]
fn one_command_to_a_journal_that_is_ahead_does_not_fail_its_neighbours() {
    let app = App::at(NOON);
    let (ana, ben) = (member(1, 1), member(2, 2));
    for (id, name) in [(ana, "ana"), (ben, "ben")] {
        queue(&app.ledger, request("client:checkout", None, enrol(id, name))).blocking_recv().unwrap().unwrap();
    }
    fund(&app, &ana.to_string(), "A-0", EARLIER, 100);
    app.owner().batch_execute("UPDATE journal SET recorded_at = '2099-01-01' WHERE id = 2").unwrap();
    let held = app.database.hold_heads();
    let first = queue(&app.ledger, request("client:checkout", None, order(ana, "A-1", EARLIER, "5")));
    wait_until_taken(&app.ledger);
    let gift = TransferRequest { from_member_id: ana, to_member_id: ben, points: 5, message: None, direct: true };
    let before = queue(&app.ledger, request("client:checkout", None, order(ana, "A-2", EARLIER, "5")));
    let gift = queue(&app.ledger, request("client:checkout", Some("gift"), gift));
    let after = queue(&app.ledger, request("client:checkout", None, order(ana, "A-3", EARLIER, "5")));
    drop(held);
    assert_eq!(gift.blocking_recv().unwrap(), Err(NoAnswer::ClockBehind));
    for answer in [first, before, after] {
        assert_eq!(code(&answer.blocking_recv().unwrap().unwrap()), "done");
    }
    let restore =
        "UPDATE journal SET recorded_at = (SELECT max(recorded_at) FROM entry WHERE journal = 2) WHERE id = 2";
    app.owner().batch_execute(restore).unwrap();
}

#[test]
fn a_sandbox_whose_clock_was_taken_back_waits_until_it_is_moved_again() {
    let app = App::sandbox();
    let (operator, member) = (app.operator(), app.enrol("ana"));
    let advance =
        |period: &str| assert_eq!(operator.post("/v1/sandbox/clock", &json!({ "advance": period })).status, 200);
    let post = || app.checkout().post("/v1/orders", &app.order(&member, "A-1", EARLIER, "5"));
    advance("30D");
    fund(&app, &member, "A-0", EARLIER, 100);
    app.owner().batch_execute("UPDATE ledger SET clock_ahead = 0").unwrap();
    post().assert_problem(503, "clock_behind");
    assert_eq!(app.client(None).get("/readyz").status, 503);
    advance("31D");
    assert_eq!(post().status, 201);
    wait_for("the service to be ready", || app.client(None).get("/readyz").status == 200);
}

#[test]
fn a_sweep_passes_the_members_of_a_journal_by_that_is_ahead() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    for member in [&ana, &ben] {
        let order = app.order(member, &format!("{member}-1"), "2026-03-09T12:00:00Z", "5");
        assert_eq!(app.checkout().post("/v1/orders", &order).status, 201);
    }
    let journal = ana.parse::<accrue::domain::ids::MemberId>().unwrap().journal();
    let set = |time: &str| {
        let update = format!("UPDATE journal SET recorded_at = {time} WHERE id = {journal}");
        app.owner().batch_execute(&update).unwrap();
    };
    set("'2099-01-01'");
    app.clock.set(instant("2026-05-01T12:00:00Z"));
    let mut reader = connect::reader(&app.database.service_url()).unwrap();
    let mut sweep = || sweep_once(&mut reader, (&app.ledger, &app.clock), || false).unwrap();
    assert_eq!(sweep(), Swept { settled: 1, failed: 1 });
    set(&format!("(SELECT max(recorded_at) FROM entry WHERE journal = {journal})"));
    assert_eq!(sweep(), Swept { settled: 1, failed: 0 });
}

#[test]
fn no_programme_is_published_ahead_of_the_clock() {
    let app = App::at(NOON);
    app.owner().batch_execute("UPDATE journal SET recorded_at = '2099-01-01' WHERE id = 0").unwrap();
    let document = app.operator().get("/v1/program/versions").body["versions"][0]["document"].clone();
    let version = json!({ "effective_at": "2100-01-01T00:00:00Z", "document": document });
    app.operator().ask("/v1/program/versions", &version).assert_problem(503, "clock_behind");
    let restore =
        "UPDATE journal SET recorded_at = (SELECT max(recorded_at) FROM entry WHERE journal = 0) WHERE id = 0";
    app.owner().batch_execute(restore).unwrap();

    // Neither is the first one of a ledger.
    let database = Database::empty();
    let mut owner = database.owner();
    accrue::postgres::migrate::run(&mut owner).unwrap();
    setup::initialise(&mut owner, None, 2, None).unwrap();
    owner.batch_execute("UPDATE journal SET recorded_at = '2099-01-01' WHERE id = 0").unwrap();
    let program = app.ledger.programs().book().latest_version().program.clone();
    let clock = Clock::stopped_at(instant(NOON));
    let refused = setup::seed(&mut database.service(), &program, &clock).unwrap_err();
    let source = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains("ahead of the clock"), "{refused:?}");
}

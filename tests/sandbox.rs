//! Sandboxes: databases of their own kind, whose clock is moved forward over the API.

use std::thread;

use accrue::domain::sandbox::ClockMove;
use accrue::domain::time::{self, Timestamp};
use accrue::ledger::sandbox::ClockError;
use accrue::ledger::{Ledger, LedgerConfig};
use accrue::postgres::clock::Clock;
use accrue::postgres::migrate::{self, MIGRATIONS};
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use diesel_migrations::MigrationHarness;
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, Database, PROGRAM, Place, Running, instant, sql, token};

const CLOCK: &str = "/v1/sandbox/clock";

#[track_caller]
fn now(answer: &Answer) -> Timestamp {
    assert_eq!(answer.status, 200, "{answer:?}");
    instant(answer.body["now"].as_str().unwrap())
}

#[track_caller]
fn ahead(answer: &Answer) -> i64 {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["ahead_seconds"].as_i64().unwrap()
}

fn advance(client: &Client, period: &str) -> Answer {
    client.post(CLOCK, &json!({ "advance": period }))
}

fn points(client: &Client, member: &str) -> (Value, Value) {
    let wallet = client.get(&format!("/v1/members/{member}/wallet")).body;
    (wallet["pending"].clone(), wallet["active"].clone())
}

#[test]
fn moving_the_clock_shows_in_every_wallet_of_every_instance_at_once() {
    let app = App::sandbox();
    let other = App::on(app.database.clone(), Clock::database(), |_| {});
    let (operator, checkout, member) = (app.operator(), app.checkout(), app.enrol("ana"));
    let began = operator.get(CLOCK);
    assert_eq!(ahead(&began), 0);
    let order = app.order(&member, "A-1", &time::canonical(now(&began)), "29.33");
    assert_eq!(checkout.post("/v1/orders", &order).status, 201);
    let before = app.rows();
    let clients = [&checkout, &other.checkout()];
    for (period, expected) in [("13D", (29, 0)), ("1D", (0, 29)), ("1H", (0, 29)), ("12M_M", (0, 0))] {
        let moved = advance(&operator, period);
        assert_eq!(moved.status, 200, "{moved:?}");
        for client in clients {
            assert_eq!(points(client, &member), (json!(expected.0), json!(expected.1)), "after {period}");
        }
    }
    assert_eq!(app.rows(), before, "no sweeper has run and no entry says that the clock was moved");

    // The other instance decides by the same time.
    let late = now(&operator.get(CLOCK));
    let next = other.checkout().post("/v1/orders", &app.order(&member, "A-2", &time::canonical(late), "5"));
    assert_eq!((next.status, &next.body["wallet"]["pending"]), (201, &json!(5)), "{next:?}");
    let entries = checkout.get(&format!("/v1/members/{member}/entries")).body["entries"].clone();
    let kinds: Vec<&str> = entries.as_array().unwrap().iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["points.earned", "points.expired", "points.activated", "points.earned", "member.enrolled"]);
    assert!(instant(entries[0]["recorded_at"].as_str().unwrap()) >= late);
}

#[test]
fn days_and_months_are_counted_in_the_programmes_zone_from_what_the_clock_shows() {
    let app = App::sandbox();
    let operator = app.operator();
    let to = |at: &str| now(&operator.post(CLOCK, &json!({ "to": at })));
    let close = |shown: Timestamp, expected: &str| {
        let late = shown - instant(expected);
        assert!((TimeDelta::zero()..TimeDelta::minutes(1)).contains(&late), "{shown} is not {expected}");
    };
    close(to("2040-03-10T17:00:00Z"), "2040-03-10T17:00:00Z");
    // In New York the clocks go forward on 11 March 2040: the next noon is an hour earlier in UTC.
    close(now(&advance(&operator, "1D")), "2040-03-11T16:00:00Z");
    close(to("2041-01-31T12:00:00+02:00"), "2041-01-31T10:00:00Z");
    close(now(&advance(&operator, "1M_M")), "2041-03-01T05:00:00Z");
}

#[test]
fn the_clock_stays_moved_when_the_service_starts_again() {
    let app = App::sandbox();
    let member = app.enrol("ana");
    let moved = now(&advance(&app.operator(), "366D"));
    let database = app.stop();
    let app = App::on(database, Clock::database(), |_| {});
    let again = app.operator().get(CLOCK);
    assert!(now(&again) >= moved && ahead(&again) >= 365 * 86_400, "{again:?}");
    let wallet = app.checkout().get(&format!("/v1/members/{member}/wallet"));
    assert!(instant(wallet.body["as_of"].as_str().unwrap()) >= moved, "{wallet:?}");
}

#[test]
fn moves_at_the_same_time_all_count_and_none_moves_the_clock_back() {
    const THREADS: i64 = 8;
    const EACH: i64 = 5;
    let app = App::sandbox();
    let shown: Vec<Vec<Timestamp>> = thread::scope(|scope| {
        let move_on = || (0..EACH).map(|_| now(&advance(&app.operator(), "24H"))).collect();
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(move_on)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(shown.iter().all(|shown| shown.is_sorted()), "{shown:?}");
    assert_eq!(ahead(&app.operator().get(CLOCK)), THREADS * EACH * 86_400);

    let targets: Vec<Timestamp> = (1..=THREADS).map(|n| instant("2100-01-01T00:00:00Z") + TimeDelta::days(n)).collect();
    thread::scope(|scope| {
        for target in &targets {
            let operator = app.operator();
            scope.spawn(move || {
                let answer = operator.post(CLOCK, &json!({ "to": time::canonical(*target) }));
                match answer.status {
                    200 => assert!(now(&answer) >= *target, "{answer:?}"),
                    _ => answer.assert_problem(422, "clock_backwards"),
                }
            });
        }
    });
    let shown = now(&app.operator().get(CLOCK));
    assert!(shown >= targets[targets.len() - 1] && shown < instant("2100-01-10T00:00:00Z"), "{shown}");
}

#[test]
fn the_clock_goes_forward_only_and_not_past_the_year_9000() {
    let app = App::sandbox();
    let operator = app.operator();
    let to = |at: &str| operator.post(CLOCK, &json!({ "to": at }));
    let shown = now(&advance(&operator, "1Y"));
    to(&time::canonical(shown)).assert_problem(422, "clock_backwards");
    to("1970-01-01T00:00:00Z").assert_problem(422, "clock_backwards");
    to("9000-01-01T00:00:00.000001Z").assert_problem(422, "clock_too_far");
    to("9999-12-31T23:59:59Z").assert_problem(422, "clock_too_far");
    assert_eq!(ahead(&advance(&operator, "0D")), ahead(&operator.get(CLOCK)));

    let far = now(&to("8999-06-30T12:00:00Z"));
    advance(&operator, "100Y").assert_problem(422, "clock_too_far");
    advance(&operator, "1Y").assert_problem(422, "clock_too_far");
    assert!(now(&operator.get(CLOCK)) - far < TimeDelta::minutes(1));
    // The ledger works there as everywhere.
    let member = app.enrol("ana");
    let order = app.checkout().post("/v1/orders", &app.order(&member, "A-1", &time::canonical(far), "5"));
    assert_eq!((order.status, &order.body["wallet"]["pending"]), (201, &json!(5)), "{order:?}");
    assert_eq!(points(&app.checkout(), &member), (json!(5), json!(0)));
}

#[test]
fn a_clock_is_moved_to_where_it_stands() {
    let at = "2030-01-01T00:00:00Z";
    let app = App::on(Database::sandbox(), Clock::stopped_at(instant(at)), |_| {});
    let answer = app.operator().post(CLOCK, &json!({ "to": at }));
    assert_eq!((now(&answer), ahead(&answer)), (instant(at), 0));
    let before = app.operator().post(CLOCK, &json!({ "to": "2029-12-31T23:59:59.999999Z" }));
    before.assert_problem(422, "clock_backwards");
}

#[test]
fn a_move_that_is_no_move_is_refused_and_changes_nothing() {
    let app = App::sandbox();
    let (operator, before) = (app.operator(), app.rows());
    for (body, faults) in [
        (json!({}), vec![("/advance", "contradiction")]),
        (json!({ "advance": "1D", "to": "2050-01-01T00:00:00Z" }), vec![("/advance", "contradiction")]),
        (json!({ "advance": "1X", "to": "yesterday" }), vec![("/advance", "contradiction")]),
        (json!({ "advance": "1X" }), vec![("/advance", "wrong_form")]),
        (json!({ "advance": "-1D" }), vec![("/advance", "wrong_form")]),
        (json!({ "advance": "101Y" }), vec![("/advance", "wrong_form")]),
        (json!({ "advance": 1 }), vec![("/advance", "wrong_type")]),
        (json!({ "advance": null }), vec![("/advance", "wrong_type")]),
        (json!({ "to": "yesterday" }), vec![("/to", "wrong_form")]),
        (json!({ "to": "2050-01-01T00:00:00" }), vec![("/to", "wrong_form")]),
        (json!({ "to": null }), vec![("/to", "wrong_type")]),
        (json!({ "to": "2050-01-01T00:00:00Z", "zone": "UTC" }), vec![("/zone", "unknown")]),
        (json!([]), vec![("", "wrong_type")]),
    ] {
        let answer = operator.post(CLOCK, &body);
        answer.assert_problem(422, "validation_failed");
        assert!(faults.iter().all(|fault| answer.faults().contains(fault)), "{body}: {answer:?}");
    }
    operator.send("POST", CLOCK, &[], Some("{")).assert_problem(400, "malformed_json");
    let finance = app.client(Some(token("finance", "ledger:read members:read", None)));
    advance(&finance, "1D").assert_problem(403, "scope_missing");
    finance.get(CLOCK).assert_problem(403, "scope_missing");
    operator.send("DELETE", CLOCK, &[], None).assert_problem(405, "method_not_allowed");
    assert_eq!(ahead(&operator.get(CLOCK)), 0);
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

#[test]
fn a_production_ledger_has_no_clock_to_move() {
    let app = App::start();
    for client in [app.operator(), app.client(None)] {
        let unknown = client.get("/v1/sandbox/nothing");
        unknown.assert_problem(404, "not_found");
        for answer in [client.get(CLOCK), advance(&client, "1D"), client.send("DELETE", CLOCK, &[], None)] {
            assert_eq!((answer.status, &answer.text), (404, &unknown.text), "{answer:?}");
        }
    }
    // Nor can the service give it one, nor make itself a sandbox.
    let mut service = app.database.service();
    assert!(service.batch_execute("UPDATE ledger SET clock_ahead = 1").is_err());
    assert!(service.batch_execute("UPDATE ledger SET sandbox = true").is_err());
    assert!(app.owner().batch_execute("UPDATE ledger SET clock_ahead = 1").is_err());
    let sandbox = Database::sandbox();
    assert!(sandbox.owner().batch_execute("UPDATE ledger SET clock_ahead = -1").is_err());
}

#[test]
fn a_ledger_that_was_opened_to_be_read_moves_no_clock() {
    let database = Database::sandbox();
    let ledger = Ledger::open_to_read(LedgerConfig::new(database.service_url())).unwrap();
    let moved = ledger.move_clock(ClockMove::To(instant("2100-01-01T00:00:00Z")));
    assert!(matches!(moved, Err(ClockError::ReadOnly)), "{moved:?}");
    assert_eq!(sql::number(&mut database.owner(), "SELECT clock_ahead FROM ledger"), 0);
}

#[test]
fn a_version_that_the_clock_was_moved_past_is_known_to_every_instance() {
    let app = App::sandbox();
    let other = App::on(app.database.clone(), Clock::database(), |_| {});
    let (operator, member) = (app.operator(), app.enrol("ana"));
    // The other instance has just read the versions.
    let shown = time::canonical(now(&operator.get(CLOCK)));
    assert_eq!(other.checkout().post("/v1/orders", &app.order(&member, "A-1", &shown, "10")).status, 201);
    let table: toml::Table = PROGRAM.replace("points_per_unit = \"1\"", "points_per_unit = \"2\"").parse().unwrap();
    let effective_at = time::canonical(now(&operator.get(CLOCK)) + TimeDelta::days(1));
    let version = json!({ "effective_at": effective_at, "document": table });
    assert_eq!(operator.post_keyed("/v1/program/versions", "k-1", &version).status, 201);
    let moved = time::canonical(now(&advance(&operator, "48H")));
    let answer = other.checkout().post("/v1/orders", &app.order(&member, "A-2", &moved, "10"));
    assert_eq!((answer.status, &answer.body["earned"]["points"]), (201, &json!(20)), "{answer:?}");
}

#[test]
fn a_database_of_one_mode_is_refused_by_the_other() {
    const LINE: &str = "order_id,customer_id,ordered_on,items,amount\nA-1,ana,2024-02-29,1,10.00\n";
    let production = Place::new();
    let program = production.file("program.toml", PROGRAM);
    let program = program.to_str().unwrap();
    production.run(&["migrate"]).expect(0);
    let listen = ["--listen", "127.0.0.1:0"];
    let is_refused = |place: &Place, arguments: &[&str], why: &str| {
        let ran = place.run(arguments).expect(2);
        assert!(ran.err.contains(why), "{arguments:?}: {ran:?}");
    };
    let why = "the database is a production ledger, and stays one; leave --sandbox out";
    is_refused(&production, &["serve", listen[0], listen[1], "--sandbox", "--program", "nowhere.toml"], why);
    is_refused(&production, &["migrate", "--sandbox", "--journals", "4"], why);
    is_refused(&production, &["demo", listen[0], listen[1]], why);

    let sandbox = Place::new();
    let orders = sandbox.file("orders.csv", LINE);
    sandbox.file("accrue.toml", "sandbox = true\n");
    sandbox.run(&["--config", "accrue.toml", "migrate"]).expect(0);
    let why = "the database is a sandbox, and stays one; give --sandbox";
    is_refused(&sandbox, &["serve", listen[0], listen[1], "--program", "nowhere.toml"], why);
    is_refused(&sandbox, &["migrate"], why);
    // What works beside a service takes the database as it is.
    sandbox.run(&["import", "orders", orders.to_str().unwrap(), "--program", program]).expect(0);
    sandbox.run(&["verify"]).expect(0);
    sandbox.run(&["export", "-o", "ledger.ndjson"]).expect(0);

    // A database of one's own, refused before its programme is seeded.
    let own = Database::sandbox();
    let mut command = production.command(&["serve", listen[0], listen[1], "--program", "nowhere.toml"]);
    command.env("DATABASE_URL", own.service_url()).env("ACCRUE_HS256_SECRET", "x".repeat(32));
    let refused = command.output().unwrap();
    assert!(String::from_utf8(refused.stderr).unwrap().contains(why));
    let mut command = production.command(&["serve", listen[0], listen[1], "--program", "nowhere.toml"]);
    command.env("DATABASE_URL", own.service_url()).env("ACCRUE_HS256_SECRET", "x".repeat(32));
    let taken = command.env("ACCRUE_SANDBOX", "true").output().unwrap();
    assert!(String::from_utf8(taken.stderr).unwrap().contains("nowhere.toml"));
}

#[test]
fn a_service_makes_a_sandbox_at_its_first_start_and_keeps_its_clock() {
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let service = Running::serve_with(&place, &program, &["--sandbox"]);
    let operator = place.run(&["token", "--as", "operator"]).expect(0).out.trim().to_owned();
    let moved = advance(&Client::new(service.base.clone(), Some(operator.clone())), "366D");
    assert!(ahead(&moved) >= 365 * 86_400, "{moved:?}");
    assert_eq!(service.terminate(), Some(0));

    let service = Running::serve_with(&place, &program, &["--sandbox"]);
    // The token is as good as before: tokens keep real time.
    let again = Client::new(service.base.clone(), Some(operator)).get(CLOCK);
    assert!(now(&again) >= now(&moved), "{again:?}");
    assert_eq!(ahead(&again), ahead(&moved));
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn a_ledger_from_before_there_were_sandboxes_is_production_and_a_demonstration_is_a_sandbox() {
    for (demo, expected) in [("NULL", "f 0"), ("10373", "t 0")] {
        let database = Database::new();
        let mut owner = database.owner();
        let ledger = "SELECT concat_ws(' ', id, created_at, demo_loaded) FROM ledger";
        let before = sql::text(&mut owner, ledger);
        owner.batch_execute(&format!("UPDATE ledger SET demo_shift_days = {demo}")).unwrap();
        while owner.applied_migrations().unwrap().len() > 1 {
            owner.revert_last_migration(MIGRATIONS).unwrap();
        }
        assert_eq!(sql::text(&mut owner, ledger), before);
        migrate::run(&mut owner).unwrap();
        assert_eq!(sql::text(&mut owner, ledger), before);
        assert_eq!(sql::text(&mut owner, "SELECT concat_ws(' ', sandbox, clock_ahead) FROM ledger"), expected);
        drop(App::on(database, Clock::database(), |_| {}));
    }
}

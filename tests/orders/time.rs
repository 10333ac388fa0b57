//! What time does to points, and to the rules by which they are earned.

use serde_json::{Value, json};

use super::{NOON, history, points, wallet};
use crate::support::{App, Client, PROGRAM, instant};

fn line(kind: &str, points: i64, effective_at: &str) -> (String, i64, String) {
    (kind.to_owned(), points, effective_at.to_owned())
}

#[test]
fn points_become_active_and_expire_by_the_calendar_of_the_programmes_zone() {
    let app = App::at("2026-12-31T12:00:00Z");
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let cases = [
        // In New York the clocks go forward on 8 March: the same local time is an hour earlier in UTC.
        ("2026-03-01T12:00:00Z", "2026-03-15T11:00:00.000000Z", "2027-04-01T04:00:00.000000Z"),
        // Still 31 March in New York, already April in UTC.
        ("2026-04-01T03:59:59.999999Z", "2026-04-15T03:59:59.999999Z", "2027-04-01T04:00:00.000000Z"),
        ("2026-04-01T04:00:00Z", "2026-04-15T04:00:00.000000Z", "2027-05-01T04:00:00.000000Z"),
        // The expiry of an autumn order is at a midnight in winter time.
        ("2026-10-20T12:00:00Z", "2026-11-03T13:00:00.000000Z", "2027-11-01T04:00:00.000000Z"),
        ("2026-11-20T12:00:00Z", "2026-12-04T12:00:00.000000Z", "2027-12-01T05:00:00.000000Z"),
        // A leap day.
        ("2024-02-29T17:00:00Z", "2024-03-14T16:00:00.000000Z", "2025-03-01T05:00:00.000000Z"),
    ];
    for (n, (occurred_at, active_at, expires_at)) in cases.into_iter().enumerate() {
        let answer = checkout.post("/v1/orders", &app.order(&member, &format!("Z-{n}"), occurred_at, "1"));
        let earned = &answer.body["earned"];
        assert_eq!((earned["active_at"].as_str(), earned["expires_at"].as_str()), (Some(active_at), Some(expires_at)));
    }
}

#[test]
fn a_balance_is_right_at_every_instant_although_no_job_has_run() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    assert_eq!(checkout.post("/v1/orders", &order).status, 201);
    let before = app.rows();
    for (at, expected) in [
        ("2026-03-24T10:59:59Z", points(29, 0)),
        ("2026-03-24T10:59:59.999999Z", points(29, 0)),
        ("2026-03-24T11:00:00Z", points(0, 29)),
        ("2026-03-24T11:00:01Z", points(0, 29)),
        ("2027-04-01T03:59:59Z", points(0, 29)),
        ("2027-04-01T03:59:59.999999Z", points(0, 29)),
        ("2027-04-01T04:00:00Z", points(0, 0)),
        ("2027-04-01T04:00:01Z", points(0, 0)),
    ] {
        app.clock.set(instant(at));
        assert_eq!(wallet(&checkout, &member), expected, "at {at}");
        assert_eq!(checkout.get(&format!("/v1/members/{member}")).body["wallet"], expected, "at {at}");
        assert_eq!(wallet(&app.member(&member), "me"), expected, "at {at}");
    }
    assert_eq!(app.rows(), before, "reading wrote something");

    // The next command writes down what fell due meanwhile, at the times when it did.
    let next = checkout.post("/v1/orders", &app.order(&member, "A-2", "2027-04-01T04:00:00Z", "5"));
    assert_eq!(next.body["wallet"], points(5, 0));
    assert_eq!(
        history(&checkout, &member)[1..],
        [
            line("points.earned", 29, "2026-03-10T11:00:00.000000Z"),
            line("points.activated", 0, "2026-03-24T11:00:00.000000Z"),
            line("points.expired", -29, "2027-04-01T04:00:00.000000Z"),
            line("points.earned", 5, "2027-04-01T04:00:00.000000Z"),
        ]
    );
}

#[test]
fn orders_may_come_late_out_of_order_and_be_older_than_the_member() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    for (order_id, occurred_at, amount, expected) in [
        ("A-1", "2026-03-10T11:00:00Z", "10", points(10, 0)),
        // A month old, before the member joined: past its return window.
        ("A-2", "2026-02-10T11:00:00Z", "20", points(10, 20)),
        ("A-3", "2026-03-01T11:00:00Z", "30", points(40, 20)),
        // To the microsecond.
        ("A-4", "2026-02-24T13:00:00Z", "100", points(40, 120)),
        ("A-5", "2026-02-24T13:00:00.000001Z", "200", points(240, 120)),
    ] {
        let answer = checkout.post("/v1/orders", &app.order(&member, order_id, occurred_at, amount));
        assert_eq!((answer.status, &answer.body["wallet"]), (201, &expected), "{order_id}: {answer:?}");
        assert_eq!(wallet(&checkout, &member), expected);
    }
    assert_eq!(
        history(&checkout, &member)[1..3],
        [
            line("points.earned", 10, "2026-03-10T11:00:00.000000Z"),
            line("points.earned", 20, "2026-02-10T11:00:00.000000Z"),
        ]
    );
}

#[test]
fn points_that_had_expired_before_their_order_was_posted_are_earned_and_expired() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    assert_eq!(checkout.post("/v1/orders", &app.order(&member, "A-1", "2026-01-10T11:00:00Z", "7")).status, 201);
    let old = checkout.post("/v1/orders", &app.order(&member, "A-0", "2024-01-15T12:00:00Z", "29.33"));
    assert_eq!((old.status, &old.body["earned"]["points"]), (201, &json!(29)), "{old:?}");
    assert_eq!(old.body["wallet"], points(0, 7));
    assert_eq!(wallet(&checkout, &member), points(0, 7));
    assert_eq!(
        history(&checkout, &member)[2..],
        [
            line("points.earned", 29, "2024-01-15T12:00:00.000000Z"),
            line("points.expired", -29, "2025-02-01T05:00:00.000000Z"),
        ]
    );
}

#[test]
fn an_order_five_minutes_ahead_is_taken_and_a_microsecond_more_is_not() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let before = app.rows();
    let late = app.order(&member, "A-1", "2026-03-10T12:05:00.000001Z", "10");
    checkout.post("/v1/orders", &late).assert_problem(422, "occurred_in_future");
    assert_eq!(app.rows(), before, "a refusal left a trace");
    let answer = checkout.post("/v1/orders", &app.order(&member, "A-1", "2026-03-10T12:05:00Z", "10"));
    assert_eq!((answer.status, &answer.body["wallet"]), (201, &points(10, 0)), "{answer:?}");
}

// The programme of the tests with another rate.
fn document(rate: &str) -> Value {
    let table: toml::Table = PROGRAM.parse().unwrap();
    let mut document = serde_json::to_value(table).unwrap();
    document["earning"]["points_per_unit"] = json!(rate);
    document
}

fn publish(operator: &Client, key: &str, effective_at: &str, rate: &str) -> crate::support::Answer {
    let version = json!({ "effective_at": effective_at, "document": document(rate) });
    operator.post_keyed("/v1/program/versions", key, &version)
}

// The programme version that the order's entry names.
fn version_of(app: &App, order_id: &str) -> i64 {
    let journals = app.finance().get("/v1/ledger/journals").body["journals"].as_array().unwrap().len();
    let pages = (1..journals).map(|id| app.finance().get(&format!("/v1/ledger/entries?journal={id}&limit=1000")));
    let entries: Vec<Value> = pages.flat_map(|page| page.body["entries"].as_array().unwrap().clone()).collect();
    let entry = entries.iter().find(|entry| entry["payload"]["order"]["order_id"] == order_id).expect("an entry");
    entry["program_version"].as_i64().unwrap()
}

#[test]
fn an_order_earns_by_the_version_in_force_when_it_occurred() {
    let app = App::at(NOON);
    let (checkout, operator, member) = (app.checkout(), app.operator(), app.enrol("ana"));
    let published = publish(&operator, "double", "2026-03-10T12:01:00Z", "2");
    assert_eq!((published.status, &published.body["version"]), (201, &json!(2)), "{published:?}");
    let again = publish(&operator, "double", "2026-03-10T12:01:00Z", "2");
    assert_eq!((again.status, &again.text, again.replayed()), (201, &published.text, true));
    publish(&operator, "double", "2026-03-10T12:01:00Z", "3").assert_problem(409, "idempotency_key_conflict");

    let earn = |order_id: &str, occurred_at: &str| {
        let answer = checkout.post("/v1/orders", &app.order(&member, order_id, occurred_at, "10"));
        (answer.body["earned"]["points"].as_i64().expect("points"), version_of(&app, order_id))
    };
    // Not in force yet: the present decides about what lies ahead of it.
    assert_eq!(earn("A-1", "2026-03-10T12:02:00Z"), (10, 1));
    app.clock.set(instant("2026-03-10T13:00:00Z"));
    assert_eq!(earn("A-2", "2026-03-10T12:00:59.999999Z"), (10, 1));
    assert_eq!(earn("A-3", "2026-03-10T12:01:00Z"), (20, 2));
    assert_eq!(earn("A-4", "2026-03-10T12:59:00Z"), (20, 2));
    assert_eq!(earn("A-5", "1999-12-31T12:00:00Z"), (10, 1));
    let versions = operator.get("/v1/program/versions").body["versions"].clone();
    let versions = versions.as_array().unwrap();
    assert_eq!(versions.iter().map(|version| version["version"].as_i64().unwrap()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(versions[0]["document"], document("2"));
}

#[test]
fn a_version_takes_effect_a_minute_ahead_and_after_every_other() {
    let app = App::at(NOON);
    let (operator, before) = (app.operator(), app.rows());
    let refused = publish(&operator, "k-0", "2026-03-10T12:00:59.999999Z", "2");
    refused.assert_problem(422, "effective_too_soon");
    assert_eq!(refused.body["seconds"], 60);
    // The refusal is remembered under its key, and nothing else is.
    let changed: Vec<_> = app.rows().into_iter().zip(before).filter(|(now, then)| now != then).collect();
    assert_eq!(changed, [(("idempotency", 1), ("idempotency", 0))]);
    assert_eq!(publish(&operator, "k-1", "2026-03-10T12:05:00Z", "2").status, 201);
    publish(&operator, "k-2", "2026-03-10T12:05:00Z", "3").assert_problem(422, "effective_too_soon");
    publish(&operator, "k-3", "2026-03-10T12:04:00Z", "3").assert_problem(422, "effective_too_soon");
    assert_eq!(publish(&operator, "k-4", "2026-03-10T12:05:00.000001Z", "3").body["version"], 3);
}

//! Causes, and points given to them.

use accrue::postgres::connect;
use accrue::read::verify::{self, NotVerified};
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, NOON, fund, instant, nobody, sql, two_journals, wallet};

// When points were earned that are active at NOON.
const EARLIER: &str = "2026-02-01T12:00:00Z";

fn define(app: &App, key: &str, terms: &Value) -> String {
    let answer = app.operator().post_keyed("/v1/causes", key, terms);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

fn donate(client: &Client, key: &str, member: &str, cause: &str, points: i64) -> Answer {
    client.post_keyed("/v1/donations", key, &json!({ "member_id": member, "cause_id": cause, "points": points }))
}

#[test]
fn a_cause_can_be_defined_and_read() {
    let app = App::at(NOON);
    let terms = json!({
        "name": "Bäume", "goal": 5_000, "open_from": "2026-03-01T00:00:00-05:00", "open_until": "2026-12-31T00:00:00Z",
    });
    let made = app.operator().post_keyed("/v1/causes", "k-1", &terms);
    let id = made.body["id"].as_str().unwrap();
    let expected = json!({
        "id": id, "name": "Bäume", "goal": 5_000, "open_from": "2026-03-01T05:00:00.000000Z",
        "open_until": "2026-12-31T00:00:00.000000Z", "total": 0, "donations": 0,
    });
    assert_eq!((made.status, &made.body), (201, &expected));
    assert_eq!(made.headers["location"], format!("/v1/causes/{id}"));
    let again = app.operator().post_keyed("/v1/causes", "k-1", &terms);
    assert_eq!(
        (again.replayed(), &again.text, &again.headers["location"]),
        (true, &made.text, &made.headers["location"])
    );
    let member = app.enrol("ana");
    for client in [app.finance(), app.member(&member)] {
        assert_eq!(client.get(&made.headers["location"]).body, expected);
    }
    for unknown in ["x".to_owned(), uuid::Uuid::now_v7().to_string(), member] {
        app.finance().get(&format!("/v1/causes/{unknown}")).assert_problem(404, "cause_not_found");
    }
    app.finance().post_keyed("/v1/causes", "k-2", &terms).assert_problem(403, "scope_missing");
}

#[test]
fn bad_causes_are_refused() {
    let app = App::at(NOON);
    let before = app.rows();
    for (terms, fault) in [
        (json!({}), ("/name", "missing")),
        (json!({ "name": "" }), ("/name", "wrong_length")),
        (json!({ "name": "x".repeat(101) }), ("/name", "wrong_length")),
        (json!({ "name": "Trees", "goal": 0 }), ("/goal", "out_of_range")),
        (json!({ "name": "Trees", "goal": 9_007_199_254_740_992_i64 }), ("/goal", "out_of_range")),
        (json!({ "name": "Trees", "open_from": "2026-03-01" }), ("/open_from", "wrong_form")),
        (json!({ "name": "Trees", "until": NOON }), ("/until", "unknown")),
    ] {
        let refused = app.operator().post_keyed("/v1/causes", "k-1", &terms);
        refused.assert_problem(422, "validation_failed");
        assert_eq!(refused.faults(), [fault]);
    }
    app.operator().post("/v1/causes", &json!({ "name": "Trees" })).assert_problem(400, "idempotency_key_required");
    assert_eq!(app.rows(), before, "a refusal left a trace");
    let window = json!({ "name": "Trees", "open_from": NOON, "open_until": NOON });
    app.operator().post_keyed("/v1/causes", "k-1", &window).assert_problem(422, "window_ends_before_it_begins");
    let other = app.operator().post_keyed("/v1/causes", "k-1", &json!({ "name": "Trees" }));
    other.assert_problem(409, "idempotency_key_conflict");
}

#[test]
fn a_donation_has_a_receipt_and_counts_towards_the_total_over_all_journals() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    let (trees, bees) =
        (define(&app, "c-1", &json!({ "name": "Trees" })), define(&app, "c-2", &json!({ "name": "Bees" })));
    fund(&app, &ana, "A-1", EARLIER, 60);
    fund(&app, &ana, "A-2", "2026-01-20T12:00:00Z", 40);
    fund(&app, &ben, "B-1", EARLIER, 100);
    let phone = app.member(&ana);
    let first = phone.post_keyed("/v1/donations", "k-1", &json!({ "cause_id": trees, "points": 50 }));
    let entry = phone.get("/v1/members/me/entries?kind=points.donated").body["entries"][0].clone();
    let journal = phone.get("/v1/members/me").body["journal"].clone();
    let expected = json!({
        "id": first.body["id"], "member_id": ana, "cause_id": trees, "points": 50,
        "receipt_number": format!("{journal}-{}", entry["seq"]), "donated_at": "2026-03-10T12:00:00.000000Z",
        "cause_total": 50, "wallet": { "active": 50, "debt": 0, "held": 0, "pending": 0 },
    });
    assert_eq!((first.status, &first.body), (201, &expected));
    assert_eq!((&entry["points"], &entry["balance_after"]["active"]), (&json!(-50), &json!(50)));
    let again =
        phone.post_keyed("/v1/donations", "k-1", &json!({ "points": 50, "cause_id": trees, "member_id": "me" }));
    assert_eq!((again.status, &again.text, again.replayed()), (201, &first.text, true));
    // The soonest-expiring points went first.
    let expiring = phone.get("/v1/members/me/wallet").body;
    assert_eq!(expiring["expiring"], json!([{ "points": 50, "expires_at": "2027-03-01T05:00:00.000000Z" }]));
    assert_eq!((&expiring["lifetime_earned"], &expiring["lifetime_spent"]), (&json!(100), &json!(50)));

    assert_eq!(donate(&app.operator(), "k-2", &ben, &trees, 30).body["cause_total"], 80);
    assert_eq!(donate(&app.operator(), "k-3", &ben, &bees, 20).body["cause_total"], 20);
    assert_eq!(donate(&app.operator(), "k-4", &ana, &trees, 1).body["cause_total"], 81);
    let totals = |cause: &str| {
        let cause = app.member(&ben).get(&format!("/v1/causes/{cause}")).body;
        (cause["total"].as_i64().unwrap(), cause["donations"].as_i64().unwrap())
    };
    assert_eq!((totals(&trees), totals(&bees)), ((81, 3), (20, 1)));
    assert_eq!((wallet(&app, &ana), wallet(&app, &ben)), ([49, 0, 0], [50, 0, 0]));
}

#[test]
fn donations_are_listed_by_member_and_by_cause() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    let (trees, bees) =
        (define(&app, "c-1", &json!({ "name": "Trees" })), define(&app, "c-2", &json!({ "name": "Bees" })));
    fund(&app, &ana, "A-1", EARLIER, 100);
    fund(&app, &ben, "B-1", EARLIER, 100);
    let mut made = Vec::new();
    for (n, (member, cause)) in [(&ana, &trees), (&ben, &trees), (&ana, &bees), (&ana, &trees)].into_iter().enumerate()
    {
        let mut donation = donate(&app.operator(), &format!("k-{n}"), member, cause, 1 + n as i64).body;
        let shown = donation.as_object_mut().unwrap();
        shown.remove("cause_total");
        shown.remove("wallet");
        made.insert(0, donation);
        // Ids tell milliseconds apart.
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    let list = |client: &Client, query: &str| -> Vec<Value> {
        let answer = client.get(&format!("/v1/donations{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["donations"].as_array().unwrap().clone()
    };
    let of = |places: &[usize]| -> Vec<Value> { places.iter().map(|place| made[*place].clone()).collect() };
    let (finance, phone) = (app.finance(), app.member(&ana));
    assert_eq!(list(&finance, &format!("?cause={trees}")), of(&[0, 2, 3]));
    assert_eq!(list(&finance, &format!("?member={ana}")), of(&[0, 1, 3]));
    assert_eq!(list(&finance, &format!("?member={ana}&cause={trees}")), of(&[0, 3]));
    assert_eq!(list(&phone, ""), of(&[0, 1, 3]));
    // A cause is for all; who gave to it is not.
    assert_eq!(list(&phone, &format!("?cause={trees}")), of(&[0, 3]));
    assert_eq!(list(&phone, &format!("?member=me&cause={bees}")), of(&[1]));
    phone.get(&format!("/v1/donations?member={ben}")).assert_problem(404, "member_not_found");
    for query in [format!("?cause={trees}"), format!("?member={ana}")] {
        let mut seen = Vec::new();
        let mut next = format!("{query}&limit=1");
        loop {
            let page = finance.get(&format!("/v1/donations{next}")).body;
            seen.extend(page["donations"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("{query}&limit=1&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(seen, list(&finance, &query));
    }
    finance.get("/v1/donations").assert_problem(400, "invalid_parameter");
    finance.get("/v1/donations?member=me").assert_problem(400, "invalid_parameter");
    finance.get("/v1/donations?cause=x").assert_problem(400, "invalid_parameter");
    finance.get(&format!("/v1/donations?member={}", nobody())).assert_problem(404, "member_not_found");
    let nothing = uuid::Uuid::now_v7();
    finance.get(&format!("/v1/donations?cause={nothing}")).assert_problem(404, "cause_not_found");
    // Causes page as well.
    let first = phone.get("/v1/causes?limit=1").body;
    let rest = phone.get(&format!("/v1/causes?limit=1&cursor={}", first["next_cursor"].as_str().unwrap())).body;
    let ids = [&first["causes"][0]["id"], &rest["causes"][0]["id"]];
    assert_eq!((ids, &rest["next_cursor"]), ([&json!(bees), &json!(trees)], &Value::Null));
    assert_eq!(rest["causes"][0]["total"], 7);
}

#[test]
fn donations_that_cannot_be_are_refused() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    let trees = define(&app, "c-1", &json!({ "name": "Trees" }));
    let window = json!({ "name": "Later", "open_from": "2026-03-11T12:00:00Z", "open_until": "2026-03-12T12:00:00Z" });
    let later = define(&app, "c-2", &window);
    fund(&app, &ana, "A-1", EARLIER, 100);
    let client = app.operator();
    let before = app.rows();
    for (body, fault) in [
        (json!({ "member_id": ana, "cause_id": trees, "points": 0 }), ("/points", "out_of_range")),
        (json!({ "member_id": ana, "cause_id": trees, "points": -5 }), ("/points", "out_of_range")),
        (json!({ "member_id": ana, "cause_id": trees, "points": 1_i64 << 53 }), ("/points", "out_of_range")),
        (json!({ "member_id": ana, "cause_id": "trees", "points": 5 }), ("/cause_id", "wrong_form")),
        (json!({ "member_id": "ana", "cause_id": trees, "points": 5 }), ("/member_id", "wrong_form")),
        (json!({ "cause_id": trees, "points": 5 }), ("/member_id", "missing")),
        (json!({ "member_id": ana, "cause_id": trees, "points": 5, "message": "x" }), ("/message", "unknown")),
    ] {
        let refused = client.post_keyed("/v1/donations", "k-1", &body);
        refused.assert_problem(422, "validation_failed");
        assert_eq!(refused.faults(), [fault]);
    }
    let body = json!({ "member_id": ana, "cause_id": trees, "points": 5 });
    client.post("/v1/donations", &body).assert_problem(400, "idempotency_key_required");
    app.member(&ben).post_keyed("/v1/donations", "k-1", &body).assert_problem(404, "member_not_found");
    assert_eq!(app.rows(), before, "a refusal left a trace");

    let poor = donate(&client, "k-1", &ana, &trees, 101);
    poor.assert_problem(409, "insufficient_points");
    assert_eq!(poor.body["available"], 100);
    donate(&client, "k-2", &ana, &uuid::Uuid::now_v7().to_string(), 1).assert_problem(404, "cause_not_found");
    donate(&client, "k-3", &nobody(), &trees, 1).assert_problem(404, "member_not_found");
    for (n, (at, open)) in [
        ("2026-03-11T11:59:59.999999Z", false),
        ("2026-03-11T12:00:00Z", true),
        ("2026-03-12T11:59:59.999999Z", true),
        ("2026-03-12T12:00:00Z", false),
    ]
    .into_iter()
    .enumerate()
    {
        app.clock.set(instant(at));
        let answer = donate(&client, &format!("w-{n}"), &ana, &later, 1);
        if open { assert_eq!(answer.status, 201, "{answer:?}") } else { answer.assert_problem(409, "cause_not_open") }
    }
    assert!(donate(&client, "k-1", &ana, &trees, 101).replayed());
    donate(&client, "k-1", &ana, &trees, 1).assert_problem(409, "idempotency_key_conflict");
    assert_eq!(wallet(&app, &ana), [98, 0, 0]);
}

#[test]
fn a_row_that_its_entry_does_not_give_is_named() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    fund(&app, &member, "A-1", EARLIER, 100);
    let cause = define(&app, "c-1", &json!({ "name": "Trees" }));
    assert_eq!(donate(&app.operator(), "d-1", &member, &cause, 10).status, 201);
    let mut owner = app.owner();
    owner.batch_execute("SET session_replication_role = replica").expect("a superuser may pass the triggers by");
    for (table, column, other) in [
        ("donation", "id", "gen_random_uuid()"),
        ("donation", "donated_at", "donated_at + interval '1 microsecond'"),
        ("program_version", "published_at", "published_at + interval '1 microsecond'"),
    ] {
        let was = sql::text(&mut owner, &format!("SELECT {column} FROM {table}"));
        let mut set = |value: &str| {
            owner.batch_execute(&format!("UPDATE {table} SET {column} = {value}")).expect("a superuser may");
        };
        set(other);
        let mut connection = connect::auditor(&app.database.service_url()).expect("the database answers");
        let said = verify::database(&mut connection, |_| {}).unwrap_err();
        assert!(matches!(said, NotVerified::Projection { .. }), "{table}.{column}: {said:?}");
        set(&format!("'{was}'"));
    }
}

//! An operator corrects a wallet.

use serde_json::json;

use crate::support::{App, NOON, instant, nobody, sql};

#[test]
fn points_are_added_and_taken_for_a_reason() {
    let app = App::at(NOON);
    let (operator, member) = (app.operator(), app.enrol("ana"));
    let body = json!({ "member_id": member, "points": 500, "reason": "goodwill", "note": "A late parcel" });
    let added = operator.ask("/v1/adjustments", &body);
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!((&added.body["points"], &added.body["reason"]), (&json!(500), &json!("goodwill")));
    assert_eq!(added.body["wallet"], json!({ "active": 500, "debt": 0, "held": 0, "pending": 0 }));
    let taken = operator.ask("/v1/adjustments", &json!({ "member_id": member, "points": -200, "reason": "fraud" }));
    assert_eq!((taken.status, &taken.body["wallet"]["active"]), (201, &json!(300)), "{taken:?}");

    // Added points expire as if they had been earned now, and count neither as earned nor as spent.
    let wallet = app.checkout().get(&format!("/v1/members/{member}/wallet")).body;
    assert_eq!(wallet["expiring"], json!([{ "points": 300, "expires_at": "2027-04-01T04:00:00.000000Z" }]));
    assert_eq!((&wallet["lifetime_earned"], &wallet["lifetime_spent"]), (&json!(0), &json!(0)));
    let entries = app.checkout().get(&format!("/v1/members/{member}/entries")).body["entries"].clone();
    assert_eq!((&entries[0]["kind"], &entries[0]["points"]), (&json!("points.adjusted"), &json!(-200)));
    assert_eq!(entries[1]["details"]["reason"], "goodwill");
    let actor = "SELECT actor FROM entry WHERE kind = 'points.adjusted' LIMIT 1";
    assert_eq!(sql::text(&mut app.owner(), actor), "client:operator");
    // Invariant 8: what an operator writes freely is in no journal.
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM entry WHERE payload LIKE '%parcel%'"), 0);
    assert_eq!(sql::text(&mut app.owner(), "SELECT body FROM note"), "A late parcel");
}

#[test]
fn no_more_is_taken_than_is_active() {
    let app = App::at(NOON);
    let (operator, member) = (app.operator(), app.enrol("ana"));
    app.earn(&member, "A-1", "2026-02-01T12:00:00Z", "10");
    app.earn(&member, "A-2", NOON, "100");
    let take = |points: i64| json!({ "member_id": member, "points": points, "reason": "correction" });
    let refused = operator.ask("/v1/adjustments", &take(-11));
    refused.assert_problem(409, "insufficient_points");
    assert_eq!(refused.body["available"], 10);
    assert_eq!(operator.ask("/v1/adjustments", &take(-10)).status, 201);
    assert_eq!(app.points(&member), [0, 100, 0, 0]);
    app.clock.set(instant("2026-04-01T12:00:00Z"));
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
}

#[test]
fn an_adjustment_is_done_once_under_its_key() {
    let app = App::at(NOON);
    let (operator, member) = (app.operator(), app.enrol("ana"));
    let body = json!({ "member_id": member, "points": 5, "reason": "other", "note": "x" });
    let first = operator.post_keyed("/v1/adjustments", "k-1", &body);
    let again = operator.post_keyed("/v1/adjustments", "k-1", &body);
    assert_eq!((again.status, &again.text, again.replayed()), (201, &first.text, true));
    let other = json!({ "member_id": member, "points": 5, "reason": "other", "note": "y" });
    operator.post_keyed("/v1/adjustments", "k-1", &other).assert_problem(409, "idempotency_key_conflict");
    operator.post("/v1/adjustments", &body).assert_problem(400, "idempotency_key_required");
    assert_eq!(app.points(&member), [5, 0, 0, 0]);
}

#[test]
fn the_request_of_an_adjustment_is_hashed_as_it_was_before_accounts_and_dates() {
    let app = App::at(NOON);
    let (operator, member) = (app.operator(), app.enrol("ana"));
    let body = json!({ "member_id": member, "points": 5, "reason": "other" });
    let first = operator.post_keyed("/v1/adjustments", "k-1", &body);
    let asked = format!(r#"{{"member_id":"{member}","points":5,"reason":"other"}}"#);
    let same = format!("SELECT count(*) FROM idempotency WHERE key = 'k-1' AND request_hash = sha256('{asked}')");
    assert_eq!(sql::number(&mut app.owner(), &same), 1);
    // What is left out is what is meant by saying it.
    let said = json!({ "member_id": member, "points": 5, "reason": "other", "account": "active" });
    let again = operator.post_keyed("/v1/adjustments", "k-1", &said);
    assert_eq!((again.status, &again.text, again.replayed()), (201, &first.text, true));
    let pending = json!({ "member_id": member, "points": 5, "reason": "other", "account": "pending",
        "active_at": "2026-04-01T00:00:00Z" });
    operator.post_keyed("/v1/adjustments", "k-1", &pending).assert_problem(409, "idempotency_key_conflict");
}

#[test]
fn points_that_are_added_keep_their_dates() {
    let app = App::at(NOON);
    let (operator, member) = (app.operator(), app.enrol("ana"));
    let add = |points: i64, more: serde_json::Value| {
        let mut body = json!({ "member_id": member, "points": points, "reason": "migration" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let added = operator.ask("/v1/adjustments", &body);
        assert_eq!((added.status, &added.body["account"]), (201, body.get("account").unwrap_or(&json!("active"))));
    };
    add(100, json!({ "active_at": "2025-06-01T00:00:00+02:00", "expires_at": "2026-06-01T00:00:00Z" }));
    add(20, json!({ "account": "pending", "active_at": "2026-03-11T00:00:00Z", "expires_at": "2026-05-01T00:00:00Z" }));
    add(3, json!({ "account": "pending", "active_at": "2026-03-12T00:00:00Z" }));
    assert_eq!(app.points(&member), [100, 23, 0, 0]);
    let lots = operator.get(&format!("/v1/members/{member}/lots")).body["lots"].clone();
    let dates = |points: i64| {
        let lot = lots.as_array().unwrap().iter().find(|lot| lot["earned"] == points).unwrap();
        [lot["active_at"].clone(), lot["expires_at"].clone()]
    };
    assert_eq!(dates(100), ["2025-05-31T22:00:00.000000Z", "2026-06-01T00:00:00.000000Z"]);
    assert_eq!(dates(20), ["2026-03-11T00:00:00.000000Z", "2026-05-01T00:00:00.000000Z"]);
    assert_eq!(dates(3), ["2026-03-12T00:00:00.000000Z", "2027-04-01T04:00:00.000000Z"]);
    for (at, points) in [
        ("2026-03-11T00:00:00Z", [120, 3, 0, 0]),
        ("2026-03-12T00:00:00Z", [123, 0, 0, 0]),
        ("2026-05-01T00:00:00Z", [103, 0, 0, 0]),
        ("2026-06-01T00:00:00Z", [3, 0, 0, 0]),
        ("2027-04-01T04:00:00Z", [0, 0, 0, 0]),
    ] {
        app.clock.set(instant(at));
        assert_eq!(app.points(&member), points, "{at}");
    }
}

#[test]
fn a_mistake_that_is_still_pending_is_taken_back_from_what_becomes_active_last() {
    let app = App::at(NOON);
    let (operator, member) = (app.operator(), app.enrol("ana"));
    app.earn(&member, "A-0", "2026-01-10T12:00:00Z", "7");
    // More lots than are looked at first, the last of them twice.
    for n in 0..40 {
        app.earn(&member, &format!("A-1{n}"), &format!("2026-03-09T12:{n:02}:00Z"), "10");
    }
    let again = app.earn(&member, "A-2", "2026-03-09T12:39:00Z", "5").body["earned"]["active_at"].clone();
    let take = |points: i64| {
        let body = json!({ "member_id": member, "points": points, "account": "pending", "reason": "correction" });
        operator.ask("/v1/adjustments", &body)
    };
    let refused = take(-406);
    refused.assert_problem(409, "insufficient_pending_points");
    assert_eq!(refused.body["available"], 405);
    let taken = take(-386);
    assert_eq!((taken.status, &taken.body["account"]), (201, &json!("pending")), "{taken:?}");
    assert_eq!(taken.body["wallet"], json!({ "active": 7, "debt": 0, "held": 0, "pending": 19 }));
    let entries = app.finance().get(&format!("/v1/members/{member}/entries?kind=points.adjusted")).body;
    assert_eq!(entries["entries"][0]["details"]["account"], "pending", "{entries}");
    assert_eq!(again, "2026-03-23T12:39:00.000000Z");
    let left = "SELECT string_agg(pending || ' ' || active_at, ', ' ORDER BY active_at) FROM lot WHERE pending > 0";
    let left = sql::text(&mut app.owner(), left);
    assert!(left.starts_with("10 2026-03-23 12:00:00") && left.contains(", 9 2026-03-23 12:01:00"), "{left}");
    // A refund takes what is left of its order's own points, and then from what is active.
    let refund = json!({ "refund_id": "R-1", "amount": "10" });
    assert_eq!(operator.post("/v1/orders/A-11/refunds", &refund).body["points_reversed"]["pending"], 9);
    let wallet = app.points(&member);
    assert_eq!(wallet[1], 10);
    app.clock.set(instant("2026-03-23T12:00:00Z"));
    take(-1).assert_problem(409, "insufficient_pending_points");
}

#[test]
fn fields_that_contradict_each_other_are_refused_each_for_its_reason() {
    let app = App::at(NOON);
    let (operator, member) = (app.operator(), app.enrol("ana"));
    let before = app.rows();
    let ask = |points: i64, account: &str, active_at: Option<&str>, expires_at: Option<&str>| {
        let mut body = json!({ "member_id": member, "points": points, "account": account, "reason": "migration" });
        for (field, date) in [("active_at", active_at), ("expires_at", expires_at)] {
            if let Some(date) = date {
                body[field] = json!(date);
            }
        }
        operator.ask("/v1/adjustments", &body)
    };
    let (soon, later, past) =
        (Some("2026-04-01T00:00:00Z"), Some("2026-05-01T00:00:00Z"), Some("2026-03-01T00:00:00Z"));
    for (points, account, active_at, expires_at, faults) in [
        (-5, "active", past, None, vec![("/active_at", "contradiction")]),
        (-5, "pending", soon, later, vec![("/active_at", "contradiction"), ("/expires_at", "contradiction")]),
        (5, "pending", None, later, vec![("/active_at", "missing")]),
        (5, "pending", Some("soon"), later, vec![("/active_at", "wrong_form")]),
        (5, "pending", later, soon, vec![("/expires_at", "contradiction")]),
        (5, "pending", soon, soon, vec![("/expires_at", "contradiction")]),
        (5, "active", past, past, vec![("/expires_at", "contradiction")]),
    ] {
        let refused = ask(points, account, active_at, expires_at);
        refused.assert_problem(422, "validation_failed");
        assert_eq!(refused.faults(), faults);
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
    ask(5, "active", soon, later).assert_problem(422, "active_in_future");
    ask(5, "pending", Some(NOON), later).assert_problem(422, "pending_not_in_future");
    ask(5, "active", None, Some(NOON)).assert_problem(422, "expires_in_past");
    ask(5, "active", Some("2026-01-01T00:00:00Z"), past).assert_problem(422, "expires_in_past");
    // The programme's own rule ends points a year after they came.
    let refused = ask(5, "pending", Some("2027-04-01T04:00:00Z"), None);
    refused.assert_problem(422, "expires_before_active");
    assert_eq!(refused.body["expires_at"], "2027-04-01T04:00:00.000000Z");
    assert_eq!(ask(5, "pending", Some("2027-04-01T04:00:00Z"), Some("2028-01-01T00:00:00Z")).status, 201);
    assert_eq!(app.points(&member), [0, 5, 0, 0]);
}

#[test]
fn bad_adjustments_are_refused_without_a_trace() {
    let app = App::at(NOON);
    let (operator, member) = (app.operator(), app.enrol("ana"));
    let before = app.rows();
    for (field, value, code) in [
        ("points", json!(0), "out_of_range"),
        ("points", json!(1.5), "out_of_range"),
        ("points", json!(9_007_199_254_740_992_i64), "out_of_range"),
        ("points", json!(-9_007_199_254_740_992_i64), "out_of_range"),
        ("points", json!("5"), "out_of_range"),
        ("reason", json!("whim"), "not_one_of"),
        ("note", json!(""), "wrong_length"),
        ("note", json!("x".repeat(501)), "wrong_length"),
        ("member_id", json!("me"), "wrong_form"),
        ("account", json!("held"), "not_one_of"),
        ("account", json!(null), "wrong_type"),
        ("active_at", json!("2026-04-01"), "wrong_form"),
        ("expires_at", json!("2027-04-01T00:00:00"), "wrong_form"),
    ] {
        let mut body = json!({ "member_id": member, "points": 5, "reason": "other" });
        body[field] = value;
        let refused = operator.ask("/v1/adjustments", &body);
        refused.assert_problem(422, "validation_failed");
        assert_eq!(refused.faults(), [(format!("/{field}").as_str(), code)]);
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
    let body = json!({ "member_id": nobody(), "points": 5, "reason": "other" });
    operator.ask("/v1/adjustments", &body).assert_problem(404, "member_not_found");
    let most = json!({ "member_id": member, "points": 9_007_199_254_740_991_i64, "reason": "migration" });
    assert_eq!(operator.ask("/v1/adjustments", &most).status, 201);
    operator.ask("/v1/adjustments", &most).assert_problem(422, "points_over_limit");
    app.checkout().ask("/v1/adjustments", &most).assert_problem(403, "scope_missing");
}

#[test]
fn adjustments_are_listed_with_their_notes_from_the_newest_to_the_oldest() {
    let app = App::at(NOON);
    let (operator, member, other) = (app.operator(), app.enrol("ana"), app.enrol("ben"));
    let adjust = |member: &str, points: i64, note: Option<&str>| {
        let mut body = json!({ "member_id": member, "points": points, "reason": "goodwill" });
        if let Some(note) = note {
            body["note"] = json!(note);
        }
        let made = operator.ask("/v1/adjustments", &body);
        assert_eq!(made.status, 201, "{made:?}");
        made.body["id"].clone()
    };
    adjust(&other, 1_000, Some("Somebody else's"));
    let mut made = Vec::new();
    for (points, note) in [(500, Some("A late parcel")), (-20, None), (7, Some("Thanks"))] {
        made.insert(0, (adjust(&member, points, note), points, note));
        app.earn(&member, &format!("A-{points}"), NOON, "10");
    }
    let list = |query: &str| {
        let answer = app.finance().get(&format!("/v1/adjustments?member={member}{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let rows = answer.body["adjustments"].as_array().unwrap().clone();
        (rows, answer.body["next_cursor"].as_str().map(str::to_owned))
    };
    let (all, cursor) = list("");
    assert_eq!(cursor, None);
    for (row, (id, points, note)) in all.iter().zip(&made) {
        let entries = app.operator().get(&format!("/v1/members/{member}/entries?kind=points.adjusted")).body;
        let lines = entries["entries"].as_array().unwrap();
        let seq = lines.iter().find(|line| line["points"] == json!(points)).unwrap()["seq"].clone();
        let expected = json!({
            "id": id, "seq": seq, "member_id": member, "points": points, "account": "active", "reason": "goodwill",
            "note": note, "actor": "client:operator", "adjusted_at": "2026-03-10T12:00:00.000000Z",
        });
        assert_eq!(*row, expected);
    }
    assert_eq!(all.len(), 3);
    for limit in 1..=3 {
        let (mut seen, mut cursor) = list(&format!("&limit={limit}"));
        while let Some(next) = cursor {
            let (page, rest) = list(&format!("&limit={limit}&cursor={next}"));
            seen.extend(page);
            cursor = rest;
        }
        assert_eq!(seen, all, "pages of {limit}");
    }

    // Erasure takes the notes and leaves the adjustments.
    let erase = operator.ask(&format!("/v1/members/{member}/erase"), &json!({}));
    assert_eq!(erase.status, 200, "{erase:?}");
    let mut without = all;
    without.iter_mut().for_each(|row| row["note"] = json!(null));
    assert_eq!(list("").0, without);
}

#[test]
fn adjustments_are_for_the_operator_and_finance_to_read() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    for client in [app.member(&member), app.checkout()] {
        client.get(&format!("/v1/adjustments?member={member}")).assert_problem(403, "scope_missing");
    }
    let finance = app.finance();
    let none = finance.get(&format!("/v1/adjustments?member={member}"));
    assert_eq!(none.body, json!({ "adjustments": [], "next_cursor": null }));
    finance.get("/v1/adjustments").assert_problem(400, "invalid_parameter");
    finance.get("/v1/adjustments?member=me").assert_problem(400, "invalid_parameter");
    let nobody = accrue::domain::ids::MemberId::new(1, uuid::Uuid::now_v7());
    finance.get(&format!("/v1/adjustments?member={nobody}")).assert_problem(404, "member_not_found");
}

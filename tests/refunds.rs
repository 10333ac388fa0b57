//! Orders are refunded: their points are reversed, and the points that paid them come back.

mod claims;
mod ended;
mod expired;
mod items;
mod policies;
mod set_off;
mod splits;

use serde_json::{Value, json};

use crate::support::{Answer, App, NOON, sql};

fn refund(app: &App, order_id: &str, refund_id: &str, amount: &str) -> Answer {
    let body = json!({ "refund_id": refund_id, "amount": amount });
    app.checkout().post(&format!("/v1/orders/{order_id}/refunds"), &body)
}

// What a refund reversed: from pending, from active, left as debt, waived.
#[track_caller]
fn reversed(answer: &Answer) -> [i64; 4] {
    assert_eq!(answer.status, 201, "{answer:?}");
    ["pending", "active", "debt", "waived"].map(|part| answer.body["points_reversed"][part].as_i64().unwrap())
}

#[test]
fn a_refund_says_what_it_did_and_what_remains() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    app.earn(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    let refunded = refund(&app, "A-1", "R-1", "10.5");
    let expected = json!({
        "refund_id": "R-1", "order_id": "A-1", "member_id": member, "amount": "10.50",
        "occurred_at": "2026-03-10T12:00:00.000000Z", "paid_out": "10.50",
        "returned": { "points": 0, "value": "0.00", "usable": 0 },
        "points_reversed": {
            "pending": 11, "active": 0, "set_off": 0, "debt": 0, "claimed": 0, "expired": 0, "waived": 0,
        },
        "remaining": { "amount": "18.83", "points": 18 },
        "wallet": { "active": 0, "debt": 0, "held": 0, "pending": 18 },
    });
    assert_eq!((refunded.status, &refunded.body), (201, &expected));
    let order = checkout.get("/v1/orders/A-1").body;
    assert_eq!((&order["refunded"], &order["remaining"]), (&json!("10.50"), &json!("18.83")));
    let over = refund(&app, "A-1", "R-2", "18.84");
    over.assert_problem(422, "refund_over_order");
    assert_eq!(over.body["remaining"], "18.83");
    assert_eq!(reversed(&refund(&app, "A-1", "R-2", "18.83")), [18, 0, 0, 0]);
    assert_eq!(refund(&app, "A-1", "R-3", "0.01").body["remaining"], "0.00");
    let wallet = checkout.get(&format!("/v1/members/{member}/wallet")).body;
    assert_eq!((&wallet["lifetime_earned"], app.points(&member)), (&json!(0), [0, 0, 0, 0]));
}

#[test]
fn a_refund_is_posted_once() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    app.earn(&member, "A-1", NOON, "100");
    app.earn(&member, "A-2", NOON, "100");
    let first = refund(&app, "A-1", "R-1", "10.00");
    let before = app.rows();
    let again = refund(&app, "A-1", "R-1", "10");
    assert_eq!((again.status, &again.text, again.replayed()), (201, &first.text, true), "{again:?}");
    refund(&app, "A-1", "R-1", "10.01").assert_problem(409, "refund_conflict");
    assert_eq!(app.rows(), before, "a repetition left a trace");
    // The key is the order's: another order may have a refund of the same name.
    assert_eq!(refund(&app, "A-2", "R-1", "10.01").status, 201);
    // A key besides is kept as well.
    let address = "/v1/orders/A-1/refunds";
    let keyed = checkout.post_keyed(address, "k-1", &json!({ "refund_id": "R-2", "amount": "1" }));
    let again = checkout.post_keyed(address, "k-1", &json!({ "refund_id": "R-2", "amount": "1" }));
    assert_eq!((keyed.status, &again.text, again.replayed()), (201, &keyed.text, true));
    let other = json!({ "refund_id": "R-3", "amount": "1" });
    checkout.post_keyed(address, "k-1", &other).assert_problem(409, "idempotency_key_conflict");
    // What was refused takes no natural key.
    refund(&app, "A-1", "R-4", "1000").assert_problem(422, "refund_over_order");
    assert_eq!(refund(&app, "A-1", "R-4", "1").status, 201);
}

#[test]
fn the_refunds_of_an_order_are_listed_from_the_newest() {
    let app = App::at(NOON);
    let (finance, member) = (app.finance(), app.enrol("ana"));
    let mut order = app.order(&member, "A-1", NOON, "30");
    order["items"] = json!([{ "sku": "tea", "quantity": 3, "unit_price": "10.00" }]);
    assert_eq!(app.checkout().post("/v1/orders", &order).status, 201);
    let items = json!([{ "sku": "tea", "quantity": "1" }]);
    let body = json!({ "refund_id": "R-1", "amount": "10", "items": items });
    let first = app.checkout().post("/v1/orders/A-1/refunds", &body);
    refund(&app, "A-1", "R-2", "0.01");
    refund(&app, "A-1", "R-3", "0.01");
    let page = finance.get("/v1/orders/A-1/refunds?limit=2").body;
    let id = |refund: &Value| refund["refund_id"].as_str().unwrap().to_owned();
    let ids: Vec<String> = page["refunds"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(ids, ["R-3", "R-2"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = finance.get(&format!("/v1/orders/A-1/refunds?limit=2&cursor={cursor}")).body;
    let expected = json!({
        "refunds": [{
            "refund_id": "R-1", "amount": "10.00", "items": items, "points_reversed": first.body["points_reversed"],
            "paid_out": "10.00", "returned": { "points": 0, "value": "0.00", "usable": 0 },
            "occurred_at": "2026-03-10T12:00:00.000000Z", "refunded_at": "2026-03-10T12:00:00.000000Z",
        }],
        "next_cursor": null,
    });
    assert_eq!(rest, expected);
    finance.get("/v1/orders/A-2/refunds").assert_problem(404, "order_not_found");
}

#[test]
fn bad_refunds_are_refused_without_a_trace() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    app.earn(&member, "A-1", NOON, "10");
    let before = app.rows();
    for (fields, fault) in [
        (json!({ "amount": "-1" }), ("/amount", "negative")),
        (json!({ "amount": "1.001" }), ("/amount", "too_many_decimals")),
        (json!({ "amount": "1.0001" }), ("/amount", "too_many_decimals")),
        (json!({ "amount": "1000000000000.01" }), ("/amount", "too_large")),
        (json!({ "amount": 1 }), ("/amount", "wrong_type")),
        (json!({ "refund_id": "" }), ("/refund_id", "wrong_length")),
        (json!({ "refund_id": "R 1" }), ("/refund_id", "wrong_form")),
        (json!({ "items": [] }), ("/items", "wrong_length")),
        (json!({ "items": [{ "sku": "tea", "quantity": 0 }] }), ("/items/0/quantity", "out_of_range")),
        (json!({ "reason": "broken" }), ("/reason", "unknown")),
    ] {
        let mut body = json!({ "refund_id": "R-1", "amount": "1" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let refused = checkout.post("/v1/orders/A-1/refunds", &body);
        refused.assert_problem(422, "validation_failed");
        assert_eq!(refused.faults(), [fault], "{fields}");
    }
    for nothing in ["0", "0.00"] {
        refund(&app, "A-1", "R-1", nothing).assert_problem(422, "refund_of_nothing");
    }
    refund(&app, "A-2", "R-1", "1").assert_problem(404, "order_not_found");
    refund(&app, "A%00", "R-1", "1").assert_problem(404, "order_not_found");
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

#[test]
fn a_refund_is_dated_by_when_it_occurred() {
    let app = App::at(NOON);
    let (checkout, finance, member) = (app.checkout(), app.finance(), app.enrol("ana"));
    app.earn(&member, "A-1", "2026-03-01T09:00:00Z", "100");
    let body = |id: &str, at: &str| json!({ "refund_id": id, "amount": "10.00", "occurred_at": at });
    let late = checkout.post("/v1/orders/A-1/refunds", &body("R-1", "2026-03-01T08:59:59Z"));
    late.assert_problem(422, "refund_before_order");
    assert_eq!(late.body["occurred_at"], "2026-03-01T09:00:00.000000Z");
    let early = checkout.post("/v1/orders/A-1/refunds", &body("R-1", "2026-03-10T12:05:01Z"));
    early.assert_problem(422, "occurred_in_future");
    checkout.post("/v1/orders/A-1/refunds", &body("R-1", "yesterday")).assert_problem(422, "validation_failed");
    let dated = body("R-1", "2026-03-02T10:00:00+01:00");
    assert_eq!(reversed(&checkout.post("/v1/orders/A-1/refunds", &dated)), [10, 0, 0, 0]);
    assert!(checkout.post("/v1/orders/A-1/refunds", &dated).replayed());
    let other = checkout.post("/v1/orders/A-1/refunds", &body("R-1", "2026-03-02T10:00:00Z"));
    other.assert_problem(409, "refund_conflict");
    app.publish("2026-03-10T12:01:00Z", |document| document["earning"]["points_per_unit"] = json!("2"));
    let undated = refund(&app, "A-1", "R-2", "10.00");
    assert_eq!(undated.status, 201, "{undated:?}");
    let entries = finance.get(&format!("/v1/members/{member}/entries?kind=order.refunded")).body;
    let dates: Vec<&Value> =
        entries["entries"].as_array().unwrap().iter().map(|entry| &entry["effective_at"]).collect();
    assert_eq!(dates, ["2026-03-10T12:01:00.000000Z", "2026-03-02T09:00:00.000000Z"]);
    // Each says the version that it was judged by, which is its order's.
    let versions = "SELECT DISTINCT program_version FROM entry WHERE kind = 'order.refunded'";
    assert_eq!(sql::texts(&mut app.owner(), versions).len(), 1);
    // What is not dated is dated by its order, where that lies ahead.
    app.earn(&member, "A-2", "2026-03-10T12:03:00Z", "100");
    assert_eq!(refund(&app, "A-2", "R-1", "10.00").body["occurred_at"], "2026-03-10T12:03:00.000000Z");
}

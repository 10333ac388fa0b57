//! Orders under an `Idempotency-Key` (invariant 4).

use serde_json::json;

use super::{NOON, points, wallet};
use crate::support::{App, instant, two_journals};

#[test]
fn a_success_under_a_key_is_answered_again() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    let first = checkout.post_keyed("/v1/orders", "k-1", &order);
    assert_eq!((first.status, first.replayed()), (201, false), "{first:?}");
    // Under the same key, under another one, and under none.
    for again in [
        checkout.post_keyed("/v1/orders", "k-1", &order),
        checkout.post_keyed("/v1/orders", "k-2", &order),
        checkout.post("/v1/orders", &order),
    ] {
        assert_eq!((again.status, &again.text, again.replayed()), (201, &first.text, true), "{again:?}");
    }
    assert_eq!(wallet(&checkout, &member), points(29, 0));
}

#[test]
fn a_refusal_that_time_heals_is_decided_anew_with_a_key_and_without() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let order = app.order(&member, "A-1", "2026-03-10T12:10:00Z", "29.33");
    let before = app.rows();
    for _ in 0..2 {
        let refused = checkout.post_keyed("/v1/orders", "k-1", &order);
        refused.assert_problem(422, "occurred_in_future");
        assert_eq!((refused.replayed(), &refused.body["minutes"]), (false, &json!(5)));
    }
    assert_eq!(app.rows(), before, "what can heal takes no key");
    app.clock.set(instant("2026-03-10T12:10:00Z"));
    let accepted = checkout.post_keyed("/v1/orders", "k-1", &order);
    assert_eq!((accepted.status, accepted.replayed()), (201, false), "{accepted:?}");
    for again in [checkout.post_keyed("/v1/orders", "k-1", &order), checkout.post("/v1/orders", &order)] {
        assert_eq!((again.status, &again.text, again.replayed()), (201, &accepted.text, true), "{again:?}");
    }
}

#[test]
fn an_order_that_was_refused_for_what_is_mended_since_is_taken_under_its_key() {
    let app = App::at(NOON);
    let (checkout, operator, member) = (app.checkout(), app.operator(), app.enrol("ana"));
    let change = |what: &str| {
        assert_eq!(operator.ask(&format!("/v1/members/{member}/{what}"), &json!({})).status, 200);
    };
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    change("suspend");
    checkout.post_keyed("/v1/orders", "k-1", &order).assert_problem(409, "member_suspended");
    change("resume");
    assert_eq!(checkout.post_keyed("/v1/orders", "k-1", &order).status, 201);

    // Points that paid too much of an order come back.
    app.earn(&member, "L-1", "2026-02-10T12:00:00Z", "2000");
    let body = json!({ "member_id": member, "points": 1_100, "order_id": "A-2" });
    let spent = checkout.ask("/v1/redemptions", &body);
    let mut order = app.order(&member, "A-2", NOON, "20.00");
    order["redemption_ids"] = json!([spent.body["id"]]);
    checkout.post_keyed("/v1/orders", "k-2", &order).assert_problem(422, "over_order_share");
    let back = format!("{}/return", spent.headers["location"]);
    assert_eq!(checkout.ask(&back, &json!({ "points": 100 })).status, 200);
    assert_eq!(checkout.post_keyed("/v1/orders", "k-2", &order).status, 201);
    let body = json!({ "member_id": member, "points": 600, "order_id": "A-4" });
    let spent = checkout.ask("/v1/redemptions", &body);
    let mut order = app.order(&member, "A-4", NOON, "5.00");
    order["redemption_ids"] = json!([spent.body["id"]]);
    checkout.post_keyed("/v1/orders", "k-4", &order).assert_problem(422, "paid_over_amount");
    let back = format!("{}/return", spent.headers["location"]);
    assert_eq!(checkout.ask(&back, &json!({ "points": 400 })).status, 200);
    assert_eq!(checkout.post_keyed("/v1/orders", "k-4", &order).status, 201);

    // What does not heal is remembered.
    change("close");
    let order = app.order(&member, "A-3", NOON, "20.00");
    let first = checkout.post_keyed("/v1/orders", "k-3", &order);
    first.assert_problem(409, "member_closed");
    let again = checkout.post_keyed("/v1/orders", "k-3", &order);
    assert_eq!((&again.text, again.replayed()), (&first.text, true));
}

#[test]
fn a_key_of_a_refusal_that_can_heal_is_free_for_another_order() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let future = app.order(&member, "A-1", "2026-03-10T13:00:00Z", "1.00");
    checkout.post_keyed("/v1/orders", "k-1", &future).assert_problem(422, "occurred_in_future");
    let other = app.order(&member, "A-2", NOON, "1.00");
    assert_eq!(checkout.post_keyed("/v1/orders", "k-1", &other).status, 201);
    checkout.post_keyed("/v1/orders", "k-1", &future).assert_problem(409, "idempotency_key_conflict");
}

#[test]
fn a_key_with_another_payload_is_refused() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    assert_eq!(checkout.post_keyed("/v1/orders", "k-1", &order).status, 201);
    let before = app.rows();
    let other = app.order(&member, "A-2", "2026-03-10T11:00:00Z", "29.33");
    let refused = checkout.post_keyed("/v1/orders", "k-1", &other);
    refused.assert_problem(409, "idempotency_key_conflict");
    assert!(!refused.replayed());
    assert_eq!(app.rows(), before, "a refused key left a trace");
    // The other order was not taken by that.
    assert_eq!(checkout.post("/v1/orders", &other).status, 201);
}

#[test]
fn a_key_with_another_payload_is_refused_in_another_journal_too() {
    let app = App::at(NOON);
    let (checkout, (member, elsewhere)) = (app.checkout(), two_journals(&app));
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    assert_eq!(checkout.post_keyed("/v1/orders", "k-1", &order).status, 201);
    let before = app.rows();
    let other = app.order(&elsewhere, "A-2", "2026-03-10T11:00:00Z", "29.33");
    checkout.post_keyed("/v1/orders", "k-1", &other).assert_problem(409, "idempotency_key_conflict");
    assert_eq!(app.rows(), before, "a refused key left a trace");
}

#[test]
fn a_key_belongs_to_its_caller_and_operation() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let order = |order_id: &str| app.order(&member, order_id, "2026-03-10T11:00:00Z", "10.00");
    assert_eq!(checkout.post_keyed("/v1/orders", "k-1", &order("A-1")).status, 201);
    let of_another = app.operator().post_keyed("/v1/orders", "k-1", &order("A-2"));
    assert_eq!((of_another.status, of_another.replayed()), (201, false), "{of_another:?}");
    let enrolled = checkout.post_keyed("/v1/members", "k-1", &json!({ "external_id": "ben" }));
    assert_eq!((enrolled.status, enrolled.replayed()), (201, false), "{enrolled:?}");
    let changed = checkout.patch(&format!("/v1/members/{member}"), "k-1", &json!({ "tags": ["vip"] }));
    assert_eq!((changed.status, changed.replayed()), (200, false), "{changed:?}");
    assert_eq!(wallet(&checkout, &member), points(20, 0));
}

#[test]
fn refunds_and_enrolments_that_time_heals_are_decided_anew_under_their_key() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    app.earn(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    let ahead = "2026-03-10T12:10:00Z";
    let refund = json!({ "refund_id": "R-1", "amount": "1.00", "occurred_at": ahead });
    let enrolment = json!({ "external_id": "ben", "joined_at": ahead });
    let asked =
        [("/v1/orders/A-1/refunds", &refund, "occurred_in_future"), ("/v1/members", &enrolment, "joined_in_future")];
    let before = app.rows();
    for (address, body, code) in asked {
        for _ in 0..2 {
            let refused = checkout.post_keyed(address, "k-1", body);
            refused.assert_problem(422, code);
            assert!(!refused.replayed(), "{refused:?}");
        }
    }
    assert_eq!(app.rows(), before, "what can heal takes no key");
    app.clock.set(instant(ahead));
    for (address, body, _) in asked {
        assert_eq!(checkout.post_keyed(address, "k-1", body).status, 201);
        assert!(checkout.post_keyed(address, "k-1", body).replayed());
    }
}

#[test]
fn a_key_that_another_journal_holds_is_a_conflict_also_for_what_can_heal() {
    let app = App::at(NOON);
    let (checkout, (one, other)) = (app.checkout(), two_journals(&app));
    let order = app.order(&one, "A-1", "2026-03-10T11:00:00Z", "10.00");
    assert_eq!(checkout.post_keyed("/v1/orders", "k-1", &order).status, 201);
    let ahead = app.order(&other, "A-2", "2026-03-10T12:10:00Z", "10.00");
    checkout.post_keyed("/v1/orders", "k-1", &ahead).assert_problem(409, "idempotency_key_conflict");
}

#[test]
fn an_order_of_in_a_minute_is_judged_by_the_version_that_is_in_force_by_then() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let dear = app.order(&member, "A-1", "2026-03-10T12:03:00Z", "100001.00");
    checkout.post_keyed("/v1/orders", "k-1", &dear).assert_problem(422, "amount_over_limit");
    let mut foreign = app.order(&member, "A-2", "2026-03-10T12:03:00Z", "10.00");
    foreign["currency"] = json!("EUR");
    checkout.post_keyed("/v1/orders", "k-2", &foreign).assert_problem(422, "currency_mismatch");
    app.publish("2026-03-10T12:01:00Z", |document| document["earning"]["maximum_order_amount"] = json!("200000"));
    app.clock.set(instant("2026-03-10T12:01:30Z"));
    assert_eq!(checkout.post_keyed("/v1/orders", "k-1", &dear).status, 201);
    app.publish("2026-03-10T12:03:00Z", |document| document["currency"] = json!("EUR"));
    assert_eq!(checkout.post_keyed("/v1/orders", "k-2", &foreign).status, 201);
}

#[test]
fn a_refund_that_comes_before_its_order_is_taken_under_its_key_after_it() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let refund = json!({ "refund_id": "R-1", "amount": "1.00" });
    checkout.post_keyed("/v1/orders/A-1/refunds", "k-1", &refund).assert_problem(404, "order_not_found");
    app.earn(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    assert_eq!(checkout.post_keyed("/v1/orders/A-1/refunds", "k-1", &refund).status, 201);
}

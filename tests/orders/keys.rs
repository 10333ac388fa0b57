//! Orders under an `Idempotency-Key` (invariant 4).

use serde_json::json;

use super::{NOON, points, wallet};
use crate::support::{App, instant};

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
fn a_refusal_under_a_key_is_remembered_and_without_one_is_not() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let order = app.order(&member, "A-1", "2026-03-10T12:10:00Z", "29.33");
    checkout.post("/v1/orders", &order).assert_problem(422, "occurred_in_future");
    let first = checkout.post_keyed("/v1/orders", "k-1", &order);
    first.assert_problem(422, "occurred_in_future");
    assert!(!first.replayed());
    assert_eq!(first.body["minutes"], 5);

    // What was refused stays refused under its key, also when it would now be taken.
    app.clock.set(instant("2026-03-10T12:10:00Z"));
    let again = checkout.post_keyed("/v1/orders", "k-1", &order);
    again.assert_problem(422, "occurred_in_future");
    assert_eq!((again.replayed(), &again.text), (true, &first.text));
    let accepted = checkout.post("/v1/orders", &order);
    assert_eq!((accepted.status, accepted.replayed()), (201, false), "{accepted:?}");
    let still = checkout.post_keyed("/v1/orders", "k-1", &order);
    assert_eq!((still.status, still.replayed(), &still.text), (422, true, &first.text));
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
    let (checkout, (member, elsewhere)) = (app.checkout(), super::members_of_two_journals(&app));
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

//! Invariant 4: one request, one effect.

use std::sync::Barrier;
use std::thread;

use accrue::domain::movement::enrolment::Enrolment;
use accrue::domain::movement::membership::Change;
use accrue::domain::movement::redemption::{Purpose, RedemptionRequest};
use accrue::ledger::{ChangeMembership, Enrol};
use diesel::sql_types::Bytea;
use diesel::{RunQueryDsl, sql_query};
use serde_json::json;

use super::{code, decide, enrol, member, order, request};
use crate::support::{App, NOON, instant, sql};

#[test]
fn the_same_key_from_two_callers_is_two_requests() {
    let app = App::at(NOON);
    let first = app.checkout().post_keyed("/v1/members", "key", &json!({ "external_id": "ana" }));
    let second = app.operator().post_keyed("/v1/members", "key", &json!({ "external_id": "ben" }));
    assert_eq!((first.status, second.status), (201, 201), "{second:?}");
    assert_ne!(first.body["id"], second.body["id"]);
    let again = app.checkout().post_keyed("/v1/members", "key", &json!({ "external_id": "ana" }));
    assert!(again.replayed() && again.text == first.text, "{again:?}");
    let other = app.checkout().post_keyed("/v1/members", "key", &json!({ "external_id": "ben" }));
    assert_eq!((other.status, other.code()), (409, "idempotency_key_conflict"), "{other:?}");
    // Of members, each one is a caller of its own.
    let (ana, ben) = (member(1, 1), member(1, 2));
    for (id, name) in [(ana, "ana-2"), (ben, "ben-2")] {
        decide(&app.ledger, request("client:checkout", None, enrol(id, name)));
        let answer = decide(&app.ledger, request(&format!("member:{id}"), Some("key"), order(id, name, NOON, "5")));
        assert_eq!((code(&answer), answer.replayed), ("done", false));
    }
}

#[test]
fn a_key_belongs_to_its_operation() {
    let app = App::at(NOON);
    let answer = app.checkout().post_keyed("/v1/members", "key", &json!({ "external_id": "ana" }));
    let path = format!("/v1/members/{}", answer.body["id"].as_str().unwrap());
    let change = app.checkout().patch(&path, "key", &json!({ "tags": ["vip"] }));
    assert_eq!((change.status, change.replayed()), (200, false), "{change:?}");
    let again = app.checkout().patch(&path, "key", &json!({ "tags": ["vip"] }));
    assert_eq!((again.status, again.replayed(), &again.text), (200, true, &change.text));
    let other = app.checkout().patch(&path, "key", &json!({ "tags": ["vip", "app"] }));
    assert_eq!(other.code(), "idempotency_key_conflict", "{other:?}");
}

#[test]
fn a_refusal_under_a_key_is_remembered_unless_it_can_heal_beside_a_natural_key() {
    let app = App::at(NOON);
    let id = member(1, 7);
    let order_of = || request("client:checkout", Some("key"), order(id, "A-1", NOON, "5"));
    let purpose = || Purpose::Order { points: 5, order_id: None, order_amount: None };
    let redeem = || RedemptionRequest { member_id: id, purpose: purpose(), hold: None };
    let redemption = || request("client:checkout", Some("key"), redeem());
    for replayed in [false, true] {
        let refused = decide(&app.ledger, redemption());
        assert_eq!((code(&refused), refused.replayed), ("member_not_found", replayed));
        let refused = decide(&app.ledger, order_of());
        assert_eq!((code(&refused), refused.replayed), ("member_not_found", false));
    }
    decide(&app.ledger, request("client:checkout", None, enrol(id, "ana")));
    let still = decide(&app.ledger, redemption());
    assert_eq!((code(&still), still.replayed), ("member_not_found", true));
    for replayed in [false, true] {
        let earned = decide(&app.ledger, order_of());
        assert_eq!((code(&earned), earned.replayed), ("done", replayed));
    }
    // Over HTTP a remembered refusal has the status and the body that it had.
    let order = app.order(&id.to_string(), "A-1", NOON, "7.00");
    let first = app.checkout().post_keyed("/v1/orders", "other", &order);
    let again = app.checkout().post_keyed("/v1/orders", "other", &order);
    assert_eq!((first.status, first.code(), first.replayed()), (409, "order_conflict", false), "{first:?}");
    assert_eq!((again.status, &again.text, again.replayed()), (409, &first.text, true));
}

#[test]
fn a_key_an_order_and_a_customer_are_found_in_whichever_journal_they_stand() {
    let app = App::at(NOON);
    let (ana, ben) = (member(1, 1), member(2, 2));
    decide(&app.ledger, request("client:checkout", None, enrol(ana, "ana")));
    decide(&app.ledger, request("client:checkout", None, enrol(ben, "ben")));
    let first = decide(&app.ledger, request("client:checkout", Some("key"), order(ana, "A-1", NOON, "5")));
    assert_eq!(code(&first), "done");

    let key = decide(&app.ledger, request("client:checkout", Some("key"), order(ben, "B-1", NOON, "5")));
    assert_eq!((code(&key), key.replayed), ("idempotency_key_conflict", false));
    let taken = decide(&app.ledger, request("client:checkout", None, order(ben, "A-1", NOON, "5")));
    assert_eq!((code(&taken), taken.replayed), ("order_conflict", false));
    // The refusal is remembered where the second key stands, beside the first order.
    let keyed = || request("client:checkout", Some("other"), order(ben, "A-1", NOON, "5"));
    let refused = decide(&app.ledger, keyed());
    assert_eq!((code(&refused), refused.replayed), ("order_conflict", false));
    assert!(decide(&app.ledger, keyed()).replayed);

    let again = decide(&app.ledger, request("client:checkout", None, enrol(member(2, 9), "ana")));
    assert_eq!((code(&again), again.replayed), ("done", true));
    let super::Outcome::Done(body) = again.outcome else { panic!("it was done") };
    assert!(body.contains(&ana.to_string()), "{body}");
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM orders"), 1);
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM member"), 2);
}

#[test]
fn a_customer_enrolled_by_twenty_at_once_is_one_member_even_over_two_journals() {
    let app = App::at(NOON);
    let start = Barrier::new(20);
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..20_u8)
            .map(|n| {
                let (app, start) = (&app, &start);
                scope.spawn(move || {
                    let enrolment = enrol(member(1 + i16::from(n % 2), n), "ana");
                    start.wait();
                    decide(&app.ledger, request("client:checkout", None, enrolment))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer.outcome == answers[0].outcome), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    for table in ["member", "member_profile", "wallet", "entry WHERE kind = 'member.enrolled'"] {
        assert_eq!(sql::number(&mut app.owner(), &format!("SELECT count(*) FROM {table}")), 1, "{table}");
    }
}

#[test]
fn what_an_old_ledger_remembers_of_a_refusal_that_can_heal_is_decided_anew() {
    let app = App::at(NOON);
    let ana = member(1, 1);
    let keyed = |order_id| request("client:checkout", Some("key"), order(ana, order_id, NOON, "5"));
    let remember =
        "INSERT INTO idempotency (recorded_at, journal, refused, caller, operation, key, request_hash, outcome)
        VALUES (now(), 1, true, 'client:checkout', 'order.complete', 'key', $1, '{\"code\":\"member_not_found\"}')";
    let remember = sql_query(remember).bind::<Bytea, _>(keyed("A-1").hash.to_vec());
    assert_eq!(remember.execute(&mut app.owner()), Ok(1));
    for replayed in [false, false] {
        let refused = decide(&app.ledger, keyed("A-1"));
        assert_eq!((code(&refused), refused.replayed), ("member_not_found", replayed));
    }
    decide(&app.ledger, request("client:checkout", None, enrol(ana, "ana")));
    for replayed in [false, true] {
        let done = decide(&app.ledger, keyed("A-1"));
        assert_eq!((code(&done), done.replayed), ("done", replayed));
    }
    let other = decide(&app.ledger, keyed("A-2"));
    assert_eq!((code(&other), other.replayed), ("idempotency_key_conflict", false));
}

#[test]
fn an_enrolment_that_an_erasure_makes_room_for_is_decided_anew() {
    let app = App::at(NOON);
    let ana = member(1, 1);
    decide(&app.ledger, request("client:checkout", None, enrol(ana, "ana")));
    let joined_at = Some(instant("2026-03-01T12:00:00Z"));
    let enrolment = || Enrolment { external_id: "ana".to_owned(), birthday: None, joined_at };
    let other = || request("client:checkout", Some("key"), Enrol(member(1, 2), enrolment()));
    assert_eq!(code(&decide(&app.ledger, other())), "external_id_conflict");
    let erase = ChangeMembership(ana, Change::Erase);
    assert_eq!(code(&decide(&app.ledger, request("client:operator", Some("e-1"), erase))), "done");
    for replayed in [false, true] {
        let answer = decide(&app.ledger, other());
        assert_eq!((code(&answer), answer.replayed), ("done", replayed));
    }
}

#[test]
fn what_is_refused_at_the_edge_leaves_no_trace() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let before = sql::dump(&mut app.owner());
    let good = app.order(&member, "A-1", NOON, "5");
    let mut bad = good.clone();
    bad["amount"] = json!("-5");
    assert_eq!(app.checkout().post_keyed("/v1/orders", "key", &bad).status, 422);
    assert_eq!(app.client(None).post_keyed("/v1/orders", "key", &good).status, 401);
    assert_eq!(app.finance().post_keyed("/v1/orders", "key", &good).status, 403);
    assert_eq!(sql::dump(&mut app.owner()), before);
    assert_eq!(app.checkout().post_keyed("/v1/orders", "key", &good).status, 201);
}

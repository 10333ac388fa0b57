//! What bad requests for transfers get.

use serde_json::json;

use super::{EARLIER, NOON, direct, give, nobody, offered, reply};
use crate::support::{App, fund, two_journals, wallet};

#[test]
fn bad_transfers_are_refused_with_every_fault_and_leave_nothing() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    let before = app.rows();
    let client = app.operator();
    for (change, faults) in [
        (json!({ "points": 0 }), vec![("/points", "out_of_range")]),
        (json!({ "points": -1 }), vec![("/points", "out_of_range")]),
        (json!({ "points": 9_007_199_254_740_992_i64 }), vec![("/points", "out_of_range")]),
        (json!({ "points": "10" }), vec![("/points", "out_of_range")]),
        (json!({ "points": 1.5 }), vec![("/points", "out_of_range")]),
        (json!({ "to_member_id": "x" }), vec![("/to_member_id", "wrong_form")]),
        (json!({ "to_external_id": "two-1" }), vec![("/to_member_id", "contradiction")]),
        (
            json!({ "to_external_id": "two-1 " }),
            vec![("/to_external_id", "surrounding_space"), ("/to_member_id", "contradiction")],
        ),
        (json!({ "message": "" }), vec![("/message", "wrong_length")]),
        (json!({ "message": "x".repeat(201) }), vec![("/message", "wrong_length")]),
        (json!({ "message": "a\u{0}" }), vec![("/message", "wrong_form")]),
        (json!({ "direct": "yes" }), vec![("/direct", "wrong_type")]),
        (json!({ "from_member_id": "x" }), vec![("/from_member_id", "wrong_form")]),
        (json!({ "from_member_id": "me" }), vec![("/from_member_id", "missing")]),
        (json!({ "note": "hi", "points": null }), vec![("/points", "out_of_range"), ("/note", "unknown")]),
        (
            json!({ "to_external_id": "two-1", "points": 0 }),
            vec![("/points", "out_of_range"), ("/to_member_id", "contradiction")],
        ),
    ] {
        let mut body = json!({ "from_member_id": ana, "to_member_id": ben, "points": 10 });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = client.post_keyed("/v1/transfers", "k-1", &body);
        refused.assert_problem(422, "validation_failed");
        assert_eq!(refused.faults(), faults, "{body}");
    }
    let neither = client.post_keyed("/v1/transfers", "k-1", &json!({ "from_member_id": ana, "points": 1 }));
    assert_eq!(neither.faults(), [("/to_member_id", "contradiction")]);
    let nobody_gives = client.post_keyed("/v1/transfers", "k-1", &json!({ "to_member_id": ben, "points": 1 }));
    assert_eq!(nobody_gives.faults(), [("/from_member_id", "missing")]);
    let unkeyed = client.post("/v1/transfers", &json!({ "from_member_id": ana, "to_member_id": ben, "points": 1 }));
    unkeyed.assert_problem(400, "idempotency_key_required");
    let unknown = json!({ "from_member_id": ana, "to_external_id": "zoe", "points": 1 });
    client.post_keyed("/v1/transfers", "k-1", &unknown).assert_problem(404, "receiver_not_found");
    assert_eq!(app.rows(), before, "a refusal left a trace");
    // The words that are too long are counted in characters.
    let message = json!({ "to_member_id": ben, "points": 1, "message": "ü".repeat(200) });
    assert_eq!(app.member(&ana).post_keyed("/v1/transfers", "k-1", &message).status, 201);
}

#[test]
fn unknown_members_oneself_and_more_than_there_is_are_refused() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    let client = app.operator();
    let nowhere = accrue::domain::ids::MemberId::new(4095, uuid::Uuid::now_v7()).to_string();
    for (n, make) in [give, direct].into_iter().enumerate() {
        make(&client, &format!("a-{n}"), &ana, &ana, 10).assert_problem(422, "transfer_to_oneself");
        make(&client, &format!("b-{n}"), &ana, &nobody(), 10).assert_problem(404, "receiver_not_found");
        make(&client, &format!("c-{n}"), &ana, &nowhere, 10).assert_problem(404, "receiver_not_found");
        make(&client, &format!("d-{n}"), &nobody(), &ben, 10).assert_problem(404, "member_not_found");
        make(&client, &format!("e-{n}"), &nowhere, &ben, 10).assert_problem(404, "member_not_found");
        let poor = make(&client, &format!("f-{n}"), &ana, &ben, 101);
        poor.assert_problem(409, "insufficient_points");
        assert_eq!(poor.body["available"], 100);
        // Pending points cannot be given.
        let none = make(&client, &format!("g-{n}"), &ben, &ana, 1);
        none.assert_problem(409, "insufficient_points");
        assert_eq!(none.body["available"], 0);
    }
    assert_eq!((wallet(&app, &ana), wallet(&app, &ben)), ([100, 0, 0], [0, 0, 0]));
}

#[test]
fn a_key_stands_for_one_transfer_and_one_answer() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    let client = app.operator();
    // A refusal is remembered, though there are points by then.
    let refused = give(&client, "k-1", &ana, &ben, 10);
    refused.assert_problem(409, "insufficient_points");
    fund(&app, &ana, "A-1", EARLIER, 100);
    let again = give(&client, "k-1", &ana, &ben, 10);
    assert_eq!((&again.text, again.replayed()), (&refused.text, true));
    give(&client, "k-1", &ana, &ben, 11).assert_problem(409, "idempotency_key_conflict");

    let (one, other) = (offered(&app, "k-2", &ana, &ben, 10), offered(&app, "k-3", &ana, &ben, 10));
    for (message, direct) in [(Some("hi"), false), (None, true)] {
        let mut body = json!({ "from_member_id": ana, "to_member_id": ben, "points": 10, "direct": direct });
        if let Some(message) = message {
            body["message"] = json!(message);
        }
        client.post_keyed("/v1/transfers", "k-2", &body).assert_problem(409, "idempotency_key_conflict");
    }
    // Said otherwise it is the same.
    let mut body = json!({ "from_member_id": ana.to_uppercase(), "to_member_id": ben, "points": 10 });
    body["direct"] = json!(false);
    assert!(client.post_keyed("/v1/transfers", "k-2", &body).replayed());
    assert_eq!(reply(&client, "k-4", &one, "accept").status, 200);
    reply(&client, "k-4", &other, "accept").assert_problem(409, "idempotency_key_conflict");
    // A key belongs to its operation.
    assert_eq!(reply(&client, "k-4", &other, "decline").status, 200);
    reply(&client, "k-5", &other, "accept").assert_problem(409, "transfer_state_conflict");
    let no_key = client.send("POST", &format!("/v1/transfers/{one}/accept"), &[], None);
    no_key.assert_problem(400, "idempotency_key_required");
    assert_eq!(wallet(&app, &ben), [10, 0, 0]);
}

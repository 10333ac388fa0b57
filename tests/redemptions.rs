//! Points are spent, at once or by hold and capture.

mod grace;
mod holds;
mod own;
mod paying;
mod returns;
mod worth;

use accrue::domain::record::lot::Taking;
use serde_json::{Value, json};

use crate::support::{Answer, App, Client, NOON, Pair, at_once, instant, nobody};

// A member with 100 active points in two lots: 60 that expire on 1 March 2027 and 40 that expire a month before.
fn member_with_points(app: &App) -> String {
    let member = app.enrol("ana");
    app.earn(&member, "L-1", "2026-02-10T12:00:00Z", "60");
    app.earn(&member, "S-1", "2026-01-10T12:00:00Z", "40");
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
    member
}

fn redeem(client: &Client, member: &str, points: i64) -> Answer {
    client.ask("/v1/redemptions", &json!({ "member_id": member, "points": points }))
}

fn hold(client: &Client, member: &str, points: i64, ttl: &str) -> Answer {
    client.ask("/v1/redemptions", &json!({ "member_id": member, "points": points, "hold": { "ttl": ttl } }))
}

// Something done to a redemption: `capture`, `void` or `return`.
fn change(client: &Client, redemption: &Answer, what: &str, body: &Value) -> Answer {
    client.ask(&format!("{}/{what}", redemption.headers["location"]), body)
}

fn points_of(redemption: &Answer) -> Vec<i64> {
    redemption.body["lots"].as_array().unwrap().iter().map(|taking| taking["points"].as_i64().unwrap()).collect()
}

// The last entry of this kind about the member, as finance sees it.
fn last_entry(app: &App, member: &str, kind: &str) -> Value {
    let entries = app.checkout().get(&format!("/v1/members/{member}/entries?limit=200")).body["entries"].clone();
    let found = entries.as_array().unwrap().iter().find(|entry| entry["kind"] == kind).cloned();
    let seq = found.unwrap_or_else(|| panic!("no {kind}: {entries}"))["seq"].as_i64().unwrap();
    let journal = member.parse::<accrue::domain::ids::MemberId>().unwrap().journal();
    let page = app.finance().get(&format!("/v1/ledger/entries?journal={journal}&after_seq={}&limit=1", seq - 1));
    page.body["entries"][0].clone()
}

#[test]
fn points_are_spent_at_once_soonest_expiring_first() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let spent = redeem(&checkout, &member, 50);
    assert_eq!(spent.status, 201, "{spent:?}");
    assert_eq!((&spent.body["status"], &spent.body["captured"]), (&json!("captured"), &json!(50)));
    assert_eq!((&spent.body["value"], &spent.body["currency"]), (&json!("0.50"), &json!("USD")));
    assert_eq!(spent.body["lapses_at"], Value::Null);
    assert_eq!(points_of(&spent), [40, 10]);
    assert_eq!(app.points(&member), [50, 0, 0, 0]);
    // The postings name the lots.
    let entry = last_entry(&app, &member, "redemption.captured");
    let posting = |n: usize| {
        let Taking { lot, points } = serde_json::from_value(spent.body["lots"][n].clone()).unwrap();
        json!({ "credit": "redemption", "debit": "active", "lot": lot, "points": points })
    };
    assert_eq!(entry["postings"], json!([posting(0), posting(1)]), "{entry}");
    // It can be read where the answer says.
    let mut read = checkout.get(&spent.headers["location"]).body;
    read["wallet"] = spent.body["wallet"].clone();
    assert_eq!(read, spent.body);
    let wallet = checkout.get(&format!("/v1/members/{member}/wallet")).body;
    assert_eq!((&wallet["lifetime_earned"], &wallet["lifetime_spent"]), (&json!(100), &json!(50)));
}

#[test]
fn more_points_than_there_are_are_refused_with_their_number() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    app.earn(&member, "P-1", NOON, "1000");
    let refused = redeem(&checkout, &member, 101);
    refused.assert_problem(409, "insufficient_points");
    assert_eq!(refused.body["available"], 100);
    assert_eq!(redeem(&checkout, &member, 100).status, 201);
    assert_eq!(app.points(&member), [0, 1000, 0, 0]);
}

#[test]
fn points_may_pay_the_programmes_share_of_an_order() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    app.earn(&member, "L-1", "2026-02-10T12:00:00Z", "5000");
    let pay = |points: i64, amount: &str| {
        let body = json!({ "member_id": member, "points": points, "order_id": "A-1", "order_amount": amount });
        checkout.ask("/v1/redemptions", &body)
    };
    let refused = pay(501, "10.00");
    refused.assert_problem(422, "over_order_share");
    assert_eq!(refused.body["maximum_amount"], "5.00");
    let paid = pay(500, "10");
    assert_eq!((paid.status, &paid.body["value"], &paid.body["order_id"]), (201, &json!("5.00"), &json!("A-1")));
    let refused = pay(1, "10.001");
    refused.assert_problem(422, "validation_failed");
    assert_eq!(refused.faults(), [("/order_amount", "too_many_decimals")]);

    app.publish("2026-03-10T12:01:00Z", |document| {
        document.as_object_mut().unwrap().remove("redemption");
    });
    pay(1, "10.00").assert_problem(422, "points_without_value");
    let without = redeem(&checkout, &member, 1);
    assert_eq!((without.status, without.body.get("value")), (201, None), "{without:?}");
}

#[test]
fn two_carts_never_hold_the_same_point() {
    let pair = Pair::at(NOON);
    let app = pair.app(0);
    let member = member_with_points(app);
    for _ in 0..10 {
        let answers = at_once(20, |n| hold(&pair.app(n).checkout(), &member, 100, "15m"));
        let (held, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(held.len(), 1, "{answers:?}");
        for refused in refused {
            refused.assert_problem(409, "insufficient_points");
            assert_eq!(refused.body["available"], 0);
        }
        assert_eq!(app.points(&member), [0, 0, 100, 0]);
        assert_eq!(change(&app.checkout(), held[0], "void", &json!({})).status, 200);
    }
    pair.end();
}

#[test]
fn a_redemption_is_made_once_under_its_key() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let body = json!({ "member_id": member, "points": 60 });
    let first = checkout.post_keyed("/v1/redemptions", "k-1", &body);
    let again = checkout.post_keyed("/v1/redemptions", "k-1", &body);
    assert_eq!((again.status, &again.text, again.replayed()), (201, &first.text, true), "{again:?}");
    assert_eq!(again.headers["location"], first.headers["location"]);
    let other = json!({ "member_id": member, "points": 61 });
    checkout.post_keyed("/v1/redemptions", "k-1", &other).assert_problem(409, "idempotency_key_conflict");
    // A refusal is remembered too, though there are points by then.
    let refused = checkout.post_keyed("/v1/redemptions", "k-2", &body);
    refused.assert_problem(409, "insufficient_points");
    app.earn(&member, "L-2", "2026-02-10T12:00:00Z", "100");
    let again = checkout.post_keyed("/v1/redemptions", "k-2", &body);
    assert_eq!((&again.text, again.replayed()), (&refused.text, true));
    checkout.post("/v1/redemptions", &body).assert_problem(400, "idempotency_key_required");
}

#[test]
fn a_members_token_redeems_and_reads_what_is_its_own() {
    let app = App::at(NOON);
    let (checkout, member, other) = (app.checkout(), member_with_points(&app), app.enrol("ben"));
    let (own, stranger) = (app.member(&member), app.member(&other));
    let mine = own.ask("/v1/redemptions", &json!({ "points": 10, "hold": { "ttl": "1h" } }));
    assert_eq!((mine.status, &mine.body["member_id"]), (201, &json!(member)), "{mine:?}");
    assert_eq!(own.ask("/v1/redemptions", &json!({ "member_id": "me", "points": 1 })).status, 201);
    assert_eq!(redeem(&own, &member, 1).status, 201);
    let address = &mine.headers["location"];
    assert_eq!(own.get(address).status, 200);
    assert_eq!(own.get("/v1/redemptions").body["redemptions"].as_array().map(Vec::len), Some(3));
    // What is another's looks like what does not exist.
    let unknown = accrue::domain::ids::RedemptionId::new(1, uuid::Uuid::now_v7());
    let nothing = stranger.get(&format!("/v1/redemptions/{unknown}"));
    nothing.assert_problem(404, "redemption_not_found");
    assert_eq!(stranger.get(address).text, nothing.text);
    assert_eq!(stranger.get("/v1/redemptions/x").text, nothing.text);
    redeem(&stranger, &member, 1).assert_problem(404, "member_not_found");
    stranger.get(&format!("/v1/redemptions?member={member}")).assert_problem(404, "member_not_found");
    assert_eq!(stranger.get("/v1/redemptions").body, json!({ "redemptions": [], "next_cursor": null }));
    for what in ["capture", "return"] {
        change(&own, &mine, what, &json!({})).assert_problem(403, "scope_missing");
    }
    // A client has no member of its own.
    let nobodys = checkout.ask("/v1/redemptions", &json!({ "points": 1 }));
    nobodys.assert_problem(422, "validation_failed");
    assert_eq!(nobodys.faults(), [("/member_id", "missing")]);
}

#[test]
fn a_members_redemptions_are_listed_by_status_and_page() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let mut made: Vec<Value> = (0..5).map(|_| redeem(&checkout, &member, 1).body["id"].clone()).collect();
    made.push(hold(&checkout, &member, 1, "15m").body["id"].clone());
    made.reverse();
    let list = |query: &str| {
        let page = checkout.get(&format!("/v1/redemptions?member={member}{query}"));
        assert_eq!(page.status, 200, "{page:?}");
        let ids: Vec<Value> =
            page.body["redemptions"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        (ids, page.body["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(list(""), (made.clone(), None));
    let (mut all, mut cursor) = list("&limit=2");
    while let Some(next) = cursor {
        let (page, rest) = list(&format!("&limit=2&cursor={next}"));
        all.extend(page);
        cursor = rest;
    }
    assert_eq!(all, made);
    assert_eq!(list("&status=held").0, made[..1]);
    assert_eq!(list("&status=captured").0, made[1..]);
    let first = checkout.get(&format!("/v1/redemptions?member={member}"));
    let known = [("if-none-match", first.headers["etag"].as_str())];
    assert_eq!(checkout.send("GET", &format!("/v1/redemptions?member={member}"), &known, None).status, 304);
    app.clock.set(instant("2026-03-10T12:15:00Z"));
    assert_eq!((list("&status=held").0, list("&status=lapsed").0), (vec![], made[..1].to_vec()));
    assert_eq!(checkout.send("GET", &format!("/v1/redemptions?member={member}"), &known, None).status, 200);

    checkout.get("/v1/redemptions").assert_problem(400, "invalid_parameter");
    checkout.get(&format!("/v1/redemptions?member={member}&status=lost")).assert_problem(400, "invalid_parameter");
    checkout.get(&format!("/v1/redemptions?member={}", nobody())).assert_problem(404, "member_not_found");
}

#[test]
fn every_field_of_a_redemption_is_checked() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let (before, reward) = (app.rows(), uuid::Uuid::now_v7());
    for (fields, faults) in [
        (json!({}), vec![("/points", "contradiction")]),
        (json!({ "points": 1, "reward_id": reward }), vec![("/reward_id", "contradiction")]),
        (json!({ "points": 1, "quantity": 1 }), vec![("/quantity", "contradiction")]),
        (
            json!({ "reward_id": reward, "order_id": "A-1", "order_amount": "1.00" }),
            vec![("/order_id", "contradiction"), ("/order_amount", "contradiction")],
        ),
        (json!({ "points": 0 }), vec![("/points", "out_of_range")]),
        (json!({ "points": -5 }), vec![("/points", "out_of_range")]),
        (json!({ "points": 9_007_199_254_740_992_i64 }), vec![("/points", "out_of_range")]),
        (json!({ "points": 1, "order_id": "A 1" }), vec![("/order_id", "wrong_form")]),
        (json!({ "points": 1, "order_amount": "0" }), vec![("/order_amount", "out_of_range")]),
        (json!({ "points": 1, "order_amount": "1.0001" }), vec![("/order_amount", "too_many_decimals")]),
        (json!({ "reward_id": "x" }), vec![("/reward_id", "wrong_form")]),
        (json!({ "reward_id": reward, "quantity": 0 }), vec![("/quantity", "out_of_range")]),
        (json!({ "reward_id": reward, "quantity": 1001 }), vec![("/quantity", "out_of_range")]),
        (json!({ "points": 1, "hold": {} }), vec![("/hold/ttl", "missing")]),
        (json!({ "points": 1, "hold": { "ttl": "0s" } }), vec![("/hold/ttl", "wrong_form")]),
        (json!({ "points": 1, "hold": { "ttl": "31d" } }), vec![("/hold/ttl", "wrong_form")]),
        (json!({ "points": 1, "hold": { "ttl": 15 } }), vec![("/hold/ttl", "wrong_type")]),
        (json!({ "points": 1, "member_id": "x" }), vec![("/member_id", "wrong_form")]),
        (json!({ "points": 1, "amount": "1" }), vec![("/amount", "unknown")]),
    ] {
        let mut body = json!({ "member_id": member });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let refused = checkout.ask("/v1/redemptions", &body);
        refused.assert_problem(422, "validation_failed");
        assert_eq!(refused.faults(), faults, "{body}");
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
    let unknown = checkout.ask("/v1/redemptions", &json!({ "member_id": member, "reward_id": reward }));
    unknown.assert_problem(404, "reward_not_found");
    redeem(&checkout, &nobody(), 1).assert_problem(404, "member_not_found");
}

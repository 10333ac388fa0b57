//! Tiers that operators give, and what is for members of a tier alone.

use serde_json::{Value, json};

use super::{NOON, app, changed, code, tier};
use crate::support::{App, instant, nobody};

#[test]
fn a_tier_that_an_operator_gives_is_the_least_until_it_ends() {
    let app = app(json!({}));
    let ana = app.enrol("ana");
    let give = |key: &str, tier: &str, until: &str| {
        let body = json!({ "tier": tier, "until": until, "reason": "status_match" });
        app.operator().post_keyed(&format!("/v1/members/{ana}/tier"), key, &body)
    };
    let given = give("k-1", "gold", "2026-06-01T00:00:00Z");
    assert_eq!((given.status, &given.body["change"]), (201, &json!({ "before": null, "after": "gold" })), "{given:?}");
    assert_eq!(give("k-1", "gold", "2026-06-01T00:00:00Z").text, given.text, "once under its key");
    let seen = tier(&app, &ana);
    assert_eq!(
        (&seen["since"], &seen["until"]),
        (&json!("2026-03-10T12:00:00.000000Z"), &json!("2026-06-01T00:00:00.000000Z"))
    );
    let wallet = app.member(&ana).get("/v1/members/me/wallet");
    assert_eq!(wallet.body["tier"], json!({ "code": "gold", "name": { "en": "Gold" } }));
    // Orders earn by it, and count as ever.
    let order = app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "100");
    assert_eq!((changed(&order), &order.body["earned"]["points"]), ((&json!("gold"), &json!("gold")), &json!(150)));
    // What the orders come to is higher, and what an operator gives takes nothing away.
    app.earn(&ana, "A-2", "2026-03-10T11:30:00Z", "900");
    assert_eq!(code(&app, &ana), "platinum");
    assert_eq!(give("k-2", "silver", "2026-06-01T00:00:00Z").body["change"]["after"], "platinum");
    assert_eq!(give("k-3", "gold", "2029-01-01T00:00:00Z").status, 201, "it takes the place of the other");
    app.clock.set(instant("2028-01-01T05:00:00Z"));
    assert_eq!(code(&app, &ana), "gold", "the term of the orders is over");
    app.clock.set(instant("2029-01-01T00:00:00Z"));
    assert_eq!(code(&app, &ana), json!(null));
    let changes = app.member(&ana).get("/v1/members/me/tiers").body["changes"].clone();
    let said = |change: &Value| {
        let [kind, code, reason] = ["kind", "code", "reason"].map(|name| change[name].as_str().unwrap_or("-"));
        format!("{kind} {code} {reason}")
    };
    let changes: Vec<String> = changes.as_array().unwrap().iter().map(said).collect();
    let expected = [
        "tier.assigned platinum status_match",
        "tier.assigned platinum status_match",
        "tier.upgraded platinum -",
        "tier.renewed gold -",
        "tier.assigned gold status_match",
    ];
    assert_eq!(changes, expected);
}

#[test]
fn a_tier_that_cannot_be_given_is_refused() {
    let app = app(json!({}));
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    let body = |tier: &str, until: &str| json!({ "tier": tier, "until": until, "reason": "goodwill" });
    let give = |member: &str, key: &str, body: &Value| {
        app.operator().post_keyed(&format!("/v1/members/{member}/tier"), key, body)
    };
    let later = "2026-06-01T00:00:00Z";
    give(&nobody(), "k-0", &body("gold", later)).assert_problem(404, "member_not_found");
    give(&ana, "k-1", &body("diamond", later)).assert_problem(422, "unknown_tier");
    give(&ana, "k-2", &body("gold", NOON)).assert_problem(422, "assignment_ends_in_past");
    let wrong = give(&ana, "k-3", &json!({ "tier": "Gold!", "until": "soon", "reason": "why not", "note": "x" }));
    let paths: Vec<&Value> = wrong.body["errors"].as_array().unwrap().iter().map(|fault| &fault["path"]).collect();
    assert_eq!(
        (wrong.status, paths),
        (422, vec![&json!("/tier"), &json!("/until"), &json!("/reason"), &json!("/note")])
    );
    for (change, status) in [("suspend", 201), ("close", 409)] {
        assert_eq!(app.operator().post_keyed(&format!("/v1/members/{ben}/{change}"), change, &json!({})).status, 200);
        assert_eq!(give(&ben, &format!("k-{change}"), &body("gold", later)).status, status, "{change}");
    }
    let without = App::at(NOON);
    let cleo = without.enrol("cleo");
    let answer = without.operator().post_keyed(&format!("/v1/members/{cleo}/tier"), "k-1", &body("gold", later));
    answer.assert_problem(404, "no_tiers");
}

#[test]
fn a_reward_may_be_for_members_from_a_tier_on() {
    let app = app(json!({}));
    let ana = app.enrol("ana");
    let gift = json!({ "member_id": ana, "points": 1_000, "reason": "goodwill" });
    assert_eq!(app.operator().post_keyed("/v1/adjustments", "k-1", &gift).status, 201);
    let offer = |key: &str, tier: &str| {
        let reward = json!({ "name": "Salon", "kind": "service", "points": 10, "min_tier": tier });
        app.operator().post_keyed("/v1/rewards", key, &reward)
    };
    offer("k-2", "diamond").assert_problem(422, "unknown_tier");
    let reward = offer("k-3", "gold").body;
    assert_eq!(reward["min_tier"], "gold");
    let redeem = |key: &str| {
        let body = json!({ "member_id": ana, "reward_id": reward["id"], "quantity": 1 });
        app.checkout().post_keyed("/v1/redemptions", key, &body)
    };
    for (order, amount, status) in [("A-1", "199.99", 409), ("A-2", "0.01", 201), ("A-3", "800", 201)] {
        app.earn(&ana, order, "2026-03-10T11:00:00Z", amount);
        let answer = redeem(order);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(status == 201 || answer.code() == "tier_required");
    }
    let path = format!("/v1/rewards/{}", reward["id"].as_str().unwrap());
    let change = |key: &str, tier: Value| {
        let patch = json!({ "min_tier": tier }).to_string();
        app.operator().send("PATCH", &path, &[("idempotency-key", key)], Some(&patch))
    };
    change("k-4", json!("diamond")).assert_problem(422, "unknown_tier");
    assert_eq!(change("k-5", json!(null)).body.get("min_tier"), None);
    let ben = app.enrol("ben");
    let gift = json!({ "member_id": ben, "points": 10, "reason": "goodwill" });
    assert_eq!(app.operator().post_keyed("/v1/adjustments", "k-6", &gift).status, 201);
    let body = json!({ "member_id": ben, "reward_id": reward["id"], "quantity": 1 });
    assert_eq!(app.checkout().post_keyed("/v1/redemptions", "k-7", &body).status, 201);
}

//! Exactly so many points may pay an order as its quote says.

use serde_json::{Value, json};

use super::{EARLIER, quoted};
use crate::support::{Answer, App, NOON, fund};

// When the programme of a test takes effect, and its orders occur.
const LATER: &str = "2026-03-10T12:02:00Z";

// A member with `points` active ones, under a programme with these rules of redemption.
fn member_under(points: i64, redemption: &Value) -> (App, String) {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    if points > 0 {
        fund(&app, &member, "L-1", EARLIER, points);
    }
    app.publish(LATER, |document| match redemption {
        Value::Null => drop(document.as_object_mut().unwrap().remove("redemption")),
        rules => document["redemption"] = rules.clone(),
    });
    (app, member)
}

// So many points are held for an order of `amount`, which is then posted with them; the answer that refuses, or the
// order's.
fn pay(app: &App, member: &str, order_id: &str, amount: &str, points: i64) -> Answer {
    let hold = json!({ "member_id": member, "points": points, "order_amount": amount, "hold": { "ttl": "15m" } });
    let held = app.checkout().ask("/v1/redemptions", &hold);
    if held.status != 201 {
        return held;
    }
    let mut order = app.order(member, order_id, LATER, amount);
    order["redemption_ids"] = json!([held.body["id"]]);
    let posted = app.checkout().post("/v1/orders", &order);
    if posted.status != 201 {
        let void = format!("/v1/redemptions/{}/void", held.body["id"].as_str().unwrap());
        assert_eq!(app.checkout().ask(&void, &json!({})).status, 200);
    }
    posted
}

#[test]
fn what_is_quoted_as_spendable_pays_the_order_and_one_point_more_is_refused() {
    let half = json!({ "point_value": "0.01", "order_share": "0.5" });
    let whole = json!({ "point_value": "0.01" });
    // Ten points for a cent: the last nine are for nothing, and are taken all the same.
    let fine = json!({ "point_value": "0.001", "order_share": "0.5" });
    for (points, rules, amount, spendable, refused) in [
        (369, &half, "42.50", (369, "3.69", Some(1), "balance"), "insufficient_points"),
        (5_000, &half, "42.51", (2_125, "21.25", Some(1), "share"), "over_order_share"),
        (5_000, &whole, "42.50", (4_250, "42.50", Some(1), "amount"), "over_order_share"),
        (50_000, &fine, "10.00", (5_009, "5.00", Some(10), "share"), "over_order_share"),
        (9, &fine, "10.00", (0, "0.00", Some(10), "least_value"), "points_worth_nothing"),
        (0, &fine, "10.00", (0, "0.00", Some(10), "balance"), "points_worth_nothing"),
        // Half of a cent is none.
        (5_000, &half, "0.01", (0, "0.00", Some(1), "share"), "over_order_share"),
        (5_000, &Value::Null, "10.00", (0, "0.00", None, "no_value"), "points_without_value"),
    ] {
        let (app, member) = member_under(points, rules);
        let said = quoted(&app, &member, json!({ "amount": amount, "occurred_at": LATER }))["spendable"].clone();
        let (most, value, least, limit) = spendable;
        let mut expected = json!({ "points": most, "value": value, "limited_by": limit });
        if let Some(least) = least {
            expected["least"] = json!(least);
        }
        assert_eq!(said, expected, "{points} points, {amount}, {rules}");
        let more = pay(&app, &member, "A-1", amount, most + 1);
        assert_eq!(more.code(), refused, "{points} points, {amount}, {rules}: {more:?}");
        if most > 0 {
            let paid = pay(&app, &member, "A-1", amount, most);
            assert_eq!(
                (paid.status, &paid.body["paid"]),
                (201, &json!({ "points": most, "value": value })),
                "{paid:?}"
            );
        }
    }
}

#[test]
fn an_order_of_nothing_is_paid_by_no_points() {
    let (app, member) = member_under(100, &json!({ "point_value": "0.01" }));
    let said = quoted(&app, &member, json!({ "amount": "0.00", "occurred_at": LATER }));
    assert_eq!((&said["spendable"]["points"], &said["spendable"]["limited_by"]), (&json!(0), &json!("amount")));
}

#[test]
fn the_share_of_the_orders_time_and_that_of_now_both_limit_what_may_pay_it() {
    for (now, points) in [("0.2", 400), ("0.8", 1_000)] {
        // At noon the share is a half.
        let (app, member) = member_under(5_000, &json!({ "point_value": "0.01", "order_share": now }));
        let said = quoted(&app, &member, json!({}))["spendable"].clone();
        assert_eq!((&said["points"], &said["limited_by"]), (&json!(points), &json!("share")), "{now}");
    }
}

#[test]
fn points_that_pay_another_currency_by_now_pay_no_order_of_before() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    fund(&app, &member, "L-1", EARLIER, 5_000);
    app.publish(LATER, |document| {
        document["currency"] = json!("JPY");
        document["earning"].as_object_mut().unwrap().remove("maximum_order_amount");
        document["redemption"]["point_value"] = json!("1");
    });
    let said = quoted(&app, &member, json!({}))["spendable"].clone();
    assert_eq!(said, json!({ "points": 0, "value": "0.00", "least": 1, "limited_by": "currency" }));
    let hold = json!({ "member_id": member, "points": 5, "hold": { "ttl": "15m" } });
    let held = app.checkout().ask("/v1/redemptions", &hold);
    let mut order = app.order(&member, "A-1", NOON, "20.00");
    order["redemption_ids"] = json!([held.body["id"]]);
    app.checkout().post("/v1/orders", &order).assert_problem(409, "redemption_of_another_order");
}

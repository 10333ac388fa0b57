//! Items come back, also those that were free.

use diesel::{RunQueryDsl, sql_query};
use serde_json::{Value, json};

use super::refund;
use crate::support::{Answer, App, NOON};

// An order of these items, with the amount that they make.
fn order(app: &App, member: &str, order_id: &str, amount: &str, items: &Value) {
    let mut order = app.order(member, order_id, NOON, amount);
    order["items"] = items.clone();
    let answer = app.checkout().post("/v1/orders", &order);
    assert_eq!(answer.status, 201, "{answer:?}");
}

fn bring_back(app: &App, order_id: &str, refund_id: &str, amount: &str, items: &[(&str, Value)]) -> Answer {
    let items: Vec<Value> = items.iter().map(|(sku, n)| json!({ "sku": sku, "quantity": n })).collect();
    let body = json!({ "refund_id": refund_id, "amount": amount, "items": items });
    app.checkout().post(&format!("/v1/orders/{order_id}/refunds"), &body)
}

#[test]
fn items_must_have_been_bought_and_may_not_cost_more_than_they_did() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let mut order = app.order(&member, "A-1", NOON, "34");
    order["discount"] = json!("1");
    order["items"] = json!([
        { "sku": "tea", "quantity": 2, "unit_price": "10.00" },
        { "sku": "cup", "quantity": 1, "unit_price": "5.00" },
        { "sku": "tea", "quantity": 1, "unit_price": "10.00" },
    ]);
    assert_eq!(checkout.post("/v1/orders", &order).status, 201);
    let back = |refund_id: &str, amount: &str, items: &[(&str, i64)]| {
        let items: Vec<Value> = items.iter().map(|(sku, n)| json!({ "sku": sku, "quantity": n })).collect();
        let body = json!({ "refund_id": refund_id, "amount": amount, "items": items });
        checkout.post("/v1/orders/A-1/refunds", &body)
    };
    let before = app.rows();
    let unknown = back("R-1", "1", &[("pot", 1)]);
    unknown.assert_problem(422, "refund_items");
    assert_eq!((&unknown.body["sku"], &unknown.body["left_quantity"]), (&json!("pot"), &json!("0")));
    let many = back("R-1", "1", &[("tea", 2), ("tea", 2)]);
    many.assert_problem(422, "refund_items");
    assert_eq!((&many.body["sku"], &many.body["left_quantity"]), (&json!("tea"), &json!("1")));
    let dear = back("R-1", "15.01", &[("tea", 1), ("cup", 1)]);
    dear.assert_problem(422, "refund_over_items");
    assert_eq!(dear.body["worth"], "15.00");
    assert_eq!(app.rows(), before, "a refusal left a trace");
    assert_eq!(back("R-1", "20", &[("tea", 2)]).status, 201);
    assert_eq!(back("R-2", "1", &[("tea", 2)]).body["left_quantity"], "1");
    assert_eq!(back("R-2", "9", &[("tea", 1)]).status, 201);
    assert_eq!(back("R-3", "1", &[("tea", 1)]).body["left_quantity"], "0");
    // An order without items has none to give back.
    app.earn(&member, "A-2", NOON, "10");
    let body = json!({ "refund_id": "R-1", "amount": "1", "items": [{ "sku": "tea", "quantity": 1 }] });
    checkout.post("/v1/orders/A-2/refunds", &body).assert_problem(422, "order_without_items");
}

#[test]
fn of_an_article_bought_at_two_prices_no_more_comes_back_than_its_lines_cost() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let items = json!([
        { "sku": "tea", "quantity": 1, "unit_price": "1.00" },
        { "sku": "tea", "quantity": 1, "unit_price": "10.00" },
        { "sku": "cup", "quantity": 1, "unit_price": "9.00" },
    ]);
    order(&app, &member, "A-1", "20.00", &items);
    let tea = [("tea", json!(1))];
    assert_eq!(bring_back(&app, "A-1", "R-1", "10.00", &tea).status, 201);
    let over = bring_back(&app, "A-1", "R-2", "1.01", &tea);
    over.assert_problem(422, "refund_over_items");
    assert_eq!(over.body["worth"], "1.00");
    assert_eq!(bring_back(&app, "A-1", "R-2", "1.00", &tea).status, 201);
}

#[test]
fn what_is_weighed_comes_back_by_weight_and_three_for_a_price_one_by_one() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let items = json!([
        { "sku": "cheese", "quantity": "0.75", "unit_price": "12.99" },
        { "sku": "pencil", "quantity": 3, "amount": "10.00" },
    ]);
    order(&app, &member, "A-1", "19.74", &items);
    let part = [("cheese", json!("0.5"))];
    assert_eq!(bring_back(&app, "A-1", "R-1", "6.49", &part).status, 201);
    let over = bring_back(&app, "A-1", "R-2", "1", &part);
    over.assert_problem(422, "refund_items");
    assert_eq!(over.body["left_quantity"], "0.25");
    for (refund_id, amount) in [("R-3", "3.33"), ("R-4", "3.33"), ("R-5", "3.34")] {
        assert_eq!(bring_back(&app, "A-1", refund_id, amount, &[("pencil", json!(1))]).status, 201, "{refund_id}");
    }
    assert_eq!(bring_back(&app, "A-1", "R-6", "1", &[("pencil", json!("0.001"))]).body["left_quantity"], "0");
    let listed = app.finance().get("/v1/orders/A-1/refunds").body;
    assert_eq!(listed["refunds"][3]["items"], json!([{ "sku": "cheese", "quantity": "0.5" }]));
}

#[test]
fn an_order_of_nothing_comes_back_for_nothing_and_is_returned() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    app.earn(&member, "A-1", NOON, "0.00");
    assert_eq!(checkout.get("/v1/orders/A-1").body["returned"], false);
    let refunded = refund(&app, "A-1", "R-1", "0.00");
    assert_eq!((refunded.status, &refunded.body["amount"]), (201, &json!("0.00")), "{refunded:?}");
    assert_eq!(checkout.get("/v1/orders/A-1").body["returned"], true);
    let again = refund(&app, "A-1", "R-1", "0");
    assert_eq!((again.status, again.replayed()), (201, true), "{again:?}");
    refund(&app, "A-1", "R-2", "0.00").assert_problem(422, "refund_over_order");
    refund(&app, "A-1", "R-2", "0.01").assert_problem(422, "refund_over_order");
}

#[test]
fn points_that_were_given_for_an_order_of_nothing_come_back_with_it() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    app.earn(&member, "L-1", "2026-02-10T12:00:00Z", "100");
    app.publish("2026-03-10T12:01:00Z", |document| {
        document.as_object_mut().unwrap().remove("redemption");
    });
    let spent = checkout.ask("/v1/redemptions", &json!({ "member_id": member, "points": 40, "order_id": "A-1" }));
    let mut order = app.order(&member, "A-1", NOON, "0.00");
    order["redemption_ids"] = json!([spent.body["id"]]);
    assert_eq!(checkout.post("/v1/orders", &order).status, 201);
    assert_eq!(app.points(&member), [60, 0, 0, 0]);
    assert_eq!(refund(&app, "A-1", "R-1", "0.00").body["returned"]["points"], 40);
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
}

#[test]
fn a_free_line_comes_back_for_nothing_before_the_rest_and_after_it() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let items = json!([
        { "sku": "tea", "quantity": 1, "unit_price": "10.00" },
        { "sku": "sample", "quantity": 2, "unit_price": "0.00" },
    ]);
    order(&app, &member, "A-1", "10.00", &items);
    let sample = [("sample", json!(1))];
    bring_back(&app, "A-1", "R-1", "0.01", &sample).assert_problem(422, "refund_over_items");
    assert_eq!(bring_back(&app, "A-1", "R-1", "0.00", &sample).status, 201);
    assert_eq!(checkout.get("/v1/orders/A-1").body["returned"], false);
    assert_eq!(bring_back(&app, "A-1", "R-2", "10.00", &[("tea", json!(1))]).status, 201);
    assert_eq!(checkout.get("/v1/orders/A-1").body["returned"], true);
    assert_eq!(bring_back(&app, "A-1", "R-3", "0.00", &sample).status, 201);
    assert_eq!(bring_back(&app, "A-1", "R-4", "0.00", &sample).body["left_quantity"], "0");
    refund(&app, "A-1", "R-5", "0.00").assert_problem(422, "refund_of_nothing");
}

#[test]
fn what_an_old_order_says_of_its_items_is_read_as_before() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    order(&app, &member, "A-1", "30.00", &json!([{ "sku": "tea", "quantity": 3, "unit_price": "10.00" }]));
    let tea = [("tea", json!(1))];
    assert_eq!(bring_back(&app, "A-1", "R-1", "10.00", &tea).status, 201);
    // Articles stood there once for each refund, without what was paid back for them.
    let old = r#"UPDATE orders SET refunded_items = '[{"sku":"tea","quantity":1}]'"#;
    assert_eq!(sql_query(old).execute(&mut app.owner()), Ok(1));
    bring_back(&app, "A-1", "R-2", "10.01", &tea).assert_problem(422, "refund_over_items");
    assert_eq!(bring_back(&app, "A-1", "R-2", "20.00", &[("tea", json!(2))]).status, 201);
    assert_eq!(bring_back(&app, "A-1", "R-3", "0.00", &tea).body["left_quantity"], "0");
}

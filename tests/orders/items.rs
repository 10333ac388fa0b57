//! Lines of orders as shops have them.

use accrue::http::input::MAX_BODY_OF_ITEMS;
use serde_json::{Value, json};

use super::NOON;
use crate::support::{Answer, App, sql};

fn post(app: &App, member: &str, order_id: &str, amount: &str, items: &Value) -> Answer {
    let mut order = app.order(member, order_id, NOON, amount);
    order["items"] = items.clone();
    app.checkout().post("/v1/orders", &order)
}

#[test]
fn lines_are_by_weight_or_have_a_total() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let items = json!([
        { "sku": "cheese", "quantity": "0.75", "unit_price": "12.99" },
        { "sku": "pencil", "quantity": 3, "unit_price": "3.3333", "amount": "10.00" },
        { "sku": "ribbon", "quantity": "2.500", "amount": "1" },
        { "sku": "sample", "quantity": 1, "unit_price": "0.00" },
    ]);
    let posted = post(&app, &member, "A-1", "20.74", &items);
    assert_eq!((posted.status, &posted.body["earned"]["points"]), (201, &json!(20)), "{posted:?}");
    let read = app.checkout().get("/v1/orders/A-1").body;
    let expected = json!([
        { "sku": "cheese", "quantity": "0.75", "unit_price": "12.99" },
        { "sku": "pencil", "quantity": "3", "unit_price": "3.3333", "amount": "10.00" },
        { "sku": "ribbon", "quantity": "2.5", "amount": "1.00" },
        { "sku": "sample", "quantity": "1", "unit_price": "0.00" },
    ]);
    assert_eq!(read["items"], expected);
    // In other words it is the same order.
    let again = json!([
        { "sku": "cheese", "quantity": "0.750", "unit_price": "12.99" },
        { "sku": "pencil", "quantity": "3.0", "unit_price": "3.33330", "amount": "10" },
        { "sku": "ribbon", "quantity": "2.5", "amount": "1.00" },
        { "sku": "sample", "quantity": "1", "unit_price": "0" },
    ]);
    assert!(post(&app, &member, "A-1", "20.74", &again).replayed());
    let other = json!([{ "sku": "pencil", "quantity": 3, "amount": "20.74" }]);
    post(&app, &member, "A-1", "20.74", &other).assert_problem(409, "order_conflict");
}

#[test]
fn an_order_of_whole_pieces_is_known_by_the_form_that_it_always_had() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let items = json!([
        { "sku": "tea", "quantity": 2, "unit_price": "20.00" },
        { "sku": "cup", "category": "kitchen", "quantity": 1, "unit_price": "7.5" },
    ]);
    assert_eq!(post(&app, &member, "A-1", "47.50", &items).status, 201);
    // An order that was posted before quantities had decimals, and is sent again, has this form and no other.
    let form = format!(
        r#"{{"amount":"47.50","currency":"USD","items":[{{"quantity":2,"sku":"tea","unit_price":"20.00"}},{{"category":"kitchen","quantity":1,"sku":"cup","unit_price":"7.50"}}],"member_id":"{member}","occurred_at":"2026-03-10T12:00:00.000000Z","order_id":"A-1"}}"#
    );
    let known = format!("SELECT count(*) FROM orders WHERE request_hash = sha256(convert_to('{form}', 'UTF8'))");
    assert_eq!(sql::number(&mut app.owner(), &known), 1);
}

#[test]
fn every_fault_of_a_line_is_named() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let before = app.rows();
    for (item, fault) in [
        (json!({ "quantity": 0.75, "unit_price": "1.00" }), ("quantity", "wrong_type")),
        (json!({ "quantity": 1.0, "unit_price": "1.00" }), ("quantity", "wrong_type")),
        (json!({ "quantity": "0.7501", "unit_price": "1.00" }), ("quantity", "too_many_decimals")),
        (json!({ "quantity": "0.000", "unit_price": "1.00" }), ("quantity", "out_of_range")),
        (json!({ "quantity": "1000000.001", "unit_price": "1.00" }), ("quantity", "out_of_range")),
        (json!({ "quantity": "-1", "unit_price": "1.00" }), ("quantity", "negative")),
        (json!({ "quantity": "1e3", "unit_price": "1.00" }), ("quantity", "wrong_form")),
        (json!({ "quantity": 3 }), ("unit_price", "contradiction")),
        (json!({ "quantity": 3, "unit_price": "3.333" }), ("unit_price", "too_many_decimals")),
        (json!({ "quantity": 3, "unit_price": "3.3333333", "amount": "10.00" }), ("unit_price", "too_many_decimals")),
        (json!({ "quantity": 3, "amount": "10.001" }), ("amount", "too_many_decimals")),
        (json!({ "quantity": 3, "amount": 10 }), ("amount", "wrong_type")),
        (json!({ "quantity": 3, "amount": "-1" }), ("amount", "negative")),
    ] {
        let mut item = item;
        item["sku"] = json!("tea");
        let refused = post(&app, &member, "A-1", "10.00", &json!([item]));
        refused.assert_problem(422, "validation_failed");
        let path = format!("/items/0/{}", fault.0);
        assert_eq!(refused.faults(), [(path.as_str(), fault.1)], "{item}");
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

#[test]
fn a_wholesale_order_of_two_thousand_lines_is_posted_and_comes_back() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let item = |n: usize| {
        json!({
            "sku": format!("{n:0>64}"), "category": "c".repeat(64), "quantity": "1000.125",
            "unit_price": "0.012345", "amount": "12.35",
        })
    };
    let items: Vec<Value> = (0..2_000).map(item).collect();
    let mut order = app.order(&member, "A-1", NOON, "24700.00");
    order["items"] = json!(items);
    assert!(order.to_string().len() < MAX_BODY_OF_ITEMS / 2, "there is room");
    let posted = checkout.post("/v1/orders", &order);
    assert_eq!((posted.status, &posted.body["earned"]["points"]), (201, &json!(24_700)), "{posted:?}");
    let back: Vec<Value> = items.iter().map(|item| json!({ "sku": item["sku"], "quantity": "1000.125" })).collect();
    let body = json!({ "refund_id": "R-1", "amount": "24700.00", "items": &back });
    assert_eq!(checkout.post("/v1/orders/A-1/refunds", &body).status, 201);
    let mut many = order.clone();
    many["items"].as_array_mut().unwrap().push(item(2_000));
    let refused = checkout.post("/v1/orders", &many);
    assert_eq!(refused.faults(), [("/items", "wrong_length")]);
    let mut many = json!({ "refund_id": "R-2", "amount": "0.00", "items": back });
    many["items"].as_array_mut().unwrap().push(json!({ "sku": "one-more", "quantity": 1 }));
    let refused = checkout.post("/v1/orders/A-1/refunds", &many);
    assert_eq!(refused.faults(), [("/items", "wrong_length")]);
}

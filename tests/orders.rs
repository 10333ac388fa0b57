//! Orders become points.

use serde_json::json;

use crate::support::App;

#[test]
fn an_order_earns_once_however_often_it_is_posted() {
    let app = App::at("2026-03-10T12:00:00Z");
    let member = app.enrol("ana");
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    let first = app.checkout().post("/v1/orders", &order);
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.body["earned"]["points"], 29);
    assert_eq!(first.body["wallet"], json!({ "active": 0, "debt": 0, "held": 0, "pending": 29 }));
    let again = app.checkout().post("/v1/orders", &order);
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert!(again.replayed() && !first.replayed());
}

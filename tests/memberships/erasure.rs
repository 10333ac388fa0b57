//! Erasure takes away all that is personal, and no entry.

use accrue::domain::movement::enrolment::ProfileChange;
use accrue::domain::movement::membership::Change;
use accrue::domain::record::items::Item;
use accrue::ledger::{ChangeMembership, ChangeProfile, Command};
use serde_json::{Value, json};

use super::{EARLIER, NOON, change, changed, fund, two_journals};
use crate::invariants::{code, in_one_batch, order, request};
use crate::support::{App, sql};

// What must be nowhere once the member is erased.
const PERSONAL: [&str; 9] = [
    "customer-4711",
    "1987-06-05",
    "likes-opera",
    "sku-truffles",
    "luxuries",
    "Dear Ben",
    "Dear Ana",
    "she complained",
    "sku-caviar",
];

// Which of the texts stand anywhere in the database.
fn found(app: &App) -> Vec<String> {
    let rows = sql::dump(&mut app.owner());
    let held = |text: &str| rows.iter().any(|row| row.contains(text));
    PERSONAL.into_iter().filter(|text| held(text)).map(str::to_owned).collect()
}

// A member of whom there is something personal everywhere, and another in another journal.
fn with_everything(app: &App) -> (String, String) {
    let checkout = app.checkout();
    let enrolment = json!({ "external_id": "customer-4711", "birthday": "1987-06-05" });
    let ana = checkout.post_keyed("/v1/members", "e-1", &enrolment).body["id"].as_str().unwrap().to_owned();
    assert!(checkout.post_keyed("/v1/members", "e-2", &enrolment).replayed(), "another key, the same customer");
    let (one, other) = two_journals(app);
    let ben = if one[14..18] == ana[14..18] { other } else { one };
    let patch = checkout.patch(&format!("/v1/members/{ana}"), "p-1", &json!({ "tags": ["likes-opera"] }));
    assert_eq!(patch.status, 200, "{patch:?}");
    changed(app, "s-1", &ana, "suspend");
    changed(app, "s-2", &ana, "resume");
    let mut order = app.order(&ana, "A-1", EARLIER, "100");
    order["items"] = json!([{ "sku": "sku-truffles", "category": "luxuries", "quantity": 4, "unit_price": "25.00" }]);
    assert_eq!(checkout.post_keyed("/v1/orders", "a-1", &order).status, 201);
    fund(app, &ben, "B-1", EARLIER, 100);
    for (key, from, to, message) in [("t-1", &ana, &ben, "Dear Ben"), ("t-2", &ben, &ana, "Dear Ana")] {
        let body = json!({ "from_member_id": from, "to_member_id": to, "points": 5, "message": message });
        assert_eq!(app.operator().post_keyed("/v1/transfers", key, &body).status, 201);
    }
    let adjustment = json!({ "member_id": ana, "points": 1, "reason": "goodwill", "note": "she complained" });
    assert_eq!(app.operator().post_keyed("/v1/adjustments", "adj-1", &adjustment).status, 201);
    let back = json!({ "refund_id": "R-1", "amount": "1.00", "items": [{ "sku": "sku-truffles", "quantity": 1 }] });
    assert_eq!(checkout.post_keyed("/v1/orders/A-1/refunds", "r-1", &back).status, 201);
    let caviar = json!({ "refund_id": "R-2", "amount": "1.00", "items": [{ "sku": "sku-truffles", "quantity": 9 }] });
    checkout.post_keyed("/v1/orders/A-1/refunds", "r-2", &caviar).assert_problem(422, "refund_items");
    (ana, ben)
}

#[test]
fn erasure_leaves_nothing_personal_anywhere_and_every_chain_whole() {
    let app = App::at(NOON);
    let (ana, ben) = with_everything(&app);
    assert_eq!(found(&app), PERSONAL[..8]);
    let entries = sql::texts(&mut app.owner(), "SELECT hash FROM entry ORDER BY journal, seq");
    let erased = changed(&app, "k-1", &ana, "erase");
    let expected = json!({
        "id": ana, "external_id": null, "status": "erased", "joined_at": "2026-03-10T12:00:00.000000Z",
        "birthday": null, "tags": [], "wallet": { "active": 0, "debt": 0, "held": 5, "pending": 0 },
        "journal": erased["journal"],
    });
    assert_eq!(erased, expected);
    assert_eq!(found(&app), Vec::<String>::new());
    assert_eq!(app.operator().get(&format!("/v1/members/{ana}")).body, expected);
    assert_eq!(app.operator().get("/v1/members?external_id=customer-4711").body, json!({ "members": [] }));
    let after = sql::texts(&mut app.owner(), "SELECT hash FROM entry ORDER BY journal, seq");
    assert!(entries.iter().all(|hash| after.contains(hash)), "an entry changed");
    app.audit();
    // Neither side keeps the messages.
    for transfer in app.member(&ben).get("/v1/transfers").body["transfers"].as_array().unwrap() {
        assert_eq!(transfer["message"], Value::Null);
    }
    let order = app.finance().get("/v1/orders/A-1").body;
    assert_eq!((&order["amount"], order.get("items")), (&json!("100.00"), None));
}

#[test]
fn replays_of_old_keys_bring_nothing_personal_back() {
    let app = App::at(NOON);
    let (ana, _) = with_everything(&app);
    changed(&app, "k-1", &ana, "erase");
    let (checkout, address) = (app.checkout(), format!("/v1/members/{ana}"));
    let patch = checkout.patch(&address, "p-1", &json!({ "tags": ["likes-opera"] }));
    patch.assert_problem(409, "idempotency_key_conflict");
    change(&app, "s-1", &ana, "suspend").assert_problem(409, "idempotency_key_conflict");
    let enrolment = json!({ "external_id": "customer-4711", "birthday": "1987-06-05" });
    for key in ["e-1", "e-2"] {
        checkout.post_keyed("/v1/members", key, &enrolment).assert_problem(409, "idempotency_key_conflict");
    }
    // The erasure itself is answered as before: nothing in it is personal. Of an order with items not even the hash is
    // kept, so that nobody can find out by it what was bought.
    assert!(change(&app, "k-1", &ana, "erase").replayed());
    let mut order = app.order(&ana, "A-1", EARLIER, "100");
    order["items"] = json!([{ "sku": "sku-truffles", "category": "luxuries", "quantity": 4, "unit_price": "25.00" }]);
    checkout.post("/v1/orders", &order).assert_problem(409, "order_conflict");
    checkout.patch(&address, "p-2", &json!({ "tags": ["likes-opera"] })).assert_problem(409, "member_closed");
    assert_eq!(found(&app), Vec::<String>::new());
}

#[test]
fn an_erased_customer_can_be_enrolled_again_as_another_member() {
    let app = App::at(NOON);
    let (ana, ben) = with_everything(&app);
    changed(&app, "k-1", &ana, "erase");
    let enrolment = json!({ "external_id": "customer-4711" });
    let again = app.checkout().post("/v1/members", &enrolment);
    assert_eq!((again.status, again.replayed()), (201, false), "{again:?}");
    let new = again.body["id"].as_str().unwrap();
    assert_ne!(new, ana);
    assert_eq!((&again.body["birthday"], &again.body["tags"]), (&Value::Null, &json!([])));
    let body = json!({ "from_member_id": ben, "to_external_id": "customer-4711", "points": 5 });
    assert_eq!(app.operator().post_keyed("/v1/transfers", "t-3", &body).body["to_member_id"], new);
    let body = json!({ "from_member_id": ben, "to_member_id": ana, "points": 5 });
    app.operator().post_keyed("/v1/transfers", "t-4", &body).assert_problem(404, "receiver_not_found");
}

#[test]
fn a_message_goes_with_either_of_its_two_members() {
    for whose in [0, 1] {
        let app = App::at(NOON);
        let (ana, ben) = with_everything(&app);
        changed(&app, "k-1", [&ana, &ben][whose], "erase");
        assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM note WHERE other_member IS NOT NULL"), 0);
    }
}

#[test]
fn what_came_in_the_same_batch_as_the_erasure_is_erased_with_it() {
    let app = App::at(NOON);
    let ana = app.enrol("customer-4711");
    let id = ana.parse().unwrap();
    let truffles = Item {
        sku: "sku-truffles".to_owned(),
        category: None,
        quantity: 1.into(),
        unit_price: Some("25".parse().unwrap()),
        amount: None,
    };
    let mut order = order(id, "A-1", EARLIER, "25");
    if let Command::CompleteOrder(order) = &mut order {
        order.items = Some(vec![truffles]);
    }
    let opera = || ProfileChange { birthday: None, tags: Some(vec!["likes-opera".to_owned()]) };
    let patch = || request("client:checkout", Some("p-1"), ChangeProfile(id, opera()));
    let erase = request("client:operator", Some("k-1"), ChangeMembership(id, Change::Erase));
    let requests = vec![request("client:checkout", None, order), patch(), erase, patch()];
    let answers = in_one_batch(&app, requests);
    let codes: Vec<&str> = answers.iter().map(code).collect();
    assert_eq!(codes, ["done", "done", "done", "idempotency_key_conflict"], "{answers:?}");
    assert_eq!(found(&app), Vec::<String>::new());
}

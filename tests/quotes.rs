//! Quotes: what would come of an order, and how many points may pay it, without a trace.

mod limits;
mod refusals;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use accrue::domain::time::Timestamp;
use accrue::read::{Remembered, View, quotes};
use diesel::Connection;
use diesel::connection::InstrumentationEvent;
use serde_json::{Value, json};

use crate::support::{Answer, App, NOON, fund, instant, nobody, wallets};

// When points were earned that are active at NOON.
const EARLIER: &str = "2026-02-01T12:00:00Z";

// What a member's cart is quoted.
fn quote(app: &App, member: &str, fields: Value) -> Answer {
    let mut cart = json!({ "member_id": member, "currency": "USD", "amount": "20.00", "occurred_at": NOON });
    cart.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.checkout().post("/v1/quotes", &cart)
}

// The same where it must be quoted, without a trace.
fn quoted(app: &App, member: &str, fields: Value) -> Value {
    let before = app.rows();
    let answer = quote(app, member, fields);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(app.rows(), before, "a quote left a trace");
    answer.body
}

#[test]
fn a_quote_says_what_the_order_is_answered_that_is_posted_then() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    fund(&app, &ana, "A-1", EARLIER, 369);
    let mut order = app.order(&ana, "A-2", "2026-03-10T11:00:00Z", "42.50");
    order["discount"] = json!("1.50");
    order["channel"] = json!("app");
    order["items"] = json!([{ "sku": "tea", "quantity": "0.5", "unit_price": "20.00" },
                            { "sku": "cup", "quantity": 4, "amount": "34.00" }]);
    let before = app.rows();
    let quoted = app.checkout().post("/v1/quotes", &order);
    assert_eq!((quoted.status, app.rows()), (200, before), "{quoted:?}");
    let quoted = quoted.body;
    assert_eq!((&quoted["amount"], &quoted["payable"]), (&json!("42.50"), &json!("42.50")));
    assert_eq!(
        quoted["spendable"],
        json!({ "points": 369, "value": "3.69", "least": 1, "limited_by": "balance" }),
        "{quoted}"
    );
    assert_eq!((&quoted["as_of"], quoted.get("paid")), (&json!("2026-03-10T12:00:00.000000Z"), None));
    let posted = app.checkout().post("/v1/orders", &order);
    assert_eq!((posted.status, &posted.body["earned"]), (201, &quoted["earned"]), "{posted:?}");
    assert_eq!(quoted["earned"]["points"], 42);
    // A quote takes no id and is not stopped by one.
    let again = app.checkout().post("/v1/quotes", &order);
    assert_eq!((again.status, &again.body), (200, &quoted));
}

#[test]
fn a_visitor_is_told_what_a_member_would_earn() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    let cart = json!({ "currency": "USD", "amount": "20.00" });
    let visitor = app.checkout().post("/v1/quotes", &cart);
    assert_eq!(visitor.status, 200, "{visitor:?}");
    assert_eq!(visitor.body["earned"]["points"], 20);
    assert_eq!(visitor.body["earned"]["active_at"], "2026-03-24T12:00:00.000000Z", "the order occurs now");
    assert_eq!(visitor.body["spendable"]["points"], 0);
    assert_eq!(visitor.body["spendable"]["limited_by"], "balance");
    // As a member who has nothing yet.
    assert_eq!(app.member(&ana).post("/v1/quotes", &cart).body, visitor.body);
    let named = json!({ "currency": "USD", "amount": "20.00", "order_id": "A-1", "occurred_at": NOON });
    assert_eq!(app.checkout().post("/v1/quotes", &named).body, visitor.body);
}

#[test]
fn a_members_token_quotes_for_that_member_alone() {
    let app = App::at(NOON);
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    fund(&app, &ana, "A-1", EARLIER, 50);
    let phone = app.member(&ana);
    let cart = |member: Option<&str>| {
        let mut cart = json!({ "currency": "USD", "amount": "20.00" });
        if let Some(member) = member {
            cart["member_id"] = json!(member);
        }
        cart
    };
    let own = phone.post("/v1/quotes", &cart(None));
    assert_eq!((own.status, &own.body["spendable"]["points"]), (200, &json!(50)), "{own:?}");
    for me in ["me", &ana] {
        assert_eq!(phone.post("/v1/quotes", &cart(Some(me))).body, own.body);
    }
    assert_eq!(app.checkout().post("/v1/quotes", &cart(Some(&ana))).body, own.body);
    // Others look like those who are not there.
    let unknown = phone.post("/v1/quotes", &cart(Some(&nobody())));
    unknown.assert_problem(404, "member_not_found");
    assert_eq!(phone.post("/v1/quotes", &cart(Some(&ben))).text, unknown.text);
    app.checkout().post("/v1/quotes", &cart(Some(&nobody()))).assert_problem(404, "member_not_found");
    let me = app.checkout().post("/v1/quotes", &cart(Some("me")));
    assert_eq!((me.status, me.faults()), (422, vec![("/member_id", "missing")]));
}

#[test]
fn points_that_become_active_at_this_instant_may_pay_and_those_that_expire_may_not() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    fund(&app, &ana, "A-1", "2026-03-10T11:00:00Z", 7);
    let points = |at: &str| {
        app.clock.set(instant(at));
        quoted(&app, &ana, json!({ "occurred_at": at }))["spendable"]["points"].clone()
    };
    assert_eq!(points("2026-03-24T10:59:59.999999Z"), 0);
    assert_eq!(points("2026-03-24T11:00:00Z"), 7);
    assert_eq!(points("2027-04-01T03:59:59.999999Z"), 7);
    assert_eq!(points("2027-04-01T04:00:00Z"), 0);
}

#[test]
fn what_a_quoted_order_would_earn_at_once_pays_no_part_of_it() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    let quoted = quoted(&app, &ana, json!({ "occurred_at": EARLIER }));
    assert_eq!((&quoted["earned"]["points"], &quoted["spendable"]["points"]), (&json!(20), &json!(0)));
}

#[test]
fn the_redemptions_that_an_order_names_pay_it_in_its_quote_too() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    fund(&app, &ana, "A-1", EARLIER, 5_000);
    let hold = json!({ "member_id": ana, "points": 300, "hold": { "ttl": "15m" } });
    let hold = app.checkout().ask("/v1/redemptions", &hold).body["id"].clone();
    let spent = json!({ "member_id": ana, "points": 200, "order_id": "A-2" });
    let spent = app.checkout().ask("/v1/redemptions", &spent).body["id"].clone();
    let paying = json!({ "order_id": "A-2", "redemption_ids": [hold, spent] });
    let quoted = quoted(&app, &ana, paying.clone());
    assert_eq!((&quoted["paid"], &quoted["payable"]), (&json!({ "points": 500, "value": "5.00" }), &json!("15.00")));
    // Half of the order, less what pays it already.
    assert_eq!(quoted["spendable"], json!({ "points": 500, "value": "5.00", "least": 1, "limited_by": "share" }));
    let mut order = app.order(&ana, "A-2", NOON, "20.00");
    order["redemption_ids"] = paying["redemption_ids"].clone();
    let posted = app.checkout().post("/v1/orders", &order);
    assert_eq!((posted.status, &posted.body["paid"]), (201, &quoted["paid"]), "{posted:?}");
    assert_eq!(posted.body["earned"], quoted["earned"]);
}

#[test]
fn an_order_that_was_posted_and_claims_held_points_does_not_stop_a_quote_under_its_id() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    fund(&app, &ana, "A-1", EARLIER, 100);
    let hold = json!({ "member_id": ana, "points": 60, "hold": { "ttl": "15m" } });
    let hold = app.checkout().ask("/v1/redemptions", &hold).body["id"].clone();
    let refund = json!({ "refund_id": "R-1", "amount": "100.00" });
    assert_eq!(app.checkout().post("/v1/orders/A-1/refunds", &refund).status, 201);
    assert_eq!(app.checkout().get(&format!("/v1/members/{ana}/wallet")).body["claimed"], 60);
    let quoted = quoted(&app, &ana, json!({ "order_id": "A-1", "redemption_ids": [hold] }));
    assert_eq!((&quoted["paid"]["points"], &quoted["earned"]["points"]), (&json!(60), &json!(19)));
}

#[test]
fn a_visitor_in_a_sandbox_is_quoted_by_the_clock_as_it_was_moved() {
    let app = App::sandbox();
    let cart = json!({ "currency": "USD", "amount": "20.00" });
    let as_of = || -> Timestamp {
        let quoted = app.checkout().post("/v1/quotes", &cart);
        instant(quoted.body["as_of"].as_str().unwrap_or_else(|| panic!("{quoted:?}")))
    };
    let before = as_of();
    let moved = app.operator().post("/v1/sandbox/clock", &json!({ "advance": "366D" }));
    let now = instant(moved.body["now"].as_str().unwrap());
    assert!(before < now && now <= as_of(), "{before}, {now}, {}", as_of());
}

#[test]
fn a_members_quote_asks_the_database_no_more_than_a_look_at_the_wallet() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    fund(&app, &ana, "A-1", "2026-03-10T11:00:00Z", 7);
    let id = ana.parse().unwrap();
    let statements = |read: &dyn Fn(&mut View<'_>)| {
        let mut connection = app.database.service();
        let (asked, programs) = (Arc::new(AtomicUsize::new(0)), app.ledger.programs().book());
        let counted = Arc::clone(&asked);
        connection.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            counted.fetch_add(usize::from(matches!(event, InstrumentationEvent::StartQuery { .. })), Ordering::Relaxed);
        });
        read(&mut View { connection: &mut connection, clock: &app.clock, programs: &programs });
        asked.load(Ordering::Relaxed)
    };
    let remembered = RefCell::new(Remembered::default());
    let read = |view: &mut View<'_>| wallets(view, &BTreeSet::from([id]), &mut remembered.borrow_mut());
    let wallet = || statements(&|view| assert!(read(view).contains_key(&id)));
    assert_eq!(wallet(), 2, "the first of its journal, with the head");
    let quote = || statements(&|view| assert!(quotes::member(view, id, &[]).unwrap().is_some()));
    assert_eq!((wallet(), quote()), (1, 1));
    // Something is due.
    app.clock.set(instant("2026-03-24T11:00:00Z"));
    let (wallet, quote) = (wallet(), quote());
    assert!(quote > 1 && quote <= wallet, "{quote} statements, {wallet} for a wallet");
}

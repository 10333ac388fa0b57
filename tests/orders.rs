//! Orders become points.

mod items;
mod keys;
mod time;

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::support::{App, Client, NOON, balances, nobody, two_journals};

// The balances at this instant, and nothing else of the wallet.
fn wallet(client: &Client, member: &str) -> Value {
    let answer = client.get(&format!("/v1/members/{member}/wallet"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body["as_of"].is_string(), "{answer:?}");
    balances(&answer.body)
}

fn points(pending: i64, active: i64) -> Value {
    json!({ "active": active, "debt": 0, "held": 0, "pending": pending })
}

// The kinds of a member's entries with what each brought, from the oldest to the newest.
fn history(client: &Client, member: &str) -> Vec<(String, i64, String)> {
    let statement = client.get(&format!("/v1/members/{member}/entries?limit=200"));
    let lines = statement.body["entries"].as_array().expect("a statement").iter().rev();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    lines.map(|line| (text(line, "kind"), line["points"].as_i64().unwrap(), text(line, "effective_at"))).collect()
}

#[test]
fn an_order_earns_once_however_often_it_is_posted() {
    let app = App::at(NOON);
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

#[test]
fn an_answer_says_what_was_earned_and_why() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.99");
    let answer = app.checkout().post("/v1/orders", &order);
    let expected = json!({
        "order_id": "A-1",
        "member_id": member,
        "earned": {
            "points": 29,
            "active_at": "2026-03-24T11:00:00.000000Z",
            "expires_at": "2027-04-01T04:00:00.000000Z",
            "calculation": [
                { "rule": "base", "amount": "29.99", "points_per_unit": "1", "unrounded_points": "29.99" },
                { "rule": "rounding", "mode": "down", "points": 29 },
            ],
        },
        "wallet": points(29, 0),
    });
    assert_eq!((answer.status, &answer.body), (201, &expected));
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[test]
fn a_zero_order_is_recorded_without_postings() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    for (order_id, amount) in [("Z-1", "0.00"), ("Z-2", "0.99")] {
        let order = app.order(&member, order_id, "2026-03-10T11:00:00Z", amount);
        let answer = app.checkout().post("/v1/orders", &order);
        assert_eq!((answer.status, &answer.body["earned"]["points"]), (201, &json!(0)), "{answer:?}");
        assert!(app.checkout().post("/v1/orders", &order).replayed());
        assert_eq!(app.checkout().get(&format!("/v1/orders/{order_id}")).body["amount"], amount);
    }
    let kinds: Vec<_> = history(&app.checkout(), &member).into_iter().map(|line| (line.0, line.1)).collect();
    let recorded = ("order.recorded".to_owned(), 0);
    assert_eq!(kinds, [("member.enrolled".to_owned(), 0), recorded.clone(), recorded]);
    let rows = app.rows();
    assert!(rows.contains(&("posting", 0)) && rows.contains(&("lot", 0)) && rows.contains(&("orders", 2)), "{rows:?}");
}

#[test]
fn the_same_order_in_other_words_is_the_same_order() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let order = json!({
        "order_id": "A-1", "member_id": member, "occurred_at": "2026-03-10T11:00:00Z", "currency": "USD",
        "amount": "29.30", "discount": "0.70", "channel": "app",
        "items": [{ "sku": "tea", "quantity": 3, "unit_price": "10.00" }],
    });
    let first = checkout.post("/v1/orders", &order);
    assert_eq!(first.status, 201, "{first:?}");
    let in_other_words = format!(
        "{{ \"items\": [{{\"unit_price\":\"10\", \"quantity\":3,\n\"sku\":\"te\\u0061\"}}], \"channel\":\"app\",\t\
         \"discount\":\"0.7\", \"amount\": \"29.3\", \"currency\":\"USD\", \"occurred_at\": \
         \"2026-03-10T07:00:00.0000009-04:00\", \"member_id\":\"{}\", \"order_id\":\"A-1\"}}\n",
        member.to_uppercase()
    );
    let again = checkout.send("POST", "/v1/orders", &[], Some(&in_other_words));
    assert_eq!((again.status, &again.text, again.replayed()), (201, &first.text, true), "{again:?}");
    assert!(app.rows().contains(&("orders", 1)));
}

#[test]
fn the_same_order_id_with_other_content_is_refused() {
    let app = App::at(NOON);
    let (checkout, (member, elsewhere)) = (app.checkout(), two_journals(&app));
    let neighbour = (0..).map(|n| app.enrol(&format!("neighbour-{n}"))).find(|id| id[14..18] == member[14..18]);
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    let first = checkout.post("/v1/orders", &order);
    assert_eq!(first.status, 201, "{first:?}");
    let before = app.rows();
    for (field, value) in [
        ("amount", json!("29.34")),
        ("occurred_at", json!("2026-03-10T11:00:00.000001Z")),
        ("discount", json!("0.00")),
        ("channel", json!("app")),
        ("currency", json!("EUR")),
        ("items", json!([{ "sku": "tea", "quantity": 1, "unit_price": "29.33" }])),
        ("member_id", json!(neighbour.expect("there are two journals only"))),
        ("member_id", json!(elsewhere)),
    ] {
        let mut other = order.clone();
        other[field] = value;
        let refused = checkout.post("/v1/orders", &other);
        refused.assert_problem(409, "order_conflict");
        assert_eq!(refused.body["order_id"], "A-1");
        assert!(!refused.replayed());
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
    assert_eq!(checkout.post("/v1/orders", &order).text, first.text);
}

#[test]
fn an_order_that_comes_before_its_member_can_be_posted_again() {
    let app = App::at(NOON);
    let (checkout, before) = (app.checkout(), app.rows());
    let early = app.order(&nobody(), "A-1", "2026-03-10T11:00:00Z", "29.33");
    for _ in 0..2 {
        let refused = checkout.post("/v1/orders", &early);
        refused.assert_problem(404, "member_not_found");
        assert!(!refused.replayed());
    }
    // A member of a journal that does not exist is an unknown member like any other.
    let nowhere = accrue::domain::ids::MemberId::new(4095, uuid::Uuid::now_v7()).to_string();
    let elsewhere = app.order(&nowhere, "A-1", "2026-03-10T11:00:00Z", "29.33");
    checkout.post("/v1/orders", &elsewhere).assert_problem(404, "member_not_found");
    assert_eq!(app.rows(), before, "a refusal left a trace");
    checkout.get("/v1/orders/A-1").assert_problem(404, "order_not_found");

    let member = app.enrol("ana");
    let mut order = early;
    order["member_id"] = json!(member);
    let accepted = checkout.post("/v1/orders", &order);
    assert_eq!((accepted.status, accepted.replayed()), (201, false), "{accepted:?}");
    assert_eq!(wallet(&checkout, &member), points(29, 0));
}

#[test]
fn fifty_connections_posting_the_same_order_at_once_earn_once() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    let ready = Barrier::new(50);
    let answers: Vec<_> = thread::scope(|scope| {
        let post = || {
            // A client of its own has a connection of its own.
            let checkout = app.checkout();
            ready.wait();
            checkout.post("/v1/orders", &order)
        };
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(post)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| (answer.status, &answer.text) == (201, &answers[0].text)), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !answer.replayed()).count(), 1);
    assert_eq!(wallet(&app.checkout(), &member), points(29, 0));
    assert!(app.rows().contains(&("orders", 1)) && app.rows().contains(&("lot", 1)));
}

#[test]
fn an_order_id_is_taken_once_when_two_journals_race_for_it() {
    let app = App::at(NOON);
    let (one, other) = two_journals(&app);
    for round in 0..5 {
        let ready = Barrier::new(20);
        let order_id = format!("A-{round}");
        let post = |member: &str| {
            let (checkout, order) = (app.checkout(), app.order(member, &order_id, NOON, "10"));
            ready.wait();
            (member.to_owned(), checkout.post("/v1/orders", &order))
        };
        let post = &post;
        let answers: Vec<_> = thread::scope(|scope| {
            let members = [one.as_str(), other.as_str()].into_iter().cycle().take(20);
            let threads: Vec<_> = members.map(|member| scope.spawn(move || post(member))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let winner = app.checkout().get(&format!("/v1/orders/{order_id}")).body["member_id"].clone();
        for (member, answer) in &answers {
            match winner == **member {
                true => assert_eq!(answer.status, 201, "{answer:?}"),
                false => answer.assert_problem(409, "order_conflict"),
            }
        }
        assert_eq!(answers.iter().filter(|(_, answer)| answer.status == 201 && !answer.replayed()).count(), 1);
    }
    let (one, other) = (wallet(&app.checkout(), &one), wallet(&app.checkout(), &other));
    assert_eq!(one["pending"].as_i64().unwrap() + other["pending"].as_i64().unwrap(), 50);
}

#[test]
fn an_order_can_be_read_as_it_was_posted() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let items = json!([
        { "sku": "tea", "category": "drinks", "quantity": 3, "unit_price": "10.00" },
        { "sku": "cup", "quantity": 1, "unit_price": "5.00" },
    ]);
    // An answer has every quantity as a decimal string.
    let mut shown = items.clone();
    (shown[0]["quantity"], shown[1]["quantity"]) = (json!("3"), json!("1"));
    let mut order = app.order(&member, "A-1", "2026-03-10T07:00:00-04:00", "34");
    order["discount"] = json!("1.0");
    order["channel"] = json!("app");
    order["items"] = items;
    let posted = checkout.post("/v1/orders", &order);
    assert_eq!(posted.status, 201, "{posted:?}");
    let read = app.finance().get("/v1/orders/A-1");
    let expected = json!({
        "order_id": "A-1", "member_id": member, "occurred_at": "2026-03-10T11:00:00.000000Z", "currency": "USD",
        "amount": "34.00", "discount": "1.00", "channel": "app", "items": shown, "earned": posted.body["earned"],
        "refunded": "0.00", "remaining": "34.00", "returned": false,
    });
    assert_eq!((read.status, &read.body), (200, &expected));
    checkout.get("/v1/orders/a-1").assert_problem(404, "order_not_found");
    checkout.get("/v1/orders/A%00").assert_problem(404, "order_not_found");
}

#[test]
fn the_location_of_an_order_leads_to_it_whatever_its_id() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    for order_id in ["A-1", "2026/03/1", "A?1", "A#1", "100%", "%41", "a+b", "~!*'()[]|\\^`{}\"<>"] {
        let answer = checkout.post("/v1/orders", &app.order(&member, order_id, NOON, "1"));
        assert_eq!(answer.status, 201, "{answer:?}");
        let found = checkout.get(&answer.headers["location"]);
        assert_eq!((found.status, &found.body["order_id"]), (200, &json!(order_id)), "{answer:?}");
    }
}

#[test]
fn amounts_up_to_the_limits_earn_exactly() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    let post = |order_id: &str, amount: &str| checkout.post("/v1/orders", &app.order(&member, order_id, NOON, amount));
    assert_eq!(post("L-1", "100000.00").body["earned"]["points"], 100_000);
    for amount in ["100000.01", "1000000000000.00"] {
        let refused = post("L-2", amount);
        refused.assert_problem(422, "amount_over_limit");
        assert_eq!(refused.body["maximum_amount"], "100000.00");
    }
    let too_large = post("L-2", "1000000000000.01");
    too_large.assert_problem(422, "validation_failed");
    assert_eq!(too_large.faults(), [("/amount", "too_large")]);

    // Without a limit of its own, a programme has the service's, and a wallet still counts exactly.
    let document = json!({
        "name": "Boundless", "currency": "USD", "time_zone": "America/New_York",
        "earning": { "points_per_unit": "9007.199255", "rounding": "down", "pending": "0D", "expiry": "never" },
    });
    let version = json!({ "effective_at": "2026-03-10T12:01:00Z", "document": document });
    assert_eq!(app.operator().post_keyed("/v1/program/versions", "boundless", &version).status, 201);
    app.clock.set(crate::support::instant("2026-03-10T12:01:00Z"));
    let post = |order_id: &str, amount: &str| {
        checkout.post("/v1/orders", &app.order(&member, order_id, "2026-03-10T12:01:00Z", amount))
    };
    // 2^53 − 1 is 9007199254740991.
    post("L-3", "1000000000000.00").assert_problem(422, "points_over_limit");
    let most = post("L-4", "999999999000.00");
    assert_eq!((most.status, &most.body["earned"]["points"]), (201, &json!(9_007_199_245_992_800_i64)), "{most:?}");
    assert_eq!(most.body["earned"]["expires_at"], Value::Null);
    let before = app.rows();
    post("L-5", "1000000.00").assert_problem(422, "points_over_limit");
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

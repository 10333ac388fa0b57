//! Tiers over HTTP: reached, kept, lost, seen.

mod given;
mod real_orders;
mod versions;

use serde_json::{Value, json};

use crate::support::{Answer, App, instant};

// The programme's zone is New York, where this is 7 in the morning.
const NOON: &str = "2026-03-10T12:00:00Z";

fn levels() -> Value {
    let named = |code: &str, name: &str, more: Value| {
        let mut level = json!({ "code": code, "name": { "en": name } });
        level.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        level
    };
    let shipping = named("free_shipping", "Free shipping", json!({}));
    let access = named("early_access", "Early access", json!({ "value": "7" }));
    json!([
        named("silver", "Silver", json!({ "orders": 1, "benefits": [shipping] })),
        named("gold", "Gold", json!({ "annual_spend": "200.00", "factor": "1.5", "benefits": [shipping, access] })),
        named("platinum", "Platinum", json!({ "annual_spend": "1000.00", "factor": "2" })),
    ])
}

// A service whose programme has tiers since before NOON, with these other rules of them.
fn app(more: Value) -> App {
    let app = App::at("2026-01-01T12:00:00Z");
    app.publish("2026-01-02T12:00:00Z", |document| {
        let mut tiers = json!({ "period": "calendar_year", "levels": levels() });
        tiers.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document["tiers"] = tiers;
    });
    app.clock.set(instant(NOON));
    app
}

fn tier(app: &App, member: &str) -> Value {
    let answer = app.member(member).get("/v1/members/me/tier");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(app.checkout().get(&format!("/v1/members/{member}/tier")).body, answer.body);
    answer.body
}

fn code(app: &App, member: &str) -> Value {
    let code = tier(app, member)["code"].clone();
    let benefits = app.checkout().get(&format!("/v1/members/{member}/benefits"));
    assert_eq!((benefits.status, &benefits.body["code"]), (200, &code));
    code
}

fn changed(answer: &Answer) -> (&Value, &Value) {
    (&answer.body["tier"]["before"], &answer.body["tier"]["after"])
}

fn refund(app: &App, order: &str, refund: &str, amount: &str) {
    let refund = json!({ "refund_id": refund, "amount": amount });
    let answer = app.checkout().post(&format!("/v1/orders/{order}/refunds"), &refund);
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[test]
fn an_order_raises_its_member_and_the_next_one_earns_by_the_new_tier() {
    let app = app(json!({}));
    let ana = app.enrol("ana");
    assert_eq!(code(&app, &ana), json!(null));
    let first = app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "120");
    assert_eq!(changed(&first), (&json!(null), &json!("silver")));
    assert_eq!(first.body["earned"]["points"], 120);
    let seen = tier(&app, &ana);
    assert_eq!(seen["since"], "2026-03-10T11:00:00.000000Z");
    assert_eq!(seen["until"], "2028-01-01T05:00:00.000000Z");
    assert_eq!(seen["progress"]["missing"], json!({ "annual_spend": "80.00" }));
    assert_eq!(seen["progress"]["by"], "2027-01-01T05:00:00.000000Z");
    assert_eq!(seen["progress"]["brings"].as_array().unwrap().len(), 1);
    assert_eq!(seen["keep"]["missing"], json!({ "orders": 1 }));

    let below = app.earn(&ana, "A-2", "2026-03-10T11:30:00Z", "79.99");
    assert_eq!(changed(&below), (&json!("silver"), &json!("silver")));
    let raising = app.earn(&ana, "A-3", "2026-03-10T11:45:00Z", "0.01");
    assert_eq!(changed(&raising), (&json!("silver"), &json!("gold")));
    let next = app.earn(&ana, "A-4", "2026-03-10T11:50:00Z", "10");
    assert_eq!(changed(&next), (&json!("gold"), &json!("gold")));
    assert_eq!(next.body["earned"]["points"], 15);
    assert_eq!(
        next.body["earned"]["calculation"][1],
        json!({ "rule": "tier", "code": "gold", "factor": "1.5", "unrounded_points": "15" })
    );
    // Sent again, each is answered as it was.
    for (answer, order, at, amount) in [
        (&first, "A-1", "2026-03-10T11:00:00Z", "120"),
        (&raising, "A-3", "2026-03-10T11:45:00Z", "0.01"),
        (&next, "A-4", "2026-03-10T11:50:00Z", "10"),
    ] {
        let again = app.checkout().post("/v1/orders", &app.order(&ana, order, at, amount));
        assert_eq!((again.status, &again.text), (201, &answer.text));
    }
    let changes = app.member(&ana).get("/v1/members/me/tiers").body["changes"].clone();
    let kinds: Vec<&Value> = changes.as_array().unwrap().iter().map(|change| &change["code"]).collect();
    assert_eq!(kinds, [&json!("gold"), &json!("silver")]);
}

#[test]
fn a_tier_ends_with_its_term_although_nothing_runs() {
    let app = app(json!({ "grace": "1M" }));
    let ana = app.enrol("ana");
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "1000");
    app.clock.set(instant("2028-02-01T04:59:59.999999Z"));
    assert_eq!(code(&app, &ana), "platinum");
    let rows = app.rows();
    app.clock.set(instant("2028-02-01T05:00:00Z"));
    assert_eq!(code(&app, &ana), json!(null));
    assert_eq!(app.rows(), rows, "a read writes nothing");
    // The next command writes it down, as of when it was.
    app.earn(&ana, "A-2", "2028-02-01T05:00:00Z", "5");
    let changes = app.member(&ana).get("/v1/members/me/tiers").body["changes"].clone();
    assert_eq!(changes[0]["code"], "silver");
    assert_eq!(changes[1]["kind"], "tier.downgraded");
    assert_eq!(changes[1]["effective_at"], "2028-02-01T05:00:00.000000Z");
    for (as_of, expected) in [
        ("2026-03-10T10:59:59Z", json!(null)),
        ("2026-03-10T12:00:00Z", json!("platinum")),
        ("2028-02-01T04:59:59Z", json!("platinum")),
        ("2028-02-01T05:00:00Z", json!("silver")),
    ] {
        let then = app.checkout().get(&format!("/v1/members/{ana}/tier?as_of={as_of}"));
        assert_eq!((then.status, &then.body["code"]), (200, &expected), "{as_of}");
    }
}

#[test]
fn who_spends_enough_again_keeps_the_tier() {
    let app = app(json!({}));
    let ana = app.enrol("ana");
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "200");
    app.clock.set(instant("2027-06-01T12:00:00Z"));
    assert_eq!(
        tier(&app, &ana)["keep"],
        json!({ "missing": { "annual_spend": "200.00" }, "by": "2028-01-01T05:00:00.000000Z" })
    );
    app.earn(&ana, "A-2", "2027-06-01T11:00:00Z", "200");
    assert_eq!(tier(&app, &ana)["keep"]["missing"], json!({ "annual_spend": "0.00" }));
    app.clock.set(instant("2028-01-01T05:00:00Z"));
    let seen = tier(&app, &ana);
    assert_eq!((&seen["code"], &seen["since"]), (&json!("gold"), &json!("2026-03-10T11:00:00.000000Z")));
    assert_eq!(seen["until"], "2029-01-01T05:00:00.000000Z");
}

#[test]
fn a_refund_of_the_order_that_raised_its_member_ends_the_tier_at_once_or_at_the_terms_end() {
    for (refunds, then) in [("at_once", "silver"), ("at_term", "gold")] {
        let app = app(json!({ "refunds": refunds }));
        let ana = app.enrol("ana");
        app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "150");
        app.earn(&ana, "A-2", "2026-03-10T11:30:00Z", "50");
        refund(&app, "A-2", "R-1", "25");
        assert_eq!(code(&app, &ana), then, "{refunds}");
        refund(&app, "A-2", "R-2", "25");
        assert_eq!(code(&app, &ana), then, "{refunds}");
        assert_eq!(tier(&app, &ana)["annual_spend"], "150.00");
        assert_eq!(tier(&app, &ana)["orders"], 1);
        app.clock.set(instant("2028-01-01T05:00:00Z"));
        assert_eq!(code(&app, &ana), json!(null), "{refunds}");
    }
}

#[test]
fn orders_that_arrive_late_give_what_they_would_have_given_in_time() {
    let orders = [
        ("A-1", "2026-01-05T12:00:00Z", "120"),
        ("A-2", "2026-02-05T12:00:00Z", "90"),
        ("A-3", "2026-03-05T12:00:00Z", "30"),
    ];
    let mut seen = Vec::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for period in ["calendar_year", "membership_year", "rolling_12_months"] {
            let app = app(json!({ "period": period }));
            let ana = app.enrol("ana");
            for (id, at, amount) in order.map(|n| orders[n]) {
                app.earn(&ana, id, at, amount);
            }
            let tier = tier(&app, &ana);
            assert_eq!((&tier["code"], &tier["since"]), (&json!("gold"), &json!("2026-02-05T12:00:00.000000Z")));
            seen.push((period, tier));
        }
    }
    for (period, tier) in &seen[3..] {
        let first = seen.iter().find(|(first, _)| first == period).unwrap();
        assert_eq!(&first.1, tier);
    }
}

#[test]
fn what_points_pay_and_what_was_given_counts_for_no_tier() {
    let app = app(json!({}));
    let ana = app.enrol("ana");
    let gift = json!({ "member_id": ana, "points": 5_000, "reason": "goodwill" });
    assert_eq!(app.operator().post_keyed("/v1/adjustments", "k-1", &gift).status, 201);
    assert_eq!(code(&app, &ana), json!(null));
    let redemption = json!({ "member_id": ana, "points": 5_000, "order_id": "A-1", "order_amount": "200.00" });
    let held = app.checkout().post_keyed("/v1/redemptions", "k-2", &redemption);
    assert_eq!(held.status, 201, "{held:?}");
    let mut order = app.order(&ana, "A-1", "2026-03-10T11:00:00Z", "200");
    order["redemption_ids"] = json!([held.body["id"]]);
    assert_eq!(app.checkout().post("/v1/orders", &order).status, 201);
    assert_eq!(code(&app, &ana), "silver");
    assert_eq!(tier(&app, &ana)["annual_spend"], "150.00");
}

#[test]
fn who_is_suspended_keeps_a_tier_and_who_has_left_has_none() {
    let app = app(json!({}));
    let ana = app.enrol("ana");
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "200");
    for (change, expected) in [("suspend", json!("gold")), ("close", json!(null))] {
        let answer = app.operator().post_keyed(&format!("/v1/members/{ana}/{change}"), change, &json!({}));
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = app.checkout().get(&format!("/v1/members/{ana}/tier"));
        assert_eq!((seen.status, &seen.body["code"]), (200, &expected), "{change}");
        let benefits = app.checkout().get(&format!("/v1/members/{ana}/benefits"));
        assert_eq!((benefits.status, &benefits.body["code"]), (200, &expected), "{change}");
        let then = app.checkout().get(&format!("/v1/members/{ana}/tier?as_of={NOON}"));
        assert_eq!((then.status, &then.body["code"]), (200, &expected), "{change}");
    }
    app.clock.set(instant("2026-03-11T12:00:00Z"));
    let ben = app.enrol("ben");
    app.earn(&ben, "B-1", "2026-03-11T11:00:00Z", "200");
    app.clock.set(instant("2026-03-12T12:00:00Z"));
    assert_eq!(app.operator().post_keyed(&format!("/v1/members/{ben}/close"), "k-1", &json!({})).status, 200);
    for (as_of, expected) in [("2026-03-11T12:00:00Z", json!("gold")), ("2026-03-12T12:00:00Z", json!(null))] {
        let then = app.checkout().get(&format!("/v1/members/{ben}/tier?as_of={as_of}"));
        assert_eq!((then.status, &then.body["code"]), (200, &expected), "{as_of}");
    }
}

#[test]
fn a_quote_says_which_tier_an_order_leads_to_and_what_is_missing_after_it() {
    for period in ["calendar_year", "membership_year", "rolling_12_months"] {
        let app = app(json!({ "period": period }));
        let ana = app.enrol("ana");
        app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "150");
        for (id, amount) in [("A-2", "49.99"), ("A-3", "0.01"), ("A-4", "1000")] {
            let order = app.order(&ana, id, "2026-03-10T11:30:00Z", amount);
            let quoted = app.checkout().post("/v1/quotes", &order).body["tier"].clone();
            let posted = app.checkout().post("/v1/orders", &order);
            assert_eq!(posted.status, 201, "{posted:?}");
            assert_eq!((&quoted["before"], &quoted["after"]), changed(&posted), "{period} {id}");
            assert_eq!(quoted["progress"], tier(&app, &ana)["progress"], "{period} {id}");
        }
        assert_eq!(code(&app, &ana), "platinum");
        let visitor = app.checkout().post("/v1/quotes", &json!({ "currency": "USD", "amount": "20.00" }));
        assert_eq!((&visitor.body["tier"]["before"], &visitor.body["tier"]["after"]), (&json!(null), &json!("silver")));
        assert_eq!(visitor.body["tier"]["progress"]["missing"], json!({ "annual_spend": "180.00" }));
    }
}

#[test]
fn the_app_has_a_tier_for_as_long_as_nothing_of_it_changes_but_where_a_rolling_period_is() {
    let app = app(json!({ "period": "rolling_12_months", "term": "24M" }));
    let ana = app.enrol("ana");
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "250");
    let phone = app.member(&ana);
    let ask = |tag: &str| phone.send("GET", "/v1/members/me/tier", &[("if-none-match", tag)], None);
    let first = ask("none");
    assert_eq!((&first.body["annual_spend"], &first.body["code"]), (&json!("250.00"), &json!("gold")));
    let tag = &first.headers["etag"];
    for at in ["2026-03-10T12:00:01Z", "2026-09-10T12:00:00Z", "2027-03-10T11:59:59.999999Z"] {
        app.clock.set(instant(at));
        assert_eq!(ask(tag).status, 304, "{at}");
    }
    // A year later, by the clock on the wall, the order is out of the period.
    app.clock.set(instant("2027-03-10T12:00:00Z"));
    let later = ask(tag);
    assert_eq!((later.status, &later.body["annual_spend"], &later.body["code"]), (200, &json!("0.00"), &json!("gold")));
    app.earn(&ana, "A-2", "2027-03-10T12:00:00Z", "1");
    let after = ask(&later.headers["etag"]);
    assert_eq!((after.status, &after.body["annual_spend"]), (200, &json!("1.00")));
}

#[test]
fn one_order_keeps_a_tier_for_one_term() {
    for (period, ends) in [("rolling_12_months", "2027-03-10T12:00:00Z"), ("membership_year", "2028-03-10T05:00:00Z")] {
        let term = if period == "rolling_12_months" { "12M" } else { "next_period" };
        let app = app(json!({ "period": period, "term": term }));
        let ana = app.enrol("ana");
        app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "10");
        assert_eq!(tier(&app, &ana)["keep"]["missing"]["orders"], 1, "{period}");
        app.clock.set(instant(ends) - chrono::TimeDelta::microseconds(1));
        assert_eq!(code(&app, &ana), "silver", "{period}");
        app.clock.set(instant(ends));
        assert_eq!(code(&app, &ana), json!(null), "{period}");
    }
}

#[test]
fn members_are_counted_by_tier_for_clients_alone() {
    let app = app(json!({}));
    let counts = || {
        let list = app.checkout().get("/v1/tiers");
        let tiers = list.body["tiers"].as_array().unwrap().clone();
        tiers.iter().map(|tier| tier["members"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(counts(), [0, 0, 0]);
    let members: Vec<String> = (0..3).map(|n| app.enrol(&format!("customer-{n}"))).collect();
    for (member, (order, amount)) in members.iter().zip([("A", "10"), ("B", "200"), ("C", "250")]) {
        app.earn(member, order, "2026-03-10T11:00:00Z", amount);
    }
    assert_eq!(counts(), [1, 2, 0]);
    refund(&app, "C", "R-1", "100");
    assert_eq!(counts(), [2, 1, 0]);
    assert_eq!(app.operator().post_keyed(&format!("/v1/members/{}/close", members[0]), "k-1", &json!({})).status, 200);
    assert_eq!(counts(), [1, 1, 0]);
    assert_eq!(app.member(&members[1]).get("/v1/tiers").body["tiers"][0].get("members"), None);
}

#[test]
fn the_tiers_of_the_programme_are_listed_and_a_programme_without_has_none() {
    let app = app(json!({}));
    let list = app.checkout().get("/v1/tiers");
    assert_eq!(list.status, 200, "{list:?}");
    let codes: Vec<&Value> = list.body["tiers"].as_array().unwrap().iter().map(|tier| &tier["code"]).collect();
    assert_eq!(codes, [&json!("silver"), &json!("gold"), &json!("platinum")]);
    assert_eq!(list.body["tiers"][1]["requirement"], json!({ "annual_spend": "200.00" }));

    let without = App::at(NOON);
    let ana = without.enrol("ana");
    assert_eq!(without.checkout().get("/v1/tiers").body, json!({ "tiers": [] }));
    let answer = without.checkout().get(&format!("/v1/members/{ana}/tier"));
    assert_eq!((answer.status, &answer.body["code"]), (404, &json!("no_tiers")));
    let benefits = without.checkout().get(&format!("/v1/members/{ana}/benefits"));
    assert_eq!((benefits.status, &benefits.body["benefits"]), (200, &json!([])));
}

#[test]
fn a_time_that_has_not_come_and_a_member_that_is_not_there_are_refused() {
    let app = app(json!({}));
    let ana = app.enrol("ana");
    for as_of in ["2026-03-10T12:00:00.000001Z", "yesterday"] {
        let answer = app.checkout().get(&format!("/v1/members/{ana}/tier?as_of={as_of}"));
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("invalid_parameter")), "{as_of}");
        assert_eq!(answer.body["errors"][0]["path"], "/as_of");
    }
    let nobody = "01a20785-50b0-7001-9a3c-5d0f7e2b8c41";
    for what in ["tier", "tiers", "benefits"] {
        let answer = app.checkout().get(&format!("/v1/members/{nobody}/{what}"));
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("member_not_found")), "{what}");
        assert_eq!(app.member(nobody).get(&format!("/v1/members/{ana}/{what}")).status, 404);
    }
}

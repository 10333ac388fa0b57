//! Versions of the programme that change tiers.

use accrue::jobs::review_once;
use accrue::postgres::connect;
use serde_json::{Value, json};

use super::{app, changed, code, levels, refund, tier};
use crate::support::{App, instant, sql};

// A second version, by which gold is amber and easier to reach.
fn amber(app: &App) {
    app.publish("2026-06-01T12:00:00Z", |document| {
        let mut levels = levels();
        levels[1]["code"] = json!("amber");
        levels[1]["annual_spend"] = json!("150.00");
        document["tiers"] = json!({ "period": "calendar_year", "levels": levels });
    });
}

fn review(app: &App, stopping: impl Fn() -> bool) -> u64 {
    let mut reader = connect::reader(&app.database.service_url()).unwrap();
    review_once(&mut reader, (&app.ledger, &app.clock), stopping).unwrap()
}

fn progress(app: &App, version: i32) -> Value {
    let answer = app.operator().get(&format!("/v1/program/versions/{version}"));
    assert_eq!((answer.status, &answer.body["version"]), (200, &json!(version)), "{answer:?}");
    answer.body.get("review").cloned().unwrap_or_default()
}

#[test]
fn members_are_looked_at_anew_once_and_from_where_it_was_left() {
    let app = app(json!({}));
    let members: Vec<String> = (0..40).map(|n| app.enrol(&format!("customer-{n}"))).collect();
    for (n, member) in members.iter().enumerate() {
        let amount = ["10", "150", "200"][n % 3];
        app.earn(member, &format!("A-{n}"), "2026-03-10T11:00:00Z", amount);
    }
    amber(&app);
    // Those of the second version, which brought tiers in, are still to be done too.
    let version = app.operator().get("/v1/program/versions").body["versions"][0]["version"].as_i64().unwrap() as i32;
    assert_eq!(progress(&app, version), json!({ "members": 0, "done": false }));
    assert_eq!(code(&app, &members[1]), "silver", "until it is a member's turn");
    let calls = std::cell::Cell::new(0);
    let twice = || calls.replace(calls.get() + 1) == 2;
    let first = review(&app, twice);
    assert_eq!(progress(&app, version), json!({ "members": first, "done": false }));
    assert!(first < 40, "it was stopped after {first}");
    assert_eq!(first + review(&app, || false), 40);
    assert_eq!(progress(&app, version), json!({ "members": 40, "done": true }));
    for (n, member) in members.iter().enumerate() {
        assert_eq!(code(&app, member), ["silver", "amber", "amber"][n % 3]);
    }
    let entries = "SELECT count(*) FROM entry";
    let before = sql::number(&mut app.owner(), entries);
    assert_eq!(review(&app, || false), 0);
    assert_eq!(sql::number(&mut app.owner(), entries), before);
    // A version with the same tiers asks for nothing.
    let tiers = app.operator().get("/v1/program/versions").body["versions"][0]["document"]["tiers"].clone();
    app.publish("2026-07-01T12:00:00Z", |document| document["tiers"] = tiers);
    assert_eq!((review(&app, || false), progress(&app, version + 1)), (0, json!(null)));
    app.operator().get("/v1/program/versions/99").assert_problem(404, "program_version_not_found");
    app.operator().get("/v1/program/versions/x").assert_problem(404, "program_version_not_found");
    app.database.audit();
}

#[test]
fn a_version_that_moves_the_time_zone_moves_the_year_whose_orders_count() {
    for reviewed in [false, true] {
        let app = app(json!({}));
        let ana = app.enrol("ana");
        // In New York this is still the old year.
        app.earn(&ana, "A-1", "2026-01-01T02:00:00Z", "150");
        app.earn(&ana, "A-2", "2026-03-10T11:00:00Z", "100");
        assert_eq!((code(&app, &ana), &tier(&app, &ana)["annual_spend"]), (json!("silver"), &json!("100.00")));
        app.publish("2026-06-01T12:00:00Z", |document| {
            document["time_zone"] = json!("UTC");
            document["tiers"] = json!({ "period": "calendar_year", "levels": levels() });
        });
        if reviewed {
            assert_eq!(review(&app, || false), 1);
        } else {
            app.earn(&ana, "A-3", "2026-06-01T12:00:00Z", "1");
        }
        assert_eq!(code(&app, &ana), "gold");
    }
}

#[test]
fn what_was_spent_in_another_currency_counts_for_nothing_by_now() {
    let app = app(json!({}));
    let ana = app.enrol("ana");
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "190");
    app.publish("2026-06-01T12:00:00Z", |document| {
        document["currency"] = json!("EUR");
        document["tiers"] = json!({ "period": "calendar_year", "levels": levels() });
    });
    let mut order = app.order(&ana, "A-2", "2026-06-01T12:00:00Z", "20");
    order["currency"] = json!("EUR");
    let posted = app.checkout().post("/v1/orders", &order);
    assert_eq!((posted.status, changed(&posted)), (201, (&json!("silver"), &json!("silver"))));
    let seen = tier(&app, &ana);
    assert_eq!((&seen["annual_spend"], &seen["orders"]), (&json!("20.00"), &json!(2)));
    // The other half of it comes back in its own currency, and takes nothing from the sums.
    refund(&app, "A-1", "R-1", "95");
    assert_eq!(tier(&app, &ana)["annual_spend"], "20.00");
    app.database.audit();
}

#[test]
fn tiers_that_come_into_force_look_back_at_orders() {
    let app = App::at("2026-03-10T12:00:00Z");
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "250");
    app.publish("2026-06-01T12:00:00Z", |document| {
        document["tiers"] = json!({ "period": "calendar_year", "levels": levels() });
    });
    assert_eq!(code(&app, &ana), json!(null));
    assert_eq!(review(&app, || false), 2);
    assert_eq!((code(&app, &ana), code(&app, &ben)), (json!("gold"), json!(null)));
}

#[test]
fn a_new_version_of_the_programme_takes_nobodys_tier_before_its_term_ends() {
    let app = app(json!({}));
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "200");
    app.earn(&ben, "B-1", "2026-03-10T11:00:00Z", "150");
    amber(&app);
    // Until something happens to a member the tier is the one that it has.
    assert_eq!(code(&app, &ana), "gold");
    let next = app.earn(&ana, "A-2", "2026-06-01T12:00:00Z", "1");
    assert_eq!(changed(&next), (&json!("gold"), &json!("amber")));
    let next = app.earn(&ben, "B-2", "2026-06-01T12:00:00Z", "1");
    assert_eq!(changed(&next), (&json!("silver"), &json!("amber")));
}

fn give(app: &App, member: &str, tier: &str, until: &str) -> Value {
    let body = json!({ "tier": tier, "until": until, "reason": "goodwill" });
    let given = app.operator().post_keyed(&format!("/v1/members/{member}/tier"), tier, &body);
    assert_eq!(given.status, 201, "{given:?}");
    given.body["change"].clone()
}

fn shown(app: &App, member: &str) -> Value {
    let wallet = app.member(member).get("/v1/members/me/wallet");
    assert_eq!(wallet.status, 200, "{wallet:?}");
    wallet.body["tier"]["code"].clone()
}

#[test]
fn a_tier_that_only_the_new_version_has_can_be_given_at_once() {
    let app = app(json!({}));
    let ana = app.enrol("ana");
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "10");
    amber(&app);
    assert_eq!(give(&app, &ana, "amber", "2026-12-01T00:00:00Z"), json!({ "before": "silver", "after": "amber" }));
    assert_eq!(code(&app, &ana), "amber");
    app.database.audit();
}

#[test]
fn tiers_end_one_by_one_in_a_programme_that_has_none_any_more() {
    let app = app(json!({}));
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "10");
    give(&app, &ana, "gold", "2027-01-01T00:00:00Z");
    give(&app, &ben, "platinum", "2029-01-01T00:00:00Z");
    app.publish("2026-06-01T12:00:00Z", |_| {});
    for (at, tiers) in [
        ("2026-12-31T00:00:00Z", [json!("gold"), json!("platinum")]),
        ("2027-01-01T00:00:00Z", [json!("silver"), json!("platinum")]),
        ("2028-01-01T05:00:00Z", [json!(null), json!("platinum")]),
        ("2029-01-01T00:00:00Z", [json!(null), json!(null)]),
    ] {
        app.clock.set(instant(at));
        assert_eq!([shown(&app, &ana), shown(&app, &ben)], tiers, "{at}");
    }
    app.database.audit();
}

#[test]
fn a_term_that_ended_before_a_version_is_decided_by_the_one_before_it() {
    let app = app(json!({ "period": "rolling_12_months", "term": "1M" }));
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    app.earn(&ana, "A-1", "2026-03-10T11:00:00Z", "200");
    app.earn(&ben, "B-1", "2026-03-10T11:00:00Z", "200");
    app.publish("2026-06-01T12:00:00Z", |_| {});
    // Each month was decided anew by then.
    assert_eq!((shown(&app, &ana), shown(&app, &ben)), (json!("gold"), json!("gold")));
    app.earn(&ben, "B-2", "2026-06-01T12:00:00Z", "1");
    app.clock.set(instant("2026-06-10T11:00:00Z"));
    assert_eq!((shown(&app, &ana), shown(&app, &ben)), (json!(null), json!(null)));
    app.database.audit();
}

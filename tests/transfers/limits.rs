//! How much may be given, and whether at all.

use serde_json::{Value, json};

use super::{EARLIER, NOON, direct, give, offered, reply};
use crate::support::{App, PROGRAM, fund, instant, two_journals, wallet};

#[test]
fn one_transfer_and_one_day_have_their_limits() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100_000);
    let client = app.operator();
    let over = give(&client, "k-1", &ana, &ben, 10_001);
    over.assert_problem(422, "transfer_over_limit");
    assert_eq!(over.body["maximum"], 10_000);
    let declined = offered(&app, "k-2", &ana, &ben, 10_000);
    assert_eq!(direct(&client, "k-3", &ana, &ben, 4_000).status, 201);
    let over = give(&client, "k-4", &ana, &ben, 6_001);
    over.assert_problem(409, "transfer_over_daily_limit");
    assert_eq!((&over.body["maximum"], &over.body["left"]), (&json!(20_000), &json!(6_000)));
    assert_eq!(give(&client, "k-5", &ana, &ben, 6_000).status, 201);
    give(&client, "k-6", &ana, &ben, 1).assert_problem(409, "transfer_over_daily_limit");
    // What came back counts no more; what was accepted does.
    assert_eq!(reply(&client, "k-7", &declined, "decline").status, 200);
    assert_eq!(give(&client, "k-8", &ana, &ben, 10_000).status, 201);
    let refused = give(&client, "k-9", &ana, &ben, 1);
    refused.assert_problem(409, "transfer_over_daily_limit");
    assert_eq!(refused.body["left"], 0);
    // It is the giver's limit.
    assert_eq!(direct(&client, "k-10", &ben, &ana, 4_000).status, 201);

    // The day is that of New York.
    app.clock.set(instant("2026-03-11T03:59:59.999999Z"));
    give(&client, "k-11", &ana, &ben, 1).assert_problem(409, "transfer_over_daily_limit");
    app.clock.set(instant("2026-03-11T04:00:00Z"));
    assert_eq!(give(&client, "k-12", &ana, &ben, 10_000).status, 201);
}

#[test]
fn a_programme_may_have_no_transfers_or_none_that_are_direct() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 50_000);
    let client = app.operator();
    let program: toml::Value = toml::from_str(PROGRAM).unwrap();
    let publish = |key: &str, at: &str, transfers: Option<Value>| {
        let mut document = serde_json::to_value(&program).unwrap();
        match transfers {
            Some(transfers) => document["transfers"] = transfers,
            None => drop(document.as_object_mut().unwrap().remove("transfers")),
        }
        let version = json!({ "effective_at": at, "document": document });
        let answer = client.post_keyed("/v1/program/versions", key, &version);
        assert_eq!(answer.status, 201, "{answer:?}");
    };
    publish("v-2", "2026-03-10T12:05:00Z", Some(json!({ "offer_ttl": "1D" })));
    publish("v-3", "2026-03-10T12:10:00Z", None);
    app.clock.set(instant("2026-03-10T12:05:00Z"));
    direct(&client, "k-1", &ana, &ben, 10).assert_problem(422, "direct_transfer_not_allowed");
    // Without limits, as much as there is; an offer is open for as long as the version says.
    let open = give(&client, "k-2", &ana, &ben, 50_000);
    assert_eq!(open.body["lapses_at"], "2026-03-11T12:05:00.000000Z", "{open:?}");
    app.clock.set(instant("2026-03-10T12:10:00Z"));
    give(&client, "k-3", &ana, &ben, 10).assert_problem(422, "transfers_not_allowed");
    // What is under way goes on.
    assert_eq!(reply(&client, "k-4", open.body["id"].as_str().unwrap(), "accept").status, 200);
    assert_eq!(wallet(&app, &ben), [50_000, 0, 0]);
}

//! Rewards: what points can be redeemed for, and how much of it there is.

use serde_json::{Value, json};

use crate::support::{Answer, App, Client, NOON, Pair, at_once, instant};

// A reward of 10 points with these fields besides.
fn offer(app: &App, fields: &Value) -> String {
    let mut reward = json!({ "name": "Umbrella", "kind": "product", "points": 10 });
    reward.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = app.operator().ask("/v1/rewards", &reward);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

// A member with 1000 active points.
fn rich_member(app: &App, external_id: &str) -> String {
    let member = app.enrol(external_id);
    app.earn(&member, &format!("rich-{external_id}"), "2026-02-10T12:00:00Z", "1000");
    member
}

fn redeem(client: &Client, member: &str, reward: &str, fields: &Value) -> Answer {
    let mut body = json!({ "member_id": member, "reward_id": reward });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    client.ask("/v1/redemptions", &body)
}

fn change(client: &Client, redemption: &Answer, what: &str) -> Answer {
    client.ask(&format!("{}/{what}", redemption.headers["location"]), &json!({}))
}

fn stock(app: &App, reward: &str) -> Value {
    app.checkout().get(&format!("/v1/rewards/{reward}")).body["stock"].clone()
}

#[test]
fn a_reward_is_offered_read_and_changed() {
    let app = App::at(NOON);
    let (operator, member) = (app.operator(), app.enrol("ana"));
    let reward = json!({
        "name": "Umbrella", "kind": "product", "points": 500, "stock": 5, "limit": { "quantity": 2, "period": "1M" },
        "available_from": "2026-03-01T00:00:00Z", "available_until": "2026-04-01T00:00:00+02:00",
    });
    let made = operator.post_keyed("/v1/rewards", "k-1", &reward);
    assert_eq!(made.status, 201, "{made:?}");
    let mut expected = reward.clone();
    expected["id"] = made.body["id"].clone();
    expected["available_from"] = json!("2026-03-01T00:00:00.000000Z");
    expected["available_until"] = json!("2026-03-31T22:00:00.000000Z");
    assert_eq!(made.body, expected);
    let address = &made.headers["location"];
    let read = app.member(&member).get(address);
    assert_eq!((read.status, &read.body), (200, &expected));
    let known = [("if-none-match", read.headers["etag"].as_str())];
    assert_eq!(operator.send("GET", address, &known, None).status, 304);
    let again = operator.post_keyed("/v1/rewards", "k-1", &reward);
    assert_eq!((again.status, &again.text, again.replayed()), (201, &made.text, true));

    let changed = operator.patch(address, "k-2", &json!({ "points": 400, "stock": 7 }));
    (expected["points"], expected["stock"]) = (json!(400), json!(7));
    assert_eq!((changed.status, &changed.body), (200, &expected));
    let boundless = json!({ "limit": null, "available_from": null, "available_until": null, "stock": null });
    let changed = operator.patch(address, "k-3", &boundless);
    let id = &made.body["id"];
    let expected = json!({ "id": id, "name": "Umbrella", "kind": "product", "points": 400, "stock": null });
    assert_eq!((changed.status, &changed.body), (200, &expected));
    assert_eq!(operator.get(address).body, expected);
    operator.patch(address, "k-3", &json!({ "points": 1 })).assert_problem(409, "idempotency_key_conflict");
    app.member(&member).ask("/v1/rewards", &reward).assert_problem(403, "scope_missing");
    app.checkout().ask("/v1/rewards", &reward).assert_problem(403, "scope_missing");
}

#[test]
fn rewards_are_listed_from_the_newest_and_by_what_is_available() {
    let app = App::at(NOON);
    let (member, checkout) = (rich_member(&app, "ana"), app.checkout());
    let open = offer(&app, &json!({}));
    let early = offer(&app, &json!({ "available_from": "2026-03-10T12:00:00.000001Z" }));
    let late = offer(&app, &json!({ "available_until": NOON }));
    let gone = offer(&app, &json!({ "stock": 1 }));
    let now = offer(&app, &json!({ "available_from": NOON, "available_until": "2026-03-11T00:00:00Z", "stock": 1 }));
    assert_eq!(redeem(&checkout, &member, &gone, &json!({})).status, 201);
    let list = |query: &str| {
        let page = app.member(&member).get(&format!("/v1/rewards?{query}"));
        assert_eq!(page.status, 200, "{page:?}");
        let rewards = page.body["rewards"].as_array().unwrap().iter();
        let ids: Vec<String> = rewards.map(|reward| reward["id"].as_str().unwrap().to_owned()).collect();
        (ids, page.body["next_cursor"].as_str().map(str::to_owned))
    };
    let all = vec![now.clone(), gone, late, early, open.clone()];
    assert_eq!(list(""), (all.clone(), None));
    assert_eq!(list("available=false").0, all);
    assert_eq!(list("available=true").0, [now.clone(), open.clone()]);
    let (first, cursor) = list("available=true&limit=1");
    let (second, end) = list(&format!("available=true&limit=1&cursor={}", cursor.unwrap()));
    assert_eq!((first, second, end), (vec![now], vec![open], None));
    checkout.get("/v1/rewards?available=yes").assert_problem(400, "invalid_parameter");
}

#[test]
fn a_reward_costs_its_price_times_the_quantity() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let reward = offer(&app, &json!({ "stock": 5 }));
    let redeemed = redeem(&checkout, &member, &reward, &json!({ "quantity": 3 }));
    assert_eq!((redeemed.status, &redeemed.body["points"]), (201, &json!(30)), "{redeemed:?}");
    assert_eq!((&redeemed.body["quantity"], redeemed.body.get("value")), (&json!(3), None));
    assert_eq!((stock(&app, &reward), app.points(&member)), (json!(2), [970, 0, 0, 0]));
    let refused = redeem(&checkout, &member, &reward, &json!({ "quantity": 3 }));
    refused.assert_problem(409, "reward_out_of_stock");
    assert_eq!(refused.body["left"], 2);
    let dear = offer(&app, &json!({ "points": 9_007_199_254_740_991_i64 }));
    redeem(&checkout, &member, &dear, &json!({ "quantity": 2 })).assert_problem(422, "points_over_limit");
    redeem(&checkout, &member, &dear, &json!({})).assert_problem(409, "insufficient_points");
    // The price that was paid stays when the reward's changes.
    app.operator().patch(&format!("/v1/rewards/{reward}"), "k-1", &json!({ "points": 20 }));
    assert_eq!(change(&checkout, &redeemed, "return").status, 200);
    assert_eq!((stock(&app, &reward), app.points(&member)), (json!(5), [1000, 0, 0, 0]));
}

#[test]
fn stock_is_never_oversold() {
    let pair = Pair::at(NOON);
    let app = pair.app(0);
    // Members of both journals: a head keeps those of one apart, and nothing but the stock's lock those of two.
    let members: Vec<String> = (0..20).map(|n| rich_member(app, &format!("member-{n}"))).collect();
    for round in 0..10 {
        let reward = offer(app, &json!({ "stock": 5 }));
        let answers = at_once(20, |n| {
            let client = pair.app(n + round).checkout();
            redeem(&client, &members[n], &reward, &json!({ "hold": { "ttl": "15m" } }))
        });
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 5, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            refused.assert_problem(409, "reward_out_of_stock");
        }
        assert_eq!(stock(app, &reward), json!(0));
    }
    pair.end();
}

#[test]
fn stock_comes_back_when_a_redemption_is_voided_returned_or_its_lapse_is_written() {
    let app = App::at(NOON);
    let (checkout, member, other) = (app.checkout(), rich_member(&app, "ana"), rich_member(&app, "ben"));
    let reward = offer(&app, &json!({ "stock": 1 }));
    let held = json!({ "hold": { "ttl": "15m" } });
    let voided = redeem(&checkout, &member, &reward, &held);
    assert_eq!(stock(&app, &reward), json!(0));
    assert_eq!(change(&checkout, &voided, "void").status, 200);
    assert_eq!(stock(&app, &reward), json!(1));
    let returned = redeem(&checkout, &member, &reward, &json!({}));
    assert_eq!((returned.status, stock(&app, &reward)), (201, json!(0)));
    assert_eq!(change(&checkout, &returned, "return").status, 200);
    assert_eq!(stock(&app, &reward), json!(1));
    let lapsing = redeem(&checkout, &member, &reward, &held);
    assert_eq!((lapsing.status, stock(&app, &reward)), (201, json!(0)));
    app.clock.set(instant("2026-03-10T12:15:00Z"));
    // The lapse of another member's hold is not written yet, and on the safe side its stock is reserved (invariant 9).
    redeem(&checkout, &other, &reward, &json!({})).assert_problem(409, "reward_out_of_stock");
    // Its own member's next command writes it, and can have the reward by itself.
    let again = redeem(&checkout, &member, &reward, &json!({}));
    assert_eq!((again.status, stock(&app, &reward)), (201, json!(0)), "{again:?}");
    assert_eq!(change(&checkout, &again, "return").status, 200);
    let lapsing = redeem(&checkout, &member, &reward, &held);
    assert_eq!(lapsing.status, 201, "{lapsing:?}");
    app.clock.set(instant("2026-03-10T12:30:00Z"));
    app.earn(&member, "A-1", NOON, "1");
    assert_eq!(stock(&app, &reward), json!(1));
    assert_eq!(redeem(&checkout, &other, &reward, &json!({})).status, 201);
}

#[test]
fn a_reward_is_captured_whole() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let reward = offer(&app, &json!({ "stock": 5 }));
    let held = redeem(&checkout, &member, &reward, &json!({ "quantity": 2, "hold": { "ttl": "15m" } }));
    let address = format!("{}/capture", held.headers["location"]);
    let refused = checkout.ask(&address, &json!({ "points": 10 }));
    refused.assert_problem(422, "reward_captured_whole");
    assert_eq!(refused.body["held"], 20);
    assert_eq!(checkout.ask(&address, &json!({ "points": 20 })).body["status"], "captured");
    assert_eq!((stock(&app, &reward), app.points(&member)), (json!(3), [980, 0, 0, 0]));
}

#[test]
fn rewards_come_back_one_by_one_and_so_does_their_stock() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let reward = offer(&app, &json!({ "stock": 5, "limit": { "quantity": 3 } }));
    let taken = redeem(&checkout, &member, &reward, &json!({ "quantity": 3 }));
    let address = format!("{}/return", taken.headers["location"]);
    let refused = checkout.ask(&address, &json!({ "points": 15 }));
    refused.assert_problem(422, "reward_returned_in_units");
    assert_eq!((&refused.body["unit"], stock(&app, &reward)), (&json!(10), json!(2)));
    let back = checkout.ask(&address, &json!({ "points": 10 }));
    assert_eq!((&back.body["status"], &back.body["returned"]), (&json!("captured"), &json!(10)), "{back:?}");
    assert_eq!((stock(&app, &reward), app.points(&member)), (json!(3), [980, 0, 0, 0]));
    assert_eq!(redeem(&checkout, &member, &reward, &json!({})).status, 201, "the limit has room for the one again");
    redeem(&checkout, &member, &reward, &json!({})).assert_problem(409, "reward_limit_reached");
    assert_eq!(checkout.ask(&address, &json!({})).body["status"], "returned");
    assert_eq!((stock(&app, &reward), app.points(&member)), (json!(4), [990, 0, 0, 0]));
}

#[test]
fn a_member_has_no_more_of_a_reward_than_its_limit() {
    let app = App::at(NOON);
    let (checkout, member, other) = (app.checkout(), rich_member(&app, "ana"), rich_member(&app, "ben"));
    let monthly = offer(&app, &json!({ "limit": { "quantity": 2, "period": "1M" } }));
    let ever = offer(&app, &json!({ "limit": { "quantity": 1 } }));
    assert_eq!(redeem(&checkout, &member, &monthly, &json!({})).status, 201);
    let refused = redeem(&checkout, &member, &monthly, &json!({ "quantity": 2 }));
    refused.assert_problem(409, "reward_limit_reached");
    assert_eq!((&refused.body["maximum"], &refused.body["left"]), (&json!(2), &json!(1)));
    let second = redeem(&checkout, &member, &monthly, &json!({ "hold": { "ttl": "15m" } }));
    assert_eq!(second.status, 201, "{second:?}");
    redeem(&checkout, &member, &monthly, &json!({})).assert_problem(409, "reward_limit_reached");
    assert_eq!(redeem(&checkout, &other, &monthly, &json!({ "quantity": 2 })).status, 201);
    // What was given up does not count.
    assert_eq!(change(&checkout, &second, "void").status, 200);
    assert_eq!(redeem(&checkout, &member, &monthly, &json!({})).status, 201);
    assert_eq!(redeem(&checkout, &member, &ever, &json!({})).status, 201);
    app.clock.set(instant("2026-04-10T11:59:59Z"));
    redeem(&checkout, &member, &monthly, &json!({})).assert_problem(409, "reward_limit_reached");
    app.clock.set(instant("2026-04-10T12:00:00Z"));
    assert_eq!(redeem(&checkout, &member, &monthly, &json!({ "quantity": 2 })).status, 201);
    redeem(&checkout, &member, &ever, &json!({})).assert_problem(409, "reward_limit_reached");
}

#[test]
fn a_reward_can_be_had_in_its_window_alone() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), rich_member(&app, "ana"));
    let window = json!({ "available_from": "2026-03-10T13:00:00Z", "available_until": "2026-03-10T14:00:00Z" });
    let reward = offer(&app, &window);
    let ask = |at: &str| {
        app.clock.set(instant(at));
        redeem(&checkout, &member, &reward, &json!({}))
    };
    ask("2026-03-10T12:59:59.999999Z").assert_problem(409, "reward_not_available");
    assert_eq!(ask("2026-03-10T13:00:00Z").status, 201);
    assert_eq!(ask("2026-03-10T13:59:59.999999Z").status, 201);
    ask("2026-03-10T14:00:00Z").assert_problem(409, "reward_not_available");
}

#[test]
fn bad_rewards_are_refused_without_a_trace() {
    let app = App::at(NOON);
    let (operator, reward) = (app.operator(), offer(&app, &json!({})));
    let (address, before) = (format!("/v1/rewards/{reward}"), app.rows());
    for (fields, fault) in [
        (json!({ "name": "" }), ("/name", "wrong_length")),
        (json!({ "name": "x".repeat(101) }), ("/name", "wrong_length")),
        (json!({ "points": 0 }), ("/points", "out_of_range")),
        (json!({ "stock": -1 }), ("/stock", "out_of_range")),
        (json!({ "stock": 1_000_000_001 }), ("/stock", "out_of_range")),
        (json!({ "limit": {} }), ("/limit/quantity", "missing")),
        (json!({ "limit": { "quantity": 0 } }), ("/limit/quantity", "out_of_range")),
        (json!({ "limit": { "quantity": 1, "period": "soon" } }), ("/limit/period", "wrong_form")),
        (json!({ "available_from": "2026-03-10" }), ("/available_from", "wrong_form")),
        (json!({ "color": "red" }), ("/color", "unknown")),
    ] {
        let mut body = json!({ "name": "Umbrella", "kind": "product", "points": 10 });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let refused = operator.ask("/v1/rewards", &body);
        refused.assert_problem(422, "validation_failed");
        assert_eq!(refused.faults(), [fault], "{fields}");
        let refused = operator.patch(&address, "k-1", &fields);
        refused.assert_problem(422, "validation_failed");
        assert_eq!(refused.faults(), [fault], "{fields}");
    }
    operator.patch(&address, "k-1", &json!({ "kind": "coupon" })).assert_problem(422, "validation_failed");
    let kind = operator.ask("/v1/rewards", &json!({ "name": "x", "kind": "car", "points": 1 }));
    assert_eq!(kind.faults(), [("/kind", "not_one_of")]);
    operator
        .post("/v1/rewards", &json!({ "name": "x", "kind": "coupon", "points": 1 }))
        .assert_problem(400, "idempotency_key_required");
    assert_eq!(app.rows(), before, "a refusal left a trace");
    let window = json!({ "available_from": NOON, "available_until": NOON });
    operator.patch(&address, "k-2", &window).assert_problem(422, "window_ends_before_it_begins");
    for id in [uuid::Uuid::now_v7().to_string(), "x".to_owned()] {
        operator.get(&format!("/v1/rewards/{id}")).assert_problem(404, "reward_not_found");
        operator
            .patch(&format!("/v1/rewards/{id}"), &format!("k-{id}"), &json!({ "points": 1 }))
            .assert_problem(404, "reward_not_found");
    }
}

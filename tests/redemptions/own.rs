//! Holds that a member makes by its own token.

use diesel::{RunQueryDsl, sql_query};
use serde_json::json;

use super::{NOON, change, hold, member_with_points};
use crate::support::{App, instant};

#[test]
fn a_member_voids_what_it_holds_for_no_order() {
    let app = App::at(NOON);
    let member = member_with_points(&app);
    let phone = app.member(&member);
    let held = phone.ask("/v1/redemptions", &json!({ "points": 30, "hold": { "ttl": "30m" } }));
    assert_eq!((held.status, &held.body["made_by"]), (201, &json!("member")), "{held:?}");
    let address = format!("{}/void", held.headers["location"]);
    let voided = phone.post_keyed(&address, "k-1", &json!({}));
    assert_eq!((voided.status, &voided.body["status"]), (200, &json!("voided")), "{voided:?}");
    let again = phone.post_keyed(&address, "k-1", &json!({}));
    assert_eq!((&again.text, again.replayed()), (&voided.text, true));
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
    // A reward's hold is for no order either.
    let mug = app.operator().ask("/v1/rewards", &json!({ "name": "Mug", "kind": "product", "points": 5, "stock": 1 }));
    let body = json!({ "reward_id": mug.body["id"], "hold": { "ttl": "30m" } });
    let held = phone.ask("/v1/redemptions", &body);
    assert_eq!(change(&phone, &held, "void", &json!({})).status, 200);
    assert_eq!(phone.ask("/v1/redemptions", &body).status, 201, "the stock came back");
}

#[test]
fn what_the_shop_holds_and_what_is_for_an_order_is_not_the_members_to_void() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let phone = app.member(&member);
    let of_shop = hold(&checkout, &member, 10, "15m");
    assert_eq!(of_shop.body["made_by"], "client");
    let for_order = phone.ask("/v1/redemptions", &json!({ "points": 10, "order_id": "A-1", "hold": { "ttl": "15m" } }));
    for held in [&of_shop, &for_order] {
        change(&phone, held, "void", &json!({})).assert_problem(409, "hold_of_shop");
        assert_eq!(change(&checkout, held, "void", &json!({})).status, 200);
    }
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
}

#[test]
fn a_hold_of_which_it_is_not_known_who_made_it_is_the_shops() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let phone = app.member(&member);
    let held = phone.ask("/v1/redemptions", &json!({ "points": 10, "hold": { "ttl": "30m" } }));
    // As it was written before makers were.
    let forget = r#"UPDATE record SET state = replace(state, '"made_by":"member",', '')"#;
    assert_eq!(sql_query(forget).execute(&mut app.owner()), Ok(1));
    assert_eq!(phone.get(&held.headers["location"]).body.get("made_by"), None);
    change(&phone, &held, "void", &json!({})).assert_problem(409, "hold_of_shop");
    assert_eq!(change(&checkout, &held, "void", &json!({})).status, 200);
    assert_eq!(app.points(&member), [100, 0, 0, 0]);
}

#[test]
fn another_members_hold_looks_like_one_that_does_not_exist() {
    let app = App::at(NOON);
    let (member, stranger) = (member_with_points(&app), app.member(&app.enrol("ben")));
    let held = hold(&app.member(&member), &member, 10, "15m");
    let journal = member.parse::<accrue::domain::ids::MemberId>().unwrap().journal();
    let unknown = accrue::domain::ids::RedemptionId::new(journal, uuid::Uuid::now_v7());
    let nothing = stranger.ask(&format!("/v1/redemptions/{unknown}/void"), &json!({}));
    nothing.assert_problem(404, "redemption_not_found");
    assert_eq!(change(&stranger, &held, "void", &json!({})).text, nothing.text);
    assert_eq!(app.points(&member), [90, 0, 10, 0]);
}

#[test]
fn a_member_holds_points_for_as_long_as_the_programme_says() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), member_with_points(&app));
    let phone = app.member(&member);
    let refused = hold(&phone, &member, 10, "3601s");
    refused.assert_problem(422, "member_hold_too_long");
    assert_eq!(refused.body["maximum_period"], "1H");
    let held = hold(&phone, &member, 10, "60m");
    assert_eq!(held.body["lapses_at"], "2026-03-10T13:00:00.000000Z");
    assert_eq!(hold(&checkout, &member, 10, "30d").status, 201, "the shop holds for longer");
    app.publish("2026-03-10T12:05:00Z", |document| document["redemption"]["member_hold"] = json!("0D_D"));
    hold(&phone, &member, 10, "16h").assert_problem(422, "member_hold_too_long");
    // To the end of the day in New York.
    app.clock.set(instant("2026-03-10T12:05:00Z"));
    assert_eq!(hold(&phone, &member, 10, "955m").status, 201);
}

//! Splitting a refund changes nothing (invariant 11).

use serde_json::{Value, json};

use super::{NOON, refund, reversed};
use crate::support::{Answer, App, Pair, at_once};

// A member whose order "<name>-1" of `amount` is paid with `points`, held for it; it is left with no others.
fn member_who_paid(app: &App, name: &str, amount: &str, points: i64) -> (String, Value) {
    let (checkout, member) = (app.checkout(), app.enrol(name));
    app.earn(&member, &format!("{name}-0"), "2026-02-10T12:00:00Z", &points.to_string());
    let hold = json!({ "member_id": member, "points": points, "hold": { "ttl": "15m" } });
    let held = checkout.ask("/v1/redemptions", &hold).body["id"].clone();
    let mut order = app.order(&member, &format!("{name}-1"), NOON, amount);
    order["redemption_ids"] = json!([held]);
    let posted = checkout.post("/v1/orders", &order);
    assert_eq!(posted.status, 201, "{posted:?}");
    (member, held)
}

fn due(answer: &Answer) -> i64 {
    reversed(answer).iter().sum()
}

#[test]
fn a_hundred_refunds_make_due_what_one_does() {
    let app = App::at(NOON);
    // 33.00 in parts of 0.33, each of which is worth less than a point; 100.00 in parts of a dollar; 0.99 in cents.
    for (name, amount, part, parts) in
        [("a", "33.00", "0.33", 100), ("b", "100.00", "1.00", 100), ("c", "0.99", "0.01", 99)]
    {
        let (whole, split) = (app.enrol(&format!("{name}-whole")), app.enrol(&format!("{name}-split")));
        app.earn(&whole, &format!("{name}-whole"), NOON, amount);
        let earned =
            app.earn(&split, &format!("{name}-split"), NOON, amount).body["earned"]["points"].as_i64().unwrap();
        let once = refund(&app, &format!("{name}-whole"), "R-1", amount);
        let cents = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
        let mut sum = 0;
        for n in 1..=parts {
            let refunded = refund(&app, &format!("{name}-split"), &format!("R-{n}"), part);
            sum += due(&refunded);
            // After each part: what one refund of all so far would have made due.
            let kept = (cents(amount) - n * cents(part)) / 100;
            assert_eq!(sum, earned - kept, "{name} after {n}: {refunded:?}");
            assert_eq!(refunded.body["remaining"]["points"], json!(kept));
        }
        assert_eq!((sum, due(&once)), (earned, earned));
        assert_eq!(app.points(&split), app.points(&whole));
    }
}

#[test]
fn points_that_paid_come_back_for_the_share_refunded() {
    let app = App::at(NOON);
    let (member, held) = member_who_paid(&app, "ana", "20.00", 500);
    assert_eq!(app.points(&member), [0, 15, 0, 0]);
    let half = refund(&app, "ana-1", "R-1", "10.00");
    // 7.50 of the 15.00 that earned are kept: 7 points.
    assert_eq!(reversed(&half), [8, 0, 0, 0]);
    // A quarter of the order was paid with points: of ten dollars back, 7.50 are money.
    let back = json!({ "points": 250, "value": "2.50", "usable": 250 });
    assert_eq!((&half.body["paid_out"], &half.body["returned"]), (&json!("7.50"), &back));
    assert_eq!(app.points(&member), [250, 7, 0, 0]);
    let redemption = app.checkout().get(&format!("/v1/redemptions/{}", held.as_str().unwrap())).body;
    assert_eq!((&redemption["status"], &redemption["returned"]), (&json!("captured"), &json!(250)));
    let rest = refund(&app, "ana-1", "R-2", "10.00");
    assert_eq!((reversed(&rest), &rest.body["returned"]["points"]), ([7, 0, 0, 0], &json!(250)));
    assert_eq!(rest.body["remaining"], json!({ "amount": "0.00", "points": 0 }));
    assert_eq!(app.points(&member), [500, 0, 0, 0]);
    // To their own lot, with its own end.
    let wallet = app.checkout().get(&format!("/v1/members/{member}/wallet")).body;
    assert_eq!(wallet["expiring"], json!([{ "points": 500, "expires_at": "2027-03-01T05:00:00.000000Z" }]));
}

#[test]
fn points_come_back_cumulatively_however_an_order_is_split() {
    let app = App::at(NOON);
    let (member, _) = member_who_paid(&app, "ana", "10.00", 333);
    let mut back = 0;
    for n in 1..=100 {
        let part = refund(&app, "ana-1", &format!("R-{n}"), "0.10");
        back += part.body["returned"]["points"].as_i64().unwrap();
        assert_eq!(back, 333 * n / 100, "{part:?}");
    }
    assert_eq!(app.points(&member), [333, 0, 0, 0]);
}

#[test]
fn refunds_and_returns_share_one_cap() {
    let app = App::at(NOON);
    let (member, held) = member_who_paid(&app, "ana", "10.00", 500);
    let address = format!("/v1/redemptions/{}/return", held.as_str().unwrap());
    assert_eq!(app.checkout().ask(&address, &json!({ "points": 400 })).status, 200);
    let half = refund(&app, "ana-1", "R-1", "5.00");
    assert_eq!(half.body["returned"]["points"], 100, "{half:?}");
    assert_eq!(refund(&app, "ana-1", "R-2", "5.00").body["returned"]["points"], 0);
    assert_eq!(app.points(&member), [500, 0, 0, 0]);
    app.checkout().ask(&address, &json!({})).assert_problem(409, "redemption_state_conflict");
}

#[test]
fn several_redemptions_come_back_the_last_first() {
    let app = App::at(NOON);
    let (checkout, member) = (app.checkout(), app.enrol("ana"));
    app.earn(&member, "L-1", "2026-02-10T12:00:00Z", "1000");
    let hold = |points: i64| {
        let body = json!({ "member_id": member, "points": points, "hold": { "ttl": "15m" } });
        checkout.ask("/v1/redemptions", &body).body["id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (hold(100), hold(200));
    let mut order = app.order(&member, "A-1", NOON, "10.00");
    order["redemption_ids"] = json!([first, second]);
    assert_eq!(checkout.post("/v1/orders", &order).status, 201);
    let returned = |id: &str| checkout.get(&format!("/v1/redemptions/{id}")).body["returned"].clone();
    assert_eq!(refund(&app, "A-1", "R-1", "5.00").body["returned"]["points"], 150);
    assert_eq!((returned(&first), returned(&second)), (json!(0), json!(150)));
    assert_eq!(refund(&app, "A-1", "R-2", "5.00").body["returned"]["points"], 150);
    assert_eq!((returned(&first), returned(&second)), (json!(100), json!(200)));
    assert_eq!(app.points(&member), [1000, 0, 0, 0]);
}

#[test]
fn double_refunds_at_once_are_one() {
    let pair = Pair::at(NOON);
    let app = pair.app(0);
    let member = app.enrol("ana");
    app.earn(&member, "A-1", NOON, "100");
    for round in 1..=10 {
        let answers = at_once(20, |n| refund(pair.app(n), "A-1", &format!("R-{round}"), "6.00"));
        assert!(answers.iter().all(|answer| (answer.status, &answer.text) == (201, &answers[0].text)), "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| !answer.replayed()).count(), 1);
        assert_eq!(app.points(&member), [0, 100 - 6 * round, 0, 0]);
    }
    pair.end();
}

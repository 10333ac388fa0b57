//! Points given to other members.

mod input;
mod limits;
mod races;
mod time;

use serde_json::{Value, json};

use crate::support::{Answer, App, Client, NOON, fund, kinds, nobody, two_journals, wallet};

// When points were earned that are active at NOON, and end on 1 March of the next year in New York.
const EARLIER: &str = "2026-02-01T12:00:00Z";
const THEIR_END: &str = "2027-03-01T05:00:00.000000Z";

fn give(client: &Client, key: &str, from: &str, to: &str, points: i64) -> Answer {
    client.post_keyed("/v1/transfers", key, &json!({ "from_member_id": from, "to_member_id": to, "points": points }))
}

fn direct(client: &Client, key: &str, from: &str, to: &str, points: i64) -> Answer {
    let body = json!({ "from_member_id": from, "to_member_id": to, "points": points, "direct": true });
    client.post_keyed("/v1/transfers", key, &body)
}

// An offer that is there, by its id.
fn offered(app: &App, key: &str, from: &str, to: &str, points: i64) -> String {
    let answer = give(&app.operator(), key, from, to, points);
    assert_eq!((answer.status, &answer.body["status"]), (201, &json!("offered")), "{answer:?}");
    answer.body["id"].as_str().unwrap().to_owned()
}

fn reply(client: &Client, key: &str, id: &str, verb: &str) -> Answer {
    client.send("POST", &format!("/v1/transfers/{id}/{verb}"), &[("idempotency-key", key)], None)
}

fn status(app: &App, id: &str) -> Value {
    app.operator().get(&format!("/v1/transfers/{id}")).body["status"].clone()
}

#[test]
fn an_offer_sets_points_aside_and_an_acceptance_moves_them_with_their_expiry_between_journals() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 60);
    fund(&app, &ana, "A-2", "2026-01-20T12:00:00Z", 40);
    let external_id = app.operator().get(&format!("/v1/members/{ben}")).body["external_id"].clone();
    let body = json!({ "to_external_id": external_id, "points": 70, "message": "For your birthday" });
    let (giver, receiver) = (app.member(&ana), app.member(&ben));
    let offer = giver.post_keyed("/v1/transfers", "k-1", &body);
    assert_eq!(offer.status, 201, "{offer:?}");
    let id = offer.body["id"].as_str().unwrap();
    let expected = json!({
        "id": id, "from_member_id": ana, "to_member_id": ben, "status": "offered", "points": 70,
        "created_at": "2026-03-10T12:00:00.000000Z", "lapses_at": "2026-03-17T12:00:00.000000Z",
        "wallet": { "active": 30, "debt": 0, "held": 70, "pending": 0 },
    });
    assert_eq!(offer.body, expected);
    assert_eq!(offer.headers["location"], format!("/v1/transfers/{id}"));
    assert_eq!((wallet(&app, &ana), wallet(&app, &ben)), ([30, 0, 70], [0, 0, 0]));
    let again = giver.post_keyed("/v1/transfers", "k-1", &body);
    assert_eq!((again.status, &again.text, again.replayed()), (201, &offer.text, true));
    assert_eq!(again.headers["location"], offer.headers["location"]);

    // Both parties see it, with the message; a client sees it without, and the answers of commands hold none.
    let mut shown = expected.clone();
    shown.as_object_mut().unwrap().remove("wallet");
    for (client, message) in
        [(&giver, Some("For your birthday")), (&receiver, Some("For your birthday")), (&app.operator(), None)]
    {
        shown["message"] = json!(message);
        let read = client.get(&format!("/v1/transfers/{id}"));
        assert_eq!((read.status, &read.body), (200, &shown));
        let listed = client.get(&format!("/v1/transfers?member={ana}"));
        if listed.status == 200 {
            assert_eq!(listed.body["transfers"], json!([shown]));
        }
    }

    let accepted = reply(&receiver, "k-2", id, "accept");
    assert_eq!((accepted.status, &accepted.body["status"]), (200, &json!("accepted")), "{accepted:?}");
    assert_eq!(accepted.body["wallet"], json!({ "active": 70, "debt": 0, "held": 0, "pending": 0 }));
    assert_eq!((wallet(&app, &ana), wallet(&app, &ben)), ([30, 0, 0], [70, 0, 0]));
    let again = reply(&receiver, "k-2", id, "accept");
    assert_eq!((again.status, &again.text, again.replayed()), (200, &accepted.text, true));

    // Soonest-expiring first: all of January's, the rest from February's, each with its own end.
    let lots = receiver.get("/v1/members/me/lots").body["lots"].clone();
    let mut ends: Vec<_> = lots.as_array().unwrap().iter().map(|lot| (&lot["expires_at"], &lot["active"])).collect();
    ends.sort_by_key(|(end, _)| end.as_str());
    assert_eq!(ends, [(&json!("2027-02-01T05:00:00.000000Z"), &json!(40)), (&json!(THEIR_END), &json!(30))]);

    let line = |kind: &str, points| (kind.to_owned(), points);
    assert_eq!(kinds(&app, &ana)[..2], [line("transfer.sent", -70), line("transfer.offered", 0)]);
    assert_eq!(kinds(&app, &ben)[0], line("transfer.received", 70));
    // What came from others was neither earned nor spent.
    let sums = receiver.get("/v1/members/me/wallet").body;
    assert_eq!((&sums["lifetime_earned"], &sums["lifetime_spent"]), (&json!(0), &json!(0)));
}

#[test]
fn what_is_declined_or_taken_back_is_the_givers_again() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    for (n, (verb, client, end, has_wallet)) in [
        ("decline", app.member(&ben), "declined", false),
        ("cancel", app.member(&ana), "cancelled", true),
        ("decline", app.operator(), "declined", false),
        ("cancel", app.operator(), "cancelled", true),
    ]
    .into_iter()
    .enumerate()
    {
        let id = offered(&app, &format!("o-{n}"), &ana, &ben, 100);
        let answer = reply(&client, &format!("r-{n}"), &id, verb);
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!(end)), "{answer:?}");
        // The giver's wallet is not for the receiver to see.
        assert_eq!(answer.body.get("wallet").is_some(), has_wallet, "{answer:?}");
        assert_eq!((wallet(&app, &ana), wallet(&app, &ben)), ([100, 0, 0], [0, 0, 0]));
        for (m, other) in ["accept", "decline", "cancel"].into_iter().enumerate() {
            let refused = reply(&app.operator(), &format!("x-{n}-{m}"), &id, other);
            refused.assert_problem(409, "transfer_state_conflict");
            assert_eq!(refused.body["state"], end);
        }
        assert_eq!(status(&app, &id), end);
    }
}

#[test]
fn the_message_of_a_cancelled_offer_is_the_givers_alone() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    for (n, (verb, read_on)) in [("cancel", false), ("decline", true), ("accept", true)].into_iter().enumerate() {
        let body = json!({ "from_member_id": ana, "to_member_id": ben, "points": 10, "message": "Hello" });
        let offer = app.operator().post_keyed("/v1/transfers", &format!("o-{n}"), &body);
        let id = offer.body["id"].as_str().unwrap();
        let message = |member: &str| {
            let client = app.member(member);
            let read = client.get(&format!("/v1/transfers/{id}")).body["message"].clone();
            assert_eq!(client.get("/v1/transfers?limit=1").body["transfers"][0]["message"], read, "{verb}");
            read
        };
        assert_eq!((message(&ana), message(&ben)), (json!("Hello"), json!("Hello")));
        assert_eq!(reply(&app.operator(), &format!("r-{n}"), id, verb).status, 200);
        let then = if read_on { json!("Hello") } else { Value::Null };
        assert_eq!((message(&ana), message(&ben)), (json!("Hello"), then), "{verb}");
        // Ids tell milliseconds apart.
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
}

#[test]
fn a_direct_transfer_moves_points_at_once() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    let given = direct(&app.member(&ana), "k-1", &ana, &ben, 30);
    assert_eq!((given.status, &given.body["status"]), (201, &json!("accepted")), "{given:?}");
    assert_eq!(given.body["lapses_at"], Value::Null);
    assert_eq!(given.body["wallet"]["active"], 70);
    assert_eq!((wallet(&app, &ana), wallet(&app, &ben)), ([70, 0, 0], [30, 0, 0]));
    // And on, from lot to lot, without becoming younger.
    assert_eq!(direct(&app.member(&ben), "k-2", &ben, &ana, 30).status, 201);
    assert_eq!((wallet(&app, &ana), wallet(&app, &ben)), ([100, 0, 0], [0, 0, 0]));
    let wallet = app.member(&ana).get("/v1/members/me/wallet").body;
    assert_eq!(wallet["expiring"], json!([{ "points": 100, "expires_at": THEIR_END }]));
    // Also within one journal.
    let (carl, dora) = same_journal(&app);
    fund(&app, &carl, "C-1", EARLIER, 10);
    assert_eq!(direct(&app.operator(), "k-3", &carl, &dora, 10).status, 201);
    assert_eq!((crate::support::wallet(&app, &carl), crate::support::wallet(&app, &dora)), ([0; 3], [10, 0, 0]));
}

fn same_journal(app: &App) -> (String, String) {
    let first = app.enrol("same-0");
    let other = (1..100).map(|n| app.enrol(&format!("same-{n}"))).find(|id| id[14..18] == first[14..18]);
    (first, other.expect("there are two journals only"))
}

#[test]
fn a_members_token_reaches_its_own_transfers_alone() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    let carl = app.enrol("carl");
    fund(&app, &ana, "A-1", EARLIER, 100);
    let id = offered(&app, "k-1", &ana, &ben, 10);
    let (giver, receiver, stranger) = (app.member(&ana), app.member(&ben), app.member(&carl));
    let unknown = accrue::domain::ids::TransferId::new(1, uuid::Uuid::now_v7()).to_string();
    let nowhere = accrue::domain::ids::TransferId::new(4095, uuid::Uuid::now_v7()).to_string();
    let not_found = giver.get(&format!("/v1/transfers/{unknown}"));
    not_found.assert_problem(404, "transfer_not_found");
    for (client, id) in [(&stranger, &id), (&stranger, &nowhere), (&giver, &nowhere), (&app.operator(), &nowhere)] {
        assert_eq!(client.get(&format!("/v1/transfers/{id}")).text, not_found.text);
    }
    for (client, id, verb) in [
        (&giver, &id, "accept"),
        (&giver, &id, "decline"),
        (&receiver, &id, "cancel"),
        (&stranger, &id, "accept"),
        (&stranger, &id, "decline"),
        (&stranger, &id, "cancel"),
        (&app.operator(), &unknown, "accept"),
        (&app.operator(), &nowhere, "cancel"),
        (&app.operator(), &ana, "cancel"),
        (&app.operator(), &"x".to_owned(), "decline"),
    ] {
        let refused = reply(client, "k-2", id, verb);
        assert_eq!((refused.status, &refused.text), (404, &not_found.text), "{verb}: {refused:?}");
    }
    assert_eq!(status(&app, &id), "offered");
    // Nobody gives what is another's.
    give(&stranger, "k-3", &ana, &carl, 10).assert_problem(404, "member_not_found");
    stranger.get(&format!("/v1/transfers?member={ana}")).assert_problem(404, "member_not_found");
    assert_eq!(stranger.get("/v1/transfers").body, json!({ "transfers": [], "next_cursor": null }));
    assert_eq!(giver.get("/v1/transfers?member=me").body["transfers"][0]["id"], json!(id));
    // Finance reads and does nothing.
    assert_eq!(app.finance().get(&format!("/v1/transfers/{id}")).status, 200);
    reply(&app.finance(), "k-4", &id, "cancel").assert_problem(403, "scope_missing");
    give(&app.checkout(), "k-5", &ana, &ben, 1).assert_problem(403, "scope_missing");
}

#[test]
fn transfers_are_listed_by_side_and_state_from_the_newest_to_the_oldest() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    fund(&app, &ben, "B-1", EARLIER, 100);
    let mut made = Vec::new();
    for n in 0..6 {
        let (from, to) = if n % 2 == 0 { (&ana, &ben) } else { (&ben, &ana) };
        made.insert(0, offered(&app, &format!("k-{n}"), from, to, 10));
        // Ids tell milliseconds apart.
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
    assert_eq!(reply(&app.operator(), "a-1", &made[0], "accept").status, 200);
    assert_eq!(reply(&app.operator(), "a-2", &made[1], "accept").status, 200);
    let phone = app.member(&ana);
    let list = |query: &str| -> Vec<String> {
        let answer = phone.get(&format!("/v1/transfers{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let id = |transfer: &Value| transfer["id"].as_str().unwrap().to_owned();
        answer.body["transfers"].as_array().unwrap().iter().map(id).collect()
    };
    let of = |places: &[usize]| -> Vec<String> { places.iter().map(|place| made[*place].clone()).collect() };
    assert_eq!(list(""), made);
    assert_eq!(list("?direction=outgoing"), of(&[1, 3, 5]));
    assert_eq!(list("?direction=incoming"), of(&[0, 2, 4]));
    assert_eq!(list("?status=offered"), of(&[2, 3, 4, 5]));
    assert_eq!(list("?status=accepted&direction=incoming"), of(&[0]));
    assert_eq!(list("?status=lapsed"), Vec::<String>::new());
    app.clock.set(crate::support::instant("2026-03-17T12:00:00Z"));
    assert_eq!(list("?status=lapsed"), of(&[2, 3, 4, 5]));
    assert_eq!(list("?status=offered"), Vec::<String>::new());
    for limit in 1..=6 {
        let (mut seen, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            seen.extend(list(&query));
            match phone.get(&format!("/v1/transfers{query}")).body["next_cursor"].as_str() {
                Some(cursor) => query = format!("?limit={limit}&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(seen, made, "pages of {limit}");
    }
    app.operator().get("/v1/transfers").assert_problem(400, "invalid_parameter");
    app.operator().get("/v1/transfers?member=me").assert_problem(400, "invalid_parameter");
    phone.get("/v1/transfers?direction=sideways").assert_problem(400, "invalid_parameter");
    phone.get("/v1/transfers?status=open").assert_problem(400, "invalid_parameter");
    app.operator().get(&format!("/v1/transfers?member={}", nobody())).assert_problem(404, "member_not_found");
}

//! Members who are suspended, who leave, and who are forgotten.

mod erasure;

use serde_json::{Value, json};

use crate::support::{Answer, App, NOON, fund, instant, kinds, nobody, two_journals, wallet};

// When points were earned that are active at NOON.
const EARLIER: &str = "2026-02-01T12:00:00Z";

fn change(app: &App, key: &str, member: &str, verb: &str) -> Answer {
    app.operator().send("POST", &format!("/v1/members/{member}/{verb}"), &[("idempotency-key", key)], None)
}

fn changed(app: &App, key: &str, member: &str, verb: &str) -> Value {
    let answer = change(app, key, member, verb);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn cause(app: &App) -> String {
    let answer = app.operator().post_keyed("/v1/causes", "cause", &json!({ "name": "Trees" }));
    answer.body["id"].as_str().expect("a cause").to_owned()
}

fn offer(app: &App, key: &str, from: &str, to: &str, points: i64) -> Answer {
    let body = json!({ "from_member_id": from, "to_member_id": to, "points": points });
    app.operator().post_keyed("/v1/transfers", key, &body)
}

fn reply(app: &App, key: &str, offer: &Answer, verb: &str) -> Answer {
    let id = offer.body["id"].as_str().unwrap_or_else(|| panic!("{offer:?}"));
    app.operator().send("POST", &format!("/v1/transfers/{id}/{verb}"), &[("idempotency-key", key)], None)
}

#[test]
fn a_suspended_member_starts_nothing_new_until_it_is_resumed() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    let trees = cause(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    fund(&app, &ben, "B-1", EARLIER, 100);
    let (given, taken_back, received) =
        (offer(&app, "o-1", &ana, &ben, 10), offer(&app, "o-2", &ana, &ben, 5), offer(&app, "o-3", &ben, &ana, 10));
    let suspended = changed(&app, "s-1", &ana, "suspend");
    assert_eq!((&suspended["id"], &suspended["status"]), (&json!(ana), &json!("suspended")));
    assert_eq!(app.member(&ana).get("/v1/members/me").body["status"], "suspended");

    let order = app.order(&ana, "A-2", EARLIER, "5");
    app.checkout().post("/v1/orders", &order).assert_problem(409, "member_suspended");
    let donation = json!({ "cause_id": trees, "points": 1 });
    app.member(&ana).post_keyed("/v1/donations", "n-1", &donation).assert_problem(409, "member_suspended");
    offer(&app, "n-2", &ana, &ben, 1).assert_problem(409, "member_suspended");
    offer(&app, "n-3", &ben, &ana, 1).assert_problem(409, "receiver_not_active");
    let mut direct = json!({ "from_member_id": ben, "to_member_id": ana, "points": 1, "direct": true });
    app.operator().post_keyed("/v1/transfers", "n-4", &direct).assert_problem(409, "receiver_not_active");
    reply(&app, "n-5", &received, "accept").assert_problem(409, "member_suspended");
    // What is under way goes on.
    assert_eq!(reply(&app, "n-6", &given, "accept").status, 200);
    assert_eq!(reply(&app, "n-7", &taken_back, "cancel").status, 200);
    assert_eq!((wallet(&app, &ana), wallet(&app, &ben)), ([90, 0, 0], [100, 0, 10]));

    assert_eq!(changed(&app, "s-2", &ana, "resume")["status"], "active");
    assert_eq!(reply(&app, "n-8", &received, "accept").status, 200);
    assert_eq!(app.checkout().post("/v1/orders", &order).status, 201);
    direct["points"] = json!(2);
    assert_eq!(app.operator().post_keyed("/v1/transfers", "n-9", &direct).status, 201);
    assert_eq!(wallet(&app, &ana), [107, 0, 0]);
    // Points of a suspended member expire like any others.
    changed(&app, "s-3", &ana, "suspend");
    app.clock.set(instant("2027-03-01T05:00:00Z"));
    assert_eq!(wallet(&app, &ana), [0, 0, 0]);
    assert_eq!(changed(&app, "s-4", &ana, "suspend")["wallet"]["active"], 0);
    assert!(kinds(&app, &ana)[0].0 == "points.expired");
}

#[test]
fn what_a_suspended_member_has_under_way_goes_on() {
    let app = App::at(NOON);
    let (ana, shop) = (app.enrol("ana"), app.operator());
    fund(&app, &ana, "A-1", EARLIER, 100);
    let redeem = |key: &str, hold: bool| {
        let mut body = json!({ "member_id": ana, "points": 10 });
        if hold {
            body["hold"] = json!({ "ttl": "15m" });
        }
        shop.post_keyed("/v1/redemptions", key, &body)
    };
    let held = ["h-1", "h-2", "h-3"].map(|key| redeem(key, true).headers["location"].clone());
    changed(&app, "s-1", &ana, "suspend");
    redeem("h-4", true).assert_problem(409, "member_suspended");
    redeem("h-5", false).assert_problem(409, "member_suspended");
    let done = |key: &str, path: &str| {
        let answer = shop.post_keyed(path, key, &json!({}));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["status"].clone()
    };
    assert_eq!(done("c-1", &format!("{}/capture", held[0])), "captured");
    assert_eq!(done("c-2", &format!("{}/return", held[0])), "returned");
    assert_eq!(done("c-3", &format!("{}/void", held[1])), "voided");
    let refund = shop.post("/v1/orders/A-1/refunds", &json!({ "refund_id": "R-1", "amount": "50.00" }));
    assert_eq!((refund.status, &refund.body["points_reversed"]["active"]), (201, &json!(50)), "{refund:?}");
    app.clock.set(instant("2026-03-10T12:15:00Z"));
    assert_eq!(wallet(&app, &ana), [50, 0, 0], "the third hold has lapsed");
}

#[test]
fn a_change_of_a_membership_is_done_once_and_what_is_so_already_stays() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    let first = change(&app, "k-1", &ana, "suspend");
    let again = change(&app, "k-1", &ana, "suspend");
    assert_eq!((again.status, &again.text, again.replayed()), (200, &first.text, true));
    let before = kinds(&app, &ana).len();
    assert_eq!(changed(&app, "k-2", &ana, "suspend")["status"], "suspended");
    assert_eq!(kinds(&app, &ana).len(), before);
    changed(&app, "k-3", &ana, "resume");
    changed(&app, "k-4", &ana, "resume");
    assert_eq!(changed(&app, "k-5", &ana, "close")["status"], "closed");
    assert_eq!(changed(&app, "k-6", &ana, "close")["status"], "closed");
    change(&app, "k-7", &ana, "suspend").assert_problem(409, "member_closed");
    change(&app, "k-8", &ana, "resume").assert_problem(409, "member_closed");
    assert_eq!(changed(&app, "k-9", &ana, "erase")["status"], "erased");
    assert_eq!(changed(&app, "k-10", &ana, "erase")["status"], "erased");
    change(&app, "k-11", &ana, "resume").assert_problem(409, "member_closed");
    let done: Vec<_> = kinds(&app, &ana).into_iter().map(|line| line.0).collect();
    let expected = ["member.erased", "member.closed", "member.resumed", "member.suspended", "member.enrolled"];
    assert_eq!(done, expected);
    for verb in ["suspend", "resume", "close", "erase"] {
        change(&app, "k-12", &nobody(), verb).assert_problem(404, "member_not_found");
        change(&app, "k-13", "me", verb).assert_problem(404, "member_not_found");
        let address = format!("/v1/members/{ana}/{verb}");
        app.operator().send("POST", &address, &[], None).assert_problem(400, "idempotency_key_required");
        let key = [("idempotency-key", "k-14")];
        app.checkout().send("POST", &address, &key, None).assert_problem(403, "scope_missing");
        app.member(&ana).send("POST", &address, &key, None).assert_problem(403, "scope_missing");
    }
}

#[test]
fn closing_forfeits_what_is_active_and_pending_and_nothing_new_begins() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    fund(&app, &ana, "A-2", "2026-03-10T11:00:00Z", 30);
    fund(&app, &ben, "B-1", EARLIER, 100);
    let (held, kept) = (offer(&app, "o-1", &ana, &ben, 20), offer(&app, "o-2", &ana, &ben, 10));
    let to_ana = offer(&app, "o-3", &ben, &ana, 10);
    let name = app.member(&ana).get("/v1/members/me").body["external_id"].as_str().expect("a name").to_owned();
    let closed = changed(&app, "k-1", &ana, "close");
    assert_eq!((&closed["status"], &closed["wallet"]["held"]), (&json!("closed"), &json!(30)));
    assert_eq!(wallet(&app, &ana), [0, 0, 30]);
    assert_eq!(kinds(&app, &ana)[0], ("member.closed".to_owned(), -100));
    let order = app.order(&ana, "A-3", EARLIER, "5");
    app.checkout().post("/v1/orders", &order).assert_problem(409, "member_closed");
    offer(&app, "n-1", &ana, &ben, 1).assert_problem(409, "member_closed");
    offer(&app, "n-2", &ben, &ana, 1).assert_problem(404, "receiver_not_found");
    reply(&app, "n-3", &to_ana, "accept").assert_problem(409, "member_closed");
    // What comes back is forfeit; what was set aside for another can still be taken.
    assert_eq!(reply(&app, "n-4", &held, "decline").status, 200);
    assert_eq!(wallet(&app, &ana), [0, 0, 10]);
    assert_eq!(reply(&app, "n-5", &kept, "accept").status, 200);
    assert_eq!((wallet(&app, &ana), wallet(&app, &ben)), ([0, 0, 0], [100, 0, 10]));
    // The member can still look.
    assert_eq!(app.member(&ana).get("/v1/members/me").body["external_id"], name);
    let patch = app.checkout().patch(&format!("/v1/members/{ana}"), "n-6", &json!({ "tags": ["x"] }));
    patch.assert_problem(409, "member_closed");
    // The same customer is still that member.
    assert_eq!(app.enrol(&name), ana);
}

#[test]
fn a_hold_outlives_the_membership_until_it_lapses() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    assert_eq!(offer(&app, "o-1", &ana, &ben, 20).status, 201);
    changed(&app, "k-1", &ana, "erase");
    assert_eq!(wallet(&app, &ana), [0, 0, 20]);
    app.clock.set(instant("2026-03-17T12:00:00Z"));
    assert_eq!(wallet(&app, &ana), [0, 0, 0]);
    assert_eq!(changed(&app, "k-2", &ana, "close")["wallet"]["held"], 0);
    assert_eq!(kinds(&app, &ana)[0], ("transfer.lapsed".to_owned(), -20));
}

//! Offers that nobody answers, and points that end.

use serde_json::json;

use super::{EARLIER, NOON, give, kinds, offered, reply, status};
use crate::support::{App, fund, instant, two_journals, wallet};

#[test]
fn an_offer_past_its_end_has_lapsed_although_nothing_has_written_it() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 100);
    let id = offered(&app, "k-1", &ana, &ben, 60);
    let before = app.rows();
    app.clock.set(instant("2026-03-17T11:59:59.999999Z"));
    assert_eq!((status(&app, &id), wallet(&app, &ana)), (json!("offered"), [40, 0, 60]));
    app.clock.set(instant("2026-03-17T12:00:00Z"));
    assert_eq!((status(&app, &id), wallet(&app, &ana)), (json!("lapsed"), [100, 0, 0]));
    let statement = app.member(&ana).get("/v1/members/me/entries").body;
    assert_eq!((&statement["due"][0]["kind"], &statement["due"][0]["points"]), (&json!("transfer.lapsed"), &json!(0)));
    assert_eq!(app.rows(), before, "reading wrote something");

    for (n, verb) in ["accept", "decline", "cancel"].into_iter().enumerate() {
        let refused = reply(&app.operator(), &format!("r-{n}"), &id, verb);
        refused.assert_problem(409, "transfer_state_conflict");
        assert_eq!(refused.body["state"], "lapsed");
    }
    // The next command of the giver writes it down, at the time when it was.
    fund(&app, &ana, "A-2", "2026-03-17T11:00:00Z", 1);
    let lapsed = app.member(&ana).get("/v1/members/me/entries?kind=transfer.lapsed").body;
    assert_eq!(lapsed["entries"][0]["effective_at"], "2026-03-17T12:00:00.000000Z");
    assert_eq!(lapsed["due"], json!([]));
    assert_eq!(kinds(&app, &ana).len(), 5);
    assert_eq!((status(&app, &id), wallet(&app, &ana)), (json!("lapsed"), [100, 1, 0]));
}

#[test]
fn an_offer_ends_with_the_first_of_its_points_which_then_expire_at_once() {
    let app = App::at("2027-02-26T12:00:00Z");
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 60);
    fund(&app, &ana, "A-2", "2026-12-01T12:00:00Z", 40);
    let offer = give(&app.operator(), "k-1", &ana, &ben, 70);
    assert_eq!(offer.body["lapses_at"], "2027-03-01T05:00:00.000000Z", "{offer:?}");
    app.clock.set(instant("2027-03-01T04:59:59.999999Z"));
    assert_eq!(wallet(&app, &ana), [30, 0, 70]);
    app.clock.set(instant("2027-03-01T05:00:00Z"));
    assert_eq!(wallet(&app, &ana), [40, 0, 0]);
    fund(&app, &ana, "A-3", "2027-03-01T05:00:00Z", 1);
    let line = |kind: &str, points| (kind.to_owned(), points);
    assert_eq!(kinds(&app, &ana)[..2], [line("points.earned", 1), line("transfer.lapsed", -60)]);
}

#[test]
fn points_that_were_given_expire_when_they_would_have() {
    let app = App::at("2027-02-26T12:00:00Z");
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 60);
    let id = offered(&app, "k-1", &ana, &ben, 60);
    app.clock.set(instant("2027-03-01T04:59:59Z"));
    assert_eq!(reply(&app.member(&ben), "k-2", &id, "accept").status, 200);
    assert_eq!(wallet(&app, &ben), [60, 0, 0]);
    app.clock.set(instant("2027-03-01T05:00:00Z"));
    assert_eq!(wallet(&app, &ben), [0, 0, 0]);
    fund(&app, &ben, "B-1", "2027-03-01T05:00:00Z", 1);
    assert!(kinds(&app, &ben).contains(&("points.expired".to_owned(), -60)));
}

//! Balances of an older programme become lots, once.

use std::io::Cursor;

use accrue::cli::import::{self, Report};
use serde_json::json;

use super::sums;
use crate::support::{App, NOON, instant, sql};

fn balances(app: &App, file: &str) -> Report {
    import::balances(&app.ledger, &app.database.service_url(), Cursor::new(file)).unwrap()
}

fn member(app: &App, external_id: &str) -> String {
    let found = app.operator().get(&format!("/v1/members?external_id={external_id}")).body;
    found["members"][0]["id"].as_str().unwrap_or_else(|| panic!("{external_id} is no member")).to_owned()
}

#[test]
fn balances_keep_their_dates_and_several_lines_of_a_customer_are_several_lots() {
    let app = App::at(NOON);
    app.enrol("ben");
    let file = "external_id,points,active_at,expires_at,joined_at,note\n\
                ana,100,2025-06-01,2026-06-01,2019-05-01,from the old shop\n\
                ana,20,2026-03-11,2026-05-01,2019-07-01,\n\
                ana,20,2026-03-11,2026-05-01,,\n\
                ben,7,,,,\n";
    let report = balances(&app, file);
    assert_eq!((sums(&report), report.enrolled), ([4, 0, 0, 4], 1), "{report:?}");
    let (ana, ben) = (member(&app, "ana"), member(&app, "ben"));
    assert_eq!((app.points(&ana), app.points(&ben)), ([100, 40, 0, 0], [7, 0, 0, 0]));
    let found = app.operator().get(&format!("/v1/members/{ana}")).body;
    assert_eq!(found["joined_at"], "2019-05-01T04:00:00.000000Z", "the earliest, in the programme's time zone");
    let lots = app.operator().get(&format!("/v1/members/{ana}/lots")).body["lots"].clone();
    let mut dates: Vec<_> = lots
        .as_array()
        .unwrap()
        .iter()
        .map(|lot| json!([lot["earned"], lot["active_at"], lot["expires_at"]]))
        .collect();
    dates.sort_by_key(|lot| lot.to_string());
    let pending = json!([20, "2026-03-11T04:00:00.000000Z", "2026-05-01T04:00:00.000000Z"]);
    let active = json!([100, "2025-06-01T04:00:00.000000Z", "2026-06-01T04:00:00.000000Z"]);
    assert_eq!(dates, [active, pending.clone(), pending]);
    let adjusted = app.operator().get(&format!("/v1/adjustments?member={ana}")).body["adjustments"].clone();
    let first = &adjusted[2];
    assert_eq!((&first["reason"], &first["actor"]), (&json!("migration"), &json!("system:import")));
    assert_eq!((&first["note"], &first["account"]), (&json!("from the old shop"), &json!("active")));
    for (at, points) in [("2026-03-11T04:00:00Z", [140, 0, 0, 0]), ("2026-05-01T04:00:00Z", [100, 0, 0, 0])] {
        app.clock.set(instant(at));
        assert_eq!(app.points(&ana), points, "{at}");
    }
}

#[test]
fn a_file_that_is_imported_again_doubles_nothing_also_after_it_grew_and_time_went_by() {
    let app = App::at(NOON);
    let header = "external_id,points,active_at,expires_at\n";
    let lines = "ana,100,,\nana,50,2026-04-01,\nana,100,,\n";
    assert_eq!(sums(&balances(&app, &format!("{header}{lines}"))), [3, 0, 0, 3]);
    assert_eq!(sums(&balances(&app, &format!("{header}{lines}"))), [0, 3, 0, 3]);
    // In front, in between, of the same content, with other columns and in another order of them.
    let grown =
        "points,external_id,active_at,note\n7,ana,,\n100,ana,,new\n50,ana,2026-04-01,\n100,ana,,\n100,ana,,\n5,ben,,\n";
    app.clock.set(instant("2026-04-02T12:00:00Z"));
    let report = balances(&app, grown);
    assert_eq!((sums(&report), report.enrolled), ([3, 3, 0, 6], 1), "{report:?}");
    assert_eq!(app.points(&member(&app, "ana")), [357, 0, 0, 0]);
    assert_eq!(sums(&balances(&app, grown)), [0, 6, 0, 6]);
}

#[test]
fn lots_that_differ_in_their_dates_alone_are_different_lines() {
    let app = App::at(NOON);
    let header = "external_id,points,active_at,expires_at\n";
    assert_eq!(sums(&balances(&app, &format!("{header}ana,100,,\n"))), [1, 0, 0, 1]);
    // The new lines stand before the one that is known.
    let grown = format!("{header}ana,100,,2026-06-01\nana,100,2026-05-01,\nana,100,,\n");
    assert_eq!(sums(&balances(&app, &grown)), [2, 1, 0, 3]);
    let ana = member(&app, "ana");
    for (at, points) in [(NOON, [200, 100, 0, 0]), ("2026-06-02T12:00:00Z", [200, 0, 0, 0])] {
        app.clock.set(instant(at));
        assert_eq!(app.points(&ana), points, "{at}");
    }
}

#[test]
fn an_import_after_an_erasure_brings_no_points_and_nobody_back() {
    let app = App::at(NOON);
    let file = "external_id,points,note\nana,100,dear\nana,50,\n";
    balances(&app, file);
    let ana = member(&app, "ana");
    assert_eq!(app.operator().ask(&format!("/v1/members/{ana}/erase"), &json!({})).status, 200);
    let before = app.rows();
    assert_eq!(sums(&balances(&app, file)), [0, 2, 0, 2]);
    assert_eq!(app.rows(), before);
    let left = sql::dump(&mut app.owner());
    assert!(!left.iter().any(|row| row.contains("dear")), "a note is left");
    let back = app.enrol("ana");
    assert_eq!(sums(&balances(&app, file)), [0, 2, 0, 2]);
    assert_eq!(app.points(&back), [0, 0, 0, 0]);
}

#[test]
fn lines_that_cannot_be_imported_enrol_nobody_and_can_be_imported_once_their_reason_is_gone() {
    let app = App::at(NOON);
    let header = "external_id,points,active_at,expires_at,joined_at,note\n";
    let bad = [
        ("ana,0,,,,", "/points: must be an integer from 1"),
        ("ana,-5,,,,", "/points: must be an integer from 1"),
        ("ana,1.5,,,,", "/points: must be an integer from 1"),
        ("ana,9007199254740992,,,,", "/points: must be an integer from 1"),
        (",5,,,,", "/external_id: must have 1 to 128 characters"),
        ("ana ,5,,,,", "/external_id: must not begin or end with white space"),
        ("ana,5,soon,,,", "/active_at: must be a date"),
        ("ana,5,,2026-02-30,,", "/expires_at: must be a date"),
        ("ana,5,,2026-03-10,,", "expires_at is not in the future"),
        ("ana,5,2026-04-01,2026-04-01,,", "the points would expire at 2026-04-01T04:00:00.000000Z"),
        ("ana,5,2028-04-01,,,", "the points would expire at 2027-04-01T04:00:00.000000Z"),
        ("ben,5,,,2026-03-11,", "joined_at is more than 5 minutes in the future"),
    ];
    let lines: String = bad.iter().map(|(line, _)| format!("{line}\n")).collect();
    let before = app.rows();
    let report = balances(&app, &format!("{header}{lines}"));
    assert_eq!(sums(&report), [0, 0, 12, 12], "{report:?}");
    assert_eq!(app.rows(), before, "a line that was rejected left a trace");
    let mut reasons = report.reasons;
    reasons.sort_unstable();
    for (n, ((line, _, reason), (_, meant))) in reasons.iter().zip(bad).enumerate() {
        assert!(*line == n as u64 + 2 && reason.starts_with(meant), "{line}: {reason}, not {meant}");
    }
    app.clock.set(instant("2026-03-12T12:00:00Z"));
    let later = balances(&app, &format!("{header}{lines}"));
    assert_eq!((sums(&later), later.enrolled), ([1, 0, 11, 12], 1), "{later:?}");
    assert_eq!(app.points(&member(&app, "ben")), [5, 0, 0, 0]);
}

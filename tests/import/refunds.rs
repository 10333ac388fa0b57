//! Refunds of orders that are there, once.

use std::io::Cursor;

use accrue::cli::import::{self, Report};
use serde_json::json;

use super::sums;
use crate::support::{App, NOON, sql};

const HEADER: &str = "order_id,refund_id,refunded_on,amount\n";

fn refunds(app: &App, lines: &str) -> Report {
    import::refunds(&app.ledger, &app.database.service_url(), Cursor::new(format!("{HEADER}{lines}")), 0).unwrap()
}

#[test]
fn refunds_take_back_what_their_orders_brought_and_are_dated_by_their_day() {
    let app = App::at(NOON);
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    app.earn(&ana, "A-1", "2026-03-01T20:00:00Z", "100");
    app.earn(&ben, "B-1", "2026-03-01T05:00:00Z", "50");
    let lines = "A-1,R-1,2026-03-05,40.00\nA-1,R-2,2026-03-01,10\nB-1,R-1,2026-03-06,50.00\n";
    let report = refunds(&app, lines);
    assert_eq!((sums(&report), report.enrolled), ([3, 0, 0, 3], 0), "{report:?}");
    assert_eq!((app.points(&ana), app.points(&ben)), ([0, 50, 0, 0], [0, 0, 0, 0]));
    assert_eq!(sums(&refunds(&app, lines)), [0, 3, 0, 3]);
    assert_eq!(sums(&refunds(&app, &format!("A-1,R-3,2026-03-07,50.00\n{lines}"))), [1, 3, 0, 4]);
    // A refund of the order's own day is not older than the order.
    let dates = "SELECT effective_at::text FROM entry WHERE kind = 'order.refunded' AND member =
                 (SELECT member FROM member_profile WHERE external_id = 'ana') ORDER BY seq";
    let dates = sql::texts(&mut app.owner(), dates);
    assert_eq!(dates, ["2026-03-05 05:00:00+00", "2026-03-01 20:00:00+00", "2026-03-07 05:00:00+00"]);
}

#[test]
fn refunds_that_cannot_be_posted_are_named_and_those_of_erased_customers_are_known() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    app.earn(&ana, "A-1", "2026-03-02T12:00:00Z", "100");
    let bad = [
        ("Z-1,R-1,2026-03-05,1.00", "no order with this id"),
        ("A-1,R-1,2026-03-05,100.01", "only 100.00 of the order is left to refund"),
        ("A-1,R-1,2026-03-05,1.001", "/amount: must have at most 2 decimals"),
        ("A-1,R-1,2026-03-05,0", "a refund of nothing"),
        ("A-1,R-1,5.3.2026,1.00", "/refunded_on: must be a date"),
        ("A-1,R 1,2026-03-05,1.00", "/refund_id: must be visible ASCII"),
        ("A-1,R-1,2026-03-01,1.00", "the order occurred at 2026-03-02T12:00:00.000000Z"),
        ("A-1,R-1,2026-03-11,1.00", "in the future"),
    ];
    let lines: String = bad.iter().map(|(line, _)| format!("{line}\n")).collect();
    let before = app.rows();
    let report = refunds(&app, &lines);
    assert_eq!(sums(&report), [0, 0, 8, 8], "{report:?}");
    assert_eq!(app.rows(), before, "a line that was rejected left a trace");
    let mut reasons = report.reasons;
    reasons.sort_unstable();
    for (n, ((line, _, reason), (_, meant))) in reasons.iter().zip(bad).enumerate() {
        assert!(*line == n as u64 + 2 && reason.contains(meant), "{line}: {reason}, not {meant}");
    }
    let good = "A-1,R-1,2026-03-05,1.00\n";
    assert_eq!(sums(&refunds(&app, good)), [1, 0, 0, 1]);
    let other = refunds(&app, "A-1,R-1,2026-03-05,2.00\n");
    assert!(
        sums(&other) == [0, 0, 1, 1] && other.reasons[0].2.contains("R-1 of this order was posted before"),
        "{other:?}"
    );
    assert_eq!(app.operator().ask(&format!("/v1/members/{ana}/erase"), &json!({})).status, 200);
    assert_eq!(sums(&refunds(&app, good)), [0, 1, 0, 1]);
}

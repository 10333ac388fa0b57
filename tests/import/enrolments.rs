//! Who is enrolled by an import: those with something that is taken, and nobody else.

use std::thread;

use accrue::domain::movement::enrolment::Enrolment;
use accrue::ledger::{Command, EnrolWith, First, Priority, Request, Settle};
use serde_json::json;

use super::{imported, sums};
use crate::invariants::{code, decide, enrol, member, order, queue, request, wait_until_taken};
use crate::support::{App, NOON, sql, two_journals, wait_for};

const ORDERS: &str = "order_id,customer_id,ordered_on,items,amount\n";

fn customers(app: &App) -> Vec<String> {
    sql::texts(&mut app.owner(), "SELECT external_id FROM member_profile ORDER BY external_id")
}

#[test]
fn a_customer_is_enrolled_only_together_with_an_order_that_is_taken() {
    let app = App::at(NOON);
    let file = format!(
        "{ORDERS}A-1,ana,2026-03-01,1,10.00\nB-1,ben,2026-03-01,1,100000.01\nC-1,cleo,2026-02-01,1,100000.01\n\
         C-2,cleo,2026-03-02,1,5.00\nC-3,cleo,2026-03-01,1,5.00\nD-1,dan,2026-03-11,1,1.00\nA-1,eve,2026-03-01,1,10.00\n"
    );
    assert_eq!(sums(&imported(&app, format!("{ORDERS}A-1,ana,2026-03-01,1,10.00"))), [1, 0, 0, 1]);
    let mut report = imported(&app, &file);
    assert_eq!((sums(&report), report.enrolled), ([2, 1, 4, 7], 1), "{report:?}");
    assert_eq!(customers(&app), ["ana", "cleo"]);
    report.reasons.sort_unstable();
    let reasons: Vec<(u64, &str)> = report.reasons.iter().map(|(line, _, reason)| (*line, reason.as_str())).collect();
    let is = |n: usize, line: u64, reason: &str| reasons[n].0 == line && reasons[n].1.contains(reason);
    assert!(is(0, 3, "over the programme's limit") && is(1, 4, "over the programme's limit"), "{reasons:?}");
    assert!(
        is(2, 7, "occurred_at is more than 5 minutes in the future") && is(3, 8, "A-1 was posted before"),
        "{reasons:?}"
    );
    // As of the earliest line: in the programme's time zone.
    let joined = "SELECT joined_at::text FROM member JOIN member_profile ON member = id WHERE external_id = 'cleo'";
    assert_eq!(sql::text(&mut app.owner(), joined), "2026-02-01 05:00:00+00");
    // Who is refused once can be taken later, and is enrolled then.
    let report = imported(&app, format!("{file}B-2,ben,2026-03-02,1,7.00\n"));
    assert_eq!((sums(&report), report.enrolled), ([1, 3, 4, 8], 1), "{report:?}");
    assert_eq!(customers(&app), ["ana", "ben", "cleo"]);
}

#[test]
fn an_import_after_an_erasure_brings_nobody_back() {
    let app = App::at(NOON);
    let file = format!("{ORDERS}A-1,ana,2026-03-01,1,10.00\nA-2,ana,2026-03-02,1,5.00\nB-1,ben,2026-03-01,1,1.00\n");
    assert_eq!(imported(&app, &file).enrolled, 2);
    let members = app.operator().get("/v1/members?external_id=ana").body["members"].clone();
    let ana = members[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(app.operator().ask(&format!("/v1/members/{ana}/erase"), &json!({})).status, 200);
    let before = app.rows();
    let again = imported(&app, &file);
    assert_eq!((sums(&again), again.enrolled), ([0, 3, 0, 3], 0), "{again:?}");
    assert_eq!(app.rows(), before);
    assert_eq!(customers(&app), ["ben"]);
    // Nor does it give the old orders to whoever comes back.
    let back = app.enrol("ana");
    assert_eq!(sums(&imported(&app, &file)), [0, 3, 0, 3]);
    assert_eq!(app.points(&back), [0, 0, 0, 0]);
}

#[test]
fn an_enrolment_together_with_something_is_both_or_neither() {
    let app = App::at(NOON);
    let (ana, zoe) = (member(1, 1), member(2, 1));
    assert_eq!(code(&decide(&app.ledger, request("client:shop", None, enrol(ana, "ana")))), "done");
    let with = |id, name: &str, order_id: &str, amount: &str| {
        let Command::CompleteOrder(order) = order(id, order_id, NOON, amount) else { unreachable!("it is an order") };
        let enrolment = Enrolment { external_id: name.to_owned(), birthday: None, joined_at: None };
        request("client:shop", None, EnrolWith(enrolment, First::Order(order)))
    };
    let before = app.rows();
    // In another journal, which shows only when the name is taken.
    assert_eq!(code(&decide(&app.ledger, with(zoe, "ana", "A-1", "5"))), "external_id_conflict");
    assert_eq!(code(&decide(&app.ledger, with(member(1, 2), "ana", "A-1", "5"))), "external_id_conflict");
    assert_eq!(code(&decide(&app.ledger, with(zoe, "zoe", "Z-1", "100000.01"))), "amount_over_limit");
    assert_eq!(app.rows(), before, "a refusal left a trace");
    // To whom is enrolled under the id it is an order, and the order's key is its own.
    assert_eq!(code(&decide(&app.ledger, with(ana, "ana", "A-1", "5"))), "done");
    assert_eq!(code(&decide(&app.ledger, with(zoe, "zoe", "Z-1", "5"))), "done");
    assert!(decide(&app.ledger, with(zoe, "zoe", "Z-1", "5")).replayed);
    assert!(decide(&app.ledger, request("client:shop", None, order(zoe, "Z-1", NOON, "5"))).replayed);
    assert_eq!(code(&decide(&app.ledger, with(zoe, "zoe", "Z-1", "6"))), "order_conflict");
    // The enrolment has its own: the same customer enrolled again is answered as if it had been enrolled alone.
    let again = app.checkout().post("/v1/members", &json!({ "external_id": "zoe" }));
    assert_eq!((again.status, again.replayed(), &again.body["id"]), (201, true, &json!(zoe)), "{again:?}");
    assert_eq!(again.body["wallet"]["pending"], 0);
}

#[test]
fn a_customer_whom_somebody_else_enrols_during_the_import_gets_the_order_all_the_same() {
    let app = App::at(NOON);
    two_journals(&app);
    let held = app.database.hold_heads();
    let id = app.ledger.new_member_id("ana");
    let busy: Request = request("client:shop", None, Settle(id));
    let busy = queue(&app.ledger, busy);
    wait_until_taken(&app.ledger);
    let report = thread::scope(|scope| {
        let import = scope.spawn(|| imported(&app, format!("{ORDERS}A-1,ana,2026-03-01,1,10.00\n")));
        wait_for("the import to have looked customers up", || app.ledger.queued().iter().any(|(_, n)| *n == 1));
        // A request is taken before what an import sends.
        let enrol = request("client:shop", None, enrol(id, "ana"));
        let enrolled = app.ledger.submit(enrol, Priority::Request).unwrap();
        drop(held);
        busy.blocking_recv().unwrap().unwrap();
        assert_eq!(code(&enrolled.blocking_recv().unwrap().unwrap()), "done");
        import.join().unwrap()
    });
    assert_eq!((sums(&report), report.enrolled), ([1, 0, 0, 1], 0), "{report:?}");
    assert_eq!(app.points(&id.to_string()), [0, 10, 0, 0]);
}

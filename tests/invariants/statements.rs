//! What a batch costs: it runs the statements that its commands need, and none that only others do.

use super::{code, decide, enrol, in_one_batch, member, order, request};
use crate::support::{App, sql, wait_for};

// Tables that an order has no business with.
const OF_OTHERS: [&str; 10] =
    ["record", "refund", "reward", "counter", "donation", "cause", "cause_total", "tier_total", "tier_review", "note"];

#[test]
fn a_batch_of_orders_reads_no_table_that_only_other_commands_need() {
    const ORDERS: usize = 100;
    let app = App::at("2026-03-10T12:00:00Z");
    let members = [1, 2, 3].map(|n| member(1, n));
    for (n, id) in members.into_iter().enumerate() {
        decide(&app.ledger, request("client:checkout", None, enrol(id, &format!("customer-{n}"))));
    }
    let orders = (0..ORDERS).map(|n| order(members[n % 3], &format!("A-{n}"), "2026-03-10T11:00:00Z", "5"));
    let orders = orders.enumerate().map(|(n, order)| request("client:checkout", Some(&format!("k-{n}")), order));
    let answers = in_one_batch(&app, orders.collect());
    assert!(answers.iter().all(|answer| code(answer) == "done"), "{answers:?}");
    // A backend tells the statistics at its end, at the latest.
    let database = app.stop();
    let mut owner = database.owner();
    let inserted = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'orders'";
    wait_for("the statistics", || sql::number(&mut owner, inserted) == ORDERS as i64);
    let read = |table: &str| {
        format!("SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = '{table}'")
    };
    for table in OF_OTHERS {
        assert_eq!(sql::number(&mut owner, &read(table)), 0, "{table} was read");
    }
    for table in ["orders", "idempotency", "member", "wallet"] {
        assert_ne!(sql::number(&mut owner, &read(table)), 0, "{table} was not read, or reading is not counted");
    }
    database.audit();
}

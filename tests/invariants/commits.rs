//! Invariant 5: a 2xx means committed.

use accrue::postgres::clock::Clock;
use diesel::connection::SimpleConnection;

use super::member;
use crate::support::{App, Database, NOON, instant, sql};

#[test]
fn what_was_answered_is_there_although_the_lane_is_cut_off_at_once() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    for n in 0..20 {
        let order = format!("A-{n}");
        assert_eq!(app.checkout().post("/v1/orders", &app.order(&member, &order, NOON, "5")).status, 201);
        app.database.end_backends();
        let there = format!("SELECT count(*) FROM orders WHERE order_id = '{order}'");
        assert_eq!(sql::number(&mut app.owner(), &there), 1);
    }
}

#[test]
fn an_order_whose_commit_fails_is_not_answered_as_done() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    // A constraint that speaks up at COMMIT, when every statement has passed.
    let fail = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = 'check_violation'; END $$;
         CREATE CONSTRAINT TRIGGER orders_fail AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (NEW.order_id = 'late') EXECUTE FUNCTION fail()";
    app.owner().batch_execute(fail).unwrap();
    let answer = app.checkout().post("/v1/orders", &app.order(&member, "late", NOON, "5"));
    assert_eq!((answer.status, answer.code()), (500, "internal"), "{answer:?}");
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM orders"), 0);
    assert_eq!(app.checkout().post("/v1/orders", &app.order(&member, "early", NOON, "5")).status, 201);
    app.owner().batch_execute("DROP TRIGGER orders_fail ON orders").unwrap();
    let answer = app.checkout().post("/v1/orders", &app.order(&member, "late", NOON, "5"));
    assert_eq!((answer.status, answer.replayed()), (201, false), "{answer:?}");
}

#[test]
fn lanes_wait_for_the_disk_whatever_the_database_is_set_to() {
    let database = Database::new();
    // What the session of a writer is set to is noted by the writer's own transaction.
    let note = "CREATE TABLE noted (value text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
         BEGIN INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
         CREATE TRIGGER note AFTER UPDATE ON journal FOR EACH ROW EXECUTE FUNCTION note();
         DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$";
    database.owner().batch_execute(note).unwrap();
    let app = App::on(database, Clock::stopped_at(instant(NOON)), |_| {});
    app.enrol("ana");
    let id = member(2, 1).to_string();
    assert_eq!(app.checkout().post("/v1/orders", &app.order(&id, "A-1", NOON, "5")).code(), "member_not_found");
    assert_eq!(sql::text(&mut app.database.service(), "SELECT current_setting('synchronous_commit')"), "off");
    assert_eq!(sql::texts(&mut app.owner(), "SELECT DISTINCT value FROM noted"), ["on"]);
}

//! A lane that dies comes back, and the service says that it is not ready while one is down or does not commit. How its
//! statements are planned is a setting.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use accrue::ledger::NoAnswer;
use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use serde_json::json;

use crate::invariants::{enrol, member, order, queue, request, wait_until_taken};
use crate::support::{App, Client, Database, NOON, PROGRAM, Place, Running, sql, wait_for};

/// Panics on the thread that answers. The lane's is the one: it has committed by then, and others still wait.
struct Deadly;

impl Wake for Deadly {
    fn wake(self: Arc<Self>) {
        panic!("as a fault of the program outside every decision");
    }
}

#[test]
fn a_lane_that_dies_comes_back_and_those_it_had_taken_hear_that_the_outcome_is_unknown() {
    let app = App::at(NOON);
    let id = member(1, 1);
    queue(&app.ledger, request("client:checkout", None, enrol(id, "ana"))).blocking_recv().unwrap().unwrap();
    let held = app.database.hold_heads();
    let first = queue(&app.ledger, request("client:checkout", None, order(id, "A-1", NOON, "5")));
    wait_until_taken(&app.ledger);
    let deadly = queue(&app.ledger, request("client:checkout", None, order(id, "A-2", NOON, "5")));
    let mut deadly = pin!(deadly);
    let waker = Waker::from(Arc::new(Deadly));
    assert!(deadly.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let asked = app.order(&id.to_string(), "A-3", NOON, "5");
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| app.checkout().post("/v1/orders", &asked));
        wait_for("the order to be queued", || app.ledger.queued().contains(&(1, 2)));
        drop(held);
        taken.join().unwrap().assert_problem(503, "outcome_unknown");
    });
    assert!(first.blocking_recv().unwrap().is_ok());
    assert!(matches!(deadly.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(Ok(_)))));
    // It was committed before the lane died, and who asks again learns it.
    let again = app.checkout().post("/v1/orders", &asked);
    assert!(again.status == 201 && again.replayed(), "{again:?}");
    assert_eq!(app.checkout().post("/v1/orders", &app.order(&id.to_string(), "A-4", NOON, "5")).status, 201);
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM orders"), 4);
    wait_for("the service to be ready", || ready(&app) == 200);
}

#[test]
fn a_service_with_a_dead_lane_is_not_ready_until_the_lane_commits_again() {
    let app = App::at(NOON);
    let id = member(1, 1);
    let held = HeldHead::of(1, &app);
    let deadly = queue(&app.ledger, request("client:checkout", None, enrol(id, "ana")));
    let mut deadly = pin!(deadly);
    let waker = Waker::from(Arc::new(Deadly));
    assert!(deadly.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    wait_for("the lane to wait for its head", || waiting(&app.database) == 1);
    std::thread::scope(|scope| {
        // Next in line: whatever the lane does after it has died waits for this.
        let next = scope.spawn(|| HeldHead::of(1, &app));
        wait_for("the next to wait behind the lane", || waiting(&app.database) == 2);
        drop(held);
        let held = next.join().unwrap();
        wait_for("the service not to be ready", || ready(&app) == 503);
        assert_eq!(app.client(None).get("/livez").status, 200);
        drop(held);
    });
    // Nobody asks for anything: the lane finds out by itself.
    wait_for("the service to be ready", || ready(&app) == 200);
}

#[test]
fn a_service_whose_lane_does_not_commit_is_not_ready_until_it_does() {
    let app = App::at(NOON);
    let id = member(1, 1);
    assert_eq!(ready(&app), 200);
    let held = app.database.hold_heads();
    let given_up = queue(&app.ledger, request("client:checkout", None, enrol(id, "ana")));
    assert_eq!(given_up.blocking_recv().unwrap(), Err(NoAnswer::Unavailable));
    assert_eq!(ready(&app), 503);
    drop(held);
    wait_for("the service to be ready", || ready(&app) == 200);
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM entry WHERE journal = 1"), 0);
}

#[test]
fn a_command_that_cannot_be_stored_says_nothing_of_its_lane() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let refuse = "ALTER TABLE orders ADD CONSTRAINT orders_poison CHECK (order_id <> 'poison')";
    app.owner().batch_execute(refuse).unwrap();
    let answer = app.checkout().post("/v1/orders", &app.order(&member, "poison", NOON, "5"));
    answer.assert_problem(500, "internal");
    assert_eq!(ready(&app), 200);
}

#[test]
fn statements_of_lanes_are_planned_as_the_settings_say() {
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    place.file("accrue.toml", "plan_cache_mode = \"force_custom_plan\"\n");
    let given: [(&[&str], &str); 3] = [
        (&[], "force_generic_plan"),
        (&["--plan-cache-mode", "auto"], "auto"),
        (&["--config", "accrue.toml"], "force_custom_plan"),
    ];
    for (arguments, mode) in given {
        let service = Running::serve_with(&place, &program, arguments);
        // Nothing is written under another setting.
        let refuse = "ALTER TABLE member DROP CONSTRAINT IF EXISTS member_as_planned, ADD CONSTRAINT member_as_planned";
        let refuse = format!("{refuse} CHECK (current_setting('plan_cache_mode') = '{mode}') NOT VALID");
        place.owner().unwrap().batch_execute(&refuse).unwrap();
        let token = place.run(&["token", "--as", "checkout"]).expect(0).out.trim().to_owned();
        let checkout = Client::new(service.base.clone(), Some(token));
        let enrolled = checkout.post("/v1/members", &json!({ "external_id": mode }));
        assert_eq!(enrolled.status, 201, "{mode}: {enrolled:?}");
        assert_eq!(service.terminate(), Some(0));
    }
}

#[test]
fn a_setting_that_postgres_does_not_know_is_refused_at_the_start() {
    let place = Place::new();
    place.file("accrue.toml", "plan_cache_mode = \"generic\"\n");
    for arguments in [["serve", "--plan-cache-mode", "generic"], ["serve", "--config", "accrue.toml"]] {
        let refused = place.run(&arguments).expect(2);
        assert!(refused.err.contains("[possible values: force_generic_plan, auto, force_custom_plan]"), "{refused:?}");
    }
    assert!(!place.data_dir().exists(), "nothing was made");
}

/// The head of a journal, locked until this is dropped.
struct HeldHead(PgConnection);

impl HeldHead {
    fn of(journal: i16, app: &App) -> Self {
        let mut owner = app.owner();
        owner.batch_execute(&format!("BEGIN; SELECT FROM journal WHERE id = {journal} FOR UPDATE")).unwrap();
        Self(owner)
    }
}

impl Drop for HeldHead {
    fn drop(&mut self) {
        let _ = self.0.batch_execute("COMMIT");
    }
}

fn ready(app: &App) -> u16 {
    app.client(None).get("/readyz").status
}

// How many transactions wait for a lock of somebody else's.
fn waiting(database: &Database) -> i64 {
    let query = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    sql::number(&mut database.owner(), query)
}

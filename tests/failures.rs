//! What callers hear when something else fails, and that nothing is lost or doubled by it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use accrue::ledger::NoAnswer;
use accrue::postgres::clock::Clock;
use accrue::postgres::cluster::{Cluster, ClusterConfig, Durability};
use diesel::connection::SimpleConnection;
use serde_json::json;

use crate::invariants::{code, enrol, member, order, queue, request, wait_until_taken};
use crate::support::{App, Database, NOON, Place, instant, sql, wait_for};

#[test]
fn a_full_queue_answers_busy_at_once_and_what_is_queued_is_done() {
    let app = App::with(Clock::stopped_at(instant(NOON)), |config| config.queue_capacity = 2);
    let id = member(1, 1);
    queue(&app.ledger, request("client:checkout", None, enrol(id, "ana"))).blocking_recv().unwrap().unwrap();
    let held = app.database.hold_heads();
    let mut waiting = Vec::new();
    for n in 0..3 {
        waiting.push(queue(&app.ledger, request("client:checkout", None, order(id, &format!("A-{n}"), NOON, "5"))));
        // The lane takes the first and waits with it; the two others fill the queue.
        wait_for("the lane to take the first", || n > 0 || app.ledger.queued().iter().all(|queue| queue.1 == 0));
    }
    let answer = app.checkout().post("/v1/orders", &app.order(&id.to_string(), "A-3", NOON, "5"));
    assert_eq!((answer.status, answer.code()), (503, "busy"), "{answer:?}");
    assert!(answer.headers["retry-after"].parse::<u32>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    // Nothing had to move before it was given.
    assert!(app.ledger.queued().contains(&(1, 2)), "{:?}", app.ledger.queued());
    drop(held);
    for answer in waiting {
        assert_eq!(code(&answer.blocking_recv().unwrap().unwrap()), "done");
    }
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM orders"), 3);
    assert_eq!(app.checkout().post("/v1/orders", &app.order(&id.to_string(), "A-3", NOON, "5")).status, 201);
}

#[test]
fn a_command_that_waited_past_its_deadline_is_dropped_before_it_is_taken() {
    let app = App::at(NOON);
    let id = member(1, 1);
    queue(&app.ledger, request("client:checkout", None, enrol(id, "ana"))).blocking_recv().unwrap().unwrap();
    let held = app.database.hold_heads();
    let first = queue(&app.ledger, request("client:checkout", None, order(id, "A-1", NOON, "5")));
    wait_until_taken(&app.ledger);
    let mut late = request("client:checkout", Some("key"), order(id, "A-2", NOON, "5"));
    late.deadline = Instant::now() + Duration::from_millis(50);
    let late = queue(&app.ledger, late);
    let patient = queue(&app.ledger, request("client:checkout", None, order(id, "A-3", NOON, "5")));
    thread::sleep(Duration::from_millis(100));
    drop(held);
    assert_eq!(late.blocking_recv().unwrap(), Err(NoAnswer::Expired));
    assert_eq!(code(&first.blocking_recv().unwrap().unwrap()), "done");
    assert_eq!(code(&patient.blocking_recv().unwrap().unwrap()), "done");
    assert_eq!(sql::texts(&mut app.owner(), "SELECT order_id FROM orders ORDER BY 1"), ["A-1", "A-3"]);
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM idempotency"), 0);
}

#[test]
fn a_reader_that_lost_its_connection_between_two_queries_gets_another() {
    let app = App::at(NOON);
    let (checkout, path) = (app.checkout(), format!("/v1/members/{}", app.enrol("ana")));
    assert_eq!(checkout.get(&path).status, 200);
    app.database.end_backends();
    // Each lost connection is found out once, at most.
    let answers: Vec<u16> = (0..10).map(|_| checkout.get(&path).status).collect();
    assert_eq!(answers.last(), Some(&200), "{answers:?}");
}

#[test]
fn a_service_whose_database_goes_away_says_so_and_recovers_by_itself() {
    let place = Place::new();
    let config = ClusterConfig { data_dir: place.data_dir(), durability: Durability::None, binaries: None };
    let cluster = Cluster::start(&config).unwrap();
    let app = App::on(Database::on(&cluster), Clock::database(), |_| {});
    let member = app.enrol("ana");
    let (at, path) = ("2026-03-10T11:00:00Z", format!("/v1/members/{member}/wallet"));
    assert_eq!(app.checkout().post("/v1/orders", &app.order(&member, "A-1", at, "5")).status, 201);
    assert_eq!(app.client(None).get("/readyz").status, 200);
    cluster.stop().unwrap();
    // A lane that has just committed sends all in one statement, of which nobody can say what became of it.
    thread::sleep(Duration::from_millis(100));

    let answers = [app.checkout().post("/v1/orders", &app.order(&member, "A-2", at, "5")), app.checkout().get(&path)];
    for answer in answers {
        assert_eq!((answer.status, answer.code()), (503, "database_unavailable"), "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
    assert_eq!(app.client(None).get("/readyz").status, 503);
    assert_eq!(app.client(None).get("/livez").status, 200);
    // What a visitor is quoted stands in the rules alone.
    let mut cart = json!({ "currency": "USD", "amount": "20.00" });
    assert_eq!(app.checkout().post("/v1/quotes", &cart).body["earned"]["points"], 20);
    cart["member_id"] = json!(member);
    app.checkout().post("/v1/quotes", &cart).assert_problem(503, "database_unavailable");

    let cluster = Cluster::start(&config).unwrap();
    wait_for("the service to be ready", || app.client(None).get("/readyz").status == 200);
    let mut answer = app.checkout().post("/v1/orders", &app.order(&member, "A-2", at, "5"));
    wait_for("orders to be taken again", || {
        answer = app.checkout().post("/v1/orders", &app.order(&member, "A-2", at, "5"));
        answer.status == 201
    });
    wait_for("members to be read again", || app.checkout().get(&path).status == 200);
    assert_eq!(sql::texts(&mut app.owner(), "SELECT order_id FROM orders ORDER BY 1"), ["A-1", "A-2"]);
    drop(app);
    cluster.stop().unwrap();
}

#[test]
fn lanes_cut_off_under_load_lose_nothing_that_was_acknowledged_and_double_nothing() {
    const THREADS: usize = 12;
    const TIMES: usize = 8;
    let app = App::at(NOON);
    let members: Vec<String> = (0..THREADS).map(|n| app.enrol(&format!("customer-{n}"))).collect();
    let ended = AtomicUsize::new(0);
    let posted: usize = thread::scope(|scope| {
        let (app, ended) = (&app, &ended);
        let threads: Vec<_> = members
            .iter()
            .enumerate()
            .map(|(n, member)| {
                scope.spawn(move || post_until(app, member, n, || ended.load(Ordering::SeqCst) >= TIMES))
            })
            .collect();
        // Whoever posts goes on until the last of them; a thread that panics must not keep the others for ever.
        for _ in 0..TIMES {
            thread::sleep(Duration::from_millis(100));
            app.database.end_backends();
            ended.fetch_add(1, Ordering::SeqCst);
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let mut owner = app.owner();
    let orders = i64::try_from(posted).unwrap();
    assert_eq!(sql::number(&mut owner, "SELECT count(*) FROM orders"), orders);
    assert_eq!(sql::number(&mut owner, "SELECT count(*) FROM entry WHERE kind = 'points.earned'"), orders);
    assert_eq!(sql::number(&mut owner, "SELECT sum(points) FROM posting WHERE debit = 'issuance'"), 5 * orders);
    assert_eq!(sql::number(&mut owner, "SELECT sum(pending) FROM wallet"), 5 * orders);
}

#[test]
fn readers_that_were_cut_off_are_replaced() {
    let app = App::at(NOON);
    let path = format!("/v1/members/{}/wallet", app.enrol("ana"));
    let checkout = app.checkout();
    for _ in 0..5 {
        app.database.end_backends();
        let answers: Vec<u16> = (0..6).map(|_| checkout.get(&path).status).collect();
        assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
        // Each of the four readers may be found out once.
        assert!(answers.ends_with(&[200, 200]), "{answers:?}");
    }
}

// Posts orders until it is over, each until it is acknowledged, and says how many.
fn post_until(app: &App, member: &str, n: usize, is_over: impl Fn() -> bool) -> usize {
    let checkout = app.checkout();
    let mut posted = 0;
    while !is_over() {
        let m = posted;
        let order = app.order(member, &format!("{n}-{m}"), NOON, "5");
        loop {
            let answer = checkout.post("/v1/orders", &order);
            match (answer.status, answer.code()) {
                (201, _) => break,
                (503, "database_unavailable" | "outcome_unknown" | "expired_in_queue") => {}
                _ => panic!("{answer:?}"),
            }
        }
        let there = format!("/v1/orders/{n}-{m}");
        // Readers are cut off as well.
        wait_for("an acknowledged order", || checkout.get(&there).status == 200);
        posted += 1;
    }
    posted
}

#[test]
fn a_lock_that_is_held_too_long_fails_the_batch_once_and_whole() {
    let app = App::at(NOON);
    let id = member(1, 1);
    queue(&app.ledger, request("client:checkout", None, enrol(id, "ana"))).blocking_recv().unwrap().unwrap();
    let held = app.database.hold_heads();
    let first = queue(&app.ledger, request("client:checkout", None, order(id, "A-0", NOON, "5")));
    wait_until_taken(&app.ledger);
    let batch: Vec<_> = (1..=8)
        .map(|n| queue(&app.ledger, request("client:checkout", None, order(id, &format!("A-{n}"), NOON, "5"))))
        .collect();
    assert_eq!(first.blocking_recv().unwrap(), Err(NoAnswer::Unavailable));
    for answer in batch {
        assert_eq!(answer.blocking_recv().unwrap(), Err(NoAnswer::Unavailable));
    }
    drop(held);
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM orders"), 0);
    assert_eq!(app.checkout().post("/v1/orders", &app.order(&id.to_string(), "A-0", NOON, "5")).status, 201);
    let database = app.stop();
    assert_eq!(database.undone(), 2, "eight commands waited for the lock once more, not once for each half");
    database.audit();
}

#[test]
fn a_command_that_the_database_refuses_does_not_fail_its_neighbours() {
    let app = App::at(NOON);
    let id = member(1, 1);
    queue(&app.ledger, request("client:checkout", None, enrol(id, "ana"))).blocking_recv().unwrap().unwrap();
    let refuse = "ALTER TABLE orders ADD CONSTRAINT orders_poison CHECK (order_id <> 'poison')";
    app.owner().batch_execute(refuse).unwrap();
    let held = app.database.hold_heads();
    let names: Vec<String> = (0..21).map(|n| if n == 13 { "poison".to_owned() } else { format!("A-{n}") }).collect();
    let waiting: Vec<_> = names
        .iter()
        .map(|name| queue(&app.ledger, request("client:checkout", Some(name), order(id, name, NOON, "5"))))
        .collect();
    drop(held);
    for (name, answer) in names.iter().zip(waiting) {
        match answer.blocking_recv().unwrap() {
            Err(no_answer) => assert_eq!((name.as_str(), no_answer), ("poison", NoAnswer::Fault)),
            Ok(answer) => assert!(name != "poison" && code(&answer) == "done", "{name}: {answer:?}"),
        }
    }
    let answer = app.checkout().post("/v1/orders", &app.order(&id.to_string(), "poison", NOON, "5"));
    assert_eq!((answer.status, answer.code()), (500, "internal"), "{answer:?}");
    assert!(!answer.text.contains("orders_poison"), "{answer:?}");
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM orders"), 20);
    assert_eq!(sql::number(&mut app.owner(), "SELECT count(*) FROM idempotency"), 20);
}

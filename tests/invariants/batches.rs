//! Invariant 10: the same requests give the same rows, however they are cut into batches.

use std::time::Duration;

use accrue::domain::movement::enrolment::ProfileChange;
use accrue::domain::movement::membership::Change;
use accrue::domain::movement::transfer::TransferRequest;
use accrue::ledger::{ChangeMembership, ChangeProfile, Command, Outcome, Request};
use accrue::postgres::clock::Clock;
use uuid::Uuid;

use super::{code, decide, enrol, in_one_batch, member, order, queue, request};
use crate::support::{App, Database, instant, sql};

#[test]
fn a_batch_of_n_equals_n_of_one_row_for_row() {
    let (many, many_answers) = play(256);
    let (one, one_answers) = play(1);
    assert_eq!(many_answers, one_answers);
    let refused = many_answers.iter().filter(|(outcome, _)| matches!(outcome, Outcome::Refused(_))).count();
    let replayed = many_answers.iter().filter(|(_, replayed)| *replayed).count();
    assert!(refused >= 20 && replayed >= 20, "{refused} refused, {replayed} replayed");

    let (mut many, mut one) = (many.owner(), one.owner());
    let (rows, singly) = (sql::dump(&mut many), sql::dump(&mut one));
    for (row, singly) in rows.iter().zip(&singly) {
        assert_eq!(row, singly);
    }
    assert_eq!(rows.len(), singly.len());
    for table in ["entry", "wallet", "lot", "orders", "idempotency", "member_profile", "journal"] {
        assert!(rows.iter().any(|row| row.starts_with(&format!("{table} "))), "{table} has rows");
    }
    for kind in ["points.activated", "points.expired", "order.recorded", "member.updated", ",issuance,"] {
        assert!(rows.iter().any(|row| row.starts_with("entry ") && row.contains(kind)), "{kind} happened");
    }
    // It was a matter of batches: a transaction wrote the rows of many requests here, and of one there.
    let transactions = "SELECT count(DISTINCT xmin::text) FROM entry";
    let (batches, singles) = (sql::number(&mut many, transactions), sql::number(&mut one, transactions));
    assert!(batches <= 8 && singles > 60, "{batches} and {singles} transactions");
}

/// Outcomes, each with whether it was answered before.
pub type Answers = Vec<(Outcome, bool)>;

// Two rounds of requests; between them months pass and points fall due.
fn play(batch_limit: usize) -> (Database, Answers) {
    let clock = Clock::stopped_at(instant("2026-03-10T12:00:00Z"));
    let app = App::on(Database::new(), clock, |config| {
        (config.batch_limit, config.patience) = (batch_limit, Duration::ZERO);
    });
    let mut answers = submit(&app, first_round());
    app.clock.set(instant("2026-08-01T00:00:00Z"));
    answers.extend(submit(&app, second_round()));
    let database = app.stop();
    // The index finds what is there already, and then keys are looked up for a while.
    let undone = database.undone();
    assert!(undone <= 4, "{undone} batches were written in vain");
    database.audit();
    (database, answers)
}

/// Queues all before a lane can take the second: the heads are held until then.
pub fn submit(app: &App, requests: Vec<Request>) -> Answers {
    let held = app.database.hold_heads();
    let waiting: Vec<_> = requests.into_iter().map(|request| queue(&app.ledger, request)).collect();
    drop(held);
    let answer = |waiting: tokio::sync::oneshot::Receiver<_>| waiting.blocking_recv().unwrap();
    waiting
        .into_iter()
        .map(answer)
        .map(|answer| answer.map(|a: super::Answer| (a.outcome, a.replayed)).unwrap())
        .collect()
}

fn first_round() -> Vec<Request> {
    let mut round = Round::default();
    for journal in [1, 2] {
        for n in 0..5 {
            let (id, name) = (member(journal, n), format!("{journal}-{n}"));
            // The first order comes before its member.
            round.ask(None, order(id, &format!("{name}-early"), "2026-03-01T00:00:00Z", "7.50"));
            round.ask(
                Some(&format!("{name}-early")),
                order(id, &format!("{name}-early"), "2026-03-01T00:00:00Z", "7.50"),
            );
            round.ask(Some(&name), enrol(id, &name));
            round.ask(None, enrol(member(journal, n + 100), &name));
            for (m, at) in ["2026-03-10T11:00:00Z", "2024-05-05T00:00:00Z", "2026-02-20T00:00:00Z"].iter().enumerate() {
                let order = || order(id, &format!("{name}-{m}"), at, "19.99");
                round.ask(Some(&format!("{name}-{m}")), order());
                round.ask(Some(&format!("{name}-{m}")), order());
                round.ask(None, order());
            }
            round.ask(None, order(id, &format!("{name}-0"), "2026-03-10T11:00:00Z", "20"));
            round.ask(Some(&format!("{name}-1")), order(id, &format!("{name}-x"), "2026-03-10T11:00:00Z", "20"));
            round.ask(None, order(id, &format!("{name}-zero"), "2026-03-10T11:00:00Z", "0"));
            round.ask(Some(&format!("{name}-future")), order(id, &format!("{name}-f"), "2026-03-11T12:00:00Z", "20"));
            round.ask(None, order(id, &format!("{name}-much"), "2026-03-10T11:00:00Z", "100000.01"));
        }
    }
    round.requests
}

fn second_round() -> Vec<Request> {
    let mut round = Round { requests: Vec::new(), n: 1_000 };
    for journal in [1, 2] {
        for n in 0..5 {
            let (id, name) = (member(journal, n), format!("{journal}-{n}"));
            let tags = |tag: &str| ProfileChange { birthday: None, tags: Some(vec![tag.to_owned()]) };
            // A refusal must not keep the settling that was done for it.
            round.ask(None, order(id, &format!("{name}-much"), "2026-08-01T00:00:00Z", "100000.01"));
            round.ask(Some(&format!("{name}-a")), ChangeProfile(id, tags("vip")));
            round.ask(None, order(id, &format!("{name}-later"), "2026-08-01T00:00:00Z", "3.00"));
            round.ask(Some(&format!("{name}-b")), ChangeProfile(id, tags("vip")));
            round.ask(Some(&format!("{name}-a")), ChangeProfile(id, tags("app")));
            round.ask(None, order(id, &format!("{name}-0"), "2026-03-10T11:00:00Z", "19.99"));
        }
    }
    round.requests
}

/// Requests with ids that are the same at every call.
#[derive(Default)]
struct Round {
    requests: Vec<Request>,
    n: u128,
}

impl Round {
    fn ask(&mut self, key: Option<&str>, command: impl Into<Command>) {
        self.n += 1;
        let mut request = request("client:checkout", key, command);
        request.id = Uuid::from_u128(0x019c_0000_0000_7000_8000_0000_0000_0000 + self.n);
        self.requests.push(request);
    }
}

#[test]
fn the_same_request_decided_twice_gives_the_same_entry() {
    let lines = [0, 1].map(|_| {
        let app = App::at("2026-03-10T12:00:00Z");
        let mut round = Round::default();
        round.ask(None, enrol(member(1, 1), "ana"));
        round.ask(None, order(member(1, 1), "A-1", "2024-05-05T00:00:00Z", "19.99"));
        for request in round.requests {
            decide(&app.ledger, request);
        }
        app.finance().get("/v1/ledger/export").text
    });
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn what_is_asked_first_is_decided_first_whatever_journals_it_reaches() {
    let app = App::at("2026-03-10T12:00:00Z");
    let (ana, ben) = (member(1, 1), member(2, 2));
    for (id, name) in [(ana, "ana"), (ben, "ben")] {
        decide(&app.ledger, request("client:checkout", None, enrol(id, name)));
    }
    let at = "2026-02-01T12:00:00Z";
    let (from_member_id, to_member_id, points) = (ana, ben, 20);
    let gift = TransferRequest { from_member_id, to_member_id, points, message: None, direct: true };
    let commands: [Command; 5] = [
        order(ana, "A-1", at, "20"),
        gift.clone().into(),
        ChangeMembership(ana, Change::Suspend).into(),
        gift.into(),
        order(ana, "A-2", at, "5"),
    ];
    let ask = |(n, command)| request("client:operator", Some(&format!("k-{n}")), command);
    let answers = in_one_batch(&app, (0..).zip(commands).map(ask).collect());
    let codes: Vec<&str> = answers.iter().map(code).collect();
    assert_eq!(codes, ["done", "done", "done", "member_suspended", "member_suspended"]);
}

#[test]
fn an_order_that_is_refused_has_its_own_reason_whatever_is_posted_under_its_id_next() {
    let app = App::at("2026-03-10T12:00:00Z");
    let ana = member(1, 1);
    decide(&app.ledger, request("client:checkout", None, enrol(ana, "ana")));
    let orders = [("A-1", "2026-03-11T12:00:00Z"), ("A-2", "2026-03-10T11:00:00Z"), ("A-1", "2026-03-10T11:00:00Z")];
    let orders = orders.map(|(id, at)| request("client:checkout", None, order(ana, id, at, "5")));
    let answers = in_one_batch(&app, orders.into());
    let codes: Vec<&str> = answers.iter().map(code).collect();
    assert_eq!(codes, ["occurred_in_future", "done", "done"]);
}

#[test]
fn transfers_between_journals_have_one_transaction_and_the_orders_that_pass_them_another() {
    let app = App::at("2026-03-10T12:00:00Z");
    let (ana, ben, cleo, dora) = (member(1, 1), member(2, 2), member(1, 3), member(1, 4));
    for (id, name) in [(ana, "ana"), (ben, "ben"), (cleo, "cleo"), (dora, "dora")] {
        decide(&app.ledger, request("client:checkout", None, enrol(id, name)));
    }
    let at = "2026-02-01T12:00:00Z";
    for (id, first) in [(ana, "A-1"), (cleo, "A-2")] {
        decide(&app.ledger, request("client:checkout", None, order(id, first, at, "50")));
    }
    let gift = |from_member_id| {
        Command::from(TransferRequest { from_member_id, to_member_id: ben, points: 20, message: None, direct: true })
    };
    let ask = |key: Option<&str>, command| request("client:operator", key, command);
    let requests = vec![
        ask(Some("k-1"), gift(ana)),
        ask(None, order(dora, "B-1", at, "5")),
        ask(Some("k-2"), gift(cleo)),
        ask(None, order(dora, "B-2", at, "5")),
        // This one cannot pass: its member gives.
        ask(None, order(ana, "B-3", at, "5")),
    ];
    let answers = in_one_batch(&app, requests);
    assert!(answers.iter().all(|answer| code(answer) == "done"), "{answers:?}");
    let query = "SELECT string_agg(kind, ' ' ORDER BY journal, seq) FROM entry WHERE actor = 'client:operator'
                 GROUP BY xmin::text ORDER BY min(seq) FILTER (WHERE journal = 1)";
    let transactions = sql::texts(&mut app.owner(), query);
    let gifts = "transfer.sent transfer.sent points.earned transfer.received transfer.received";
    let database = app.stop();
    assert_eq!(transactions, ["points.earned points.earned", gifts]);
    assert_eq!(database.undone(), 0);
    database.audit();
}

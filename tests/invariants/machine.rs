//! The property machine through Postgres: what is answered, written and read is what the naive model says, one request
//! at a time and in batches of any size.

use std::collections::BTreeMap;
use std::time::Duration;

use accrue::domain::decide::Context;
use accrue::domain::ids::MemberId;
use accrue::domain::movement::quote::{self, Quote};
use accrue::domain::refusal::Rejected;
use accrue::domain::time::Timestamp;
use accrue::ledger::{Command, Outcome, Publish, Request};
use accrue::postgres::clock::Clock;
use accrue::read::wallet::WalletContents;
use accrue::read::{self, Remembered, Seen, View, standing, wallet};
use diesel::PgConnection;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::batches::{Answers, submit};
use super::{code, decide, request};
use crate::machine::{BEGINNING, CHANGE, Expected, Pace, Planned, Wallet, World, cases, plan, quotes, worlds};
use crate::support::{App, Database, instant, sql, wallets};

#[test]
fn what_the_tables_hold_is_what_the_rules_say() {
    try_worlds(14, worlds(Pace::Steady, 60), |world| {
        let app = open(&world, 256, Duration::ZERO);
        let (mut owner, mut remembered) = (app.owner(), Default::default());
        for (n, planned) in plan(&world).into_iter().enumerate() {
            let asked = format!("request {n}, {} at {}", planned.request.asked().operation(), planned.now);
            app.clock.set(planned.now);
            let quoted = quoted(&app, &mut owner, &planned);
            let answer = decide(&app.ledger, planned.request);
            if let Some(quoted) = quoted.filter(|_| !answer.replayed) {
                quotes::agree(quoted, &answer.outcome);
            }
            let answer = Expected { code: code(&answer), replayed: answer.replayed };
            prop_assert_eq!(answer, planned.expected, "{}", asked);
            prop_assert_eq!(written(&mut owner), planned.wallets, "{}", asked);
            prop_assert_eq!(numbers(&mut owner, "SELECT id, taken FROM counter"), planned.taken, "{}", asked);
            let totals =
                "SELECT c.id, coalesce((SELECT sum(points) FROM cause_total WHERE cause = c.id), 0) FROM cause c";
            prop_assert_eq!(numbers(&mut owner, totals), planned.given, "{}", asked);
            prop_assert_eq!(read((&app, &mut owner), &mut remembered, &planned.settled), planned.settled, "{}", asked);
        }
        Ok(())
    });
}

#[test]
fn batches_of_many_are_batches_of_one() {
    try_worlds(6, worlds(Pace::Bursts, 80), |world| {
        let (many, many_answers) = play(&world, 256, Duration::ZERO);
        let (one, one_answers) = play(&world, 1, Duration::ZERO);
        for (n, ((many, one), planned)) in many_answers.iter().zip(&one_answers).zip(plan(&world)).enumerate() {
            let asked = format!("request {n}, {} at {}", planned.request.asked().operation(), planned.now);
            prop_assert_eq!(many, one, "{}", asked);
            prop_assert_eq!(expected(many), planned.expected, "{}", asked);
        }
        let (many, one) = (sql::dump(&mut many.owner()), sql::dump(&mut one.owner()));
        for (many, one) in many.iter().zip(&one) {
            prop_assert_eq!(many, one);
        }
        prop_assert_eq!(many.len(), one.len());
        Ok(())
    });
}

#[test]
fn what_passes_is_answered_as_if_it_had_not() {
    try_worlds(6, worlds(Pace::Bursts, 80), |world| {
        let (passed, answers) = play(&world, 16, Duration::from_secs(60));
        for (n, (answer, planned)) in answers.iter().zip(plan(&world)).enumerate() {
            let asked = format!("request {n}, {} at {}", planned.request.asked().operation(), planned.now);
            prop_assert_eq!(expected(answer), planned.expected, "{}", asked);
        }
        let (in_order, in_order_answers) = play(&world, 1, Duration::ZERO);
        prop_assert_eq!(answers, in_order_answers);
        prop_assert_eq!(written(&mut passed.owner()), written(&mut in_order.owner()));
        Ok(())
    });
}

// Each world has a database of its own, so they are few.
fn try_worlds(usual: u32, worlds: impl Strategy<Value = World>, test: impl Fn(World) -> Result<(), TestCaseError>) {
    let config = Config { cases: cases(usual), max_shrink_iters: 100, source_file: Some(file!()), ..Config::default() };
    TestRunner::new(config).run(&worlds, test).unwrap_or_else(|error| panic!("{error}"));
}

// A service at the beginning of a world, whose programmes were published in good time.
fn open(world: &World, batch_limit: usize, patience: Duration) -> App {
    let before = instant("2000-06-01T00:00:00Z");
    let app = App::on(Database::new(), Clock::stopped_at(before), |config| {
        (config.batch_limit, config.patience) = (batch_limit, patience);
    });
    for (n, (rules, at)) in (1..).zip(world.rules.iter().zip(["2000-06-02T00:00:00Z", CHANGE])) {
        let mut publish = request("client:operator", None, Publish(rules.program(), instant(at)));
        publish.id = Uuid::from_u128(0x019b_0000_0000_7000_8000_0000_0000_0000 + n);
        assert_eq!(code(&decide(&app.ledger, publish)), "done");
    }
    app.clock.set(instant(BEGINNING));
    app
}

// What one lane is asked at one instant goes into its queue at once.
fn play(world: &World, batch_limit: usize, patience: Duration) -> (Database, Answers) {
    let app = open(world, batch_limit, patience);
    let mut answers = Answers::new();
    for planned in plan(world).chunk_by(|one, other| place(one) == place(other)) {
        let now = planned.first().map(|planned| planned.now);
        app.clock.set(now.expect("chunks are not empty"));
        let requests: Vec<Request> = planned.iter().map(|planned| again(&planned.request)).collect();
        answers.extend(submit(&app, requests));
    }
    app.audit();
    (app.stop(), answers)
}

fn place(planned: &Planned) -> (i16, Timestamp) {
    (planned.request.asked().journal(), planned.now)
}

fn again(planned: &Request) -> Request {
    let mut request = request(&planned.actor, planned.key.as_deref(), planned.command.clone());
    request.id = planned.id;
    request
}

fn expected((outcome, replayed): &(Outcome, bool)) -> Expected {
    let code = match outcome {
        Outcome::Done(_) => "done",
        Outcome::Refused(refusal) => refusal.code(),
    };
    Expected { code, replayed: *replayed }
}

fn written(owner: &mut PgConnection) -> BTreeMap<MemberId, Wallet> {
    let wallets = "SELECT concat_ws(' ', id, status, active, pending, held, debt, lifetime_earned, lifetime_spent,
                       tier)
                   FROM member JOIN wallet ON wallet.member = member.id";
    let wallet = |row: &String| {
        let words: Vec<&str> = row.split(' ').collect();
        let number = |n: usize| words[n].parse().unwrap();
        let wallet = Wallet {
            status: status(words[1]),
            tier: words.get(8).map(|&code| code.to_owned()),
            active: number(2),
            pending: number(3),
            held: number(4),
            debt: number(5),
            earned: number(6),
            spent: number(7),
        };
        (words[0].parse().unwrap(), wallet)
    };
    sql::texts(owner, wallets).iter().map(wallet).collect()
}

fn numbers(owner: &mut PgConnection, query: &str) -> BTreeMap<Uuid, i64> {
    let rows = sql::texts(owner, &format!("SELECT concat_ws(' ', id, n) FROM ({query}) AS r (id, n)"));
    let row = |row: String| row.split_once(' ').map(|(id, n)| (id.parse().unwrap(), n.parse().unwrap())).unwrap();
    rows.into_iter().map(row).collect()
}

// What an order of a member is quoted before it is decided.
fn quoted(app: &App, owner: &mut PgConnection, planned: &Planned) -> Option<Result<Quote, Rejected>> {
    let Command::CompleteOrder(order) = &planned.request.command else { return None };
    let programs = app.ledger.programs().book();
    let mut view = View { connection: owner, clock: &app.clock, programs: &programs };
    let found = read::quotes::member(&mut view, order.member_id, &order.redemption_ids).unwrap();
    let (member, now) = found?;
    let context = Context { now, programs: &programs, command: Uuid::nil(), actor: "system" };
    Some(quote::quote(&member, order, context))
}

// What the wallets of these members are said to hold now, and which tiers they are said to have.
fn read(
    (app, owner): (&App, &mut PgConnection),
    (remembered, known): &mut (Remembered<wallet::Known>, Remembered<standing::Known>),
    of: &BTreeMap<MemberId, Wallet>,
) -> BTreeMap<MemberId, Wallet> {
    let programs = app.ledger.programs().book();
    let mut view = View { connection: owner, clock: &app.clock, programs: &programs };
    let read = wallets(&mut view, &of.keys().copied().collect(), remembered);
    for (id, seen) in standing::together(&mut view, &of.keys().copied().collect(), known).unwrap() {
        if let Seen::Whole(Ok(tier)) = seen {
            assert_eq!(tier.held.code, of[&id].tier);
        }
    }
    let wallet = |(id, read): (MemberId, WalletContents)| {
        let wallet = Wallet {
            status: of[&id].status,
            tier: read.tier.map(|tier| tier.code),
            active: read.balances.active,
            pending: read.balances.pending,
            held: read.balances.held,
            debt: read.balances.debt,
            earned: read.lifetime.lifetime_earned,
            spent: read.lifetime.lifetime_spent,
        };
        (id, wallet)
    };
    read.into_iter().map(wallet).collect()
}

fn status(text: &str) -> &'static str {
    text.parse::<accrue::domain::member::Status>().unwrap().name()
}

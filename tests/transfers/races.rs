//! Transfers at once, over real connections.

use super::{EARLIER, NOON, direct, give, offered, reply};
use crate::support::{Pair, at_once, fund, sql, two_journals, wallet};

#[test]
fn of_twenty_gifts_of_a_hundred_points_at_once_from_a_wallet_of_a_hundred_one_succeeds() {
    let pair = Pair::at(NOON);
    let app = pair.app(0);
    let (ana, ben) = two_journals(app);
    for (round, make) in [direct, give, direct, direct].into_iter().enumerate() {
        fund(app, &ana, &format!("A-{round}"), EARLIER, 100);
        let make = |n: usize| make(&pair.app(n).operator(), &format!("k-{round}-{n}"), &ana, &ben, 100);
        let answers = at_once(20, make);
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            refused.assert_problem(409, "insufficient_points");
        }
    }
    assert_eq!((wallet(app, &ana), wallet(app, &ben)), ([0, 0, 100], [300, 0, 0]));
    pair.end();
}

#[test]
fn one_offer_is_answered_once_by_whoever_is_first() {
    let pair = Pair::at(NOON);
    let app = pair.app(0);
    let (ana, ben) = two_journals(app);
    fund(app, &ana, "A-1", EARLIER, 500);
    for round in 0..5 {
        let id = offered(app, &format!("o-{round}"), &ana, &ben, 100);
        let answers = at_once(12, |n| {
            let verb = ["accept", "decline", "cancel"][n % 3];
            reply(&pair.app(n).operator(), &format!("k-{round}-{n}"), &id, verb)
        });
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.assert_problem(409, "transfer_state_conflict");
        }
    }
    let (given, received) = (wallet(app, &ana), wallet(app, &ben));
    assert_eq!((given[0] + received[0], given[2], received[2]), (500, 0, 0));
    pair.end();
}

#[test]
fn transfers_in_both_directions_between_two_journals_end_without_a_deadlock() {
    let pair = Pair::at(NOON);
    let app = pair.app(0);
    let (ana, ben) = two_journals(app);
    fund(app, &ana, "A-1", EARLIER, 1_000);
    fund(app, &ben, "B-1", EARLIER, 1_000);
    const ROUNDS: usize = 15;
    at_once(12, |n| {
        // Each service gives in both directions.
        let client = pair.app(n / 2).operator();
        let (from, to) = if n % 2 == 0 { (&ana, &ben) } else { (&ben, &ana) };
        for round in 0..ROUNDS {
            let key = format!("k-{n}-{round}");
            let answer = match round % 3 {
                0 => direct(&client, &key, from, to, 7),
                1 => {
                    let id = give(&client, &key, from, to, 5).body["id"].as_str().unwrap().to_owned();
                    reply(&client, &key, &id, if n % 4 < 2 { "accept" } else { "decline" })
                }
                _ => {
                    let id = give(&client, &key, from, to, 3).body["id"].as_str().unwrap().to_owned();
                    reply(&client, &key, &id, "cancel")
                }
            };
            assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        }
    });
    let (one, other) = (wallet(app, &ana), wallet(app, &ben));
    assert_eq!((one[0] + other[0], one[2], other[2]), (2_000, 0, 0));
    // Whoever is undone by a deadlock tries again and succeeds: that nobody was is what the order of locks brings.
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(sql::number(&mut app.owner(), deadlocks), 0);
    // An offer that is accepted says whose it is when it is found: three threads take from the later journal into the earlier.
    pair.end_with(3 * (ROUNDS / 3) as i64);
}

//! Worlds as plain data, so that they shrink: steps name members, orders, redemptions and the like by small numbers,
//! which the plan resolves among those that exist.

use chrono::TimeDelta;
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use super::rules::{Rules, changes, rules};

/// A world: its programmes, the journals of its members, and what happens.
#[derive(Debug, Clone)]
pub struct World {
    /// Those of the beginning and of the change.
    pub rules: [Rules; 2],
    /// The journal of each member.
    pub journals: Vec<i16>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// Something happens after a while.
#[derive(Debug, Clone)]
pub struct Step {
    pub wait: Wait,
    /// The number of its idempotency key.
    pub key: Option<u8>,
    pub act: Act,
}

/// How long.
#[derive(Debug, Clone, Copy)]
pub enum Wait {
    Seconds(i64),
    /// To the instant at which something next falls due.
    UntilDue,
}

/// How many points, or how much money.
#[derive(Debug, Clone, Copy)]
pub enum Sum {
    Some(u16),
    /// So many parts of eight of what there is.
    Part(u8),
    /// One more than there is.
    TooMuch,
    /// As much as can be written.
    Absurd,
}

/// Under which id a customer is enrolled with something.
#[derive(Debug, Clone, Copy)]
pub enum Joins {
    /// A new one.
    Anew,
    /// That of the customer's member.
    Again,
}

#[derive(Debug, Clone)]
pub enum Act {
    Order {
        member: u8,
        number: u8,
        cents: u32,
        age: u8,
        items: bool,
        paid_with: Vec<u8>,
        euros: bool,
        joins: Option<Joins>,
    },
    Refund {
        order: u8,
        number: u8,
        sum: Sum,
        items: Option<u8>,
        by: Option<u8>,
    },
    Pay {
        member: u8,
        sum: Sum,
        order: Option<u8>,
        order_cents: Option<u32>,
        hold: Option<u8>,
        /// By the member's own token?
        own: bool,
    },
    Buy {
        member: u8,
        reward: u8,
        quantity: u8,
        hold: Option<u8>,
        own: bool,
    },
    Capture {
        redemption: u8,
        sum: Option<Sum>,
        order: Option<u8>,
    },
    Void {
        redemption: u8,
        /// By the token of the redeemer, or of this member.
        own: bool,
        by: Option<u8>,
    },
    Return {
        redemption: u8,
        sum: Option<Sum>,
    },
    Donate {
        member: u8,
        cause: u8,
        sum: Sum,
    },
    Give {
        from: u8,
        to: u8,
        sum: Sum,
        direct: bool,
    },
    Answer {
        transfer: u8,
        reply: u8,
        by: Option<u8>,
    },
    Adjust {
        member: u8,
        sum: Sum,
        down: bool,
        pending: bool,
        begins: Option<u8>,
        ends: Option<u8>,
        joins: Option<Joins>,
    },
    Assign {
        member: u8,
        tier: u8,
        ends: u8,
    },
    /// So many members of a journal are looked at anew, from where it was left.
    Review {
        journal: u8,
        most: u8,
    },
    Membership {
        member: u8,
        change: u8,
    },
    Profile {
        member: u8,
        tag: u8,
    },
    Enrol {
        member: u8,
    },
    Supply {
        reward: u8,
        stock: Option<u8>,
        points: Option<u8>,
    },
    /// The same request as so many steps before.
    Again {
        back: u8,
    },
}

/// How time passes.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Something happens at any time.
    Steady,
    /// Much happens at once, and mostly in one journal.
    Bursts,
}

/// Worlds of so many steps at most.
pub fn worlds(pace: Pace, most: usize) -> impl Strategy<Value = World> {
    let journals = match pace {
        Pace::Steady => select(vec![vec![1, 1, 2, 2], vec![1, 2, 1], vec![1, 1, 1, 1, 2]]),
        Pace::Bursts => select(vec![vec![1, 1, 1, 1, 2], vec![1, 1, 1]]),
    };
    let (first, second) = (rules(), rules());
    let rules = (first, weighted(0.3, second), weighted(0.5, changes())).prop_map(|(first, second, changed)| {
        let second = second.unwrap_or_else(|| first.clone()).with_tiers_of(&first);
        let second = changed.into_iter().fold(second, Rules::with_tiers);
        [first, second]
    });
    (rules, journals, vec(step(pace), 1..=most)).prop_map(|(rules, journals, steps)| World { rules, journals, steps })
}

fn step(pace: Pace) -> impl Strategy<Value = Step> {
    let (at_once, repeats) = match pace {
        Pace::Steady => (20, 1),
        Pace::Bursts => (300, 4),
    };
    let day = 86_400;
    let wait = prop_oneof![
        at_once => Just(Wait::Seconds(0)),
        4 => select(vec![1, 60, 3_600, day, 13 * day, 14 * day]).prop_map(Wait::Seconds),
        3 => Just(Wait::UntilDue),
        1 => select(vec![31 * day, 200 * day, 365 * day, 425 * day]).prop_map(Wait::Seconds),
    ];
    (wait, weighted(0.1, 0..4_u8), act(repeats)).prop_map(|(wait, key, act)| Step { wait, key, act })
}

fn act(repeats: u32) -> impl Strategy<Value = Act> {
    let (member, place) = (0..5_u8, any::<u8>());
    let cents = || {
        prop_oneof![
            6 => 1..30_000_u32,
            4 => select(vec![1, 49, 50, 99, 100, 150, 300, 1_000, 10_000, 20_000]),
            1 => select(vec![0, 499_999, 500_001]),
        ]
    };
    let hold = || weighted(0.6, 0..5_u8);
    let sum = || {
        prop_oneof![
            8 => (1..120_u16).prop_map(Sum::Some),
            6 => (1..=8_u8).prop_map(Sum::Part),
            1 => Just(Sum::TooMuch),
            1 => Just(Sum::Absurd),
        ]
    };
    let part = || weighted(0.5, prop_oneof![(1..40_u16).prop_map(Sum::Some), (1..=8_u8).prop_map(Sum::Part)]);
    let paying = prop_oneof![5 => Just(Vec::new()), 3 => vec(any::<u8>(), 1..3)];
    let joins = || weighted(0.15, select(vec![Joins::Anew, Joins::Again]));
    let odd = (weighted(0.2, Just(())), weighted(0.01, Just(())), joins());
    let order = (member.clone(), 0..24_u8, cents(), 0..8_u8, paying, odd).prop_map(
        |(member, number, cents, age, paid_with, (items, euros, joins))| {
            let (items, euros) = (items.is_some(), euros.is_some());
            Act::Order { member, number, cents, age, items, paid_with, euros, joins }
        },
    );
    let refund = (place, 0..12_u8, sum(), weighted(0.15, 1..3_u8), weighted(0.04, member.clone()))
        .prop_map(|(order, number, sum, items, by)| Act::Refund { order, number, sum, items, by });
    let own = || proptest::bool::weighted(0.3);
    let pay = (member.clone(), sum(), weighted(0.4, 0..24_u8), weighted(0.2, cents()), hold(), own()).prop_map(
        |(member, sum, order, order_cents, hold, own)| Act::Pay { member, sum, order, order_cents, hold, own },
    );
    let buy = (member.clone(), 0..4_u8, 1..4_u8, hold(), own())
        .prop_map(|(member, reward, quantity, hold, own)| Act::Buy { member, reward, quantity, hold, own });
    let (number, stranger) = (weighted(0.3, 0..24_u8), weighted(0.1, member.clone()));
    let on_redemption = (place, part(), 0..6_u8, number, own(), stranger).prop_map(
        |(redemption, sum, what, order, own, by)| match what {
            0 | 1 => Act::Capture { redemption, sum, order },
            2 | 3 => Act::Void { redemption, own, by },
            _ => Act::Return { redemption, sum },
        },
    );
    let donate = (member.clone(), 0..3_u8, sum()).prop_map(|(member, cause, sum)| Act::Donate { member, cause, sum });
    // Mostly so little that a day's limit is reached by several.
    let gift = prop_oneof![3 => (10..40_u16).prop_map(Sum::Some), 2 => sum()];
    let give = (member.clone(), 0..6_u8, gift, any::<bool>()).prop_map(|(from, to, sum, direct)| Act::Give {
        from,
        to,
        sum,
        direct,
    });
    let answer = (place, 0..4_u8, weighted(0.1, member.clone())).prop_map(|(transfer, reply, by)| Act::Answer {
        transfer,
        reply,
        by,
    });
    let date = || weighted(0.5, 0..6_u8);
    let adjust = (member.clone(), sum(), any::<bool>(), any::<bool>(), date(), date(), joins()).prop_map(
        |(member, sum, down, pending, begins, ends, joins)| Act::Adjust {
            member,
            sum,
            down,
            pending,
            begins,
            ends,
            joins,
        },
    );
    let assign = (member.clone(), 0..4_u8, 0..6_u8).prop_map(|(member, tier, ends)| Act::Assign { member, tier, ends });
    let review = (0..5_u8, 1..4_u8).prop_map(|(journal, most)| Act::Review { journal, most });
    let membership = (member.clone(), select(vec![0, 0, 1, 1, 1, 1, 2, 3]))
        .prop_map(|(member, change)| Act::Membership { member, change });
    let profile = (member.clone(), 0..2_u8).prop_map(|(member, tag)| Act::Profile { member, tag });
    let enrol = member.prop_map(|member| Act::Enrol { member });
    let supply =
        (0..4_u8, of(0..4_u8), of(1..30_u8)).prop_map(|(reward, stock, points)| Act::Supply { reward, stock, points });
    prop_oneof![
        20 => order,
        14 => refund,
        12 => pay,
        8 => buy,
        16 => on_redemption,
        4 => donate,
        12 => give,
        8 => answer,
        6 => adjust,
        3 => assign,
        3 => review,
        3 => membership,
        1 => profile,
        2 => enrol,
        1 => supply,
        repeats => (1..6_u8).prop_map(|back| Act::Again { back }),
    ]
}

/// How long before the present an order occurred, or after it, by its number.
pub fn ages(age: u8) -> TimeDelta {
    let days = |days| -TimeDelta::days(days);
    [
        TimeDelta::zero(),
        TimeDelta::zero(),
        -TimeDelta::hours(1),
        days(13),
        days(40),
        days(400),
        TimeDelta::minutes(5),
        TimeDelta::minutes(6),
    ][usize::from(age)]
}

/// A date of points around the present, by its number.
pub fn dates(date: u8) -> TimeDelta {
    [-30, 0, 1, 14, 40, 400].map(TimeDelta::days)[usize::from(date)]
}

/// How long points are held, by its number.
pub fn holds(hold: u8) -> TimeDelta {
    [TimeDelta::seconds(1), TimeDelta::minutes(15), TimeDelta::days(1), TimeDelta::days(14), TimeDelta::days(30)]
        [usize::from(hold)]
}

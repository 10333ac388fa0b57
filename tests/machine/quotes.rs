//! What is quoted for an order is what it is answered.

use accrue::domain::movement::quote::Quote;
use accrue::domain::refusal::{Refusal, Rejected};
use accrue::ledger::Outcome;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Panics unless an order that is decided for the first time is answered what its quote said before.
pub fn agree(quoted: Result<Quote, Rejected>, outcome: &Outcome) {
    match (quoted, outcome) {
        (Ok(quoted), Outcome::Done(answer)) => {
            let answer: Value = serde_json::from_str(answer).expect("answers are JSON");
            assert_eq!(json!(quoted.earned), answer["earned"]);
            assert_eq!(json!(quoted.paid), answer.get("paid").cloned().unwrap_or_default());
            let change =
                quoted.tier.map(|tier| tier.change).filter(|change| change.after.is_some() || change.before.is_some());
            assert_eq!(json!(change), answer.get("tier").cloned().unwrap_or_default());
            let paid = quoted.paid.map_or(Decimal::ZERO, |paid| paid.value);
            assert_eq!(quoted.amount - paid, quoted.payable);
        }
        // A quote takes no id and no key.
        (_, Outcome::Refused(Refusal::OrderConflict { .. } | Refusal::IdempotencyKeyConflict)) => {}
        (Err(Rejected::Refused(quoted)), Outcome::Refused(refusal)) => assert_eq!(&quoted, refusal),
        (quoted, outcome) => panic!("{quoted:?} was quoted, and then {outcome:?}"),
    }
}

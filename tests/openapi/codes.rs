//! Every refusal has a code, and every code a row with its facts.

use std::collections::BTreeSet;

use accrue::domain::refusal::Refusal;
use accrue::http::auth::AuthRefusal;
use accrue::http::problem::{FACTS, PROBLEMS, Problem};
use accrue::ledger::NoAnswer;

use super::document;

// One of each; the match makes the compiler ask for the new ones.
fn refusals() -> Vec<Refusal> {
    let text = || "x".to_owned();
    let all = vec![
        Refusal::MemberNotFound,
        Refusal::OrderConflict { order_id: text() },
        Refusal::ExternalIdConflict,
        Refusal::IdempotencyKeyConflict,
        Refusal::CurrencyMismatch { expected: text() },
        Refusal::AmountOverLimit { maximum: text() },
        Refusal::OccurredInFuture { minutes: 5 },
        Refusal::JoinedInFuture { minutes: 5 },
        Refusal::PointsOverLimit,
        Refusal::EffectiveTooSoon { seconds: 5 },
        Refusal::OrderNotFound,
        Refusal::RedemptionNotFound,
        Refusal::RedemptionStateConflict { state: text() },
        Refusal::RedemptionOfAnotherOrder { redemption_id: text() },
        Refusal::InsufficientPoints { available: 5 },
        Refusal::InsufficientPendingPoints { available: 5 },
        Refusal::ActiveInFuture,
        Refusal::PendingNotInFuture,
        Refusal::ExpiresInPast,
        Refusal::ExpiresBeforeActive { expires_at: text() },
        Refusal::CaptureOverHeld { held: 5 },
        Refusal::RewardCapturedWhole { held: 5 },
        Refusal::RewardReturnedInUnits { unit: 5 },
        Refusal::MemberHoldTooLong { maximum: text() },
        Refusal::HoldOfShop,
        Refusal::HoldLapsed { lapsed_at: String::new() },
        Refusal::ReturnOverCaptured { left: 5 },
        Refusal::PointsWithoutValue,
        Refusal::PointsWorthNothing { least: 5 },
        Refusal::OverOrderShare { maximum: text() },
        Refusal::PaidOverAmount { amount: text() },
        Refusal::RewardNotFound,
        Refusal::RewardNotAvailable,
        Refusal::RewardOutOfStock { left: 5 },
        Refusal::RewardLimitReached { maximum: 5, left: 5 },
        Refusal::WindowEndsBeforeItBegins,
        Refusal::CauseNotFound,
        Refusal::CauseNotOpen,
        Refusal::RefundOverOrder { remaining: text() },
        Refusal::RefundBeforeOrder { occurred_at: text() },
        Refusal::RefundItems { sku: text(), left: 5.into() },
        Refusal::OrderWithoutItems,
        Refusal::RefundOfNothing,
        Refusal::RefundOverItems { worth: text() },
        Refusal::RefundConflict { refund_id: text() },
        Refusal::TransferNotFound,
        Refusal::TransferStateConflict { state: text() },
        Refusal::TransferToOneself,
        Refusal::TransfersNotAllowed,
        Refusal::DirectTransferNotAllowed,
        Refusal::TransferOverLimit { maximum: 5 },
        Refusal::TransferOverDailyLimit { maximum: 5, left: 5 },
        Refusal::ReceiverNotFound,
        Refusal::ReceiverNotActive,
        Refusal::MemberSuspended,
        Refusal::MemberClosed,
    ];
    for refusal in &all {
        match refusal {
            Refusal::MemberNotFound
            | Refusal::OrderConflict { .. }
            | Refusal::ExternalIdConflict
            | Refusal::IdempotencyKeyConflict
            | Refusal::CurrencyMismatch { .. }
            | Refusal::AmountOverLimit { .. }
            | Refusal::OccurredInFuture { .. }
            | Refusal::JoinedInFuture { .. }
            | Refusal::PointsOverLimit
            | Refusal::EffectiveTooSoon { .. }
            | Refusal::OrderNotFound
            | Refusal::RedemptionNotFound
            | Refusal::RedemptionStateConflict { .. }
            | Refusal::RedemptionOfAnotherOrder { .. }
            | Refusal::InsufficientPoints { .. }
            | Refusal::InsufficientPendingPoints { .. }
            | Refusal::ActiveInFuture
            | Refusal::PendingNotInFuture
            | Refusal::ExpiresInPast
            | Refusal::ExpiresBeforeActive { .. }
            | Refusal::CaptureOverHeld { .. }
            | Refusal::RewardCapturedWhole { .. }
            | Refusal::RewardReturnedInUnits { .. }
            | Refusal::MemberHoldTooLong { .. }
            | Refusal::HoldOfShop
            | Refusal::HoldLapsed { .. }
            | Refusal::ReturnOverCaptured { .. }
            | Refusal::PointsWithoutValue
            | Refusal::PointsWorthNothing { .. }
            | Refusal::OverOrderShare { .. }
            | Refusal::PaidOverAmount { .. }
            | Refusal::RewardNotFound
            | Refusal::RewardNotAvailable
            | Refusal::RewardOutOfStock { .. }
            | Refusal::RewardLimitReached { .. }
            | Refusal::WindowEndsBeforeItBegins
            | Refusal::CauseNotFound
            | Refusal::CauseNotOpen
            | Refusal::RefundOverOrder { .. }
            | Refusal::RefundBeforeOrder { .. }
            | Refusal::RefundItems { .. }
            | Refusal::OrderWithoutItems
            | Refusal::RefundOfNothing
            | Refusal::RefundOverItems { .. }
            | Refusal::RefundConflict { .. }
            | Refusal::TransferNotFound
            | Refusal::TransferStateConflict { .. }
            | Refusal::TransferToOneself
            | Refusal::TransfersNotAllowed
            | Refusal::DirectTransferNotAllowed
            | Refusal::TransferOverLimit { .. }
            | Refusal::TransferOverDailyLimit { .. }
            | Refusal::ReceiverNotFound
            | Refusal::ReceiverNotActive
            | Refusal::MemberSuspended
            | Refusal::MemberClosed => {}
        }
    }
    all
}

const AUTH_REFUSALS: [AuthRefusal; 17] = [
    AuthRefusal::Missing,
    AuthRefusal::SeveralHeaders,
    AuthRefusal::NotBearer,
    AuthRefusal::TooLong,
    AuthRefusal::Malformed,
    AuthRefusal::CriticalHeader,
    AuthRefusal::UnknownKey,
    AuthRefusal::AlgorithmNotAllowed,
    AuthRefusal::BadSignature,
    AuthRefusal::Expired,
    AuthRefusal::NotYetValid,
    AuthRefusal::WrongIssuer,
    AuthRefusal::WrongAudience,
    AuthRefusal::MissingClaim("exp"),
    AuthRefusal::InvalidClaim("exp"),
    AuthRefusal::BadSubject,
    AuthRefusal::BadMember,
];

// The facts that the table promises for a code.
fn facts(code: &str) -> BTreeSet<&'static str> {
    FACTS.iter().filter(|row| row.0 == code).map(|row| row.1).collect()
}

#[test]
fn every_code_stands_in_the_table_of_problems_once() {
    let codes: BTreeSet<_> = PROBLEMS.iter().map(|row| row.0).collect();
    assert_eq!(codes.len(), PROBLEMS.len(), "a code stands twice");
    for (code, status, title) in PROBLEMS {
        assert!((400..600).contains(status) && !title.is_empty(), "{code}");
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
    }
    for refusal in refusals() {
        let problem = Problem::refused(&refusal, false);
        assert_eq!(problem.document().code, refusal.code());
        // No fact takes the name of a part of the document.
        let parts = ["type", "title", "status", "code", "detail", "errors"];
        assert!(parts.iter().all(|part| !problem.document().facts.contains_key(*part)), "{refusal:?}");
        let shown: BTreeSet<_> = problem.document().facts.keys().map(String::as_str).collect();
        assert_eq!(shown, facts(refusal.code()), "{refusal:?}");
        // What is remembered and what is shown is one name.
        assert_eq!(serde_json::to_value(&refusal).unwrap()["code"], refusal.code());
    }
    assert!(FACTS.iter().all(|fact| refusals().iter().any(|refusal| refusal.code() == fact.0)));
    for refusal in AUTH_REFUSALS {
        let problem = Problem::from(refusal);
        assert_eq!((problem.document().code.as_str(), problem.document().status), (refusal.code(), 401));
    }
    for (no_answer, status) in [
        (NoAnswer::Busy, 503),
        (NoAnswer::Expired, 503),
        (NoAnswer::Unavailable, 503),
        (NoAnswer::ClockBehind, 503),
        (NoAnswer::OutcomeUnknown, 503),
        (NoAnswer::Fault, 500),
    ] {
        assert_eq!(Problem::from(no_answer).document().status, status);
    }
    let document = document();
    let text = document["info"]["description"].as_str().unwrap();
    for code in &codes {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{code}` |"))).expect("a row for each code");
        assert!(facts(code).iter().all(|fact| row.contains(&format!("`{fact}`: "))), "{row}");
    }
}

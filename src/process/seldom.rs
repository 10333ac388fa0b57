//! Lines that come by the thousand: one of a kind a second, with the number of those that were left out.
//!
//! A service that is too busy refuses thousands of requests a second, and a database that is away fails every batch;
//! a line for each would say nothing more and cost what is short already.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The least time between two lines of a kind.
const INTERVAL: Duration = Duration::from_secs(1);

static LINES: LazyLock<Mutex<Lines>> = LazyLock::new(Mutex::default);

/// Whether a line of this kind is to be logged now, and how many were left out since the last one.
///
/// A kind is a name in the program, so that their number is bounded.
pub fn due(kind: &'static str) -> Option<u64> {
    lines().due(kind, Instant::now())
}

/// Logs how many lines were left out of kinds of which none has come since. Call it again and again.
pub fn log_left_out() {
    let left_out = lines().left_out(Instant::now());
    for (kind, left_out) in left_out {
        tracing::warn!(kind, left_out, "lines of a kind were left out, the last of them a while ago");
    }
}

// A table is whole after any panic: every change of it is one assignment.
fn lines() -> MutexGuard<'static, Lines> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Lines(BTreeMap<&'static str, Kind>);

struct Kind {
    logged_at: Instant,
    left_out: u64,
}

impl Lines {
    fn due(&mut self, kind: &'static str, now: Instant) -> Option<u64> {
        let Some(known) = self.0.get_mut(kind) else {
            self.0.insert(kind, Kind { logged_at: now, left_out: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(known.logged_at) < INTERVAL {
            known.left_out += 1;
            return None;
        }
        known.logged_at = now;
        Some(std::mem::take(&mut known.left_out))
    }

    fn left_out(&mut self, now: Instant) -> Vec<(&'static str, u64)> {
        let silent = |kind: &Kind| kind.left_out > 0 && now.saturating_duration_since(kind.logged_at) >= INTERVAL;
        let kinds = self.0.iter_mut().filter(|(_, kind)| silent(kind));
        kinds
            .map(|(name, kind)| {
                kind.logged_at = now;
                (*name, std::mem::take(&mut kind.left_out))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_logged_once_a_second_with_the_count_of_those_left_out() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(lines.due("busy", at(0)), Some(0));
        assert_eq!((1..=500).filter_map(|n| lines.due("busy", at(n))).count(), 0);
        assert_eq!(lines.due("token_expired", at(500)), Some(0), "another kind");
        assert_eq!(lines.due("busy", at(1_000)), Some(500));
        assert_eq!(lines.due("busy", at(2_000)), Some(0));
    }

    #[test]
    fn those_left_out_before_a_silence_are_not_forgotten() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        for n in 0..10 {
            lines.due("busy", at(n));
        }
        assert_eq!(lines.left_out(at(999)), []);
        assert_eq!(lines.left_out(at(1_000)), [("busy", 9)]);
        assert_eq!(lines.left_out(at(5_000)), [], "said once");
    }
}

//! Whether a lane commits what it is given.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a lane may be at one batch without a commit. Longer than any of its session's timeouts but that of
/// statements, which ends one that hangs in a database that still answers.
pub const STUCK: Duration = Duration::from_secs(10);

/// The health of a lane: told by its thread, asked by others.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Since when the lane has been at a batch without a commit.
    at_it_since: Option<Instant>,
    /// The last attempt failed for a reason that the next one may meet again.
    failing: bool,
}

/// The thread runs; dropped by a panic, it does not.
pub struct Running<'a>(&'a Health);

impl Health {
    /// The lane's thread begins.
    pub fn running(&self) -> Running<'_> {
        Running(self)
    }

    /// A batch was taken.
    pub fn took(&self) {
        self.state().at_it_since = Some(Instant::now());
    }

    /// The database has taken a transaction.
    pub fn committed(&self) {
        let mut state = self.state();
        state.failing = false;
        state.at_it_since = state.at_it_since.map(|_| Instant::now());
    }

    /// A batch was given up, and not because of what was in it.
    pub fn failed(&self) {
        self.state().failing = true;
    }

    /// All that was taken is answered.
    pub fn answered(&self) {
        self.state().at_it_since = None;
    }

    /// Has an attempt failed since the last commit?
    pub fn is_failing(&self) -> bool {
        self.state().failing
    }

    /// Does the lane run and commit, as far as it was asked to?
    pub fn is_well(&self) -> bool {
        self.state().is_well(Instant::now())
    }

    // Whole after any panic: none can come between two assignments.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_well(&self, now: Instant) -> bool {
        !self.failing && self.at_it_since.is_none_or(|since| now.saturating_duration_since(since) < STUCK)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.failed();
            self.0.answered();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{self, AssertUnwindSafe};

    use super::*;

    #[test]
    fn a_lane_is_not_well_after_a_failure_until_a_commit() {
        let health = Health::default();
        assert!(health.is_well());
        health.took();
        health.failed();
        health.answered();
        assert!(!health.is_well());
        health.took();
        assert!(!health.is_well(), "nothing is committed yet");
        health.committed();
        assert!(health.is_well());
    }

    #[test]
    fn a_lane_that_stays_at_a_batch_without_a_commit_is_not_well() {
        let (health, now) = (Health::default(), Instant::now());
        health.took();
        assert!(health.state().is_well(now + STUCK / 2));
        assert!(!health.state().is_well(now + STUCK * 2));
        health.answered();
        assert!(health.state().is_well(now + STUCK * 2), "an idle lane is at nothing");
    }

    #[test]
    fn each_commit_of_a_batch_gives_the_lane_its_time_again() {
        let health = Health::default();
        health.state().at_it_since = Instant::now().checked_sub(STUCK * 2);
        assert!(!health.is_well());
        health.committed();
        assert!(health.is_well());
    }

    #[test]
    fn a_lane_whose_thread_panicked_is_not_well() {
        let health = Health::default();
        drop(health.running());
        assert!(health.is_well(), "it has ended as it should");
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            let _running = health.running();
            health.took();
            panic!("as a fault of the program");
        }));
        assert!(panicked.is_err() && !health.is_well());
        health.committed();
        assert!(health.state().is_well(Instant::now() + STUCK * 2), "it is not at that batch any more");
    }
}

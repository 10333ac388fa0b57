//! How many exports run at once, and which of them gives way.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How many run at once. Each has a connection to the database of its own.
const MOST: usize = 2;

/// The exports that run.
pub struct Exports {
    patience: Duration,
    running: Mutex<Vec<Arc<Place>>>,
}

impl Exports {
    /// None yet. An export that has waited for its reader longer than `patience`, in all, gives way when another
    /// asks; one whose reader takes nothing at all for so long ends.
    pub fn new(patience: Duration) -> Arc<Self> {
        Arc::new(Self { patience, running: Mutex::default() })
    }

    /// A place; none while as many run as may, and none of them is slow.
    pub fn begin(self: &Arc<Self>) -> Option<Running> {
        let mut running = self.running();
        if running.len() >= MOST {
            let slowest = running.iter().enumerate().max_by_key(|(_, place)| place.waited())?;
            let slowest = (slowest.1.waited() > self.patience).then_some(slowest.0)?;
            running.swap_remove(slowest).given_away.notify_one();
        }
        let place = Arc::<Place>::default();
        running.push(Arc::clone(&place));
        Some(Running { exports: Arc::clone(self), place })
    }

    fn running(&self) -> MutexGuard<'_, Vec<Arc<Place>>> {
        // Every change of the list is one call, so a panic elsewhere leaves it whole.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An export that runs, until it is dropped.
pub struct Running {
    exports: Arc<Exports>,
    place: Arc<Place>,
}

impl Running {
    /// Waits until the reader has taken what `taking` hands it; none if the export has to end before.
    pub async fn hand_over<T>(&self, taking: impl Future<Output = T>) -> Option<T> {
        self.place.wait(|wait| wait.since = Some(Instant::now()));
        let taken = tokio::select! {
            biased;
            () = self.place.given_away.notified() => None,
            taken = taking => Some(taken),
            () = tokio::time::sleep(self.exports.patience) => None,
        };
        self.place.wait(|wait| {
            wait.before += wait.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        });
        taken
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.exports.running().retain(|place| !Arc::ptr_eq(place, &self.place));
    }
}

#[derive(Default)]
struct Place {
    wait: Mutex<Wait>,
    given_away: Notify,
}

/// How long an export has waited for its reader.
#[derive(Default)]
struct Wait {
    before: Duration,
    since: Option<Instant>,
}

impl Place {
    fn waited(&self) -> Duration {
        self.wait(|wait| wait.before + wait.since.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    fn wait<T>(&self, change: impl FnOnce(&mut Wait) -> T) -> T {
        change(&mut self.wait.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    const NEVER: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn an_export_that_does_not_wait_keeps_its_place() {
        let exports = Exports::new(Duration::ZERO);
        let running = [exports.begin().unwrap(), exports.begin().unwrap()];
        assert!(exports.begin().is_none());
        drop(running);
        assert!(exports.begin().is_some());
    }

    #[tokio::test]
    async fn the_slowest_gives_way_and_nobody_else() {
        let exports = Exports::new(NEVER);
        let (slow, fast) = (exports.begin().unwrap(), exports.begin().unwrap());
        slow.place.wait(|wait| wait.before = NEVER);
        fast.place.wait(|wait| wait.before = NEVER / 2);
        assert!(exports.begin().is_none(), "neither has waited for longer than it may");
        slow.place.wait(|wait| wait.before = 2 * NEVER);
        let third = exports.begin().expect("the slow one's place");
        assert!(slow.hand_over(pending::<()>()).await.is_none());
        assert!(fast.hand_over(ready(())).await.is_some());
        drop(slow);
        assert!(exports.begin().is_none(), "its place was given away once");
        drop((third, fast));
    }

    #[tokio::test]
    async fn the_present_wait_counts() {
        let exports = Exports::new(Duration::from_millis(1));
        let _other = exports.begin().unwrap();
        let slow = exports.begin().unwrap();
        slow.place.wait(|wait| wait.since = Some(Instant::now() - NEVER));
        assert!(exports.begin().is_some());
    }

    #[tokio::test]
    async fn an_export_whose_reader_takes_nothing_ends() {
        let exports = Exports::new(Duration::from_millis(10));
        assert!(exports.begin().unwrap().hand_over(pending::<()>()).await.is_none());
    }
}

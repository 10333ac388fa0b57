//! The bounded queue of a lane: requests first, work that nobody waits for second.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who waits for a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A caller.
    Request,
    /// Import and sweepers: taken when no request waits, but never starved.
    Background,
}

/// What part of a batch is background work while there are requests, at least and at most: a sixteenth of the largest. A
/// batch of callers is seldom as large as that, and they wait for all of it.
const BACKGROUND_SHARE: usize = 16;

/// A queue with one end for many senders and one for the lane.
#[derive(Debug)]
pub struct Queue<T> {
    inner: Mutex<Inner<T>>,
    filled: Condvar,
    emptied: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct Inner<T> {
    requests: VecDeque<T>,
    background: VecDeque<T>,
    /// How many items wake the lane: one while it is idle, more while it gathers.
    wake_at: usize,
    closed: bool,
}

impl<T> Inner<T> {
    fn len(&self) -> usize {
        self.requests.len() + self.background.len()
    }
}

/// What a lane finds in its queue.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// These.
    Batch(Vec<T>),
    /// Nothing came in time.
    Nothing,
    /// Nothing will come: the queue is closed and empty.
    Closed,
}

/// The command was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// No place left.
    Full,
    /// The lane takes no more commands.
    Closed,
}

impl<T> Queue<T> {
    /// A queue with `capacity` places for each priority.
    pub fn new(capacity: usize) -> Self {
        let inner = Inner { requests: VecDeque::new(), background: VecDeque::new(), wake_at: 1, closed: false };
        Self { inner: Mutex::new(inner), filled: Condvar::new(), emptied: Condvar::new(), capacity }
    }

    /// Puts a request in, or says at once that it cannot.
    pub fn push(&self, item: T) -> Result<(), Full> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Full::Closed);
        }
        if inner.requests.len() >= self.capacity {
            return Err(Full::Full);
        }
        inner.requests.push_back(item);
        self.wake(&inner);
        Ok(())
    }

    /// Puts background work in, and waits for a place if need be.
    pub fn push_background(&self, item: T) -> Result<(), Full> {
        let inner = self.lock();
        let full = |inner: &mut Inner<T>| !inner.closed && inner.background.len() >= self.capacity;
        let mut inner = self.emptied.wait_while(inner, full).unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return Err(Full::Closed);
        }
        inner.background.push_back(item);
        self.wake(&inner);
        Ok(())
    }

    /// Takes the first item, waiting for it, but not longer than `patience` if there is one, and with it whatever else
    /// is queued, up to `limit`.
    ///
    /// Background work fills a batch only when it is alone: whoever waits for an answer waits for the whole batch.
    pub fn take(&self, limit: usize, patience: Option<Duration>) -> Taken<T> {
        let idle = |inner: &mut Inner<T>| !inner.closed && inner.len() == 0;
        let inner = self.lock();
        let mut inner = match patience {
            Some(patience) => {
                let waited = self.filled.wait_timeout_while(inner, patience, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.filled.wait_while(inner, idle).unwrap_or_else(PoisonError::into_inner),
        };
        let reserved = inner.background.len().min(limit / BACKGROUND_SHARE);
        let requests = inner.requests.len().min(limit - reserved);
        let background = if requests == 0 { inner.background.len().min(limit) } else { reserved };
        let mut batch: Vec<T> = inner.requests.drain(..requests).collect();
        batch.extend(inner.background.drain(..background));
        self.emptied.notify_all();
        match batch.is_empty() {
            true if inner.closed => Taken::Closed,
            true => Taken::Nothing,
            false => Taken::Batch(batch),
        }
    }

    /// Waits until `wanted` items are queued, but no longer than `patience`. Fewer do not wake the lane.
    pub fn gather(&self, wanted: usize, patience: Duration) {
        let few = |inner: &mut Inner<T>| !inner.closed && inner.len() < wanted;
        let mut inner = self.lock();
        inner.wake_at = wanted;
        let waited = self.filled.wait_timeout_while(inner, patience, few);
        waited.unwrap_or_else(PoisonError::into_inner).0.wake_at = 1;
    }

    /// Takes no more in; what is queued is still taken out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    fn wake(&self, inner: &Inner<T>) {
        if inner.len() >= inner.wake_at {
            self.filled.notify_one();
        }
    }

    // A queue is whole after any panic: every change of it is one call on a VecDeque.
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_first_and_background_work_is_not_starved() {
        let queue = Queue::new(100);
        (0..20).for_each(|n| queue.push_background(-n).unwrap());
        (1..=20).for_each(|n| queue.push(n).unwrap());
        let batch = taken(&queue, 16);
        assert_eq!(batch.iter().filter(|n| **n > 0).count(), 15);
        assert_eq!(batch.iter().filter(|n| **n <= 0).count(), 1);
        assert_eq!(batch[0], 1);
        assert_eq!(taken(&queue, 16).len(), 6, "five requests and no more than one other");
        assert_eq!(taken(&queue, 15), (2..17).map(|n| -n).collect::<Vec<_>>(), "alone it fills a batch");
    }

    #[test]
    fn gathering_ends_with_as_many_as_are_wanted_or_with_the_patience() {
        let (queue, long) = (Queue::new(100), Duration::from_secs(60));
        std::thread::scope(|scope| {
            let gathered = scope.spawn(|| queue.gather(3, long));
            (0..3).for_each(|n| queue.push(n).unwrap());
            gathered.join().unwrap();
        });
        assert_eq!(taken(&queue, 8), [0, 1, 2]);
        queue.push(4).unwrap();
        queue.gather(2, Duration::from_millis(1));
        assert_eq!(taken(&queue, 8), [4]);
        // One item wakes an idle lane again.
        std::thread::scope(|scope| {
            let woken = scope.spawn(|| taken(&queue, 8));
            queue.push(5).unwrap();
            assert_eq!(woken.join().unwrap(), [5]);
        });
    }

    #[test]
    fn a_full_queue_says_so_at_once_and_a_closed_one_is_emptied() {
        let queue = Queue::new(2);
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        assert_eq!(queue.push(3), Err(Full::Full));
        queue.close();
        assert_eq!(queue.push(3), Err(Full::Closed));
        assert_eq!(taken(&queue, 8), [1, 2]);
        assert_eq!(queue.take(8, None), Taken::Closed);
    }

    #[test]
    fn background_work_waits_for_a_place() {
        let queue = Queue::new(1);
        let mut batches = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..100).for_each(|n| queue.push_background(n).unwrap()));
            while batches.iter().map(Vec::len).sum::<usize>() < 100 {
                batches.push(taken(&queue, 8));
            }
        });
        assert!(batches.iter().all(|batch| batch.len() == 1), "{batches:?}");
    }

    #[test]
    fn a_lane_that_does_not_want_to_wait_finds_nothing() {
        let queue = Queue::<u8>::new(2);
        assert_eq!(queue.take(8, Some(Duration::from_millis(1))), Taken::Nothing);
        queue.push(1).unwrap();
        assert_eq!(queue.take(8, Some(Duration::from_millis(1))), Taken::Batch(vec![1]));
    }

    fn taken<T>(queue: &Queue<T>, limit: usize) -> Vec<T> {
        match queue.take(limit, None) {
            Taken::Batch(batch) => batch,
            Taken::Nothing | Taken::Closed => Vec::new(),
        }
    }
}

//! Reads that gather, as commands do before a lane: while the readers are busy, what is asked waits, and one statement
//! answers all that wait. Under load it costs each of them a small part of a statement, and a busy reader gives those it has just
//! answered a moment to ask again; with few callers an idle reader takes at once what there is, and nobody waits for others.
//!
//! Nobody is told what a statement saw that began before the question: whoever has heard that a command is done sees
//! what it did.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::ReadError;
use crate::process::threads;

/// How many ids one statement is asked for.
const MOST: usize = 128;

/// After so many answers those who have them are given time to ask again, so that the next statement answers more.
const MANY: usize = 4;

/// How much time. A system's timer adds some 50 µs.
const PATIENCE: Duration = Duration::from_micros(150);

/// What a statement that answers many questions says of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen<A> {
    /// This is it.
    Whole(A),
    /// Something is due: it is to be read by itself, so that it holds up no other.
    Due,
}

/// Answers questions for what stands under an id, many at a time. The readers end when it is dropped.
pub struct Gather<K, A> {
    queue: Arc<Queue<Asked<K, A>>>,
    readers: Vec<JoinHandle<()>>,
}

struct Asked<K, A> {
    id: K,
    reply: oneshot::Sender<Result<Option<A>, ReadError>>,
}

impl<K, A> Gather<K, A>
where
    K: Ord + Copy + Send + 'static,
    A: Clone + Send + 'static,
{
    /// Lets `capacity` questions wait, and gives each of `readers` a thread of its own. A reader returns what it finds of
    /// the ids that it is given; it may block, and what it does begins when it is called.
    ///
    /// Errors: the system starts no more threads.
    pub fn start<R>(name: &str, capacity: usize, readers: impl IntoIterator<Item = R>) -> io::Result<Self>
    where
        R: FnMut(&BTreeSet<K>) -> Result<BTreeMap<K, A>, ReadError> + Send + 'static,
    {
        // From here on what is started is stopped with it.
        let mut gather = Self { queue: Arc::new(Queue::new(capacity)), readers: Vec::new() };
        for (n, mut read) in readers.into_iter().enumerate() {
            let queue = Arc::clone(&gather.queue);
            let serve = move || {
                while let Some(asked) = queue.take(MOST) {
                    let answered = asked.len();
                    answer(asked, &mut read);
                    if answered >= MANY {
                        thread::sleep(PATIENCE);
                    }
                }
            };
            gather.readers.push(threads::start(format!("{name}-{n}"), serve)?);
        }
        Ok(gather)
    }

    /// What stands under `id`, as it is now or becomes meanwhile; none if nothing does. Says at once when too many wait
    /// already.
    pub async fn ask(&self, id: K) -> Result<Option<A>, ReadError> {
        let (reply, answer) = oneshot::channel();
        self.queue.push(Asked { id, reply }).map_err(|Full| ReadError::Busy)?;
        answer.await.unwrap_or(Err(ReadError::PANICKED))
    }
}

impl<K, A> Drop for Gather<K, A> {
    fn drop(&mut self) {
        self.queue.close();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

// Answers everyone, also if it panics: a reply that is dropped says so.
fn answer<K: Ord + Copy, A: Clone>(
    mut asked: Vec<Asked<K, A>>,
    read: &mut impl FnMut(&BTreeSet<K>) -> Result<BTreeMap<K, A>, ReadError>,
) {
    // After a time without answers most of those who wait may have gone.
    asked.retain(|one| !one.reply.is_closed());
    let ids: BTreeSet<K> = asked.iter().map(|one| one.id).collect();
    if ids.is_empty() {
        return;
    }
    let found = read(&ids).map_err(Arc::new);
    for Asked { id, reply } in asked {
        let answer = match &found {
            Ok(found) => Ok(found.get(&id).cloned()),
            Err(error) => Err(ReadError::Shared(Arc::clone(error))),
        };
        let _ = reply.send(answer);
    }
}

/// The questions that wait, from the oldest to the newest.
struct Queue<T> {
    inner: Mutex<Inner<T>>,
    filled: Condvar,
    capacity: usize,
}

struct Inner<T> {
    waiting: VecDeque<T>,
    /// How many readers wait for a question.
    idle: usize,
    closed: bool,
}

/// No place left.
struct Full;

impl<T> Queue<T> {
    fn new(capacity: usize) -> Self {
        let inner = Inner { waiting: VecDeque::new(), idle: 0, closed: false };
        Self { inner: Mutex::new(inner), filled: Condvar::new(), capacity }
    }

    fn push(&self, item: T) -> Result<(), Full> {
        let mut inner = self.lock();
        if inner.waiting.len() >= self.capacity {
            return Err(Full);
        }
        inner.waiting.push_back(item);
        // To wake a thread asks the system, so that it is left out while all are busy.
        if inner.idle > 0 {
            drop(inner);
            self.filled.notify_one();
        }
        Ok(())
    }

    // Waits for the first, and takes with it whatever else waits, up to `limit`; none once it is closed and empty.
    fn take(&self, limit: usize) -> Option<Vec<T>> {
        let mut inner = self.lock();
        inner.idle += 1;
        let nothing = |inner: &mut Inner<T>| inner.waiting.is_empty() && !inner.closed;
        let mut inner = self.filled.wait_while(inner, nothing).unwrap_or_else(PoisonError::into_inner);
        inner.idle -= 1;
        let count = inner.waiting.len().min(limit);
        (count > 0).then(|| inner.waiting.drain(..count).collect())
    }

    fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    // It is whole after any panic: nothing between two changes of it can panic.
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

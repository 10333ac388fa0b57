use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, yield_now};

use super::*;

/// The other side of readers that begin, and then wait until they may go on.
struct Held {
    // Dropped first, so that no reader waits when they are to end.
    go: mpsc::Sender<Turn>,
    gather: Arc<Gather<u8, u64>>,
    /// What each was asked for, as it begins.
    begun: UnboundedReceiver<Vec<u8>>,
    /// What they see as they begin, under every id but 0.
    now: Arc<AtomicU64>,
}

enum Turn {
    Answer,
    Fail,
    Panic,
}

impl Held {
    fn readers(count: usize, capacity: usize) -> Self {
        let ((told, begun), (go, turns)) = (unbounded_channel(), mpsc::channel());
        let (now, turns) = (Arc::<AtomicU64>::default(), Arc::new(Mutex::new(turns)));
        let readers = (0..count).map(|_| reader(told.clone(), Arc::clone(&turns), Arc::clone(&now)));
        let gather = Arc::new(Gather::start("held", capacity, readers).unwrap());
        Self { go, gather, begun, now }
    }

    // Asks; the question waits, or is taken, when this returns.
    async fn ask(&self, id: u8) -> JoinHandle<Result<Option<u64>, ReadError>> {
        let gather = Arc::clone(&self.gather);
        let asking = tokio::spawn(async move { gather.ask(id).await });
        yield_now().await;
        asking
    }

    async fn begun(&mut self) -> Vec<u8> {
        self.begun.recv().await.unwrap()
    }

    fn go(&self, turn: Turn) {
        self.go.send(turn).unwrap();
    }
}

fn reader(
    told: UnboundedSender<Vec<u8>>,
    turns: Arc<Mutex<mpsc::Receiver<Turn>>>,
    now: Arc<AtomicU64>,
) -> impl FnMut(&BTreeSet<u8>) -> Result<BTreeMap<u8, u64>, ReadError> + Send + 'static {
    move |ids| {
        let seen = now.load(Ordering::SeqCst);
        let _ = told.send(ids.iter().copied().collect());
        let turn = turns.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match turn.unwrap_or(Turn::Answer) {
            Turn::Answer => Ok(ids.iter().filter(|id| **id > 0).map(|id| (*id, seen)).collect()),
            Turn::Fail => Err(ReadError::Unavailable),
            Turn::Panic => panic!("as it was told to"),
        }
    }
}

#[tokio::test]
async fn what_is_asked_while_a_reader_works_is_read_together_and_each_id_once() {
    let mut held = Held::readers(1, 8);
    let first = held.ask(5).await;
    assert_eq!(held.begun().await, [5], "an idle reader waits for nobody else");
    let mut others = Vec::new();
    for id in [9, 0, 7, 9] {
        others.push(held.ask(id).await);
    }
    held.now.store(1, Ordering::SeqCst);
    held.go(Turn::Answer);
    assert_eq!(first.await.unwrap().unwrap(), Some(0));
    assert_eq!(held.begun().await, [0, 7, 9]);
    held.go(Turn::Answer);
    for (other, expected) in others.into_iter().zip([Some(1), None, Some(1), Some(1)]) {
        assert_eq!(other.await.unwrap().unwrap(), expected);
    }
}

#[tokio::test]
async fn nobody_is_told_what_a_reader_saw_before_the_question() {
    let mut held = Held::readers(2, 8);
    let early = held.ask(5).await;
    assert_eq!(held.begun().await, [5]);
    held.now.store(1, Ordering::SeqCst);
    let late = held.ask(5).await;
    assert_eq!(held.begun().await, [5], "the other reader begins");
    held.now.store(2, Ordering::SeqCst);
    let latest = held.ask(5).await;
    (0..3).for_each(|_| held.go(Turn::Answer));
    assert_eq!(early.await.unwrap().unwrap(), Some(0));
    assert_eq!(late.await.unwrap().unwrap(), Some(1));
    assert_eq!(latest.await.unwrap().unwrap(), Some(2));
}

#[tokio::test]
async fn a_question_too_many_hears_so_at_once_and_the_others_are_answered() {
    let mut held = Held::readers(1, 2);
    let taken = held.ask(1).await;
    held.begun().await;
    let waiting = [held.ask(2).await, held.ask(3).await];
    assert!(matches!(held.gather.ask(4).await, Err(ReadError::Busy)));
    (0..2).for_each(|_| held.go(Turn::Answer));
    assert_eq!(taken.await.unwrap().unwrap(), Some(0));
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap(), Some(0));
    }
}

#[tokio::test]
async fn a_reader_that_fails_or_panics_answers_everyone_and_reads_on() {
    let mut held = Held::readers(1, 8);
    let taken = held.ask(1).await;
    held.begun().await;
    let failing = [held.ask(2).await, held.ask(3).await];
    held.go(Turn::Panic);
    assert!(matches!(taken.await.unwrap(), Err(ReadError::Corrupt(_))));
    held.begun().await;
    held.go(Turn::Fail);
    for failing in failing {
        assert!(failing.await.unwrap().is_err_and(|error| error.is_unavailable()));
    }
    let healed = held.ask(4).await;
    held.go(Turn::Answer);
    assert_eq!(healed.await.unwrap().unwrap(), Some(0));
}

#[tokio::test]
async fn nothing_is_read_for_those_who_have_gone() {
    let mut held = Held::readers(1, 8);
    let taken = held.ask(1).await;
    held.begun().await;
    let (gone, patient) = (held.ask(2).await, held.ask(3).await);
    gone.abort();
    assert!(gone.await.is_err());
    held.go(Turn::Answer);
    assert_eq!(held.begun().await, [3]);
    held.go(Turn::Answer);
    assert_eq!((taken.await.unwrap().unwrap(), patient.await.unwrap().unwrap()), (Some(0), Some(0)));
}

#[test]
fn a_queue_that_is_closed_is_emptied_first() {
    let queue = Queue::new(4);
    (1..=3).for_each(|n| assert!(queue.push(n).is_ok()));
    queue.close();
    assert_eq!(queue.take(2), Some(vec![1, 2]));
    assert_eq!(queue.take(2), Some(vec![3]));
    assert_eq!(queue.take(2), None);
}

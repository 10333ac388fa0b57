//! Keeping the keys fresh: one thread looks at the JWKS file and fetches the JWKS URL, on time and when a token with
//! an unknown `kid` asks for it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::AuthSetupError;
use super::keys::{KeyStore, Origin};
use super::source::{JwksFile, JwksUrl};
use crate::process::threads;

/// How often keys are looked up anew.
#[derive(Clone, Copy, Debug)]
pub struct RefreshTimes {
    /// Between two looks at the JWKS file. Default: 3 s.
    pub file: Duration,
    /// The least time between a look at the file and one that an unknown `kid` asks for. Default: 1 s.
    pub file_at_least: Duration,
    /// Between two fetches of the JWKS URL. Default: 5 min.
    pub url: Duration,
    /// Between the first failed fetch and the next; twice as long after each further one. Default: 1 s.
    pub url_retry: Duration,
    /// Between a failed fetch and the next, at most. Default: 30 s.
    pub url_after_failure: Duration,
    /// The least time between a fetch and one that an unknown `kid` asks for. Default: 10 s.
    pub url_at_least: Duration,
    /// How long the last keys of a JWKS stay in force when it has none any more. Default: 15 min.
    pub emptied: Duration,
}

impl Default for RefreshTimes {
    fn default() -> Self {
        RefreshTimes {
            file: Duration::from_secs(3),
            file_at_least: Duration::from_secs(1),
            url: Duration::from_secs(300),
            url_retry: Duration::from_secs(1),
            url_after_failure: Duration::from_secs(30),
            url_at_least: Duration::from_secs(10),
            emptied: Duration::from_secs(15 * 60),
        }
    }
}

/// A handle to the refreshing thread, which ends when the handle is dropped.
pub(super) struct Refresher {
    /// One place: any number of unknown keys ask for one look.
    unknown_keys: SyncSender<()>,
    file: Option<Arc<JwksFile>>,
    times: RefreshTimes,
}

impl Refresher {
    /// Fetches the URL for the first time, and starts the thread. The file has just been read.
    pub(super) fn start(
        store: Arc<KeyStore>,
        file: Option<JwksFile>,
        url: Option<JwksUrl>,
        times: RefreshTimes,
    ) -> Result<Refresher, AuthSetupError> {
        let file = file.map(Arc::new);
        let (unknown_keys, asked) = sync_channel(1);
        let mut schedule = Schedule::new(store, file.clone(), url, times);
        schedule.work();
        spawn(schedule, asked).map_err(AuthSetupError::Thread)?;
        Ok(Refresher { unknown_keys, file, times })
    }

    /// Looks at the file at once, which is local and small, if it was not looked at just now; asks the thread to
    /// fetch the URL.
    pub(super) fn unknown_key(&self, store: &KeyStore) {
        if let Some(file) = &self.file {
            look_at_file(file, store, self.times.file_at_least);
        }
        // A full channel means that the thread has been asked already.
        let _ = self.unknown_keys.try_send(());
    }
}

/// The thread is not joined: a fetch may take seconds, and dropping must not. It ends once the channel is closed.
fn spawn(mut schedule: Schedule, asked: Receiver<()>) -> io::Result<()> {
    threads::start("accrue-jwks", move || {
        loop {
            match asked.recv_timeout(schedule.pause()) {
                Ok(()) => schedule.bring_url_forward(),
                Err(RecvTimeoutError::Timeout) => schedule.work(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    })?;
    Ok(())
}

/// What the thread does when.
struct Schedule {
    store: Arc<KeyStore>,
    times: RefreshTimes,
    file: Option<Arc<JwksFile>>,
    url: Option<JwksUrl>,
    next_file: Instant,
    next_url: Instant,
    /// No fetch that an unknown key asks for before this.
    url_not_before: Instant,
    /// How long to wait after the next failed fetch.
    url_retry: Duration,
}

impl Schedule {
    fn new(store: Arc<KeyStore>, file: Option<Arc<JwksFile>>, url: Option<JwksUrl>, times: RefreshTimes) -> Schedule {
        let now = Instant::now();
        Schedule {
            store,
            times,
            file,
            url,
            next_file: now + times.file,
            next_url: now,
            url_not_before: now,
            url_retry: times.url_retry,
        }
    }

    fn pause(&self) -> Duration {
        let file = self.file.as_ref().map(|_| self.next_file);
        let url = self.url.as_ref().map(|_| self.next_url);
        let next = file.into_iter().chain(url).min().unwrap_or(self.next_url);
        next.saturating_duration_since(Instant::now())
    }

    /// An unknown key has come: fetch as soon as the least time since the last fetch has passed.
    fn bring_url_forward(&mut self) {
        self.next_url = self.next_url.min(self.url_not_before);
        // Requests that keep asking must not keep the thread from what is due.
        self.work();
    }

    fn work(&mut self) {
        if let Some(file) = &self.file
            && self.next_file <= Instant::now()
        {
            look_at_file(file, &self.store, Duration::ZERO);
            self.next_file = Instant::now() + self.times.file;
        }
        if let Some(url) = &self.url
            && self.next_url <= Instant::now()
        {
            let fetched = fetch(url, &self.store);
            let now = Instant::now();
            self.next_url = now + self.pause_after(&fetched);
            self.url_not_before = now + self.times.url_at_least;
        }
        self.store.take_back(self.times.emptied);
    }

    fn pause_after(&mut self, fetched: &Fetched) -> Duration {
        match fetched {
            Fetched::Keys => {
                self.url_retry = self.times.url_retry;
                self.times.url
            }
            Fetched::Nothing => {
                let pause = self.url_retry.min(self.times.url_after_failure);
                self.url_retry = pause * 2;
                pause
            }
        }
    }
}

enum Fetched {
    Keys,
    Nothing,
}

fn fetch(url: &JwksUrl, store: &KeyStore) -> Fetched {
    match url.fetch() {
        Ok(jwks) => {
            let fetched = if jwks.keys.is_empty() { Fetched::Nothing } else { Fetched::Keys };
            if matches!(fetched, Fetched::Nothing) {
                tracing::warn!(place = url.place(), "the JWKS has no usable key; the keys stay as they are");
            }
            store.publish(Origin::Url, jwks.keys);
            fetched
        }
        Err(fault) => {
            let error: &dyn std::error::Error = &fault;
            tracing::warn!(place = url.place(), error, "the JWKS cannot be fetched; the keys stay as they are");
            Fetched::Nothing
        }
    }
}

fn look_at_file(file: &JwksFile, store: &KeyStore, gap: Duration) {
    file.look(gap, |jwks| store.publish(Origin::File, jwks.keys));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::keys::KeyRing;
    use std::sync::Weak;
    use std::thread;

    #[test]
    fn the_thread_ends_when_its_handle_is_dropped() {
        let store = Arc::new(KeyStore::new(KeyRing::default()));
        let watched: Weak<KeyStore> = Arc::downgrade(&store);
        let refresher = Refresher::start(store, None, None, RefreshTimes::default()).unwrap();
        assert!(watched.upgrade().is_some(), "the thread holds the store");
        drop(refresher);
        let deadline = Instant::now() + Duration::from_secs(5);
        while watched.upgrade().is_some() {
            assert!(Instant::now() < deadline, "the thread is still running");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn an_unknown_key_brings_the_fetch_forward_but_not_before_the_least_time() {
        let store = Arc::new(KeyStore::new(KeyRing::default()));
        let times = RefreshTimes::default();
        let mut schedule = Schedule::new(store, None, None, times);
        let earliest = schedule.url_not_before + times.url_at_least;
        (schedule.next_url, schedule.url_not_before) = (earliest + times.url, earliest);
        schedule.bring_url_forward();
        assert_eq!(schedule.next_url, earliest);
        schedule.bring_url_forward();
        assert_eq!(schedule.next_url, earliest);
    }

    #[test]
    fn failed_fetches_are_repeated_at_growing_intervals_until_one_succeeds() {
        let store = Arc::new(KeyStore::new(KeyRing::default()));
        let mut schedule = Schedule::new(store, None, None, RefreshTimes::default());
        let mut pause = |fetched| schedule.pause_after(&fetched).as_secs();
        let pauses: Vec<u64> = (0..7).map(|_| pause(Fetched::Nothing)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!([pause(Fetched::Keys), pause(Fetched::Nothing)], [300, 1]);
    }
}

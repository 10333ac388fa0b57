//! How far a standby is behind its primary.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable};

use crate::postgres::connect;
use crate::postgres::statement::statement;
use crate::process::{seldom, threads};

/// How often it is asked. Answers tell what it was then, and cost no query of their own.
const INTERVAL: Duration = Duration::from_secs(1);

/// Asks a database how far it is behind, again and again, on a thread of its own, until it is dropped.
pub struct Lag {
    known: Arc<Mutex<Option<Duration>>>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lag {
    /// Asks the database at `url`. A primary is never behind.
    ///
    /// Errors: the system starts no more threads.
    pub fn watch(url: String) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let known = Arc::<Mutex<Option<Duration>>>::default();
        let into = Arc::clone(&known);
        let watch = move || {
            let (mut connection, mut standby) = (None, Standby::default());
            loop {
                let asked = ask(&mut connection, &url);
                if let Err(error) = &asked {
                    connection = None;
                    if let Some(left_out) = seldom::due("lag_unknown") {
                        let error = error as &dyn std::error::Error;
                        tracing::warn!(error, left_out, "the database does not say how far it is behind");
                    }
                }
                let lag = asked.ok().and_then(|said| standby.lag(said, Instant::now()));
                *into.lock().unwrap_or_else(PoisonError::into_inner) = lag;
                if stopped.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        Ok(Self { known, stop: Some(stop), thread: Some(threads::start("lag", watch)?) })
    }

    /// How far it was behind a moment ago; none if that is not known.
    pub fn last(&self) -> Option<Duration> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the database says.
#[derive(Debug, Clone, Copy)]
struct Said {
    /// Is it connected to its primary, and has it replayed all that it was sent? So is a primary.
    caught_up: bool,
    /// How long ago the last transaction that it replayed was committed; none if it has replayed none yet.
    replayed: Option<Duration>,
}

/// When it had last caught up.
#[derive(Debug, Default)]
struct Standby {
    caught_up_at: Option<Instant>,
}

impl Standby {
    // What it lacks was committed after the last transaction that it replayed, and arrived after it had last caught up.
    // Either may be long before: a primary may rest for hours between two transactions, and a standby that is kept busy
    // is seldom found to have caught up.
    fn lag(&mut self, said: Said, now: Instant) -> Option<Duration> {
        if said.caught_up {
            self.caught_up_at = Some(now);
            return Some(Duration::ZERO);
        }
        let since = self.caught_up_at.map(|at| now.saturating_duration_since(at));
        since.into_iter().chain(said.replayed).min()
    }
}

fn ask(connection: &mut Option<PgConnection>, url: &str) -> Result<Said, LagError> {
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(connect::reader(url)?),
    };
    let (caught_up, replayed): (bool, Option<i64>) = LoadLag {}.get_result(connection)?;
    // The clocks of two machines differ, and the primary's may be the later one.
    let replayed = replayed.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or_default()));
    Ok(Said { caught_up, replayed })
}

/// Why a database does not say how far it is behind.
#[derive(Debug, thiserror::Error)]
enum LagError {
    /// No connection.
    #[error("cannot connect to the database")]
    Unreachable(#[from] ConnectionError),
    /// The query failed.
    #[error("the database refused")]
    Database(#[from] diesel::result::Error),
}

statement! {
    // Without a receiver nothing is received that could be compared, and everything may be missing.
    LoadLag {} -> (Bool, Nullable<BigInt>),
    "SELECT NOT pg_is_in_recovery() OR (
            EXISTS (SELECT FROM pg_stat_wal_receiver)
            AND COALESCE(pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn(), false)),
        (EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000000)::bigint"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_grows_from_the_moment_at_which_the_standby_had_last_caught_up() {
        let (mut standby, start) = (Standby::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let hours = Some(Duration::from_secs(7_200));
        assert_eq!(standby.lag(Said { caught_up: true, replayed: hours }, at(0)), Some(Duration::ZERO));
        let behind = Said { caught_up: false, replayed: hours };
        assert_eq!(standby.lag(behind, at(1)), Some(Duration::from_secs(1)));
        assert_eq!(standby.lag(behind, at(5)), Some(Duration::from_secs(5)));
        let busy = Said { caught_up: false, replayed: Some(Duration::from_millis(20)) };
        assert_eq!(standby.lag(busy, at(6)), Some(Duration::from_millis(20)));
    }

    #[test]
    fn a_standby_that_has_never_caught_up_counts_from_what_it_replayed() {
        let (mut standby, now) = (Standby::default(), Instant::now());
        let replayed = Some(Duration::from_secs(3));
        assert_eq!(standby.lag(Said { caught_up: false, replayed }, now), replayed);
        assert_eq!(standby.lag(Said { caught_up: false, replayed: None }, now), None);
    }
}

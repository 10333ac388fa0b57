//! Threads that the service cannot do without: one that panics begins anew.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::seldom;

/// How long a thread that panicked rests, so that one that always does leaves something for the others.
const REST: Duration = Duration::from_millis(100);

/// Starts a thread that does `work`, again each time it panics, until it returns.
///
/// What `work` makes for itself goes with the panic; what it was given is as the panic left it.
///
/// Errors: the system starts no more threads.
pub fn start(name: impl Into<String>, mut work: impl FnMut() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let name = name.into();
    thread::Builder::new().name(name.clone()).spawn(move || {
        while panic::catch_unwind(AssertUnwindSafe(&mut work)).is_err() {
            metrics::counter!("accrue_thread_restarts_total", "thread" => name.clone()).increment(1);
            if let Some(left_out) = seldom::due("thread_restarted") {
                tracing::error!(thread = name, left_out, "a thread panicked and begins anew");
            }
            thread::sleep(REST);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_begins_anew_until_it_returns() {
        let mut left = 3;
        let thread = start("shaky", move || {
            left -= 1;
            assert_eq!(left, 0, "not yet");
        });
        assert!(thread.unwrap().join().is_ok());
    }
}

//! Structured logs on standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::{LogArgs, LogFormat};
use crate::http::spans::RequestSpans;
use crate::process::{log, seldom};

/// How long the end of a command waits for standard error to take what is queued.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts logging. A filter that cannot be read falls back to the default one, and says so.
pub fn start(args: &LogArgs) {
    let (filter, wrong) = match EnvFilter::try_new(&args.log) {
        Ok(filter) => (filter, false),
        Err(_) => (EnvFilter::new("warn,accrue=info"), true),
    };
    // Tracing's own complaints would go to standard error by `eprintln!`, which waits and panics.
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_writer(log::stderr);
    match args.log_format {
        LogFormat::Text => logs.with_target(false).finish().with(RequestSpans).init(),
        LogFormat::Json => logs.json().finish().with(RequestSpans).init(),
    }
    panic::set_hook(Box::new(log_panic));
    if wrong {
        tracing::warn!("the log filter cannot be read; using warn,accrue=info");
    }
}

/// Prints a line that is no event, such as why a command failed.
pub fn print(line: String) {
    log::stderr().line((line + "\n").into_bytes());
}

/// Says something to whoever looks on, on standard output. The work is done whether or not anybody does.
pub fn say(line: impl Display) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        tracing::warn!(%error, "standard output cannot be written");
    }
}

/// Waits a moment for what is still to be written. A reader that stalls does not keep the process from ending.
pub fn finish() {
    log::stderr().flush(PATIENCE);
}

// The standard hook writes to standard error itself, and waits for it. A message that was put together at run time may
// quote what a client sent, and stays out of the log; the place says enough.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let Some(left_out) = seldom::due("panic") else { return };
    let message = panic.payload().downcast_ref::<&str>().copied().unwrap_or("(a message made at run time)");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, message, left_out, "a panic");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(%backtrace, "the panic's backtrace");
    }
}

//! Structured logs on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::args::{LogArgs, LogFormat};

/// Starts logging. A filter that cannot be read falls back to the default one, and says so.
pub fn start(args: &LogArgs) {
    let (filter, wrong) = match EnvFilter::try_new(&args.log) {
        Ok(filter) => (filter, false),
        Err(_) => (EnvFilter::new("warn,accrue=info"), true),
    };
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match args.log_format {
        LogFormat::Text => logs.with_target(false).init(),
        LogFormat::Json => logs.json().init(),
    }
    if wrong {
        tracing::warn!("the log filter cannot be read; using warn,accrue=info");
    }
}

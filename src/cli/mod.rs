//! The commands. Each is a thin use of the library; what they have in common is which database and whose keys.

mod args;
mod config_file;
mod database;
mod demo;
mod descriptors;
mod export;
pub mod import;
mod logs;
mod migrate;
mod program;
mod serve;
mod token;
mod verify;

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use self::args::{Args, Command};

/// Runs the command that the arguments name.
pub fn run(arguments: impl IntoIterator<Item = OsString> + Clone) -> ExitCode {
    let run = || match config_file::with_defaults(Args::command(), arguments.clone()) {
        Ok(command) => run_command(command.get_matches_from(arguments.clone())),
        Err(error) => failed(&error),
    };
    // A panic has queued its line, which the end of the process must not outrun.
    let code = panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(ExitCode::from(2));
    logs::finish();
    code
}

fn run_command(matches: ArgMatches) -> ExitCode {
    let args = match Args::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    logs::start(&args.logs);
    let ran = match args.command {
        Command::Serve(serve) => serve::run(&args.database, &serve),
        Command::Demo(demo) => demo::run(&args.database, &demo),
        Command::Migrate(migrate) => migrate::run(&args.database, &migrate),
        Command::Import(import) => return import::run(&args.database, &import).unwrap_or_else(|error| failed(&error)),
        Command::Export(export) => export::run(&args.database, &export),
        Command::Verify(verify) => return verify::run(&args.database, &verify),
        Command::Token(token) => token::run(&args.database, &token),
        Command::Program(program) => return program::run(&program).unwrap_or_else(|error| failed(&error)),
        Command::Openapi => write!(io::stdout(), "{}", crate::http::document_yaml()).map_err(anyhow::Error::from),
    };
    ran.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

// One line for each cause, so that the last one says what to mend.
fn failed(error: &anyhow::Error) -> ExitCode {
    logs::print(format!("accrue: {error}"));
    for cause in error.chain().skip(1) {
        logs::print(format!("  because: {cause}"));
    }
    ExitCode::from(2)
}

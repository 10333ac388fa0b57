//! The `accrue` command.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    accrue::cli::run(std::env::args_os().collect::<Vec<_>>())
}

//! Defaults from a TOML file: below flags and environment, above the built-in ones.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Command;

/// `command` with the defaults of the file that `--config` or `ACCRUE_CONFIG` names, if either does.
///
/// Errors: the file cannot be read, is not TOML, or has a key that is no flag's name.
pub fn with_defaults(mut command: Command, arguments: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let Some(path) = named(arguments) else { return Ok(command) };
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
    for (key, value) in table {
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            _ => bail!("{}: {key} must be a string or a number", path.display()),
        };
        let mut known = false;
        command = give(command, &key, &value, &mut known);
        if !known {
            bail!("{}: there is no flag --{}", path.display(), key.replace('_', "-"));
        }
    }
    Ok(command)
}

// Gives the flag its default wherever it exists, in the command and in those below it.
fn give(mut command: Command, key: &str, value: &str, known: &mut bool) -> Command {
    let long = key.replace('_', "-");
    let id = command.get_arguments().find(|arg| arg.get_long() == Some(&long)).map(|arg| arg.get_id().clone());
    if let Some(id) = id {
        *known = true;
        let value = value.to_owned();
        command = command.mut_arg(id, |arg| {
            // Clap refuses to hide what it never shows: the default of a flag without a value.
            let shown = arg.get_action().takes_values();
            arg.default_value(value).hide_default_value(shown).required(false)
        });
    }
    let below: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in below {
        command = command.mut_subcommand(name, |below| give(below, key, value, known));
    }
    command
}

fn named(arguments: impl IntoIterator<Item = OsString>) -> Option<PathBuf> {
    let mut arguments = arguments.into_iter().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.strip_prefix("--config=") {
            return Some(PathBuf::from(path));
        }
    }
    std::env::var_os("ACCRUE_CONFIG").map(PathBuf::from)
}

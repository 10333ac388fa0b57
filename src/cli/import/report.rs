//! What an import did, and how far it is.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::logs;

/// How many rejected lines are shown; all are counted.
const SHOWN: usize = 20;

/// How often progress is said where there is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(2);

/// What an import did. Every line of the file is posted, known or rejected.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Lines posted by this run.
    pub posted: u64,
    /// Lines that an earlier run had posted.
    pub known: u64,
    /// Lines that were rejected.
    pub rejected: u64,
    /// Lines of the file, but for its header and blank ones.
    pub lines: u64,
    /// Blank lines.
    pub blank: u64,
    /// Customers enrolled by this run.
    pub enrolled: u64,
    /// What the lines are, in the plural.
    what: &'static str,
    /// The first of the rejected lines: number, how many lines are rejected with it, and the reason.
    pub reasons: Vec<(u64, u64, String)>,
}

impl Report {
    /// Nothing yet, of lines that are `what`.
    pub fn new(what: &'static str) -> Self {
        Self { what, ..Self::default() }
    }

    /// Counts `lines` that are rejected together, the first of which is `line`.
    pub fn reject(&mut self, line: u64, lines: u64, reason: String) {
        self.rejected += lines;
        if self.reasons.len() < SHOWN {
            self.reasons.push((line, lines, reason));
        }
    }

    /// The rejected lines, then a line that says what was done.
    pub fn said(&self, took: Duration) -> String {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_unstable();
        let said = reasons.iter().map(|(line, _, reason)| format!("line {line} rejected: {reason}\n"));
        let mut said: String = said.collect();
        let unsaid = self.rejected - reasons.iter().map(|(_, lines, _)| lines).sum::<u64>();
        if unsaid > 0 {
            said.push_str(&format!("… and {}\n", counted(unsaid, "more lines")));
        }
        let Self { known, what, .. } = *self;
        let were = if known == 1 { "was" } else { "were" };
        said.push_str(&format!(
            "{} posted, {known} {were} there already, {} enrolled, {} rejected; {} in all",
            counted(self.posted, what),
            counted(self.enrolled, "customers"),
            counted(self.rejected, "lines"),
            counted(self.lines, "lines"),
        ));
        if self.blank > 0 {
            said.push_str(&format!(" and {}", counted(self.blank, "blank ones")));
        }
        said.push_str(&format!(", in {:.1} s", took.as_secs_f64()));
        said
    }
}

/// So many of something, whose plural this is.
pub fn counted(number: u64, plural: &str) -> String {
    let singular = plural.strip_suffix('s').filter(|_| number == 1);
    format!("{number} {}", singular.unwrap_or(plural))
}

/// A bar on a terminal, a line every few seconds elsewhere.
pub fn progress(lines: u64, what: &'static str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        let bar = ProgressBar::with_draw_target(Some(lines), ProgressDrawTarget::hidden());
        let shown = bar.clone();
        let print = move || {
            let mut last = 0;
            while !shown.is_finished() {
                thread::sleep(PLAIN_INTERVAL);
                if !shown.is_finished() && shown.position() != last {
                    last = shown.position();
                    logs::print(format!("{last} of {lines} {what}"));
                }
            }
        };
        // Without it the import goes on in silence.
        if let Err(error) = thread::Builder::new().name("progress".to_owned()).spawn(print) {
            tracing::warn!(%error, "progress cannot be shown");
        }
        return bar;
    }
    let template = format!("{{bar:40}} {{human_pos}} of {{human_len}} {what}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template);
    ProgressBar::new(lines).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_lines_are_said_in_their_order_whenever_they_were_refused() {
        let mut report = Report::new("orders");
        for line in [9, 3, 10] {
            report.reject(line, 1, "has no amount".to_owned());
        }
        let said = report.said(Duration::ZERO);
        let numbers: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("line ")?.split(' ').next()).collect();
        assert_eq!(numbers, ["3", "9", "10"], "{said}");
    }
}

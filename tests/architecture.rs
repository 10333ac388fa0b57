//! Dependencies point one way: cli → http, jobs → ledger, read → load → postgres → domain; and all but domain → process.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use of the others.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("process", &[]),
    ("postgres", &["domain", "process"]),
    ("load", &["domain", "postgres", "process"]),
    ("read", &["domain", "postgres", "process", "load"]),
    ("ledger", &["domain", "postgres", "process", "load"]),
    ("http", &["domain", "postgres", "process", "ledger", "read"]),
    ("jobs", &["domain", "postgres", "process", "ledger", "read"]),
    ("cli", &["domain", "postgres", "process", "ledger", "read", "http", "jobs"]),
];

/// The rooms of the rules from the bottom up; those on one floor do not know each other.
const FLOORS: [&[&str]; 10] = [
    &["digest", "ids", "money", "time"],
    &["fields", "sandbox"],
    &["external_id", "journal", "quantity"],
    &["refusal"],
    &["program", "record"],
    &["tier"],
    &["member"],
    &["decide"],
    &["movement"],
    &["audit"],
];

/// The same of the HTTP interface.
const HTTP_FLOORS: [&[&str]; 13] = [
    &["code", "exports", "headers", "spans", "strict_json"],
    &["auth"],
    &["problem"],
    &["answer", "caller", "limits", "unparsed"],
    &["connections", "service"],
    &["input"],
    &["call"],
    &["ledger", "members", "memberships", "operations", "orders", "page", "sandbox"],
    &[
        "adjustments",
        "causes",
        "donations",
        "lots",
        "programs",
        "quotes",
        "redemptions",
        "refunds",
        "rewards",
        "statements",
        "tiers",
        "transfers",
    ],
    &["table"],
    &["access"],
    &["document", "observe", "routes"],
    &["server"],
];

/// What the rules must not know of.
const NOT_IN_DOMAIN: [&str; 8] =
    ["diesel", "actix_web", "tokio", "ureq", "std::time", "Utc::now", "SystemTime", "rand::"];

/// What holds a thread up or dies with a panic, and the files that may use it all the same.
const SELDOM: [(&str, &[&str]); 4] = [
    // Lines go to the log, or to standard output by `logs::say`: neither panics.
    ("print!", &[]),
    ("println!", &[]),
    // Threads that the service cannot do without begin anew after a panic: `process::threads`.
    ("thread::spawn", &[]),
    ("thread::Builder", &["process/log.rs", "process/threads.rs", "cli/demo.rs", "cli/import/report.rs"]),
];

#[test]
fn nothing_prints_past_the_log_and_no_thread_is_started_that_does_not_come_back() {
    for file in sources(&source()) {
        let text = fs::read_to_string(&file).unwrap();
        for (word, allowed) in SELDOM {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let found = code.filter(|line| line.contains(word)).count();
            assert!(found == 0 || allowed.iter().any(|name| file.ends_with(name)), "{} uses {word}", file.display());
        }
    }
}

#[test]
fn modules_use_only_what_lies_below_them() {
    for (module, allowed) in MAY_USE {
        for file in sources(&source().join(module)) {
            let text = fs::read_to_string(&file).unwrap();
            for (line, used) in uses(&text) {
                let own = used == module;
                assert!(own || allowed.contains(&used), "{}:{line}: {module} uses {used}", file.display());
            }
        }
    }
}

#[test]
fn no_room_of_the_rules_knows_one_above_it_or_beside_it() {
    assert_floors("domain", &FLOORS, |_| None);
}

#[test]
fn no_room_of_the_http_interface_knows_one_above_it_or_beside_it() {
    // A room that is one file has the others beside it; the files of a folder have them one step further out.
    assert_floors("http", &HTTP_FLOORS, |depth| Some(if depth == 1 { "super::" } else { "super::super::" }));
}

// Rooms name each other by their whole path, and from a file at some depth also by the relative one that is given.
#[track_caller]
fn assert_floors(module: &str, floors: &[&[&str]], relative: fn(usize) -> Option<&'static str>) {
    let folder = source().join(module);
    let floor = |room: &str| floors.iter().position(|rooms| rooms.contains(&room));
    let mut seen = BTreeSet::new();
    for file in sources(&folder).into_iter().filter(|file| !file.ends_with("tests.rs")) {
        let path = file.strip_prefix(&folder).unwrap();
        let room = Path::new(path.iter().next().unwrap()).file_stem().unwrap().to_str().unwrap().to_owned();
        if room == "mod" {
            continue;
        }
        let own = floor(&room).unwrap_or_else(|| panic!("{room} is on no floor"));
        let text = fs::read_to_string(&file).unwrap();
        let relative = relative(path.iter().count());
        let unnamed = format!("super::{}", relative.unwrap_or("super::"));
        assert!(!text.contains(&unnamed), "{} reaches out of its room without its name", file.display());
        let whole = format!("crate::{module}::");
        for (line, used) in
            [Some(whole.as_str()), relative].into_iter().flatten().flat_map(|path| words_after(&text, path))
        {
            let below = floor(used).is_some_and(|other| other < own);
            assert!(used == room || below, "{}:{line}: {room} uses {used}", file.display());
        }
        seen.insert(room);
    }
    assert_eq!(seen.len(), floors.concat().len(), "a room of the list is not there");
}

#[test]
fn the_rules_know_no_database_no_network_and_no_clock() {
    for file in sources(&source().join("domain")) {
        let text = fs::read_to_string(&file).unwrap();
        for word in NOT_IN_DOMAIN {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let found = code.filter(|line| line.contains(word)).count();
            assert_eq!(found, 0, "{} mentions {word}", file.display());
        }
    }
}

#[test]
fn every_file_that_the_readme_leads_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("README.md")).unwrap();
    let links = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let local: Vec<&str> = links.filter(|link| !link.contains("://")).collect();
    assert!(local.len() > 20, "links are written otherwise: {local:?}");
    for link in local {
        assert!(root.join(link).exists(), "README.md leads to {link}");
    }
}

#[test]
fn every_module_is_in_the_list() {
    let mut modules: Vec<String> = fs::read_dir(source())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    modules.sort_unstable();
    let mut listed: Vec<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    listed.sort_unstable();
    assert_eq!(modules, listed);
}

// Every `crate::module` in the code, with its line.
fn uses(text: &str) -> impl Iterator<Item = (usize, &str)> {
    words_after(text, "crate::")
}

// Every word that follows `path` in the code, with its line; of a list in braces each.
fn words_after<'a>(text: &'a str, path: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let mut words = Vec::new();
    for (at, found) in text.match_indices(path) {
        let (line, rest) = (text[..at].lines().count().max(1), &text[at + found.len()..]);
        let start = text[..at].rfind('\n').map_or(0, |start| start + 1);
        let comment = text[start..at].trim_start().starts_with("//");
        let inside = text[..at].ends_with("::") || text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if comment || inside {
            continue;
        }
        let word = |text: &'a str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap_or_default();
                words.extend(list.split(',').map(|one| (line, word(one.trim()))).filter(|(_, word)| !word.is_empty()));
            }
            // What stands behind `::*` is the file that the tests in it are of.
            None => words.extend(Some((line, word(rest))).filter(|(_, word)| !word.is_empty())),
        }
    }
    words.into_iter()
}

/// The folder of the sources.
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file in `folder` and below.
pub fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

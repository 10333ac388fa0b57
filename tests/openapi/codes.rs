//! A refusal is declared once: its code, its facts and their schema agree, in the database and in an answer.

use std::collections::BTreeSet;
use std::fs;

use accrue::domain::refusal::{Refusal, RefusalCode};
use accrue::http::code::Code;
use accrue::http::problem::Problem;
use accrue::http::table;
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use super::document;
use crate::support::seen;

/// What a call may answer and no test brings about: a connection that breaks while the clock is moved, and points that
/// would take a receiver's wallet past the most that it holds.
const UNSEEN: [&str; 3] =
    ["move_clock outcome_unknown", "transfer_points points_over_limit", "accept_transfer points_over_limit"];

// The schema of a refusal by its code.
fn schema(code: RefusalCode) -> Value {
    let schema = serde_json::to_value(Refusal::schema()).unwrap();
    let rows = schema["oneOf"].as_array().unwrap();
    let row = rows.iter().find(|row| row["properties"]["code"]["enum"] == json!([code.name()]));
    row.unwrap_or_else(|| panic!("{} has no schema", code.name())).clone()
}

// The facts of a refusal as an answer shows them, each with its schema.
fn facts(code: RefusalCode) -> Map<String, Value> {
    let mut facts = schema(code)["properties"].as_object().unwrap().clone();
    facts.remove("code");
    facts
}

// A refusal in the form that the database keeps. What an answer calls by a longer name is kept under the shorter one.
fn kept(code: RefusalCode) -> Value {
    let mut kept = json!({ "code": code.name() });
    for (name, schema) in facts(code) {
        let name =
            ["maximum", "left"].into_iter().find(|short| name.starts_with(&format!("{short}_"))).unwrap_or(&name);
        kept[name] = if schema["type"] == "integer" { json!(5) } else { json!("5") };
    }
    kept
}

#[test]
fn every_refusal_is_kept_and_shown_as_it_is_declared() {
    for code in Code::all() {
        let Code::Refused(code) = code else { continue };
        let refusal: Refusal = serde_json::from_value(kept(code)).unwrap();
        assert_eq!(refusal.code(), code.name());
        let shown = refusal.facts();
        assert_eq!(shown.keys().collect::<BTreeSet<_>>(), facts(code).keys().collect::<BTreeSet<_>>(), "{refusal:?}");
        for (name, schema) in facts(code) {
            let fits = if schema["type"] == "integer" { shown[&name].is_i64() } else { shown[&name].is_string() };
            assert!(fits, "{name} of {refusal:?} is not of its type");
        }
        // What is kept is read again, and no fact takes the name of a part of the document.
        assert_eq!(serde_json::from_value::<Refusal>(serde_json::to_value(&refusal).unwrap()).unwrap(), refusal);
        let problem = serde_json::to_value(Problem::refused(&refusal, false).document()).unwrap();
        assert_eq!(problem["code"], code.name());
        assert!(shown.iter().all(|(name, value)| problem[name] == *value), "{problem}");
    }
}

#[test]
fn every_code_has_a_row_in_the_guide_with_its_facts() {
    let codes: BTreeSet<_> = Code::all().into_iter().map(Code::name).collect();
    assert_eq!(codes.len(), Code::all().len(), "two codes have one name");
    let document = document();
    let text = document["info"]["description"].as_str().unwrap();
    for code in Code::all() {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` | {} |", code.name(), code.status())));
        let row = row.unwrap_or_else(|| panic!("{} has no row", code.name()));
        if let Code::Refused(code) = code {
            assert!(facts(code).keys().all(|fact| row.contains(&format!("`{fact}`: "))), "{row}");
        }
    }
}

#[test]
#[ignore = "it holds what the run before it has seen against the table; .ci/run runs it after the others"]
fn every_code_that_a_row_lists_was_answered_by_the_call() {
    let text = fs::read_to_string(seen()).expect("the other tests ran before");
    let seen: BTreeSet<&str> = text.lines().collect();
    let listed = table::calls().flat_map(|call| {
        let refusals = call.refusals.iter().map(|code| code.name());
        let problems = call.problems.iter().map(|code| code.name());
        refusals.chain(problems).map(|code| format!("{} {code}", call.name))
    });
    let never: Vec<String> =
        listed.filter(|line| !seen.contains(line.as_str()) && !UNSEEN.contains(&line.as_str())).collect();
    assert!(never.is_empty(), "no test has seen these: {never:#?}");
}

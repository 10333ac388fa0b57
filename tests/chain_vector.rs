//! The canonical form, held by a committed example and by a program that shares no code with this one.

use std::process::Command;

use accrue::domain::journal::account::{Account, Part};
use accrue::domain::journal::canonical;
use accrue::domain::journal::entry::{Entry, Posting, hex};
use accrue::domain::journal::export::{read_hash, read_line};
use serde_json::{Value, json};

use crate::support::{App, Place, instant};

/// The example. It never changes: history cannot be migrated.
const VECTOR: &str = include_str!("data/canonical_v1.json");

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/verify_export.py");

#[test]
fn the_canonical_form_and_the_hash_are_those_of_the_committed_example() {
    let vector: Value = serde_json::from_str(VECTOR).unwrap();
    let text = |key: &str| vector[key].as_str().unwrap();
    let entry = example();
    assert_eq!(entry.canonical(), text("canonical"));
    let hash = entry.hash(&read_hash(text("previous_hash")).unwrap());
    assert_eq!(hex(&hash), text("hash"));
    assert_eq!(entry.export_line(&hash), text("export_line"));
    assert_eq!(read_line(text("export_line")).unwrap(), (entry, hash));
}

fn example() -> Entry {
    let id = |text: &str| text.parse().unwrap();
    let lot = id("019cd7a1-2e00-8aaa-8aaa-00000000000a");
    let payload = json!({
        "points": 29,
        "order": {
            "order_id": "A-1", "occurred_at": "2026-03-10T11:00:00.000000Z", "currency": "USD", "amount": "29.33",
        },
        "lots": [{ "id": lot, "expires_at": null, "active_at": "2026-03-24T11:00:00.000000Z" }],
        "calculation": [],
        "balance": { "pending": 29, "held": 0, "debt": 0, "active": 9_007_199_254_740_991_i64 },
    });
    let (active, pending) = (Account::Member(Part::Active), Account::Member(Part::Pending));
    Entry {
        v: 1,
        ledger: id("6f1c2b1e-8f0a-4c5d-9b7e-0123456789ab"),
        journal: 2,
        seq: 42,
        id: id("019cd7a1-2e00-8abc-8def-0123456789ab"),
        kind: "points.earned".to_owned(),
        member: Some(id("019cd7a1-0000-7002-8000-00000000002a")),
        actor: "client:checkout \"Zürich\" €\n".to_owned(),
        command: Some(id("019cd7a1-2e00-7000-8000-000000000001")),
        program_version: 1,
        effective_at: instant("2026-03-10T12:00:00+01:00"),
        recorded_at: instant("2026-03-10T12:00:00.000001Z"),
        payload: canonical::to_string(&payload).unwrap(),
        postings: vec![
            Posting { debit: Account::Issuance, credit: pending, points: 29, lot: Some(lot) },
            Posting { debit: active, credit: Account::Donation("trees".to_owned()), points: 1, lot: None },
        ],
    }
}

#[test]
fn a_page_of_python_checks_an_export_and_finds_what_was_changed() {
    let app = App::at("2026-03-10T12:00:00Z");
    for name in ["ana", "ben", "eve"] {
        let member = app.enrol(name);
        for at in ["2024-01-31T11:00:00Z", "2026-02-01T11:00:00Z", "2026-03-10T11:00:00Z"] {
            let order = app.order(&member, &format!("{name}-{at}"), at, "21.90");
            assert_eq!(app.checkout().post("/v1/orders", &order).status, 201);
        }
    }
    let export = app.finance().get("/v1/ledger/export?format=ndjson").text;
    let place = Place::new();
    let (code, said) = python(&place, &export);
    assert_eq!(code, Some(0), "{said}");
    let journals = app.finance().get("/v1/ledger/journals").body;
    let journals = journals["journals"].as_array().unwrap().clone();
    assert_eq!(journals.len(), 3);
    for journal in journals {
        let head = journal["head_hash"].as_str().unwrap();
        assert!(said.contains(head), "{head} in {said}");
    }

    let lines: Vec<&str> = export.split_inclusive('\n').collect();
    let n = lines.iter().position(|line| line.contains("points.earned")).unwrap();
    let without: Vec<&str> = [&lines[..n], &lines[n + 1..]].concat();
    let mut swapped = lines.clone();
    swapped.swap(n, n + 1);
    let changes = [
        (export.replacen("21.90", "21.91", 1), n + 1),
        (export.replacen("\"points\":21}]", "\"points\":22}]", 1), n + 1),
        (export.replacen("\"v\":1}", "\"v\":1,\"v\":1}", 1), 1),
        (without.concat(), n + 1),
        (swapped.concat(), n + 1),
        (export[..export.len() - 1].to_owned(), lines.len()),
    ];
    for (changed, line) in changes {
        let (code, said) = python(&place, &changed);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.starts_with(&format!("wrong: line {line}: ")), "line {line}: {said}");
    }
}

fn python(place: &Place, export: &str) -> (Option<i32>, String) {
    let file = place.file("export.ndjson", export);
    let ran = Command::new("python3").arg(SCRIPT).arg(file).output();
    let ran = ran.unwrap_or_else(|error| panic!("this test needs python3 on the PATH, and it cannot be run: {error}"));
    (ran.status.code(), String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap())
}

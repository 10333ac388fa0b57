//! Invariants 2 and 7 offline: an export that was changed, by one byte or by a line, does not check out.

use std::sync::OnceLock;

use accrue::domain::audit::{Fault, Wrong};
use accrue::domain::journal::export::{Unreadable, read_line};
use accrue::read::verify::{self, NotVerified, Verified};
use uuid::Uuid;

use crate::support::App;

struct Exports {
    ndjson: Vec<String>,
    csv: Vec<String>,
}

// Lines with their ends.
fn exports() -> &'static Exports {
    static EXPORTS: OnceLock<Exports> = OnceLock::new();
    EXPORTS.get_or_init(|| {
        let app = App::at("2026-03-10T12:00:00Z");
        for name in ["ana", "ben", "cleo", "dan"] {
            let member = app.enrol(name);
            for at in ["2024-01-31T11:00:00Z", "2026-02-01T11:00:00Z", "2026-03-10T11:00:00Z"] {
                let order = app.order(&member, &format!("{name}-{at}"), at, "21.90");
                assert_eq!(app.checkout().post("/v1/orders", &order).status, 201);
            }
        }
        let lines = |format: &str| {
            let answer = app.finance().get(&format!("/v1/ledger/export?format={format}"));
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>()
        };
        Exports { ndjson: lines("ndjson"), csv: lines("csv") }
    })
}

fn check(lines: &[String]) -> Result<Verified, NotVerified> {
    verify::export(lines.concat().as_bytes(), |_| {})
}

/// The index of the first earn that is followed by another entry of its journal.
fn earned(lines: &[String]) -> usize {
    lines.iter().position(|line| line.contains("points.earned")).expect("points were earned")
}

/// Asserts that the entry on line `at` is wrong, and the first that is.
#[track_caller]
fn expect_entry(lines: &[String], at: (i16, i64)) -> Fault {
    match check(lines).expect_err("it was changed") {
        NotVerified::Entry(Wrong { journal, seq, fault }) => {
            assert_eq!((journal, seq), at, "{fault}");
            fault
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn expect_line(lines: &[String], wrong: u64, why: &[Unreadable]) {
    match check(lines).expect_err("it was changed") {
        NotVerified::Line { line, fault } => {
            assert_eq!(line, wrong, "{fault}");
            assert!(why.contains(&fault), "{fault}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_forms_of_an_export_check_out_and_agree() {
    let exports = exports();
    let (ndjson, csv) = (check(&exports.ndjson).unwrap(), check(&exports.csv).unwrap());
    assert_eq!(ndjson, csv);
    assert_eq!((ndjson.members, ndjson.lots), (4, 12));
    assert_eq!(ndjson.journals.iter().map(|(journal, _, _)| *journal).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn no_byte_of_an_export_can_be_changed_unseen() {
    let exports = exports();
    for (form, lines) in [("NDJSON", &exports.ndjson), ("CSV", &exports.csv)] {
        let whole = lines.concat().into_bytes();
        // Every byte of a middle part, and every seventh of the rest.
        let middle = lines[..earned(lines)].concat().len()..lines[..=earned(lines)].concat().len();
        for at in (0..whole.len()).filter(|at| middle.contains(at) || at % 7 == 0) {
            for flip in [0x01, 0x80] {
                let mut changed = whole.clone();
                changed[at] ^= flip;
                match verify::export(changed.as_slice(), |_| {}) {
                    Err(NotVerified::Unreadable(error)) => panic!("{form}, byte {at}: could not be read: {error}"),
                    Err(_) => {}
                    Ok(_) => panic!("{form}, byte {at} of {:?}", String::from_utf8_lossy(&changed)),
                }
            }
        }
    }
}

#[test]
fn a_changed_payload_hash_or_posting_is_named_by_its_entry() {
    let exports = exports();
    for lines in [&exports.ndjson, &exports.csv] {
        let n = earned(lines);
        let (entry, hash) = read_line(exports.ndjson[earned(&exports.ndjson)].trim_end()).unwrap();
        let hash = accrue::domain::journal::entry::hex(&hash);
        let other_hash = hash.replace(&hash[..1], if hash.starts_with('0') { "1" } else { "0" });
        let csv = std::ptr::eq(lines, &exports.csv);
        let points =
            if csv { (",issuance,active,21,", ",issuance,active,22,") } else { ("\"points\":21}]", "\"points\":22}]") };
        for (from, to) in [("21.90", "21.91"), (hash.as_str(), other_hash.as_str()), points] {
            let mut changed = lines.clone();
            changed[n] = changed[n].replacen(from, to, 1);
            assert_ne!(&changed, lines, "{from} stands in {}", lines[n]);
            let fault = expect_entry(&changed, (entry.journal, entry.seq));
            assert!(matches!(fault, Fault::Hash { .. }), "{fault}");
        }
    }
}

#[test]
fn lines_that_are_missing_doubled_or_swapped_are_named() {
    let exports = exports();
    for lines in [&exports.ndjson, &exports.csv] {
        let n = earned(lines);
        let (entry, _) = read_line(exports.ndjson[earned(&exports.ndjson)].trim_end()).unwrap();
        let (journal, seq) = (entry.journal, entry.seq);
        let mut changed = lines.clone();
        changed.remove(n);
        assert_eq!(expect_entry(&changed, (journal, seq + 1)), Fault::Gap { found: seq + 1, expected: seq });

        let mut changed = lines.clone();
        changed.swap(n, n + 1);
        assert_eq!(expect_entry(&changed, (journal, seq + 1)), Fault::Gap { found: seq + 1, expected: seq });

        let mut changed = lines.clone();
        changed.insert(n, lines[n].clone());
        if std::ptr::eq(lines, &exports.csv) {
            // Two rows of one entry are two postings, and these have the same number.
            expect_line(&changed, n as u64 + 1, &[Unreadable::Key("n")]);
        } else {
            assert_eq!(expect_entry(&changed, (journal, seq)), Fault::Gap { found: seq, expected: seq + 1 });
        }

        // A journal in front of an earlier one.
        let mut changed = lines.clone();
        let header = usize::from(std::ptr::eq(lines, &exports.csv));
        let first = changed.remove(header);
        changed.push(first);
        assert!(matches!(check(&changed), Err(NotVerified::Order { journal: 0, .. })));
    }
}

#[test]
fn an_export_that_was_cut_off_within_a_line_is_not_whole() {
    let exports = exports();
    for lines in [&exports.ndjson, &exports.csv] {
        let whole = lines.concat();
        let last = lines.last().expect("there are lines");
        for cut in 1..last.len() {
            let result = verify::export(&whole.as_bytes()[..whole.len() - cut], |_| {});
            let Err(NotVerified::Line { line, .. } | NotVerified::Order { line, .. }) = result else {
                panic!("{cut} bytes are missing: {result:?}");
            };
            assert_eq!(line, lines.len() as u64, "{cut} bytes are missing");
        }
    }
}

#[test]
fn the_same_content_in_another_form_is_refused() {
    let exports = exports();
    let n = earned(&exports.ndjson);
    let line = &exports.ndjson[n];
    let (entry, _) = read_line(line.trim_end()).unwrap();
    let number = n as u64 + 1;
    for (from, to) in [
        ("\"v\":1}", "\"v\":1,\"v\":1}"),
        ("{\"actor\":\"client:checkout\",", "{\"actor\":\"client:other\",\"actor\":\"client:checkout\","),
        ("\"v\":1}", "\"v\":1 }"),
        ("\"v\":1}", "\"v\":1,\"x\":1}"),
        ("\"points\":21", "\"points\":2.1e1"),
        ("\"points\":21", "\"points\":21.0"),
        ("points.earned", "points\\u002eearned"),
    ] {
        let mut changed = exports.ndjson.clone();
        changed[n] = line.replacen(from, to, 1);
        assert_ne!(changed[n], *line, "{from} stands in {line}");
        expect_line(&changed, number, &[Unreadable::NotCanonical, Unreadable::Key("payload")]);
    }
    let mut changed = exports.ndjson.clone();
    let (front, v) = line.split_once(",\"v\":1").unwrap();
    changed[n] = format!("{{\"v\":1,{}{v}", &front[1..]);
    expect_line(&changed, number, &[Unreadable::NotCanonical]);

    // In CSV the payload is JSON within a field, and the other fields have forms of their own.
    let n = earned(&exports.csv);
    let line = &exports.csv[n];
    let id = entry.id.to_string();
    for (from, to) in [
        ("{\"\"balance\"\":", "{ \"\"balance\"\":"),
        (",\"\"points\"\":21}", ",\"\"points\"\":99,\"\"points\"\":21}"),
        (",\"\"points\"\":21}", ",\"\"points\"\":21,\"\"a\"\":1}"),
        (id.as_str(), id.to_uppercase().as_str()),
        (id.as_str(), id.replace('-', "").as_str()),
        ("2024-01-31T11:00:00.000000Z,", "2024-01-31T12:00:00.000000+01:00,"),
        (",21,", ",021,"),
    ] {
        let mut changed = exports.csv.clone();
        changed[n] = line.replacen(from, to, 1);
        assert_ne!(changed[n], *line, "{from} stands in {line}");
        match check(&changed) {
            Err(NotVerified::Line { line, .. }) => assert_eq!(line, n as u64 + 1),
            Err(NotVerified::Entry(Wrong { seq, .. })) => assert_eq!(seq, entry.seq),
            other => panic!("{from} → {to}: {other:?}"),
        }
    }
}

#[test]
fn an_entry_of_another_ledger_does_not_fit_however_well_it_is_chained() {
    let exports = exports();
    let (last, hash) = read_line(exports.ndjson.last().unwrap().trim_end()).unwrap();
    let mut foreign = last;
    (foreign.ledger, foreign.seq) = (Uuid::from_u128(1), foreign.seq + 1);
    let hash = foreign.hash(&hash);
    let mut changed = exports.ndjson.clone();
    changed.push(foreign.export_line(&hash) + "\n");
    assert_eq!(expect_entry(&changed, (foreign.journal, foreign.seq)), Fault::Ledger);
    let mut changed = exports.csv.clone();
    let ours = read_line(exports.ndjson[0].trim_end()).unwrap().0.ledger.to_string();
    let line = changed.last().unwrap().replace(&ours, &Uuid::from_u128(1).to_string());
    changed.push(line);
    assert_eq!(expect_entry(&changed, (foreign.journal, foreign.seq - 1)), Fault::Ledger);
}

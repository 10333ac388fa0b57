//! Files as they come: every line is counted once, and each that is refused is named.

use super::{imported, sums};
use crate::support::{App, NOON};

const HEADER: &str = "order_id,customer_id,ordered_on,items,amount";

#[test]
fn a_stray_quote_is_named_with_what_it_swallowed_and_the_sums_are_those_of_the_file() {
    let app = App::at(NOON);
    let file = format!(
        "{HEADER}\nA-1,ana,2026-03-01,1,1.00\nA-2,\"ana,2026-03-01,1,1.00\nA-3,ana,2026-03-01,1,1.00\n\
         A-4,\"ana\",2026-03-01,1,1.00\nA-5,ana\",2026-03-01,1,1.00\nA-6,ana,2026-03-01,1,1.00\n\
         A-7,ana,\"2026-03-01,1,1.00\nA-8,ana,2026-03-01,1,1.00"
    );
    let report = imported(&app, &file);
    assert_eq!(sums(&report), [2, 0, 6, 8], "{report:?}");
    let reasons = [
        (3, 4, "a quote opens in customer_id and is closed in line 6: it swallowed 3 lines after this one".to_owned()),
        (
            8,
            2,
            "a quote opens in ordered_on and is never closed: it swallowed 1 line, to the end of the file".to_owned(),
        ),
    ];
    assert_eq!(report.reasons, reasons);
    assert!(report.said(std::time::Duration::ZERO).ends_with(
        "2 orders posted, 0 were there already, 1 customer enrolled, 6 lines rejected; 8 lines in all, in 0.0 s"
    ));
}

#[test]
fn every_kind_of_damage_is_refused_in_its_line_and_no_other() {
    let app = App::at(NOON);
    let damage: [(&[u8], &str); 14] = [
        (b"B-1,ana,2026-03-01,1", "has 4 fields where the header has 5"),
        (b"B-1,ana,2026-03-01,1,1.00,", "has 6 fields where the header has 5"),
        (b"   ", "has 1 field where the header has 5"),
        (b"B-1,an\xFFa,2026-03-01,1,1.00", "is not text in UTF-8"),
        (b"B-1,an\0a,2026-03-01,1,1.00", "/customer_id: must not contain control characters"),
        (b"B-1,ana\r,2026-03-01,1,1.00", "/customer_id: must not contain control characters"),
        (b"B-\0,ana,2026-03-01,1,1.00", "/order_id: must not contain control characters"),
        (b"B-1, ana,2026-03-01,1,1.00", "/customer_id: must not begin or end with white space"),
        ("B-1,an\u{200B}a,2026-03-01,1,1.00".as_bytes(), "/customer_id: must not contain U+200B"),
        ("B-1,Zoe\u{308},2026-03-01,1,1.00".as_bytes(), "/customer_id: must be in the Unicode normalisation form C"),
        (b"B-1,ana\",2026-03-01,1,1.00", "a stray quote in customer_id"),
        (b"B-1,\"ana\"x,2026-03-01,1,1.00", "a stray quote in customer_id"),
        (b"B-1,ana,2026-03-01,1,1.00\x1A", "/amount: "),
        (b"B 1,ana,01.03.2026,1,1.00", "/order_id: must be visible ASCII; /ordered_on: must be a date"),
    ];
    let mut file = format!("\u{FEFF}{HEADER}\r\nA-1,ana,2026-03-01,1,1.00\r\n\r\n").into_bytes();
    for (line, _) in &damage {
        file.extend_from_slice(line);
        file.extend_from_slice(b"\r\n");
    }
    file.extend_from_slice(b"\nA-2,ana,2026-03-01,1,1.00");
    let report = imported(&app, &file);
    assert_eq!((sums(&report), report.blank), ([2, 0, 14, 16], 2), "{report:?}");
    assert_eq!(report.reasons.len(), damage.len());
    for (n, ((line, lines, reason), (_, meant))) in report.reasons.iter().zip(damage).enumerate() {
        assert_eq!((*line, *lines), (n as u64 + 4, 1));
        assert!(reason.starts_with(meant), "{reason}, not {meant}");
    }
    let again = imported(&app, &file);
    assert_eq!((sums(&again), again.enrolled), ([0, 2, 14, 16], 0));
}

#[test]
fn more_refused_lines_than_are_shown_are_counted() {
    let app = App::at(NOON);
    let lines: String = (0..30).map(|n| format!("A-{n},ana,2026-03-01,1,-1\n")).collect();
    let report = imported(&app, format!("{HEADER}\n{lines}A-30,\"ana\n\n"));
    assert_eq!(sums(&report), [0, 0, 32, 32]);
    let said = report.said(std::time::Duration::ZERO);
    assert!(said.starts_with("line 2 rejected: /amount: ") && said.contains("… and 12 more lines\n"), "{said}");
}

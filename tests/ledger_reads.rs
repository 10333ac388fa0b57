//! What finance audits: journals, pages of entries, exports; and what keeps the service running.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use accrue::http::{ServiceConfig, access};
use accrue::read::verify;
use diesel::connection::SimpleConnection;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::support::{App, Client, Raw, Serving, instant, token, wait_for};

// A ledger with both journals in use, settlements, zero orders and a second version of the programme.
fn lived_in() -> App {
    let app = App::at("2026-03-10T12:00:00Z");
    let checkout = app.checkout();
    for n in 0..6 {
        let member = app.enrol(&format!("customer-{n}"));
        for (m, (occurred_at, amount)) in
            [("2026-03-10T11:00:00Z", "29.33"), ("2024-01-15T12:00:00Z", "7"), ("2026-03-09T11:00:00Z", "0.00")]
                .into_iter()
                .enumerate()
        {
            let order = app.order(&member, &format!("A-{n}-{m}"), occurred_at, amount);
            assert_eq!(checkout.post("/v1/orders", &order).status, 201);
        }
        app.clock.set(instant("2026-03-25T12:00:00Z"));
        let later = app.order(&member, &format!("B-{n}"), "2026-03-25T11:00:00Z", "3");
        assert_eq!(checkout.post("/v1/orders", &later).status, 201);
    }
    let mut document: Value = serde_json::to_value(crate::support::PROGRAM.parse::<toml::Table>().unwrap()).unwrap();
    document["name"] = json!("Punkte & \"Prämien\" \\ /");
    let version = json!({ "effective_at": "2026-04-01T00:00:00Z", "document": document });
    assert_eq!(app.operator().post_keyed("/v1/program/versions", "k-1", &version).status, 201);
    app
}

fn heads(finance: &Client) -> Vec<(i64, i64, String)> {
    let journals = finance.get("/v1/ledger/journals");
    assert_eq!(journals.status, 200, "{journals:?}");
    let number = |journal: &Value, key: &str| journal[key].as_i64().unwrap();
    let head = |journal: &Value| journal["head_hash"].as_str().unwrap().to_owned();
    let journals = journals.body["journals"].as_array().unwrap().iter();
    journals.map(|journal| (number(journal, "id"), number(journal, "next_seq"), head(journal))).collect()
}

// RFC 8785 for values without floats, written apart from the service's own.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort();
            let members = keys.into_iter().map(|key| format!("{}:{}", json!(key), canonical(&object[key])));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        simple => simple.to_string(),
    }
}

fn hash_of(previous: &[u8], mut entry: Map<String, Value>) -> Vec<u8> {
    entry.remove("hash");
    Sha256::new().chain_update(previous).chain_update(canonical(&Value::Object(entry))).finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_stranger_can_check_an_export() {
    let app = lived_in();
    let finance = app.finance();
    let export = finance.get("/v1/ledger/export");
    assert_eq!((export.status, export.headers["content-type"].as_str()), (200, "application/x-ndjson"));
    assert_eq!(export.headers["content-disposition"], "attachment; filename=\"ledger.ndjson\"");
    assert!(export.text.ends_with('\n'));
    let heads = heads(&finance);
    assert_eq!(heads.iter().map(|head| head.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(heads.iter().all(|head| head.1 > 2), "both journals are in use: {heads:?}");
    let mut lines = export.text.lines();
    for (journal, next_seq, head_hash) in heads {
        let (mut previous, mut recorded_at) = (vec![0; 32], String::new());
        for seq in 1..next_seq {
            let line = lines.next().expect("every entry is exported");
            let entry: Map<String, Value> = serde_json::from_str(line).unwrap();
            assert_eq!((entry["journal"].as_i64(), entry["seq"].as_i64()), (Some(journal), Some(seq)));
            assert_eq!(canonical(&Value::Object(entry.clone())), line, "a line is canonical with its hash, too");
            assert!(entry["recorded_at"].as_str().unwrap() >= recorded_at.as_str(), "time ran backwards");
            recorded_at = entry["recorded_at"].as_str().unwrap().to_owned();
            let hash = entry["hash"].as_str().unwrap().to_owned();
            previous = hash_of(&previous, entry);
            assert_eq!(hex(&previous), hash, "journal {journal}, entry {seq}");
        }
        assert_eq!(hex(&previous), head_hash);
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn an_export_in_either_form_verifies_offline_and_ends_at_the_heads() {
    let app = lived_in();
    let finance = app.finance();
    let expected: Vec<_> = heads(&finance).into_iter().map(|(id, next, hash)| (id as i16, next - 1, hash)).collect();
    let ndjson = finance.get("/v1/ledger/export?format=ndjson").text;
    let csv = finance.get("/v1/ledger/export?format=csv");
    assert_eq!((csv.status, csv.headers["content-type"].as_str()), (200, "text/csv; charset=utf-8"));
    assert_eq!(csv.headers["content-disposition"], "attachment; filename=\"ledger.csv\"");
    for text in [&ndjson, &csv.text] {
        let verified = verify::export(text.as_bytes(), |_| {}).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!((verified.journals, verified.members), (expected.clone(), 6));
    }
    // A changed amount, a missing entry and a swapped pair are found in both forms.
    for text in [&ndjson, &csv.text] {
        let damaged = text.replacen("29.33", "29.34", 1);
        assert_ne!(&damaged, text);
        assert!(verify::export(damaged.as_bytes(), |_| {}).is_err());
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.swap(3, 4);
        assert!(verify::export(lines.concat().as_bytes(), |_| {}).is_err());
        lines.swap(3, 4);
        lines.remove(3);
        assert!(verify::export(lines.concat().as_bytes(), |_| {}).is_err());
    }
    let cut_off = &ndjson[..ndjson.len() - 1];
    assert!(verify::export(cut_off.as_bytes(), |_| {}).is_err());
}

#[test]
fn the_two_forms_of_an_export_say_the_same() {
    let app = lived_in();
    let finance = app.finance();
    let ndjson = finance.get("/v1/ledger/export").text;
    let text = finance.get("/v1/ledger/export?format=csv").text;
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let columns: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let mut rows = csv.records().map(|row| row.unwrap());
    let plain = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => canonical(other),
    };
    for line in ndjson.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let postings = entry["postings"].as_array().unwrap();
        for n in 0..postings.len().max(1) {
            let row = rows.next().expect("a row for every posting");
            for (column, cell) in columns.iter().zip(&row) {
                let expected = match column.as_str() {
                    "n" if postings.is_empty() => String::new(),
                    "n" => n.to_string(),
                    "debit" | "credit" | "points" | "lot" => {
                        postings.get(n).map(|p| plain(&p[column])).unwrap_or_default()
                    }
                    _ => plain(&entry[column]),
                };
                assert_eq!(cell, expected, "{column} of {line}");
            }
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn pages_of_a_journal_hold_the_lines_of_its_export() {
    let app = lived_in();
    let finance = app.finance();
    let whole = finance.get("/v1/ledger/export").text;
    for (journal, next_seq, _) in heads(&finance) {
        let alone = finance.get(&format!("/v1/ledger/export?journal={journal}")).text;
        let lines: Vec<&str> = alone.lines().collect();
        assert_eq!(lines.len() as i64, next_seq - 1);
        assert!(whole.contains(&alone), "the export of a journal is a part of the whole");
        for limit in [1_usize, 3, 1_000] {
            let (mut after_seq, mut seen) = (0_i64, 0);
            loop {
                let page =
                    finance.get(&format!("/v1/ledger/entries?journal={journal}&after_seq={after_seq}&limit={limit}"));
                let next = page.body["next_after_seq"].as_i64();
                let expected = &lines[seen..lines.len().min(seen + limit)];
                seen += expected.len();
                let shown = next.map_or("null".to_owned(), |next| next.to_string());
                assert_eq!(page.text, format!("{{\"entries\":[{}],\"next_after_seq\":{shown}}}", expected.join(",")));
                match next {
                    Some(next) => after_seq = next,
                    None => break,
                }
            }
            assert_eq!(seen, lines.len());
        }
        let beyond = finance.get(&format!("/v1/ledger/entries?journal={journal}&after_seq={next_seq}"));
        assert_eq!(beyond.body, json!({ "entries": [], "next_after_seq": null }));
    }
    let last = finance.get(&format!("/v1/ledger/entries?journal=1&after_seq={}", i64::MAX));
    assert_eq!((last.status, &last.body["entries"]), (200, &json!([])));
    finance.get("/v1/ledger/entries?journal=3").assert_problem(404, "journal_not_found");
    finance.get("/v1/ledger/export?journal=3").assert_problem(404, "journal_not_found");
}

#[test]
fn nothing_personal_is_in_an_export() {
    let app = App::at("2026-03-10T12:00:00Z");
    let person = json!({ "external_id": "ana@example.com", "birthday": "1987-06-05" });
    let id = app.checkout().post("/v1/members", &person).body["id"].as_str().unwrap().to_owned();
    let change = json!({ "birthday": "1988-07-06", "tags": ["secret-tag"] });
    assert_eq!(app.checkout().patch(&format!("/v1/members/{id}"), "k-1", &change).status, 200);
    let mut order = app.order(&id, "A-1", "2026-03-10T11:00:00Z", "5");
    order["items"] = json!([{ "sku": "secret-sku", "category": "secret-things", "quantity": 1, "unit_price": "5" }]);
    assert_eq!(app.checkout().post("/v1/orders", &order).status, 201);
    let export = app.finance().get("/v1/ledger/export").text;
    assert!(export.contains(&id) && export.contains("A-1"));
    for personal in ["ana@example.com", "1987-06-05", "1988-07-06", "secret"] {
        assert!(!export.contains(personal), "{personal} is in the journal");
    }
}

#[test]
fn the_service_tells_how_it_is_without_a_token() {
    let app = App::start();
    let anyone = app.client(None);
    for address in ["/livez", "/readyz"] {
        let answer = anyone.get(address);
        assert_eq!((answer.status, &answer.body), (200, &json!({ "ok": true })));
    }
    let metrics = anyone.get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.headers["content-type"].starts_with("text/plain"));
    let document = anyone.get("/openapi.yaml");
    assert_eq!((document.status, document.headers["content-type"].as_str()), (200, "application/yaml"));
    assert_eq!(document.text, accrue::http::document_yaml());
}

#[test]
fn the_documentation_page_needs_nothing_from_elsewhere() {
    let app = App::start();
    let anyone = app.client(None);
    let redirect = anyone.get("/docs");
    assert!((300..400).contains(&redirect.status), "{redirect:?}");
    assert_eq!(redirect.headers["location"], "/docs/");
    let page = anyone.get("/docs/");
    assert_eq!(page.status, 200);
    assert!(page.headers["content-type"].starts_with("text/html"));
    let after = ["src=\"", "href=\""].iter().flat_map(|key| page.text.split(key).skip(1));
    let references: Vec<&str> = after.filter_map(|rest| rest.split('"').next()).collect();
    assert!(references.len() >= 3, "{references:?}");
    for reference in references {
        assert!(!reference.contains("//"), "{reference} is elsewhere");
        let asset = anyone.get(&format!("/docs/{}", reference.trim_start_matches("./")));
        assert_eq!(asset.status, 200, "{reference}");
    }
    assert!(anyone.get("/docs/swagger-initializer.js").text.contains("/openapi.yaml"));
}

/// Says that it is enough, at its end.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn an_export_that_is_read_slowly_gives_way_to_another() {
    const ENTRIES: usize = 40_000;
    let allowed = ServiceConfig { export_patience: Duration::from_secs(3), ..ServiceConfig::default() };
    let app = App::reached(Serving { allowed, ..Serving::default() });
    app.enrol("ana");
    // More than the buffers on the way hold. Exports do not look whether the chain is right.
    let copies = format!(
        "INSERT INTO entry SELECT seq + n, effective_at, recorded_at, id, member, command, program_version, journal, v,
                                  kind, actor, payload, hash
         FROM entry, generate_series(1, {ENTRIES}) n WHERE (journal, seq) = (SELECT journal, max(seq) FROM entry
                                                            WHERE journal > 0 GROUP BY journal LIMIT 1);
         UPDATE journal SET next_seq = (SELECT max(seq) + 1 FROM entry WHERE entry.journal = journal.id)
         WHERE id = (SELECT journal FROM entry WHERE seq > {ENTRIES} LIMIT 1)"
    );
    app.owner().batch_execute(&copies).unwrap();
    let request = format!(
        "GET /v1/ledger/export HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
        token("finance", access::FINANCE_SCOPES, None)
    );
    let (begun, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let slow = |mut connection: Raw| {
        let mut read = connection.some(16 * 1024);
        begun.fetch_add(1, Ordering::SeqCst);
        // Never so slow that nothing is taken for the whole time.
        while !enough.load(Ordering::SeqCst) {
            read.extend(connection.some(16 * 1024));
            thread::sleep(Duration::from_millis(10));
        }
        loop {
            match connection.some(1 << 20) {
                rest if rest.is_empty() => break read,
                rest => read.extend(rest),
            }
        }
    };
    let export = thread::scope(|scope| {
        // Whatever fails, nobody reads slowly for ever.
        let ended = Enough(&enough);
        let slow: Vec<_> = (0..2)
            .map(|_| {
                let mut connection = app.connect();
                connection.send(request.as_bytes());
                scope.spawn(|| slow(connection))
            })
            .collect();
        wait_for("both places to be taken", || begun.load(Ordering::SeqCst) == 2);
        let mut export = app.finance().get("/v1/ledger/export");
        wait_for("a place", || {
            if export.status != 200 {
                export.assert_problem(503, "busy");
                export = app.finance().get("/v1/ledger/export");
            }
            export.status == 200
        });
        drop(ended);
        let whole = slow.into_iter().map(|thread| thread.join().unwrap().ends_with(b"0\r\n\r\n"));
        assert_ne!(whole.filter(|whole| *whole).count(), 2, "one of the two gave way, and it shows");
        export
    });
    assert!(export.text.lines().count() > ENTRIES, "the third is whole");
    app.stop();
}

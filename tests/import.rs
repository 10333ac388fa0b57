//! The program itself: import, export, verify, token and serve, by what they print and how they exit.

mod balances;
mod enrolments;
mod files;
mod refunds;

use std::fs;
use std::io::Cursor;

use accrue::cli::import::{self, Report};
use serde_json::json;

use crate::support::{App, Client, PROGRAM, Place, Running};

const ORDERS: &str = include_str!("data/cdnow_orders.csv");

/// So many days later, the orders of 1997 are of 2025.
const SHIFT: &str = "10228";

/// A folder with the programme in it.
fn place() -> Place {
    let place = Place::new();
    place.file("program.toml", PROGRAM);
    place
}

fn head(lines: usize) -> String {
    ORDERS.split_inclusive('\n').take(lines).collect()
}

// Imports orders into a ledger whose service runs beside.
fn imported(app: &App, file: impl AsRef<[u8]>) -> Report {
    import::orders(&app.ledger, &app.database.service_url(), Cursor::new(file.as_ref()), 0).unwrap()
}

// Posted, known and rejected lines, which are all that there are, and how many those are.
fn sums(report: &Report) -> [u64; 4] {
    let Report { posted, known, rejected, lines, .. } = *report;
    assert_eq!(posted + known + rejected, lines, "{report:?}");
    [posted, known, rejected, lines]
}

const IMPORT: [&str; 7] = ["import", "orders", "orders.csv", "--program", "program.toml", "--shift-days", SHIFT];

#[test]
fn an_import_run_twice_doubles_nothing_and_its_books_check_out() {
    let place = place();
    place.file("orders.csv", head(2_001));
    let first = place.run(&IMPORT).expect(0);
    assert!(first.out.starts_with("2000 orders posted, 0 were there already, "), "{first:?}");
    let again = place.run(&IMPORT).expect(0);
    let known = "0 orders posted, 2000 were there already, 0 customers enrolled, 0 lines rejected";
    assert!(again.out.starts_with(known), "{again:?}");
    let customers: std::collections::BTreeSet<_> =
        head(2_001).lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()).collect();
    assert!(first.out.contains(&format!("{} customers enrolled, 0 lines rejected", customers.len())), "{first:?}");

    let verified = place.run(&["verify"]).expect(0).out;
    assert!(verified.lines().last().unwrap().contains(&format!(" {} members, ", customers.len())), "{verified}");
    let ndjson = place.run(&["export", "--format", "ndjson"]).expect(0).out;
    assert_eq!(ndjson.lines().filter(|line| line.contains("\"member.enrolled\"")).count(), customers.len());
    place.file("books.ndjson", &ndjson);
    place.run(&["export", "--format", "csv", "--output", "books.csv"]).expect(0);
    let csv = fs::read_to_string(place.path("books.csv")).unwrap();
    for file in ["books.ndjson", "books.csv"] {
        assert_eq!(place.run(&["verify", file]).expect(0).out, verified, "{file}");
    }
    // The files that say something else, and those that say nothing.
    let line = ndjson.lines().position(|line| line.contains("\"points.earned\"")).unwrap() + 1;
    place.file("changed.ndjson", ndjson.replacen("\"kind\":\"points.earned\"", "\"kind\":\"points.burned\"", 1));
    let wrong = place.run(&["verify", "changed.ndjson"]).expect(1).out;
    assert!(wrong.starts_with("wrong: journal 1, entry "), "line {line}: {wrong}");
    place.file("cut.csv", &csv[..csv.len() - 10]);
    let wrong = place.run(&["verify", "cut.csv"]).expect(1).out;
    assert!(wrong.starts_with(&format!("wrong: line {}: ", csv.lines().count())), "{wrong}");
    place.file("binary", [0xff, 0xfe, 0, 1]);
    place.run(&["verify", "binary"]).expect(1);
    let missing = place.run(&["verify", "missing.ndjson"]).expect(2);
    assert!(missing.err.contains("cannot read missing.ndjson") && missing.out.is_empty(), "{missing:?}");
}

#[test]
fn lines_that_cannot_be_imported_are_reported_with_their_reasons_and_the_others_are_posted() {
    let place = place();
    let good = "B-1,ana,2025-01-01,1,10.00\nB-2,ben,2025-01-02,1,20.99\n";
    let bad = [
        ("B-3,ana,2025-02-30,1,10.00", "ordered_on"),
        ("B-4,ana,yesterday,1,10.00", "ordered_on"),
        ("B-5,ana,2025-01-01,1,-10.00", "amount"),
        ("B-6,ana,2025-01-01,1,10.001", "amount"),
        ("B-7,ana,2025-01-01,1,ten", "amount"),
        ("B-8,ana,2025-01-01,few,10.00", "items"),
        ("B-9,ana,2025-01-01", "fields"),
        (",ana,2025-01-01,1,10.00", "order_id"),
        ("B-10,,2025-01-01,1,10.00", "customer_id"),
        ("B-1,ana,2025-01-01,1,11.00", "B-1 was posted before with other content"),
        ("B-11,ana,2025-01-01,1,100000.01", "over the programme's limit"),
        ("B-12,ana,2999-01-01,1,10.00", "future"),
    ];
    let lines: Vec<&str> = bad.iter().map(|(line, _)| *line).collect();
    let header = "order_id,customer_id,ordered_on,items,amount\n";
    place.file("orders.csv", format!("{header}{good}{}\n", lines.join("\n")));
    let import = ["import", "orders", "orders.csv", "--program", "program.toml"];
    let ran = place.run(&import).expect(1);
    assert!(
        ran.out.contains("2 orders posted, 0 were there already, 2 customers enrolled, 12 lines rejected"),
        "{ran:?}"
    );
    for (n, (line, reason)) in bad.iter().enumerate() {
        let start = format!("line {} rejected: ", n + 4);
        let said = ran.out.lines().find(|said| said.starts_with(&start));
        assert!(said.is_some_and(|said| said.contains(reason)), "{line}: {said:?} in {ran:?}");
    }
    let again = place.run(&import).expect(1);
    assert!(again.out.contains("0 orders posted, 2 were there already, 0 customers enrolled, 12 lines"), "{again:?}");
    place.run(&["verify"]).expect(0);
}

#[test]
fn what_cannot_be_begun_exits_with_2_and_says_why() {
    let place = place();
    place.file("columns.csv", "order_id,customer_id,day,items,amount\nA,b,2025-01-01,1,1.00\n");
    place.file("other.toml", PROGRAM.replace("\"1\"", "\"2\""));
    place.file("wrong.toml", "name = \"x\"\n");
    for (arguments, reason) in [
        (&["import", "orders", "columns.csv"][..], "there is no programme yet"),
        (&["import", "orders", "columns.csv", "--program", "wrong.toml"], "fault(s)"),
        (&["import", "orders", "columns.csv", "--program", "missing.toml"], "cannot read missing.toml"),
        (&["import", "orders", "columns.csv", "--program", "program.toml"], "must have the columns"),
        (&["import", "orders", "missing.csv"], "cannot read missing.csv"),
        (&["serve", "--listen", "127.0.0.1:0", "--program", "other.toml"], "another one"),
        (&["import", "orders"], "FILE.csv"),
        (&["token"], "--as"),
        (&["token", "--as", "member"], "--member"),
        (&["token", "--as", "nobody"], "nobody"),
        (&["frobnicate"], "frobnicate"),
        (&["verify", "--database-url", "postgres://nobody@127.0.0.1:1/none"], "cannot connect"),
    ] {
        let ran = place.run(arguments).expect(2);
        assert!(ran.err.contains(reason) && ran.out.is_empty(), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_database_of_ones_own_is_not_served_without_keys_or_with_the_development_key() {
    let place = place();
    let url = "postgres://shop:hunter2@127.0.0.1:1/shop";
    let ran = place.run(&["serve", "--listen", "127.0.0.1:0", "--database-url", url]).expect(2);
    assert!(ran.err.contains("no key to verify tokens with"), "{ran:?}");
    assert!(!ran.err.contains("hunter2"), "{ran:?}");
    // By the environment it is the same.
    let output = place.command(&["serve", "--listen", "127.0.0.1:0"]).env("DATABASE_URL", url).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    // The development key, given as if it were an issuer's.
    place.run(&["token", "--as", "operator"]).expect(0);
    let jwks: Vec<_> = walk(&place.data_dir()).into_iter().filter(|path| path.contains("jwk")).collect();
    for path in jwks {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", url, "--jwks-file", &path];
        let ran = place.run(&serve).expect(2);
        assert!(ran.err.contains("development key"), "{ran:?}");
    }
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(
            |entry| if entry.path().is_dir() { walk(&entry.path()) } else { vec![entry.path().display().to_string()] },
        )
        .collect()
}

#[test]
fn a_token_is_all_that_is_printed() {
    let place = place();
    let member = "019cd7a1-0000-7002-8000-00000000002a";
    for arguments in [
        &["token", "--as", "checkout"][..],
        &["token", "--as", "finance", "--ttl", "15m"],
        &["token", "--as", "operator"],
        &["token", "--as", "member", "--member", member],
        &["token", "--scope", "orders:write members:read"],
    ] {
        let ran = place.run(arguments).expect(0);
        let token = ran.out.strip_suffix('\n').unwrap();
        assert_eq!(token.split('.').count(), 3, "{ran:?}");
        assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && ran.err.is_empty(), "{ran:?}");
    }
}

#[test]
fn serve_takes_orders_until_it_is_told_to_stop_and_what_it_took_is_there_afterwards() {
    let place = place();
    let token = place.run(&["token", "--as", "checkout"]).expect(0).out.trim_end().to_owned();
    let service = Running::serve(&place, &place.path("program.toml"));
    let checkout = Client::new(service.base.clone(), Some(token));
    let member = checkout.post("/v1/members", &json!({ "external_id": "ana" }));
    assert_eq!(member.status, 201, "{member:?}");
    let order = json!({
        "order_id": "A-1", "member_id": member.body["id"], "occurred_at": "2025-06-01T00:00:00Z", "currency": "USD",
        "amount": "5",
    });
    assert_eq!(checkout.post("/v1/orders", &order).status, 201);
    // Other commands work beside it, and a second service does not.
    let beside = place.run(&["verify"]).expect(0).out;
    place.run(&["serve", "--listen", "127.0.0.1:0"]).expect(2);
    assert_eq!(service.terminate(), Some(0));
    assert!(!walk(&place.data_dir()).iter().any(|path| path.ends_with("postmaster.pid")), "Postgres was stopped");
    assert_eq!(place.run(&["verify"]).expect(0).out, beside);
    let export = place.run(&["export"]).expect(0).out;
    assert_eq!(export.lines().filter(|line| line.contains("\"A-1\"")).count(), 1);
}

#[test]
fn balances_orders_and_refunds_are_imported_by_their_commands_and_each_again() {
    let place = place();
    place.file("balances.csv", "external_id,points,expires_at\nana,120,2030-01-01\nana,30,\nben,7,\n");
    place.file(
        "orders.csv",
        "order_id,customer_id,ordered_on,items,amount\nA-1,ana,2025-01-10,1,20.00\nA-2,cid,2025-01-10,1,0.00\n",
    );
    place.file(
        "refunds.csv",
        "order_id,refund_id,refunded_on,amount\nA-1,R-1,2025-01-12,5.00\nA-2,R-1,2025-01-12,0.00\n",
    );
    let balances = ["import", "balances", "balances.csv", "--program", "program.toml"];
    let orders = ["import", "orders", "orders.csv", "--program", "program.toml"];
    let refunds = ["import", "refunds", "refunds.csv"];
    for (what, arguments, lines) in
        [("balances", &balances[..], 3), ("orders", &orders[..], 2), ("refunds", &refunds[..], 2)]
    {
        let first = place.run(arguments).expect(0);
        assert!(first.out.contains(&format!("{lines} {what} posted, 0 were there already")), "{first:?}");
        let again = place.run(arguments).expect(0);
        assert!(again.out.contains(&format!("0 {what} posted, {lines} were there already")), "{again:?}");
    }
    let bad = place.file("bad.csv", "order_id,refund_id,refunded_on,amount\nZ-9,R-1,2025-01-12,5.00\n");
    let refused = place.run(&["import", "refunds", bad.to_str().unwrap()]).expect(1);
    assert!(refused.out.contains("line 2 rejected: no order with this id"), "{refused:?}");
    place.run(&["verify"]).expect(0);
}

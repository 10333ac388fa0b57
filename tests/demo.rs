//! The demonstration, as a newcomer sees it: loaded once, served at every start, with calls that answer.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use accrue::ledger::setup;
use accrue::postgres::cluster::{Access, ClusterConfig, Durability};
use accrue::postgres::connect;
use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use rustix::process::Signal;

use crate::support::{Client, PROGRAM, Place, signal};

/// An order of the demonstration's last customer, and no others.
const LAST_ORDER: &str = "order_id,customer_id,ordered_on,items,amount\nA-1,23149,1998-06-30,1,20.00\n";

#[test]
fn the_demonstration_is_loaded_once_and_its_calls_answer() {
    let place = Place::new();
    let first = demo(&place);
    assert!(first.contains("69659 orders posted, 0 were there already, 23570 customers enrolled, 0 lines rejected"));
    assert_eq!(first.matches("$ curl").count(), 6, "{first}");
    for answer in [r#""pending":"#, r#""calculation":["#, r#""balance_after":"#, r#""head_hash":"#] {
        assert!(first.contains(answer), "{answer} is not in {first}");
    }
    let before = place.run(&["verify"]).expect(0).out;
    assert!(before.contains("23570 members"), "{before}");

    // Another start posts nothing, and its calls answer the same: the tour's order is the same order.
    let second = demo(&place);
    assert!(!second.contains("orders posted"), "{second}");
    assert_eq!(place.run(&["verify"]).expect(0).out, before);
}

#[test]
fn a_demonstration_keeps_the_programme_of_the_version_that_made_it() {
    let place = Place::new();
    let older = PROGRAM.split("[redemption]").next().unwrap();
    place.file("older.toml", older);
    place.file("orders.csv", LAST_ORDER);
    let import = ["import", "orders", "orders.csv", "--program", "older.toml", "--shift-days", "10000"];
    place.run(&import).expect(0);
    // A ledger that no demonstration made is not its own to fill, be it a sandbox or not.
    let refused = place.run(&["demo", "--listen", "127.0.0.1:0"]).expect(2);
    assert!(refused.err.contains("sandbox"), "{refused:?}");
    as_owner(&place, |owner| owner.batch_execute("UPDATE ledger SET sandbox = true").unwrap());
    let refused = place.run(&["demo", "--listen", "127.0.0.1:0"]).expect(2);
    assert!(refused.err.contains("it is another one"), "{refused:?}");

    begin_demonstration(&place, 10_000);
    let out = demo(&place);
    assert!(out.contains("moved forward by 10000 days") && !out.contains("orders posted"), "{out}");
    let verified = place.run(&["verify"]).expect(0).out;
    assert!(verified.contains("1 members"), "{verified}");
}

/// A demonstration that counts as loaded, with one order: loading all takes long.
pub fn begun(place: &Place) {
    place.file("program.toml", PROGRAM);
    place.file("orders.csv", LAST_ORDER);
    let import = ["import", "orders", "orders.csv", "--program", "program.toml", "--shift-days", "10000"];
    place.run(&import).expect(0);
    as_owner(place, |owner| owner.batch_execute("UPDATE ledger SET sandbox = true").unwrap());
    begin_demonstration(place, 10_000);
}

// Marks the ledger as one that a demonstration has loaded.
fn begin_demonstration(place: &Place, shift: i32) {
    as_owner(place, |owner| {
        setup::demo_shift(owner, shift).unwrap();
        setup::set_demo_loaded(owner).unwrap();
    });
}

fn as_owner(place: &Place, work: impl FnOnce(&mut PgConnection)) {
    let config = ClusterConfig { data_dir: place.data_dir(), durability: Durability::Full, binaries: None };
    let access = Access::open(&config).unwrap();
    work(&mut connect::plain(&access.owner_url("accrue")).unwrap());
}

// Runs the demonstration until it has printed everything, looks at its page, and stops it as Ctrl-C does.
fn demo(place: &Place) -> String {
    let mut command = place.command(&["demo", "--listen", "127.0.0.1:0"]);
    // What falls due between two starts is not to be written by the second.
    command.env("ACCRUE_SWEEP_INTERVAL", "1h");
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = String::new();
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        out.push_str(&line.unwrap());
        out.push('\n');
        if out.ends_with("the data stays.\n") {
            break;
        }
    }
    let base = out.split("Accrue serves ").nth(1).and_then(|rest| rest.split(';').next()).expect("an address");
    let docs = Client::new(base.to_owned(), None).get("/docs/");
    assert!(docs.status == 200 && docs.text.contains("swagger-ui"), "{docs:?}");
    signal(&process, Signal::INT);
    assert!(process.wait().unwrap().success());
    out
}

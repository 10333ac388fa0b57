//! The demonstration, as a newcomer sees it: loaded once, served at every start, with calls that answer.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Client, Place};

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
    kill_process(i32::try_from(process.id()).ok().and_then(Pid::from_raw).unwrap(), Signal::INT).unwrap();
    assert!(process.wait().unwrap().success());
    out
}

//! A log that cannot be written stops nothing: not orders, not the lanes, not the end of the service.

use std::fs::File;
use std::io::{self, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use diesel::connection::SimpleConnection;
use rustix::process::Signal;
use serde_json::json;

use crate::demo::begun;
use crate::support::{Client, PROGRAM, Place, Running, Stderr, signal, wait_for};

/// How much a pipe takes.
const PIPE: usize = 64 << 10;

#[test]
fn orders_are_answered_though_the_reader_of_the_log_stalls() {
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let service = Running::serve_to(Stderr::Stalled, &place, &program, &["--log", "trace"]);
    let shop = Shop::of(&place, &service.base);
    shop.cut_lanes_off_and_post(&place, 20);
    // What was logged on the way is more than the pipe takes, and at the end more than may wait.
    wait_for("lines to be lost", || {
        shop.post_orders(20);
        shop.lost() > 0
    });
    assert_eq!(shop.client.get("/readyz").status, 200);
    assert_eq!(service.terminate(), Some(0), "it ends though the log cannot be written");
    place.run(&["verify"]).expect(0);
}

#[test]
fn orders_are_answered_though_the_reader_of_the_log_has_gone() {
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let service = Running::serve_to(Stderr::Gone, &place, &program, &[]);
    let shop = Shop::of(&place, &service.base);
    shop.cut_lanes_off_and_post(&place, 5);
    wait_for("lines to be lost", || shop.lost() > 0);
    assert_eq!(shop.client.get("/readyz").status, 200);
    assert_eq!(service.terminate(), Some(0));
    place.run(&["verify"]).expect(0);
}

#[test]
fn orders_are_answered_though_the_disk_of_the_log_is_full() {
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let listen = free_address();
    let mut command = place.command(&["serve", "--listen", &listen, "--program", program.to_str().unwrap()]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut service = Ended(command.stdout(Stdio::null()).stderr(full).spawn().unwrap());
    wait_until_it_listens(&listen);
    let shop = Shop::of(&place, &format!("http://{listen}"));
    shop.cut_lanes_off_and_post(&place, 5);
    wait_for("lines to be lost", || shop.lost() > 0);
    signal(&service.0, Signal::TERM);
    assert_eq!(service.0.wait().unwrap().code(), Some(0));
    place.run(&["verify"]).expect(0);
}

#[test]
fn a_command_that_fails_says_so_by_its_code_though_nobody_hears_why() {
    let place = Place::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = place.command(&["export"]);
    assert_eq!(command.stdout(Stdio::null()).stderr(full).status().unwrap().code(), Some(2));
}

#[test]
fn an_import_is_done_though_nobody_hears_what_was() {
    let place = Place::new();
    place.file("program.toml", PROGRAM);
    place.file("orders.csv", "order_id,customer_id,ordered_on,items,amount\nA-1,ana,2025-01-10,1,20.00\n");
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let mut command = place.command(&["import", "orders", "orders.csv", "--program", "program.toml"]);
    assert_eq!(command.stdout(full()).stderr(full()).status().unwrap().code(), Some(0));
    let again = place.run(&["import", "orders", "orders.csv", "--program", "program.toml"]).expect(0);
    assert!(again.out.contains("0 orders posted, 1 was there already"), "{again:?}");
}

#[test]
fn a_demonstration_whose_words_nobody_reads_serves_and_ends() {
    let place = Place::new();
    begun(&place);
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&vec![b'\n'; PIPE]).unwrap();
    let listen = free_address();
    let mut command = place.command(&["demo", "--listen", &listen]);
    let mut demo = Ended(command.stdout(writer).stderr(Stdio::null()).spawn().unwrap());
    wait_until_it_listens(&listen);
    signal(&demo.0, Signal::INT);
    assert_eq!(demo.0.wait().unwrap().code(), Some(0));
    drop(reader);
}

#[test]
fn refusals_of_one_kind_are_logged_seldom_and_counted() {
    const REFUSED: u64 = 600;
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let service = Running::serve_with(&place, &program, &["--log-format", "json"]);
    let checkout = place.run(&["token", "--as", "checkout"]).expect(0).out.trim().to_owned();
    let checkout = Client::new(service.base.clone(), Some(checkout));
    for _ in 0..REFUSED {
        checkout.get("/v1/ledger/journals").assert_problem(403, "scope_missing");
    }
    let (mut lines, mut told) = (0, 0);
    // A line for itself and those left out before it, or for those left out alone, once it is quiet.
    wait_for("every refusal to be accounted for", || {
        let said = service.said();
        let said = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let fields: Vec<_> = said.map(|line| line["fields"].clone()).collect();
        let refusals = fields.iter().filter(|line| line["code"] == "scope_missing").count() as u64;
        let of_kind = |line: &&serde_json::Value| line["code"] == "scope_missing" || line["kind"] == "scope_missing";
        let left_out: u64 = fields.iter().filter(of_kind).filter_map(|line| line["left_out"].as_u64()).sum();
        (lines, told) = (refusals, refusals + left_out);
        told >= REFUSED
    });
    assert_eq!(told, REFUSED);
    assert!(lines * 10 < REFUSED, "{lines} lines");
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn every_line_about_a_request_tells_its_id_and_route_and_how_it_was_answered() {
    let place = Place::new();
    let program = place.file("program.toml", PROGRAM);
    let service = Running::serve_with(&place, &program, &["--log-format", "json"]);
    let operator = place.run(&["token", "--as", "operator"]).expect(0).out.trim().to_owned();
    let operator = Client::new(service.base.clone(), Some(operator));
    place.owner().unwrap().batch_execute("ALTER TABLE reward RENAME TO reward_that_went").unwrap();
    let id = uuid::Uuid::now_v7();
    let failed = operator.get(&format!("/v1/rewards/{id}"));
    failed.assert_problem(500, "internal");
    let asked = failed.headers["x-request-id"].clone();
    let lines = || -> Vec<serde_json::Value> {
        let said = service.said();
        let lines = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.filter(|line| line["span"]["request_id"] == asked).collect()
    };
    wait_for("both lines", || lines().len() == 2);
    // The handler's own line comes before there is an answer.
    let lines = lines();
    for (line, message) in lines.iter().zip(["a query failed", "answered with a server error"]) {
        assert_eq!(line["fields"]["message"], message, "{line}");
        assert_eq!((&line["span"]["name"], &line["span"]["method"]), (&json!("request"), &json!("GET")), "{line}");
        assert_eq!(line["span"]["route"], "/v1/rewards/{reward_id}", "{line}");
        assert!(!line.to_string().contains(&id.to_string()), "an address stands in a log line: {line}");
    }
    assert_eq!(lines[1]["span"]["status"], 500);
}

/// A client that posts orders of one member.
struct Shop {
    client: Client,
    member: String,
}

impl Shop {
    fn of(place: &Place, base: &str) -> Self {
        let token = place.run(&["token", "--as", "operator"]).expect(0).out.trim().to_owned();
        let client = Client::new(base.to_owned(), Some(token));
        let member = client.post("/v1/members", &json!({ "external_id": "ana" }));
        Self { client, member: member.body["id"].as_str().expect("an id").to_owned() }
    }

    fn post_orders(&self, orders: u32) {
        for _ in 0..orders {
            let order = json!({
                "order_id": uuid::Uuid::now_v7(), "member_id": self.member, "occurred_at": "2026-03-10T12:00:00Z",
                "currency": "USD", "amount": "5",
            });
            let answer = self.client.post("/v1/orders", &order);
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    }

    // Each time a lane finds that it was cut off, it says so.
    fn cut_lanes_off_and_post(&self, place: &Place, times: u32) {
        const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'accrue'";
        for _ in 0..times {
            place.owner().expect("the private cluster answers").batch_execute(END).expect("a superuser may");
            self.post_orders(5);
        }
    }

    // How many log lines the service says were lost.
    fn lost(&self) -> u64 {
        let metrics = self.client.get("/metrics").text;
        let line = metrics.lines().find_map(|line| line.strip_prefix("accrue_log_lines_lost_total "));
        line.expect("the metric is there").parse().expect("a number")
    }
}

/// A process that does not outlive the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// An address on which nothing listens for the moment.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free").to_string()
}

fn wait_until_it_listens(address: &str) {
    let client = Client::new(format!("http://{address}"), None);
    wait_for("the service to listen", || client.try_send("GET", "/livez", &[], None).is_ok());
}

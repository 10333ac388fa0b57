//! What a member sees: the wallet, its lots, and its statement.

use std::io::Cursor;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::thread;

use accrue::cli::import;
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::support::{App, Client, NOON, at_once, fund, instant, nobody, two_journals, wait_for};

// When points were earned that are active at NOON.
const EARLIER: &str = "2026-02-01T12:00:00Z";

fn see(app: &App, member: &str, what: &str) -> Value {
    let answer = app.member(member).get(&format!("/v1/members/me/{what}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(app.operator().get(&format!("/v1/members/{member}/{what}")).body, answer.body);
    answer.body
}

#[test]
fn a_wallet_lists_the_ten_soonest_instants_at_which_points_expire() {
    let app = App::at("2026-12-31T12:00:00Z");
    let ana = app.enrol("ana");
    for month in 1..=12 {
        fund(&app, &ana, &format!("A-{month}"), &format!("2026-{month:02}-05T12:00:00Z"), month);
        fund(&app, &ana, &format!("B-{month}"), &format!("2026-{month:02}-06T12:00:00Z"), 100);
    }
    let wallet = see(&app, &ana, "wallet");
    let expiring = wallet["expiring"].as_array().unwrap();
    assert_eq!(expiring.len(), 10);
    assert_eq!(expiring[0], json!({ "points": 101, "expires_at": "2027-02-01T05:00:00.000000Z" }));
    assert_eq!(expiring[9], json!({ "points": 110, "expires_at": "2027-11-01T04:00:00.000000Z" }));
    assert_eq!((&wallet["lifetime_earned"], &wallet["lifetime_spent"]), (&json!(1_278), &json!(0)));
    // December's are good by now.
    assert_eq!((&wallet["active"], &wallet["pending"]), (&json!(1_278), &json!(0)));
    app.clock.set(instant("2027-03-01T05:00:00Z"));
    let wallet = see(&app, &ana, "wallet");
    assert_eq!((&wallet["active"], &wallet["lifetime_earned"]), (&json!(1_278 - 203), &json!(1_278)));
    let expiring = wallet["expiring"].as_array().unwrap();
    assert_eq!(expiring.len(), 10);
    assert_eq!(expiring[0], json!({ "points": 103, "expires_at": "2027-04-01T04:00:00.000000Z" }));
    assert_eq!(expiring[9], json!({ "points": 112, "expires_at": "2028-01-01T05:00:00.000000Z" }));
}

#[test]
fn what_has_fallen_due_counts_in_what_will_expire() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 50);
    fund(&app, &ana, "A-2", "2026-03-10T11:00:00Z", 7);
    let offer = json!({ "to_member_id": ben, "points": 20 });
    assert_eq!(app.member(&ana).post_keyed("/v1/transfers", "k-1", &offer).status, 201);
    let (march, april) = ("2027-03-01T05:00:00.000000Z", "2027-04-01T04:00:00.000000Z");
    // Held points do not expire while they are.
    assert_eq!(see(&app, &ana, "wallet")["expiring"], json!([{ "points": 30, "expires_at": march }]));
    let before = app.rows();
    app.clock.set(instant("2026-03-17T12:00:00Z"));
    assert_eq!(see(&app, &ana, "wallet")["expiring"], json!([{ "points": 50, "expires_at": march }]));
    app.clock.set(instant("2026-03-24T11:00:00Z"));
    let both = json!([{ "points": 50, "expires_at": march }, { "points": 7, "expires_at": april }]);
    assert_eq!(see(&app, &ana, "wallet")["expiring"], both);
    let lots = see(&app, &ana, "lots")["lots"].clone();
    let parts = |lot: &Value| ["earned", "pending", "active", "held"].map(|part| lot[part].as_i64().unwrap());
    assert_eq!(lots.as_array().unwrap().iter().map(parts).collect::<Vec<_>>(), [[7, 0, 7, 0], [50, 0, 50, 0]]);
    app.clock.set(instant("2027-03-01T05:00:00Z"));
    assert_eq!(see(&app, &ana, "wallet")["expiring"], json!([{ "points": 7, "expires_at": april }]));
    let lots = see(&app, &ana, "lots")["lots"].clone();
    assert_eq!(lots.as_array().unwrap().iter().map(parts).collect::<Vec<_>>(), [[7, 0, 7, 0], [50, 0, 0, 0]]);
    assert_eq!(app.rows(), before, "reading wrote something");
}

#[test]
fn everyone_who_asks_at_once_gets_the_wallet_that_was_asked_for() {
    let app = App::at(NOON);
    let members: Vec<String> = (0..12).map(|n| app.enrol(&format!("customer-{n}"))).collect();
    for (n, member) in (1..).zip(&members) {
        let earned_at = if n % 3 == 0 { "2026-03-10T11:00:00Z" } else { EARLIER };
        fund(&app, member, &format!("A-{n}"), earned_at, n);
    }
    // For every third of them something is due that nobody has written.
    app.clock.set(instant("2026-03-24T11:00:00Z"));
    let operator = app.operator();
    let mut expected = Vec::new();
    for (n, member) in (1..).zip(&members) {
        let path = format!("/v1/members/{member}/wallet");
        let answer = operator.get(&path);
        assert_eq!((&answer.body["active"], &answer.body["expiring"][0]["points"]), (&json!(n), &json!(n)));
        expected.push((path, answer));
    }
    for _ in 0..3 {
        let path = format!("/v1/members/{}/wallet", nobody());
        let answer = operator.get(&path);
        answer.assert_problem(404, "member_not_found");
        expected.push((path, answer));
    }
    let before = app.rows();
    at_once(40, |asker| {
        for turn in 0..30 {
            let (path, expected) = &expected[(asker + turn * turn) % expected.len()];
            let answer = operator.get(path);
            assert_eq!((answer.status, &answer.text), (expected.status, &expected.text));
            assert_eq!(answer.headers.get("etag"), expected.headers.get("etag"));
        }
    });
    assert_eq!(app.rows(), before, "reading wrote something");
}

#[test]
fn a_wallet_is_never_older_than_what_was_acknowledged_before_it_was_asked_for() {
    const POSTERS: usize = 4;
    const EACH: usize = 50;
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    let path = format!("/v1/members/{ana}/wallet");
    let acknowledged = AtomicI64::new(0);
    let look = |checkout: &Client| {
        let least = acknowledged.load(Ordering::SeqCst);
        let wallet = checkout.get(&path).body;
        let seen = wallet["lifetime_earned"].as_i64().unwrap();
        assert!(seen >= least, "{least} points were acknowledged, and then {seen} were shown");
        assert_eq!(wallet["pending"].as_i64(), Some(seen), "parts of different times");
    };
    at_once(3 * POSTERS, |n| {
        let checkout = app.checkout();
        for order in 0..EACH {
            if n < POSTERS {
                fund(&app, &ana, &format!("A-{n}-{order}"), "2026-03-10T11:00:00Z", 1);
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            look(&checkout);
        }
    });
    assert_eq!(acknowledged.into_inner(), (POSTERS * EACH) as i64);
}

#[test]
fn readers_of_wallets_that_lose_their_connections_get_others_and_nobody_notices() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    for _ in 0..5 {
        app.database.end_backends();
        for answer in at_once(8, |_| app.checkout().get(&format!("/v1/members/{ana}/wallet"))) {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

#[test]
fn a_wallet_that_is_remembered_is_right_after_any_number_of_entries_and_after_a_head_was_put_back() {
    let app = App::at(NOON);
    let ana = app.enrol("ana");
    let active = || app.points(&ana)[0];
    let order = |customer: &str, n: usize| format!("{customer}-{n},{customer},2026-02-01,1,1.00\n");
    let mut file = "order_id,customer_id,ordered_on,items,amount\n".to_owned();
    assert_eq!(active(), 0);
    // More entries than are looked at, and fewer.
    for (n, others) in [(1, 3_000), (2, 3)] {
        file.extend((0..others).map(|other| order(&format!("other-{n}-{}", other % 50), other)));
        file.push_str(&order("ana", n));
        let report = import::orders(&app.ledger, &app.database.service_url(), Cursor::new(&file), 0).unwrap();
        assert_eq!(report.rejected, 0, "{report:?}");
        assert_eq!(active(), n as i64);
    }
    let mut owner = app.owner();
    owner.batch_execute(&format!("UPDATE wallet SET active = 7 WHERE member = '{ana}'")).unwrap();
    assert_eq!(active(), 2, "a row that somebody changes by hand moves no head");
    let put_back = "UPDATE journal SET next_seq = next_seq - 1,
                        head_hash = (SELECT hash FROM entry WHERE journal = journal.id AND seq = next_seq - 2)
                    WHERE id > 0";
    owner.batch_execute(put_back).unwrap();
    assert_eq!(active(), 7);
    let right_again = "UPDATE journal SET next_seq = next_seq + 1,
                           head_hash = (SELECT hash FROM entry WHERE journal = journal.id AND seq = next_seq)
                       WHERE id > 0";
    owner.batch_execute(&format!("UPDATE wallet SET active = 2 WHERE member = '{ana}'; {right_again}")).unwrap();
}

#[test]
fn a_wallet_too_many_is_answered_at_once_and_those_that_wait_are_answered_later() {
    // More than may wait, 256, and than the reader may have taken with its first statement, 128.
    const ASKING: usize = 400;
    let app = App::at(NOON);
    let path = format!("/v1/members/{}/wallet", app.enrol("ana"));
    let mut owner = app.owner();
    owner.batch_execute("BEGIN; LOCK TABLE wallet IN ACCESS EXCLUSIVE MODE").unwrap();
    let (refused, shown) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let checkout = app.checkout();
            at_once(ASKING, |_| {
                let answer = checkout.get(&path);
                if answer.status == 200 {
                    shown.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                answer.assert_problem(503, "busy");
                assert!(answer.headers["retry-after"].parse::<u32>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
                refused.fetch_add(1, Ordering::SeqCst);
            });
        });
        wait_for("some to be refused", || refused.load(Ordering::SeqCst) > 0);
        assert_eq!(shown.load(Ordering::SeqCst), 0, "the table is locked");
        owner.batch_execute("COMMIT").unwrap();
    });
    assert_eq!(shown.into_inner() + refused.into_inner(), ASKING);
    assert_eq!(app.checkout().get(&path).status, 200);
}

#[test]
fn lots_are_listed_from_the_newest_to_the_oldest_with_what_is_left_in_them() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    for n in 0..5 {
        fund(&app, &ana, &format!("A-{n}"), EARLIER, 10 + n);
    }
    fund(&app, &ana, "A-9", "2026-03-10T11:00:00Z", 3);
    // Three lots come to Ben at once.
    let gift = json!({ "to_member_id": ben, "points": 35, "direct": true });
    assert_eq!(app.member(&ana).post_keyed("/v1/transfers", "k-1", &gift).status, 201);
    let whole = see(&app, &ana, "lots");
    assert_eq!(whole["next_cursor"], Value::Null);
    let lots = whole["lots"].as_array().unwrap().clone();
    let earned: Vec<i64> = lots.iter().map(|lot| lot["earned"].as_i64().unwrap()).collect();
    assert_eq!(earned, [3, 14, 13, 12, 11, 10]);
    let newest = json!({
        "id": lots[0]["id"], "earned": 3, "pending": 3, "active": 0, "held": 0, "expired": 0,
        "active_at": "2026-03-24T11:00:00.000000Z", "expires_at": "2027-04-01T04:00:00.000000Z",
    });
    assert_eq!(lots[0], newest);
    let of_ben = see(&app, &ben, "lots")["lots"].as_array().unwrap().clone();
    assert_eq!(of_ben.iter().map(|lot| lot["active"].as_i64().unwrap()).sum::<i64>(), 35);
    for (member, lots) in [(&ana, &lots), (&ben, &of_ben)] {
        for limit in 1..=lots.len() {
            let (mut seen, mut query) = (Vec::new(), format!("lots?limit={limit}"));
            loop {
                let page = see(&app, member, &query);
                assert!(page["lots"].as_array().unwrap().len() <= limit);
                seen.extend(page["lots"].as_array().unwrap().iter().cloned());
                match page["next_cursor"].as_str() {
                    Some(cursor) => query = format!("lots?limit={limit}&cursor={cursor}"),
                    None => break,
                }
            }
            assert_eq!(seen, *lots, "pages of {limit}");
        }
    }
    let phone = app.member(&ana);
    for bad in ["limit=0", "limit=201", "cursor=x", "cursor=YmVmb3JlOjE", "kind=x"] {
        phone.get(&format!("/v1/members/me/lots?{bad}")).assert_problem(400, "invalid_parameter");
    }
    phone.get(&format!("/v1/members/{ben}/lots")).assert_problem(404, "member_not_found");
}

#[test]
fn a_statement_can_be_cut_to_a_kind_and_a_time_due_lines_included() {
    let app = App::at(NOON);
    let (ana, ben) = two_journals(&app);
    fund(&app, &ana, "A-1", EARLIER, 50);
    fund(&app, &ana, "A-2", "2026-03-10T11:00:00Z", 7);
    let offer = json!({ "to_member_id": ben, "points": 20 });
    assert_eq!(app.member(&ana).post_keyed("/v1/transfers", "k-1", &offer).status, 201);
    app.clock.set(instant("2026-04-01T12:00:00Z"));
    let lines = |query: &str| -> (Vec<String>, Vec<String>) {
        let page = see(&app, &ana, &format!("entries{query}"));
        let kinds = |lines: &Value| {
            lines.as_array().unwrap().iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect()
        };
        (kinds(&page["due"]), kinds(&page["entries"]))
    };
    let all = ["transfer.offered", "points.earned", "points.earned", "member.enrolled"];
    let (due, written) = lines("");
    assert_eq!(due, ["points.activated", "transfer.lapsed"]);
    assert_eq!(written, all);
    assert_eq!(lines("?kind=points.activated"), (vec![due[0].clone()], Vec::new()));
    assert_eq!(lines("?kind=points.earned").1.len(), 2);
    assert_eq!(lines("?kind=redemption.held"), (Vec::new(), Vec::new()));
    // Half-open, on when an entry counts from.
    assert_eq!(lines("?from=2026-03-17T12:00:00Z").0, due);
    assert_eq!(lines("?from=2026-03-17T12:00:00.000001Z"), (vec![due[0].clone()], Vec::new()));
    assert_eq!(lines("?until=2026-03-17T12:00:00Z").0, Vec::<String>::new());
    assert_eq!(lines("?until=2026-03-17T12:00:00.000001Z").0, [due[1].clone()]);
    assert_eq!(lines("?from=2026-03-10T12:00:00Z&until=2026-03-10T12:00:00Z").1, Vec::<String>::new());
    // An order counts from when it occurred.
    assert_eq!(lines("?until=2026-03-01T00:00:00Z").1, ["points.earned"]);
    assert_eq!(lines("?kind=points.earned&from=2026-03-10T06:00:00-05:00").1.len(), 1);
    assert_eq!(lines("?kind=points.earned&from=2026-03-10T11:00:00.000001Z").1.len(), 0);
    let first = see(&app, &ana, "entries?kind=points.earned&limit=1");
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = see(&app, &ana, &format!("entries?kind=points.earned&limit=1&cursor={cursor}"));
    assert_eq!((&second["entries"][0]["points"], &second["next_cursor"]), (&json!(50), &Value::Null));
    for bad in ["kind=points", "from=yesterday", "until=2026-03-10", "since=2026-03-10T12:00:00Z"] {
        app.member(&ana).get(&format!("/v1/members/me/entries?{bad}")).assert_problem(400, "invalid_parameter");
    }
}

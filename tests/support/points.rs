//! Points to try things with.

use std::collections::{BTreeMap, BTreeSet};

use accrue::domain::ids::MemberId;
use accrue::read::wallet::{self, Known, WalletContents};
use accrue::read::{Remembered, Seen, View};
use serde_json::{Value, json};

use super::App;

/// Gives a member `points` by an order that occurred at `occurred_at`. They are active if that was 14 days ago.
pub fn fund(app: &App, member: &str, order_id: &str, occurred_at: &str, points: i64) {
    let order = app.order(member, order_id, occurred_at, &points.to_string());
    let answer = app.checkout().post("/v1/orders", &order);
    assert_eq!((answer.status, &answer.body["earned"]["points"]), (201, &json!(points)), "{answer:?}");
}

/// Two members whose entries stand in two journals, the first's in the lower one.
pub fn two_journals(app: &App) -> (String, String) {
    let journal = |id: &str| id.parse::<MemberId>().expect("a member's id").journal();
    let first = app.enrol("two-0");
    let other = (1..100).map(|n| app.enrol(&format!("two-{n}"))).find(|id| journal(id) != journal(&first));
    let other = other.expect("members are spread over the journals");
    if journal(&first) < journal(&other) { (first, other) } else { (other, first) }
}

/// A member's id in journal 1 that nobody has.
pub fn nobody() -> String {
    MemberId::new(1, uuid::Uuid::now_v7()).to_string()
}

/// What happened to a member from the newest to the oldest, and how many points each time.
pub fn kinds(app: &App, member: &str) -> Vec<(String, i64)> {
    let lines = app.operator().get(&format!("/v1/members/{member}/entries?limit=200")).body["entries"].clone();
    let line = |line: &Value| (line["kind"].as_str().unwrap().to_owned(), line["points"].as_i64().unwrap());
    lines.as_array().unwrap().iter().map(line).collect()
}

/// What these members' wallets hold, read as the service reads those that are asked for at once, with what it remembers.
pub fn wallets(
    view: &mut View<'_>,
    ids: &BTreeSet<MemberId>,
    remembered: &mut Remembered<Known>,
) -> BTreeMap<MemberId, WalletContents> {
    let together = wallet::together(view, ids, remembered).expect("wallets can be read");
    let wallet = |(id, seen)| {
        let wallet = match seen {
            Seen::Whole(wallet) => Some(wallet),
            Seen::Due => wallet::settled(view, id).expect("a wallet can be read"),
        };
        (id, wallet.expect("a member").contents)
    };
    together.into_iter().map(wallet).collect()
}

/// The four balances of a wallet.
pub fn balances(wallet: &Value) -> Value {
    json!({
        "active": wallet["active"], "debt": wallet["debt"], "held": wallet["held"], "pending": wallet["pending"],
    })
}

/// A member's `[active, pending, held]` at this instant; nothing is owed.
pub fn wallet(app: &App, member: &str) -> [i64; 3] {
    let answer = app.operator().get(&format!("/v1/members/{member}/wallet"));
    assert_eq!((answer.status, &answer.body["debt"]), (200, &json!(0)), "{answer:?}");
    ["active", "pending", "held"].map(|part| answer.body[part].as_i64().expect("points"))
}

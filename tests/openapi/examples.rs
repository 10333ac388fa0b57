//! What the document shows as an example of a body is taken as it stands, and of an answer is one.

use accrue::http::table;
use accrue::postgres::clock::Clock;
use serde_json::{Value, json};

use super::{document, operations, resolve};
use crate::support::{App, Database, demo, fits, instant};

// What the examples call a member, a receiver, a redemption, a reward and a cause.
const MEMBER: &str = "01a20785-50b0-7001-9a3c-5d0f7e2b8c41";
const RECEIVER: &str = "01a20785-50b0-7002-8f17-20c4b96ad3e5";
const REDEMPTION: &str = "01a20785-568c-7001-b2de-94a07f13c658";
const REWARD: &str = "01a20785-4fd2-7000-a5b9-1e6c38d2f074";
const CAUSE: &str = "01a20785-4fd2-7000-8c60-7fb2419e5da3";

// Every example of the body of an operation.
fn examples(document: &Value, operation: &Value) -> Vec<Value> {
    let content = &operation["requestBody"]["content"]["application/json"];
    let named = content["examples"].as_object().into_iter().flatten().map(|(_, example)| example["value"].clone());
    let schema = resolve(document, &content["schema"]);
    let alone = [content.get("example"), schema.get("example")].into_iter().flatten().cloned();
    named.chain(alone).collect()
}

// The first example of the call with this method and path; of redemptions, the hold.
fn example(document: &Value, method: &str, path: &str) -> Value {
    let operation = &document["paths"][path][method];
    let fits = |example: &Value| path != "/v1/redemptions" || example.get("hold").is_some();
    examples(document, operation).into_iter().find(fits).unwrap_or_else(|| panic!("{path} has no example"))
}

// A sandbox in which everything that the examples name is there.
struct World {
    app: App,
    document: Value,
    member: String,
    receiver: String,
    reward: String,
    cause: String,
    // A hold that addresses name, and one that an order names.
    holds: [String; 2],
    transfer: String,
}

impl World {
    fn new() -> Self {
        let app = App::on(Database::sandbox(), Clock::stopped_at(instant("2026-03-10T11:00:00Z")), |_| {});
        app.publish("2026-03-10T12:00:00Z", |document| document["tiers"] = demo()["tiers"].clone());
        let (operator, document) = (app.operator(), document());
        let (member, receiver) = (app.enrol("ana"), app.enrol("customer-4712"));
        let made = |path: &str, body: &str| {
            let answer = operator.ask(path, &body.parse().unwrap());
            assert_eq!(answer.status, 201, "{path}: {answer:?}");
            answer.body["id"].as_str().unwrap_or_default().to_owned()
        };
        made("/v1/adjustments", &json!({ "member_id": member, "points": 9_000, "reason": "goodwill" }).to_string());
        let first = |path: &str| example(&document, "post", path).to_string();
        let (reward, cause) = (made("/v1/rewards", &first("/v1/rewards")), made("/v1/causes", &first("/v1/causes")));
        let of_ana = |path: &str| first(path).replace(MEMBER, &member).replace(RECEIVER, &receiver);
        let holds = [0, 1].map(|_| made("/v1/redemptions", &of_ana("/v1/redemptions")));
        let transfer = made("/v1/transfers", &of_ana("/v1/transfers"));
        made("/v1/orders", &of_ana("/v1/orders").replace("A-1001", "A-1000"));
        Self { app, document, member, receiver, reward, cause, holds, transfer }
    }

    // An address of this path, with `member` in it.
    fn address(&self, path: &str, member: &str) -> String {
        let parts = [
            ("{id}", member),
            ("{order_id}", "A-1000"),
            ("{redemption_id}", self.holds[0].as_str()),
            ("{reward_id}", self.reward.as_str()),
            ("{cause_id}", self.cause.as_str()),
            ("{transfer_id}", self.transfer.as_str()),
        ];
        parts.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
    }

    // An example with the ids of what is there.
    fn body(&self, example: &Value) -> String {
        let ids = [
            (MEMBER, &self.member),
            (RECEIVER, &self.receiver),
            (REDEMPTION, &self.holds[1]),
            (REWARD, &self.reward),
            (CAUSE, &self.cause),
        ];
        ids.iter().fold(example.to_string(), |body, (shown, real)| body.replace(shown, real))
    }
}

#[test]
fn every_example_of_a_body_is_taken_as_it_stands_but_for_the_ids() {
    let world = World::new();
    let (app, operator) = (&world.app, world.app.operator());
    let mut tried = 0;
    for (method, path, operation) in operations(&world.document) {
        if operation.get("requestBody").is_none() {
            continue;
        }
        let examples = examples(&world.document, operation);
        assert!(!examples.is_empty(), "{method} {path} has no example");
        for example in examples {
            tried += 1;
            let (address, body) = (world.address(&path, &app.enrol(&format!("m-{tried}"))), world.body(&example));
            let key = format!("k-{tried}");
            let answer = operator.send(&method, &address, &[("idempotency-key", &key)], Some(&body));
            // A hold that was captured cannot be voided as well, nor an offer answered twice.
            let conflict = answer.code().ends_with("_state_conflict");
            assert!(matches!(answer.status, 200 | 201) || conflict, "{method} {path}: {body}: {answer:?}");
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn every_example_of_an_answer_is_of_its_schema() {
    for call in table::calls() {
        let Some(example) = call.answer.example else { continue };
        let example: Value = serde_json::from_str(example).unwrap();
        fits(call, call.answer.status, &example).unwrap_or_else(|wrong| panic!("{call:?}: {wrong}"));
    }
}

#[test]
fn what_a_member_reads_is_sent_again_only_when_it_changed() {
    let world = World::new();
    let phone = world.app.member(&world.member);
    let mut polled = 0;
    for (method, path, operation) in operations(&world.document) {
        let open_to_members = operation["x-scopes"].as_array().is_some_and(|scopes| scopes.len() == 2);
        if method != "GET" || !open_to_members {
            continue;
        }
        let address = world.address(&path, "me");
        let first = phone.get(&address);
        assert_eq!(first.status, 200, "{address}: {first:?}");
        let known = [("if-none-match", first.headers["etag"].as_str())];
        let again = phone.send("GET", &address, &known, None);
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{address}");
        let responses = &operation["responses"];
        assert!(responses["304"].is_object() && responses["200"]["headers"]["ETag"].is_object(), "{path}");
        polled += 1;
    }
    assert!(polled > 10, "{polled}");
}

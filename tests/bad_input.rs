//! What bad input gets: a code, a sentence, every fault, and no trace in the ledger.

use accrue::http::access::all_scopes;
use accrue::http::call::Verb;
use accrue::http::input::{MAX_BODY, MAX_BODY_OF_ITEMS};
use accrue::http::table;
use serde_json::{Value, json};

use crate::support::{Answer, App, NOON, instant, nobody, token};

// A service with one member; when `check` is through, nothing may have been written.
fn without_trace(check: impl FnOnce(&App, &str)) {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let before = app.rows();
    check(&app, &member);
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

// A good order with some fields in place of others.
fn order_with(app: &App, member: &str, fields: &Value) -> Value {
    let mut order = app.order(member, "A-1", "2026-03-10T11:00:00Z", "29.33");
    for (name, value) in fields.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

#[track_caller]
fn assert_faults(answer: &Answer, expected: &[(&str, &str)]) {
    answer.assert_problem(422, "validation_failed");
    assert_eq!(answer.faults(), expected, "{answer:?}");
}

#[test]
fn a_body_that_is_not_json_is_refused_with_the_place() {
    without_trace(|app, _| {
        for (body, place) in [
            ("{\n  \"order_id\": \"A-1\",\n  \"amount\": }", "line 3, column 13"),
            ("", "line 1, column 0"),
            ("{\"order_id\": \"A-1\"", "line 1, column 18"),
            ("{} {}", "line 1, column 4"),
            ("{\"order_id\": 'A-1'}", "line 1, column 14"),
        ] {
            let answer = app.checkout().send("POST", "/v1/orders", &[], Some(body));
            answer.assert_problem(400, "malformed_json");
            assert!(answer.body["detail"].as_str().unwrap().contains(place), "{body}: {answer:?}");
        }
    });
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    without_trace(|app, _| {
        for body in ["null", "[]", "\"order\"", "1"] {
            let answer = app.checkout().send("POST", "/v1/orders", &[], Some(body));
            assert_faults(&answer, &[("", "wrong_type")]);
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        app.checkout().send("POST", "/v1/orders", &[], Some(&deep)).assert_problem(400, "malformed_json");
    });
}

#[test]
fn unknown_and_missing_fields_are_all_listed() {
    without_trace(|app, _| {
        let body = json!({ "note": 1, "a/b~c": 1, "items": [{}, { "sku": "tea", "quantity": 1, "price": "1" }] });
        let answer = app.checkout().post("/v1/orders", &body);
        answer.assert_problem(422, "validation_failed");
        let mut faults = answer.faults();
        faults.sort_unstable();
        assert_eq!(
            faults,
            [
                ("/amount", "missing"),
                ("/a~1b~0c", "unknown"),
                ("/currency", "missing"),
                ("/items/0/quantity", "missing"),
                ("/items/0/sku", "missing"),
                ("/items/0/unit_price", "contradiction"),
                ("/items/1/price", "unknown"),
                ("/items/1/unit_price", "contradiction"),
                ("/member_id", "missing"),
                ("/note", "unknown"),
                ("/occurred_at", "missing"),
                ("/order_id", "missing"),
            ]
        );
        let answer = app.checkout().post("/v1/members", &json!({ "name": "Ana", "joined_at": null }));
        assert_faults(&answer, &[("/external_id", "missing"), ("/joined_at", "wrong_type"), ("/name", "unknown")]);
    });
}

#[test]
fn every_field_of_an_order_is_checked() {
    without_trace(|app, member| {
        let long = "x".repeat(65);
        let item = |quantity: Value| json!([{ "sku": "tea", "quantity": quantity, "unit_price": "29.33" }]);
        for (fields, fault) in [
            (json!({ "amount": "-1.00" }), ("/amount", "negative")),
            (json!({ "amount": "1.001" }), ("/amount", "too_many_decimals")),
            (json!({ "amount": "1.000" }), ("/amount", "too_many_decimals")),
            (json!({ "amount": "1000000000000.01" }), ("/amount", "too_large")),
            (json!({ "amount": "9".repeat(100) }), ("/amount", "too_large")),
            (json!({ "amount": 29.33 }), ("/amount", "wrong_type")),
            (json!({ "amount": 29 }), ("/amount", "wrong_type")),
            (json!({ "amount": null }), ("/amount", "wrong_type")),
            (json!({ "amount": "1e3" }), ("/amount", "wrong_form")),
            (json!({ "amount": "1,000.00" }), ("/amount", "wrong_form")),
            (json!({ "amount": "+1.00" }), ("/amount", "wrong_form")),
            (json!({ "amount": "" }), ("/amount", "wrong_form")),
            (json!({ "amount": "NaN" }), ("/amount", "wrong_form")),
            (json!({ "discount": "-0.01" }), ("/discount", "negative")),
            (json!({ "currency": "usd" }), ("/currency", "wrong_form")),
            (json!({ "currency": "XXX" }), ("/currency", "wrong_form")),
            (json!({ "occurred_at": "2026-03-10T11:00:00" }), ("/occurred_at", "wrong_form")),
            (json!({ "occurred_at": "2026-03-10" }), ("/occurred_at", "wrong_form")),
            (json!({ "occurred_at": "2026-02-30T11:00:00Z" }), ("/occurred_at", "wrong_form")),
            (json!({ "occurred_at": 1_773_140_400 }), ("/occurred_at", "wrong_type")),
            (json!({ "member_id": "nobody" }), ("/member_id", "wrong_form")),
            (json!({ "member_id": "7f7c1a52-7dcb-4c3c-9a4c-2f3f1a0b9c1d" }), ("/member_id", "wrong_form")),
            (json!({ "order_id": "" }), ("/order_id", "wrong_length")),
            (json!({ "order_id": long }), ("/order_id", "wrong_length")),
            (json!({ "order_id": "A 1" }), ("/order_id", "wrong_form")),
            (json!({ "order_id": "A\u{0}" }), ("/order_id", "wrong_form")),
            (json!({ "order_id": "Ä" }), ("/order_id", "wrong_form")),
            (json!({ "channel": "App" }), ("/channel", "wrong_form")),
            (json!({ "channel": null }), ("/channel", "wrong_type")),
            (json!({ "items": [] }), ("/items", "wrong_length")),
            (json!({ "items": vec![json!({}); 2_001] }), ("/items", "wrong_length")),
            (json!({ "items": {} }), ("/items", "wrong_type")),
            (json!({ "items": item(json!(0)) }), ("/items/0/quantity", "out_of_range")),
            (json!({ "items": item(json!(1.5)) }), ("/items/0/quantity", "wrong_type")),
            (json!({ "items": item(json!("1,5")) }), ("/items/0/quantity", "wrong_form")),
            (json!({ "items": item(json!(1_000_001)) }), ("/items/0/quantity", "out_of_range")),
        ] {
            assert_faults(&app.checkout().post("/v1/orders", &order_with(app, member, &fields)), &[fault]);
        }
    });
}

#[test]
fn items_that_do_not_make_the_amount_are_refused_with_the_sum() {
    without_trace(|app, member| {
        let items = json!([
            { "sku": "tea", "quantity": 3, "unit_price": "10.00" },
            { "sku": "cup", "quantity": 1_000_000, "unit_price": "0.01" },
        ]);
        let fields = json!({ "amount": "10029.99", "items": items, "discount": "0.02" });
        let answer = app.checkout().post("/v1/orders", &order_with(app, member, &fields));
        assert_faults(&answer, &[("/amount", "contradiction")]);
        assert!(answer.body["errors"][0]["message"].as_str().unwrap().ends_with("10029.98"), "{answer:?}");
        // A discount may not make a sum negative either, and the largest sums do not overflow.
        let largest = json!({ "sku": "x", "quantity": 1_000_000, "unit_price": "1000000000000.00" });
        let fields = json!({ "items": vec![largest; 2_000] });
        let answer = app.checkout().post("/v1/orders", &order_with(app, member, &fields));
        assert_faults(&answer, &[("/amount", "contradiction")]);
    });
}

#[test]
fn what_the_rules_refuse_has_a_code_and_the_facts() {
    without_trace(|app, member| {
        let post = |fields: Value| app.checkout().post("/v1/orders", &order_with(app, member, &fields));
        let answer = post(json!({ "currency": "EUR" }));
        answer.assert_problem(422, "currency_mismatch");
        assert_eq!(answer.body["expected"], "USD");
        let answer = post(json!({ "amount": "100000.01" }));
        answer.assert_problem(422, "amount_over_limit");
        assert_eq!(answer.body["maximum_amount"], "100000.00");
        let answer = post(json!({ "occurred_at": "2026-03-10T12:05:00.000001Z" }));
        answer.assert_problem(422, "occurred_in_future");
        assert_eq!(answer.body["minutes"], 5);
        post(json!({ "member_id": nobody() })).assert_problem(404, "member_not_found");
        let future = json!({ "external_id": "ben", "joined_at": "2026-03-10T12:05:00.000001Z" });
        app.checkout().post("/v1/members", &future).assert_problem(422, "joined_in_future");
    });
}

#[test]
fn a_body_is_limited_and_must_be_json() {
    let app = App::at(NOON);
    let member = app.enrol("ana");
    let before = app.rows();
    let order = app.order(&member, "A-1", "2026-03-10T11:00:00Z", "29.33").to_string();
    let padded = |length: usize| format!("{order}{}", " ".repeat(length - order.len()));
    let post = |headers: &[(&str, &str)], body: &str| app.checkout().send("POST", "/v1/orders", headers, Some(body));
    post(&[], &padded(MAX_BODY_OF_ITEMS + 1)).assert_problem(413, "body_too_large");
    // What has no items has less room.
    let (gift, app_of_ana) = (json!({ "to_member_id": member, "points": 1 }).to_string(), app.member(&member));
    let long = format!("{gift}{}", " ".repeat(MAX_BODY));
    app_of_ana.send("POST", "/v1/transfers", &[], Some(&long)).assert_problem(413, "body_too_large");
    for other in
        ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/merge-patch+json"]
    {
        post(&[("content-type", other)], &order).assert_problem(415, "unsupported_media_type");
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
    assert_eq!(post(&[("content-type", "Application/JSON; charset=utf-8")], &padded(MAX_BODY_OF_ITEMS)).status, 201);
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_comes_and_without_a_length_when_it_has_come() {
    let app = App::start();
    let operator = token("operator", &all_scopes().join(" "), None);
    let head = |body: &str| {
        format!(
            "POST /v1/members HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer \
             {operator}\r\n{body}\r\n\r\n"
        )
    };
    let mut connection = app.connect();
    connection.send(head("content-length: 65537").as_bytes());
    connection.answer().assert_problem(413, "body_too_large");
    let mut connection = app.connect();
    connection.send(head("transfer-encoding: chunked").as_bytes());
    connection.send(format!("10001\r\n{}\r\n0\r\n\r\n", " ".repeat(65_537)).as_bytes());
    connection.answer().assert_problem(413, "body_too_large");
}

#[test]
fn a_body_is_never_unpacked() {
    let app = App::sandbox();
    let (operator, id, before) = (app.operator(), app.enrol("ana"), app.rows());
    let packed = ["gzip", "x-gzip", "GZIP", "deflate", "br", "zstd", "compress", "aes128gcm", "gzip, gzip", "*", ""];
    for row in table::calls().filter(|row| row.verb != Verb::Get) {
        let path = row.path.replace("{id}", &id);
        let send = |encodings: &[&str]| {
            let encodings = encodings.iter().map(|encoding| ("content-encoding", *encoding));
            let headers: Vec<_> = encodings.chain([("idempotency-key", "k-1")]).collect();
            operator.send(row.method(), &path, &headers, Some("{\"surprise\":1}"))
        };
        for encoding in packed {
            let answer = send(&[encoding]);
            answer.assert_problem(415, "content_encoding_unsupported");
            assert_eq!(answer.headers["accept-encoding"], "identity");
        }
        send(&["identity", "gzip"]).assert_problem(415, "content_encoding_unsupported");
        send(&["identity, gzip"]).assert_problem(415, "content_encoding_unsupported");
        send(&["Identity"]).assert_problem(422, "validation_failed");
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

#[test]
fn bad_query_parameters_are_all_listed() {
    without_trace(|app, member| {
        let entries = format!("/v1/members/{member}/entries");
        for (address, expected) in [
            ("/v1/members".to_owned(), vec![("/external_id", "missing")]),
            ("/v1/members?external_id=".to_owned(), vec![("/external_id", "wrong_length")]),
            ("/v1/members?external_id=%00".to_owned(), vec![("/external_id", "wrong_form")]),
            ("/v1/members?external_id=ana%20".to_owned(), vec![("/external_id", "surrounding_space")]),
            ("/v1/members?external_id=%E2%80%8B".to_owned(), vec![("/external_id", "invisible")]),
            ("/v1/members?external_id=ana&name=x".to_owned(), vec![("/name", "unknown")]),
            (format!("{entries}?limit=0"), vec![("/limit", "out_of_range")]),
            (format!("{entries}?limit=201&cursor=x"), vec![("/limit", "out_of_range"), ("/cursor", "wrong_form")]),
            (format!("{entries}?limit=ten"), vec![("/limit", "out_of_range")]),
            ("/v1/ledger/entries".to_owned(), vec![("/journal", "missing")]),
            (
                "/v1/ledger/entries?journal=4096&after_seq=-1".to_owned(),
                vec![("/journal", "out_of_range"), ("/after_seq", "out_of_range")],
            ),
            ("/v1/ledger/entries?journal=1&limit=1001".to_owned(), vec![("/limit", "out_of_range")]),
            ("/v1/ledger/export?format=xml".to_owned(), vec![("/format", "not_one_of")]),
            ("/v1/ledger/export?journal=x".to_owned(), vec![("/journal", "out_of_range")]),
        ] {
            let answer = app.operator().get(&address);
            answer.assert_problem(400, "invalid_parameter");
            assert_eq!(answer.faults(), expected, "{address}");
        }
        app.operator().get("/v1/members?external_id=a&external_id=b").assert_problem(400, "invalid_parameter");
        app.operator().get("/v1/ledger/entries?journal=99").assert_problem(404, "journal_not_found");
    });
}

#[test]
fn bad_and_missing_idempotency_keys_are_refused() {
    without_trace(|app, member| {
        let order = app.order(member, "A-1", "2026-03-10T11:00:00Z", "29.33");
        let (checkout, long) = (app.checkout(), "k".repeat(256));
        for key in ["", "two words", &long] {
            checkout.post_keyed("/v1/orders", key, &order).assert_problem(400, "invalid_parameter");
        }
        let twice = [("idempotency-key", "k-1"), ("idempotency-key", "k-1")];
        let answer = checkout.send("POST", "/v1/orders", &twice, Some(&order.to_string()));
        answer.assert_problem(400, "invalid_parameter");
        let address = format!("/v1/members/{member}");
        let change = json!({ "tags": ["vip"] }).to_string();
        checkout.send("PATCH", &address, &[], Some(&change)).assert_problem(400, "idempotency_key_required");
        let version = json!({ "effective_at": "2026-03-10T13:00:00Z", "document": program() });
        app.operator().post("/v1/program/versions", &version).assert_problem(400, "idempotency_key_required");
    });
}

fn program() -> Value {
    serde_json::to_value(crate::support::PROGRAM.parse::<toml::Table>().unwrap()).unwrap()
}

#[test]
fn a_bad_programme_is_refused_whole_with_every_fault() {
    without_trace(|app, _| {
        let mut document = program();
        document["time_zone"] = json!("Mars/Olympus");
        document["earning"]["rounding"] = json!("sideways");
        document["earning"]["pending"] = json!("14 days");
        document["stars"] = json!([]);
        let version = json!({ "effective_at": "2026-03-10T13:00:00", "document": document });
        let answer = app.operator().post_keyed("/v1/program/versions", "k-1", &version);
        assert_faults(
            &answer,
            &[
                ("/effective_at", "wrong_form"),
                ("/document/time_zone", "wrong_form"),
                ("/document/earning/rounding", "not_one_of"),
                ("/document/earning/pending", "wrong_form"),
                ("/document/stars", "unknown"),
            ],
        );
    });
}

#[test]
fn another_address_is_not_found_and_another_method_is_told_which_are_taken() {
    without_trace(|app, member| {
        let operator = app.operator();
        for address in ["/", "/v1", "/v2/orders", "/v1/orders/A-1/items", "/v1/members/", "/V1/orders"] {
            operator.get(address).assert_problem(404, "not_found");
        }
        for (method, address, allow) in [
            ("GET", "/v1/orders".to_owned(), "POST"),
            ("DELETE", "/v1/orders/A-1".to_owned(), "GET, HEAD"),
            ("PUT", "/v1/members".to_owned(), "POST, GET, HEAD"),
            ("DELETE", format!("/v1/members/{member}"), "GET, HEAD, PATCH"),
            ("POST", format!("/v1/members/{member}/wallet"), "GET, HEAD"),
            ("DELETE", "/v1/ledger/entries".to_owned(), "GET, HEAD"),
            ("POST", "/livez".to_owned(), "GET, HEAD"),
        ] {
            let body = (method != "GET" && method != "DELETE").then_some("{}");
            let answer = operator.send(method, &address, &[], body);
            answer.assert_problem(405, "method_not_allowed");
            assert_eq!(answer.headers["allow"], allow, "{method} {address}");
        }
    });
}

#[test]
fn what_has_lapsed_left_or_never_was_is_refused_by_every_call_that_names_it() {
    let app = App::at(NOON);
    let (operator, ana) = (app.operator(), app.enrol("ana"));
    let made = |path: &str, body: Value| {
        let answer = operator.ask(path, &body);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["id"].as_str().unwrap().to_owned()
    };
    made("/v1/adjustments", json!({ "member_id": ana, "points": 500, "reason": "goodwill" }));
    let cause = made("/v1/causes", json!({ "name": "Trees" }));
    let hold = made("/v1/redemptions", json!({ "member_id": ana, "points": 100, "hold": { "ttl": "15m" } }));
    app.clock.set(instant("2026-03-10T13:00:00Z"));
    let back = format!("/v1/redemptions/{hold}/return");
    operator.ask(&back, &json!({})).assert_problem(409, "hold_lapsed");
    let mut order = app.order(&ana, "A-1", NOON, "50");
    order["redemption_ids"] = json!([hold]);
    operator.post("/v1/orders", &order).assert_problem(409, "hold_lapsed");
    operator.ask("/v1/redemptions/x/return", &json!({})).assert_problem(404, "redemption_not_found");
    let reward = json!({
        "name": "Umbrella", "kind": "product", "points": 5,
        "available_from": "2026-03-02T00:00:00Z", "available_until": "2026-03-01T00:00:00Z",
    });
    operator.ask("/v1/rewards", &reward).assert_problem(422, "window_ends_before_it_begins");
    assert_eq!(operator.ask(&format!("/v1/members/{ana}/close"), &json!({})).status, 200);
    for (path, body) in [
        ("/v1/donations", json!({ "member_id": ana, "cause_id": cause, "points": 1 })),
        ("/v1/redemptions", json!({ "member_id": ana, "points": 1 })),
        ("/v1/adjustments", json!({ "member_id": ana, "points": 1, "reason": "goodwill" })),
    ] {
        operator.ask(path, &body).assert_problem(409, "member_closed");
    }
}

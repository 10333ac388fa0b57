//! Members: enrolment, personal data, what the app polls, and statements.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Answer, App, NOON, balances, instant, nobody};

fn enrol(app: &App, body: &Value) -> Answer {
    app.checkout().post("/v1/members", body)
}

#[test]
fn an_enrolment_answers_with_the_member() {
    let app = App::at(NOON);
    let answer = enrol(&app, &json!({ "external_id": "customer-4711" }));
    let id: accrue::domain::ids::MemberId = answer.body["id"].as_str().unwrap().parse().unwrap();
    let expected = json!({
        "id": id.to_string(), "external_id": "customer-4711", "status": "active",
        "joined_at": "2026-03-10T12:00:00.000000Z", "birthday": null, "tags": [],
        "wallet": { "active": 0, "debt": 0, "held": 0, "pending": 0 }, "journal": id.journal(),
    });
    assert_eq!((answer.status, &answer.body), (201, &expected));

    let full = json!({ "external_id": "ben", "birthday": "2000-02-29", "joined_at": "2019-05-01T00:30:00+02:00" });
    let answer = enrol(&app, &full);
    assert_eq!((answer.status, &answer.body["birthday"]), (201, &json!("2000-02-29")), "{answer:?}");
    assert_eq!(answer.body["joined_at"], "2019-04-30T22:30:00.000000Z");
}

#[test]
fn the_same_enrolment_again_gets_the_first_answer() {
    let app = App::at(NOON);
    let body = json!({ "external_id": "ana", "joined_at": "2026-03-01T12:00:00Z" });
    let first = enrol(&app, &body);
    assert_eq!((first.status, first.replayed()), (201, false), "{first:?}");
    let before = app.rows();
    // Also later, in other words, and after the member has changed.
    app.clock.set(instant("2026-03-11T12:00:00Z"));
    let again = enrol(&app, &json!({ "joined_at": "2026-03-01T07:00:00-05:00", "external_id": "ana" }));
    assert_eq!((again.status, &again.text, again.replayed()), (201, &first.text, true), "{again:?}");
    assert_eq!(app.rows(), before);
    let address = format!("/v1/members/{}", first.body["id"].as_str().unwrap());
    assert_eq!(app.checkout().patch(&address, "k-1", &json!({ "tags": ["vip"] })).status, 200);
    assert_eq!(enrol(&app, &body).text, first.text);
}

#[test]
fn another_enrolment_under_the_same_external_id_is_refused() {
    let app = App::at(NOON);
    app.enrol("ana");
    let before = app.rows();
    for other in
        [json!({ "external_id": "ana", "birthday": "2000-02-29" }), json!({ "external_id": "ana", "joined_at": NOON })]
    {
        enrol(&app, &other).assert_problem(409, "external_id_conflict");
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

#[test]
fn bad_enrolments_are_refused() {
    let app = App::at(NOON);
    let before = app.rows();
    for (body, fault) in [
        (json!({ "external_id": "" }), ("/external_id", "wrong_length")),
        (json!({ "external_id": "x".repeat(129) }), ("/external_id", "wrong_length")),
        (json!({ "external_id": "a\u{0}" }), ("/external_id", "wrong_form")),
        (json!({ "external_id": 4711 }), ("/external_id", "wrong_type")),
        (json!({ "external_id": "ana\u{a0}" }), ("/external_id", "surrounding_space")),
        (json!({ "external_id": "an\u{202e}a" }), ("/external_id", "invisible")),
        (json!({ "external_id": "\u{200b}\u{2060}" }), ("/external_id", "invisible")),
        (json!({ "external_id": "cafe\u{301}" }), ("/external_id", "not_nfc")),
        (json!({ "external_id": "ana", "birthday": "2001-02-29" }), ("/birthday", "wrong_form")),
        (json!({ "external_id": "ana", "birthday": "29.02.2000" }), ("/birthday", "wrong_form")),
        (json!({ "external_id": "ana", "joined_at": "2026-03-01T12:00:00" }), ("/joined_at", "wrong_form")),
    ] {
        let answer = enrol(&app, &body);
        answer.assert_problem(422, "validation_failed");
        assert_eq!(answer.faults(), [fault]);
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
    // Characters count, not bytes.
    assert_eq!(enrol(&app, &json!({ "external_id": "ü".repeat(128) })).status, 201);
}

#[test]
fn members_are_spread_over_the_journals_and_keep_theirs() {
    let app = App::at(NOON);
    let ids: Vec<String> = (0..40).map(|n| app.enrol(&format!("customer-{n}"))).collect();
    let journal = |id: &String| app.checkout().get(&format!("/v1/members/{id}")).body["journal"].as_i64().unwrap();
    let journals: Vec<i64> = ids.iter().map(journal).collect();
    assert_eq!(journals.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([1, 2]));
    assert!(app.checkout().post("/v1/members", &json!({ "external_id": "customer-0" })).replayed());
}

#[test]
fn a_member_is_found_by_id_and_by_external_id() {
    let app = App::at(NOON);
    let (finance, checkout) = (app.finance(), app.checkout());
    let odd = "ana & ben/50% + ü";
    let id = app.enrol(odd);
    checkout.post("/v1/orders", &app.order(&id, "A-1", "2026-03-10T11:00:00Z", "5"));
    let member = finance.get(&format!("/v1/members/{id}"));
    assert_eq!((member.status, &member.body["external_id"]), (200, &json!(odd)), "{member:?}");
    assert_eq!(member.body["wallet"]["pending"], 5);
    let found = finance.get("/v1/members?external_id=ana%20%26%20ben%2F50%25%20%2B%20%C3%BC");
    assert_eq!((found.status, &found.body), (200, &json!({ "members": [member.body] })));
    assert_eq!(finance.get("/v1/members?external_id=Ana").body, json!({ "members": [] }));
    finance.get("/v1/members?external_id=ana%20").assert_problem(400, "invalid_parameter");
    for unknown in [nobody(), "x".to_owned(), "me".to_owned(), uuid::Uuid::new_v4().to_string()] {
        for part in ["", "/wallet", "/entries"] {
            finance.get(&format!("/v1/members/{unknown}{part}")).assert_problem(404, "member_not_found");
        }
    }
}

#[test]
fn a_change_sets_what_it_names_clears_what_is_null_and_leaves_the_rest() {
    let app = App::at(NOON);
    let (checkout, id) = (app.checkout(), app.enrol("ana"));
    let address = format!("/v1/members/{id}");
    let steps = [
        (json!({ "birthday": "2000-02-29", "tags": ["vip", "a.b:c_d-1", "vip"] }), json!("2000-02-29"), 2),
        (json!({ "birthday": null }), json!(null), 2),
        (json!({ "birthday": "1999-12-31" }), json!("1999-12-31"), 2),
        (json!({ "tags": [] }), json!("1999-12-31"), 0),
        (json!({}), json!("1999-12-31"), 0),
    ];
    for (n, (change, birthday, tags)) in steps.into_iter().enumerate() {
        let answer = checkout.patch(&address, &format!("k-{n}"), &change);
        assert_eq!((answer.status, &answer.body["birthday"]), (200, &birthday), "{change}: {answer:?}");
        assert_eq!(answer.body["tags"].as_array().unwrap().len(), tags);
        assert_eq!(checkout.get(&address).body, answer.body);
    }
    // An entry for each real change, which names the fields and nothing of their content (invariant 8).
    let statement = checkout.get(&format!("{address}/entries"));
    let details =
        statement.body["entries"].as_array().unwrap().iter().rev().skip(1).map(|line| line["details"].clone());
    let expected = [json!(["birthday", "tags"]), json!(["birthday"]), json!(["birthday"]), json!(["tags"])];
    assert_eq!(details.collect::<Vec<_>>(), expected.map(|fields| json!({ "fields": fields })));
}

#[test]
fn bad_changes_are_refused() {
    let app = App::at(NOON);
    let (checkout, id) = (app.checkout(), app.enrol("ana"));
    let before = app.rows();
    let tags: Vec<String> = (0..33).map(|n| format!("t{n}")).collect();
    for (change, fault) in [
        (json!({ "tags": null }), ("/tags", "wrong_type")),
        (json!({ "tags": tags }), ("/tags", "wrong_length")),
        (json!({ "tags": ["ok", "Not Ok"] }), ("/tags/1", "wrong_form")),
        (json!({ "tags": [""] }), ("/tags/0", "wrong_length")),
        (json!({ "birthday": "yesterday" }), ("/birthday", "wrong_form")),
        (json!({ "status": "closed" }), ("/status", "unknown")),
    ] {
        let answer = checkout.patch(&format!("/v1/members/{id}"), "k-1", &change);
        answer.assert_problem(422, "validation_failed");
        assert_eq!(answer.faults(), [fault]);
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
    checkout.patch(&format!("/v1/members/{}", nobody()), "k-1", &json!({})).assert_problem(404, "member_not_found");
}

#[test]
fn the_same_change_under_the_same_key_gets_the_first_answer() {
    let app = App::at(NOON);
    let (checkout, id, other) = (app.checkout(), app.enrol("ana"), app.enrol("ben"));
    let address = format!("/v1/members/{id}");
    let first = checkout.patch(&address, "k-1", &json!({ "tags": ["b", "a"], "birthday": null }));
    assert_eq!((first.status, first.replayed()), (200, false), "{first:?}");
    assert_eq!(checkout.patch(&address, "k-2", &json!({ "tags": ["c"] })).status, 200);
    let before = app.rows();
    let again = checkout.patch(&address, "k-1", &json!({ "birthday": null, "tags": ["a", "b"] }));
    assert_eq!((again.status, &again.text, again.replayed()), (200, &first.text, true), "{again:?}");
    assert_eq!(checkout.get(&address).body["tags"], json!(["c"]));
    for (address, change) in [
        (address.clone(), json!({ "tags": ["a"] })),
        // Null is not the same as nothing.
        (address, json!({ "tags": ["a", "b"] })),
        (format!("/v1/members/{other}"), json!({ "tags": ["b", "a"], "birthday": null })),
    ] {
        checkout.patch(&address, "k-1", &change).assert_problem(409, "idempotency_key_conflict");
    }
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

#[test]
fn what_the_app_polls_is_sent_again_only_when_it_changed() {
    let app = App::at(NOON);
    let id = app.enrol("ana");
    let (checkout, phone) = (app.checkout(), app.member(&id));
    for address in ["/v1/members/me", "/v1/members/me/wallet", "/v1/members/me/entries", "/v1/members/me/lots"] {
        let known = |etag: &str| phone.send("GET", address, &[("if-none-match", etag)], None);
        let etag = |answer: &Answer| answer.headers["etag"].clone();
        let unchanged = |tag: &str| {
            let answer = known(tag);
            assert_eq!((answer.status, answer.text.as_str(), &etag(&answer)), (304, "", &etag(&phone.get(address))));
        };
        app.clock.set(instant(NOON));
        let first = phone.get(address);
        assert_eq!(first.status, 200);
        unchanged(&etag(&first));
        unchanged("*");
        unchanged(&format!("\"other\", {}", etag(&first)));
        assert_eq!(known("W/\"other\"").status, 200);
        // Time alone changes nothing until something falls due.
        app.clock.set(instant("2026-03-10T12:30:00Z"));
        unchanged(&etag(&first));

        checkout.post("/v1/orders", &app.order(&id, &format!("{}-1", address.len()), "2026-03-10T11:00:00Z", "29.33"));
        let second = known(&etag(&first));
        assert_eq!(second.status, 200);
        assert_ne!(etag(&second), etag(&first));
        unchanged(&etag(&second));
    }
    let pending = phone.get("/v1/members/me/wallet");
    app.clock.set(instant("2026-03-24T11:00:00Z"));
    let active = phone.send("GET", "/v1/members/me/wallet", &[("if-none-match", &pending.headers["etag"])], None);
    let expected = json!({
        "active": 116, "debt": 0, "held": 0, "pending": 0, "lifetime_earned": 116, "lifetime_spent": 0,
        "expiring": [{ "points": 116, "expires_at": "2027-04-01T04:00:00.000000Z" }],
        "as_of": "2026-03-24T11:00:00.000000Z",
    });
    assert_eq!((active.status, &active.body), (200, &expected));
}

fn total(balance: &Value) -> i64 {
    let part = |name: &str| balance[name].as_i64().unwrap();
    part("active") + part("pending") + part("held") - part("debt")
}

#[test]
fn a_statement_runs_from_the_newest_entry_back_with_a_balance_that_adds_up() {
    let app = App::at(NOON);
    let (checkout, id) = (app.checkout(), app.enrol("ana"));
    for (n, occurred_at) in ["2026-03-10T11:00:00Z", "2024-01-15T12:00:00Z", "2026-01-15T12:00:00Z"].iter().enumerate()
    {
        checkout.post("/v1/orders", &app.order(&id, &format!("A-{n}"), occurred_at, "10.50"));
    }
    app.clock.set(instant("2027-05-01T12:00:00Z"));
    checkout.post("/v1/orders", &app.order(&id, "A-9", "2027-05-01T11:00:00Z", "3"));
    let statement = checkout.get(&format!("/v1/members/{id}/entries"));
    assert_eq!((statement.status, &statement.body["next_cursor"]), (200, &Value::Null), "{statement:?}");
    let lines = statement.body["entries"].as_array().unwrap();
    assert_eq!(lines.last().unwrap()["kind"], "member.enrolled");
    assert_eq!(total(&lines.last().unwrap()["balance_after"]), 0);
    for pair in lines.windows(2) {
        let (newer, older) = (&pair[0], &pair[1]);
        assert!(newer["seq"].as_i64() > older["seq"].as_i64());
        assert!(newer["recorded_at"].as_str() >= older["recorded_at"].as_str());
        let expected = total(&older["balance_after"]) + newer["points"].as_i64().unwrap();
        assert_eq!(total(&newer["balance_after"]), expected, "{newer}");
        assert_eq!(newer["details"].get("balance"), None);
    }
    let wallet = balances(&checkout.get(&format!("/v1/members/{id}/wallet")).body);
    assert_eq!(lines[0]["balance_after"], wallet);
    assert_eq!(total(&wallet), 3);
}

#[test]
fn pages_of_a_statement_have_no_gap_and_no_overlap() {
    let app = App::at(NOON);
    let (checkout, id) = (app.checkout(), app.enrol("ana"));
    let post = |n: usize| checkout.post("/v1/orders", &app.order(&id, &format!("A-{n}"), "2026-03-10T11:00:00Z", "1"));
    (0..8).for_each(|n| assert_eq!(post(n).status, 201));
    let address = format!("/v1/members/{id}/entries");
    let whole = checkout.get(&format!("{address}?limit=200")).body["entries"].as_array().unwrap().clone();
    assert_eq!(whole.len(), 9);
    for limit in [1, 2, 3, 8, 9, 10] {
        let (mut lines, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let page = checkout.get(&format!("{address}{query}")).body;
            let entries = page["entries"].as_array().unwrap();
            assert!((1..=limit).contains(&entries.len()), "a page of {} where {limit} were asked for", entries.len());
            lines.extend(entries.iter().cloned());
            // What is written meanwhile comes before the pages that are still to come.
            assert_eq!(post(100 * limit + lines.len()).status, 201);
            match page["next_cursor"].as_str() {
                Some(cursor) => query = format!("?limit={limit}&cursor={cursor}"),
                None => break,
            }
        }
        let seen = lines.iter().position(|line| *line == whole[0]).expect("the newest of before");
        assert_eq!(lines[seen..], whole, "pages of {limit}");
    }
    let default = checkout.get(&address).body;
    assert_eq!(default["entries"].as_array().unwrap().len(), 50.min(app_entries(&app, &id)));
}

fn app_entries(app: &App, id: &str) -> usize {
    app.checkout().get(&format!("/v1/members/{id}/entries?limit=200")).body["entries"].as_array().unwrap().len()
}

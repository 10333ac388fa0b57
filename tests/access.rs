//! Who may call what: the table, tried row by row, in a sandbox where all of its addresses are.

use std::time::{Duration, SystemTime};

use accrue::domain::ids::MemberId;
use accrue::http::access::{MEMBER_SCOPE, all_scopes};
use accrue::http::auth::{DevelopmentKey, Scopes, TokenClaims};
use accrue::http::call::{Call, Need, Verb};
use accrue::http::table;
use accrue::postgres::clock::Clock;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::{Answer, App, Client, Database, NOON, demo, instant, nobody, scratch, token};

// Calls a row of the table for `id`, with a body that no handler takes.
fn call(client: &Client, row: &Call, id: &str) -> Answer {
    let path = row.path.replace("{id}", id).replace("{order_id}", "A-1").replace("{version}", "1");
    let body = (row.verb != Verb::Get).then_some("{\"surprise\":1}");
    let answer = client.send(row.method(), &path, &[], body);
    let request_id = answer.headers.get("x-request-id").unwrap_or_else(|| panic!("{row:?} without a request id"));
    assert!(uuid::Uuid::try_parse(request_id).is_ok(), "{request_id}");
    answer
}

// A sandbox whose programme has tiers, so that there is something under every address.
fn sandbox() -> App {
    let app = App::on(Database::sandbox(), Clock::stopped_at(instant("2026-03-10T11:00:00Z")), |_| {});
    app.publish(NOON, |document| document["tiers"] = demo()["tiers"].clone());
    app
}

#[test]
fn without_a_token_only_the_open_addresses_answer() {
    let app = App::sandbox();
    let (anyone, id) = (app.client(None), app.enrol("ana"));
    for row in table::calls() {
        let answer = call(&anyone, row, &id);
        if row.need == Need::Nothing {
            assert_eq!(answer.status, 200, "{row:?}");
        } else {
            answer.assert_problem(401, "token_missing");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
}

#[test]
fn a_client_reaches_what_its_scopes_open_and_nothing_else() {
    let app = sandbox();
    let id = app.enrol("ana");
    for row in table::calls() {
        let (Need::Scope(scope) | Need::ScopeOrMember(scope)) = row.need else { continue };
        let others: Vec<&str> = all_scopes().into_iter().filter(|other| *other != scope).collect();
        // The scope of members opens nothing to a client.
        let others = format!("{} {MEMBER_SCOPE}", others.join(" "));
        call(&app.client(Some(token("till", &others, None))), row, &id).assert_problem(403, "scope_missing");
        call(&app.client(Some(token("till", "", None))), row, &id).assert_problem(403, "scope_missing");
        let allowed = call(&app.client(Some(token("till", scope, None))), row, &id);
        let reached = matches!(allowed.status, 200 | 400 | 422) || allowed.code() == "order_not_found";
        assert!(reached, "{row:?}: {allowed:?}");
    }
}

#[test]
fn a_members_token_reaches_that_member_alone() {
    let app = sandbox();
    let (id, other) = (app.enrol("ana"), app.enrol("ben"));
    let every_scope = format!("{} {MEMBER_SCOPE}", all_scopes().join(" "));
    let member: MemberId = id.parse().unwrap();
    let client = |scopes: &str| app.client(Some(token("app", scopes, Some(member))));
    for row in table::calls() {
        match row.need {
            Need::Nothing => assert_eq!(call(&client(MEMBER_SCOPE), row, "me").status, 200, "{row:?}"),
            // Whatever else the token says: a member's token opens nothing that is for clients.
            Need::Scope(_) => {
                for (scopes, id) in [(MEMBER_SCOPE, "me"), (&every_scope, "me"), (&every_scope, &id)] {
                    call(&client(scopes), row, id).assert_problem(403, "scope_missing");
                }
            }
            // What is the member's own is for the handlers to find out, each in its own tests.
            Need::ScopeOrOwner(scope) => {
                let own = call(&client(MEMBER_SCOPE), row, "me");
                assert!(matches!(own.status, 200 | 400 | 404 | 415 | 422), "{row:?}: {own:?}");
                call(&client(scope), row, "me").assert_problem(403, "scope_missing");
            }
            Need::ScopeOrMember(scope) => {
                let own = call(&client(MEMBER_SCOPE), row, "me");
                assert_eq!(own.status, 200, "{row:?}: {own:?}");
                assert_eq!(call(&client(MEMBER_SCOPE), row, &id).status, 200, "{row:?}");
                call(&client(scope), row, "me").assert_problem(403, "scope_missing");
                // Other members look exactly like unknown ones, and like what is no id at all.
                let unknown = call(&client(&every_scope), row, &nobody());
                unknown.assert_problem(404, "member_not_found");
                for stranger in [other.as_str(), "x", "ME", "%256de", "..%2Fme"] {
                    let answer = call(&client(&every_scope), row, stranger);
                    assert_eq!((answer.status, &answer.text), (404, &unknown.text), "{stranger}: {answer:?}");
                }
                let names = |answer: &Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
                assert_eq!(names(&call(&client(MEMBER_SCOPE), row, &other)), names(&unknown));
            }
        }
    }
}

#[test]
fn an_address_in_percent_encoding_is_that_address() {
    let app = App::sandbox();
    let (anyone, id) = (app.client(None), app.enrol("ana"));
    let member = app.member(&id);
    for row in table::calls() {
        // The second letter of each part in percent-encoding.
        let encoded = |part: &str| match part.split_at_checked(2) {
            Some((begin, rest)) if !part.starts_with('{') => {
                format!("{}%{:02x}{rest}", &begin[..1], begin.as_bytes()[1])
            }
            _ => part.to_owned(),
        };
        let path: Vec<String> = row.path.split('/').map(encoded).collect();
        let (plain, row) = (row, Call { path: path.join("/").leak(), ..*row });
        for (client, id) in [(&anyone, id.as_str()), (&member, "%6de"), (&member, "me"), (&app.operator(), &id)] {
            let (answer, expected) = (call(client, &row, id), call(client, plain, &id.replace("%6d", "m")));
            assert_eq!((answer.status, answer.code()), (expected.status, expected.code()), "{row:?} as {id}");
        }
    }
    let wrong = anyone.send("DELETE", "/l%69vez", &[], None);
    wrong.assert_problem(405, "method_not_allowed");
}

#[test]
fn me_is_nobody_to_a_client() {
    let app = App::start();
    for row in table::calls().filter(|row| matches!(row.need, Need::ScopeOrMember(_))) {
        call(&app.operator(), row, "me").assert_problem(404, "member_not_found");
    }
}

#[test]
fn a_member_that_is_known_by_its_token_alone_is_not_found() {
    let app = App::start();
    for row in table::calls().filter(|row| matches!(row.need, Need::ScopeOrMember(_))) {
        call(&app.member(&nobody()), row, "me").assert_problem(404, "member_not_found");
    }
}

#[test]
fn a_token_in_the_address_is_not_looked_at() {
    let app = App::start();
    let good = token("operator", &all_scopes().join(" "), None);
    for name in ["access_token", "token", "authorization"] {
        let address = format!("/v1/ledger/journals?{name}={good}");
        app.client(None).get(&address).assert_problem(401, "token_missing");
    }
    let cookie = format!("access_token={good}");
    app.client(None)
        .send("GET", "/v1/ledger/journals", &[("cookie", &cookie)], None)
        .assert_problem(401, "token_missing");
}

#[test]
fn bad_tokens_are_refused_with_the_reason() {
    let app = App::start();
    // The key is made by then.
    let good = token("operator", &all_scopes().join(" "), None);
    let key = DevelopmentKey::load_or_create(&scratch()).unwrap();
    let claims = || TokenClaims {
        issuer: "accrue".to_owned(),
        audience: "accrue".to_owned(),
        subject: "operator".to_owned(),
        member: None,
        scopes: Scopes::parse(&all_scopes().join(" ")),
        issued_at: SystemTime::now(),
        ttl: Duration::from_secs(600),
    };
    let hours_ago = SystemTime::now() - Duration::from_secs(7_200);
    let expired = key.issue(&TokenClaims { issued_at: hours_ago, ..claims() }).unwrap();
    let elsewhere = key.issue(&TokenClaims { audience: "payments".to_owned(), ..claims() }).unwrap();
    let stranger = key.issue(&TokenClaims { issuer: "mallory".to_owned(), ..claims() }).unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "typ": "JWT" }).to_string());
    let unsigned = format!("{none}.{}.", parts[1]);
    let raised = URL_SAFE_NO_PAD.encode(json!({ "iss": "accrue", "aud": "accrue", "sub": "operator" }).to_string());
    let forged = format!("{}.{raised}.{}", parts[0], parts[2]);
    for (bad, code) in [
        (expired.as_str(), "token_expired"),
        (&elsewhere, "token_audience_wrong"),
        (&stranger, "token_issuer_wrong"),
        (&unsigned, "token_algorithm_not_allowed"),
        (&forged, "token_signature_invalid"),
        ("x", "token_malformed"),
        (&"x".repeat(20_000), "token_too_long"),
    ] {
        let answer = app.client(Some(bad.to_owned())).get("/v1/ledger/journals");
        answer.assert_problem(401, code);
        assert!(!answer.text.contains(parts[1]), "an answer repeats the token");
    }
    let basic = [("authorization", "Basic YTpi")];
    let answer = app.client(None).send("GET", "/v1/ledger/journals", &basic, None);
    answer.assert_problem(401, "authorization_not_bearer");
    let bearer = format!("Bearer {good}");
    let answer = app.client(Some(good.clone())).send("GET", "/v1/ledger/journals", &[("authorization", &bearer)], None);
    answer.assert_problem(401, "authorization_repeated");
    assert_eq!(app.client(Some(good)).get("/v1/ledger/journals").status, 200);
}

#[test]
fn access_is_refused_before_anything_is_read() {
    let app = App::start();
    let before = app.rows();
    let order = app.order(&nobody(), "A-1", "2026-03-10T11:00:00Z", "1");
    let finance = app.finance();
    finance.post_keyed("/v1/orders", "k-1", &order).assert_problem(403, "scope_missing");
    finance.send("POST", "/v1/orders", &[], Some("{")).assert_problem(403, "scope_missing");
    finance.post("/v1/members", &json!({ "external_id": "ana" })).assert_problem(403, "scope_missing");
    app.client(None).send("POST", "/v1/orders", &[], Some("{")).assert_problem(401, "token_missing");
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

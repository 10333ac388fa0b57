//! How often something may be asked, and who is not told to wait for what others do.

use std::time::{Duration, SystemTime};

use accrue::http::access::{MEMBER_SCOPE, all_scopes};
use accrue::http::auth::{DevelopmentKey, Scopes, TokenClaims};
use accrue::http::call::Need;
use accrue::http::table;
use accrue::http::{LimitsConfig, ServiceConfig};
use serde_json::json;

use crate::support::{Answer, App, Client, Serving, scratch, token};

const NONE: LimitsConfig = LimitsConfig { member_calls: 0, receiver_lookups: 0, failed_tokens: 0 };

fn with(limits: LimitsConfig) -> App {
    let allowed = ServiceConfig { limits, ..ServiceConfig::default() };
    App::reached(Serving { allowed, ..Serving::default() })
}

fn give(client: &Client, external_id: &str) -> Answer {
    client.ask("/v1/transfers", &json!({ "to_external_id": external_id, "points": 5 }))
}

#[track_caller]
fn assert_told_to_wait(answer: &Answer, code: &str, at_most: u64) {
    answer.assert_problem(429, code);
    let seconds: u64 = answer.headers["retry-after"].parse().expect("whole seconds");
    assert!((1..=at_most).contains(&seconds), "{answer:?}");
}

#[test]
fn a_member_can_ask_few_times_in_an_hour_whether_somebody_is_a_customer() {
    let app = with(LimitsConfig { receiver_lookups: 4, ..NONE });
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    let before = app.rows();
    for external_id in ["ben", "nobody", "ben", "nobody"] {
        let answer = give(&app.member(&ana), external_id);
        let expected = if external_id == "ben" { "insufficient_points" } else { "receiver_not_found" };
        assert_eq!(answer.code(), expected, "{answer:?}");
    }
    // Whoever is asked for, and with whichever of the member's tokens: the answer says nothing.
    let another = token("web", MEMBER_SCOPE, Some(ana.parse().unwrap()));
    for external_id in ["ben", "nobody"] {
        let answers = [give(&app.member(&ana), external_id), give(&app.client(Some(another.clone())), external_id)];
        for answer in answers {
            assert_told_to_wait(&answer, "too_many_lookups", 15 * 60 + 1);
        }
    }
    // Who is named by the member's id is not looked up, and others have their own number.
    let known = json!({ "to_member_id": ben, "points": 5 });
    assert_eq!(app.member(&ana).ask("/v1/transfers", &known).code(), "insufficient_points");
    assert_eq!(give(&app.member(&ben), "ana").code(), "insufficient_points");
    let body = json!({ "from_member_id": ana, "to_external_id": "ben", "points": 5 });
    for _ in 0..20 {
        assert_eq!(app.operator().ask("/v1/transfers", &body).code(), "insufficient_points");
    }
    // Refusals by the rules are remembered; those by a limit are not.
    let keys = |rows: &[(&str, i64)]| rows.iter().find(|row| row.0 == "idempotency").unwrap().1;
    assert_eq!(keys(&app.rows()) - keys(&before), 2 + 1 + 1 + 20);
}

#[test]
fn a_request_that_waited_for_a_limit_is_decided_afresh_under_the_same_key() {
    let app = with(LimitsConfig { member_calls: 60, ..NONE });
    let ana = app.enrol("ana");
    let key = "k-1";
    let body = json!({ "member_id": "me", "points": 5 });
    for _ in 0..60 {
        app.member(&ana).get("/v1/members/me/wallet");
    }
    let mut answer = app.member(&ana).post_keyed("/v1/redemptions", key, &body);
    assert_told_to_wait(&answer, "too_many_calls", 2);
    crate::support::wait_for("the limit to let it pass", || {
        answer = app.member(&ana).post_keyed("/v1/redemptions", key, &body);
        answer.status != 429
    });
    answer.assert_problem(409, "insufficient_points");
}

#[test]
fn a_members_token_may_call_so_often_in_a_minute_whatever_it_calls() {
    let app = with(LimitsConfig { member_calls: 30, ..NONE });
    let (ana, ben) = (app.enrol("ana"), app.enrol("ben"));
    // What is not open to it counts as well.
    for path in ["/v1/members/me/wallet", "/v1/ledger/journals", "/v1/members/x"].iter().cycle().take(30) {
        assert_ne!(app.member(&ana).get(path).status, 429);
    }
    for row in table::calls().filter(|row| row.need != Need::Nothing) {
        let answer = app.member(&ana).send(row.method(), &row.path.replace("{id}", "me"), &[], None);
        if answer.status == 404 && answer.code() == "not_found" {
            continue; // It is for sandboxes.
        }
        assert_told_to_wait(&answer, "too_many_calls", 3);
    }
    assert_eq!(app.member(&ben).get("/v1/members/me/wallet").status, 200);
    for _ in 0..40 {
        assert_eq!(app.checkout().get(&format!("/v1/members/{ana}/wallet")).status, 200);
    }
    assert_eq!(app.client(None).get("/livez").status, 200);
}

#[test]
fn bad_tokens_make_their_address_wait_and_no_good_one() {
    let app = with(LimitsConfig { failed_tokens: 5, ..NONE });
    let good = token("operator", &all_scopes().join(" "), None);
    let forged = format!("{}x", &good[..good.len() - 9]);
    let expired = DevelopmentKey::load_or_create(&scratch()).unwrap();
    let expired = expired.issue(&TokenClaims {
        issuer: "accrue".to_owned(),
        audience: "accrue".to_owned(),
        subject: "operator".to_owned(),
        member: None,
        scopes: Scopes::default(),
        issued_at: SystemTime::now() - Duration::from_secs(7_200),
        ttl: Duration::from_secs(600),
    });
    let get = |token: Option<&str>| app.client(token.map(str::to_owned)).get("/v1/ledger/journals");
    // What an issuer's callers meet, and what brings no token, is no guess.
    for _ in 0..10 {
        get(expired.as_deref().ok()).assert_problem(401, "token_expired");
        get(None).assert_problem(401, "token_missing");
    }
    for bad in [&forged, "x", &forged, "x.y.z", &forged] {
        assert_eq!(get(Some(bad)).status, 401, "{bad}");
    }
    for bad in [&forged, "x", "a-new-one"] {
        assert_told_to_wait(&get(Some(bad)), "too_many_failed_tokens", 13);
    }
    // Behind a proxy everybody has one address. A good token that was never seen passes as well.
    assert_eq!(get(Some(&good)).status, 200);
    assert_eq!(get(Some(&token("finance", "ledger:read", None))).status, 200);
    get(expired.as_deref().ok()).assert_problem(401, "token_expired");
    get(None).assert_problem(401, "token_missing");
}

#[test]
fn limits_are_there_unless_they_are_turned_off() {
    let app = App::start();
    let ana = app.enrol("ana");
    let answers: Vec<_> = (0..11).map(|_| give(&app.member(&ana), "nobody")).collect();
    assert!(answers[..10].iter().all(|answer| answer.code() == "receiver_not_found"), "{answers:?}");
    assert_told_to_wait(&answers[10], "too_many_lookups", 361);
    let LimitsConfig { member_calls, failed_tokens, .. } = LimitsConfig::default();
    assert!(member_calls > 0 && failed_tokens > 0);

    let app = with(NONE);
    let ana = app.enrol("ana");
    assert!((0..20).all(|_| give(&app.member(&ana), "nobody").code() == "receiver_not_found"));
}

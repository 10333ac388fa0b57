//! What every answer says to browsers and caches, and what the HTTP parser answers.

use std::time::Duration;

use accrue::http::Bounds;
use accrue::http::table;

use crate::support::{Answer, App, Serving};

#[track_caller]
fn assert_of_the_api(answer: &Answer) {
    assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{answer:?}");
}

#[test]
fn no_answer_of_the_api_is_stored_or_taken_for_something_else() {
    let app = App::sandbox();
    let id = app.enrol("ana");
    for row in table::calls() {
        let path = row.path.replace("{id}", &id);
        for client in [app.client(None), app.operator(), app.member(&id), app.client(Some("x".to_owned()))] {
            assert_of_the_api(&client.send(row.method(), &path, &[], None));
        }
    }
    for answer in [app.operator().get("/v1"), app.operator().send("DELETE", "/v1/orders", &[], None)] {
        assert_of_the_api(&answer);
    }
    // Whoever keeps the answer itself is still told when nothing changed.
    let wallet = app.member(&id).get("/v1/members/me/wallet");
    let tag = [("if-none-match", wallet.headers["etag"].as_str())];
    let again = app.member(&id).send("GET", "/v1/members/me/wallet", &tag, None);
    assert_eq!(again.status, 304);
    assert_of_the_api(&again);
}

#[test]
fn the_documentation_runs_its_own_scripts_alone_and_in_no_frame() {
    let app = App::start();
    let page = app.client(None).get("/docs/");
    assert_eq!(page.status, 200);
    // What the policy would not let run.
    assert!(page.text.split("<script").skip(1).all(|script| script.contains("src=\"./")), "{}", page.text);
    for path in ["/docs", "/docs/", "/docs/index.html", "/docs/swagger-initializer.js", "/docs/swagger-ui.css"] {
        let answer = app.client(None).get(path);
        let policy = &answer.headers["content-security-policy"];
        for part in ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(answer.headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
    }
}

#[test]
fn what_is_no_request_gets_a_problem_document() {
    let bounds = Bounds { arrival: Duration::from_millis(300), ..Bounds::default() };
    let app = App::reached(Serving { bounds, ..Serving::default() });
    let long = format!("GET / HTTP/1.1\r\nx: {}", "x".repeat(200_000));
    let livez = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    for (first, sent, status, code) in [
        ("", "nonsense\r\n\r\n", 400, "malformed_request"),
        ("", "GET /livez HTTP/1.1\r\nno header\r\n\r\n", 400, "malformed_request"),
        ("", "GET /livez HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400, "malformed_request"),
        ("", "POST /v1/orders HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 400, "malformed_request"),
        (livez, "nonsense\r\n\r\n", 400, "malformed_request"),
        ("", &long, 431, "head_too_large"),
        ("", "GET /livez HTTP/1.1\r\n", 408, "request_timeout"),
    ] {
        let mut connection = app.connect();
        if !first.is_empty() {
            connection.send(first.as_bytes());
            assert_eq!(connection.answer().status, 200);
        }
        connection.send(sent.as_bytes());
        let answer = connection.answer();
        answer.assert_problem(status, code);
        assert_of_the_api(&answer);
        assert_eq!(answer.headers["connection"], "close");
        connection.closed();
    }
}

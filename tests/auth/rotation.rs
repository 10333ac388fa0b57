//! Keys that come and go while the service runs, and the tokens remembered meanwhile.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};

use super::support::*;

#[test]
fn a_token_seen_before_gives_the_same_caller_until_it_expires() {
    let auth = Setup::new(&["ec-a"]).leeway(Duration::ZERO).build();
    let token = ec("ec-a").sign(&with("exp", json!(now() + 3)));
    let first = check(&auth, &token).unwrap();
    assert!(Arc::ptr_eq(&first, &check(&auth, &token).unwrap()));
    let refusal = eventually(|| check(&auth, &token).err());
    assert_eq!(refusal, AuthRefusal::Expired);
}

#[test]
fn a_key_that_leaves_the_file_takes_its_cached_tokens_with_it() {
    let setup = Setup::new(&["ec-a", "rsa-a"]);
    let auth = setup.build();
    let (old, kept, new) = (ec("ec-a").sign(&claims()), rsa("rsa-a").sign(&claims()), ec("ec-b").sign(&claims()));
    check(&auth, &old).unwrap();
    check(&auth, &old).unwrap();
    check(&auth, &kept).unwrap();
    assert_eq!(check(&auth, &new).unwrap_err(), AuthRefusal::UnknownKey);
    setup.write(&jwks(&["ec-b", "rsa-a"]).to_string());
    // No request with the new key is needed: the file is looked at regularly.
    assert_eq!(eventually(|| check(&auth, &old).err()), AuthRefusal::UnknownKey);
    check(&auth, &new).unwrap();
    check(&auth, &kept).unwrap();
}

#[test]
fn an_unknown_kid_has_the_file_looked_at_at_once_but_not_at_every_request() {
    let setup = Setup::new(&["ec-a"]);
    let never = Duration::from_secs(3600);
    let at_once = setup.with_times(RefreshTimes { file: never, file_at_least: Duration::ZERO, ..quick() });
    let limited = setup.with_times(RefreshTimes { file: never, file_at_least: never, ..quick() });
    setup.write(&jwks(&["ec-a", "ec-b"]).to_string());
    let new = ec("ec-b").sign(&claims());
    check(&at_once, &new).unwrap();
    for _ in 0..3 {
        assert_eq!(check(&limited, &new).unwrap_err(), AuthRefusal::UnknownKey);
    }
}

#[test]
fn a_file_of_the_same_length_written_at_once_is_seen() {
    let setup = Setup::new(&["ec-a"]);
    let auth = setup.build();
    for round in 0..6 {
        let key = ["ec-b", "ec-a"][round % 2];
        setup.write(&jwks(&[key]).to_string());
        let token = ec(key).sign(&claims());
        eventually(|| check(&auth, &token).ok());
    }
}

#[test]
fn a_broken_or_missing_file_keeps_the_old_keys() {
    let setup = Setup::new(&["ec-a"]);
    // The file is looked at whenever an unknown key comes, and at no other time.
    let never = Duration::from_secs(3600);
    let auth = setup.with_times(RefreshTimes { file: never, file_at_least: Duration::ZERO, ..quick() });
    let unknown = ec("ec-b").sign(&claims());
    let mut round = 0;
    let mut still_passes = || {
        assert_eq!(check(&auth, &unknown).unwrap_err(), AuthRefusal::UnknownKey);
        round += 1;
        let token = ec("ec-a").sign(&with("jti", json!(round)));
        check(&auth, &token).unwrap();
    };
    for broken in ["", "{", "[]", "{\"keys\": 1}", "not json"] {
        setup.write(broken);
        still_passes();
    }
    setup.write(&" ".repeat(1024 * 1024 + 1));
    still_passes();
    setup.write(&json!({"keys": vec![jwk("ec-b"); 101]}).to_string());
    still_passes();
    fs::remove_file(setup.file()).unwrap();
    still_passes();
    setup.write(&jwks(&["ec-b"]).to_string());
    check(&auth, &unknown).unwrap();
}

#[test]
fn a_whole_file_that_stays_without_keys_takes_all_keys_back() {
    let setup = Setup::new(&["ec-a"]);
    let auth = setup.with_times(RefreshTimes { emptied: Duration::from_millis(20), ..quick() });
    let token = ec("ec-a").sign(&claims());
    check(&auth, &token).unwrap();
    setup.write(r#"{"keys": []}"#);
    assert_eq!(eventually(|| check(&auth, &token).err()), AuthRefusal::UnknownKey);
}

#[test]
fn keys_rotate_at_the_url_and_cached_tokens_of_the_old_one_are_refused() {
    let server = JwksServer::start();
    server.serve(&jwks(&["ec-a"]));
    let times = RefreshTimes { url: Duration::from_secs(3600), ..quick() };
    let auth = Authenticator::with_refresh_times(server.config(), times).unwrap();
    let (old, new) = (ec("ec-a").sign(&claims()), ec("ec-b").sign(&claims()));
    check(&auth, &old).unwrap();
    // The new keys are given once the request is answered: one that waited for them would wait in vain.
    let (answered, gate) = mpsc::channel::<()>();
    let (gate, in_vain) = (Mutex::new(gate), Arc::new(AtomicBool::new(false)));
    let (keys, late) = (jwks(&["ec-b"]), Arc::clone(&in_vain));
    server.answer(move |_: &wiremock::Request| {
        let waited = gate.lock().unwrap().recv_timeout(Duration::from_secs(2));
        late.fetch_or(waited == Err(RecvTimeoutError::Timeout), Ordering::SeqCst);
        ResponseTemplate::new(200).set_body_json(&keys)
    });
    assert_eq!(check(&auth, &new).unwrap_err(), AuthRefusal::UnknownKey);
    drop(answered);
    eventually(|| check(&auth, &new).ok());
    assert!(!in_vain.load(Ordering::SeqCst), "the request waited for the keys");
    assert_eq!(check(&auth, &old).unwrap_err(), AuthRefusal::UnknownKey);
}

#[test]
fn the_url_is_fetched_regularly_and_the_same_keys_void_no_cached_token() {
    let server = JwksServer::start();
    server.serve(&jwks(&["ec-a"]));
    let times = RefreshTimes { url: Duration::from_millis(50), ..quick() };
    let auth = Authenticator::with_refresh_times(server.config(), times).unwrap();
    let token = ec("ec-a").sign(&claims());
    let first = check(&auth, &token).unwrap();
    eventually(|| (server.requests() > 3).then_some(()));
    assert!(Arc::ptr_eq(&first, &check(&auth, &token).unwrap()));
    drop(auth);
    thread::sleep(Duration::from_millis(200));
    let after = server.requests();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(server.requests(), after, "nothing is fetched after the drop");
}

#[test]
fn unknown_kids_do_not_make_more_fetches_than_allowed() {
    let server = JwksServer::start();
    server.serve(&jwks(&["ec-a"]));
    let auth = Authenticator::new(server.config()).unwrap();
    let unknown = ec("ec-b").sign(&claims());
    for _ in 0..200 {
        assert_eq!(check(&auth, &unknown).unwrap_err(), AuthRefusal::UnknownKey);
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(server.requests(), 1, "the first fetch was less than 10 s ago");
}

#[test]
fn a_failing_url_keeps_the_old_keys() {
    let server = JwksServer::start();
    server.serve(&jwks(&["ec-a"]));
    let times =
        RefreshTimes { url: Duration::from_millis(30), url_after_failure: Duration::from_millis(30), ..quick() };
    let auth = Authenticator::with_refresh_times(server.config(), times).unwrap();
    let good = jwks(&["ec-b"]).to_string();
    let too_large = format!("{good}{}", " ".repeat(1024 * 1024));
    let redirect = ResponseTemplate::new(302).insert_header("location", "/other");
    for (round, answer) in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(404).set_body_string(good.clone()),
        ResponseTemplate::new(200).set_body_string("<html>"),
        ResponseTemplate::new(200).set_body_string(too_large),
        redirect,
    ]
    .into_iter()
    .enumerate()
    {
        server.answer(answer);
        let before = server.requests();
        eventually(|| (server.requests() >= before + 2).then_some(()));
        check(&auth, &ec("ec-a").sign(&with("jti", json!(round)))).unwrap();
        assert_eq!(server.requests_to("/other"), 0);
    }
    server.serve(&jwks(&["ec-b"]));
    let new = ec("ec-b").sign(&claims());
    eventually(|| check(&auth, &new).ok());
}

//! An identity provider that is away when the service starts, and one that loses its keys later.

use super::support::*;
use crate::support::{App, wait_for};

#[test]
fn a_service_whose_identity_provider_is_away_serves_and_takes_its_tokens_once_it_is_back() {
    let provider = JwksServer::start();
    provider.answer(ResponseTemplate::new(503));
    let config = AuthConfig { hs256_secret: Some(SecretString::from(SECRET)), ..provider.config() };
    refuse_in_production(&config).expect("a provider that is away is no reason to stay away");
    let app = App::trusting(config);
    let ready = || app.client(None).get("/readyz").status;
    let ask = |token: &str| app.client(Some(token.to_owned())).get("/v1/members?external_id=ana");
    assert_eq!((ready(), app.client(None).get("/livez").status), (503, 200));

    let theirs = ec("ec-a").sign(&claims());
    for token in [theirs.clone(), ec("ec-a").with_kid(None).sign(&claims())] {
        let answer = ask(&token);
        answer.assert_problem(503, "token_keys_unavailable");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
    assert_eq!(ask(&hs(SECRET).sign(&claims())).status, 200, "the secret needs no provider");
    ask("no.token.at.all").assert_problem(401, "token_malformed");

    provider.serve(&jwks(&["ec-a"]));
    wait_for("the keys to be fetched", || ready() == 200);
    assert_eq!(ask(&theirs).status, 200);
    ask(&ec("ec-b").sign(&claims())).assert_problem(401, "token_key_unknown");
}

#[test]
fn whatever_a_jwks_url_answers_instead_of_keys_is_asked_for_again() {
    let token = ec("ec-a").sign(&claims());
    let unusable = json!({"keys": [{"kty": "EC", "crv": "P-521", "kid": "ec-a"}, {"kty": "oct", "k": "AAAA"}]});
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(404),
        ResponseTemplate::new(302).insert_header("location", "/login"),
        ResponseTemplate::new(200),
        ResponseTemplate::new(200).set_body_string("<html>log in</html>"),
        ResponseTemplate::new(200).set_body_json(json!([])),
        ResponseTemplate::new(200).set_body_json(json!({"keys": []})),
        ResponseTemplate::new(200).set_body_json(unusable),
        ResponseTemplate::new(200).set_delay(Duration::from_secs(20)),
    ] {
        let provider = JwksServer::start();
        provider.answer(answer);
        let times = RefreshTimes { url_retry: Duration::from_millis(20), ..quick() };
        let auth = Authenticator::with_refresh_times(provider.config(), times).unwrap();
        assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::KeysAwaited);
        assert!(!auth.is_ready());
        provider.serve(&jwks(&["ec-a"]));
        eventually(|| check(&auth, &token).ok());
        assert!(auth.is_ready());
    }
}

#[test]
fn keys_of_a_file_serve_while_those_of_the_url_are_awaited() {
    let (setup, provider) = (Setup::new(&["ec-a"]), JwksServer::start());
    provider.answer(ResponseTemplate::new(503));
    let config = AuthConfig { jwks_url: provider.config().jwks_url, ..setup.config() };
    let auth = Authenticator::with_refresh_times(config, quick()).unwrap();
    check(&auth, &ec("ec-a").sign(&claims())).unwrap();
    assert_eq!(check(&auth, &ec("ec-b").sign(&claims())).unwrap_err(), AuthRefusal::KeysAwaited);
    // A key that the file gets meanwhile is found at once.
    setup.write(&jwks(&["ec-a", "ec-b"]).to_string());
    eventually(|| check(&auth, &ec("ec-b").sign(&claims())).ok());
    assert!(!auth.is_ready());
}

#[test]
fn a_jwks_that_is_empty_for_a_moment_costs_nobody_the_access() {
    let (file, provider) = (Setup::new(&["ec-a"]), JwksServer::start());
    provider.serve(&jwks(&["ec-a"]));
    let times = RefreshTimes { url: Duration::from_millis(20), url_retry: Duration::from_millis(20), ..quick() };
    let of_url = Authenticator::with_refresh_times(provider.config(), times).unwrap();
    let of_file = file.with_times(times);
    let unusable = json!({"keys": [{"kty": "oct", "k": "AAAA"}]});
    for (round, emptied) in [json!({"keys": []}), unusable].into_iter().enumerate() {
        let before = provider.requests();
        provider.serve(&emptied);
        file.write(&emptied.to_string());
        eventually(|| (provider.requests() >= before + 3).then_some(()));
        thread::sleep(Duration::from_millis(100));
        for auth in [&of_url, &of_file] {
            check(auth, &ec("ec-a").sign(&with("jti", json!(round)))).unwrap();
            assert!(auth.is_ready());
        }
    }
    // Other keys than before count at once.
    provider.serve(&jwks(&["ec-b"]));
    file.write(&jwks(&["ec-b"]).to_string());
    for auth in [&of_url, &of_file] {
        eventually(|| check(auth, &ec("ec-b").sign(&claims())).ok());
        assert_eq!(check(auth, &ec("ec-a").sign(&claims())).unwrap_err(), AuthRefusal::UnknownKey);
    }
}

#[test]
fn a_jwks_url_that_stays_empty_takes_all_keys_back() {
    let provider = JwksServer::start();
    provider.serve(&jwks(&["ec-a"]));
    let soon = Duration::from_millis(20);
    let times = RefreshTimes { url: soon, url_retry: soon, emptied: soon, ..quick() };
    let auth = Authenticator::with_refresh_times(provider.config(), times).unwrap();
    let token = ec("ec-a").sign(&claims());
    check(&auth, &token).unwrap();
    provider.serve(&json!({"keys": []}));
    assert_eq!(eventually(|| check(&auth, &token).err()), AuthRefusal::UnknownKey);
}

#[test]
fn a_jwks_url_whose_set_is_empty_is_asked_again_soon() {
    let provider = JwksServer::start();
    provider.serve(&json!({"keys": []}));
    let (soon, later) = (Duration::from_millis(20), Duration::from_secs(3600));
    let times = RefreshTimes { url: later, url_at_least: later, url_retry: soon, url_after_failure: soon, ..quick() };
    let auth = Authenticator::with_refresh_times(provider.config(), times).unwrap();
    assert!(!auth.is_ready());
    provider.serve(&jwks(&["ec-a"]));
    eventually(|| auth.is_ready().then_some(()));
    check(&auth, &ec("ec-a").sign(&claims())).unwrap();
}

#[test]
fn an_answer_that_drips_is_given_up() {
    use std::io::Write;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let drip = thread::spawn(move || {
        let mut peer = listener.accept().unwrap().0;
        let mut request = [0; 1024];
        assert!(peer.read(&mut request).unwrap() > 0);
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").unwrap();
        // Until the other side hangs up.
        while peer.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let config = AuthConfig { jwks_url: Some(url), ..AuthConfig::default() };
    let auth = Authenticator::with_refresh_times(config, quick()).unwrap();
    assert!(!auth.is_ready());
    drip.join().unwrap();
}

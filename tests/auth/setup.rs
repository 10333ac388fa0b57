//! What is refused at start and in production, and what is shown of it.

use super::support::*;

#[test]
fn no_key_at_all_is_refused() {
    assert!(matches!(Authenticator::new(AuthConfig::default()), Err(AuthSetupError::NoKeys)));
}

#[test]
fn a_short_secret_is_refused() {
    let config = |secret: &str| AuthConfig { hs256_secret: Some(SecretString::from(secret)), ..AuthConfig::default() };
    let refused = Authenticator::new(config(&SECRET[1..]));
    assert!(matches!(refused, Err(AuthSetupError::SecretTooShort)));
    assert!(Authenticator::new(config(SECRET)).is_ok());
}

#[test]
fn an_unreadable_or_broken_jwks_is_refused_at_start() {
    let setup = Setup::new(&["ec-a"]);
    for (broken, expected) in [("{}", JwksFault::NoKeysArray), ("", JwksFault::NotJson { line: 1, column: 0 })] {
        setup.write(broken);
        let Err(AuthSetupError::FileInvalid { source, .. }) = setup.try_build() else {
            panic!("not refused");
        };
        assert_eq!(source, expected);
    }
    fs::remove_file(setup.file()).unwrap();
    assert!(matches!(setup.try_build(), Err(AuthSetupError::FileUnreadable { .. })));
    let folder = AuthConfig { jwks_file: Some(std::env::temp_dir()), ..AuthConfig::default() };
    assert!(matches!(Authenticator::new(folder), Err(AuthSetupError::FileUnreadable { .. })));
}

#[test]
fn a_jwks_url_must_be_https_or_loopback() {
    let refused = |url: &str| {
        let config = AuthConfig { jwks_url: Some(url.to_owned()), ..AuthConfig::default() };
        Authenticator::new(config).unwrap_err()
    };
    for url in
        ["http://example.com/jwks", "http://10.0.0.1/", "http://localhost.example.com/", "http://127.0.0.1.example/"]
    {
        assert!(matches!(refused(url), AuthSetupError::UrlInsecure), "{url}");
    }
    for url in
        ["", "example.com", "ftp://example.com/", "file:///etc/passwd", "https://user:word@example.com/", "/jwks"]
    {
        assert!(matches!(refused(url), AuthSetupError::UrlInvalid), "{url}");
    }
    // Port 9 of this machine answers nothing: the address is accepted, the fetch fails.
    for url in ["http://127.0.0.1:9/", "http://[::1]:9/", "http://localhost:9/", "https://127.0.0.1:9/"] {
        let config = AuthConfig { jwks_url: Some(url.to_owned()), ..AuthConfig::default() };
        assert!(!Authenticator::new(config).unwrap().is_ready(), "{url}");
    }
}

#[test]
fn a_fetch_does_not_wait_longer_than_three_seconds() {
    let server = JwksServer::start();
    server.answer(ResponseTemplate::new(200).set_delay(Duration::from_secs(20)));
    let start = Instant::now();
    assert!(!Authenticator::new(server.config()).unwrap().is_ready());
    let waited = start.elapsed();
    assert!((2..6).contains(&waited.as_secs()), "{waited:?}");
}

#[test]
fn https_begins_with_a_tls_handshake_and_needs_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/jwks", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut first = [0];
        listener.accept().unwrap().0.read_exact(&mut first).unwrap();
        first[0]
    });
    let config = AuthConfig { jwks_url: Some(url), ..AuthConfig::default() };
    assert!(!Authenticator::new(config).unwrap().is_ready());
    assert_eq!(server.join().unwrap(), 0x16, "the first byte of a TLS handshake");
}

#[test]
fn production_refuses_no_keys_and_the_development_key_wherever_it_is() {
    let refused = |config: &AuthConfig| refuse_in_production(config).unwrap_err();
    let empty = AuthConfig::default();
    assert!(matches!(refused(&empty), AuthSetupError::ProductionWithoutKeys));

    let dir = TempDir::new();
    let key = DevelopmentKey::load_or_create(dir.path()).unwrap();
    let good = Setup::new(&["ec-a"]);
    let with_key = AuthConfig { development_key: Some(key), ..good.config() };
    assert!(matches!(refused(&with_key), AuthSetupError::DevelopmentKeyInProduction));

    let mut named = jwk("ec-b");
    named["kid"] = json!(DEVELOPMENT_KID);
    let document = json!({"keys": [jwk("ec-a"), named]});
    let bad = Setup::of(document.clone());
    assert!(matches!(refused(&bad.config()), AuthSetupError::DevelopmentKeyInJwks { .. }));
    assert!(refused(&bad.config()).to_string().contains(DEVELOPMENT_KID));
    let server = JwksServer::start();
    server.serve(&document);
    assert!(matches!(refused(&server.config()), AuthSetupError::DevelopmentKeyInJwks { .. }));

    refuse_in_production(&good.config()).unwrap();
    server.serve(&jwks(&["ec-a"]));
    refuse_in_production(&server.config()).unwrap();
    let secret = AuthConfig { hs256_secret: Some(SecretString::from(SECRET)), ..empty };
    refuse_in_production(&secret).unwrap();
}

#[test]
fn nothing_shown_contains_a_secret_or_a_claim() {
    let dir = TempDir::new();
    let key = DevelopmentKey::load_or_create(dir.path()).unwrap();
    let pem = fs::read_to_string(dir.path().join("secrets/development-key.pem")).unwrap();
    let token = key.issue(&development_claims()).unwrap();
    let config = AuthConfig {
        hs256_secret: Some(SecretString::from(SECRET)),
        jwks_url: Some("https://user:word@example.com/jwks?apikey=hidden".to_owned()),
        development_key: Some(key.clone()),
        ..AuthConfig::default()
    };
    let shown = format!("{config:#?} {key:?} {:?}", development_claims());
    assert!(shown.contains("https://example.com/jwks"), "{shown}");
    let config = AuthConfig { jwks_url: None, ..config };
    let auth = Authenticator::new(config).unwrap();
    let caller = check(&auth, &token).unwrap();
    let shown = format!("{shown} {auth:?} {caller:?}");
    for secret in [SECRET, "word", "apikey", "operator", "points:earn", pem.lines().nth(1).unwrap()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn refusals_have_stable_codes_and_sentences() {
    for (refusal, code) in [
        (AuthRefusal::Missing, "token_missing"),
        (AuthRefusal::SeveralHeaders, "authorization_repeated"),
        (AuthRefusal::NotBearer, "authorization_not_bearer"),
        (AuthRefusal::TooLong, "token_too_long"),
        (AuthRefusal::Malformed, "token_malformed"),
        (AuthRefusal::CriticalHeader, "token_critical_header"),
        (AuthRefusal::UnknownKey, "token_key_unknown"),
        (AuthRefusal::KeysAwaited, "token_keys_unavailable"),
        (AuthRefusal::AlgorithmNotAllowed, "token_algorithm_not_allowed"),
        (AuthRefusal::BadSignature, "token_signature_invalid"),
        (AuthRefusal::Expired, "token_expired"),
        (AuthRefusal::NotYetValid, "token_not_yet_valid"),
        (AuthRefusal::WrongIssuer, "token_issuer_wrong"),
        (AuthRefusal::WrongAudience, "token_audience_wrong"),
        (AuthRefusal::MissingClaim("exp"), "token_claim_missing"),
        (AuthRefusal::InvalidClaim("exp"), "token_claim_invalid"),
        (AuthRefusal::BadSubject, "token_subject_invalid"),
        (AuthRefusal::BadMember, "token_member_invalid"),
    ] {
        assert_eq!(refusal.code().name(), code);
        assert!(refusal.to_string().len() > 20);
    }
}

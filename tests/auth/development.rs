//! The development key.

use super::support::*;

#[test]
fn the_development_key_is_made_once_with_private_permissions() {
    let dir = TempDir::new();
    assert!(matches!(DevelopmentKey::load(dir.path()), Err(DevelopmentKeyError::Missing { .. })));
    let key = DevelopmentKey::load_or_create(dir.path()).unwrap();
    let file = dir.path().join("secrets/development-key.pem");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    let content = fs::read(&file).unwrap();
    let token = key.issue(&development_claims()).unwrap();
    let again = DevelopmentKey::load_or_create(dir.path()).unwrap();
    assert_eq!(fs::read(&file).unwrap(), content);
    check(&development_authenticator(again), &token).unwrap();
    check(&development_authenticator(DevelopmentKey::load(dir.path()).unwrap()), &token).unwrap();
}

#[test]
fn a_race_for_the_development_key_ends_with_one_key() {
    let dir = TempDir::new();
    let barrier = Barrier::new(16);
    let tokens: Vec<String> = thread::scope(|scope| {
        let racers: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    let key = DevelopmentKey::load_or_create(dir.path()).unwrap();
                    key.issue(&development_claims()).unwrap()
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let auth = development_authenticator(DevelopmentKey::load(dir.path()).unwrap());
    for token in tokens {
        check(&auth, &token).unwrap();
    }
    assert_eq!(fs::read_dir(dir.path().join("secrets")).unwrap().count(), 1);
}

#[test]
fn tokens_of_the_development_key_say_what_was_asked() {
    let dir = TempDir::new();
    let key = DevelopmentKey::load_or_create(dir.path()).unwrap();
    let auth = development_authenticator(key.clone());
    let caller = check(&auth, &key.issue(&development_claims()).unwrap()).unwrap();
    assert!(matches!(&caller.subject, Subject::Client(sub) if sub == "operator"));
    assert_eq!(caller.scopes.iter().collect::<Vec<_>>(), ["members:read", "points:earn"]);

    let member = MemberId::new(1, Uuid::now_v7());
    let claims = TokenClaims { member: Some(member), ..development_claims() };
    let caller = check(&auth, &key.issue(&claims).unwrap()).unwrap();
    assert!(matches!(caller.subject, Subject::Member(id) if id == member));

    let past = SystemTime::now() - Duration::from_secs(3600);
    let claims = TokenClaims { issued_at: past, ..development_claims() };
    assert_eq!(check(&auth, &key.issue(&claims).unwrap()).unwrap_err(), AuthRefusal::Expired);
    let claims = TokenClaims { subject: String::new(), ..development_claims() };
    assert!(matches!(key.issue(&claims), Err(DevelopmentKeyError::BadSubject)));
    let other = TempDir::new();
    let other = DevelopmentKey::load_or_create(other.path()).unwrap();
    let token = other.issue(&development_claims()).unwrap();
    assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::BadSignature);
}

#[test]
fn an_exposed_or_broken_development_key_is_refused() {
    let dir = TempDir::new();
    DevelopmentKey::load_or_create(dir.path()).unwrap();
    let file = dir.path().join("secrets/development-key.pem");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = DevelopmentKey::load_or_create(dir.path());
    assert!(matches!(refused, Err(DevelopmentKeyError::Exposed { .. })));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let ec_key = fs::read(data("ec-a.pem")).unwrap();
    for content in [b"".as_slice(), b"no key", &ec_key] {
        fs::write(&file, content).unwrap();
        let refused = DevelopmentKey::load_or_create(dir.path());
        assert!(matches!(refused, Err(DevelopmentKeyError::NotAKey { .. })));
    }
}

//! Which key may have signed a token, and with which algorithm.

use super::support::*;

#[test]
fn a_public_rsa_key_is_never_an_hmac_secret() {
    let pem = fs::read(data("rsa-a.pub.pem")).unwrap();
    let jwk = jwk("rsa-a").to_string();
    let modulus = URL_SAFE_NO_PAD.decode(jwk_member("rsa-a", "n")).unwrap();
    let without_secret = Setup::new(&["rsa-a"]).build();
    let with_secret = Setup::new(&["rsa-a"]).secret(SECRET).build();
    for material in [pem.as_slice(), jwk.as_bytes(), &modulus] {
        let forged = |kid: Option<&str>| {
            let mut header = json!({"alg": "HS256", "typ": "JWT"});
            if let Some(kid) = kid {
                header["kid"] = json!(kid);
            }
            let message = format!("{}.{}", b64_json(&header), b64_json(&claims()));
            hmac_signed(&message, material)
        };
        for kid in [None, Some("rsa-a")] {
            let refusal = check(&without_secret, &forged(kid)).unwrap_err();
            assert_eq!(refusal, AuthRefusal::AlgorithmNotAllowed);
        }
        assert_eq!(check(&with_secret, &forged(None)).unwrap_err(), AuthRefusal::BadSignature);
        let refusal = check(&with_secret, &forged(Some("rsa-a"))).unwrap_err();
        assert_eq!(refusal, AuthRefusal::AlgorithmNotAllowed);
        assert_eq!(check(&with_secret, &forged(Some("x"))).unwrap_err(), AuthRefusal::UnknownKey);
    }
}

#[test]
fn every_other_algorithm_is_refused() {
    let auth = Setup::new(&["ec-a", "rsa-a"]).secret(SECRET).build();
    for alg in ["none", "None", "NONE", "", "hs256", "HS384", "HS512", "ES384", "RS384", "PS256", "Ed25519"] {
        for signature in ["", "AAAA"] {
            for header in [json!({"alg": alg}), json!({"alg": alg, "kid": "rsa-a"})] {
                let token = format!("{}.{}.{signature}", b64_json(&header), b64_json(&claims()));
                assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::AlgorithmNotAllowed);
            }
        }
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = encode(&Header::new(Algorithm::HS384), &claims(), &key).unwrap();
    assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::AlgorithmNotAllowed);
    let token = rsa("rsa-a").with_algorithm(Algorithm::PS256).sign(&claims());
    assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::AlgorithmNotAllowed);
}

#[test]
fn a_key_verifies_its_own_algorithm_only() {
    let auth = Setup::new(&["ec-a", "ed-a", "rsa-a"]).build();
    for (signer, kid) in [(ec("ec-a"), "rsa-a"), (rsa("rsa-a"), "ed-a"), (ed("ed-a"), "ec-a")] {
        let refusal = check(&auth, &signer.with_kid(Some(kid)).sign(&claims())).unwrap_err();
        assert_eq!(refusal, AuthRefusal::AlgorithmNotAllowed);
    }
}

#[test]
fn another_key_of_the_same_kind_is_refused() {
    let auth = Setup::new(&["ec-a", "ec-b"]).secret(SECRET).build();
    let token = ec("ec-b").with_kid(Some("ec-a")).sign(&claims());
    assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::BadSignature);
    let token = hs("another secret of 32 bytes or more").sign(&claims());
    assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::BadSignature);
}

#[test]
fn a_changed_token_is_refused_even_after_the_true_one_was_seen() {
    let auth = Setup::new(&["ec-a"]).build();
    let token = ec("ec-a").sign(&claims());
    check(&auth, &token).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let header = message.split_once('.').unwrap().0;
    let other = b64_json(&with("sub", json!("somebody-else")));
    let forged = format!("{header}.{other}.{signature}");
    assert_eq!(check(&auth, &forged).unwrap_err(), AuthRefusal::BadSignature);
    for signature in ["", "AAAA", "!!", &signature[..signature.len() - 2]] {
        let forged = format!("{message}.{signature}");
        assert_eq!(check(&auth, &forged).unwrap_err(), AuthRefusal::BadSignature);
    }
}

#[test]
fn an_unknown_kid_is_refused_even_if_another_key_would_verify() {
    let auth = Setup::new(&["ec-a"]).build();
    let token = ec("ec-a").with_kid(Some("ec-z")).sign(&claims());
    assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::UnknownKey);
}

#[test]
fn a_token_without_kid_passes_only_if_one_key_of_its_algorithm_exists() {
    let unnamed = ec("ec-a").with_kid(None).sign(&claims());
    let one = Setup::new(&["ec-a", "ed-a", "rsa-a"]).build();
    assert!(check(&one, &unnamed).is_ok());
    let two = Setup::new(&["ec-a", "ec-b"]).build();
    assert_eq!(check(&two, &unnamed).unwrap_err(), AuthRefusal::UnknownKey);
    let none = Setup::new(&["rsa-a"]).build();
    assert_eq!(check(&none, &unnamed).unwrap_err(), AuthRefusal::UnknownKey);
}

#[test]
fn a_critical_header_is_refused() {
    let auth = Setup::new(&["ec-a"]).secret(SECRET).build();
    for crit in [json!(["b64"]), json!([]), json!(null)] {
        let header = b64_json(&json!({"alg": "HS256", "crit": crit, "b64": false}));
        let token = hmac_signed(&format!("{header}.{}", b64_json(&claims())), SECRET.as_bytes());
        assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::CriticalHeader);
    }
}

#[test]
fn keys_that_must_not_verify_are_ignored() {
    let changed = |key: &str, member: &str, value: Value| {
        let mut jwk = jwk(key);
        jwk[member] = value;
        jwk
    };
    let secret = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": b64(SECRET.as_bytes())});
    for bad in [
        changed("ec-a", "use", json!("enc")),
        changed("ec-a", "key_ops", json!(["sign"])),
        changed("ec-a", "alg", json!("ES384")),
        changed("ec-a", "alg", json!("HS256")),
        changed("ec-a", "crv", json!("P-384")),
        changed("ec-a", "crv", json!("secp256k1")),
        changed("ec-a", "x", json!("AAAA")),
        changed("ec-a", "d", json!("AAAA")),
        changed("ec-a", "kid", json!(DEVELOPMENT_KID)),
        changed("ec-a", "kid", json!("k".repeat(257))),
        changed("ec-a", "kid", json!(7)),
        changed("rsa-a", "alg", json!("RS512")),
        changed("rsa-a", "e", json!("AQ")),
        changed("rsa-a", "e", json!("AAE")),
        changed("rsa-a", "e", json!("Ag")),
        jwk("rsa-1024"),
        secret,
        json!({"kty": "AKP", "kid": "new"}),
        json!("text"),
    ] {
        let alone = Setup::of(json!({"keys": [bad.clone()]})).try_build();
        assert!(matches!(alone, Err(AuthSetupError::NoUsableKeys { .. })), "{bad}");
        let auth = Setup::of(json!({"keys": [bad.clone(), jwk("ed-a")]})).build();
        assert!(check(&auth, &ed("ed-a").sign(&claims())).is_ok(), "{bad}");
        let oct = hs(SECRET).with_kid(Some("oct")).sign(&claims());
        assert!(check(&auth, &oct).is_err());
    }
    let bare = json!({"kty": "EC", "crv": "P-256", "x": jwk_member("ec-a", "x"), "y": jwk_member("ec-a", "y")});
    let auth = Setup::of(json!({"keys": [bare]})).build();
    assert!(check(&auth, &ec("ec-a").with_kid(None).sign(&claims())).is_ok());
}

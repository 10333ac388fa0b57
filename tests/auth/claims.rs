//! What a token says: whom it stands for, and which claims are refused.

use super::support::*;

#[test]
fn a_token_of_each_allowed_algorithm_passes() {
    let auth = Setup::new(&["ec-a", "ed-a", "rsa-a"]).secret(SECRET).build();
    for signer in [ec("ec-a"), ed("ed-a"), rsa("rsa-a"), hs(SECRET)] {
        let caller = check(&auth, &signer.sign(&claims())).unwrap();
        assert!(matches!(&caller.subject, Subject::Client(sub) if sub == "till-7"));
        assert!(caller.scopes.allows("points:earn"));
        assert!(caller.scopes.allows("members:read"));
        assert!(!caller.scopes.allows("points"));
    }
}

#[test]
fn a_members_token_stands_for_the_member() {
    let auth = Setup::new(&["ec-a"]).build();
    let member = MemberId::new(3, Uuid::now_v7());
    let caller = check(&auth, &ec("ec-a").sign(&with("member", json!(member.to_string())))).unwrap();
    assert!(matches!(caller.subject, Subject::Member(id) if id == member));
}

#[test]
fn a_malformed_member_claim_never_becomes_a_client() {
    let auth = Setup::new(&["ec-a"]).build();
    let version_4 = Uuid::new_v4().to_string();
    for member in [json!("nobody"), json!(""), json!(null), json!(7), json!({}), json!(version_4)] {
        let refusal = check(&auth, &ec("ec-a").sign(&with("member", member))).unwrap_err();
        assert_eq!(refusal, AuthRefusal::BadMember);
    }
}

#[test]
fn the_audience_may_be_one_of_several() {
    let auth = Setup::new(&["ec-a"]).build();
    assert!(check(&auth, &ec("ec-a").sign(&with("aud", json!(["shop", "accrue"])))).is_ok());
    for (aud, expected) in [
        (json!("shop"), AuthRefusal::WrongAudience),
        (json!(["shop"]), AuthRefusal::WrongAudience),
        (json!([]), AuthRefusal::WrongAudience),
        (json!("accrue shop"), AuthRefusal::WrongAudience),
        (json!(["accrue", 1]), AuthRefusal::InvalidClaim("aud")),
        (json!(null), AuthRefusal::InvalidClaim("aud")),
    ] {
        assert_eq!(check(&auth, &ec("ec-a").sign(&with("aud", aud))).unwrap_err(), expected);
    }
}

#[test]
fn scopes_are_a_set_in_any_order_and_may_be_absent() {
    assert_eq!(Scopes::parse(" b  a b "), Scopes::from_iter(["a", "b"]));
    assert_eq!(Scopes::parse("b a").to_string(), "a b");
    let auth = Setup::new(&["ec-a"]).build();
    let caller = check(&auth, &ec("ec-a").sign(&without("scope"))).unwrap();
    assert!(caller.scopes.is_empty() && !caller.scopes.allows(""));
    let many: String = (0..65).map(|number| format!("s{number} ")).collect();
    for scope in [json!(["points:earn"]), json!(null), json!(many)] {
        let refusal = check(&auth, &ec("ec-a").sign(&with("scope", scope))).unwrap_err();
        assert_eq!(refusal, AuthRefusal::InvalidClaim("scope"));
    }
}

#[test]
fn every_required_claim_is_required() {
    let auth = Setup::new(&["ec-a"]).build();
    for claim in ["iss", "aud", "exp", "sub"] {
        let refusal = check(&auth, &ec("ec-a").sign(&without(claim))).unwrap_err();
        assert_eq!(refusal, AuthRefusal::MissingClaim(claim));
    }
}

#[test]
fn another_issuer_is_refused() {
    let auth = Setup::new(&["ec-a"]).build();
    for (iss, expected) in [
        (json!("someone"), AuthRefusal::WrongIssuer),
        (json!("Accrue"), AuthRefusal::WrongIssuer),
        (json!(["accrue"]), AuthRefusal::InvalidClaim("iss")),
    ] {
        assert_eq!(check(&auth, &ec("ec-a").sign(&with("iss", iss))).unwrap_err(), expected);
    }
}

#[test]
fn a_token_expires_after_the_leeway() {
    let auth = Setup::new(&["ec-a"]).build();
    assert!(check(&auth, &ec("ec-a").sign(&with("exp", json!(now() - 20)))).is_ok());
    assert!(check(&auth, &ec("ec-a").sign(&with("exp", json!(now() as f64 + 60.5)))).is_ok());
    for (exp, expected) in [
        (json!(now() - 31), AuthRefusal::Expired),
        (json!(-1), AuthRefusal::Expired),
        (json!(0), AuthRefusal::Expired),
        (json!((now() + 60).to_string()), AuthRefusal::InvalidClaim("exp")),
        (json!(null), AuthRefusal::InvalidClaim("exp")),
    ] {
        assert_eq!(check(&auth, &ec("ec-a").sign(&with("exp", exp))).unwrap_err(), expected);
    }
    assert!(check(&auth, &ec("ec-a").sign(&with("exp", json!(u64::MAX)))).is_ok());
}

#[test]
fn a_token_is_not_valid_before_its_time() {
    let auth = Setup::new(&["ec-a"]).build();
    assert!(check(&auth, &ec("ec-a").sign(&with("nbf", json!(now() + 20)))).is_ok());
    for (nbf, expected) in [
        (json!(now() + 90), AuthRefusal::NotYetValid),
        (json!(u64::MAX), AuthRefusal::NotYetValid),
        (json!("soon"), AuthRefusal::InvalidClaim("nbf")),
        (json!(null), AuthRefusal::InvalidClaim("nbf")),
    ] {
        assert_eq!(check(&auth, &ec("ec-a").sign(&with("nbf", nbf))).unwrap_err(), expected);
    }
}

#[test]
fn a_subject_has_1_to_128_characters_and_no_control_character() {
    let auth = Setup::new(&["ec-a"]).build();
    assert!(check(&auth, &ec("ec-a").sign(&with("sub", json!("ß".repeat(128))))).is_ok());
    for sub in [json!(""), json!("x".repeat(129)), json!("a\u{0}b"), json!("a\nb"), json!(7), json!(null)] {
        let refusal = check(&auth, &ec("ec-a").sign(&with("sub", sub))).unwrap_err();
        assert_eq!(refusal, AuthRefusal::BadSubject);
    }
}

#[test]
fn a_claim_given_twice_is_refused() {
    let auth = Setup::new(&["ec-a"]).secret(SECRET).build();
    let mut body = claims().to_string();
    body.insert_str(1, r#""sub":"somebody-else","#);
    let message = format!("{}.{}", b64(br#"{"alg":"HS256"}"#), b64(body.as_bytes()));
    let token = hmac_signed(&message, SECRET.as_bytes());
    assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::Malformed);
    let message = format!("{}.{}", b64(br#"{"alg":"HS256"}"#), b64(claims().to_string().as_bytes()));
    assert!(check(&auth, &hmac_signed(&message, SECRET.as_bytes())).is_ok());
}

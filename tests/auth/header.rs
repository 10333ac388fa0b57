//! The `Authorization` header, and tokens that are none.

use super::support::*;

#[test]
fn only_one_bearer_token_of_limited_length_is_read() {
    let auth = Setup::new(&["ec-a"]).build();
    let token = ec("ec-a").sign(&claims());
    let refusal = |header: &[u8]| auth.authenticate(Some(header)).unwrap_err();
    assert_eq!(auth.authenticate(None).unwrap_err(), AuthRefusal::Missing);
    for header in ["", "Bear", "Basic YTpi", "BearerToken", "Bearer\tx", &token] {
        assert_eq!(refusal(header.as_bytes()), AuthRefusal::NotBearer, "{header}");
    }
    for header in ["Bearer", "Bearer ", "Bearer x", "Bearer a.b", "Bearer a.b.c.d", "Bearer ..", "Bearer e30.e30."] {
        assert_eq!(refusal(header.as_bytes()), AuthRefusal::Malformed, "{header}");
    }
    assert_eq!(refusal(b"Bearer \xff\xfe.a.b"), AuthRefusal::Malformed);
    assert_eq!(refusal(format!("Bearer {token} {token}").as_bytes()), AuthRefusal::Malformed);
    assert_eq!(refusal(format!("Bearer {token} ").as_bytes()), AuthRefusal::BadSignature);
    assert_eq!(refusal(format!("Bearer {token},x").as_bytes()), AuthRefusal::BadSignature);
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer  "] {
        assert!(auth.authenticate(Some(format!("{scheme} {token}").as_bytes())).is_ok());
    }
    let header = format!("Bearer {token}");
    let value = header.as_bytes();
    assert!(auth.authenticate_headers([value]).is_ok());
    assert_eq!(auth.authenticate_headers([]).unwrap_err(), AuthRefusal::Missing);
    assert_eq!(auth.authenticate_headers([value, value]).unwrap_err(), AuthRefusal::SeveralHeaders);
}

#[test]
fn an_overlong_token_is_refused_before_it_is_read() {
    let auth = Setup::new(&["ec-a"]).build();
    let long = ec("ec-a").sign(&with("padding", json!("x".repeat(8 * 1024))));
    assert_eq!(check(&auth, &long).unwrap_err(), AuthRefusal::TooLong);
    assert_eq!(check(&auth, &"x".repeat(8 * 1024)).unwrap_err(), AuthRefusal::Malformed);
    assert_eq!(check(&auth, &"x".repeat(8 * 1024 + 1)).unwrap_err(), AuthRefusal::TooLong);
}

#[test]
fn an_array_is_neither_a_header_nor_claims() {
    let auth = Setup::new(&["ec-a"]).secret(SECRET).build();
    let message = format!("{}.{}", b64(br#"["HS256",null]"#), b64_json(&claims()));
    let token = hmac_signed(&message, SECRET.as_bytes());
    assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::Malformed);
    let in_order = json!(["accrue", "accrue", "till-7", now() + 60, 0, 0, "a", null]);
    let message = format!("{}.{}", b64(br#"{"alg":"HS256"}"#), b64_json(&in_order));
    let token = hmac_signed(&message, SECRET.as_bytes());
    assert_eq!(check(&auth, &token).unwrap_err(), AuthRefusal::Malformed);
}

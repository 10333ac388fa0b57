mod forms;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn canonical(text: &str) -> Result<String, NotCanonical> {
    to_string(&serde_json::from_str::<Value>(text).unwrap())
}

#[test]
fn keys_are_sorted_at_every_depth_and_spaces_removed() {
    let text = r#" { "b" : [ { "z" : 1 , "a" : [ ] } , null ] , "a" : { } , "B" : true , "" : false } "#;
    assert_eq!(canonical(text).unwrap(), r#"{"":false,"B":true,"a":{},"b":[{"a":[],"z":1},null]}"#);
    assert_eq!(
        canonical(r#"{"aa":1,"a":2,"a_b":3,"ab":4,"a1":5}"#).unwrap(),
        r#"{"a":2,"a1":5,"a_b":3,"aa":1,"ab":4}"#
    );
}

#[test]
fn strings_are_escaped_as_in_rfc_8785() {
    // The string of the RFC's section 3.2.2 and its expected form, 3.2.3.
    let text = r#"{"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
    assert_eq!(
        canonical(text).unwrap(),
        "{\"literals\":[null,true,false],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
    );
    assert_eq!(
        to_string(&json!("\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}\u{80}\u{2028}😀</")).unwrap(),
        "\"\\b\\t\\n\\f\\r\\u0001\\u001f\u{7f}\u{80}\u{2028}😀</\""
    );
}

#[test]
fn integers_are_written_up_to_the_limit() {
    assert_eq!(
        canonical("[9007199254740991,-9007199254740991,0,-1]").unwrap(),
        "[9007199254740991,-9007199254740991,0,-1]"
    );
    for text in ["9007199254740992", "-9007199254740992", "-9223372036854775808", "18446744073709551615"] {
        let refused = canonical(text);
        assert!(matches!(refused, Err(NotCanonical::IntegerOutOfRange { .. })), "{text}");
    }
}

#[test]
fn floats_are_refused_even_when_whole() {
    for text in ["1.0", "1e2", "0.5", "-0", "-0.0", "18446744073709551616"] {
        let refused = canonical(text);
        assert!(matches!(refused, Err(NotCanonical::NotAnInteger { .. })), "{text}");
    }
}

#[test]
fn keys_beyond_ascii_and_nuls_are_refused() {
    let refused = to_string(&json!({"é": 1})).unwrap_err();
    assert_eq!(refused.to_string(), "the key \"é\" is not ASCII");
    assert_eq!(to_string(&json!(["a\u{0}b"])), Err(NotCanonical::NulInString));
    assert_eq!(to_string(&json!({"\u{0}": 1})), Err(NotCanonical::NulInString));
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    assert!(to_string(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(to_string(&nested(MAX_DEPTH + 1)), Err(NotCanonical::TooDeep));
    let deepest = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    assert_eq!(canonical(&deepest).unwrap(), deepest);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-MAX_INTEGER..=MAX_INTEGER).prop_map(Value::from),
        "[^\u{0}]{0,12}".prop_map(Value::from),
        "[\u{1}-\u{80}\"\\\\]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec(("[\u{1}-\u{7f}]{0,6}", inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same value with its members inserted in order, which is the order of `serde_json` with either kind of map.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().collect())
        }
        leaf => leaf.clone(),
    }
}

proptest! {
    #[test]
    fn the_text_is_what_serde_json_writes_of_sorted_members(value in any_value()) {
        let text = to_string(&value).unwrap();
        prop_assert_eq!(&text, &serde_json::to_string(&sorted(&value)).unwrap());
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}

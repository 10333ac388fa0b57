use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::to_string;
use super::*;

// What a canonical text is, by writing it again.
fn by_writing(text: &str) -> Option<Value> {
    let value = serde_json::from_str(text).ok()?;
    (to_string(&value).as_deref() == Ok(text)).then_some(value)
}

#[track_caller]
fn assert_same(text: &str) {
    let read = Json::read(text);
    assert_eq!(read.as_ref().map(|json| json.to::<Value>().unwrap()), by_writing(text), "{text}");
    if let Some(json) = read {
        assert_agrees(&json, &by_writing(text).unwrap());
    }
}

fn assert_agrees(json: &Json<'_>, value: &Value) {
    assert_eq!((json.as_str(), json.as_i64(), json.is_null()), (value.as_str(), value.as_i64(), value.is_null()));
    assert_eq!(json.as_array().map(<[_]>::len), value.as_array().map(Vec::len));
    json.as_array()
        .into_iter()
        .flatten()
        .zip(value.as_array().into_iter().flatten())
        .for_each(|(a, b)| assert_agrees(a, b));
    for (key, value) in value.as_object().into_iter().flatten() {
        assert_agrees(json.get(key).unwrap(), value);
    }
    assert_eq!(json.get("no such key"), None);
}

#[test]
fn nothing_is_read_but_what_would_be_written() {
    for text in [
        "",
        " ",
        "null",
        "true",
        "false",
        "nul",
        "nulll",
        "null ",
        " null",
        "0",
        "-0",
        "-",
        "00",
        "01",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "9007199254740991",
        "9007199254740992",
        "-9007199254740991",
        "-9007199254740992",
        "99999999999999999999999",
        "\"\"",
        "\"",
        "\"a",
        "\"a\"b",
        "\"\\\"\"",
        "\"\\/\"",
        "\"\\b\\t\\n\\f\\r\\\\\"",
        "\"\\u0008\"",
        "\"\\u0001\"",
        "\"\\u001f\"",
        "\"\\u001F\"",
        "\"\\u0020\"",
        "\"\\u0000\"",
        "\"\\u00e9\"",
        "\"\\ud800\"",
        "\"\\u00+1\"",
        "\"\\u00\"",
        "\"\\u0\u{e9}\"",
        "\"\\\"",
        "\"\\",
        "\"\n\"",
        "\"\u{7f}\u{80}\u{2028}😀\"",
        "[]",
        "[",
        "]",
        "[1,2]",
        "[1,]",
        "[,1]",
        "[1 ,2]",
        "[1",
        "[1,2",
        "{}",
        "{",
        "}",
        "{\"a\":1}",
        "{\"a\":1,\"b\":2}",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":2}",
        "{\"a\" :1}",
        "{\"a\": 1}",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{\"é\":1}",
        "{\"\":1}",
        "{\"\\n\":1,\"\\u0001\":2}",
        "{\"\\u0001\":1,\"\\n\":2}",
        "{\"B\":1,\"a\":2}",
        "{\"a\":{\"b\":[{\"c\":null}]}}",
        "{\"a\":1}}",
        "[[]]]",
    ] {
        assert_same(text);
    }
    for depth in [126, 127, 128, 129, 100_000] {
        assert_same(&("[".repeat(depth) + &"]".repeat(depth)));
        assert_same(&("{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)));
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53)..(1 << 53)).prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
        "[\"\\\\\\x00-\\x24a-zé]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-c\\x09\"é]{0,3}", inner, 0..5)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn reading_is_writing_backwards(value in values()) {
        assert_same(&to_string(&value).unwrap_or_default());
        assert_same(&value.to_string());
    }

    #[test]
    fn a_text_that_was_changed_is_judged_alike(value in values(), at in any::<prop::sample::Index>(), new in "[{}\\[\\]\",:0-9\\\\unt a-f]?") {
        let text = to_string(&value).unwrap_or_default();
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        if !places.is_empty() {
            let at = places[at.index(places.len())];
            let behind = text[at..].chars().next().map_or(0, char::len_utf8) + at;
            assert_same(&format!("{}{new}{}", &text[..at], &text[behind..]));
        }
    }
}

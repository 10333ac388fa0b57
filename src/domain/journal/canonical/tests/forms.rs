//! Whatever form a value has in Rust, its canonical text is that of the tree that `serde_json` makes of it.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use serde::Serializer;
use serde_json::{Value, json};

use super::sorted;
use crate::domain::journal::canonical::*;

#[derive(Debug, Clone, Serialize)]
struct Bytes(#[serde(serialize_with = "as_bytes")] Vec<u8>);

fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

#[derive(Debug, Clone, Serialize)]
struct Unit;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Name {
    Zeta,
    #[serde(rename = "al\npha")]
    Alpha,
    #[serde(rename = "é")]
    NotAscii,
}

#[derive(Debug, Clone, Serialize)]
struct Leaves {
    unit: Unit,
    signed: (i8, i16, i32, i64),
    unsigned: (u8, u16, u32, u64),
    #[serde(skip_serializing_if = "Option::is_none")]
    wide: Option<(i128, u128)>,
    #[serde(rename = "\"quoted\"")]
    float: Option<f64>,
    short: Option<f32>,
    character: char,
    bytes: Bytes,
    name: Name,
    is_true: bool,
    nothing: (),
}

#[derive(Debug, Clone, Default, Serialize)]
struct Maps {
    texts: HashMap<String, Option<String>>,
    numbers: BTreeMap<i64, u8>,
    wide: BTreeMap<u128, ()>,
    characters: BTreeMap<char, bool>,
    flags: BTreeMap<bool, Name>,
    names: BTreeMap<Name, u8>,
}

#[derive(Debug, Clone, Serialize)]
enum Tree {
    Leaf(Box<Leaves>),
    Empty,
    #[serde(rename = "\u{1}few")]
    Few(Box<Tree>, Option<Box<Tree>>),
    Many {
        trees: Vec<Tree>,
        maps: Box<Maps>,
    },
    Tagged(Tagged),
    Of(BTreeMap<String, Tree>),
    Any(Value),
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
enum Tagged {
    Base {
        share: i64,
        amount: String,
    },
    Rest,
    Flat {
        #[serde(flatten)]
        inner: Inner,
        after: Bare,
    },
}

#[derive(Debug, Clone, Serialize)]
struct Inner {
    zeta: u8,
    alpha: Option<Name>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Bare {
    Text(String),
    Pair(u8, Bytes),
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![8 => Just(Name::Zeta), 8 => Just(Name::Alpha), 1 => Just(Name::NotAscii)]
}

fn seldom<T: Clone + std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.05, value)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![20 => "[\u{1}-\u{80}\"\\\\a-z]{0,6}", 1 => any::<String>()]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![20 => "[\u{1}-\u{7f}\"\\\\a-c]{0,3}", 1 => any::<String>()]
}

fn signed() -> impl Strategy<Value = i64> {
    prop_oneof![20 => -MAX_INTEGER..=MAX_INTEGER, 1 => any::<i64>()]
}

fn unsigned() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0..=MAX_INTEGER.unsigned_abs(), 1 => any::<u64>()]
}

fn leaves() -> impl Strategy<Value = Leaves> {
    let numbers =
        ((any::<i8>(), any::<i16>(), any::<i32>(), signed()), (any::<u8>(), any::<u16>(), any::<u32>(), unsigned()));
    let wide = (
        prop_oneof![signed().prop_map(i128::from), any::<i128>()],
        prop_oneof![unsigned().prop_map(u128::from), any::<u128>()],
    );
    let finite = prop::num::f64::NORMAL | prop::num::f64::ZERO;
    let floats = (seldom(finite), seldom(prop::num::f32::NORMAL));
    let rest = (
        prop_oneof![20 => prop::char::range('\u{1}', '\u{fff}'), 1 => Just('\0')],
        any::<Vec<u8>>(),
        name(),
        any::<bool>(),
    );
    (numbers, seldom(wide), floats, rest).prop_map(|((signed, unsigned), wide, (float, short), rest)| {
        let (character, bytes, name, is_true) = rest;
        let (unit, bytes, nothing) = (Unit, Bytes(bytes), ());
        Leaves { unit, signed, unsigned, wide, float, short, character, bytes, name, is_true, nothing }
    })
}

fn maps() -> impl Strategy<Value = Maps> {
    let texts = prop::collection::hash_map(key(), prop::option::of(text()), 0..6);
    let numbers = prop::collection::btree_map(any::<i64>(), any::<u8>(), 0..6);
    let wide = prop::collection::btree_map(any::<u128>(), Just(()), 0..3);
    let characters = prop::collection::btree_map(prop::char::range('\u{1}', '\u{7f}'), any::<bool>(), 0..6);
    let flags = prop::collection::btree_map(any::<bool>(), name(), 0..3);
    let names = prop::collection::btree_map(name(), any::<u8>(), 0..3);
    (texts, numbers, wide, characters, flags, names).prop_map(|(texts, numbers, wide, characters, flags, names)| Maps {
        texts,
        numbers,
        wide,
        characters,
        flags,
        names,
    })
}

fn tagged() -> impl Strategy<Value = Tagged> {
    let inner = (any::<u8>(), prop::option::of(name())).prop_map(|(zeta, alpha)| Inner { zeta, alpha });
    let bare = prop_oneof![
        text().prop_map(Bare::Text),
        (any::<u8>(), any::<Vec<u8>>()).prop_map(|(first, bytes)| Bare::Pair(first, Bytes(bytes))),
    ];
    prop_oneof![
        (signed(), text()).prop_map(|(share, amount)| Tagged::Base { share, amount }),
        Just(Tagged::Rest),
        (inner, bare).prop_map(|(inner, after)| Tagged::Flat { inner, after }),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => Just(Value::Null),
        4 => signed().prop_map(Value::from),
        4 => unsigned().prop_map(Value::from),
        4 => text().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        leaves().prop_map(|leaves| Tree::Leaf(Box::new(leaves))),
        Just(Tree::Empty),
        tagged().prop_map(Tree::Tagged),
        values().prop_map(Tree::Any),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let many = (prop::collection::vec(inner.clone(), 0..4), maps());
        prop_oneof![
            (inner.clone(), prop::option::of(inner.clone()))
                .prop_map(|(first, second)| Tree::Few(Box::new(first), second.map(Box::new))),
            many.prop_map(|(trees, maps)| Tree::Many { trees, maps: Box::new(maps) }),
            prop::collection::btree_map(key(), inner, 0..4).prop_map(Tree::Of),
        ]
    })
}

// All that keeps `value` out of the subset.
fn faults(value: &Value, depth_left: usize) -> Vec<NotCanonical> {
    let text = |text: &str| text.contains('\0').then_some(NotCanonical::NulInString);
    let deeper = depth_left.checked_sub(1);
    match value {
        Value::Null | Value::Bool(_) => Vec::new(),
        Value::Number(number) if number.is_f64() => vec![NotCanonical::NotAnInteger { number: number.clone() }],
        Value::Number(number) => match number.as_i64() {
            Some(integer) if integer.unsigned_abs() <= MAX_INTEGER.unsigned_abs() => Vec::new(),
            _ => vec![NotCanonical::IntegerOutOfRange { number: number.to_string() }],
        },
        Value::String(string) => text(string).into_iter().collect(),
        Value::Array(_) | Value::Object(_) if deeper.is_none() => vec![NotCanonical::TooDeep],
        Value::Array(items) => items.iter().flat_map(|item| faults(item, deeper.unwrap())).collect(),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let not_ascii = (!key.is_ascii()).then(|| NotCanonical::KeyNotAscii { key: key.clone() });
                let mut faults = faults(value, deeper.unwrap());
                faults.extend(not_ascii.or_else(|| text(key)));
                faults
            };
            members.iter().flat_map(member).collect()
        }
    }
}

// The text is what `serde_json` writes of the sorted tree; the error is one of those that are to be found in the tree.
fn assert_like_tree(value: &impl Serialize) -> Result<(), TestCaseError> {
    let written = to_string(value);
    let Ok(tree) = serde_json::to_value(value) else {
        prop_assert!(written.is_err());
        return Ok(());
    };
    prop_assert_eq!(to_string(&tree).ok(), written.clone().ok());
    match (written, faults(&tree, MAX_DEPTH)) {
        (Ok(text), faults) => {
            prop_assert_eq!(faults, []);
            prop_assert_eq!(text, serde_json::to_string(&sorted(&tree)).unwrap());
        }
        (Err(fault), faults) => prop_assert!(faults.contains(&fault), "{:?} is not among {:?}", fault, faults),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_tree_of_serde_json_has_the_text_that_serde_json_writes_or_one_of_its_faults(value in values()) {
        assert_like_tree(&value)?;
    }

    #[test]
    fn any_struct_enum_or_map_has_the_text_of_its_tree(tree in trees()) {
        assert_like_tree(&tree)?;
    }
}

#[test]
fn the_forms_of_the_language_are_those_of_serde_json() {
    assert_eq!(to_string(&Unit).unwrap(), "null");
    assert_eq!(to_string(&Some(Some(()))).unwrap(), "null");
    assert_eq!(to_string(&('é', "é", Bytes(vec![0, 255]))).unwrap(), "[\"é\",\"é\",[0,255]]");
    assert_eq!(to_string(&Tree::Empty).unwrap(), "\"Empty\"");
    assert_eq!(to_string(&Tree::Tagged(Tagged::Rest)).unwrap(), "{\"Tagged\":{\"rule\":\"rest\"}}");
    let few = Tree::Few(Box::new(Tree::Empty), None);
    assert_eq!(to_string(&few).unwrap(), "{\"\\u0001few\":[\"Empty\",null]}");
    let keys = BTreeMap::from([(10, 1), (9, 2), (-1, 3)]);
    assert_eq!(to_string(&keys).unwrap(), "{\"-1\":3,\"10\":1,\"9\":2}");
}

#[test]
fn keys_are_sorted_as_they_are_and_not_as_they_are_written() {
    // Written, a line's end begins with a backslash, which stands behind the capital letters.
    let keys = BTreeMap::from([("Z", 1), ("\n", 2), ("!", 3), ("a", 4)]);
    assert_eq!(to_string(&keys).unwrap(), "{\"\\n\":2,\"!\":3,\"Z\":1,\"a\":4}");
}

#[test]
fn variants_with_content_are_levels_of_nesting() {
    let nested = |levels| (0..levels).fold(Tree::Empty, |inner, _| Tree::Few(Box::new(inner), None));
    assert!(to_string(&nested(MAX_DEPTH / 2)).is_ok());
    assert_eq!(to_string(&nested(MAX_DEPTH / 2 + 1)), Err(NotCanonical::TooDeep));
    // What has ended leaves its levels to what comes after it.
    let many = Tree::Many { trees: vec![nested(60); 3], maps: Box::new(Maps::default()) };
    assert!(to_string(&many).is_ok());
}

#[test]
fn what_serde_json_would_write_in_spite_of_all_is_refused() {
    #[derive(Serialize)]
    struct Twice {
        #[serde(flatten)]
        inner: Inner,
        zeta: u8,
    }
    let twice = Twice { inner: Inner { zeta: 1, alpha: None }, zeta: 2 };
    assert_eq!(to_string(&twice), Err(NotCanonical::KeyTwice { key: "zeta".to_owned() }));
    assert_eq!(to_string(&f64::NAN), Err(NotCanonical::NoJson));
    assert_eq!(to_string(&f32::INFINITY), Err(NotCanonical::NoJson));
}

#[test]
fn what_is_no_key_in_json_is_refused() {
    let keys: [Result<String, NotCanonical>; 4] = [
        to_string(&BTreeMap::from([((), 1)])),
        to_string(&BTreeMap::from([(Some("a"), 1)])),
        to_string(&BTreeMap::from([((1, 2), 1)])),
        to_string(&BTreeMap::from([(vec!["a"], 1)])),
    ];
    assert_eq!(keys, [const { Err(NotCanonical::NoJson) }; 4]);
}

#[test]
fn integers_wider_than_those_of_json_are_named_in_full() {
    let refused = to_string(&u128::MAX).unwrap_err();
    assert_eq!(refused.to_string(), "the integer 340282366920938463463374607431768211455 is beyond ±(2^53 - 1)");
    assert_eq!(to_string(&i128::from(MAX_INTEGER)).unwrap(), to_string(&MAX_INTEGER).unwrap());
    assert_eq!(to_string(&json!(u64::MAX)), to_string(&u64::MAX));
}

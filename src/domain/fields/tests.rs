use serde_json::json;

use crate::domain::money::Currency;

use super::*;

/// The faults of reading `value` with `build`, as lines.
fn faults<T: fmt::Debug>(value: Value, build: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Vec<String> {
    let faults = read(&value, build).unwrap_err();
    faults.iter().map(Fault::to_string).collect()
}

#[test]
fn an_object_without_faults_is_read() {
    let value = json!({ "name": "Ana", "tags": ["a", "b"], "home": { "zone": "Asia/Beirut" } });
    let read = read(&value, |person| {
        let name = person.required("name", string(1..=10));
        let age = person.optional("age", integer(0..=150));
        let tags = person.list("tags", 0..=5, string(1..=3));
        let home = person.object("home", |home| home.required("zone", time_zone));
        let work = person.optional_object("work", |work| work.required("zone", time_zone));
        Some((name?, age, tags?, home?, work))
    });
    let tags = vec!["a".to_owned(), "b".to_owned()];
    let expected = ("Ana".to_owned(), None, tags, chrono_tz::Asia::Beirut, None);
    assert_eq!(read, Ok(expected));
}

#[test]
fn every_fault_is_reported_with_its_pointer() {
    let value = json!({
        "quantity": "2",
        "items": [{ "sku": "A" }, 7, { "sku": "", "a/b~c": 1 }],
        "tags": ["x", 1, null],
        "extra": null,
    });
    let faults = faults(value, |order| {
        let id = order.required("order_id", string(1..=64));
        let quantity = order.required("quantity", integer(1..=9));
        let items = order.objects("items", 1..=3, |item| item.required("sku", string(1..=8)).map(drop));
        let tags = order.list("tags", 0..=9, string(1..=8));
        Some((id?, quantity?, items?, tags?))
    });
    assert_eq!(
        faults,
        [
            "/order_id: is required",
            "/quantity: must be an integer from 1 to 9",
            "/items/1: must be an object",
            "/items/2/sku: must have 1 to 8 characters",
            "/items/2/a~1b~0c: is not known here; known are sku",
            "/tags/1: must be a string",
            "/tags/2: must be a string",
            "/extra: is not known here; known are order_id, quantity, items, tags",
        ]
    );
}

#[test]
fn a_fault_in_an_optional_field_spoils_the_whole() {
    let faults = faults(json!({ "age": 151 }), |person| Some(person.optional("age", integer(0..=150))));
    assert_eq!(faults, ["/age: must be an integer from 0 to 150"]);
}

#[test]
fn only_a_nullable_field_takes_null() {
    let value = json!({ "cleared": null, "set": 1 });
    let patch = read(&value, |patch| {
        Some((
            patch.nullable("cleared", integer(0..=9)),
            patch.nullable("set", integer(0..=9)),
            patch.nullable("kept", integer(0..=9)),
        ))
    });
    assert_eq!(patch, Ok((Some(None), Some(Some(1)), None)));
    let value = json!({ "one": null, "many": null, "object": null });
    let faults = faults(value, |fields| {
        let one = fields.optional("one", boolean);
        let many = fields.optional_list("many", 0..=9, boolean);
        let object = fields.optional_object("object", |_| Some(()));
        Some((one, many, object))
    });
    assert_eq!(faults, ["/one: must be true or false", "/many: must be an array", "/object: must be an object",]);
}

#[test]
fn what_is_no_object_is_reported_once() {
    let faults = faults(json!([1]), |fields| {
        let one = fields.required("one", boolean);
        let two = fields.objects("two", 0..=9, |_| Some(()));
        fields.fault("one", Wrong::new("contradiction", "must be given, or two"));
        Some((one?, two?))
    });
    assert_eq!(faults, ["the document must be an object"]);
}

#[test]
fn a_closure_that_gives_up_without_a_fault_reads_nothing() {
    let faults = faults(json!({}), |_| None::<()>);
    assert_eq!(faults, ["the document must be complete"]);
}

#[test]
fn fields_together_can_have_a_fault() {
    let faults = faults(json!({ "from": 2, "to": 1 }), |range| {
        let from = range.required("from", integer(0..=9))?;
        let to = range.required("to", integer(0..=9))?;
        if to < from {
            range.fault("to", Wrong::new("contradiction", "must not be before from"));
        }
        Some((from, to))
    });
    assert_eq!(faults, ["/to: must not be before from"]);
}

#[test]
fn the_answer_is_bounded_whatever_the_question() {
    let members = (0..1000).map(|index| (format!("{index:0>500}"), json!(1)));
    let value = Value::Object(members.collect());
    let faults = faults(value, |_| Some(()));
    assert_eq!(faults.len(), MAX_FAULTS);
    assert!(faults.iter().all(|fault| fault.len() < 200));
}

#[test]
fn arrays_have_a_length() {
    let faults = faults(json!({ "few": [], "many": [1, 2, 3] }), |fields| {
        let few = fields.objects("few", 1..=2, |_| Some(()));
        let many = fields.optional_list("many", 1..=2, integer(0..=9));
        Some((few?, many?))
    });
    assert_eq!(faults, ["/few: must have 1 to 2 items", "/many: must have 1 to 2 items"]);
}

#[test]
fn an_object_whose_names_are_data_is_read_entry_by_entry() {
    let value = json!({
        "name": { "en": "Silver", "zh-CN": "银卡" },
        "none": {},
        "list": [],
        "bad": { "EN": "Silver", "de": "", "fr": 1, "it": "Argento", "a/b~c": "Silver" },
    });
    let faults = faults(value, |fields| {
        let mut names = |name| fields.map(name, 1..=5, language_tag, string(1..=10));
        assert_eq!(names("name").unwrap()["zh-CN"], "银卡");
        Some(["none", "list", "bad", "absent"].map(|name| names(name).is_some()))
    });
    let no_tag = "must be under a BCP 47 language tag in its usual case, such as en or zh-CN";
    assert_eq!(
        faults,
        [
            "/none: must have 1 to 5 entries",
            "/list: must be an object",
            &format!("/bad/EN: {no_tag}"),
            &format!("/bad/a~1b~0c: {no_tag}"),
            "/bad/de: must have 1 to 10 characters",
            "/bad/fr: must be a string",
            "/absent: is required",
        ]
    );
}

#[test]
fn a_language_has_one_tag() {
    let published = jsonschema::validator_for(&json!({ "pattern": LANGUAGE_TAG })).unwrap();
    for tag in ["en", "und", "zh-CN", "zh-Hant-TW", "es-419", "yue", "de-CH-1996", "sl-biske-rozaj", "ca-ES-valencia"] {
        assert_eq!(language_tag(tag), Ok(()), "{tag}");
        assert!(published.is_valid(&json!(tag)), "{tag}");
    }
    let too_long = format!("sl{}", "-rozaj0".repeat(5));
    for tag in [
        "",
        "e",
        "EN",
        "zh-cn",
        "zh_CN",
        "zh-hant",
        "english",
        "en-",
        "-en",
        "en--US",
        " en",
        "en-US ",
        "12",
        "é",
        "sl-rozaj-biske",
        "en-u-ca-buddhist",
        "en-x-shop",
        "x-shop",
        "i-klingon",
        "zh-CN-TW",
        &too_long,
    ] {
        assert_eq!(language_tag(tag).unwrap_err().code, "wrong_form", "{tag:?}");
    }
    assert!(["EN", "zh-cn", "zh_CN", "english", "en-x-shop"].iter().all(|tag| !published.is_valid(&json!(tag))));
}

#[test]
fn strings_are_counted_in_characters_and_have_no_control_characters() {
    let name = string(1..=3);
    assert_eq!(name(&json!("añ😀")), Ok("añ😀".to_owned()));
    assert!(name(&json!("")).is_err());
    assert!(name(&json!("añ😀b")).is_err());
    for text in ["a\u{0}", "\n", "\u{7f}", "\u{85}"] {
        assert_eq!(name(&json!(text)).unwrap_err().message, "must not contain control characters");
    }
}

#[test]
fn integers_are_exact() {
    let points = integer(-5..=i64::MAX);
    assert_eq!(points(&json!(i64::MAX)), Ok(i64::MAX));
    for value in [json!(-6), json!(u64::MAX), json!(1.0), json!("1"), json!(null)] {
        assert!(points(&value).is_err(), "{value}");
    }
}

#[test]
fn integers_in_texts_are_exact_too() {
    let limit = integer_in_text(1..=200);
    assert_eq!(limit(&json!("200")), Ok(200));
    for value in
        [json!("0"), json!("201"), json!("1.0"), json!(" 1"), json!(""), json!("9223372036854775808"), json!(1)]
    {
        assert_eq!(limit(&value).unwrap_err().message, "must be an integer from 1 to 200", "{value}");
    }
}

#[test]
fn words_are_of_the_characters_that_are_let_through() {
    let tag = word(1..=3, |c| c.is_ascii_lowercase(), "must be of a-z");
    assert_eq!(tag(&json!("vip")), Ok("vip".to_owned()));
    assert_eq!(tag(&json!("VIP")).unwrap_err().message, "must be of a-z");
    assert_eq!(tag(&json!("")).unwrap_err().message, "must have 1 to 3 characters");
}

#[test]
fn dates_have_one_form() {
    let read = date(&json!("2024-02-29")).unwrap();
    assert_eq!(read.to_string(), "2024-02-29");
    for text in [
        "2025-02-29",
        "2024-2-29",
        "1899-12-31",
        "24-02-29",
        "+2024-02-29",
        " 2024-02-29",
        "2024-02-29T00:00:00Z",
        "2024 02 29",
        "२०२४-02-29",
    ] {
        assert!(date(&json!(text)).is_err(), "{text}");
    }
}

#[test]
fn words_and_texts_of_other_types_are_read() {
    let answer = one_of(&[("no", 0), ("yes", 1)]);
    assert_eq!(answer(&json!("yes")), Ok(1));
    assert_eq!(answer(&json!("maybe")).unwrap_err().message, "must be one of no, yes");
    let usd = parsed::<Currency>(&json!("USD")).unwrap();
    assert!(parsed::<Currency>(&json!("usd")).is_err());
    assert_eq!(amount(usd)(&json!("1.5")).unwrap().to_string(), "1.50");
    assert_eq!(amount(usd)(&json!(1.5)).unwrap_err().message, "must be a plain decimal string, such as \"29.33\"");
    assert!(decimal(6, 1)(&json!("0.000001")).is_ok());
    assert!(timestamp(&json!("2026-01-31T00:00:00Z")).is_ok());
    assert!(timestamp(&json!("2026-01-31")).is_err());
}

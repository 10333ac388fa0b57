//! `accrue program`: the example, the schema and the check say of a programme document what its reader says.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use accrue::domain::program::{Program, ProgramDocument};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::openapi::{Hollow, known};
use crate::support::{PROGRAM, Place};

fn print(what: &str) -> String {
    let printed = Place::new().run(&["program", what]).expect(0);
    assert_eq!(printed.err, "", "{printed:?}");
    printed.out
}

fn schema() -> Value {
    serde_json::from_str(&print("schema")).unwrap()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|wrong| panic!("it is no schema: {wrong}"));
    jsonschema::draft202012::new(schema).unwrap()
}

// A document in JSON form, as it is written and not as it is understood.
fn written(toml: &str) -> Value {
    serde_json::to_value(toml.parse::<toml::Table>().unwrap()).unwrap()
}

// The places of all fields of a document.
fn places(document: &Value, at: &str) -> Vec<String> {
    let fields = document.as_object().into_iter().flatten();
    let items = document.as_array().into_iter().flatten().enumerate().map(|(n, item)| (n.to_string(), item));
    let parts = fields.map(|(name, value)| (name.clone(), value)).chain(items);
    let places = parts.flat_map(|(name, value)| {
        let place = format!("{at}/{name}");
        let inner = places(value, &place);
        std::iter::once(place).chain(inner)
    });
    places.collect()
}

#[test]
fn the_printed_example_reads_without_fault_and_is_valid_against_the_printed_schema() {
    let (example, schema) = (print("example"), schema());
    let document = ProgramDocument::from_toml(&example).unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!((document.currency.as_str(), document.time_zone.as_str()), ("CNY", "Asia/Shanghai"));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let validator = validator(&schema);
    for toml in [example.as_str(), PROGRAM] {
        validator.validate(&written(toml)).unwrap_or_else(|wrong| panic!("{wrong} at {}", wrong.instance_path()));
    }
}

#[test]
fn the_printed_schema_has_each_field_that_the_reader_of_documents_knows() {
    let schema = schema();
    let hollow = Hollow::of(&schema, &schema);
    let faults = Program::read(&hollow.body).unwrap_err();
    let of = |code: &str| -> BTreeSet<String> {
        faults.iter().filter(|fault| fault.code == code).map(|fault| fault.path.clone()).collect()
    };
    assert_eq!((of("missing"), of("unknown")), (hollow.missing, hollow.unknown), "{faults:?}");
    assert!(hollow.known.len() >= 5, "{:?}", hollow.known);
    for (at, fields) in hollow.known {
        let fault = faults.iter().find(|fault| fault.path == format!("{at}/surprise")).unwrap();
        assert_eq!(known(&fault.message), fields, "at {at:?}");
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses_and_nothing_else() {
    let (validator, example) = (validator(&schema()), written(&print("example")));
    let mut refused = 0;
    let mut agree = |document: &Value, what: &str| {
        let faults = Program::read(document).err().unwrap_or_default();
        // A schema does not say what fields must be to each other.
        let reads = faults.iter().all(|fault| fault.code == "contradiction");
        assert_eq!(validator.is_valid(document), reads, "{what}: {faults:?}");
        refused += usize::from(!reads);
    };
    agree(&example, "the example");
    for place in places(&example, "") {
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut without = example.clone();
        let left = without.pointer_mut(parent).unwrap();
        if let Some(fields) = left.as_object_mut() {
            fields.remove(name);
            agree(&without, &format!("without {place}"));
        }
        for odd in [json!(null), json!({}), json!([]), json!(""), json!(-1), json!(0.5), json!("x\u{7}")] {
            let mut changed = example.clone();
            *changed.pointer_mut(&place).unwrap() = odd.clone();
            agree(&changed, &format!("{odd} at {place}"));
        }
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn a_check_names_every_fault_of_a_document_with_its_place_and_exits_with_what_it_found() {
    let place = Place::new();
    place.file("right.toml", print("example"));
    let right = place.run(&["program", "check", "right.toml"]).expect(0);
    assert_eq!(right.out, "right: Points for regulars (CNY, Asia/Shanghai)\n");
    place.file("right.json", serde_json::to_string_pretty(&written(PROGRAM)).unwrap());
    let right = place.run(&["program", "check", "right.json"]).expect(0);
    assert_eq!(right.out, "right: Demonstration (USD, America/New_York)\n");

    let bad = PROGRAM.replace("\"14D\"", "\"14 days\"").replace("\"down\"", "\"sideways\"").replace("offer_ttl", "ttl");
    place.file("bad.toml", &bad);
    place.file("bad.json", written(&bad).to_string());
    for name in ["bad.toml", "bad.json"] {
        let wrong = place.run(&["program", "check", name]).expect(1);
        let lines: Vec<&str> = wrong.out.lines().collect();
        assert_eq!((lines.len(), lines[0]), (4, "wrong: the programme document has 3 fault(s):"), "{wrong:?}");
        for path in ["/earning/rounding: must be one of", "/earning/pending: must be", "/transfers/ttl: is not known"] {
            assert!(lines.iter().any(|line| line.trim_start().starts_with(path)), "{path}: {wrong:?}");
        }
    }
    for (text, said) in [
        ("name = \"a\"\ncurrency = \n", "is not TOML: line 2"),
        ("{ \"name\": \"a\", }", "is not JSON"),
        ("{ \"name\": \"a\", \"name\": \"b\" }", "a key stands in an object more than once"),
        ("", "/name: is required"),
    ] {
        place.file("broken", text);
        let wrong = place.run(&["program", "check", "broken"]).expect(1);
        assert!(wrong.out.contains(said), "{text}: {wrong:?}");
    }
    let missing = place.run(&["program", "check", "nowhere.toml"]).expect(2);
    assert!(missing.err.contains("cannot read nowhere.toml"), "{missing:?}");

    let mut piped = place.command(&["program", "check", "-"]);
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(bad.as_bytes()).unwrap();
    let piped = piped.wait_with_output().unwrap();
    assert_eq!(piped.status.code(), Some(1), "{piped:?}");
    assert!(!place.data_dir().exists(), "a document is read without a ledger");
}

#[test]
fn a_document_that_is_right_begins_a_ledger_whether_it_is_toml_or_json() {
    let place = Place::new();
    let program = place.file("program.json", written(&print("example")).to_string());
    place.file("orders.csv", "order_id,customer_id,ordered_on,items,amount\nA-1,1,2026-01-05,1,29.90\n");
    let import = ["import", "orders", "orders.csv", "--program", program.to_str().unwrap()];
    let imported = place.run(&import).expect(0);
    assert!(imported.out.starts_with("1 order posted"), "{imported:?}");
}

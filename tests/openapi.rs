//! The document says what the readers read and what the handlers answer.

mod bounds;
mod codes;
mod examples;

use std::collections::BTreeSet;
use std::fs;

use accrue::http::table;
use serde_json::{Map, Value, json};

use crate::architecture::{source, sources};
use crate::support::App;

fn document() -> Value {
    serde_json::to_value(accrue::http::document()).unwrap()
}

// Every operation with its method and path.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation))
    });
    operations.collect()
}

#[test]
fn the_committed_document_is_the_one_that_the_handlers_make() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml");
    let committed = fs::read_to_string(path).unwrap_or_default();
    let made = accrue::http::document_yaml();
    if committed != made {
        let lines = committed.lines().zip(made.lines()).take_while(|(committed, made)| committed == made).count();
        let line = made.lines().nth(lines).unwrap_or_default();
        panic!("openapi.yaml is old from line {} ({line}); run: cargo run -- openapi > openapi.yaml", lines + 1);
    }
    assert!(made.starts_with("openapi: 3.1"), "{}", made.lines().next().unwrap());
}

#[test]
fn the_document_has_the_calls_of_the_table_with_the_codes_of_each() {
    let document = document();
    let documented = operations(&document);
    assert_eq!(documented.len(), table::calls().count());
    let mut names = BTreeSet::new();
    for (method, path, operation) in documented {
        let call = table::find(&method, &path).unwrap_or_else(|| panic!("{method} {path} is no call"));
        assert!(names.insert(call.name), "two calls have the name {}", call.name);
        let told = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
        assert!(told(&operation["summary"]) && told(&operation["description"]), "{call:?}");
        for parameter in operation["parameters"].as_array().unwrap_or(&Vec::new()) {
            assert!(told(&parameter["description"]), "{call:?}: {}", parameter["name"]);
        }
        let mut codes = BTreeSet::new();
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = resolve(&document, response);
            assert!(told(&response["description"]), "{call:?}: {status} has no description");
            let description = response["description"].as_str().unwrap();
            if response["content"]["application/problem+json"].is_object() {
                let names = description.split('`').skip(1).step_by(2);
                codes.extend(names.map(|code| (code.to_owned(), status.clone())));
            }
        }
        let listed = call.codes().into_iter().map(|code| (code.name().to_owned(), code.status().to_string()));
        assert_eq!(codes, listed.collect(), "{call:?}");
    }
}

#[test]
fn a_call_that_asks_for_no_body_takes_none_or_an_empty_object() {
    let (app, document) = (App::start(), document());
    let nothing = |operation: &Value| {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/EmptyRequest"
    };
    let calls = operations(&document).into_iter().filter(|(_, _, operation)| nothing(operation));
    let paths: Vec<String> = calls.map(|(_, path, _)| path).collect();
    assert_eq!(paths.len(), 8, "{paths:?}");
    for path in &paths {
        let address =
            path.replace("{id}", &app.enrol(path)).replace("{transfer_id}", "x").replace("{redemption_id}", "x");
        let send = |n: &str, headers: &[(&str, &str)], body| {
            let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("idempotency-key", n)]).collect();
            app.operator().send("POST", &address, &headers, body)
        };
        let before = app.rows();
        let json = [("content-type", "application/json")];
        send("k-1", &json, Some("{\"surprise\":1}")).assert_problem(422, "validation_failed");
        send("k-1", &json, Some("{")).assert_problem(400, "malformed_json");
        send("k-1", &[("content-type", "text/plain")], Some("{}")).assert_problem(415, "unsupported_media_type");
        assert_eq!(app.rows(), before, "a refusal left a trace");
        // What is not there has no type, whatever the header says.
        let text = [("content-type", "text/plain")];
        for (key, headers, body) in
            [("k-1", &json, None), ("k-2", &json, Some("")), ("k-3", &json, Some("{}")), ("k-4", &text, Some(""))]
        {
            let answer = send(key, headers, body);
            let unknown = matches!(answer.code(), "transfer_not_found" | "redemption_not_found");
            assert!(answer.status == 200 || unknown, "{path}: {answer:?}");
        }
    }
}

// The schema that `schema` stands for, past references and past "or null".
fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        return resolve(document, document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere")));
    }
    let choices = ["oneOf", "anyOf"].iter().find_map(|key| schema[*key].as_array());
    match choices.and_then(|choices| choices.iter().find(|choice| choice["type"] != "null")) {
        Some(choice) => resolve(document, choice),
        None => schema,
    }
}

// The properties of an object and which of them are required, over all its parts; none if it is another schema. One
// whose names are data has no properties to ask for.
fn object(document: &Value, schema: &Value) -> Option<(Map<String, Value>, BTreeSet<String>)> {
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().filter_map(|part| object(document, part));
        return parts.reduce(|mut all, part| {
            all.0.extend(part.0);
            all.1.extend(part.1);
            all
        });
    }
    let resolved = resolve(document, schema);
    if resolved.get("allOf").is_some() {
        return object(document, resolved);
    }
    let required = resolved["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let properties = || resolved["properties"].as_object().cloned().unwrap_or_default();
    let has_properties = resolved["type"] == "object" && !resolved["additionalProperties"].is_object();
    has_properties.then(|| (properties(), required.map(str::to_owned).collect()))
}

/// What a body of a schema looks like when every object in it is there and every simple field is not, and which required
/// fields are then missing. Every object also has a field that no schema knows.
pub struct Hollow {
    /// The body.
    pub body: Value,
    /// The places of required fields that it lacks.
    pub missing: BTreeSet<String>,
    /// The places of fields that nobody knows.
    pub unknown: BTreeSet<String>,
    /// The places of its objects, each with the names of the fields that it may have.
    pub known: Vec<(String, BTreeSet<String>)>,
}

impl Hollow {
    /// The body of this schema, whose references lead to places in `document`.
    pub fn of(document: &Value, schema: &Value) -> Self {
        let (missing, unknown) = (BTreeSet::new(), BTreeSet::new());
        let mut hollow = Hollow { body: Value::Null, missing, unknown, known: Vec::new() };
        hollow.body = hollow.fill(document, schema, "").expect("bodies are objects");
        hollow
    }

    fn fill(&mut self, document: &Value, schema: &Value, at: &str) -> Option<Value> {
        if let Some((properties, required)) = object(document, schema) {
            let mut object = Map::from_iter([("surprise".to_owned(), json!(1))]);
            self.unknown.insert(format!("{at}/surprise"));
            self.known.push((at.to_owned(), properties.keys().cloned().collect()));
            for (name, property) in &properties {
                match self.fill(document, property, &format!("{at}/{name}")) {
                    Some(value) => {
                        object.insert(name.clone(), value);
                    }
                    None if required.contains(name) => {
                        self.missing.insert(format!("{at}/{name}"));
                    }
                    None => {}
                }
            }
            return Some(object.into());
        }
        let items = resolve(document, schema).get("items").filter(|items| object(document, items).is_some())?;
        Some(json!([self.fill(document, items, &format!("{at}/0"))?]))
    }
}

/// The names that a reader says it knows where it meets one that it does not.
pub fn known(message: &str) -> BTreeSet<String> {
    let known = message.split_once("known are ").map(|(_, known)| known.split(", "));
    known.into_iter().flatten().map(str::to_owned).collect()
}

#[test]
fn the_schemas_of_bodies_ask_for_what_their_readers_ask_for() {
    let app = App::sandbox();
    let (document, id) = (document(), app.enrol("ana"));
    let before = app.rows();
    let mut bodies = 0;
    for (method, path, operation) in operations(&document) {
        let Some(body) = operation.get("requestBody") else { continue };
        let schema = &body["content"]["application/json"]["schema"];
        let address = path.replace("{id}", &id);
        // Without a body a call is asked for it, or gets as far as being asked for its key.
        let bare = app.operator().send(&method, &address, &[], None);
        let may_be_left_out = bare.code() == "idempotency_key_required";
        assert_eq!(body["required"], !may_be_left_out, "{method} {path}: {bare:?}");
        assert!(may_be_left_out || bare.code() == "unsupported_media_type", "{method} {path}: {bare:?}");
        assert!(operation["responses"].get("422").is_some(), "{method} {path} does not say what bad bodies get");
        let send = |body: &Value| {
            app.operator().send(&method, &address, &[("idempotency-key", "k-1")], Some(&body.to_string()))
        };

        let (_, required) = object(&document, schema).expect("bodies are objects");
        if !required.is_empty() {
            let empty = send(&json!({}));
            empty.assert_problem(422, "validation_failed");
            let expected: BTreeSet<_> = required.iter().map(|name| format!("/{name}")).collect();
            // That one of two must be given is a contradiction, and not missing.
            let faults = empty.faults();
            let missing = faults.iter().filter(|fault| fault.1 == "missing");
            let missing: BTreeSet<_> = missing.map(|fault| fault.0.to_owned()).collect();
            assert_eq!(missing, expected, "{method} {path}");
        }

        let hollow = Hollow::of(&document, schema);
        let answer = send(&hollow.body);
        answer.assert_problem(422, "validation_failed");
        let faults = answer.faults();
        let of = |code: &str| faults.iter().filter(|fault| fault.1 == code).map(|fault| fault.0.to_owned()).collect();
        let (missing, unknown): (BTreeSet<String>, BTreeSet<String>) = (of("missing"), of("unknown"));
        assert_eq!((&missing, &unknown), (&hollow.missing, &hollow.unknown), "{method} {path}: {answer:?}");
        // What a reader knows it says where it meets what it does not know.
        for (at, properties) in &hollow.known {
            let errors = answer.body["errors"].as_array().unwrap();
            let fault = errors.iter().find(|fault| fault["path"] == format!("{at}/surprise")).unwrap();
            assert_eq!(&known(fault["message"].as_str().unwrap()), properties, "{method} {path} at {at:?}");
        }
        bodies += 1;
    }
    assert_eq!(bodies, table::calls().filter(|call| call.takes.is_some()).count());
    assert_eq!(app.rows(), before, "a refusal left a trace");
}

#[test]
fn the_parameters_of_an_address_are_those_that_its_handler_reads() {
    let app = App::sandbox();
    let (document, id) = (document(), app.enrol("ana"));
    for (method, path, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let of = |place: &str| -> BTreeSet<String> {
            let there = parameters.iter().filter(|parameter| parameter["in"] == place);
            there.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
        };
        let in_path: BTreeSet<String> =
            path.split('/').filter_map(|part| Some(part.strip_prefix('{')?.strip_suffix('}')?.to_owned())).collect();
        assert_eq!(of("path"), in_path, "{method} {path}");
        let query = of("query");
        if !query.is_empty() {
            let answer = app.operator().get(&format!("{}?surprise=1", path.replace("{id}", &id)));
            answer.assert_problem(400, "invalid_parameter");
            let errors = answer.body["errors"].as_array().unwrap();
            let fault = errors.iter().find(|fault| fault["path"] == "/surprise").unwrap();
            assert_eq!(known(fault["message"].as_str().unwrap()), query, "{method} {path}");
        }
    }
}

#[test]
fn every_metric_stands_in_the_table_of_metrics_and_no_other() {
    let mut counted = BTreeSet::new();
    for file in sources(&source()) {
        let text = fs::read_to_string(&file).unwrap();
        for kind in ["counter!(", "gauge!(", "histogram!("] {
            let names =
                text.split(kind).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
            counted.extend(names.map(str::to_owned));
        }
    }
    assert!(counted.iter().all(|name| name.starts_with("accrue_")), "{counted:?}");
    let document = document();
    let text = document["paths"]["/metrics"]["get"]["description"].as_str().unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), counted);
}

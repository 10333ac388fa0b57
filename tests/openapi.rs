//! The document, the access table, the table of problems and the handlers say the same.

use std::collections::BTreeSet;

use accrue::domain::refusal::Refusal;
use accrue::http::access::{ACCESS, MEMBER_SCOPE, Need};
use accrue::http::auth::AuthRefusal;
use accrue::http::problem::{PROBLEMS, Problem};
use accrue::ledger::NoAnswer;
use serde_json::{Map, Value, json};

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
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let made = accrue::http::document_yaml();
    if committed != made {
        let lines = committed.lines().zip(made.lines()).take_while(|(committed, made)| committed == made).count();
        let line = made.lines().nth(lines).unwrap_or_default();
        panic!("openapi.yaml is old from line {} ({line}); run: cargo run -- openapi > openapi.yaml", lines + 1);
    }
    assert!(made.starts_with("openapi: 3.1"), "{}", made.lines().next().unwrap());
}

#[test]
fn the_document_has_the_rows_of_the_access_table_and_no_others() {
    let document = document();
    let rows: BTreeSet<_> = ACCESS.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    assert_eq!(rows.len(), ACCESS.len(), "a row stands twice");
    let documented: BTreeSet<_> = operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    assert_eq!(documented, rows);
}

#[test]
fn the_document_asks_for_the_scopes_of_the_access_table() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let row = ACCESS.iter().find(|row| (row.method, row.path) == (&method, &path)).unwrap();
        let expected = match row.need {
            Need::Nothing => Value::Null,
            Need::Scope(scope) => json!([{ "bearer": [scope] }]),
            Need::ScopeOrMember(scope) => json!([{ "bearer": [scope] }, { "bearer": [MEMBER_SCOPE] }]),
        };
        assert_eq!(operation["security"], expected, "{method} {path}");
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[test]
fn every_operation_and_every_answer_is_described() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let told = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
        assert!(told(&operation["summary"]), "{method} {path} has no summary");
        assert!(operation["operationId"].is_string() && operation["tags"].is_array(), "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(!responses.is_empty());
        for (status, response) in responses {
            assert!(told(&response["description"]), "{method} {path}: {status} has no description");
            // The codes that a description names are in the table, with that status.
            let description = response["description"].as_str().unwrap();
            for code in description.split('`').skip(1).step_by(2).filter(|_| status != "200") {
                let row = PROBLEMS.iter().find(|row| row.0 == code);
                let row = row.unwrap_or_else(|| panic!("{method} {path}: {code} is in no table"));
                assert_eq!(row.1.to_string(), *status, "{method} {path}: {code}");
            }
        }
        for parameter in operation["parameters"].as_array().unwrap_or(&Vec::new()) {
            assert!(told(&parameter["description"]), "{method} {path}: {}", parameter["name"]);
        }
    }
}

// The schema that `schema` stands for, past references and past "or null".
fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        return resolve(document, document.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere")));
    }
    let choices = ["oneOf", "allOf", "anyOf"].iter().find_map(|key| schema[*key].as_array());
    match choices.and_then(|choices| choices.iter().find(|choice| choice["type"] != "null")) {
        Some(choice) => resolve(document, choice),
        None => schema,
    }
}

// What a body of this schema looks like when every object in it is there and every simple field is not, and which
// required fields are then missing. Every object also has a field that no schema knows.
struct Hollow {
    body: Value,
    missing: BTreeSet<String>,
    unknown: BTreeSet<String>,
    known: Vec<(String, BTreeSet<String>)>,
}

impl Hollow {
    fn of(document: &Value, schema: &Value) -> Self {
        let (missing, unknown) = (BTreeSet::new(), BTreeSet::new());
        let mut hollow = Hollow { body: Value::Null, missing, unknown, known: Vec::new() };
        hollow.body = hollow.fill(document, schema, "").expect("bodies are objects");
        hollow
    }

    fn fill(&mut self, document: &Value, schema: &Value, at: &str) -> Option<Value> {
        let schema = resolve(document, schema);
        if let Some(properties) = schema["properties"].as_object() {
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut object = Map::from_iter([("surprise".to_owned(), json!(1))]);
            self.unknown.insert(format!("{at}/surprise"));
            self.known.push((at.to_owned(), properties.keys().cloned().collect()));
            for (name, property) in properties {
                match self.fill(document, property, &format!("{at}/{name}")) {
                    Some(value) => {
                        object.insert(name.clone(), value);
                    }
                    None if required.contains(&name.as_str()) => {
                        self.missing.insert(format!("{at}/{name}"));
                    }
                    None => {}
                }
            }
            return Some(object.into());
        }
        let items = schema.get("items").filter(|items| resolve(document, items).get("properties").is_some())?;
        Some(json!([self.fill(document, items, &format!("{at}/0"))?]))
    }
}

#[test]
fn the_schemas_of_bodies_ask_for_what_their_readers_ask_for() {
    let app = App::sandbox();
    let (document, id) = (document(), app.enrol("ana"));
    let before = app.rows();
    let mut bodies = 0;
    for (method, path, operation) in operations(&document) {
        let Some(body) = operation.get("requestBody") else { continue };
        assert_eq!(body["required"], true, "{method} {path}");
        let schema = &body["content"]["application/json"]["schema"];
        let address = path.replace("{id}", &id);
        let send = |body: &Value| {
            app.operator().send(&method, &address, &[("idempotency-key", "k-1")], Some(&body.to_string()))
        };

        let required = resolve(&document, schema)["required"].as_array().cloned().unwrap_or_default();
        if !required.is_empty() {
            let empty = send(&json!({}));
            empty.assert_problem(422, "validation_failed");
            let expected: BTreeSet<_> = required.iter().map(|name| format!("/{}", name.as_str().unwrap())).collect();
            assert!(empty.faults().iter().all(|fault| fault.1 == "missing"), "{empty:?}");
            let missing: BTreeSet<_> = empty.faults().iter().map(|fault| fault.0.to_owned()).collect();
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
            let known = fault["message"].as_str().unwrap().split_once("known are ").unwrap().1;
            let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
            assert_eq!(&known, properties, "{method} {path} at {at:?}");
        }
        bodies += 1;
    }
    assert_eq!(bodies, ACCESS.iter().filter(|row| row.method != "GET").count());
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
        // What is no command has no key.
        let keyless = method == "GET" || path == "/v1/sandbox/clock";
        let keyed = if keyless { BTreeSet::new() } else { BTreeSet::from(["Idempotency-Key".to_owned()]) };
        assert_eq!(of("header"), keyed, "{method} {path}");
        let query = of("query");
        if !query.is_empty() {
            let answer = app.operator().get(&format!("{}?surprise=1", path.replace("{id}", &id)));
            answer.assert_problem(400, "invalid_parameter");
            let errors = answer.body["errors"].as_array().unwrap();
            let fault = errors.iter().find(|fault| fault["path"] == "/surprise").unwrap();
            let known = fault["message"].as_str().unwrap().split_once("known are ").unwrap().1;
            assert_eq!(known.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), query, "{method} {path}");
        }
    }
}

// One of each; the match makes the compiler ask for the new ones.
fn refusals() -> Vec<Refusal> {
    let text = || "x".to_owned();
    let all = vec![
        Refusal::MemberNotFound,
        Refusal::OrderConflict { order_id: text() },
        Refusal::ExternalIdConflict,
        Refusal::IdempotencyKeyConflict,
        Refusal::CurrencyMismatch { expected: text() },
        Refusal::AmountOverLimit { maximum: text() },
        Refusal::OccurredInFuture { minutes: 5 },
        Refusal::JoinedInFuture { minutes: 5 },
        Refusal::PointsOverLimit,
        Refusal::EffectiveTooSoon { seconds: 60 },
    ];
    for refusal in &all {
        match refusal {
            Refusal::MemberNotFound
            | Refusal::OrderConflict { .. }
            | Refusal::ExternalIdConflict
            | Refusal::IdempotencyKeyConflict
            | Refusal::CurrencyMismatch { .. }
            | Refusal::AmountOverLimit { .. }
            | Refusal::OccurredInFuture { .. }
            | Refusal::JoinedInFuture { .. }
            | Refusal::PointsOverLimit
            | Refusal::EffectiveTooSoon { .. } => {}
        }
    }
    all
}

const AUTH_REFUSALS: [AuthRefusal; 17] = [
    AuthRefusal::Missing,
    AuthRefusal::SeveralHeaders,
    AuthRefusal::NotBearer,
    AuthRefusal::TooLong,
    AuthRefusal::Malformed,
    AuthRefusal::CriticalHeader,
    AuthRefusal::UnknownKey,
    AuthRefusal::AlgorithmNotAllowed,
    AuthRefusal::BadSignature,
    AuthRefusal::Expired,
    AuthRefusal::NotYetValid,
    AuthRefusal::WrongIssuer,
    AuthRefusal::WrongAudience,
    AuthRefusal::MissingClaim("exp"),
    AuthRefusal::InvalidClaim("exp"),
    AuthRefusal::BadSubject,
    AuthRefusal::BadMember,
];

#[test]
fn every_code_stands_in_the_table_of_problems_once() {
    let codes: BTreeSet<_> = PROBLEMS.iter().map(|row| row.0).collect();
    assert_eq!(codes.len(), PROBLEMS.len(), "a code stands twice");
    for (code, status, title) in PROBLEMS {
        assert!((400..600).contains(status) && !title.is_empty(), "{code}");
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
    }
    for refusal in refusals() {
        let problem = Problem::refused(&refusal, false);
        assert_eq!(problem.document().code, refusal.code());
        // What is remembered and what is shown is one name.
        assert_eq!(serde_json::to_value(&refusal).unwrap()["code"], refusal.code());
    }
    for refusal in AUTH_REFUSALS {
        let problem = Problem::from(refusal);
        assert_eq!((problem.document().code.as_str(), problem.document().status), (refusal.code(), 401));
    }
    for (no_answer, status) in [
        (NoAnswer::Busy, 503),
        (NoAnswer::Expired, 503),
        (NoAnswer::Unavailable, 503),
        (NoAnswer::OutcomeUnknown, 503),
        (NoAnswer::Fault, 500),
    ] {
        assert_eq!(Problem::from(no_answer).document().status, status);
    }
    assert!(
        document()["info"]["description"].as_str().is_some_and(|text| codes.iter().all(|code| text.contains(code)))
    );
}

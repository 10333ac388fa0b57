//! Every answer that a test gets must be one that the table of calls lists and that the document describes.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use accrue::http::call::Call;
use accrue::http::code::HttpCode;
use accrue::http::table;
use jsonschema::Validator;
use serde_json::{Value, json};

use super::Answer;

/// The problems of addresses and methods that are no calls.
const NO_CALL: [HttpCode; 2] = [HttpCode::NotFound, HttpCode::MethodNotAllowed];

/// Panics if the table does not list this answer for the call, or its body is not of the schema that the document gives.
#[track_caller]
pub fn hold(method: &str, path: &str, answer: &Answer) {
    let method = if method == "HEAD" { "GET" } else { method };
    let Some(call) = find(method, path) else { return };
    let code = answer.code();
    SEEN.lock().expect("no panic under it").add(format!("{} {code}", call.name));
    if NO_CALL.iter().any(|none| none.name() == code) {
        return;
    }
    let success = [Some(call.answer.status), call.answer.or_else.map(|(status, _)| status)];
    if answer.headers.get("content-type").is_some_and(|media| media == "application/problem+json") {
        let listed = call.codes().into_iter().any(|listed| listed.name() == code && listed.status() == answer.status);
        assert!(listed, "{call:?} answers {} {code}, which its row does not list", answer.status);
    } else if answer.status == 304 {
        assert!(call.answer.etag, "{call:?} answers 304, and has no ETag in its row");
        return;
    } else {
        assert!(success.contains(&Some(answer.status)), "{call:?} answers {}: {answer:?}", answer.status);
    }
    let headers = [("etag", call.answer.etag), ("location", call.answer.location.is_some())];
    for (name, listed) in headers.into_iter().filter(|_| answer.status < 300) {
        assert_eq!(answer.headers.contains_key(name), listed, "{name} of {call:?}: {answer:?}");
    }
    // What was answered before is answered again as it was, also by an older version.
    if !answer.body.is_null() && !answer.replayed() {
        fits(call, answer.status, &answer.body).unwrap_or_else(|wrong| panic!("{call:?}: {wrong}: {answer:?}"));
    }
}

/// Whether a body is of the schema that the document gives for this status of a call, with no field besides.
pub fn fits(call: &Call, status: u16, body: &Value) -> Result<(), String> {
    static SCHEMAS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);
    let document = &*DOCUMENT;
    let response = &document["paths"][call.path][call.method().to_lowercase()]["responses"][status.to_string()];
    let response = match response["$ref"].as_str() {
        Some(shared) => document.pointer(&shared[1..]).expect("a reference leads somewhere"),
        None => response,
    };
    let media = if status < 400 { "application/json" } else { "application/problem+json" };
    let content = response["content"].get(media).unwrap_or(&response["content"]["application/json"]);
    let name = content["schema"]["$ref"].as_str().ok_or_else(|| format!("{status} has no schema"))?.to_owned();
    let validator = *SCHEMAS.lock().expect("no panic under it").entry(name.clone()).or_insert_with(|| {
        let schema = json!({ "$ref": name, "components": document["components"] });
        Box::leak(Box::new(jsonschema::validator_for(&schema).expect("the document has usable schemas")))
    });
    validator.validate(body).map_err(|wrong| format!("{} at {}", wrong, wrong.instance_path()))
}

/// What the last run of the tests has seen: a call and a code in a line. A test that is not run with the others holds it
/// against the table, since no test knows that it is the last.
pub fn seen() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("answered-codes")
}

static SEEN: LazyLock<Mutex<Seen>> = LazyLock::new(|| {
    let file = File::create(seen()).expect("a file can be made");
    Mutex::new(Seen { file, lines: BTreeSet::new() })
});

struct Seen {
    file: File,
    lines: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, line: String) {
        if !self.lines.contains(&line) {
            writeln!(self.file, "{line}").expect("the file can be written");
            self.lines.insert(line);
        }
    }
}

/// The document; every object in it is closed, so that a field that it does not know is found.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = serde_json::to_value(accrue::http::document()).expect("the document has a JSON form");
    let schemas = document["components"]["schemas"].as_object_mut().expect("there are schemas");
    schemas.values_mut().filter(|schema| schema["properties"].is_object()).for_each(|schema| {
        schema["additionalProperties"] = json!(false);
    });
    document
});

// The call that takes this address; what changes in it is told apart last.
fn find(method: &str, path: &str) -> Option<&'static Call> {
    let path = path.split('?').next().unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let takes = |call: &&Call| {
        let pattern: Vec<&str> = call.path.split('/').collect();
        let same = |(pattern, part): (&&str, &&str)| pattern == part || (pattern.starts_with('{') && !part.is_empty());
        call.method() == method && pattern.len() == parts.len() && pattern.iter().zip(&parts).all(same)
    };
    table::calls().find(takes)
}

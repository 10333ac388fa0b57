//! The answers of a call, by status.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Ref, Type};
use utoipa::openapi::{Content, ContentBuilder, Header, RefOr, Response, ResponseBuilder, Responses};

use super::super::call::{Answer, Call, Key, Need};
use super::super::code::Code;
use super::super::table;

/// The answers of a call. Problems that many calls have in the same words stand in the document once.
pub fn responses(call: &Call) -> Responses {
    let mut responses = Responses::new();
    let Answer { status, about, or_else, etag, .. } = call.answer;
    responses.responses.insert(status.to_string(), success(call, about).into());
    if let Some((status, when)) = or_else {
        responses.responses.insert(status.to_string(), success(call, when).into());
    }
    if etag {
        let unchanged = ResponseBuilder::new().description("Nothing changed").header("ETag", etag_header());
        responses.responses.insert("304".to_owned(), unchanged.build().into());
    }
    for (status, problem) in problems(call) {
        let shared = shared_name(call, status).map(|name| Ref::from_response_name(name).into());
        responses.responses.entry(status.to_string()).or_insert(shared.unwrap_or_else(|| problem.into()));
    }
    responses
}

/// The problems that calls share, by name.
pub fn shared() -> BTreeMap<String, RefOr<Response>> {
    let calls = table::calls().flat_map(|call| problems(call).into_iter().map(move |problem| (call, problem)));
    calls.filter_map(|(call, (status, problem))| Some((shared_name(call, status)?, problem.into()))).collect()
}

// The name of the answer of this status, where it is the same for every call of this shape.
fn shared_name(call: &Call, status: u16) -> Option<String> {
    let word = match status {
        401 => "Unauthorised",
        403 => "Forbidden",
        408 if call.takes.is_some() => "BodyTimeout",
        408 => "Timeout",
        413 => "BodyTooLarge",
        415 => "UnsupportedBody",
        429 if call.problems.is_empty() => "TooMany",
        431 => "HeadTooLarge",
        500 => "Fault",
        503 if call.key != Key::None => "CommandUnavailable",
        503 if call.problems.is_empty() => "Unavailable",
        _ => return None,
    };
    Some(word.to_owned())
}

fn success(call: &Call, about: &str) -> Response {
    let Answer { media, shape, example, etag, location, .. } = call.answer;
    let example: Option<Value> = example.map(|text| serde_json::from_str(text).expect("examples are JSON"));
    let content = || ContentBuilder::new().schema(shape.map(|shape| (shape.schema)())).example(example.clone()).build();
    let mut response = ResponseBuilder::new().description(about);
    for media in media {
        response = response.content(*media, content());
    }
    if etag {
        response = response.header("ETag", etag_header());
    }
    if let Some(what) = location {
        response = response.header("Location", header(what));
    }
    if call.key != Key::None {
        response = response.header("Idempotency-Replayed", replayed());
    }
    if call.reads() {
        response = response.header("Accrue-Replica-Lag", replica_lag());
    }
    response.build()
}

fn problems(call: &Call) -> BTreeMap<u16, Response> {
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    call.codes().into_iter().for_each(|code| by_status.entry(code.status()).or_default().push(code));
    let problem = |(status, codes): (u16, Vec<Code>)| {
        let names: Vec<String> = codes.iter().map(|code| format!("`{}`", code.name())).collect();
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let mut response =
            ResponseBuilder::new().description(names.join(", ")).content("application/problem+json", content);
        if status == 401 && call.need != Need::Nothing {
            response = response.header("WWW-Authenticate", header("`Bearer`"));
        }
        if matches!(status, 429 | 503) {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
            let about = "In how many seconds to try again";
            response = response
                .header("Retry-After", HeaderBuilder::new().schema(Some(seconds)).description(Some(about)).build());
        }
        if call.key != Key::None && codes.iter().any(|code| matches!(code, Code::Refused(_))) {
            response = response.header("Idempotency-Replayed", replayed());
        }
        (status, response.build())
    };
    by_status.into_iter().map(problem).collect()
}

fn etag_header() -> Header {
    header("Send it as `If-None-Match` to be told when nothing changed")
}

fn replica_lag() -> Header {
    header("From a service that reads a standby: by how many seconds that was behind, a moment ago, such as `0.250`")
}

fn replayed() -> Header {
    header("`true` if this was answered before")
}

fn header(about: &str) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(Some(text)).description(Some(about)).build()
}

//! Answers of a success.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;

use super::code::HttpCode;
use super::headers::IDEMPOTENCY_REPLAYED;
use super::problem::Problem;
use crate::domain::journal::entry::hex;
use crate::domain::time::{self, Timestamp};
use crate::ledger::{Answer, Outcome};
use crate::read::Said;

/// 201 with the body of a success, or the problem of a refusal.
pub fn created(answer: Answer, location: Option<String>) -> Result<HttpResponse, Problem> {
    let mut response = answered(answer, StatusCode::CREATED)?;
    if let Some(location) = location.and_then(|location| header::HeaderValue::try_from(location).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// As [`created`]; what was made stands in `collection`, under the `id` that the body gives it.
pub fn created_in(collection: &str, answer: Answer) -> Result<HttpResponse, Problem> {
    let id = match &answer.outcome {
        Outcome::Done(body) => {
            serde_json::from_str(body).ok().and_then(|body: Value| Some(body["id"].as_str()?.to_owned()))
        }
        Outcome::Refused(_) => None,
    };
    created(answer, id.map(|id| format!("{collection}/{id}")))
}

/// 200 with the body of a success, or the problem of a refusal.
pub fn done(answer: Answer) -> Result<HttpResponse, Problem> {
    answered(answer, StatusCode::OK)
}

/// 200 with this body.
pub fn json(body: &impl Serialize) -> Result<HttpResponse, Problem> {
    Ok(found(serde_json::to_string(body).map_err(unwritable)?))
}

/// What the app polls: an `ETag` of the body, and 304 if the caller has it already.
pub fn polled(request: &HttpRequest, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let said = Said::of(body).map_err(unwritable)?;
    tagged(request, &said.digest, || said.text)
}

/// The same of an object whose last member, called `last`, changes with every instant and is no part of the tag.
pub fn polled_without(request: &HttpRequest, body: &impl Serialize, last: &str) -> Result<HttpResponse, Problem> {
    let said = Said::without(body, last).map_err(unwritable)?;
    tagged(request, &said.digest, || said.text)
}

/// The same of an object that has members and is said already, with the instant behind them as of which it is so. The `ETag`
/// is that of the object alone.
pub fn polled_as_of(
    request: &HttpRequest,
    said: serde_json::Result<&Said>,
    as_of: Timestamp,
) -> Result<HttpResponse, Problem> {
    let Said { text, digest } = said.map_err(unwritable)?;
    tagged(request, digest, || {
        let mut body = String::with_capacity(text.len() + 48);
        body.push_str(text.strip_suffix('}').unwrap_or(text));
        body.push_str(",\"as_of\":\"");
        time::write_canonical(&mut body, as_of);
        body.push_str("\"}");
        body
    })
}

fn unwritable(_: serde_json::Error) -> Problem {
    Problem::new(HttpCode::Internal, "the answer cannot be written")
}

fn found(body: String) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(body)
}

fn tagged(request: &HttpRequest, digest: &[u8], body: impl FnOnce() -> String) -> Result<HttpResponse, Problem> {
    let etag = format!("W/\"{}\"", hex(digest));
    let known = matches_etag(request, &etag);
    let mut response = if known { HttpResponse::NotModified().finish() } else { found(body()) };
    let value =
        header::HeaderValue::try_from(etag).map_err(|_| Problem::new(HttpCode::Internal, "the tag is not a header"))?;
    response.headers_mut().insert(header::ETAG, value);
    Ok(response)
}

fn answered(answer: Answer, status: StatusCode) -> Result<HttpResponse, Problem> {
    let body = match answer.outcome {
        Outcome::Done(body) => body,
        Outcome::Refused(refusal) => return Err(Problem::refused(&refusal, answer.replayed)),
    };
    let mut response = HttpResponse::build(status);
    response.content_type("application/json");
    if answer.replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(response.body(body))
}

// An ETag is compared as it is; the weak form is enough for polling.
fn matches_etag(request: &HttpRequest, etag: &str) -> bool {
    let values = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|known| known.trim() == etag || known.trim() == "*")
}

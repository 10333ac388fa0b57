//! What the HTTP parser answers by itself, to what is no request: it never reaches a handler, and has no body. It
//! leaves the service as a problem document like any other.

use actix_web::ResponseError;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;

use super::code::HttpCode;
use super::headers;
use super::problem::Problem;

/// What is written in the place of an answer of the parser.
pub struct Substitute {
    /// What of it has still to be written.
    pub left: Bytes,
    /// How many bytes of the parser's it stands for.
    pub stands_for: usize,
}

/// What is to be written in the place of `written`, if that is an answer of the parser. The connection ends behind
/// each of them. One that the parser wrote in a breath with the answer before it goes out as it is.
pub fn substitute(written: &[u8]) -> Option<Substitute> {
    let status = written.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    let problem = match status {
        b"400" => Problem::new(HttpCode::MalformedRequest, "what was sent is no HTTP request"),
        b"408" => Problem::new(HttpCode::RequestTimeout, "the head of the request did not arrive in time"),
        b"431" => Problem::new(HttpCode::HeadTooLarge, "the address and the headers are too long"),
        _ => return None,
    };
    // No handler answers any of these without a body.
    let head = std::str::from_utf8(written).ok()?.strip_suffix("\r\n\r\n")?;
    head.lines().find(|line| line.eq_ignore_ascii_case("content-length: 0"))?;
    Some(Substitute { left: text(&problem).into(), stands_for: written.len() })
}

fn text(problem: &Problem) -> Vec<u8> {
    let (status, body) = (problem.status_code(), problem.text());
    let mut text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n", body.len()).into_bytes();
    for (name, value) in headers::API.iter().chain([&(CONTENT_TYPE, headers::PROBLEM)]) {
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    text.extend(body.into_bytes());
    text
}

//! What every answer says to browsers and caches.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// Marks an answer that was given before.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";

/// How many seconds what was read was behind the ledger, a moment ago.
pub const REPLICA_LAG: HeaderName = HeaderName::from_static("accrue-replica-lag");

/// The media type of problem documents.
pub const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// On answers of the API. What is a member's must lie in no cache, neither on the way nor in a browser. An app that
/// polls keeps the last answer and its `ETag` itself: `If-None-Match` and 304 need no cache.
pub static API: [(HeaderName, HeaderValue); 2] = [NO_SNIFFING, (CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// On the pages of the documentation: their own scripts and styles (Swagger UI sets some on its elements), calls to
/// this service alone, and in nobody's frame.
static PAGES: [(HeaderName, HeaderValue); 3] = [
    NO_SNIFFING,
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

const NO_SNIFFING: (HeaderName, HeaderValue) = (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

/// What goes with an answer from `path`.
pub fn of(path: &str) -> &'static [(HeaderName, HeaderValue)] {
    let documentation = path == "/docs" || path.starts_with("/docs/");
    if documentation { &PAGES } else { &API }
}

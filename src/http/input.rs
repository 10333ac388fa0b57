//! Reading requests: bodies, query parameters and keys, checked before anything else sees them.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;

use actix_web::body::{self, BodyLimitExceeded, BodyStream};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::code::HttpCode;
use super::connections::{Bounds, Watch};
use super::problem::Problem;
use super::strict_json;
use crate::domain::fields::{self, Fault, Fields, Wrong};
use crate::domain::money::{self, Currency, MoneyFault};

/// The largest body of an order or a refund: as many items as there may be fit, with room for long names.
pub const MAX_BODY_OF_ITEMS: usize = 1024 * 1024;

/// The largest body of any other call. What many peers can have under way at once is kept small.
pub const MAX_BODY: usize = 64 * 1024;

/// Something that is read from a JSON object.
pub trait Read: Sized {
    /// May a body be left out whole, as if it were `{}`?
    const MAY_BE_LEFT_OUT: bool = false;

    /// How many bytes a body has at most.
    const MOST_BYTES: usize = MAX_BODY;

    /// Reads it; every fault goes to `fields`.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: Read + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !request.headers().get_all(header::CONTENT_ENCODING).all(is_identity) {
            return Box::pin(ready(Err(Problem::content_encoding_unsupported())));
        }
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = media_type.is_some_and(|value| {
            value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
        });
        let wrong_type = || Problem::new(HttpCode::UnsupportedMediaType, "send the body as application/json");
        // What is left out has no type, whatever the header says: that shows when nothing has arrived.
        if !is_json && !T::MAY_BE_LEFT_OUT {
            return Box::pin(ready(Err(wrong_type())));
        }
        let said = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if said.is_some_and(|length: usize| length > T::MOST_BYTES) {
            return Box::pin(ready(Err(too_large(T::MOST_BYTES))));
        }
        let bytes = body::to_bytes_limited(BodyStream::new(payload.take()), T::MOST_BYTES);
        let watch = request.conn_data::<Rc<Watch>>().cloned();
        Box::pin(async move {
            let bytes =
                arrived(bytes, watch.as_deref()).await?.map_err(|BodyLimitExceeded { .. }| too_large(T::MOST_BYTES))?;
            let bytes =
                bytes.map_err(|_| Problem::new(HttpCode::MalformedJson, "the body could not be read to its end"))?;
            if T::MAY_BE_LEFT_OUT && bytes.is_empty() {
                return fields::read(&json!({}), T::read).map(Body).map_err(Problem::validation);
            }
            if !is_json {
                return Err(wrong_type());
            }
            let value = strict_json::parse(&bytes).map_err(|error| {
                let what = if error.is_data() { "has a key more than once" } else { "is not JSON" };
                let (line, column) = (error.line(), error.column());
                Problem::new(HttpCode::MalformedJson, format!("the body {what}, at line {line}, column {column}"))
            })?;
            fields::read(&value, T::read).map(Body).map_err(Problem::validation)
        })
    }
}

/// An empty object: the address says everything. May be left out.
#[derive(utoipa::ToSchema)]
#[schema(as = EmptyRequest)]
pub struct Nothing {}

impl Read for Nothing {
    const MAY_BE_LEFT_OUT: bool = true;

    fn read(_: &mut Fields<'_>) -> Option<Self> {
        Some(Self {})
    }
}

// What is packed is refused before it is looked at: a few bytes can stand for very many.
fn is_identity(encoding: &HeaderValue) -> bool {
    encoding.to_str().is_ok_and(|encoding| encoding.trim().eq_ignore_ascii_case("identity"))
}

fn too_large(most: usize) -> Problem {
    Problem::new(HttpCode::BodyTooLarge, format!("a body of this call may have at most {most} bytes"))
}

// What `bytes` gives, within the time that a body has to arrive.
async fn arrived<F, E>(
    bytes: impl Future<Output = Result<Result<Bytes, F>, E>>,
    watch: Option<&Watch>,
) -> Result<Result<Result<Bytes, F>, E>, Problem> {
    let bound = watch.map_or_else(|| Bounds::default().arrival, Watch::arrival);
    if let Some(watch) = watch {
        watch.await_body();
    }
    let bytes = tokio::time::timeout(bound, bytes).await.map_err(|_| {
        Problem::new(HttpCode::BodyTimeout, format!("a body must arrive within {} seconds", bound.as_secs_f32()))
    })?;
    if let Some(watch) = watch.filter(|_| matches!(bytes, Ok(Ok(_)))) {
        watch.body_arrived();
    }
    Ok(bytes)
}

/// Query parameters.
pub struct Query<T>(pub T);

impl<T: Read + 'static> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let read =
            pairs.map_err(|_| Problem::new(HttpCode::InvalidParameter, "the query cannot be read")).and_then(|pairs| {
                let mut object = serde_json::Map::new();
                for (name, value) in pairs.into_inner() {
                    if object.insert(name, value.into()).is_some() {
                        return Err(Problem::new(
                            HttpCode::InvalidParameter,
                            "a query parameter stands more than once",
                        ));
                    }
                }
                fields::read(&Value::Object(object), T::read).map(Query).map_err(Problem::parameters)
            });
        ready(read)
    }
}

/// The `Idempotency-Key` header, if there is one: 1 to 255 visible ASCII characters.
pub struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// The key, for calls that have a natural one besides.
    pub fn optional(self) -> Option<String> {
        self.0
    }

    /// The key, for calls that need one.
    pub fn required(self) -> Result<Option<String>, Problem> {
        let detail = "send an Idempotency-Key header with a new random value, and the same value when you retry";
        match self.0 {
            Some(key) => Ok(Some(key)),
            None => Err(Problem::new(HttpCode::IdempotencyKeyRequired, detail)),
        }
    }
}

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let wrong = |detail: &str| Err(Problem::new(HttpCode::InvalidParameter, detail));
        let mut values = request.headers().get_all("idempotency-key");
        ready(match (values.next(), values.next()) {
            (None, _) => Ok(Self(None)),
            (Some(_), Some(_)) => wrong("send one Idempotency-Key header"),
            (Some(value), None) => match value.to_str() {
                Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) => {
                    Ok(Self(Some(key.to_owned())))
                }
                _ => wrong("an Idempotency-Key has 1 to 255 visible ASCII characters"),
            },
        })
    }
}

/// An amount that was read before its currency was known, now in that currency; `field` held it.
pub fn in_currency(amount: Decimal, currency: Currency, field: &str) -> Result<Decimal, Problem> {
    let allowed = currency.minor_units();
    if amount.scale() > allowed {
        let Wrong { code, message } = MoneyFault::TooManyDecimals { allowed }.into();
        return Err(Problem::validation(vec![Fault { path: format!("/{field}"), code: code.to_owned(), message }]));
    }
    Ok(money::in_minor_units(amount, currency))
}

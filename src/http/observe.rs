//! What is done with every request, whatever it asks for: it gets an id, its row of the table is found, it is counted
//! and timed, and the log says how it was answered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use metrics::{Counter, Histogram};
use uuid::Uuid;

use super::call::Call;
use super::code::Code;
use super::connections::{self, Answer};
use super::service::Service;
use super::spans::Handled;
use super::{headers, table};
use crate::ledger::Mode;
use crate::process::seldom;

/// The methods that are told apart. One that nobody has heard of must not become a series of its own.
const METHODS: [&str; 6] = ["GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"];

/// Observes the requests of a worker.
pub struct Observer {
    service: web::Data<Service>,
    meters: Meters,
}

impl Observer {
    /// An observer of the requests to `service`.
    pub fn new(service: web::Data<Service>) -> Rc<Self> {
        Rc::new(Self { service, meters: Meters::default() })
    }

    /// Observes a request while `next` answers it, which finds its [`table::Address`] in its extensions.
    pub async fn observe(
        self: Rc<Self>,
        mut request: ServiceRequest,
        next: Next<BoxBody>,
    ) -> Result<ServiceResponse<Answer>, Error> {
        let began = Instant::now();
        let answering = connections::answering(&request);
        let id = request_id();
        let asked = request.method().clone();
        // The encoder remembers that this was HEAD, and sends no body (RFC 9110, section 9.3.2).
        if asked == Method::HEAD {
            request.head_mut().method = Method::GET;
        }
        // The router reads the path decoded, and so does the table.
        let path = request.match_info().as_str();
        let added = headers::of(path);
        let sandbox = self.service.ledger.mode() == Mode::Sandbox;
        let address = table::address(path).filter(|address| sandbox || !address.is_of_sandbox());
        let route = address.map_or("none", table::Address::pattern);
        if let Some(address) = address {
            request.extensions_mut().insert(address);
        }
        let method = METHODS.into_iter().find(|known| *known == request.method().as_str()).unwrap_or("other");
        let reads = address.and_then(|address| address.call(method)).is_some_and(Call::reads);
        let handled = Handled::new(id, asked, route);
        let answered = handled.log(async {
            let response = next.call(request).await?;
            handled.answered(response.status());
            tell(&response);
            Ok::<_, Error>(response)
        });
        let mut response = answered.await?;
        let (status, headers) = (response.status(), response.headers_mut());
        if let Ok(id) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())) {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        if reads && let Some(lag) = self.lag() {
            headers.insert(headers::REPLICA_LAG, lag);
        }
        for (name, value) in added {
            headers.insert(name.clone(), value.clone());
        }
        self.meters.count((method, route, status.as_u16()));
        self.meters.time(route, began);
        Ok(response.map_body(|_, body| Answer::new(body, answering)))
    }

    fn lag(&self) -> Option<HeaderValue> {
        let lag = self.service.reader.lag()?.last()?;
        HeaderValue::try_from(format!("{:.3}", lag.as_secs_f64())).ok()
    }
}

/// The series of every answer's metrics. They are kept, because looking one up by its labels costs more than counting.
#[derive(Default)]
struct Meters {
    answers: RefCell<HashMap<(&'static str, &'static str, u16), Counter>>,
    times: RefCell<HashMap<&'static str, Histogram>>,
}

impl Meters {
    fn count(&self, answer: (&'static str, &'static str, u16)) {
        let mut answers = self.answers.borrow_mut();
        let counter = answers.entry(answer).or_insert_with(|| {
            let (method, route, status) = answer;
            let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
            metrics::counter!("accrue_http_requests_total", &labels)
        });
        counter.increment(1);
    }

    fn time(&self, route: &'static str, began: Instant) {
        let mut times = self.times.borrow_mut();
        let times =
            times.entry(route).or_insert_with(|| metrics::histogram!("accrue_http_request_seconds", "route" => route));
        times.record(began.elapsed().as_secs_f64());
    }
}

// By the wall clock, which is no business of the ledger's, and without asking the system for what is random.
fn request_id() -> Uuid {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(now.as_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &rand::random()).into_uuid()
}

fn tell(response: &ServiceResponse) {
    let code = || response.response().extensions().get().copied().map_or("none", Code::name);
    match response.status() {
        // A caller who is refused may be an attacker, and is refused as often as it likes.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
            let code = code();
            if let Some(left_out) = seldom::due(code) {
                tracing::info!(code, left_out, "refused");
            }
        }
        status if status.is_server_error() => {
            let code = code();
            if let Some(left_out) = seldom::due(code) {
                tracing::warn!(code, left_out, "answered with a server error");
            }
        }
        _ => tracing::debug!(code = code(), "answered"),
    }
}

//! The server: routes, middleware, start and stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpMessage, HttpRequest, web};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder, TracingLogger};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::code::{Code, HttpCode};
use super::connections::{Bounds, Connections};
use super::operations::DocumentText;
use super::problem::Problem;
use super::service::Service;
use super::{access, connections, document, headers, table};
use crate::ledger::Mode;
use crate::process::seldom;

/// How long open requests may take when the server stops.
const DRAIN: u64 = 30;

/// How long a connection may take to close once its last answer is written.
const GOODBYE: Duration = Duration::from_secs(1);

/// How the server listens.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where.
    pub listener: TcpListener,
    /// How many threads take requests.
    pub workers: usize,
    /// How many connections there may be. Each takes a descriptor.
    pub connections: usize,
    /// How long each may keep the service waiting.
    pub bounds: Bounds,
}

/// A server that listens.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Runs until it is stopped; await it.
    pub server: Server,
    /// Stops it.
    pub handle: ServerHandle,
}

/// Listens, and returns what runs.
///
/// Errors: the listener cannot be used.
pub fn start(service: Service, config: ServerConfig) -> io::Result<Running> {
    let service = web::Data::new(service);
    let address = config.listener.local_addr()?;
    let text = web::Data::new(DocumentText(document::document_yaml()));
    let ServerConfig { listener, workers, connections, bounds } = config;
    // Each worker has at least two, and together they have no more than there may be.
    let workers = workers.min(connections / 2).max(1);
    let each = (connections / workers).max(2);
    let builder = Server::build().workers(workers).max_concurrent_connections(each);
    let builder = builder.shutdown_timeout(DRAIN).disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    // Each worker calls this once, on its own thread.
    let serve = move || {
        let (app, stopping) = (app(service.clone(), text.clone()), stopping.clone());
        let app = app.into_factory().map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .keep_alive(bounds.idle)
            .client_request_timeout(bounds.arrival)
            .client_disconnect_timeout(GOODBYE)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(connections::introduce)
            .finish(map_config(app, |()| AppConfig::default()));
        connections::watched(http, Connections::new(each, bounds))
    };
    let server = builder.listen("http", listener, serve)?.run();
    Ok(Running { address, handle: server.handle(), server })
}

fn app(
    service: web::Data<Service>,
    text: web::Data<DocumentText>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let docs = Config::from("/openapi.yaml").validator_url("none");
    let sandbox = service.ledger.mode() == Mode::Sandbox;
    let mut app = App::new().app_data(service).app_data(text);
    for call in table::calls().filter(|call| sandbox || call.tag() != "sandbox") {
        app = app.route(call.path, call.route());
    }
    app.service(web::redirect("/docs", "/docs/"))
        .service(SwaggerUi::new("/docs/{_:.*}").config(docs))
        .default_service(web::to(nothing_here))
        .wrap(from_fn(access::check))
        .wrap(from_fn(observe))
        .wrap(TracingLogger::<Spans>::new())
        .wrap(from_fn(connections::answer))
}

// Handlers are found by address and method together; what is left over is told apart here.
async fn nothing_here(request: HttpRequest) -> Result<&'static str, Problem> {
    match access::pattern(&request).and_then(|path| table::methods(&path)) {
        Some(allow) => Err(Problem::method_not_allowed(allow)),
        None => Err(Problem::new(HttpCode::NotFound, "there is nothing at this address; /docs lists the addresses")),
    }
}

// Counts and times every request by its route, and gives every answer the request's id and what browsers are told.
async fn observe(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let began = Instant::now();
    // The encoder remembers that this was HEAD, and sends no body (RFC 9110, section 9.3.2).
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    // A method that nobody has heard of must not become a series of its own.
    let known = matches!(request.method().as_str(), "GET" | "POST" | "PATCH" | "PUT" | "DELETE" | "OPTIONS");
    let method = if known { request.method().as_str().to_owned() } else { "other".to_owned() };
    let route = access::pattern(request.request()).unwrap_or_else(|| "none".to_owned());
    let path = request.match_info().as_str().to_owned();
    let id = request.extensions().get::<RequestId>().copied();
    let mut response = next.call(request).await?;
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    headers::add(response.headers_mut(), &path);
    let status = response.status().as_str().to_owned();
    let labels = [("method", method), ("route", route), ("status", status)];
    metrics::counter!("accrue_http_requests_total", &labels).increment(1);
    metrics::histogram!("accrue_http_request_seconds", &labels[1..2]).record(began.elapsed().as_secs_f64());
    Ok(response)
}

// What a trace says of a request: its route, never its query, its headers or its body.
struct Spans;

impl RootSpanBuilder for Spans {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        let route = access::pattern(request.request()).unwrap_or_else(|| "none".to_owned());
        let status = tracing::field::Empty;
        tracing::info_span!("request", request_id = %id, method = %request.method(), route, status)
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let status = match outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        };
        span.record("status", status.as_u16());
        let code = outcome.as_ref().ok().and_then(|response| response.response().extensions().get().copied());
        let code = code.map_or("none", Code::name);
        match status {
            // A caller who is refused may be an attacker, and is refused as often as it likes.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                if let Some(left_out) = seldom::due(code) {
                    tracing::info!(parent: &span, code, left_out, "refused");
                }
            }
            _ if status.is_server_error() => {
                if let Some(left_out) = seldom::due(code) {
                    tracing::warn!(parent: &span, code, left_out, "answered with a server error");
                }
            }
            _ => tracing::debug!(parent: &span, code, "answered"),
        }
    }
}

//! The server: what it is made of, start and stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_factory, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::connections::{Bounds, Connections};
use super::observe::Observer;
use super::operations::DocumentText;
use super::routes::Routes;
use super::service::Service;
use super::{connections, document};

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
    let observer = Observer::new(service.clone());
    let routed = service.clone();
    App::new()
        .app_data(service)
        .app_data(text)
        .service(web::redirect("/docs", "/docs/"))
        .service(SwaggerUi::new("/docs/{_:.*}").config(docs))
        .default_service(fn_factory(move || Routes::new(routed.clone())))
        .wrap(from_fn(move |request, next| Rc::clone(&observer).observe(request, next)))
}

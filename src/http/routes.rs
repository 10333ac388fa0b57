//! Where a request goes: to the handler of its row, once the table lets it through.

use std::collections::HashMap;
use std::future::ready;

use actix_service::ServiceFactory;
use actix_web::dev::{self, ResourceDef, ServiceRequest, ServiceResponse};
use actix_web::{Error, HttpMessage, ResponseError, Route, web};
use futures_util::future::LocalBoxFuture;

use super::access;
use super::code::HttpCode;
use super::problem::Problem;
use super::service::Service;
use super::table::{self, Address};
use crate::ledger::NoAnswer;

/// The handlers of a worker.
pub struct Routes {
    service: web::Data<Service>,
    /// By the names of their calls.
    handlers: HashMap<&'static str, Handler>,
}

type RouteService = <Route as ServiceFactory<ServiceRequest>>::Service;

struct Handler {
    /// Reads what changes in the address, if anything does.
    places: Option<ResourceDef>,
    service: RouteService,
}

impl Routes {
    /// A handler for every call.
    pub async fn new(service: web::Data<Service>) -> Result<Self, ()> {
        let mut handlers = HashMap::new();
        for call in table::calls() {
            let places = call.places().next().map(|_| ResourceDef::new(call.path));
            let handler = Handler { places, service: (call.handler)().new_service(()).await? };
            handlers.insert(call.name, handler);
        }
        Ok(Self { service, handlers })
    }

    // The handler of a request that may be handled; handlers ask its extensions for the caller.
    fn admit(&self, request: &mut ServiceRequest) -> Result<&Handler, Problem> {
        let address: Option<&'static Address> = request.extensions().get().copied();
        let Some(address) = address else {
            let detail = "there is nothing at this address; /docs lists the addresses";
            return Err(Problem::new(HttpCode::NotFound, detail));
        };
        let call = address.call(request.method().as_str());
        let found = call.and_then(|call| Some((call, self.handlers.get(call.name)?)));
        let (call, handler) = found.ok_or_else(|| Problem::method_not_allowed(address.allow()))?;
        access::check(&self.service, call, request)?;
        if call.writes() && self.service.ledger.is_read_only() {
            return Err(NoAnswer::ReadOnly.into());
        }
        if let Some(places) = &handler.places {
            places.capture_match_info(request);
        }
        Ok(handler)
    }
}

impl dev::Service<ServiceRequest> for Routes {
    type Response = ServiceResponse;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<ServiceResponse, Error>>;

    dev::always_ready!();

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        match self.admit(&mut request) {
            Ok(handler) => handler.service.call(request),
            Err(problem) => Box::pin(ready(Ok(request.into_response(problem.error_response())))),
        }
    }
}

//! What a line of the log says of the request that it was written for: its id, method and route, and its status once
//! that is known; never its query, its headers or its body.
//!
//! They stand in a span around the line. Most requests log nothing, and a span costs a good part of what a small
//! request does; so it is made with a request's first line, by [`RequestSpans`].

use std::cell::{Cell, OnceCell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;

use actix_web::http::{Method, StatusCode};
use tracing::span::EnteredSpan;
use tracing::{Event, Span, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use uuid::Uuid;

/// A request, as lines of the log tell it.
pub struct Handled {
    id: Uuid,
    method: Method,
    route: &'static str,
    status: Cell<Option<StatusCode>>,
    span: OnceCell<Span>,
}

impl Handled {
    /// A request that has no status yet.
    pub fn new(id: Uuid, method: Method, route: &'static str) -> Rc<Self> {
        Rc::new(Self { id, method, route, status: Cell::default(), span: OnceCell::default() })
    }

    /// Says how it was answered.
    pub fn answered(&self, status: StatusCode) {
        self.status.set(Some(status));
        if let Some(span) = self.span.get() {
            span.record("status", status.as_u16());
        }
    }

    /// Does what `handling` does; every line that is logged meanwhile is of this request.
    pub async fn log<T>(self: &Rc<Self>, handling: impl Future<Output = T>) -> T {
        let mut handling = pin!(handling);
        poll_fn(|context| {
            let _inside = Inside::of(Rc::clone(self));
            handling.as_mut().poll(context)
        })
        .await
    }

    fn span(&self) -> &Span {
        self.span.get_or_init(|| {
            let (id, method, route, status) = (self.id, &self.method, self.route, tracing::field::Empty);
            let span = tracing::info_span!("request", request_id = %id, %method, route, status);
            if let Some(status) = self.status.get() {
                span.record("status", status.as_u16());
            }
            span
        })
    }
}

/// Enters the span of the request that is being handled before a line is written, whoever writes it. It must lie
/// around all that writes lines.
pub struct RequestSpans;

impl<S: Subscriber> Layer<S> for RequestSpans {
    // The one thing that is asked for an event that will be written, and before it is.
    fn event_enabled(&self, _: &Event<'_>, _: Context<'_, S>) -> bool {
        enter();
        true
    }
}

thread_local! {
    /// What this thread is handling at this moment, and its span once that is entered.
    static NOW: RefCell<Option<(Rc<Handled>, Option<EnteredSpan>)>> = const { RefCell::new(None) };
}

// Making a span asks the subscriber, so that nothing is borrowed meanwhile.
fn enter() {
    let handled = NOW.try_with(|now| match &*now.borrow() {
        Some((handled, None)) => Some(Rc::clone(handled)),
        _ => None,
    });
    if let Ok(Some(handled)) = handled {
        let entered = handled.span().clone().entered();
        NOW.set(Some((handled, Some(entered))));
    }
}

/// The time within one poll of what handles a request.
struct Inside;

impl Inside {
    fn of(handled: Rc<Handled>) -> Self {
        NOW.set(Some((handled, None)));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        NOW.take();
    }
}

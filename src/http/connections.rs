//! Connections: how long each may keep the service waiting, and how many there may be.
//!
//! actix-http bounds the head of a connection's first request and the pause between two requests. It bounds no later
//! head, no rest of a body whose request was answered before its end, and no peer that does not read its answer. So
//! every connection is watched from outside: the bytes that pass its socket, and whether one of its requests is being
//! answered, show whether it waits for its peer, and since when. Past its bound it is dropped, whatever state actix
//! has it in.
//!
//! Bounds alone do not help against a peer that opens connections faster than they end. When a worker has nearly as
//! many as it may have, the one that has kept it waiting longest gives way to each new one. A caller who says what it
//! wants is answered long before its turn comes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{Extensions, Protocol};
use actix_service::{ServiceFactory, apply_fn_factory};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest};
use actix_web::http::header;
use actix_web::web::Bytes;
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::unparsed::{self, Substitute};

/// How much later than actix, whose clock may lag by half a second, a connection ends that sends no request. The
/// first request of a connection is told so, with 408.
const GRACE: Duration = Duration::from_secs(1);

/// How long a connection may keep the service waiting.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// From an answer to the first byte of the next request.
    pub idle: Duration,
    /// From the first byte of a request, or the opening of the connection, to the end of the head; then to the end of
    /// the body; and after an answer that did not wait for it, to the end of the body and of the next head.
    pub arrival: Duration,
    /// While the peer takes nothing of its answer.
    pub stalled: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let (idle, arrival, stalled) = (Duration::from_secs(75), Duration::from_secs(10), Duration::from_secs(30));
        Self { idle, arrival, stalled }
    }
}

/// The connections of a worker.
pub struct Connections {
    most: usize,
    bounds: Bounds,
    open: Cell<usize>,
    opened: Cell<u64>,
    /// Those that wait for their peers, by when they began to.
    waiting: RefCell<BTreeMap<Turn, Rc<Watch>>>,
}

/// Since when a connection waits, and its number.
type Turn = (Instant, u64);

impl Connections {
    /// No connections yet, and never more than `most`.
    pub fn new(most: usize, bounds: Bounds) -> Rc<Self> {
        Rc::new(Self { most, bounds, open: Cell::default(), opened: Cell::default(), waiting: RefCell::default() })
    }

    fn open(self: &Rc<Self>) -> Place {
        self.open.set(self.open.get() + 1);
        self.opened.set(self.opened.get() + 1);
        metrics::gauge!("accrue_http_connections").increment(1.0);
        // There is room left for the next to be accepted while the one that gives way closes.
        if self.open.get() > self.most - (self.most / 8).max(1)
            && let Some((_, longest)) = self.waiting.borrow_mut().pop_first()
        {
            longest.give_way();
        }
        Place {
            connections: Rc::clone(self),
            watch: Rc::new(Watch::new(self.bounds)),
            number: self.opened.get(),
            turn: None,
        }
    }
}

/// The place of a connection among the others, until it is dropped.
struct Place {
    connections: Rc<Connections>,
    watch: Rc<Watch>,
    number: u64,
    turn: Option<Turn>,
}

impl Place {
    // Takes its place in the order of those that wait since `since`, or none.
    fn stand(&mut self, since: Option<Instant>) {
        let turn = since.map(|since| (since, self.number));
        if turn == self.turn {
            return;
        }
        let mut waiting = self.connections.waiting.borrow_mut();
        if let Some(turn) = self.turn.take() {
            waiting.remove(&turn);
        }
        if let Some(turn) = turn {
            waiting.insert(turn, Rc::clone(&self.watch));
        }
        self.turn = turn;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stand(None);
        self.connections.open.set(self.connections.open.get() - 1);
        metrics::gauge!("accrue_http_connections").decrement(1.0);
    }
}

/// What is known of a connection.
pub struct Watch {
    bounds: Bounds,
    /// Is a request being answered?
    answering: Cell<bool>,
    /// Its body.
    body: Cell<Body>,
    /// Does what arrived last end where a head can end?
    whole: Cell<bool>,
    /// Has nothing arrived of the next request?
    idle: Cell<bool>,
    /// Since when the present wait lasts, if nothing is being answered.
    since: Cell<Instant>,
    /// Since when the peer takes nothing.
    stalled_since: Cell<Option<Instant>>,
    gives_way: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

/// The body of the request that is being answered, or was last.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Body {
    #[default]
    None,
    Due,
    Awaited,
    Arrived,
}

impl Watch {
    fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            answering: Cell::default(),
            body: Cell::default(),
            whole: Cell::default(),
            idle: Cell::default(),
            since: Cell::new(Instant::now()),
            stalled_since: Cell::default(),
            gives_way: Cell::default(),
            task: RefCell::default(),
        }
    }

    /// How long a body may take to arrive.
    pub fn arrival(&self) -> Duration {
        self.bounds.arrival
    }

    /// The request that is being answered can go on when its body has arrived, and not before.
    pub fn await_body(&self) {
        self.since.set(Instant::now());
        self.idle.set(false);
        self.body.set(Body::Awaited);
    }

    /// The body of the request that is being answered has arrived.
    pub fn body_arrived(&self) {
        self.body.set(Body::Arrived);
    }

    // Since when the connection waits for its peer, and until when it may.
    fn wait(&self) -> Option<(Instant, Instant)> {
        if let Some(since) = self.stalled_since.get() {
            return Some((since, since + self.bounds.stalled));
        }
        let bound = if self.idle.get() { self.bounds.idle } else { self.bounds.arrival + GRACE };
        let waits = !self.answering.get() || self.body.get() == Body::Awaited;
        waits.then(|| (self.since.get(), self.since.get() + bound))
    }

    fn received(&self, bytes: &[u8]) {
        self.whole.set(bytes.ends_with(b"\r\n\r\n"));
        if !self.answering.get() && self.idle.replace(false) {
            self.since.set(Instant::now());
        }
    }

    fn sent<T>(&self, sent: &Poll<T>) {
        match sent {
            Poll::Ready(_) => self.stalled_since.set(None),
            Poll::Pending if self.stalled_since.get().is_none() => self.stalled_since.set(Some(Instant::now())),
            Poll::Pending => {}
        }
    }

    fn give_way(&self) {
        self.gives_way.set(true);
        if let Some(task) = self.task.borrow().as_ref() {
            task.wake_by_ref();
        }
    }
}

/// What the connections of `http` are to be served by: each is watched, and dropped past its bounds.
pub fn watched<H>(
    http: H,
    connections: Rc<Connections>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = H::InitError>
where
    H: ServiceFactory<
            (Stream, Protocol, Option<std::net::SocketAddr>),
            Config = (),
            Response = (),
            Error = DispatchError,
        >,
    H::Future: 'static,
{
    apply_fn_factory(http, move |stream: TcpStream, http: &H::Service| {
        let (place, peer) = (connections.open(), stream.peer_addr().ok());
        let stream = Stream { stream, watch: Rc::clone(&place.watch), substitute: None };
        let alarm = Box::pin(sleep_until(Instant::now() + place.watch.bounds.arrival));
        Serving { serving: Box::pin(http.call((stream, Protocol::Http1, peer))), alarm, place }
    })
}

/// Gives the requests of a connection its watch.
pub fn introduce(stream: &Stream, data: &mut Extensions) {
    data.insert(Rc::clone(&stream.watch));
}

/// Tells the connection of a request that it is being answered. Put what this gives into the [`Answer`].
pub fn answering(request: &ServiceRequest) -> Option<Answering> {
    request.conn_data::<Rc<Watch>>().map(|watch| Answering::begin(watch, request))
}

/// A connection that is being served.
struct Serving<F> {
    serving: Pin<Box<F>>,
    alarm: Pin<Box<Sleep>>,
    place: Place,
}

impl<F: Future<Output = Result<(), DispatchError>>> Future for Serving<F> {
    type Output = Result<(), DispatchError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(ended) = this.serving.as_mut().poll(context) {
            return Poll::Ready(ended);
        }
        this.place.watch.task.borrow_mut().get_or_insert_with(|| context.waker().clone()).clone_from(context.waker());
        let wait = this.place.watch.wait();
        this.place.stand(wait.map(|(since, _)| since));
        // Who began a request in time need not give way any more.
        let gives_way = this.place.watch.gives_way.replace(false);
        let Some((_, until)) = wait else { return Poll::Pending };
        if gives_way {
            return cut("gave_way");
        }
        // An alarm that is set too early is set anew when it rings; most connections go on long before.
        if until < this.alarm.deadline() {
            this.alarm.as_mut().reset(until);
        }
        while this.alarm.as_mut().poll(context).is_ready() {
            if until <= Instant::now() {
                return cut("overdue");
            }
            this.alarm.as_mut().reset(until);
        }
        Poll::Pending
    }
}

fn cut(reason: &'static str) -> Poll<Result<(), DispatchError>> {
    metrics::counter!("accrue_http_connections_cut_total", "reason" => reason).increment(1);
    Poll::Ready(Ok(()))
}

/// The bytes of a connection, watched.
pub struct Stream {
    stream: TcpStream,
    watch: Rc<Watch>,
    substitute: Option<Substitute>,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if into.filled().len() > before {
            self.watch.received(&into.filled()[before..]);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.substitute.is_none() {
            this.substitute = unparsed::substitute(bytes);
        }
        let Some(substitute) = &mut this.substitute else {
            let sent = Pin::new(&mut this.stream).poll_write(context, bytes);
            this.watch.sent(&sent);
            return sent;
        };
        while !substitute.left.is_empty() {
            let sent = Pin::new(&mut this.stream).poll_write(context, &substitute.left);
            this.watch.sent(&sent);
            let sent = ready!(sent)?;
            let _ = substitute.left.split_to(sent);
        }
        let written = substitute.stands_for;
        this.substitute = None;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A request that is being answered, until it is dropped.
pub struct Answering(Rc<Watch>);

impl Answering {
    fn begin(watch: &Rc<Watch>, request: &ServiceRequest) -> Self {
        let headers = request.headers();
        let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length.as_bytes() == b"0");
        watch.answering.set(true);
        let none = empty && !headers.contains_key(header::TRANSFER_ENCODING);
        watch.body.set(if none { Body::None } else { Body::Due });
        Self(Rc::clone(watch))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let Self(watch) = self;
        watch.answering.set(false);
        watch.since.set(Instant::now());
        watch.idle.set(match watch.body.get() {
            // Half a head may have come along with this request.
            Body::None => watch.whole.get(),
            // What is left of the body is waited for as a request is.
            Body::Due | Body::Awaited => false,
            Body::Arrived => true,
        });
    }
}

/// The body of an answer. Its connection is answering until the last of it is written.
pub struct Answer {
    body: BoxBody,
    _answering: Option<Answering>,
}

impl Answer {
    /// The body `body` of an answer to the request that `answering` is of.
    pub fn new(body: BoxBody, answering: Option<Answering>) -> Self {
        Self { body, _answering: answering }
    }
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(context)
    }
}

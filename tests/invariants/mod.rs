//! The invariants 1 to 7, 9 and 10 of `src/lib.rs`: each test fails when the mechanism behind it is taken away.

mod append_only;
mod batches;
mod books;
mod chain;
mod commits;
mod exports;
mod keys;
mod machine;
mod projections;
mod rechained;
mod remembered;
mod statements;
mod tables;

use std::time::{Duration, Instant};

use accrue::domain::ids::MemberId;
use accrue::domain::movement::enrolment::Enrolment;
use accrue::domain::movement::order::Order;
use accrue::ledger::{Answer, Command, Enrol, Ledger, NoAnswer, Outcome, Priority, Request, Settle};
use tokio::sync::oneshot::Receiver;
use uuid::Uuid;

use crate::support::{App, instant, wait_for};

/// A member's id in `journal`, the same at every call.
pub fn member(journal: i16, n: u8) -> MemberId {
    let mut seed = [n; 16];
    seed[..6].copy_from_slice(&[1, 0x9c, 0, 0, 0, n]);
    seed[8] = 0x80;
    MemberId::new(journal, Uuid::from_bytes(seed))
}

/// An enrolment of [`member`] under an external id.
pub fn enrol(id: MemberId, external_id: &str) -> Command {
    let external_id = external_id.to_owned();
    Enrol(id, Enrolment { external_id, birthday: None, joined_at: None }).into()
}

/// An order.
pub fn order(member_id: MemberId, order_id: &str, occurred_at: &str, amount: &str) -> Command {
    Command::CompleteOrder(Order {
        order_id: order_id.to_owned(),
        member_id,
        occurred_at: instant(occurred_at),
        currency: "USD".parse().expect("a currency"),
        amount: amount.parse().expect("an amount"),
        discount: None,
        channel: None,
        items: None,
        redemption_ids: Vec::new(),
    })
}

/// A request that may wait for a minute.
pub fn request(actor: &str, key: Option<&str>, command: impl Into<Command>) -> Request {
    let deadline = Instant::now() + Duration::from_secs(60);
    Request::new(actor.to_owned(), key.map(str::to_owned), deadline, command)
}

/// Queues a request.
pub fn queue(ledger: &Ledger, request: Request) -> Receiver<Result<Answer, NoAnswer>> {
    ledger.submit(request, Priority::Request).expect("the queue has room")
}

/// Decides a request.
pub fn decide(ledger: &Ledger, request: Request) -> Answer {
    queue(ledger, request).blocking_recv().expect("the lane lives").expect("there is an answer")
}

/// Decides requests in one batch, in their order. They must be of one journal.
///
/// A lane takes at once what it finds, so a first command keeps it waiting for the head until all the others are queued.
pub fn in_one_batch(app: &App, requests: Vec<Request>) -> Vec<Answer> {
    let journal = requests.first().expect("there are requests").asked().journal();
    let held = app.database.hold_heads();
    let nobody = MemberId::new(journal, Uuid::now_v7());
    let first = queue(&app.ledger, request("client:checkout", None, Settle(nobody)));
    wait_until_taken(&app.ledger);
    let waiting: Vec<_> = requests.into_iter().map(|request| queue(&app.ledger, request)).collect();
    drop(held);
    let answer = |waiting: Receiver<Result<Answer, NoAnswer>>| {
        waiting.blocking_recv().expect("the lane lives").expect("there is an answer")
    };
    answer(first);
    waiting.into_iter().map(answer).collect()
}

/// Waits until the lanes have taken all that was queued. Where a head is held, what they have taken waits for it.
pub fn wait_until_taken(ledger: &Ledger) {
    wait_for("the lanes to take what is queued", || ledger.queued().iter().all(|(_, waiting)| *waiting == 0));
}

/// The code of a refusal; `done` for a success.
pub fn code(answer: &Answer) -> &'static str {
    match &answer.outcome {
        Outcome::Done(_) => "done",
        Outcome::Refused(refusal) => refusal.code(),
    }
}

//! Transfers: a member gives points to another, as an offer to be accepted, or directly where the programme allows it.
//!
//! ```text
//! offered ─┬─ accept ──▶ accepted ◀── direct
//!          ├─ decline ─▶ declined
//!          ├─ cancel ──▶ cancelled
//!          └─ time ────▶ lapsed
//! ```
//!
//! Points keep their age (invariant 12): the receiver's lots end when the giver's would have. An offer ends no later
//! than the first of its points, so nobody accepts what has expired. In each journal the points go through `transit`,
//! which is zero over all journals whenever no batch is under way.

use serde::Serialize;

use crate::domain::decide::points::{release, take};
use crate::domain::decide::{Context, Event, Working};
use crate::domain::ids::{MemberId, TransferId};
use crate::domain::journal::account::Account;
use crate::domain::journal::entry::{Kind, derive_id};
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::fact::Fact;
use crate::domain::member::{Balances, Member, Status};
use crate::domain::program::{Program, TransferRules};
use crate::domain::record::Recorded;
use crate::domain::record::lot::{self, ACTIVE, HELD, NewLot, Taking};
use crate::domain::record::transfer::{Transfer, TransferStatus};
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::{self, Timestamp};

/// Points to be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransferRequest {
    /// Who gives.
    pub from_member_id: MemberId,
    /// Who receives.
    pub to_member_id: MemberId,
    /// How many points.
    pub points: i64,
    /// A word to the receiver. Personal: it never enters the journal.
    pub message: Option<String>,
    /// Do the points go at once, without an offer?
    pub direct: bool,
}

/// An answer to an offer, or the end that its giver puts to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The receiver takes the points.
    Accept,
    /// The receiver does not.
    Decline,
    /// The giver takes the offer back.
    Cancel,
}

/// A transfer as the API shows it to both parties: without the giver's lots, which are the giver's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TransferSummary)]
pub struct TransferView {
    /// Its id.
    pub id: TransferId,
    /// Who gives.
    pub from_member_id: MemberId,
    /// Who receives.
    pub to_member_id: MemberId,
    /// How far it has come.
    pub status: TransferStatus,
    /// How many points.
    pub points: i64,
    /// When it was offered or made.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the offer lapses unless it is answered before; null for a direct transfer.
    #[serde(with = "time::serde_canonical::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub lapses_at: Option<Timestamp>,
}

impl From<Transfer> for TransferView {
    fn from(transfer: Transfer) -> Self {
        let Transfer { id, from_member_id, to_member_id, status, points, created_at, lapses_at, .. } = transfer;
        Self { id, from_member_id, to_member_id, status, points, created_at, lapses_at }
    }
}

/// A transfer, and the wallet of whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TransferReceipt)]
pub struct TransferReply {
    /// The transfer as it now is.
    #[serde(flatten)]
    pub transfer: TransferView,
    /// The wallet right after it: the giver's, or the receiver's after an acceptance. Absent after a decline, which
    /// changes nothing for the receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub wallet: Option<Balances>,
}

/// Points as they leave the giver: how many, and when they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    transfer: TransferId,
    from: MemberId,
    contents: Vec<(i64, Option<Timestamp>)>,
}

/// The first instant of the giver's present day, from which the limit of a day counts.
pub fn day_begins(program: &Program, now: Timestamp) -> Timestamp {
    time::local_midnight(now.with_timezone(&program.time_zone).date_naive(), program.time_zone)
}

/// Decides an offer, or the giver's side of a direct transfer, whose [`Parcel`] is still to be received.
pub fn offer(
    work: &mut Working<'_>,
    receiver: Option<&Member>,
    request: &TransferRequest,
) -> Result<(Transfer, Option<Parcel>), Rejected> {
    let context = *work.context();
    let now = context.now;
    work.settle(now)?;
    work.may_begin()?;
    if request.to_member_id == work.member.id {
        return Err(Refusal::TransferToOneself.into());
    }
    may_receive(receiver)?;
    let rules = context.program().transfers.as_ref().ok_or(Refusal::TransfersNotAllowed)?;
    if request.direct && !rules.direct {
        return Err(Refusal::DirectTransferNotAllowed.into());
    }
    check_limits(work, rules, request.points)?;
    let lots = take(&work.member, request.points)?;
    let first_end = lots.iter().filter_map(|taking| work.member.lots.get(&taking.lot)?.expires_at).min();
    let offer_ends = rules.offer_ttl.after(now, context.program().time_zone);
    let transfer = Transfer {
        id: TransferId::new(work.member.id.journal(), context.command),
        from_member_id: work.member.id,
        to_member_id: request.to_member_id,
        status: if request.direct { TransferStatus::Accepted } else { TransferStatus::Offered },
        points: request.points,
        created_at: now,
        lapses_at: (!request.direct).then(|| first_end.map_or(offer_ends, |end| end.min(offer_ends))),
        lots,
    };
    if request.direct {
        let parcel = send(work, transfer.clone(), ACTIVE)?;
        return Ok((transfer, Some(parcel)));
    }
    let postings = lot::postings(&transfer.lots, ACTIVE, HELD);
    let fact = Fact::Record(transfer.clone().into());
    work.post(Event::new(Kind::TransferOffered, fact).with_postings(postings))?;
    Ok((transfer, None))
}

/// Decides the giver's side of a reply to an offer; an accepted one gives a [`Parcel`], still to be received. A member's
/// own token answers for its member alone: to others an offer looks like one that does not exist.
pub fn answer(work: &mut Working<'_>, id: TransferId, reply: Reply) -> Result<(Transfer, Option<Parcel>), Rejected> {
    let context = *work.context();
    let now = context.now;
    work.settle(now)?;
    let party = |transfer: &Transfer| match reply {
        Reply::Cancel => transfer.from_member_id,
        Reply::Accept | Reply::Decline => transfer.to_member_id,
    };
    let offered = work.member.record::<Transfer>(id);
    let offered = offered.filter(|transfer| context.own().is_none_or(|own| own == party(transfer)));
    let mut transfer = offered.ok_or(Refusal::TransferNotFound)?.clone();
    if transfer.status != TransferStatus::Offered {
        return Err(Refusal::TransferStateConflict { state: transfer.status.name().to_owned() }.into());
    }
    let (kind, status) = match reply {
        Reply::Accept => {
            transfer.status = TransferStatus::Accepted;
            let parcel = send(work, transfer.clone(), HELD)?;
            return Ok((transfer, Some(parcel)));
        }
        Reply::Decline => (Kind::TransferDeclined, TransferStatus::Declined),
        Reply::Cancel => (Kind::TransferCancelled, TransferStatus::Cancelled),
    };
    transfer.status = status;
    let postings = release(&work.member, &transfer.lots, now)?;
    work.post(Event::new(kind, Fact::Record(transfer.clone().into())).with_postings(postings))?;
    Ok((transfer, None))
}

/// Decides the receiver's side: the points arrive in lots that end when the giver's would have.
pub fn receive(work: &mut Working<'_>, parcel: &Parcel) -> Result<(), Rejected> {
    let Context { now, command, .. } = *work.context();
    work.settle(now)?;
    work.may_begin()?;
    let (mut postings, mut lots) = (Vec::new(), Vec::new());
    for (n, (points, expires_at)) in (0_u64..).zip(&parcel.contents) {
        let id = derive_id(now, command.as_bytes(), &[b"received", &n.to_be_bytes()]);
        lots.push(NewLot { id, active_at: now, expires_at: *expires_at });
        postings.extend(lot::postings(&[Taking { lot: id, points: *points }], Account::Transit, ACTIVE));
    }
    let event = Event { lots, ..Event::new(Kind::TransferReceived, Fact::Nothing) };
    let received = Received { from_member_id: parcel.from, id: parcel.transfer };
    work.post(event.with("received", &received).with_postings(postings))?;
    Ok(())
}

// What the receiver's entry states of a transfer, whose record is the giver's.
#[derive(Serialize)]
struct Received {
    from_member_id: MemberId,
    id: TransferId,
}

fn send(work: &mut Working<'_>, transfer: Transfer, from: Account) -> Result<Parcel, Rejected> {
    let mut contents = Vec::new();
    for taking in &transfer.lots {
        let lot = work.member.lots.get(&taking.lot).ok_or(Misfit::NotLoaded("a lot"))?;
        contents.push((taking.points, lot.expires_at));
    }
    let parcel = Parcel { transfer: transfer.id, from: work.member.id, contents };
    let postings = lot::postings(&transfer.lots, from, Account::Transit);
    work.post(Event::new(Kind::TransferSent, Fact::Record(transfer.into())).with_postings(postings))?;
    Ok(parcel)
}

fn may_receive(receiver: Option<&Member>) -> Result<(), Refusal> {
    match receiver.map(|member| member.status) {
        Some(Status::Active) => Ok(()),
        Some(Status::Suspended) => Err(Refusal::ReceiverNotActive),
        Some(Status::Closed | Status::Erased) | None => Err(Refusal::ReceiverNotFound),
    }
}

fn check_limits(work: &Working<'_>, rules: &TransferRules, points: i64) -> Result<(), Refusal> {
    if let Some(maximum) = rules.maximum_points.filter(|most| points > *most) {
        return Err(Refusal::TransferOverLimit { maximum });
    }
    if let Some(maximum) = rules.maximum_points_per_day {
        let begins = day_begins(work.context().program(), work.context().now);
        let today =
            work.member.records::<Transfer>().filter(|transfer| transfer.counts() && transfer.created_at >= begins);
        let left = maximum - today.map(|transfer| transfer.points).sum::<i64>();
        if points > left {
            return Err(Refusal::TransferOverDailyLimit { maximum, left: left.max(0) });
        }
    }
    Ok(())
}

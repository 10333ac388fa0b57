//! Donations: points are given to a cause, for good. A cause is an account of the programme; its total is the account's
//! balance over all journals.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::decide::points::take;
use crate::domain::decide::{Context, Event, Working};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::account::Account;
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::{Draft, Kind, derive_id};
use crate::domain::journal::payload::Payload;
use crate::domain::member::Balances;
use crate::domain::member::fact::Fact;
use crate::domain::record::lot::{self, ACTIVE};
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::{self, Timestamp};

/// What points can be given to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = CauseRequest)]
pub struct CauseTerms {
    /// What people call it.
    #[schema(min_length = 1, max_length = 100, example = "Trees")]
    pub name: String,
    /// How many points it hopes for; it takes more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    pub goal: Option<i64>,
    /// From when on it takes points; absent: from the beginning.
    #[serde(default, with = "time::serde_canonical::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub open_from: Option<Timestamp>,
    /// Until when, exclusive; absent: for good.
    #[serde(default, with = "time::serde_canonical::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub open_until: Option<Timestamp>,
}

/// A cause and what it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Cause {
    /// Its id.
    pub id: Uuid,
    /// What it is.
    #[serde(flatten)]
    pub terms: CauseTerms,
    /// How many points it was given.
    pub total: i64,
    /// In how many donations.
    pub donations: i64,
}

impl Cause {
    /// Its account.
    pub fn account(&self) -> Account {
        Account::Donation(self.id.to_string())
    }
}

/// Points to be given to a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DonationRequest {
    /// Who gives.
    pub member_id: MemberId,
    /// To what.
    pub cause_id: Uuid,
    /// How many points.
    pub points: i64,
}

/// Points that were given to a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Donation {
    /// Its id.
    pub id: Uuid,
    /// Who gave.
    pub member_id: MemberId,
    /// To what.
    pub cause_id: Uuid,
    /// How many points.
    pub points: i64,
    /// The number of the receipt: the journal and the number of the entry that the donation stands in.
    #[schema(example = "2-1874")]
    pub receipt_number: String,
    /// When.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub donated_at: Timestamp,
}

/// A donation, what its cause now has, and the wallet after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = DonationReceipt)]
pub struct DonationReply {
    /// The donation.
    #[serde(flatten)]
    pub donation: Donation,
    /// How many points the cause was given so far.
    pub cause_total: i64,
    /// The wallet right after it.
    pub wallet: Balances,
}

/// The number of the receipt for a donation that stands in entry `seq` of `journal`.
pub fn receipt_number(journal: JournalId, seq: i64) -> String {
    format!("{journal}-{seq}")
}

/// Decides a new cause; the command's id is its own.
pub fn define(terms: &CauseTerms, context: &Context<'_>) -> Result<(Cause, Draft), Refusal> {
    let Context { now, programs, command, actor } = *context;
    if let (Some(from), Some(until)) = (terms.open_from, terms.open_until)
        && until <= from
    {
        return Err(Refusal::WindowEndsBeforeItBegins);
    }
    let draft = Draft {
        id: derive_id(now, command.as_bytes(), &[b"entry"]),
        kind: Kind::CauseDefined,
        member: None,
        actor: actor.to_owned(),
        command: Some(command),
        program_version: programs.at(now).version,
        effective_at: now,
        payload: Payload::default().with("cause", &Defined { id: command, terms }),
        postings: Vec::new(),
    };
    Ok((Cause { id: command, terms: terms.clone(), total: 0, donations: 0 }, draft))
}

/// What an entry of journal 0 states of a cause.
pub fn read(cause: &Json<'_>) -> Option<(Uuid, CauseTerms)> {
    let id = cause.get("id")?.as_str()?.parse().ok()?;
    Some((id, cause.get("terms")?.to()?))
}

/// Decides a donation; returns the place of its entry among those of the decision.
pub fn donate(work: &mut Working<'_>, cause: Option<&Cause>, request: &DonationRequest) -> Result<usize, Rejected> {
    let Context { now, .. } = *work.context();
    work.settle(now)?;
    work.may_begin()?;
    let cause = cause.ok_or(Refusal::CauseNotFound)?;
    let CauseTerms { open_from, open_until, .. } = cause.terms;
    if open_from.is_some_and(|from| now < from) || open_until.is_some_and(|until| until <= now) {
        return Err(Refusal::CauseNotOpen.into());
    }
    let lots = take(&work.member, request.points)?;
    let postings = lot::postings(&lots, ACTIVE, cause.account());
    let event = Event::new(Kind::PointsDonated, Fact::Nothing).with_postings(postings);
    Ok(work.post(event.with("donation", &Given { cause_id: cause.id, points: request.points }))?)
}

// What an entry states of a new cause.
#[derive(Serialize)]
struct Defined<'a> {
    id: Uuid,
    terms: &'a CauseTerms,
}

// What an entry states of a donation.
#[derive(Serialize)]
struct Given {
    cause_id: Uuid,
    points: i64,
}

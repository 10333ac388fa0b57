//! A customer joins the programme, and what is personal about a member changes.

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::decide::CLOCK_TOLERANCE;
use crate::domain::decide::{Context, Event, Working};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::entry::Kind;
use crate::domain::member::fact::Fact;
use crate::domain::member::{Balances, Member, Status};
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::{self, Timestamp};

/// A customer to enrol.
#[derive(Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = MemberRequest)]
pub struct Enrolment {
    /// The shop's id of the customer: the key under which the member is enrolled once. 1 to 128 characters in the Unicode
    /// normalisation form C, compared byte for byte; without white space at the ends, control characters, and
    /// characters that cannot be seen.
    #[schema(min_length = 1, max_length = 128, example = "customer-4711")]
    pub external_id: String,
    /// For birthday rules. Personal: it never enters the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub birthday: Option<NaiveDate>,
    /// When the customer joined, RFC 3339 with an offset; now if it is left out.
    #[serde(with = "time::serde_canonical::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    pub joined_at: Option<Timestamp>,
}

/// A change of what is personal. What is left out stays.
#[derive(Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = MemberPatch)]
pub struct ProfileChange {
    /// A new birthday; null clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<NaiveDate>)]
    pub birthday: Option<Option<NaiveDate>>,
    /// The new tags in place of the old: at most 32, each 1 to 64 characters of a–z, 0–9, `_`, `-`, `.` and `:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 32)]
    pub tags: Option<Vec<String>>,
}

/// What is personal about a member. Kept outside the journals; erasure empties it.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// See [`Enrolment::external_id`].
    pub external_id: String,
    /// See [`Enrolment::birthday`].
    pub birthday: Option<NaiveDate>,
    /// Labels, in alphabetical order.
    pub tags: Vec<String>,
}

/// A member as the API shows it.
#[derive(Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Member)]
pub struct MemberReply {
    /// The ledger's id of the member.
    pub id: MemberId,
    /// The shop's id of the customer; null once the member is erased.
    pub external_id: Option<String>,
    /// May the member start something new?
    pub status: Status,
    /// When the customer joined.
    #[serde(with = "time::serde_canonical")]
    #[schema(value_type = String, format = DateTime)]
    pub joined_at: Timestamp,
    /// The birthday, if it is known.
    pub birthday: Option<NaiveDate>,
    /// Labels.
    pub tags: Vec<String>,
    /// The points.
    pub wallet: Balances,
    /// The journal that the member's entries stand in.
    #[schema(value_type = i32, minimum = 0, maximum = 4095)]
    pub journal: JournalId,
}

impl MemberReply {
    /// The member as it now is; without a profile once it is erased.
    pub fn of(member: &Member, profile: Option<&Profile>) -> Self {
        Self {
            id: member.id,
            external_id: profile.map(|profile| profile.external_id.clone()),
            status: member.status,
            joined_at: member.joined_at,
            birthday: profile.and_then(|profile| profile.birthday),
            tags: profile.map(|profile| profile.tags.clone()).unwrap_or_default(),
            wallet: member.balances,
            journal: member.id.journal(),
        }
    }
}

/// Decides an enrolment: a new member under the id that was made for it.
pub fn enrol<'a>(
    id: MemberId,
    enrolment: &Enrolment,
    context: Context<'a>,
) -> Result<(Working<'a>, Profile), Rejected> {
    let now = context.now;
    let joined_at = enrolment.joined_at.unwrap_or(now);
    if joined_at > now + CLOCK_TOLERANCE {
        return Err(Refusal::JoinedInFuture { minutes: CLOCK_TOLERANCE.num_minutes() }.into());
    }
    let mut work = Working::on(&Member::new(id, joined_at), context);
    let event = Event::new(Kind::MemberEnrolled, Fact::Nothing).with("joined_at", &time::canonical(joined_at));
    work.post(event)?;
    let profile =
        Profile { external_id: enrolment.external_id.clone(), birthday: enrolment.birthday, tags: Vec::new() };
    Ok((work, profile))
}

/// Decides a change of the profile. The entry says which fields changed and nothing of their content.
pub fn change_profile(work: &mut Working<'_>, profile: &mut Profile, change: &ProfileChange) -> Result<(), Rejected> {
    let Context { now, .. } = *work.context();
    let mut fields = Vec::new();
    if let Some(birthday) = change.birthday.filter(|birthday| *birthday != profile.birthday) {
        profile.birthday = birthday;
        fields.push("birthday");
    }
    if let Some(tags) = change.tags.as_ref().filter(|tags| **tags != profile.tags) {
        profile.tags.clone_from(tags);
        fields.push("tags");
    }
    if work.member.status.has_left() {
        return Err(Refusal::MemberClosed.into());
    }
    work.settle(now)?;
    if fields.is_empty() {
        return Ok(());
    }
    work.post(Event::new(Kind::MemberUpdated, Fact::Nothing).with("fields", &fields))?;
    Ok(())
}

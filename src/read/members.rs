//! Members, right at this instant whether or not a sweeper has run (invariant 9).

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, Date, Nullable, SmallInt, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::{ReadError, View};
use crate::domain::decide::{Context, Working};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::entry::Draft;
use crate::domain::member::Member;
use crate::domain::movement::enrolment::{MemberReply, Profile};
use crate::domain::record::lot::Lot;
use crate::domain::time::Timestamp;
use crate::load::{self, Aim, Around, Needs, State};
use crate::postgres::statement::statement;

/// A member with what is personal; none if there is no such member.
pub fn by_id(view: &mut View<'_>, id: MemberId) -> Result<Option<MemberReply>, ReadError> {
    let Some(Settled { member, .. }) = settled(view, id)? else { return Ok(None) };
    let rows: Vec<(String, Option<NaiveDate>, Vec<String>)> =
        LoadProfile { journal: id.journal(), member: id.uuid() }.load(view.connection)?;
    let profile = rows.into_iter().next().map(|(external_id, birthday, tags)| Profile { external_id, birthday, tags });
    Ok(Some(MemberReply::of(&member, profile.as_ref())))
}

/// The same of the customer who was enrolled under `external_id`.
pub fn by_external_id(view: &mut View<'_>, external_id: &str) -> Result<Option<MemberReply>, ReadError> {
    let rows: Vec<Uuid> = LoadId { external_id: external_id.to_owned() }.load(view.connection)?;
    let Some(id) = rows.into_iter().next() else { return Ok(None) };
    by_id(view, MemberId::try_from(id).map_err(|_| ReadError::Corrupt("a member without a member's id"))?)
}

/// The present, as a member's journal has it; none if there is no such member.
pub fn present(view: &mut View<'_>, id: MemberId) -> Result<Option<Timestamp>, ReadError> {
    Ok(load::present(view.connection, id)?.map(|now| view.clock.read(now)))
}

/// A member settled in memory.
pub struct Settled {
    /// The member as it is by then.
    pub member: Member,
    /// What settling would write.
    pub entries: Vec<Draft>,
    /// Those of its lots that something was due of, as they are stored.
    pub lots: BTreeMap<Uuid, Lot>,
    /// Up to when.
    pub as_of: Timestamp,
}

/// The member settled in memory up to now; none if there is no such member.
pub fn settled(view: &mut View<'_>, id: MemberId) -> Result<Option<Settled>, ReadError> {
    let Some((member, now)) = load::one(view.connection, id)? else { return Ok(None) };
    let as_of = view.clock.read(now);
    if is_due(&member, as_of) {
        return view.snapshot(|view| settle(view, id));
    }
    Ok(Some(Settled { member, entries: Vec::new(), lots: BTreeMap::new(), as_of }))
}

/// The same within a snapshot.
pub fn settle(view: &mut View<'_>, id: MemberId) -> Result<Option<Settled>, ReadError> {
    let Some((member, now)) = load::one(view.connection, id)? else { return Ok(None) };
    let (as_of, programs) = (view.clock.read(now), view.programs);
    let (mut state, is_due) = (State::default(), is_due(&member, as_of));
    state.members.insert(id, member);
    if is_due {
        let around = Around { aim: Aim::Show, now: as_of, programs };
        let journals = BTreeSet::from([id.journal()]);
        load::stand(view.connection, &journals, &mut Needs::default(), &around, &mut state)?;
    }
    let Some(member) = state.members.remove(&id) else { return Ok(None) };
    let mut work = Working::on(&member, Context { now: as_of, programs, command: Uuid::nil(), actor: "system" });
    work.settle(as_of).map_err(|_| ReadError::Corrupt("a wallet that its lots do not make"))?;
    Ok(Some(Settled { member: work.member, entries: work.entries, lots: member.lots, as_of }))
}

fn is_due(member: &Member, now: Timestamp) -> bool {
    member.next_due_at().is_some_and(|due_at| due_at <= now)
}

statement! {
    LoadId { external_id: String => Text } -> SqlUuid,
    "SELECT member FROM member_profile WHERE external_id = $1"
}

statement! {
    LoadProfile { journal: JournalId => SmallInt, member: Uuid => SqlUuid } -> (Text, Nullable<Date>, Array<Text>),
    "SELECT external_id, birthday, tags FROM member_profile WHERE journal = $1 AND member = $2"
}

//! Whom a quote is for: of a member what deciding an order needs, and nothing more.

use std::collections::BTreeSet;

use super::{ReadError, View, members};
use crate::domain::ids::{MemberId, RedemptionId};
use crate::domain::member::Member;
use crate::domain::time::Timestamp;
use crate::load::{self, Aim, Around, Needs, State};

/// A member with what is due of it, the redemptions that an order names and the orders that count towards a tier, and the
/// present of its journal; none if there is no such member. Of redemptions that are not there, or are another's, there is nothing.
pub fn member(
    view: &mut View<'_>,
    id: MemberId,
    redemptions: &[RedemptionId],
) -> Result<Option<(Member, Timestamp)>, ReadError> {
    let tiers = view.programs.versions().iter().any(|version| version.program.tiers.is_some());
    if redemptions.is_empty() && !tiers {
        return Ok(members::settled(view, id)?.map(|settled| (settled.member, settled.as_of)));
    }
    // One snapshot, so that redemptions and orders fit the wallet.
    view.snapshot(|view| {
        let Some((member, now)) = load::one(view.connection, id)? else { return Ok(None) };
        let (as_of, journals) = (view.clock.read(now), BTreeSet::from([id.journal()]));
        let (mut state, mut needs) = (State::default(), Needs::default());
        state.members.insert(id, member);
        needs.redemptions(redemptions);
        needs.coming.entry(id).or_default().anew = tiers;
        let named = load::named(view.connection, &journals, &mut needs, &mut state)?;
        let around = Around { aim: Aim::Show, now: as_of, programs: view.programs };
        load::members(view.connection, &journals, (&mut needs, named), &around, &mut state)?;
        Ok(state.members.remove(&id).map(|member| (member, as_of)))
    })
}

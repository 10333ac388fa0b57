//! How points are taken from a wallet and go back to it.

use uuid::Uuid;

use super::Working;
use crate::domain::ids::RedemptionId;
use crate::domain::journal::account::{Account, Part};
use crate::domain::journal::entry::{Posting, derive_id};
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::Member;
use crate::domain::record::lot::{self, ACTIVE, HELD, NewLot, Taking};
use crate::domain::refusal::{Refusal, Rejected};
use crate::domain::time::Timestamp;

/// The soonest-expiring lots for `points`, or a refusal that says how many there are.
pub fn take(member: &Member, points: i64) -> Result<Vec<Taking>, Rejected> {
    if member.balances.active < points {
        return Err(Refusal::InsufficientPoints { available: member.balances.active }.into());
    }
    let takings = member.soonest(points, |lot| lot.active);
    match lot::total(&takings) == points {
        true => Ok(takings),
        false => Err(Misfit::NotLoaded("a lot").into()),
    }
}

/// The postings by which held points go back at `at`. Where their lot has ended they expire, but for those that stand
/// behind a debt; the others go first to what refunds claim of them, and then to `active`, or to `breakage` where the
/// member has left.
pub fn release(member: &Member, takings: &[Taking], at: Timestamp) -> Result<Vec<Posting>, Misfit> {
    let (ended, alive) = ended(member, takings.to_vec(), at)?;
    let (mut postings, mut owed) = (Vec::new(), member.balances.debt);
    for taking in ended {
        let points = member.secured(taking.lot).min(taking.points).min(owed);
        owed -= points;
        let (repaying, over) = lot::split(&[taking], points);
        postings.extend(lot::postings(&repaying, HELD, Account::Member(Part::Debt)));
        postings.extend(lot::postings(&over, HELD, Account::Breakage));
    }
    let claims = member.claimed - member.claims_let_go(&postings);
    let (claimed, free) = claimed(member, alive, claims);
    let home = if member.status.has_left() { Account::Breakage } else { ACTIVE };
    postings.extend(lot::postings(&claimed, HELD, Account::Issuance));
    postings.extend(lot::postings(&free, HELD, home));
    Ok(postings)
}

// Those of `takings` that go to `claims` of refunds, and the others. Points of the own lot of an order whose refunds look to
// what is held come first, also where they repay the debt that it left, and then the soonest-expiring: so a refund takes
// them. They were taken in that order.
fn claimed(member: &Member, takings: Vec<Taking>, claims: i64) -> (Vec<Taking>, Vec<Taking>) {
    if claims == 0 && member.balances.debt == 0 {
        return (Vec::new(), takings);
    }
    let own: Vec<Uuid> = member.claiming().iter().filter_map(|order| order.lot).collect();
    let (mut sorted, foreign): (Vec<_>, Vec<_>) = takings.into_iter().partition(|taking| own.contains(&taking.lot));
    sorted.extend(foreign);
    lot::split(&sorted, claims)
}

/// The postings by which held points go back because somebody gave them up, and the lots that they bring.
pub fn give_up(
    work: &Working<'_>,
    id: RedemptionId,
    takings: Vec<Taking>,
) -> Result<(Vec<Posting>, Vec<NewLot>), Misfit> {
    let context = work.context();
    let has_grace = context.program().redemption.return_grace.is_some() && context.own().is_none();
    if !has_grace || work.member.status.has_left() {
        return Ok((release(&work.member, &takings, context.now)?, Vec::new()));
    }
    let (claimed, free) = claimed(&work.member, takings, work.member.claimed);
    let (ended, alive) = ended(&work.member, free, context.now)?;
    let mut postings = lot::postings(&claimed, HELD, Account::Issuance);
    postings.extend(lot::postings(&alive, HELD, ACTIVE));
    let (late, lots) = revive(work, id, &ended, HELD);
    postings.extend(late);
    Ok((postings, lots))
}

/// The postings by which points of lots that have ended come back from `source`, under the programme's grace in a lot of
/// their own, and that lot. Without a grace, or where the member has left, they expire.
pub fn revive(work: &Working<'_>, id: RedemptionId, ended: &[Taking], source: Account) -> (Vec<Posting>, Vec<NewLot>) {
    let context = work.context();
    let late = lot::total(ended);
    let grace = context.program().redemption.return_grace;
    let Some(grace) = grace.filter(|_| late > 0 && !work.member.status.has_left()) else {
        return (lot::postings(ended, source, Account::Breakage), Vec::new());
    };
    let lot = NewLot {
        id: derive_id(context.now, context.command.as_bytes(), &[b"grace", id.uuid().as_bytes()]),
        active_at: context.now,
        expires_at: Some(grace.after(context.now, context.program().time_zone)),
    };
    let taking = Taking { lot: lot.id, points: late };
    // A posting touches one lot: what changes its lot within the wallet goes through `transit`.
    let (mut postings, source) = match source {
        HELD => (lot::postings(ended, HELD, Account::Transit), Account::Transit),
        outside => (Vec::new(), outside),
    };
    postings.extend(lot::postings(&[taking], source, ACTIVE));
    (postings, vec![lot])
}

/// Those of `takings` whose lots have ended by `at`, and the others.
pub fn ended(member: &Member, takings: Vec<Taking>, at: Timestamp) -> Result<(Vec<Taking>, Vec<Taking>), Misfit> {
    let (mut ended, mut alive) = (Vec::new(), Vec::new());
    for taking in takings {
        let lot = member.lots.get(&taking.lot).ok_or(Misfit::NotLoaded("a lot"))?;
        if lot.has_expired(at) { &mut ended } else { &mut alive }.push(taking);
    }
    Ok((ended, alive))
}

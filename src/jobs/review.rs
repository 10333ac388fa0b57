//! Reviews: after a version of the programme that has other tiers, all members are looked at anew, a few at a time and with
//! rests, from where it was left.

use std::thread;
use std::time::Instant;

use diesel::PgConnection;

use super::sweeper::{ACTOR, LONGEST_REST, PATIENCE, REST, SweepError};
use crate::domain::tier::Reviewed;
use crate::ledger::{Ledger, NoAnswer, Outcome, Priority, Request, Review};
use crate::postgres::clock::Clock;
use crate::read::reviews;

/// How many members are looked at in one transaction: the orders of each are read.
const BURST: i64 = 16;

/// Looks at all members anew who have not been since the tiers in force came into force, or until it is `stopping`. Those of
/// the first version were decided by it from the beginning.
///
/// Errors: the ledger or the database has no answer. What was done by then stays so, and is not done again.
pub fn review_once(
    connection: &mut PgConnection,
    (ledger, clock): (&Ledger, &Clock),
    stopping: impl Fn() -> bool,
) -> Result<u64, SweepError> {
    let now = clock.look(connection)?.now;
    let programs = ledger.programs().book();
    let since = programs.tiers_since(now).version;
    let mut looked_at = 0;
    if !programs.changes_tiers(since) {
        return Ok(looked_at);
    }
    for mut reviewed in reviews::of_journals(connection, since)? {
        while !reviewed.is_done && !stopping() {
            let began = Instant::now();
            let members = reviews::next_members(connection, reviewed.journal, reviewed.after, BURST)?;
            looked_at += members.len() as u64;
            let after = members.last().map_or(reviewed.after, |member| member.uuid());
            let (members_by_then, is_done) = (reviewed.members + members.len() as i64, (members.len() as i64) < BURST);
            reviewed = Reviewed { after, members: members_by_then, is_done, ..reviewed };
            let outcome = match submit(ledger, Review { members, reviewed }) {
                // One that cannot be decided must not keep the others from it; its lane's line says why.
                Err(NoAnswer::Fault) => submit(ledger, Review { members: Vec::new(), reviewed })?,
                outcome => outcome?,
            };
            if matches!(outcome, Outcome::Refused(_)) {
                // A journal that this instance is about to hear of.
                break;
            }
            thread::sleep((began.elapsed() * REST).min(LONGEST_REST));
        }
    }
    Ok(looked_at)
}

fn submit(ledger: &Ledger, review: Review) -> Result<Outcome, NoAnswer> {
    let request = Request::new(ACTOR.to_owned(), None, Instant::now() + PATIENCE, review);
    let answer = ledger.submit(request, Priority::Background)?.blocking_recv();
    answer.unwrap_or(Err(NoAnswer::OutcomeUnknown)).map(|answer| answer.outcome)
}

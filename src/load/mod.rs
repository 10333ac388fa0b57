//! Loading the state that decisions need: for lanes, which keep what is decided, and for reads, which show what time has
//! done meanwhile and keep nothing. A few statements, each set-based, none for what nobody needs.
//!
//! It goes in two phases. [`named`] finds what is named by its id, from which it follows whose members are needed;
//! [`members`] loads these, with all that is due of them and as many of their lots as are asked for.
//!
//! Every statement has one plan that makes sense and no other that is possible: keys are looked up by equality, each
//! behind a lateral join with a fence (`OFFSET 0`), in an index that nothing else fits as well. It names the journal
//! wherever it looks, so that it could be answered where that journal lies; an index by member begins with the journal,
//! and a partial one is good for one statement alone. The planner sees a new table as empty, and a plan that it chose then
//! is kept while the table grows: given the choice it reads a whole index for a batch of one. A test reads all plans.

mod counting;
mod lots;
mod member;
mod needs;
mod program;
mod programs;
mod records;
mod state;

use std::collections::BTreeSet;

use diesel::PgConnection;
use uuid::Uuid;

pub use self::counting::orders as counted_orders;
pub(crate) use self::member::wallet_columns;
pub use self::member::{Beside, MemberRow, Wallet, WalletColumns, WalletRow, load as rows, member, one, present};
pub use self::needs::Needs;
pub use self::program::{ledger_id, program_book, program_versions};
pub use self::programs::Programs;
pub use self::records::Named;
pub use self::state::State;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::movement::transfer;
use crate::domain::program::ProgramBook;
use crate::domain::time::Timestamp;

/// What a state is loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// To keep what is decided. The heads of all journals that are loaded from are locked; counters are locked behind
    /// them, and so much is settled at a time as one transaction takes.
    Keep,
    /// To show what would be decided. Nothing is locked, and all that is due is loaded.
    Show,
}

/// What surrounds a load.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// What it is for.
    pub aim: Aim,
    /// The present.
    pub now: Timestamp,
    /// The programme's versions.
    pub programs: &'a ProgramBook,
}

/// A journal in which more is due than one transaction takes, and the time up to which all of it was loaded.
pub type Cut = (JournalId, Timestamp);

/// The first phase: what stands under its id in `journals`. Says what is needed besides: whose members it is, and what
/// refunds of these orders may take.
///
/// Errors: [`Unloadable`].
pub fn named(
    connection: &mut PgConnection,
    journals: &BTreeSet<JournalId>,
    needs: &mut Needs,
    state: &mut State,
) -> Result<Named, Unloadable> {
    needs.refunds_of_posted();
    let mut named = Named::default();
    for journal in journals {
        records::named(connection, *journal, needs, state, &mut named)?;
    }
    Ok(named)
}

/// The second phase: the members of `journals` that are needed, with what was `named` and all that a decision about them
/// looks at. Counters that belong to no member come before the lots, since only then it is known how many points are
/// asked for. Returns what must be settled first, where that is more than one transaction takes.
///
/// Errors: [`Unloadable`].
pub fn members(
    connection: &mut PgConnection,
    journals: &BTreeSet<JournalId>,
    (needs, named): (&mut Needs, Named),
    around: &Around<'_>,
    state: &mut State,
) -> Result<Vec<Cut>, Unloadable> {
    for journal in journals {
        member::load(connection, *journal, needs, state)?;
    }
    named.attach(state);
    stand(connection, journals, needs, around, state)
}

/// What stands of the members that are in `state` already, or is due of them: the rest of the second phase.
///
/// Errors: [`Unloadable`].
pub fn stand(
    connection: &mut PgConnection,
    journals: &BTreeSet<JournalId>,
    needs: &mut Needs,
    around: &Around<'_>,
    state: &mut State,
) -> Result<Vec<Cut>, Unloadable> {
    for journal in journals {
        records::claiming(connection, *journal, state)?.attach(state);
        let due = lots::due_members(state, *journal, around.now);
        records::due(connection, *journal, due, around.now)?.attach(state);
    }
    for journal in journals {
        counting::load(connection, *journal, around, needs, state)?;
    }
    program::counters(connection, around.aim, needs, state)?;
    program::rewards(connection, needs, state)?;
    program::causes(connection, needs, state)?;
    let program = &around.programs.at(around.now).program;
    let limit = program.transfers.as_ref().and_then(|rules| rules.maximum_points_per_day);
    let day_begins = limit.map(|_| transfer::day_begins(program, around.now));
    let mut cut = Vec::new();
    for journal in journals {
        records::counted(connection, *journal, needs, day_begins, state)?.attach(state);
        let until = lots::load(connection, *journal, around, needs, state)?;
        cut.extend(until.map(|until| (*journal, until)));
    }
    Ok(cut)
}

/// Why a state cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Unloadable {
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[from] diesel::result::Error),
    /// A row holds what this program does not know.
    #[error("a row of {0} cannot be read by this program")]
    Row(&'static str),
    /// A stored programme does not compile: this program is older than the one that stored it.
    #[error("version {0} of the programme cannot be read by this program")]
    Program(i32),
}

fn of_journal(members: &BTreeSet<MemberId>, journal: JournalId) -> Vec<Uuid> {
    members.iter().filter(|member| member.journal() == journal).map(|member| member.uuid()).collect()
}

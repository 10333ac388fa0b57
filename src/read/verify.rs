//! Verification: of a database, by rebuilding it from its journals, and of an export, by its own bytes.

use std::collections::HashMap;
use std::io::BufRead;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use uuid::Uuid;

use super::{ReadError, entries, schema};
use crate::domain::audit::{Auditor, Journal, Wrong};
use crate::domain::entry::{Entry, Hash, hex};
use crate::domain::export::Unreadable;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::member::{Balances, Lot, Member};

/// How many entries are read at a time.
const PAGE: i64 = 5_000;

/// What was checked and found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The ledger; none if there was no entry.
    pub ledger: Option<Uuid>,
    /// Every journal: its number, how many entries it has, and the hash of the last one.
    pub journals: Vec<(JournalId, i64, String)>,
    /// How many members there are.
    pub members: usize,
    /// How many lots there are.
    pub lots: usize,
}

/// Why a ledger is not verified.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// An entry is wrong.
    #[error(transparent)]
    Entry(#[from] Wrong),
    /// A line of an export is not an entry.
    #[error("line {line}: {fault}")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// Why.
        fault: Unreadable,
    },
    /// The entries of an export do not stand in the order (journal, seq).
    #[error("line {line}: journal {journal} comes after a later one")]
    Order {
        /// Which line, from 1.
        line: u64,
        /// The journal that comes too late.
        journal: JournalId,
    },
    /// A table disagrees with what the journals say.
    #[error("journal {journal}: {fault}")]
    Projection {
        /// The journal.
        journal: JournalId,
        /// How it disagrees.
        fault: String,
    },
    /// It could not be checked.
    #[error("could not read what was to be verified")]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ReadError> for NotVerified {
    fn from(error: ReadError) -> Self {
        NotVerified::Unreadable(Box::new(error))
    }
}

impl From<diesel::result::Error> for NotVerified {
    fn from(error: diesel::result::Error) -> Self {
        NotVerified::Unreadable(Box::new(error))
    }
}

/// Checks a database: the chain of every journal, the form of every entry, the heads, and wallets and lots against
/// what the journals rebuild (invariants 2, 3, 6 and 7). `progress` hears how many entries were checked.
///
/// Reads one snapshot, so it may run beside a service. Memory: the members and lots of one journal.
pub fn database(connection: &mut PgConnection, mut progress: impl FnMut(u64)) -> Result<Verified, NotVerified> {
    connection.build_transaction().read_only().repeatable_read().run(|connection| {
        let ledger = entries::ledger_id(connection)?;
        let mut auditor = Auditor::default();
        let mut verified = Verified { ledger: Some(ledger), journals: Vec::new(), members: 0, lots: 0 };
        let mut checked = 0;
        let mut transit: i128 = 0;
        for (journal, next_seq, head_hash) in entries::heads(connection)? {
            let mut after_seq = 0;
            loop {
                let page = entries::page(connection, ledger, journal, (after_seq, i64::MAX), PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after_seq = last.seq;
                for (entry, hash) in &page {
                    auditor.check(entry, hash)?;
                }
                checked += page.len() as u64;
                progress(checked);
            }
            let rebuilt = auditor.take(journal);
            let fault = |fault: String| NotVerified::Projection { journal, fault };
            if (rebuilt.next_seq, rebuilt.head_hash.as_slice()) != (next_seq, head_hash.as_slice()) {
                return Err(fault(format!("its head is at {next_seq}, its entries end before {}", rebuilt.next_seq)));
            }
            compare(connection, journal, &rebuilt).map_err(fault)?;
            transit += rebuilt.accounts.get("transit").copied().unwrap_or_default();
            verified.members += rebuilt.members.len();
            verified.lots += rebuilt.members.values().map(|member| member.lots.len()).sum::<usize>();
            verified.journals.push((journal, next_seq - 1, hex(&head_hash)));
        }
        if transit != 0 {
            let fault = format!("the transit accounts of all journals sum to {transit}, not to zero");
            return Err(NotVerified::Projection { journal: 0, fault });
        }
        Ok(verified)
    })
}

/// Checks an NDJSON or CSV export by its own bytes: the chain of every journal, the form of every entry, and the
/// wallet that every entry states. Knows which of the two it is from the first line.
///
/// An export that was cut off at the end of a journal is whole by itself: compare the heads that are returned with
/// those of the ledger.
pub fn export(input: impl BufRead, mut progress: impl FnMut(u64)) -> Result<Verified, NotVerified> {
    let mut auditor = Auditor::default();
    let mut checked = 0;
    let mut last_journal = 0;
    super::export_file::entries(input, |line, entry: &Entry, hash: &Hash| {
        if entry.journal < last_journal {
            return Err(NotVerified::Order { line, journal: entry.journal });
        }
        last_journal = entry.journal;
        auditor.check(entry, hash)?;
        checked += 1;
        if checked % PAGE as u64 == 0 {
            progress(checked);
        }
        Ok(())
    })?;
    let journals = auditor.journals();
    Ok(Verified {
        ledger: auditor.ledger(),
        journals: journals.iter().map(|(id, j)| (*id, j.next_seq - 1, hex(&j.head_hash))).collect(),
        members: journals.values().map(|journal| journal.members.len()).sum(),
        lots: journals.values().flat_map(|journal| journal.members.values()).map(|member| member.lots.len()).sum(),
    })
}

// The tables of a journal against what its entries rebuild, to the last column.
fn compare(connection: &mut PgConnection, journal: JournalId, rebuilt: &Journal) -> Result<(), String> {
    let stored = stored_members(connection, journal).map_err(|error| error.to_string())?;
    if stored.len() != rebuilt.members.len() {
        return Err(format!("{} members are stored, {} were enrolled", stored.len(), rebuilt.members.len()));
    }
    let mut lots = stored_lots(connection, journal).map_err(|error| error.to_string())?;
    for (id, (joined_at, balances, next_due_at)) in stored {
        let known = MemberId::try_from(id).ok().and_then(|id| rebuilt.members.get(&id));
        let member: &Member = known.ok_or_else(|| format!("member {id} is stored and was never enrolled"))?;
        if (balances, joined_at) != (member.balances, member.joined_at) {
            return Err(format!("the wallet of member {id} is {balances:?}, its entries give {:?}", member.balances));
        }
        if next_due_at != member.next_due_at() {
            return Err(format!("the wallet of member {id} has another due time than its lots"));
        }
        let mut stored_lots = lots.remove(&id).unwrap_or_default();
        stored_lots.sort_unstable_by_key(|lot| lot.id);
        if !stored_lots.iter().eq(member.lots.values()) {
            return Err(format!("the lots of member {id} are not those that its entries give"));
        }
    }
    match lots.keys().next() {
        Some(id) => Err(format!("lots are stored for {id}, which is no member")),
        None => Ok(()),
    }
}

type Stored = (DateTime<Utc>, Balances, Option<DateTime<Utc>>);
type StoredRow = (Uuid, DateTime<Utc>, (i64, i64, i64, i64), Option<DateTime<Utc>>);

fn stored_members(connection: &mut PgConnection, journal: JournalId) -> QueryResult<HashMap<Uuid, Stored>> {
    use schema::{member, wallet};
    let rows: Vec<StoredRow> = member::table
        .inner_join(wallet::table.on(wallet::journal.eq(member::journal).and(wallet::member.eq(member::id))))
        .filter(member::journal.eq(journal))
        .select((
            member::id,
            member::joined_at,
            (wallet::active, wallet::pending, wallet::held, wallet::debt),
            wallet::next_due_at,
        ))
        .load(connection)?;
    let row = |(id, joined_at, (active, pending, held, debt), due_at)| {
        (id, (joined_at, Balances { active, pending, held, debt }, due_at))
    };
    Ok(rows.into_iter().map(row).collect())
}

type LotRow = (Uuid, Uuid, (i64, i64, i64, i64), DateTime<Utc>, Option<DateTime<Utc>>);

fn stored_lots(connection: &mut PgConnection, journal: JournalId) -> QueryResult<HashMap<Uuid, Vec<Lot>>> {
    use schema::lot::dsl;
    let rows: Vec<LotRow> = dsl::lot
        .filter(dsl::journal.eq(journal))
        .select((
            dsl::member,
            dsl::id,
            (dsl::earned, dsl::pending, dsl::active, dsl::held),
            dsl::active_at,
            dsl::expires_at,
        ))
        .load(connection)?;
    let mut lots: HashMap<Uuid, Vec<Lot>> = HashMap::new();
    for (member, id, (earned, pending, active, held), active_at, expires_at) in rows {
        lots.entry(member).or_default().push(Lot { id, earned, pending, active, held, active_at, expires_at });
    }
    Ok(lots)
}

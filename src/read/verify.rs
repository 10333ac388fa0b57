//! Verification: of a database, by rebuilding it from its journals, and of an export, by its own bytes.
//!
//! A database is read once, by a thread for each core, each with a connection of its own on the same snapshot. Two things
//! are proved, and neither needs a whole journal in memory or in one thread:
//!
//! * **The chain.** Every row carries its hash, so a range of entries is right if it follows from the hash that is stored
//!   with the entry before it; all are right if each range is, since the range before proves that hash. Where the entry
//!   before a range is missing, there is a gap, and how wide it is shows when the ranges are put together.
//! * **The members.** What a member's entries amount to depends on no other member, and every row of the tables about
//!   members names one. So entries and rows are put into parts by their member's id, each small enough to be rebuilt and
//!   compared by itself. What does not fit into memory waits in a temporary file.
//!
//! What is kept of a whole journal is what does not grow with its members, or is checked in another way:
//!
//! * Balances of the programme's accounts, what was given to each cause, what records take of each counter, and how many
//!   members and lots there are: sums of the parts' sums.
//! * That an order or refund is recorded once: their keys are put into parts by their hash, so that two that are the same
//!   meet. It does not rest on an index of the database.
//! * Rewards, causes and versions belong to no member, and are in one part.
//! * A row that names another member than its entry does is not met by that entry in its part. Both are then left over,
//!   and meet by their key at the end (`read::compare`).
//!
//! Many faults may be found, in any order; the one that is named is the first by journal, entry and check.

mod finding;
mod reading;
mod replay;
mod snapshot;
mod spool;

use std::io::BufRead;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use diesel::prelude::*;
use uuid::Uuid;

use self::finding::{Check, First};
use self::reading::Reading;
use self::replay::Totals;
use self::snapshot::Open;
use self::spool::Spool;
pub use super::not_verified::NotVerified;
use super::{compare, entries, future};
use crate::domain::audit::Auditor;
use crate::domain::ids::JournalId;
use crate::domain::journal::entry::{Entry, Hash, hex};
use crate::postgres::clock::Clock;
use crate::postgres::guard::{self, Gaps};

/// After how many entries of an export its progress is told.
const SHOWN_EVERY: u64 = 5_000;

/// The most parts that members are put into.
const MOST_PARTS: i64 = 4_096;

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

/// By what means a database is verified. They change how long it takes, and nothing of what is said.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// Makes further connections; without it one reads alone.
    pub open: Option<Open<'a>>,
    /// How many threads work at once.
    pub threads: usize,
    /// How many entries are read at a time.
    pub range: i64,
    /// How many entries are in a part, about.
    pub part: i64,
    /// How many bytes of what was read are kept in memory; the rest goes to a temporary file.
    pub memory: usize,
}

impl Default for Means<'_> {
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self { open: None, threads, range: 10_000, part: 10_000, memory: 64 << 20 }
    }
}

/// Checks a database: the chain of every journal, the form of every entry, the heads, and against what the journals say
/// the members with their wallets and lots, orders, refunds, redemptions, transfers, donations, causes with their totals,
/// rewards with their stock, and the programme's versions; also that `transit` sums to zero over all journals
/// (invariants 2, 3, 6 and 7), and last that the triggers are there which keep it so (invariant 1). `progress` hears how
/// many entries were checked.
///
/// Reads one snapshot, so it may run beside a service. Its memory does not grow with the ledger, but with its largest
/// member and the number of its rewards and causes.
pub fn database(connection: &mut PgConnection, progress: impl FnMut(u64) + Send) -> Result<Verified, NotVerified> {
    database_by(connection, &Means::default(), progress)
}

/// The same by certain means.
pub fn database_by(
    connection: &mut PgConnection,
    means: &Means<'_>,
    mut progress: impl FnMut(u64) + Send,
) -> Result<Verified, NotVerified> {
    connection.build_transaction().read_only().repeatable_read().run(|connection| {
        let ledger = entries::ledger_id(connection)?;
        let heads = entries::heads(connection)?;
        let size = heads.iter().fold(0_i64, |sum, head| sum.saturating_add(head.1 - 1));
        let parts = usize::try_from((size / means.part + 1).clamp(1, MOST_PARTS)).unwrap_or(1);
        let first = First::default();
        let reading = Reading::prepare(connection, (ledger, &heads), (means.range, parts), &first, &mut progress)?;
        let spools = read(connection, means, size, &reading)?;
        let chains = reading.chains();
        let mut totals = rebuild(means, parts, &spools, &first)?;
        drop(spools);

        let mut verified = Verified { ledger: Some(ledger), journals: Vec::new(), members: 0, lots: 0 };
        let mut transit: i128 = 0;
        for (journal, next_seq, head_hash, recorded_at) in heads {
            let chain = chains.iter().find(|(of, _)| *of == journal).map(|(_, chain)| chain);
            if let Some(chain) = chain.filter(|chain| (chain.next_seq, &chain.head_hash[..]) != (next_seq, &head_hash))
            {
                let fault = format!("its head is at {next_seq}, its entries end before {}", chain.next_seq);
                first.table(journal, Check::Head, fault);
            } else if let Some(last) = chain.and_then(|chain| chain.recorded_at).filter(|last| *last != recorded_at) {
                let fault = format!("its head was written at {recorded_at}, its last entry at {last}");
                first.table(journal, Check::Head, fault);
            }
            let total = totals.journals.remove(&journal).unwrap_or_default();
            total.count().unwrap_or_else(|fault| first.table(journal, Check::Count, fault));
            let compared = total.tables(connection, journal, next_seq)?;
            compared.unwrap_or_else(|fault| first.table(journal, Check::Tables, fault));
            transit += total.accounts.get("transit").copied().unwrap_or_default();
            verified.members += total.members;
            verified.lots += total.lots;
            verified.journals.push((journal, next_seq - 1, hex(&head_hash)));
        }
        first.check()?;
        if transit != 0 {
            let fault = format!("the transit accounts of all journals sum to {transit}, not to zero");
            return Err(NotVerified::Projection { journal: 0, fault });
        }
        compare::sums(connection, &totals.sums)?.map_err(|fault| NotVerified::Projection { journal: 0, fault })?;
        match guard::gaps(connection)? {
            gaps if gaps.is_empty() => Ok(verified),
            gaps => Err(NotVerified::Unguarded(Gaps(gaps))),
        }
    })
}

// Reads everything, by as many connections as are worth it.
fn read(
    connection: &mut PgConnection,
    means: &Means<'_>,
    size: i64,
    reading: &Reading<'_>,
) -> Result<Vec<Spool>, NotVerified> {
    let worth = usize::try_from(size / means.range).unwrap_or(usize::MAX);
    let others = means.open.map_or(0, |_| means.threads.min(worth).saturating_sub(1));
    let spool = || Spool::new(reading.parts, means.memory / (others + 1));
    let snapshot = if others > 0 { snapshot::export(connection)? } else { String::new() };
    thread::scope(|scope| {
        let beside = |open| {
            let snapshot = &snapshot;
            scope.spawn(move || {
                let mut spool = spool();
                snapshot::beside(open, snapshot, |connection| reading.run(connection, &mut spool))?;
                Ok(spool)
            })
        };
        let others: Vec<_> = (0..others).filter_map(|_| means.open).map(beside).collect();
        let mut own = spool();
        reading.run(connection, &mut own)?;
        let mut spools = vec![own];
        for other in others {
            spools.push(joined(other)?);
        }
        Ok(spools)
    })
}

// Rebuilds all parts, and looks for keys that are recorded twice.
fn rebuild(means: &Means<'_>, parts: usize, spools: &[Spool], first: &First) -> Result<Totals, NotVerified> {
    let threads = means.threads.clamp(1, parts);
    let next = AtomicUsize::new(0);
    let part = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|part| *part < parts);
    let mut all = Totals::default();
    let mut keys = Vec::new();
    thread::scope(|scope| {
        let rebuild = || {
            let (mut totals, mut keys) = (Totals::default(), Spool::new(parts, means.memory / 4 / threads));
            let mut room = Vec::new();
            while let Some(part) = part() {
                replay::replay((spools, part), &mut room, first, &mut totals, &mut keys)?;
            }
            Ok((totals, keys))
        };
        for thread in (0..threads).map(|_| scope.spawn(rebuild)).collect::<Vec<_>>() {
            let (totals, own) = joined(thread)?;
            all.join(totals);
            keys.push(own);
        }
        Ok::<(), NotVerified>(())
    })?;
    next.store(0, Ordering::Relaxed);
    thread::scope(|scope| {
        let look = || {
            while let Some(part) = part() {
                replay::twice(&keys, part, first)?;
            }
            Ok(())
        };
        (0..threads).map(|_| scope.spawn(look)).collect::<Vec<_>>().into_iter().try_for_each(joined)
    })?;
    Ok(all)
}

// A panic goes on in whoever waits.
fn joined<T>(thread: ScopedJoinHandle<'_, Result<T, NotVerified>>) -> Result<T, NotVerified> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Checks that no journal and no entry of a database lies in the future: no more than a minute ahead of its clock.
/// Names each journal, with its first entry that does.
pub fn present(connection: &mut PgConnection, clock: &Clock) -> Result<(), NotVerified> {
    let heads = future::heads(connection, clock)?.into_iter();
    let heads = heads.map(|(journal, at)| format!("journal {journal} was last written at {at}"));
    let entries = future::entries(connection, clock)?.into_iter();
    let entries = entries.map(|(journal, seq, at)| format!("journal {journal}, entry {seq} is recorded at {at}"));
    match heads.chain(entries).collect::<Vec<_>>() {
        ahead if ahead.is_empty() => Ok(()),
        ahead => Err(NotVerified::Future(ahead.join("; "))),
    }
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
        if checked % SHOWN_EVERY == 0 {
            progress(checked);
        }
        Ok(())
    })?;
    let journals = auditor.journals();
    if auditor.chains().is_empty() {
        return Err(NotVerified::Empty);
    }
    Ok(Verified {
        ledger: auditor.ledger(),
        journals: auditor.chains().iter().map(|(id, chain)| (*id, chain.next_seq - 1, hex(&chain.head_hash))).collect(),
        members: journals.values().map(|journal| journal.members.len()).sum(),
        lots: journals.values().flat_map(|journal| journal.members.values()).map(|member| member.lots.len()).sum(),
    })
}

//! Verification: of a database, by rebuilding it from its journals, and of an export, by its own bytes.

use std::io::BufRead;

use diesel::prelude::*;
use uuid::Uuid;

pub use super::not_verified::NotVerified;
use super::{compare, entries, future};
use crate::domain::audit::Auditor;
use crate::domain::ids::JournalId;
use crate::domain::journal::entry::{Entry, Hash, hex};
use crate::postgres::clock::Clock;
use crate::postgres::guard::{self, Gaps};

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

/// Checks a database: the chain of every journal, the form of every entry, the heads, and against what the journals say
/// the members with their wallets and lots, orders, refunds, redemptions, transfers, donations, causes with their totals,
/// rewards with their stock, and the programme's versions; also that `transit` sums to zero over all journals
/// (invariants 2, 3, 6 and 7), and last that the triggers are there which keep it so (invariant 1). `progress` hears how
/// many entries were checked.
///
/// Reads one snapshot, so it may run beside a service. Memory: all that is rebuilt of one journal, and the rewards.
pub fn database(connection: &mut PgConnection, mut progress: impl FnMut(u64)) -> Result<Verified, NotVerified> {
    connection.build_transaction().read_only().repeatable_read().run(|connection| {
        let ledger = entries::ledger_id(connection)?;
        let mut auditor = Auditor::default();
        let mut verified = Verified { ledger: Some(ledger), journals: Vec::new(), members: 0, lots: 0 };
        let mut checked = 0;
        let mut transit: i128 = 0;
        let mut sums = compare::Sums::default();
        for (journal, next_seq, head_hash, recorded_at) in entries::heads(connection)? {
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
            if let Some(last) = rebuilt.recorded_at.filter(|last| *last != recorded_at) {
                return Err(fault(format!("its head was written at {recorded_at}, its last entry at {last}")));
            }
            compare::projections(connection, journal, &rebuilt)?;
            transit += rebuilt.accounts.get("transit").copied().unwrap_or_default();
            sums.add(&rebuilt);
            verified.members += rebuilt.members.len();
            verified.lots += rebuilt.members.values().map(|member| member.lots.len()).sum::<usize>();
            verified.journals.push((journal, next_seq - 1, hex(&head_hash)));
        }
        if transit != 0 {
            let fault = format!("the transit accounts of all journals sum to {transit}, not to zero");
            return Err(NotVerified::Projection { journal: 0, fault });
        }
        compare::sums(connection, &sums)?.map_err(|fault| NotVerified::Projection { journal: 0, fault })?;
        match guard::gaps(connection)? {
            gaps if gaps.is_empty() => Ok(verified),
            gaps => Err(NotVerified::Unguarded(Gaps(gaps))),
        }
    })
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
        if checked % PAGE as u64 == 0 {
            progress(checked);
        }
        Ok(())
    })?;
    let journals = auditor.journals();
    if journals.is_empty() {
        return Err(NotVerified::Empty);
    }
    Ok(Verified {
        ledger: auditor.ledger(),
        journals: journals.iter().map(|(id, j)| (*id, j.next_seq - 1, hex(&j.head_hash))).collect(),
        members: journals.values().map(|journal| journal.members.len()).sum(),
        lots: journals.values().flat_map(|journal| journal.members.values()).map(|member| member.lots.len()).sum(),
    })
}

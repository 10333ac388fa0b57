//! The second half of a verification: the members of a part at a time are rebuilt from their entries and compared with
//! what is stored of them. No database is needed for it.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use uuid::Uuid;

use super::finding::{Check, First};
use super::reading::ENTRY;
use super::spool::{Spool, pieces};
use crate::domain::audit::{Fault, Journal, Said};
use crate::domain::ids::JournalId;
use crate::postgres::copy::{Malformed, Row};
use crate::read::ReadError;
use crate::read::compare::{Stored, Sums, Total};
use crate::read::flow::{PostingRow, Told};
use crate::read::not_verified::NotVerified;

/// What was added up so far.
#[derive(Debug, Default)]
pub struct Totals {
    /// By journal.
    pub journals: BTreeMap<JournalId, Total>,
    /// Of all journals.
    pub sums: Sums,
}

impl Totals {
    /// Adds what another thread has added up.
    pub fn join(&mut self, other: Totals) {
        for (journal, total) in other.journals {
            self.journals.entry(journal).or_default().join(total);
        }
        self.sums.join(other.sums);
    }
}

/// What there is of a journal in a part.
#[derive(Default)]
struct Slice<'a> {
    /// By their numbers.
    entries: Vec<(i64, &'a [u8])>,
    stored: Stored,
}

/// Replays a part, adds it to `totals`, and puts the keys of its orders and refunds aside. `room` is to work in.
pub fn replay(
    (spools, part): (&[Spool], usize),
    room: &mut Vec<u8>,
    first: &First,
    totals: &mut Totals,
    keys: &mut Spool,
) -> Result<(), NotVerified> {
    room.clear();
    for spool in spools {
        spool.read(part, room)?;
    }
    for (journal, slice) in slices(room).map_err(ReadError::from)? {
        let mut rebuilt = Journal::default();
        let right = apply(&mut rebuilt, journal, slice.entries, first)?;
        put_keys(keys, journal, &rebuilt)?;
        if !right {
            continue;
        }
        totals.sums.add(&rebuilt);
        let total = totals.journals.entry(journal).or_default();
        let compared = total.add(slice.stored, rebuilt);
        for (check, compared) in [Check::Members, Check::Lots].into_iter().zip(compared) {
            compared.unwrap_or_else(|fault| first.table(journal, check, fault));
        }
    }
    Ok(())
}

/// Finds orders and refunds of a journal that several entries record, among the keys of a part.
pub fn twice(keys: &[Spool], part: usize, first: &First) -> Result<(), NotVerified> {
    let mut all = Vec::new();
    for spool in keys {
        spool.read(part, &mut all)?;
    }
    let mut seen: HashMap<&[u8], i64> = HashMap::new();
    for piece in pieces(&all) {
        let (seq, key) = piece.split_first_chunk().ok_or(Malformed).map_err(ReadError::from)?;
        let seq = i64::from_be_bytes(*seq);
        let Some(other) = seen.insert(key, seq) else { continue };
        let (journal, again) = (journal(key).map_err(ReadError::from)?.0, seq.max(other));
        // A third is not before the second.
        seen.insert(key, seq.min(other));
        first.entry(journal, again, Check::Once, Fault::Twice);
    }
    Ok(())
}

fn slices(all: &[u8]) -> Result<BTreeMap<JournalId, Slice<'_>>, Malformed> {
    let mut slices: BTreeMap<JournalId, Slice<'_>> = BTreeMap::new();
    for piece in pieces(all) {
        let (kind, rest) = piece.split_first().ok_or(Malformed)?;
        let (journal, rest) = journal(rest)?;
        let slice = slices.entry(journal).or_default();
        if *kind == ENTRY {
            slice.entries.push((Told::read(&mut Row::new(rest))?.seq, rest));
        } else {
            let (member, row) = rest.split_first_chunk().ok_or(Malformed)?;
            slice.stored.take((*kind).into(), Uuid::from_bytes(*member), Row::new(row))?;
        }
    }
    Ok(slices)
}

fn journal(bytes: &[u8]) -> Result<(JournalId, &[u8]), Malformed> {
    let (journal, rest) = bytes.split_first_chunk().ok_or(Malformed)?;
    Ok((JournalId::from_be_bytes(*journal), rest))
}

// Up to the first entry that is wrong; false if there is one.
fn apply(
    rebuilt: &mut Journal,
    journal: JournalId,
    mut entries: Vec<(i64, &[u8])>,
    first: &First,
) -> Result<bool, ReadError> {
    entries.sort_unstable_by_key(|(seq, _)| *seq);
    for (seq, bytes) in entries {
        let mut row = Row::new(bytes);
        let told = Told::read(&mut row)?;
        let mut further = Vec::new();
        while !row.rest().is_empty() {
            further.extend(PostingRow::read(&mut row)?);
        }
        let postings = told.postings(journal, &further)?;
        let Told { member, kind, program_version, payload, .. } = told;
        let said = Said { journal, seq, member, kind, program_version, payload, postings: &postings };
        if let Err(fault) = rebuilt.apply(&said) {
            first.entry(journal, seq, if fault == Fault::Twice { Check::Once } else { Check::Replay }, fault);
            return Ok(false);
        }
    }
    Ok(true)
}

// The keys of one journal that are the same are in the same part, whoever's they are.
fn put_keys(keys: &mut Spool, journal: JournalId, rebuilt: &Journal) -> io::Result<()> {
    let orders = rebuilt.orders.iter().map(|(order, (seq, _))| (*seq, (order.as_str(), None)));
    let refunds = rebuilt.refunds.iter().map(|((order, refund), seen)| (seen.seq, (order.as_str(), Some(refund))));
    for (seq, (order, refund)) in orders.chain(refunds) {
        let mut hasher = DefaultHasher::new();
        (journal, order, refund).hash(&mut hasher);
        let part = (hasher.finish() % keys.parts() as u64) as usize;
        keys.put(part, |out| {
            out.extend_from_slice(&seq.to_be_bytes());
            out.extend_from_slice(&journal.to_be_bytes());
            out.extend_from_slice(&(order.len() as u64).to_be_bytes());
            out.extend_from_slice(order.as_bytes());
            if let Some(refund) = refund {
                out.push(1);
                out.extend_from_slice(refund.as_bytes());
            }
        })?;
    }
    Ok(())
}

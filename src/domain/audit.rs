//! Checking journals from their entries alone: the chain, the form of every entry, and what the postings make of
//! wallets and lots. The same code checks a database and an export on a stranger's machine.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use uuid::Uuid;

use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::account::Account;
use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::{CANONICAL_VERSION, Entry, Hash, Kind, Posting, hex};
use crate::domain::journal::misfit::Misfit;
use crate::domain::member::fact::Fact;
use crate::domain::member::{Balances, Member};
use crate::domain::movement::donation::{self, CauseTerms};
use crate::domain::movement::reward::{self, RewardTerms};
use crate::domain::record::lot::NewLot;
use crate::domain::record::refund::Refunded;
use crate::domain::time::{self, Timestamp};

/// A check under way: entries go in by journal, in the order of their numbers.
#[derive(Debug, Default)]
pub struct Auditor {
    ledger: Option<Uuid>,
    chains: BTreeMap<JournalId, Chain>,
    journals: BTreeMap<JournalId, Journal>,
}

/// How far the chain of a journal was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The number that the next entry must have.
    pub next_seq: i64,
    /// The hash of the last entry.
    pub head_hash: Hash,
    /// When the last entry was recorded.
    pub recorded_at: Option<Timestamp>,
}

/// What replay needs of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// See [`Entry::journal`].
    pub journal: JournalId,
    /// See [`Entry::seq`].
    pub seq: i64,
    /// See [`Entry::member`].
    pub member: Option<Uuid>,
    /// See [`Entry::kind`].
    pub kind: &'a str,
    /// See [`Entry::program_version`].
    pub program_version: i32,
    /// See [`Entry::payload`].
    pub payload: &'a str,
    /// See [`Entry::postings`].
    pub postings: &'a [Posting],
}

/// What the entries of a journal so far amount to, or those of some of its members.
#[derive(Debug, Default)]
pub struct Journal {
    /// The members, rebuilt (invariant 3), with all their lots.
    pub members: HashMap<MemberId, Member>,
    /// Balances of the programme's accounts, credits less debits.
    pub accounts: BTreeMap<String, i128>,
    /// The numbers of the entries of orders, and whose they are; what they say stands with the members.
    pub orders: HashMap<String, (i64, MemberId)>,
    /// What they say of refunds, by order and id.
    pub refunds: HashMap<(String, String), RefundSeen>,
    /// What they say of donations.
    pub donations: Vec<Donated>,
    /// Rewards as they last stand: terms, and how many there ever were.
    pub rewards: BTreeMap<Uuid, (RewardTerms, Option<i64>)>,
    /// Causes.
    pub causes: BTreeMap<Uuid, CauseTerms>,
    /// The programme's versions: number, effective time, document.
    pub versions: Vec<(i32, Timestamp, Value)>,
}

/// A donation as its entry states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Donated {
    /// The entry's number.
    pub seq: i64,
    /// Who gave.
    pub member: MemberId,
    /// To what.
    pub cause: Uuid,
    /// How many points.
    pub points: i64,
}

/// A refund as its entry states it.
#[derive(Debug, Clone, PartialEq)]
pub struct RefundSeen {
    /// The entry's number.
    pub seq: i64,
    /// Whose order it is.
    pub member: MemberId,
    /// What it states.
    pub refund: Refunded,
}

/// The first entry that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal {journal}, entry {seq}: {fault}")]
pub struct Wrong {
    /// Its journal.
    pub journal: JournalId,
    /// Its number, or the number at which it stands.
    pub seq: i64,
    /// Why.
    pub fault: Fault,
}

/// What can be wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A form that this program does not read.
    #[error("its version is {0}, which this program does not read")]
    Version(i16),
    /// Another ledger's.
    #[error("it belongs to another ledger than the entries before it")]
    Ledger,
    /// Invariant 7: no gaps.
    #[error("its number is {found} where {expected} must follow")]
    Gap {
        /// The number it has.
        found: i64,
        /// The number it should have.
        expected: i64,
    },
    /// Invariant 7: time does not run backwards.
    #[error("it is recorded before the entry in front of it")]
    Backwards,
    /// Invariant 7: the chain.
    #[error("its hash is {found}, its content and the hash before it give {expected}")]
    Hash {
        /// The hash it carries.
        found: String,
        /// The hash it should carry.
        expected: String,
    },
    /// Another form of the same content.
    #[error("it is not in canonical form")]
    NotCanonical,
    /// Invariant 2.
    #[error("posting {0} does not move points from one account to another")]
    Unbalanced(usize),
    /// A payload without what its kind promises.
    #[error("its payload lacks what its kind promises")]
    Payload,
    /// Invariant 4.
    #[error("its order or refund was recorded before")]
    Twice,
    /// A member of another journal, or postings that need a member.
    #[error("its member does not belong to it")]
    Member,
    /// Invariants 3 and 6.
    #[error("its postings do not fit: {0}")]
    Misfit(#[from] Misfit),
    /// The wallet that the entry states.
    #[error("it states another wallet than the postings make")]
    Balance,
}

impl Auditor {
    /// Checks the next entry of its journal.
    pub fn check(&mut self, entry: &Entry, hash: &Hash) -> Result<(), Wrong> {
        self.look_at(entry, hash).map_err(|fault| Wrong { journal: entry.journal, seq: entry.seq, fault })
    }

    /// The ledger that the entries belong to; none before the first.
    pub fn ledger(&self) -> Option<Uuid> {
        self.ledger
    }

    /// How far the chains were followed.
    pub fn chains(&self) -> &BTreeMap<JournalId, Chain> {
        &self.chains
    }

    /// The journals so far.
    pub fn journals(&self) -> &BTreeMap<JournalId, Journal> {
        &self.journals
    }

    fn look_at(&mut self, entry: &Entry, hash: &Hash) -> Result<(), Fault> {
        readable(entry)?;
        if *self.ledger.get_or_insert(entry.ledger) != entry.ledger {
            return Err(Fault::Ledger);
        }
        self.chains.entry(entry.journal).or_default().link(entry, hash)?;
        self.journals.entry(entry.journal).or_default().apply(&Said {
            journal: entry.journal,
            seq: entry.seq,
            member: entry.member,
            kind: &entry.kind,
            program_version: entry.program_version,
            payload: &entry.payload,
            postings: &entry.postings,
        })
    }
}

/// Checks that this program reads entries of that form.
pub fn readable(entry: &Entry) -> Result<(), Fault> {
    if entry.v == CANONICAL_VERSION { Ok(()) } else { Err(Fault::Version(entry.v)) }
}

impl Default for Chain {
    fn default() -> Self {
        Self { next_seq: 1, head_hash: [0; 32], recorded_at: None }
    }
}

impl Chain {
    /// Checks that the entry follows, and goes on to it (invariant 7).
    pub fn link(&mut self, entry: &Entry, hash: &Hash) -> Result<(), Fault> {
        if entry.seq != self.next_seq {
            return Err(Fault::Gap { found: entry.seq, expected: self.next_seq });
        }
        if self.recorded_at.is_some_and(|last| entry.recorded_at < last) {
            return Err(Fault::Backwards);
        }
        let expected = entry.hash(&self.head_hash);
        if *hash != expected {
            return Err(Fault::Hash { found: hex(hash), expected: hex(&expected) });
        }
        self.next_seq += 1;
        self.head_hash = expected;
        self.recorded_at = Some(entry.recorded_at);
        Ok(())
    }
}

impl Journal {
    /// Checks what the next entry says, and takes it up.
    pub fn apply(&mut self, entry: &Said<'_>) -> Result<(), Fault> {
        let payload = &Json::read(entry.payload).ok_or(Fault::NotCanonical)?;
        let sided = |p: &Posting| p.points > 0 && p.debit != p.credit;
        if let Some(n) = entry.postings.iter().position(|posting| !sided(posting)) {
            return Err(Fault::Unbalanced(n));
        }
        for posting in entry.postings {
            for (account, points) in [(&posting.debit, -posting.points), (&posting.credit, posting.points)] {
                if !matches!(account, Account::Member(_)) {
                    let name = account.name();
                    match self.accounts.get_mut(name.as_ref()) {
                        Some(sum) => *sum += i128::from(points),
                        None => drop(self.accounts.insert(name.into_owned(), points.into())),
                    }
                }
            }
        }
        let Some(id) = entry.member else {
            self.program(entry, payload)?;
            return if entry.postings.is_empty() { Ok(()) } else { Err(Fault::Member) };
        };
        let id = MemberId::try_from(id).ok().filter(|id| id.journal() == entry.journal).ok_or(Fault::Member)?;
        if entry.kind == Kind::MemberEnrolled.name() {
            let joined_at = payload.get("joined_at").and_then(Json::as_str).and_then(|text| time::parse(text).ok());
            let joined = Member::new(id, joined_at.ok_or(Fault::NotCanonical)?);
            if self.members.insert(id, joined).is_some() {
                return Err(Fault::Member);
            }
        }
        let lots = NewLot::all_from(payload)?;
        let fact = Fact::of(entry.kind, entry.program_version, payload, &lots)?;
        self.note(entry.seq, id, &fact)?;
        if entry.kind == Kind::PointsDonated.name() {
            self.donations.push(donated(entry.seq, id, payload).ok_or(Fault::Payload)?);
        }
        let member = self.members.get_mut(&id).ok_or(Fault::Member)?;
        member.apply(&fact, entry.postings, &lots)?;
        let stated: Option<Balances> = payload.get("balance").and_then(Json::to);
        if stated != Some(member.balances) { Err(Fault::Balance) } else { Ok(()) }
    }

    // What belongs to no member.
    fn program(&mut self, entry: &Said<'_>, payload: &Json<'_>) -> Result<(), Fault> {
        if entry.kind == Kind::ProgramPublished.name() {
            let effective_at =
                payload.get("effective_at").and_then(Json::as_str).and_then(|text| time::parse(text).ok());
            let version = (
                entry.program_version,
                effective_at.ok_or(Fault::Payload)?,
                payload.get("document").and_then(Json::to).unwrap_or_default(),
            );
            self.versions.push(version);
        }
        if let Some(reward) = payload.get("reward") {
            let (id, terms, supplied) = reward::read(reward).ok_or(Fault::Payload)?;
            self.rewards.insert(id, (terms, supplied));
        }
        if let Some(cause) = payload.get("cause") {
            let (id, terms) = donation::read(cause).ok_or(Fault::Payload)?;
            self.causes.insert(id, terms);
        }
        Ok(())
    }

    // Orders and refunds count once (invariant 4).
    fn note(&mut self, seq: i64, member: MemberId, fact: &Fact) -> Result<(), Fault> {
        let known = match fact {
            Fact::Order(order, _) => self.orders.insert(order.order_id.clone(), (seq, member)).is_some(),
            Fact::Refund(refund) => {
                let key = (refund.order_id.clone(), refund.refund_id.clone());
                self.refunds.insert(key, RefundSeen { seq, member, refund: refund.clone() }).is_some()
            }
            _ => false,
        };
        if known { Err(Fault::Twice) } else { Ok(()) }
    }
}

fn donated(seq: i64, member: MemberId, payload: &Json<'_>) -> Option<Donated> {
    let donation = payload.get("donation")?;
    let cause = donation.get("cause_id")?.as_str()?.parse().ok()?;
    Some(Donated { seq, member, cause, points: donation.get("points")?.as_i64()? })
}

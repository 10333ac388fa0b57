//! Commands that wait for company: those that may write to another journal.
//!
//! Such a command locks two heads, and two lanes stand still until it is committed. A busy lane therefore lets some gather
//! and decides them in one transaction, while orders pass them, and members are settled. These pass only what names
//! neither their member nor their order, so that every answer is what it would have been in the order in which all were
//! asked. Whatever else is asked waits behind them.

use std::collections::{BTreeSet, HashSet};
use std::mem;
use std::time::{Duration, Instant};

use super::answer::NaturalKey;
use super::lane::Job;
use super::request::Request;
use crate::domain::ids::MemberId;
use crate::load::Needs;

/// How long a command waits at most, while there is anything to pass it.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// The commands of a lane that wait, in the order in which they were asked.
#[derive(Default)]
pub struct Waiting {
    /// How long they wait at most; for no time at all, nothing passes them.
    patience: Duration,
    jobs: Vec<Job>,
    /// When the first began to wait.
    since: Option<Instant>,
    /// Whom they name.
    members: BTreeSet<MemberId>,
    /// Which orders they name.
    orders: HashSet<String>,
    /// Does one name something of which it is not known yet whose it is?
    names_more: bool,
}

impl Waiting {
    /// Nothing waits yet, and then so long at most.
    pub fn new(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    /// Takes in those of `jobs` that are to wait, and gives back the others, in order.
    pub fn admit(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let mut first = Vec::with_capacity(jobs.len());
        for job in jobs {
            let begins = job.request.asked().may_reach_another();
            if begins || !self.jobs.is_empty() && !self.is_passed_by(&job.request) {
                self.take_in(job);
            } else {
                first.push(job);
            }
        }
        first
    }

    /// Is it their turn, whatever else is asked?
    pub fn is_ripe(&self) -> bool {
        self.names_more || self.since.is_some_and(|since| since.elapsed() >= self.patience)
    }

    /// All that wait; none does any more.
    pub fn take(&mut self) -> Vec<Job> {
        let patience = self.patience;
        mem::replace(self, Self::new(patience)).jobs
    }

    fn is_passed_by(&self, request: &Request) -> bool {
        let asked = request.asked();
        let key_is_apart = match asked.natural_key() {
            None => true,
            Some(NaturalKey::Order(order)) => !self.orders.contains(order),
            Some(_) => false,
        };
        let has_other = request.key.is_some() || asked.other_key().is_some();
        if self.patience.is_zero() || self.names_more || has_other || !key_is_apart {
            return false;
        }
        let mut needs = Needs::default();
        asked.needs(&mut needs);
        needs.are_plain() && needs.members.is_disjoint(&self.members)
    }

    fn take_in(&mut self, job: Job) {
        let asked = job.request.asked();
        let mut needs = Needs::default();
        asked.needs(&mut needs);
        self.names_more |= !needs.records.is_empty();
        self.members.extend(needs.members);
        for key in asked.natural_key().into_iter().chain(asked.other_key()) {
            match key {
                NaturalKey::Order(order) | NaturalKey::Refund { order, .. } => self.orders.insert(order.to_owned()),
                NaturalKey::Customer(_) => true,
            };
        }
        self.since.get_or_insert_with(Instant::now);
        self.jobs.push(job);
    }
}

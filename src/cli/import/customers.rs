//! Who the customers of a file are: members, or to be enrolled with the first of their lines that is taken.

use std::collections::HashMap;

use anyhow::Result;
use diesel::PgConnection;

use crate::domain::ids::MemberId;
use crate::domain::movement::enrolment::Enrolment;
use crate::domain::time::Timestamp;
use crate::ledger::{Command, EnrolWith, First, Ledger};
use crate::read::route::{self, Primary};

/// The customers of a file.
pub struct Customers<'a> {
    ledger: &'a Ledger,
    met: HashMap<String, Customer>,
}

enum Customer {
    /// A customer as of a time, if one is known.
    Met(Option<Timestamp>),
    /// A member.
    Member(MemberId),
    /// None yet: the id that this run gives it, and the time.
    New(MemberId, Option<Timestamp>),
}

impl<'a> Customers<'a> {
    /// Nobody yet.
    pub fn new(ledger: &'a Ledger) -> Self {
        Self { ledger, met: HashMap::new() }
    }

    /// Takes note of a customer who joined then; the earliest time counts.
    pub fn meet(&mut self, external_id: String, joined_at: Option<Timestamp>) {
        let Customer::Met(first) = self.met.entry(external_id).or_insert(Customer::Met(None)) else { return };
        *first = first.iter().copied().chain(joined_at).min();
    }

    /// Looks up who is a member.
    pub fn look_up(&mut self, connection: &mut PgConnection) -> Result<()> {
        let names: Vec<String> = self.met.keys().cloned().collect();
        let members = route::members(&mut Primary(connection), &names)?;
        for (name, customer) in &mut self.met {
            *customer = match (members.get(name), &customer) {
                (Some(member), _) => Customer::Member(*member),
                (None, Customer::Met(joined_at)) => Customer::New(self.ledger.new_member_id(name), *joined_at),
                (None, Customer::Member(_) | Customer::New(..)) => continue,
            };
        }
        Ok(())
    }

    /// The command about a customer: of its member, or together with its enrolment.
    pub fn command(&self, external_id: String, first: impl FnOnce(MemberId) -> First) -> Command {
        let (id, joined_at) = match self.met.get(&external_id) {
            Some(Customer::Member(member)) => return first(*member).of_member(*member),
            Some(Customer::New(id, joined_at)) => (*id, *joined_at),
            Some(Customer::Met(_)) | None => (self.ledger.new_member_id(&external_id), None),
        };
        EnrolWith(Enrolment { external_id, birthday: None, joined_at }, first(id)).into()
    }
}

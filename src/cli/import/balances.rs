//! Balances of the programme before this one: each line is a lot, added by an adjustment.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;
use diesel::PgConnection;

use super::customers::Customers;
use super::records::Columns;
use super::{ACTOR, Calendar, Import, Step};
use crate::domain::digest::sha256;
use crate::domain::external_id;
use crate::domain::fields::{self, Fields};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::movement::adjustment::{Adjustment, Reason, Side};
use crate::domain::time::Timestamp;
use crate::ledger::{First, Ledger};
use crate::read::route::{self, Primary};

/// The operation that the keys of lines belong to: that of an adjustment, with or without an enrolment.
const OPERATION: &str = "points.adjust";

/// An import of balances.
pub struct Balances<'a> {
    ledger: &'a Ledger,
    calendar: Calendar,
    customers: Customers<'a>,
    /// How many lines of the same content there were.
    same: HashMap<Content, u32>,
}

/// The digest of what identifies a line.
type Content = [u8; 16];

impl<'a> Balances<'a> {
    /// Of balances whose days `calendar` knows.
    pub fn new(ledger: &'a Ledger, calendar: Calendar) -> Self {
        Self { ledger, calendar, customers: Customers::new(ledger), same: HashMap::new() }
    }

    // A line is what it says of the lot, and the how-manieth of those that say the same: so a file that grew, anywhere,
    // doubles nothing. The digest is all that stays of an erased customer, so that an import after the erasure does not
    // bring the points back.
    fn key(&mut self, row: &Row) -> String {
        let Row { external_id, points, active_on, expires_on, .. } = row;
        let said = serde_json::json!([external_id, points, active_on, expires_on]).to_string();
        let mut content = Content::default();
        content.copy_from_slice(&sha256(&[said.as_bytes()])[..16]);
        let number = self.same.entry(content).or_default();
        *number += 1;
        format!("balance:{:032x}:{number}", u128::from_be_bytes(content))
    }

    fn step(&self, row: Row, key: String, now: Timestamp) -> Step {
        let active_at = row.active_on.map(|day| self.calendar.begins(day));
        let adjustment = |member_id| Adjustment {
            member_id,
            points: row.points,
            account: if active_at.is_some_and(|at| at > now) { Side::Pending } else { Side::Active },
            active_at,
            expires_at: row.expires_on.map(|day| self.calendar.begins(day)),
            reason: Reason::Migration,
            note: row.note.clone(),
        };
        Step::send(Some(key), self.customers.command(row.external_id.clone(), |id| First::Adjustment(adjustment(id))))
    }
}

impl Import for Balances<'_> {
    const COLUMNS: Columns =
        Columns { required: &["external_id", "points"], optional: &["active_at", "expires_at", "joined_at", "note"] };
    const LINES: &'static str = "balances";
    type Row = Row;

    fn read(&self, line: &mut Fields<'_>) -> Option<Row> {
        let external_id = line.required("external_id", external_id::read);
        let points = line.required("points", fields::integer_in_text(1..=MAX_POINTS));
        let active_on = line.optional("active_at", fields::date);
        let expires_on = line.optional("expires_at", fields::date);
        let joined_on = line.optional("joined_at", fields::date);
        let note = line.optional("note", fields::string(1..=500));
        Some(Row { external_id: external_id?, points: points?, active_on, expires_on, joined_on, note })
    }

    fn meet(&mut self, row: Row) {
        self.customers.meet(row.external_id, row.joined_on.map(|day| self.calendar.begins(day)));
    }

    fn prepare(&mut self, connection: &mut PgConnection) -> Result<()> {
        self.customers.look_up(connection)
    }

    fn resolve(&mut self, connection: &mut PgConnection, rows: Vec<Row>) -> Result<Vec<Step>> {
        let now = self.ledger.clock().look(connection)?.now;
        let keys: Vec<String> = rows.iter().map(|row| self.key(row)).collect();
        // Asked beforehand: a lot that was pending when it was imported is active now, and is no other for that.
        let taken = route::keys(&mut Primary(connection), (ACTOR, OPERATION), keys.clone())?;
        let step =
            |(row, key): (Row, String)| if taken.contains(&key) { Step::Known } else { self.step(row, key, now) };
        Ok(rows.into_iter().zip(keys).map(step).collect())
    }
}

/// A lot.
pub struct Row {
    external_id: String,
    points: i64,
    active_on: Option<NaiveDate>,
    expires_on: Option<NaiveDate>,
    joined_on: Option<NaiveDate>,
    note: Option<String>,
}

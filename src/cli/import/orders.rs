//! Orders. A customer is enrolled together with the first order that is taken.

use std::collections::HashMap;

use anyhow::Result;
use diesel::PgConnection;
use rust_decimal::Decimal;

use super::customers::Customers;
use super::records::Columns;
use super::{Calendar, Import, Step};
use crate::domain::external_id;
use crate::domain::fields::{self, Fields};
use crate::domain::ids::MemberId;
use crate::domain::money::Currency;
use crate::domain::movement::order::Order;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::ledger::{Command, First, Ledger};
use crate::read::route::{self, Posted, Primary};

/// An import of orders.
pub struct Orders<'a> {
    calendar: Calendar,
    now: Timestamp,
    customers: Customers<'a>,
}

impl<'a> Orders<'a> {
    /// Of orders whose days `calendar` knows, at `now`.
    pub fn new(ledger: &'a Ledger, calendar: Calendar, now: Timestamp) -> Self {
        Self { calendar, now, customers: Customers::new(ledger) }
    }

    // An order that is there is asked for again under whoever has it, if that is its customer or has been erased: then it
    // is known, or another order has its id.
    fn step(&self, row: Row, posted: &HashMap<String, Posted>) -> Step {
        let Some(Posted { member_id, external_id, .. }) = posted.get(&row.order_id) else {
            return Step::send(
                None,
                self.customers.command(row.customer_id.clone(), |member| First::Order(row.of(member))),
            );
        };
        match external_id {
            Some(other) if *other != row.customer_id => {
                Step::Reject(Refusal::OrderConflict { order_id: row.order_id }.to_string())
            }
            _ => Step::send(None, Command::CompleteOrder(row.of(*member_id))),
        }
    }
}

impl Import for Orders<'_> {
    const COLUMNS: Columns =
        Columns { required: &["order_id", "customer_id", "ordered_on", "items", "amount"], optional: &[] };
    const LINES: &'static str = "orders";
    type Row = Row;

    fn read(&self, line: &mut Fields<'_>) -> Option<Row> {
        let order_id = line.required("order_id", Order::read_id);
        let customer_id = line.required("customer_id", external_id::read);
        let ordered_on = line.required("ordered_on", fields::date);
        // How many articles it had is not kept: the ledger's items have an article each.
        let items = line.required("items", fields::integer_in_text(0..=1_000_000));
        let day = ordered_on.and_then(|day| self.calendar.moved(day));
        let currency = self.calendar.program(day.unwrap_or_default()).currency;
        let amount = line.required("amount", fields::amount(currency));
        items?;
        let occurred_at = self.calendar.begins(day?);
        Some(Row { order_id: order_id?, customer_id: customer_id?, occurred_at, currency, amount: amount? })
    }

    // What lies in the future is refused, and nobody joined with it.
    fn meet(&mut self, row: Row) {
        let joined_at = Some(row.occurred_at).filter(|at| *at <= self.now);
        self.customers.meet(row.customer_id, joined_at);
    }

    fn prepare(&mut self, connection: &mut PgConnection) -> Result<()> {
        self.customers.look_up(connection)
    }

    fn resolve(&mut self, connection: &mut PgConnection, rows: Vec<Row>) -> Result<Vec<Step>> {
        let posted = route::orders(&mut Primary(connection), rows.iter().map(|row| row.order_id.clone()).collect())?;
        Ok(rows.into_iter().map(|row| self.step(row, &posted)).collect())
    }
}

/// An order.
pub struct Row {
    order_id: String,
    customer_id: String,
    occurred_at: Timestamp,
    currency: Currency,
    amount: Decimal,
}

impl Row {
    fn of(self, member_id: MemberId) -> Order {
        Order {
            order_id: self.order_id,
            member_id,
            occurred_at: self.occurred_at,
            currency: self.currency,
            amount: self.amount,
            discount: None,
            channel: None,
            items: None,
            redemption_ids: Vec::new(),
        }
    }
}

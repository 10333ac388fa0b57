//! Refunds of orders that were posted.

use std::collections::HashMap;

use anyhow::Result;
use chrono::NaiveDate;
use diesel::PgConnection;
use rust_decimal::Decimal;

use super::records::Columns;
use super::{Calendar, Import, Step, fault};
use crate::domain::fields::{self, Fields};
use crate::domain::money::{self, MoneyFault};
use crate::domain::movement::order::Order;
use crate::domain::movement::refund::RefundRequest;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::ledger::Command;
use crate::read::route::{self, Posted, Primary};

/// An import of refunds.
pub struct Refunds {
    calendar: Calendar,
}

impl Refunds {
    /// Of refunds whose days `calendar` knows.
    pub fn new(calendar: Calendar) -> Self {
        Self { calendar }
    }

    fn step(&self, row: Row, posted: &HashMap<String, Posted>) -> Step {
        let Some(order) = posted.get(&row.order_id) else { return Step::Reject(Refusal::OrderNotFound.to_string()) };
        let allowed = order.currency.minor_units();
        if row.amount.scale() > allowed {
            return Step::Reject(fault("amount", MoneyFault::TooManyDecimals { allowed }.into()));
        }
        Step::send(
            None,
            Command::RefundOrder(RefundRequest {
                order_id: row.order_id,
                member_id: order.member_id,
                refund_id: row.refund_id,
                amount: money::in_minor_units(row.amount, order.currency),
                items: None,
                occurred_at: Some(self.occurred_at(row.refunded_on, order.occurred_at)),
            }),
        )
    }

    // When the day begins; of the order's own day, when that occurred: no refund is older than its order.
    fn occurred_at(&self, refunded_on: NaiveDate, ordered_at: Timestamp) -> Timestamp {
        let zone = self.calendar.program(refunded_on).time_zone;
        let is_its_day = ordered_at.with_timezone(&zone).date_naive() == refunded_on;
        if is_its_day { ordered_at } else { self.calendar.begins(refunded_on) }
    }
}

impl Import for Refunds {
    const COLUMNS: Columns = Columns { required: &["order_id", "refund_id", "refunded_on", "amount"], optional: &[] };
    const LINES: &'static str = "refunds";
    type Row = Row;

    fn read(&self, line: &mut Fields<'_>) -> Option<Row> {
        let order_id = line.required("order_id", Order::read_id);
        let refund_id = line.required("refund_id", Order::read_id);
        let refunded_on = line.required("refunded_on", fields::date);
        let amount = line.required("amount", fields::decimal(money::MAX_MINOR_UNITS, money::MAX_AMOUNT));
        let refunded_on = refunded_on.and_then(|day| self.calendar.moved(day));
        Some(Row { order_id: order_id?, refund_id: refund_id?, refunded_on: refunded_on?, amount: amount? })
    }

    fn resolve(&mut self, connection: &mut PgConnection, rows: Vec<Row>) -> Result<Vec<Step>> {
        let posted = route::orders(&mut Primary(connection), rows.iter().map(|row| row.order_id.clone()).collect())?;
        Ok(rows.into_iter().map(|row| self.step(row, &posted)).collect())
    }
}

/// A refund.
pub struct Row {
    order_id: String,
    refund_id: String,
    refunded_on: NaiveDate,
    amount: Decimal,
}

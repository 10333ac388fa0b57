//! What an entry changes besides points. It stands in the payload in full, as it is after the entry, so that a member
//! is rebuilt from its entries alone (invariant 3).

use crate::domain::journal::canonical::Json;
use crate::domain::journal::entry::Kind;
use crate::domain::journal::misfit::Misfit;
use crate::domain::journal::payload::Payload;
use crate::domain::member::status::Status;
use crate::domain::record::Record;
use crate::domain::record::lot::NewLot;
use crate::domain::record::order::OrderRecord;
use crate::domain::record::refund::Refunded;
use crate::domain::tier::{Spending, Standing};

/// What an entry changes besides points.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Nothing.
    Nothing,
    /// The member's status, which the kind of the entry names.
    Status(Status),
    /// A record, under the name of its kind.
    Record(Record),
    /// A new order, under the key `order`; and under `spending`, where that does not follow, what all orders come to.
    Order(Box<OrderRecord>, Option<Box<Spending>>),
    /// Where the member stands, under `standing`, and what its orders come to, under `spending`.
    Standing(Box<(Standing, Spending)>),
    /// A refund, under the key `refund`.
    Refund(Refunded),
}

impl Fact {
    /// The fact that an entry of `kind` with this payload states.
    ///
    /// Errors: the payload states something that cannot be read.
    pub fn of(kind: &str, version: i32, payload: &Json<'_>, lots: &[NewLot]) -> Result<Self, Misfit> {
        if let Some(status) = kind.parse().ok().and_then(status_after) {
            return Ok(Fact::Status(status));
        }
        if let Some(order) = payload.get("order") {
            let order = OrderRecord::read(order, payload, version, lots).ok_or(Misfit::Fact("order"))?;
            let spending = payload.get("spending").map(|spending| spending.to().ok_or(Misfit::Fact("spending")));
            return Ok(Fact::Order(Box::new(order), spending.transpose()?.map(Box::new)));
        }
        if kind.parse().is_ok_and(Kind::is_of_tier) {
            let standing = payload.get("standing").and_then(|standing| standing.to());
            let spending = payload.get("spending").and_then(|spending| spending.to());
            let stands = (standing.ok_or(Misfit::Fact("standing"))?, spending.ok_or(Misfit::Fact("spending"))?);
            return Ok(Fact::Standing(Box::new(stands)));
        }
        for name in Record::NAMES {
            if let Some(state) = payload.get(name) {
                return Record::stored(name, state.text()).map(Fact::Record).map_err(|_| Misfit::Fact(name));
            }
        }
        match payload.get("refund") {
            Some(refund) => refund.to().map(Fact::Refund).ok_or(Misfit::Fact("refund")),
            None => Ok(Fact::Nothing),
        }
    }

    /// Puts the fact into the payload of its entry.
    pub fn state(&self, payload: &mut Payload) {
        match self {
            Fact::Nothing | Fact::Status(_) => {}
            Fact::Record(record) => payload.put(record.name(), record),
            Fact::Order(order, spending) => {
                payload.put("order", &order.stated());
                if let Some(spending) = spending {
                    payload.put("spending", spending);
                }
            }
            Fact::Standing(stands) => {
                payload.put("standing", &stands.0);
                payload.put("spending", &stands.1);
            }
            Fact::Refund(refund) => payload.put("refund", refund),
        }
    }
}

fn status_after(kind: Kind) -> Option<Status> {
    match kind {
        Kind::MemberSuspended => Some(Status::Suspended),
        Kind::MemberResumed => Some(Status::Active),
        Kind::MemberClosed => Some(Status::Closed),
        Kind::MemberErased => Some(Status::Erased),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_about_a_tier_states_where_the_member_stands_and_what_its_orders_come_to() {
        let spending = r#"{"amount":"1","counts":"money","currency":"CNY","from":"2026-01-01T00:00:00.000000Z","latest":"2026-01-01T00:00:00.000000Z","orders":1,"version":1}"#;
        let standing = r#"{"base":{},"based_at":"2026-01-01T00:00:00.000000Z","rank":{},"version":1}"#;
        let of = |payload: String| Fact::of("tier.assigned", 1, &Json::read(&payload).unwrap(), &[]);
        assert!(matches!(of(format!(r#"{{"spending":{spending},"standing":{standing}}}"#)), Ok(Fact::Standing(_))));
        assert_eq!(of(format!(r#"{{"spending":{spending}}}"#)), Err(Misfit::Fact("standing")));
        assert_eq!(of(format!(r#"{{"standing":{standing}}}"#)), Err(Misfit::Fact("spending")));
    }
}

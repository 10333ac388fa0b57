//! A part of an order is paid back.

use serde_json::Value;

use super::super::answer::{NaturalKey, Outcome};
use super::super::batch::{Batch, By, NewRefund, body};
use super::Asked;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::movement::refund::{self, RefundRequest};
use crate::domain::record::items::Purchase;
use crate::domain::refusal::Rejected;
use crate::load::Needs;

impl Asked for RefundRequest {
    fn operation(&self) -> &'static str {
        "order.refund"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value((&self.order_id, self))
    }

    // What came back.
    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        self.items.as_ref().map(|_| self.member_id)
    }

    fn journal(&self) -> JournalId {
        self.member_id.journal()
    }

    fn natural_key(&self) -> Option<NaturalKey<'_>> {
        Some(NaturalKey::Refund { order: &self.order_id, refund: &self.refund_id })
    }

    fn needs(&self, needs: &mut Needs) {
        needs.members.insert(self.member_id);
        needs.refunded.insert(self.order_id.clone(), self.member_id);
        needs.coming.entry(self.member_id).or_default().refund = true;
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let mut work = batch.work_on(self.member_id, by)?;
        let mut purchase = match batch.state.purchases.get(&self.order_id) {
            Some(purchase) => purchase.clone(),
            None => purchase_of(batch, &self.order_id),
        };
        let refunded = refund::refund(&mut work, &mut purchase, self)?;
        let response = body(&refunded.reply);
        let seq = batch.keep(work)? + refunded.entry as i64;
        batch.state.purchases.insert(self.order_id.clone(), purchase);
        let key = (self.order_id.clone(), self.refund_id.clone());
        batch.known.refunds.insert(key, by.done(&response));
        let (refund, hash) = (self.clone(), by.hash);
        batch.changes.refunds.push(NewRefund { refund, seq, hash, response: response.clone() });
        Ok(response)
    }
}

// What was bought with an order of this batch.
fn purchase_of(batch: &Batch<'_>, order_id: &str) -> Purchase {
    let order = batch.changes.orders.iter().find(|new| new.order.order_id == order_id);
    Purchase { items: order.and_then(|new| new.order.items.clone()), back: Vec::new() }
}

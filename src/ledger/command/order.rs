//! An order becomes points.

use serde_json::Value;

use super::super::answer::{NaturalKey, Outcome};
use super::super::batch::{Batch, By, NewOrder, body};
use super::Asked;
use crate::domain::decide::Working;
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::movement::order::{self, Order};
use crate::domain::refusal::Rejected;
use crate::load::Needs;

impl Asked for Order {
    fn operation(&self) -> &'static str {
        "order.complete"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    // What was bought.
    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        self.items.as_ref().map(|_| self.member_id)
    }

    fn journal(&self) -> JournalId {
        self.member_id.journal()
    }

    fn natural_key(&self) -> Option<NaturalKey<'_>> {
        Some(NaturalKey::Order(&self.order_id))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.order(self);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let work = batch.work_on(self.member_id, by)?;
        complete(self, work, batch, by)
    }
}

/// Completes an order of the member that `work` is on.
pub fn complete<'a>(
    order: &Order,
    mut work: Working<'a>,
    batch: &mut Batch<'a>,
    by: &By<'a>,
) -> Result<String, Rejected> {
    let completed = order::complete(&mut work, order)?;
    // Asked last: other journals are only looked into for what would be done, so that the answer is the same
    // whatever else is in the batch. Another journal's order is another member's, and so never this one again.
    if batch.known.orders_elsewhere.contains(&order.order_id) {
        return Err(NaturalKey::Order(&order.order_id).conflict().into());
    }
    let response = body(&completed.reply);
    let seq = batch.keep(work)? + completed.entry as i64;
    batch.known.orders.insert(order.order_id.clone(), by.done(&response));
    let (order, hash) = (order.clone(), by.hash);
    let stored = (!completed.follows).then(|| response.clone());
    batch.changes.orders.push(NewOrder { order, seq, hash, response: stored });
    Ok(response)
}

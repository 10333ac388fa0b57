//! Points go to another member, at once or as an offer that is answered.

use serde_json::Value;

use super::super::answer::Outcome;
use super::super::batch::{Batch, By, Note, body};
use super::Asked;
use crate::domain::decide::Working;
use crate::domain::ids::{JournalId, MemberId, TransferId};
use crate::domain::member::Balances;
use crate::domain::movement::transfer::{self, Parcel, Reply, TransferReply, TransferRequest};
use crate::domain::record::transfer::Transfer;
use crate::domain::refusal::{Refusal, Rejected};
use crate::load::{Named, Needs};

impl Asked for TransferRequest {
    fn operation(&self) -> &'static str {
        "transfer.make"
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }

    // What the giver wrote.
    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        self.message.as_ref().map(|_| self.from_member_id)
    }

    fn journal(&self) -> JournalId {
        self.from_member_id.journal()
    }

    fn other_journal(&self) -> Option<JournalId> {
        Some(self.to_member_id.journal())
    }

    fn needs(&self, needs: &mut Needs) {
        needs.members.extend([self.from_member_id, self.to_member_id]);
        needs.givers.insert(self.from_member_id);
        needs.points(self.from_member_id, self.points);
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let mut giver = batch.work_on(self.from_member_id, by)?;
        let receiver = batch.state.members.get(&self.to_member_id);
        let (transfer, parcel) = transfer::offer(&mut giver, receiver, self)?;
        let reply = TransferReply { transfer: transfer.into(), wallet: Some(giver.member.balances) };
        deliver(giver, parcel.as_ref(), self.to_member_id, batch, by)?;
        if let Some(body) = self.message.clone() {
            let (member, other_member) = (self.from_member_id, Some(self.to_member_id));
            batch.changes.notes.push(Note { about: reply.transfer.id.uuid(), member, other_member, body });
        }
        Ok(body(&reply))
    }
}

/// An offer is answered, or taken back. With a member's token it is for the party whose answer it is, and for nobody else.
#[derive(Clone)]
pub struct AnswerTransfer(pub TransferId, pub Reply);

impl Asked for AnswerTransfer {
    fn operation(&self) -> &'static str {
        match self.1 {
            Reply::Accept => "transfer.accept",
            Reply::Decline => "transfer.decline",
            Reply::Cancel => "transfer.cancel",
        }
    }

    fn content(&self) -> serde_json::Result<Value> {
        serde_json::to_value((self.0, self.1))
    }

    fn personal(&self, _: &Outcome) -> Option<MemberId> {
        None
    }

    fn journal(&self) -> JournalId {
        self.0.journal()
    }

    fn not_found(&self) -> Refusal {
        Refusal::TransferNotFound
    }

    fn needs(&self, needs: &mut Needs) {
        needs.records.insert((self.0.journal(), self.0.uuid()));
    }

    // Who made the offer to whom is known once it is found.
    fn may_reach_another(&self) -> bool {
        self.1 == Reply::Accept
    }

    // Only who accepts is given anything.
    fn needs_further(&self, named: &Named, needs: &mut Needs) {
        let offered = named.record::<Transfer>(self.0).filter(|_| self.1 == Reply::Accept);
        needs.members.extend(offered.map(|transfer| transfer.to_member_id));
    }

    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected> {
        let Self(id, reply) = *self;
        let giver = *batch.state.owners.get(&id.uuid()).ok_or(Refusal::TransferNotFound)?;
        let mut giver = batch.work_on(giver, by)?;
        let (transfer, parcel) = transfer::answer(&mut giver, id, reply)?;
        // The giver's wallet is not for the receiver to see.
        let givers_wallet = Some(giver.member.balances).filter(|_| reply == Reply::Cancel);
        let receivers_wallet = deliver(giver, parcel.as_ref(), transfer.to_member_id, batch, by)?;
        Ok(body(&TransferReply { transfer: transfer.into(), wallet: receivers_wallet.or(givers_wallet) }))
    }
}

// Takes up the giver's side and, if there is a parcel, the receiver's, whose wallet it returns: both or neither.
fn deliver<'a>(
    giver: Working<'a>,
    parcel: Option<&Parcel>,
    receiver: MemberId,
    batch: &mut Batch<'a>,
    by: &By<'a>,
) -> Result<Option<Balances>, Rejected> {
    let Some(parcel) = parcel else {
        batch.keep(giver)?;
        return Ok(None);
    };
    let mut receiver = batch.work_on(receiver, by)?;
    transfer::receive(&mut receiver, parcel)?;
    let wallet = receiver.member.balances;
    batch.keep(giver)?;
    batch.keep(receiver)?;
    Ok(Some(wallet))
}

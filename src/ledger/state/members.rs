//! Commands about members: each takes what the state knows, asks the rules, and takes up what they decide.

use super::super::command::{Command, First, Outcome, Request};
use super::{Batch, NewMember, NewOrder, NewRefund, Note, Remembered, body};
use crate::domain::decide::Working;
use crate::domain::ids::{MemberId, TransferId};
use crate::domain::member::{Balances, Status};
use crate::domain::movement::adjustment::{self, Adjustment};
use crate::domain::movement::donation::{self, Donation, DonationReply, DonationRequest};
use crate::domain::movement::enrolment::{self, Enrolment, MemberReply, ProfileChange};
use crate::domain::movement::membership::{self, Change};
use crate::domain::movement::order::{self, Order};
use crate::domain::movement::redemption::{self, Purpose, RedemptionRequest};
use crate::domain::movement::refund::{self, RefundRequest};
use crate::domain::movement::transfer::{self, Parcel, Reply, TransferReply, TransferRequest};
use crate::domain::record::items::Purchase;
use crate::domain::refusal::{Refusal, Rejected};

impl<'a> Batch<'a> {
    pub(super) fn complete_order(&mut self, request: &'a Request, order: &Order) -> Result<String, Rejected> {
        let work = self.work_on(request, order.member_id)?;
        self.complete_order_of(work, request, order)
    }

    fn complete_order_of(
        &mut self,
        mut work: Working<'a>,
        request: &'a Request,
        order: &Order,
    ) -> Result<String, Rejected> {
        let completed = order::complete(&mut work, order)?;
        // Asked last: other journals are only looked into for what would be done, so that the answer is the same
        // whatever else is in the batch. Another journal's order is another member's, and so never this one again.
        if self.state.orders_elsewhere.contains(&order.order_id) {
            return Err(Refusal::OrderConflict { order_id: order.order_id.clone() }.into());
        }
        let response = body(&completed.reply);
        let seq = self.keep(work)? + completed.entry as i64;
        self.state.orders.insert(order.order_id.clone(), done(request, &response));
        let (order, hash) = (order.clone(), request.hash);
        self.changes.orders.push(NewOrder { order, seq, hash, response: response.clone() });
        Ok(response)
    }

    pub(super) fn refund_order(&mut self, request: &'a Request, refund: &RefundRequest) -> Result<String, Rejected> {
        let mut work = self.work_on(request, refund.member_id)?;
        let mut purchase = match self.state.purchases.get(&refund.order_id) {
            Some(purchase) => purchase.clone(),
            None => self.purchase_of_this_batch(&refund.order_id),
        };
        let refunded = refund::refund(&mut work, &mut purchase, refund)?;
        let response = body(&refunded.reply);
        let seq = self.keep(work)? + refunded.entry as i64;
        self.state.purchases.insert(refund.order_id.clone(), purchase);
        let key = (refund.order_id.clone(), refund.refund_id.clone());
        self.state.refunds.insert(key, done(request, &response));
        let (refund, hash) = (refund.clone(), request.hash);
        self.changes.refunds.push(NewRefund { refund, seq, hash, response: response.clone() });
        Ok(response)
    }

    pub(super) fn enrol(
        &mut self,
        request: &'a Request,
        id: MemberId,
        enrolment: &Enrolment,
    ) -> Result<String, Rejected> {
        let (work, profile) = enrolment::enrol(id, enrolment, self.context(request))?;
        let response = body(&MemberReply::of(&work.member, Some(&profile)));
        self.keep(work)?;
        self.note_enrolment(NewMember { id, profile, hash: request.hash, response: response.clone() });
        Ok(response)
    }

    pub(super) fn enrol_with(
        &mut self,
        request: &'a Request,
        enrolment: &Enrolment,
        first: &First,
    ) -> Result<String, Rejected> {
        let id = first.member_id();
        if self.state.members.contains_key(&id) {
            return match first {
                First::Order(order) => self.complete_order(request, order),
                First::Adjustment(adjustment) => self.adjust(request, adjustment),
            };
        }
        if self.state.enrolments.contains_key(&enrolment.external_id) {
            return Err(Refusal::ExternalIdConflict.into());
        }
        let (work, profile) = enrolment::enrol(id, enrolment, self.context(request))?;
        let enrolled = body(&MemberReply::of(&work.member, Some(&profile)));
        // What is refused here takes the enrolment with it: nothing is kept yet.
        let response = match first {
            First::Order(order) => self.complete_order_of(work, request, order)?,
            First::Adjustment(adjustment) => self.adjust_of(work, adjustment)?,
        };
        let hash = Command::Enrol(id, enrolment.clone()).hash();
        self.note_enrolment(NewMember { id, profile, hash, response: enrolled });
        Ok(response)
    }

    fn note_enrolment(&mut self, new: NewMember) {
        self.state.profiles.insert(new.id, new.profile.clone());
        let (hash, outcome) = (new.hash.to_vec(), Outcome::Done(new.response.clone()));
        let remembered = Remembered { hash, outcome, member: Some(new.id) };
        self.state.enrolments.insert(new.profile.external_id.clone(), remembered);
        self.changes.enrolled.push(new);
    }

    pub(super) fn change_profile(
        &mut self,
        request: &'a Request,
        id: MemberId,
        change: &ProfileChange,
    ) -> Result<String, Rejected> {
        let mut work = self.work_on(request, id)?;
        let mut profile = self.state.profiles.get(&id).cloned().ok_or(Refusal::MemberClosed)?;
        enrolment::change_profile(&mut work, &mut profile, change)?;
        let response = body(&MemberReply::of(&work.member, Some(&profile)));
        self.keep(work)?;
        self.state.profiles.insert(id, profile);
        self.changes.changed_profiles.push(id);
        Ok(response)
    }

    pub(super) fn change_membership(
        &mut self,
        request: &'a Request,
        id: MemberId,
        change: Change,
    ) -> Result<String, Rejected> {
        let mut work = self.work_on(request, id)?;
        membership::change(&mut work, change)?;
        if work.member.status == Status::Erased {
            if let Some(profile) = self.state.profiles.remove(&id) {
                self.state.enrolments.remove(&profile.external_id);
            }
            let personal = self.state.keys.values_mut().filter(|remembered| remembered.member == Some(id));
            personal.for_each(|remembered| *remembered = Remembered::erased());
            self.changes.erased.push(id);
        }
        let response = body(&MemberReply::of(&work.member, self.state.profiles.get(&id)));
        self.keep(work)?;
        Ok(response)
    }

    pub(super) fn redeem(&mut self, request: &'a Request, asked: &RedemptionRequest) -> Result<String, Rejected> {
        let mut work = self.work_on(request, asked.member_id)?;
        let reward = match &asked.purpose {
            Purpose::Reward { reward_id, .. } => self.state.rewards.get(reward_id),
            Purpose::Order { .. } => None,
        };
        let response = body(&redemption::redeem(&mut work, asked, reward)?);
        self.keep(work)?;
        Ok(response)
    }

    pub(super) fn change_redemption(&mut self, request: &'a Request) -> Result<String, Rejected> {
        let (Command::Capture(id, _) | Command::Void(id) | Command::Return(id, _)) = &request.command else {
            return Err(Refusal::RedemptionNotFound.into());
        };
        let member = *self.state.owners.get(&id.uuid()).ok_or(Refusal::RedemptionNotFound)?;
        let mut work = self.work_on(request, member)?;
        let reply = match &request.command {
            Command::Capture(id, asked) => redemption::capture(&mut work, *id, asked)?,
            Command::Return(id, points) => redemption::give_back(&mut work, *id, *points)?,
            _ => redemption::void(&mut work, *id)?,
        };
        let response = body(&reply);
        self.keep(work)?;
        Ok(response)
    }

    pub(super) fn donate(&mut self, request: &'a Request, asked: &DonationRequest) -> Result<String, Rejected> {
        let mut work = self.work_on(request, asked.member_id)?;
        let entry = donation::donate(&mut work, self.state.causes.get(&asked.cause_id), asked)?;
        let wallet = work.member.balances;
        let seq = self.keep(work)? + entry as i64;
        let DonationRequest { member_id, cause_id, points } = *asked;
        let receipt_number = donation::receipt_number(member_id.journal(), seq);
        let donation = Donation { id: request.id, member_id, cause_id, points, receipt_number, donated_at: self.now };
        let cause = self.state.causes.get_mut(&cause_id).ok_or(Refusal::CauseNotFound)?;
        cause.total += points;
        cause.donations += 1;
        let response = body(&DonationReply { donation: donation.clone(), cause_total: cause.total, wallet });
        self.changes.donations.push((donation, seq));
        Ok(response)
    }

    pub(super) fn transfer(&mut self, request: &'a Request, asked: &TransferRequest) -> Result<String, Rejected> {
        let mut giver = self.work_on(request, asked.from_member_id)?;
        let receiver = self.state.members.get(&asked.to_member_id);
        let (transfer, parcel) = transfer::offer(&mut giver, receiver, asked)?;
        let reply = TransferReply { transfer: transfer.into(), wallet: Some(giver.member.balances) };
        self.deliver(request, giver, parcel.as_ref(), asked.to_member_id)?;
        if let Some(body) = asked.message.clone() {
            let (member, other_member) = (asked.from_member_id, Some(asked.to_member_id));
            self.changes.notes.push(Note { about: reply.transfer.id.uuid(), member, other_member, body });
        }
        Ok(body(&reply))
    }

    pub(super) fn answer_transfer(
        &mut self,
        request: &'a Request,
        id: TransferId,
        receiver: MemberId,
        reply: Reply,
    ) -> Result<String, Rejected> {
        let giver = *self.state.owners.get(&id.uuid()).ok_or(Refusal::TransferNotFound)?;
        let mut giver = self.work_on(request, giver)?;
        let (transfer, parcel) = transfer::answer(&mut giver, (id, receiver), reply)?;
        // The giver's wallet is not for the receiver to see.
        let givers_wallet = Some(giver.member.balances).filter(|_| reply == Reply::Cancel);
        let receivers_wallet = self.deliver(request, giver, parcel.as_ref(), receiver)?;
        Ok(body(&TransferReply { transfer: transfer.into(), wallet: receivers_wallet.or(givers_wallet) }))
    }

    // Takes up the giver's side and, if there is a parcel, the receiver's, whose wallet it returns: both or neither.
    fn deliver(
        &mut self,
        request: &'a Request,
        giver: Working<'a>,
        parcel: Option<&Parcel>,
        receiver: MemberId,
    ) -> Result<Option<Balances>, Rejected> {
        let Some(parcel) = parcel else {
            self.keep(giver)?;
            return Ok(None);
        };
        let mut receiver = self.work_on(request, receiver)?;
        transfer::receive(&mut receiver, parcel)?;
        let wallet = receiver.member.balances;
        self.keep(giver)?;
        self.keep(receiver)?;
        Ok(Some(wallet))
    }

    pub(super) fn adjust(&mut self, request: &'a Request, asked: &Adjustment) -> Result<String, Rejected> {
        let work = self.work_on(request, asked.member_id)?;
        self.adjust_of(work, asked)
    }

    fn adjust_of(&mut self, mut work: Working<'a>, asked: &Adjustment) -> Result<String, Rejected> {
        let reply = adjustment::adjust(&mut work, asked)?;
        self.keep(work)?;
        if let Some(body) = asked.note.clone() {
            let (about, member) = (reply.id, asked.member_id);
            self.changes.notes.push(Note { about, member, other_member: None, body });
        }
        Ok(body(&reply))
    }

    fn purchase_of_this_batch(&self, order_id: &str) -> Purchase {
        let order = self.changes.orders.iter().find(|new| new.order.order_id == order_id);
        Purchase { items: order.and_then(|new| new.order.items.clone()), back: Vec::new() }
    }
}

fn done(request: &Request, response: &str) -> Remembered {
    Remembered { hash: request.hash.to_vec(), outcome: Outcome::Done(response.to_owned()), member: None }
}

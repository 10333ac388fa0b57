//! Commands: what callers ask the ledger to do. Each stands in one file from its name to its decision.

mod adjustment;
mod assignment;
mod donation;
mod enrolment;
mod membership;
mod order;
mod program;
mod redemption;
mod refund;
mod review;
mod reward;
mod settle;
mod transfer;

use serde_json::Value;

pub use self::assignment::AssignTier;
pub use self::enrolment::{ChangeProfile, Enrol, EnrolWith, First};
pub use self::membership::ChangeMembership;
pub use self::program::Publish;
pub use self::redemption::{ChangeRedemption, RedemptionChange};
pub use self::review::Review;
pub use self::reward::ChangeReward;
pub use self::settle::Settle;
pub use self::transfer::AnswerTransfer;
use super::answer::{NaturalKey, Outcome};
use super::batch::{Batch, By};
use crate::domain::digest::{self, sha256};
use crate::domain::ids::{JournalId, MemberId};
use crate::domain::journal::canonical;
use crate::domain::movement::adjustment::Adjustment;
use crate::domain::movement::donation::{CauseTerms, DonationRequest};
use crate::domain::movement::order::Order;
use crate::domain::movement::redemption::RedemptionRequest;
use crate::domain::movement::refund::RefundRequest;
use crate::domain::movement::reward::RewardRequest;
use crate::domain::movement::transfer::TransferRequest;
use crate::domain::refusal::{Refusal, Rejected};
use crate::load::{Named, Needs};

/// What a command says of itself, in the order in which it comes to be needed.
pub trait Asked {
    /// The operation that idempotency keys belong to.
    fn operation(&self) -> &'static str;

    /// What is asked, whole: two requests with the same content are one. An id that was made for the command is not asked
    /// for; a member that a change is meant for is.
    fn content(&self) -> serde_json::Result<Value>;

    /// The member about whom a key of this command holds something personal: its answer (who the customer is), or the
    /// hash of what was asked (what was bought, what somebody wrote). Erasure empties what is found by this.
    fn personal(&self, outcome: &Outcome) -> Option<MemberId>;

    /// The journal whose lane decides it.
    fn journal(&self) -> JournalId;

    /// The refusal where no journal has that number.
    fn not_found(&self) -> Refusal {
        Refusal::MemberNotFound
    }

    /// Another journal that it writes to, as far as the command alone tells.
    fn other_journal(&self) -> Option<JournalId> {
        None
    }

    /// May it come to write to another journal? Such commands gather in batches of their own, so that those of others wait
    /// for one head alone.
    fn may_reach_another(&self) -> bool {
        self.other_journal().is_some_and(|journal| journal != self.journal())
    }

    /// The key of its own by which it is answered when it is sent again.
    fn natural_key(&self) -> Option<NaturalKey<'_>> {
        None
    }

    /// Another such key, which it may take.
    fn other_key(&self) -> Option<NaturalKey<'_>> {
        None
    }

    /// What must be loaded to decide it.
    fn needs(&self, needs: &mut Needs);

    /// What must be loaded besides, once it is known what stands under the ids that it names. Members of other journals
    /// may be among it: their heads are locked then, or the batch begins anew with all heads locked in order. What only a
    /// decision shows, as it begins to work on a member, comes at the price of a second decision.
    fn needs_further(&self, _named: &Named, _needs: &mut Needs) {}

    /// Decides it, and gives the JSON body of the answer.
    fn decide<'a>(&'a self, batch: &mut Batch<'a>, by: &By<'a>) -> Result<String, Rejected>;

    /// Does it remove rows that the state of its batch still holds? What comes after it loads what is left.
    fn removes_rows(&self) -> bool {
        false
    }

    /// Does it publish a version of the programme?
    fn publishes(&self) -> bool {
        false
    }
}

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident($asked:ident)),+ $(,)?) => {
        /// Something to be decided.
        #[derive(Clone)]
        pub enum Command {
            $($(#[$doc])* $name($asked)),+
        }

        impl Command {
            /// What it says of itself.
            pub fn asked(&self) -> &dyn Asked {
                match self {
                    $(Command::$name(asked) => asked),+
                }
            }
        }

        $(
            impl From<$asked> for Command {
                fn from(asked: $asked) -> Self {
                    Command::$name(asked)
                }
            }
        )+
    };
}

commands! {
    /// Points for an order. Its natural key is the order's id.
    CompleteOrder(Order),
    /// A part of an order is paid back. Its natural key is the refund's id, within the order.
    RefundOrder(RefundRequest),
    /// A new member under an id made for it. Its natural key is the external id.
    Enrol(Enrol),
    /// An order or an adjustment of a customer who is enrolled with it: both or neither.
    EnrolWith(EnrolWith),
    /// New personal data of a member.
    ChangeProfile(ChangeProfile),
    /// A member is suspended, resumed, closed or erased.
    ChangeMembership(ChangeMembership),
    /// Points are spent, or held to be.
    Redeem(RedemptionRequest),
    /// A hold is captured or given up, or captured points come back.
    ChangeRedemption(ChangeRedemption),
    /// Points are given to a cause.
    Donate(DonationRequest),
    /// Points are offered or given to another member.
    Transfer(TransferRequest),
    /// An offer is answered, or taken back.
    AnswerTransfer(AnswerTransfer),
    /// An operator corrects a wallet.
    Adjust(Adjustment),
    /// An operator gives a member a tier.
    AssignTier(AssignTier),
    /// A new reward.
    DefineReward(RewardRequest),
    /// A change of a reward.
    ChangeReward(ChangeReward),
    /// A new cause.
    DefineCause(CauseTerms),
    /// What time alone has caused for a member is written down; nothing else is.
    Settle(Settle),
    /// Members are looked at anew after a version of the programme that has other tiers.
    Review(Review),
    /// A new version of the programme.
    Publish(Publish),
}

/// SHA-256 of the canonical form of what is asked: the same for the same request, however it was spelt.
pub fn hash(asked: &dyn Asked) -> digest::Sha256 {
    let content = asked.content().ok().and_then(|content| canonical::to_string(&content).ok());
    sha256(&[content.expect("commands hold strings, integers and decimals in strings").as_bytes()])
}

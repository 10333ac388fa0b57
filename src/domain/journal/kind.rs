//! What entries say.

use std::borrow::Cow;
use std::str::FromStr;

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

/// What an entry says, in the order of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A cause that points can be given to.
    CauseDefined,
    /// The membership ended; what was in the wallet is forfeit.
    MemberClosed,
    /// A customer joined the programme.
    MemberEnrolled,
    /// What is personal about the member was removed.
    MemberErased,
    /// A suspended member takes part again.
    MemberResumed,
    /// The member may start nothing new.
    MemberSuspended,
    /// Something personal about a member was changed; the entry names the fields, not their content.
    MemberUpdated,
    /// An order brought no points.
    OrderRecorded,
    /// A part of an order, or all of it, was paid back; its points are reversed.
    OrderRefunded,
    /// Points became usable.
    PointsActivated,
    /// An operator corrected the wallet.
    PointsAdjusted,
    /// Points were given to a cause.
    PointsDonated,
    /// An order brought points.
    PointsEarned,
    /// Points reached the end of their life.
    PointsExpired,
    /// A version of the programme was published.
    ProgramPublished,
    /// Points were spent.
    RedemptionCaptured,
    /// Points were set aside for a redemption.
    RedemptionHeld,
    /// A hold reached its end, and its points went back.
    RedemptionLapsed,
    /// Spent points came back.
    RedemptionReturned,
    /// A hold was given up, and its points went back.
    RedemptionVoided,
    /// A reward was changed, or its stock.
    RewardChanged,
    /// A reward that points can be redeemed for.
    RewardDefined,
    /// An operator gave a member a tier.
    TierAssigned,
    /// A member's tier changed because its term ended, or by a refund.
    TierDowngraded,
    /// A member keeps its tier for another term.
    TierRenewed,
    /// A member reached a higher tier.
    TierUpgraded,
    /// The giver took an offer back.
    TransferCancelled,
    /// The receiver wanted none of it.
    TransferDeclined,
    /// An offer reached its end, and its points went back.
    TransferLapsed,
    /// Points were set aside for another member.
    TransferOffered,
    /// Points came from another member.
    TransferReceived,
    /// Points went to another member.
    TransferSent,
}

impl Kind {
    /// Does its entry state where a member stands among the tiers?
    pub fn is_of_tier(self) -> bool {
        self.name().starts_with("tier.")
    }

    /// All kinds, in the order of their names.
    pub const ALL: [Kind; 32] = [
        Kind::CauseDefined,
        Kind::MemberClosed,
        Kind::MemberEnrolled,
        Kind::MemberErased,
        Kind::MemberResumed,
        Kind::MemberSuspended,
        Kind::MemberUpdated,
        Kind::OrderRecorded,
        Kind::OrderRefunded,
        Kind::PointsActivated,
        Kind::PointsAdjusted,
        Kind::PointsDonated,
        Kind::PointsEarned,
        Kind::PointsExpired,
        Kind::ProgramPublished,
        Kind::RedemptionCaptured,
        Kind::RedemptionHeld,
        Kind::RedemptionLapsed,
        Kind::RedemptionReturned,
        Kind::RedemptionVoided,
        Kind::RewardChanged,
        Kind::RewardDefined,
        Kind::TierAssigned,
        Kind::TierDowngraded,
        Kind::TierRenewed,
        Kind::TierUpgraded,
        Kind::TransferCancelled,
        Kind::TransferDeclined,
        Kind::TransferLapsed,
        Kind::TransferOffered,
        Kind::TransferReceived,
        Kind::TransferSent,
    ];

    /// The name in the journal and the API.
    pub fn name(self) -> &'static str {
        match self {
            Kind::CauseDefined => "cause.defined",
            Kind::MemberClosed => "member.closed",
            Kind::MemberEnrolled => "member.enrolled",
            Kind::MemberErased => "member.erased",
            Kind::MemberResumed => "member.resumed",
            Kind::MemberSuspended => "member.suspended",
            Kind::MemberUpdated => "member.updated",
            Kind::OrderRecorded => "order.recorded",
            Kind::OrderRefunded => "order.refunded",
            Kind::PointsActivated => "points.activated",
            Kind::PointsAdjusted => "points.adjusted",
            Kind::PointsDonated => "points.donated",
            Kind::PointsEarned => "points.earned",
            Kind::PointsExpired => "points.expired",
            Kind::ProgramPublished => "program.published",
            Kind::RedemptionCaptured => "redemption.captured",
            Kind::RedemptionHeld => "redemption.held",
            Kind::RedemptionLapsed => "redemption.lapsed",
            Kind::RedemptionReturned => "redemption.returned",
            Kind::RedemptionVoided => "redemption.voided",
            Kind::RewardChanged => "reward.changed",
            Kind::RewardDefined => "reward.defined",
            Kind::TierAssigned => "tier.assigned",
            Kind::TierDowngraded => "tier.downgraded",
            Kind::TierRenewed => "tier.renewed",
            Kind::TierUpgraded => "tier.upgraded",
            Kind::TransferCancelled => "transfer.cancelled",
            Kind::TransferDeclined => "transfer.declined",
            Kind::TransferLapsed => "transfer.lapsed",
            Kind::TransferOffered => "transfer.offered",
            Kind::TransferReceived => "transfer.received",
            Kind::TransferSent => "transfer.sent",
        }
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(UnknownKind)
    }
}

impl utoipa::PartialSchema for Kind {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Self::ALL.map(Self::name))).into()
    }
}

impl utoipa::ToSchema for Kind {
    fn name() -> Cow<'static, str> {
        "EntryKind".into()
    }
}

/// The text names no kind of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a kind of entry, such as points.earned")]
pub struct UnknownKind;

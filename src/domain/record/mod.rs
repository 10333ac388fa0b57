//! What a member owns, as the journal states it: lots, orders and what their refunds did, redemptions, transfers; and
//! what falls due of it.

pub mod due;
pub mod items;
pub mod lot;
pub mod order;
pub mod redemption;
pub mod refund;
pub mod transfer;

//! The rules, pure: no database, no network, no clock. What they need to know is passed in, what they decide comes
//! back as entries or a typed refusal.

pub mod account;
pub mod adjustment;
pub mod audit;
pub mod canonical;
pub mod decide;
pub mod donation;
pub mod earning;
pub mod enrolment;
pub mod entry;
pub mod export;
pub mod external_id;
pub mod fact;
pub mod fields;
pub mod ids;
pub mod items;
mod kind;
pub mod lot;
pub mod member;
pub mod membership;
pub mod money;
pub mod order;
pub mod program;
pub mod publication;
pub mod quantity;
pub mod redemption;
pub mod refund;
pub mod refusal;
pub mod reversal;
pub mod reward;
pub mod sandbox;
pub mod time;
pub mod transfer;

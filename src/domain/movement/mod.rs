//! What commands do: a file for each kind, with what is asked for, what is decided, and what is answered.

pub mod adjustment;
pub mod assignment;
pub mod donation;
pub mod enrolment;
pub mod membership;
pub mod order;
pub mod publication;
pub mod quote;
pub mod redemption;
pub mod refund;
pub mod reversal;
pub mod reward;
pub mod transfer;

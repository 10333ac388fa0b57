//! The rules, pure: no database, no network, no clock. What they need to know is passed in, what they decide comes
//! back as entries or a typed refusal.
//!
//! From the bottom up: words (`time`, `money`, `ids` and what else stands here as a file), [`journal`] (what is written),
//! [`refusal`], [`program`] (the rules that a shop sets), [`record`] (what a member owns), [`member`] (the state, and how
//! entries change it), [`decide`] (a decision under way, and what time does), [`movement`] (a file for each kind of
//! command), [`audit`] (history checked). No room knows of one above it.

pub mod audit;
pub mod decide;
pub mod digest;
pub mod external_id;
pub mod fields;
pub mod ids;
pub mod journal;
pub mod member;
pub mod money;
pub mod movement;
pub mod program;
pub mod quantity;
pub mod record;
pub mod refusal;
pub mod sandbox;
pub mod tier;
pub mod time;

//! What things are called in a plan, and what they are.

use accrue::domain::ids::MemberId;
use rust_decimal::Decimal;
use uuid::Uuid;

pub fn money(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

pub fn client() -> String {
    "client:machine".to_owned()
}

pub fn order_id(number: u8) -> String {
    format!("order-{number}")
}

pub fn customer(place: usize) -> String {
    format!("customer-{place}")
}

/// The id of the command at this place of a plan, and so of what it makes.
pub fn id(place: usize) -> Uuid {
    Uuid::from_u128(0x019c_0000_0000_7000_8000_0000_0000_0000 + place as u128)
}

pub fn member_id(journals: &[i16], place: usize, again: u8) -> MemberId {
    let seed = 0x019c_0000_0000_7000_9000_0000_0000_0000 + ((place as u128) << 8) + u128::from(again);
    MemberId::new(journals[place], Uuid::from_u128(seed))
}

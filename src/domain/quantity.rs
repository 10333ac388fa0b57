//! Quantities of articles: pieces, or up to three decimals of what is weighed or measured.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::fields::Wrong;
use crate::domain::money;

/// The most of an article on one line.
pub const MAX_QUANTITY: u64 = 1_000_000;

/// The most decimals.
const DECIMALS: u32 = 3;

const FORM: &str = "must be an integer or a decimal string, such as \"0.75\"";

/// How many of an article, or how much of it; never negative.
///
/// What is kept and what tells requests apart has it as an integer where it is whole, and otherwise as a decimal string
/// without needless zeros, never a float. So equal quantities have one form, and whole ones the form that they had before
/// there were others. An answer has it as a decimal string always ([`fmt::Display`]), so that clients read one type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Quantity(Decimal);

impl Quantity {
    /// Reads the quantity of a line: above zero, at most [`MAX_QUANTITY`], with three decimals at most.
    pub fn read(value: &Value) -> Result<Self, Wrong> {
        let quantity = Self::parse(value)?;
        if quantity.0.is_zero() || quantity.0 > Decimal::from(MAX_QUANTITY) {
            return Err(Wrong::new("out_of_range", format!("must be from 0.001 to {MAX_QUANTITY}")));
        }
        Ok(quantity)
    }

    /// It as a number.
    pub fn decimal(self) -> Decimal {
        self.0
    }

    fn parse(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Number(number) if number.is_f64() => Err(Wrong::new("wrong_type", FORM)),
            Value::Number(number) => match number.as_u64() {
                Some(whole) => Ok(Self(whole.into())),
                None => Err(Wrong::new("negative", "must not be negative")),
            },
            Value::String(text) => Ok(Self(money::parse_decimal(text, DECIMALS, money::MAX_AMOUNT)?.normalize())),
            _ => Err(Wrong::new("wrong_type", FORM)),
        }
    }
}

impl From<u32> for Quantity {
    fn from(whole: u32) -> Self {
        Self(whole.into())
    }
}

impl Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self((self.0 + other.0).normalize())
    }
}

impl Sub for Quantity {
    type Output = Self;

    /// What is left; nothing where there is less.
    fn sub(self, other: Self) -> Self {
        Self((self.0 - other.0).max(Decimal::ZERO).normalize())
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::default(), Add::add)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_u64().filter(|_| self.0.is_integer()) {
            Some(whole) => serializer.serialize_u64(whole),
            None => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::parse(&value).map_err(|_| serde::de::Error::custom(FORM))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialSchema for Quantity {
    fn schema() -> RefOr<Schema> {
        let description = "A decimal string with at most three decimals, from 0.001 to 1000000. A request may have an \
                           integer instead.";
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^(0|[1-9][0-9]*)(\.[0-9]{1,3})?$"))
            .examples(["2", "0.75"])
            .description(Some(description))
            .into()
    }
}

impl ToSchema for Quantity {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_quantities_have_one_form_and_whole_ones_are_integers() {
        for (given, form) in [
            (json!(3), json!(3)),
            (json!("3"), json!(3)),
            (json!("3.000"), json!(3)),
            (json!("0.75"), json!("0.75")),
            (json!("0.750"), json!("0.75")),
            (json!("0.001"), json!("0.001")),
            (json!("1000000.000"), json!(1_000_000)),
        ] {
            let quantity = Quantity::read(&given).unwrap();
            assert_eq!(serde_json::to_value(quantity).unwrap(), form, "{given}");
            assert_eq!(serde_json::from_value::<Quantity>(form).unwrap(), quantity);
        }
        let (half, whole) = (Quantity::read(&json!("0.5")).unwrap(), Quantity::from(2));
        assert_eq!(serde_json::to_value(half + half).unwrap(), json!(1));
        assert_eq!([whole - half, half - whole], [Quantity::read(&json!("1.5")).unwrap(), Quantity::default()]);
    }

    #[test]
    fn other_forms_are_refused_with_the_reason() {
        for (given, code) in [
            (json!(0), "out_of_range"),
            (json!("0.000"), "out_of_range"),
            (json!(-1), "negative"),
            (json!("-0.5"), "negative"),
            (json!(1_000_001), "out_of_range"),
            (json!("1000000.001"), "out_of_range"),
            (json!("0.0005"), "too_many_decimals"),
            (json!(0.75), "wrong_type"),
            (json!(2.0), "wrong_type"),
            (json!(null), "wrong_type"),
            (json!("1e3"), "wrong_form"),
            (json!("1,5"), "wrong_form"),
            (json!("1000000000000000000000"), "too_large"),
        ] {
            assert_eq!(Quantity::read(&given).unwrap_err().code, code, "{given}");
        }
    }
}

//! Amounts of money: exact decimals in one currency, never floats.
//!
//! Outside, an amount is a plain decimal string ("29.33") beside a currency; inside it is a [`Decimal`] at the
//! currency's own scale, so that equal amounts have equal texts.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// The largest amount of money read, in units of any currency. With the largest rate of points it still
/// multiplies exactly (28 digits), and it is far beyond the price of an order in the weakest currency.
pub const MAX_AMOUNT: u64 = 1_000_000_000_000;

/// The most decimals that any currency has.
pub const MAX_MINOR_UNITS: u32 = 3;

/// An ISO 4217 currency code: three upper-case letters.
///
/// The code must be one of the circulating currencies of the list as of 2026. Fund codes (such as `USN`), metals
/// and `XXX` are refused: nothing in a shop is priced in them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(into = "String")]
#[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "USD")]
pub struct Currency(&'static str);

impl Currency {
    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// How many decimals an amount has: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn minor_units(self) -> u32 {
        match self.0 {
            code if WITHOUT_DECIMALS.contains(code) => 0,
            code if WITH_THREE_DECIMALS.contains(code) => 3,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        [WITH_TWO_DECIMALS, WITHOUT_DECIMALS, WITH_THREE_DECIMALS]
            .into_iter()
            .flat_map(str::split_ascii_whitespace)
            .find(|code| *code == text)
            .map(Self)
            .ok_or(NotACurrency)
    }
}

// Not derived: what the type borrows for good, a derived impl would borrow from the text that is read.
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.0.to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The text is not a [`Currency`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 4217 currency code, such as USD")]
pub struct NotACurrency;

/// Reads an amount in `currency`, from 0 to [`MAX_AMOUNT`]: see [`parse_decimal`] for the form. The result has
/// the currency's scale, so "29.3" and "29.30" are one amount.
///
/// # Errors
///
/// [`MoneyFault`], whose sentence is a predicate for the field that held the text.
pub fn parse_amount(text: &str, currency: Currency) -> Result<Decimal, MoneyFault> {
    let amount = parse_decimal(text, currency.minor_units(), MAX_AMOUNT)?;
    Ok(in_minor_units(amount, currency))
}

/// Reads a plain decimal string from 0 to `max`: digits, then perhaps a point and 1 to `allowed` more. No sign,
/// exponent, separator, space or needless leading zero. The result keeps the decimals as written.
///
/// # Errors
///
/// [`MoneyFault`].
pub fn parse_decimal(text: &str, allowed: u32, max: u64) -> Result<Decimal, MoneyFault> {
    if text.strip_prefix('-').is_some_and(is_plain_decimal) {
        return Err(MoneyFault::Negative);
    }
    if !is_plain_decimal(text) {
        return Err(MoneyFault::NotADecimal);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > allowed as usize {
        return Err(MoneyFault::TooManyDecimals { allowed });
    }
    // A plain decimal fails to parse only where it has too many digits, and `max` has fewer.
    match whole.parse::<u64>().ok().zip(text.parse().ok()) {
        Some((_, value)) if value <= Decimal::from(max) => Ok(value),
        _ => Err(MoneyFault::TooLarge { max }),
    }
}

/// The text of an amount, with exactly the currency's decimals: "29.30". See [`in_minor_units`] for amounts
/// that have more.
pub fn format_amount(amount: Decimal, currency: Currency) -> String {
    in_minor_units(amount, currency).to_string()
}

/// The amount at the currency's scale. Decimals beyond it are rounded half to even, which no amount from
/// [`parse_amount`] and no sum of such amounts needs.
pub fn in_minor_units(amount: Decimal, currency: Currency) -> Decimal {
    let digits = currency.minor_units();
    let mut amount = amount.round_dp_with_strategy(digits, RoundingStrategy::MidpointNearestEven);
    amount.rescale(digits);
    if amount.is_zero() {
        amount.set_sign_positive(true);
    }
    amount
}

/// The decimal without needless zeros, but with as many decimals as `least`: equal ones have equal texts.
pub fn with_decimals(decimal: Decimal, least: u32) -> Decimal {
    let mut decimal = decimal.normalize();
    if decimal.scale() < least {
        decimal.rescale(least);
    }
    decimal
}

/// `part` of `whole` of an amount: amount × part ÷ whole, rounded down to the currency's minor units. None where the
/// whole is nothing, or the result beyond what a decimal holds.
pub fn share(amount: Decimal, part: i64, whole: i64, currency: Currency) -> Option<Decimal> {
    let minor = i128::from(in_minor(amount, currency)?) * i128::from(part);
    let minor = i64::try_from(minor.checked_div(i128::from(whole))?).ok()?;
    Some(Decimal::new(minor, currency.minor_units()))
}

/// The amount as a whole number of the currency's smallest unit.
pub fn in_minor(amount: Decimal, currency: Currency) -> Option<i64> {
    let amount = in_minor_units(amount, currency);
    i64::try_from(amount.mantissa()).ok().filter(|_| amount.scale() == currency.minor_units())
}

/// The product of an amount and a factor, neither negative, rounded down to the currency's scale. `None` where the exact product does not fit a [`Decimal`].
pub fn product_rounded_down(amount: Decimal, factor: Decimal, currency: Currency) -> Option<Decimal> {
    // The operators of `Decimal` round a product that is too long; to the nearest, which may be up.
    let digits = amount.mantissa().checked_mul(factor.mantissa())?;
    let product = Decimal::try_from_i128_with_scale(digits, amount.scale() + factor.scale()).ok()?;
    Some(in_minor_units(product.round_dp_with_strategy(currency.minor_units(), RoundingStrategy::ToZero), currency))
}

/// Why a text is not an amount, or not another decimal that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyFault {
    /// Another form.
    #[error("must be a plain decimal string, such as \"29.33\"")]
    NotADecimal,
    /// A minus sign before a plain decimal.
    #[error("must not be negative")]
    Negative,
    /// More decimals than the currency (or the field) has, be they zeros.
    #[error("must have at most {allowed} decimals")]
    TooManyDecimals {
        /// How many there may be.
        allowed: u32,
    },
    /// Above the maximum.
    #[error("must be at most {max}")]
    TooLarge {
        /// The largest value taken.
        max: u64,
    },
}

fn is_plain_decimal(text: &str) -> bool {
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

/// ISO 4217, minor unit 0.
const WITHOUT_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";

/// ISO 4217, minor unit 3.
const WITH_THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// ISO 4217, minor unit 2, the common ones first because they are looked up in this order.
const WITH_TWO_DECIMALS: &str = "\
    USD EUR GBP CNY CAD AUD CHF INR BRL MXN \
    AED AFN ALL AMD AOA ARS AWG AZN BAM BBD BDT BMD BND BOB BSD BTN BWP BYN BZD CDF COP CRC CUP CVE \
    CZK DKK DOP DZD EGP ERN ETB FJD FKP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS IRR JMD KES KGS KHR \
    KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MYR MZN NAD NGN NIO NOK NPR \
    NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL \
    THB TJS TMT TOP TRY TTD TWD TZS UAH UYU UZS VES VED WST XCD XCG YER ZAR ZMW ZWG";

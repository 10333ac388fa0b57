//! The programme: the rules of a ledger as one document, read, checked and compiled as a whole.
//!
//! The document is TOML in a file and JSON over the API, of one shape; both become a [`serde_json::Value`] and
//! go through [`Program::read`]. A bad document is refused whole, with every fault. Each rule is read where it
//! lives: earning in [`earning`], the others in files beside this one.
//!
//! Documents are stored and read again for good, so every section that came later is optional.

mod book;
pub mod earning;
mod ladder;
pub mod level;
mod names;
mod redemption;
mod refunds;
#[cfg(test)]
mod tests;
pub mod tiers;
mod transfers;

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::fields::{self, Fault, Wrong};
use crate::domain::money::{self, Currency};
use crate::domain::program::earning::{EarnFault, Earning, EarningDocument, EarningFacts, EarningRules};

pub use book::{BookFault, ProgramBook, ProgramVersion};
pub use redemption::{RedemptionDocument, RedemptionRules};
pub use refunds::{RefundDocument, RefundPolicy, RefundRules};
pub use tiers::{TierDocument, TierRules};
pub use transfers::{TransferDocument, TransferRules};

/// The most characters of a programme's name.
pub const MAX_NAME: usize = 100;

/// The programme document, as it is written and published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramDocument {
    /// What people call the programme.
    #[schema(min_length = 1, max_length = 100, example = "Demonstration")]
    pub name: String,
    /// The currency of every amount of money: an ISO 4217 code.
    #[schema(pattern = "^[A-Z]{3}$", example = "USD")]
    pub currency: String,
    /// The IANA time zone in which days, months and years begin and end.
    #[schema(max_length = 64, example = "America/New_York")]
    pub time_zone: String,
    /// How orders earn points.
    pub earning: EarningDocument,
    /// What points can pay. Absent: they have no value in money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub redemption: Option<RedemptionDocument>,
    /// What a refund takes back of points; when it counts against a tier is said in `tiers`. Absent: what the member
    /// has, by the policy `within_balance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refunds: Option<RefundDocument>,
    /// How members give points to each other. Absent: they cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub transfers: Option<TransferDocument>,
    /// The levels that members reach by what they spend. Absent: there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tiers: Option<TierDocument>,
}

impl ProgramDocument {
    /// Reads and checks a TOML document.
    ///
    /// # Errors
    ///
    /// Every fault; for text that is not TOML one, which names the line.
    pub fn from_toml(text: &str) -> Result<Self, Vec<Fault>> {
        let table: toml::Table = text.parse().map_err(|fault| vec![not_toml(text, &fault)])?;
        Self::from_json(from_toml_value(toml::Value::Table(table)))
    }

    /// Reads and checks a document in JSON form.
    ///
    /// # Errors
    ///
    /// Every fault.
    pub fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        Program::read(&value)?;
        // Whatever `Program::read` accepts has this shape. Should the two ever differ, that is a fault as well.
        serde_json::from_value(value).map_err(|fault| vec![fault_of_all(fault.to_string())])
    }
}

/// The programme: a document that has been checked, ready to decide by.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// What people call the programme.
    pub name: String,
    /// The currency of every amount of money.
    pub currency: Currency,
    /// The time zone in which days, months and years begin and end.
    pub time_zone: Tz,
    /// How orders earn points.
    pub earning: EarningRules,
    /// What points can pay.
    pub redemption: RedemptionRules,
    /// What a refund takes back.
    pub refunds: RefundRules,
    /// How members give points to each other. `None`: they cannot.
    pub transfers: Option<TransferRules>,
    /// The levels that members reach by what they spend. `None`: there are none.
    pub tiers: Option<TierRules>,
    /// The document this was read from.
    document: Value,
}

impl Program {
    /// Checks and compiles a document in JSON form. The one entry for TOML and JSON alike.
    ///
    /// # Errors
    ///
    /// Every fault: unknown and missing fields, wrong types, values out of bounds, rules that contradict.
    pub fn read(document: &Value) -> Result<Self, Vec<Fault>> {
        fields::read(document, |program| {
            let name = program.required("name", fields::string(1..=MAX_NAME));
            let currency = program.required("currency", fields::parsed);
            let time_zone = program.required("time_zone", fields::time_zone);
            let earning = program.object("earning", |earning| EarningRules::read(earning, currency));
            let redemption = program.optional_object("redemption", RedemptionRules::read);
            let refunds = program.optional_object("refunds", RefundRules::read);
            let transfers = program.optional_object("transfers", TransferRules::read);
            let tiers = program.optional_object("tiers", |tiers| TierRules::read(tiers, currency));
            Some(Self {
                name: name?,
                currency: currency?,
                time_zone: time_zone?,
                earning: earning?,
                redemption: redemption.unwrap_or_default(),
                refunds: refunds.unwrap_or_default(),
                transfers,
                tiers,
                document: document.clone(),
            })
        })
    }

    /// Checks and compiles a typed document.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn compile(document: &ProgramDocument) -> Result<Self, Vec<Fault>> {
        let value = serde_json::to_value(document).map_err(|fault| vec![fault_of_all(fault.to_string())])?;
        Self::read(&value)
    }

    /// What an order earns, and why. Zero points are an answer too.
    ///
    /// # Errors
    ///
    /// [`EarnFault`].
    pub fn earn(&self, facts: &EarningFacts<'_>) -> Result<Earning, EarnFault> {
        self.earning.earn(self.currency, self.time_zone, facts)
    }

    /// The document this was read from, in JSON form, for storage. It reads back to the same programme, and has
    /// a [canonical](crate::domain::journal::canonical) text.
    pub fn document(&self) -> Value {
        self.document.clone()
    }

    /// Does a member stand alike by both? Years begin and end in the programme's time zone, and spend is in its currency.
    pub fn has_tiers_of(&self, other: &Self) -> bool {
        (&self.tiers, self.time_zone, self.currency) == (&other.tiers, other.time_zone, other.currency)
    }
}

/// An amount above zero; of the widest form where the currency is not known.
fn amount_above_zero(value: &Value, currency: Option<Currency>) -> Result<Decimal, Wrong> {
    match currency {
        Some(currency) => fields::above_zero(fields::amount(currency))(value),
        None => fields::above_zero(fields::decimal(money::MAX_MINOR_UNITS, money::MAX_AMOUNT))(value),
    }
}

fn fault_of_all(message: String) -> Fault {
    Fault { path: String::new(), code: "wrong_form".to_owned(), message }
}

fn not_toml(text: &str, fault: &toml::de::Error) -> Fault {
    let read = fault.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = read.matches('\n').count() + 1;
    fault_of_all(format!("is not TOML: line {line}: {}", fault.message()))
}

/// The JSON form of a TOML value. Dates become strings, and so do the floats that JSON lacks.
fn from_toml_value(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(integer) => Value::from(integer),
        toml::Value::Float(float) if float.is_finite() => Value::from(float),
        toml::Value::Float(float) => Value::String(float.to_string()),
        toml::Value::Boolean(boolean) => Value::Bool(boolean),
        toml::Value::Datetime(datetime) => Value::String(datetime.to_string()),
        toml::Value::Array(items) => items.into_iter().map(from_toml_value).collect(),
        toml::Value::Table(members) => {
            members.into_iter().map(|(name, value)| (name, from_toml_value(value))).collect()
        }
    }
}

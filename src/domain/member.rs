//! A member's wallet and lots, and the one rule by which postings change them.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::account::{Account, Part};
use super::entry::{MAX_POINTS, Posting};
use super::ids::MemberId;
use super::time::{self, Timestamp};

/// Whether a member may start something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Takes part.
    Active,
}

impl Status {
    /// The name in the database and the API.
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
        }
    }
}

impl FromStr for Status {
    type Err = NotAStatus;

    fn from_str(name: &str) -> Result<Self, NotAStatus> {
        match name {
            "active" => Ok(Status::Active),
            _ => Err(NotAStatus),
        }
    }
}

/// The text is not the name of a [`Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the status of a member, such as active")]
pub struct NotAStatus;

/// A member's points. All four are zero or more (invariant 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Balances {
    /// Usable now.
    pub active: i64,
    /// Owed by the member.
    pub debt: i64,
    /// Set aside.
    pub held: i64,
    /// Earned, not yet usable.
    pub pending: i64,
}

/// Points earned together, with their own activation and expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Its id.
    pub id: Uuid,
    /// How many points it began with.
    pub earned: i64,
    /// How many of them are where.
    pub pending: i64,
    /// See [`Balances::active`].
    pub active: i64,
    /// See [`Balances::held`].
    pub held: i64,
    /// When pending points of it become active.
    pub active_at: Timestamp,
    /// The first instant at which they can no longer be used; none if they never expire.
    pub expires_at: Option<Timestamp>,
}

impl Lot {
    /// When something falls due by time alone: activation of what is pending, or else expiry of what is active.
    pub fn due_at(&self) -> Option<Timestamp> {
        if self.pending > 0 {
            Some(self.active_at)
        } else if self.active > 0 {
            self.expires_at
        } else {
            None
        }
    }
}

/// A lot that an entry brings into being. Entries carry it in full, so that each journal rebuilds its own members
/// (invariant 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLot {
    /// Its id.
    pub id: Uuid,
    /// See [`Lot::active_at`].
    pub active_at: Timestamp,
    /// See [`Lot::expires_at`].
    pub expires_at: Option<Timestamp>,
}

impl NewLot {
    /// Its form in an entry's payload, under the key `lots`.
    pub fn to_json(&self) -> Value {
        json!({
            "active_at": time::canonical(self.active_at),
            "expires_at": self.expires_at.map(time::canonical),
            "id": self.id.to_string(),
        })
    }

    /// The lots that an entry's payload carries; none if it has no key `lots`.
    ///
    /// Errors: the key holds something else than lots.
    pub fn all_from(payload: &Value) -> Result<Vec<Self>, Misfit> {
        let Some(lots) = payload.get("lots") else { return Ok(Vec::new()) };
        let lots = lots.as_array().ok_or(Misfit::Lots)?;
        lots.iter().map(|lot| Self::from_json(lot).ok_or(Misfit::Lots)).collect()
    }

    fn from_json(lot: &Value) -> Option<Self> {
        let instant = |key: &str| time::parse(lot.get(key)?.as_str()?).ok();
        Some(Self {
            id: lot.get("id")?.as_str()?.parse().ok()?,
            active_at: instant("active_at")?,
            expires_at: match lot.get("expires_at")? {
                Value::Null => None,
                _ => Some(instant("expires_at")?),
            },
        })
    }
}

/// What the rules know of a member: the balances and the lots that a decision needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who it is.
    pub id: MemberId,
    /// May it start something new?
    pub status: Status,
    /// When the customer joined.
    pub joined_at: Timestamp,
    /// The wallet.
    pub balances: Balances,
    /// The lots that were loaded or have been made since; all that is due is among them.
    pub lots: BTreeMap<Uuid, Lot>,
    /// When the first of the lots that were not loaded falls due.
    pub due_beyond: Option<Timestamp>,
}

impl Member {
    /// A member that has just joined.
    pub fn new(id: MemberId, joined_at: Timestamp) -> Self {
        let (status, balances) = (Status::Active, Balances::default());
        Self { id, status, joined_at, balances, lots: BTreeMap::new(), due_beyond: None }
    }

    /// When something of this member next falls due.
    pub fn next_due_at(&self) -> Option<Timestamp> {
        self.lots.values().filter_map(Lot::due_at).chain(self.due_beyond).min()
    }

    /// Applies an entry: creates its lots and moves its postings' points, in the wallet and in the lots alike.
    ///
    /// The posting path and replay both come through here, so what replay rebuilds is what was written
    /// (invariant 3).
    ///
    /// Errors: a posting does not fit the member; the member is then half changed and must be thrown away.
    pub fn apply(&mut self, postings: &[Posting], lots: &[NewLot]) -> Result<(), Misfit> {
        for lot in lots {
            let NewLot { id, active_at, expires_at } = *lot;
            let new = Lot { id, earned: 0, pending: 0, active: 0, held: 0, active_at, expires_at };
            if self.lots.insert(id, new).is_some() {
                return Err(Misfit::LotExists(id));
            }
        }
        for posting in postings {
            self.move_points(posting, -posting.points, &posting.debit)?;
            self.move_points(posting, posting.points, &posting.credit)?;
            let created = lots.iter().any(|lot| Some(lot.id) == posting.lot);
            if let (true, Some(lot)) = (created, posting.lot.and_then(|id| self.lots.get_mut(&id))) {
                lot.earned += posting.points;
            }
        }
        // The limit is on the whole wallet, so that what time moves within it can never pass the limit.
        let Balances { active, pending, held, .. } = self.balances;
        if active.saturating_add(pending).saturating_add(held) > MAX_POINTS {
            return Err(Misfit::TooLarge);
        }
        Ok(())
    }

    fn move_points(&mut self, posting: &Posting, points: i64, account: &Account) -> Result<(), Misfit> {
        let Account::Member(part) = *account else { return Ok(()) };
        let balances = &mut self.balances;
        let (balance, points) = match part {
            Part::Pending => (&mut balances.pending, points),
            Part::Active => (&mut balances.active, points),
            Part::Held => (&mut balances.held, points),
            // What the member owes grows with debits.
            Part::Debt => (&mut balances.debt, -points),
        };
        add(balance, points)?;
        let Some(id) = posting.lot else { return Ok(()) };
        let lot = self.lots.get_mut(&id).ok_or(Misfit::UnknownLot(id))?;
        match part {
            Part::Pending => add(&mut lot.pending, points),
            Part::Active => add(&mut lot.active, points),
            Part::Held => add(&mut lot.held, points),
            Part::Debt => Ok(()),
        }
    }
}

/// A posting that cannot be applied to the member it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Invariant 6.
    #[error("a balance falls below zero")]
    Negative,
    /// Integers in entries stay within 2^53 − 1.
    #[error("a balance passes {MAX_POINTS}")]
    TooLarge,
    /// A posting names a lot that the member does not have.
    #[error("lot {0} is not one of the member's")]
    UnknownLot(Uuid),
    /// A lot comes into being twice.
    #[error("lot {0} exists already")]
    LotExists(Uuid),
    /// The payload's `lots` are not lots.
    #[error("the payload's lots cannot be read")]
    Lots,
}

fn add(balance: &mut i64, points: i64) -> Result<(), Misfit> {
    match balance.checked_add(points) {
        Some(sum) if (0..=MAX_POINTS).contains(&sum) => *balance = sum,
        Some(sum) if sum < 0 => return Err(Misfit::Negative),
        _ => return Err(Misfit::TooLarge),
    }
    Ok(())
}

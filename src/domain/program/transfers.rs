//! Transfers: whether and how members give points to each other.

use serde::{Deserialize, Serialize};

use crate::domain::fields::{self, Fields};
use crate::domain::journal::entry::MAX_POINTS;
use crate::domain::time::Period;

/// How members give points to each other, as the programme document writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferDocument {
    /// Whether points may be given at once, without the receiver's consent. Absent: false, they must be offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub direct: Option<bool>,
    /// How long an offer can be accepted: a period that is not empty. Absent: 7D.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 9, example = "7D")]
    pub offer_ttl: Option<String>,
    /// The most points of one transfer. Absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 9_007_199_254_740_991i64, example = 10_000)]
    pub maximum_points: Option<i64>,
    /// The most points that a member gives away on one day in the programme's time zone. Absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 9_007_199_254_740_991i64, example = 20_000)]
    pub maximum_points_per_day: Option<i64>,
}

/// How members give points to each other, compiled from a [`TransferDocument`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferRules {
    /// Whether points may be given at once, without the receiver's consent.
    pub direct: bool,
    /// How long an offer can be accepted. Never empty.
    pub offer_ttl: Period,
    /// The most points of one transfer, from 1 to [`MAX_POINTS`]. `None`: no limit.
    pub maximum_points: Option<i64>,
    /// The most points that a member gives away on one day in the programme's time zone, from 1 to [`MAX_POINTS`].
    /// `None`: no limit.
    pub maximum_points_per_day: Option<i64>,
}

impl TransferRules {
    /// Reads the `transfers` object of a document.
    pub fn read(transfers: &mut Fields<'_>) -> Option<Self> {
        let direct = transfers.optional("direct", fields::boolean).unwrap_or_default();
        let offer_ttl = transfers.optional("offer_ttl", fields::lasting_period).unwrap_or(Period::WEEK);
        let maximum_points = transfers.optional("maximum_points", fields::integer(1..=MAX_POINTS));
        let maximum_points_per_day = transfers.optional("maximum_points_per_day", fields::integer(1..=MAX_POINTS));
        Some(Self { direct, offer_ttl, maximum_points, maximum_points_per_day })
    }
}

//! Pages of lists: a limit, and an opaque cursor that says where the next page begins.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::call::{Parameter, Shape};
use super::input::Read;
use crate::domain::fields::{self, Fields, Wrong};

/// How many items a page has unless the caller asks for another number.
pub const DEFAULT_LIMIT: i64 = 50;

/// The most items of a page.
pub const MAX_LIMIT: i64 = 200;

/// The parameters of a page of items that stand at positions such as a number or an id.
#[derive(Debug, Clone, Copy)]
pub struct Page<P> {
    /// How many items, at most.
    pub limit: i64,
    /// Where the page before this one ended.
    pub before: Option<P>,
}

/// The parameters of a page, as the document shows them.
pub const PAGE: &[Parameter] = &[
    Parameter::optional("limit", "How many items the page has at most; else 50.", Shape::integer::<1, MAX_LIMIT>()),
    Parameter::optional("cursor", "The `next_cursor` of the page before.", Shape::CURSOR),
];

impl<P: FromStr> Read for Page<P> {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let limit = fields.optional("limit", fields::integer_in_text(1..=MAX_LIMIT));
        let before = fields.optional("cursor", position);
        Some(Self { limit: limit.unwrap_or(DEFAULT_LIMIT), before })
    }
}

impl<P: Display> Page<P> {
    /// How many to read: one more than the page has, to know whether it is the last.
    pub fn wanted(&self) -> i64 {
        self.limit + 1
    }

    /// Cuts what was read to the page, and gives the cursor of the next one unless this is the last. `position` says
    /// where an item stands.
    pub fn cut<T>(&self, items: &mut Vec<T>, position: impl FnOnce(&T) -> P) -> Option<String> {
        let limit = usize::try_from(self.limit).unwrap_or_default();
        let more = items.len() > limit;
        items.truncate(limit);
        items.last().filter(|_| more).map(|item| cursor(position(item)))
    }
}

// The cursor of the page that follows an item at `position`. What it holds may change; clients pass it on as it is.
fn cursor(position: impl Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("before:{position}"))
}

fn position<P: FromStr>(value: &Value) -> Result<P, Wrong> {
    let decoded = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let position =
        decoded.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok()?.strip_prefix("before:")?.parse().ok());
    position.ok_or_else(|| Wrong::new("wrong_form", "must be the next_cursor of an earlier page"))
}

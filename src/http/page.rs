//! Pages of lists: a limit, and an opaque cursor that says where the next page begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::input::Read;
use crate::domain::fields::{self, Fields, Wrong};

/// How many items a page has unless the caller asks for another number.
pub const DEFAULT_LIMIT: i64 = 50;

/// The most items of a page.
pub const MAX_LIMIT: i64 = 200;

/// The parameters of a page.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// How many items, at most.
    pub limit: i64,
    /// Where the page before this one ended.
    pub before: Option<i64>,
}

impl Read for Page {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let limit = fields.optional("limit", fields::integer_in_text(1..=MAX_LIMIT));
        let before = fields.optional("cursor", position);
        Some(Self { limit: limit.unwrap_or(DEFAULT_LIMIT), before })
    }
}

/// The cursor of the page that follows an item at `position`. What it holds may change; clients pass it on as it is.
pub fn cursor(position: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("before:{position}"))
}

fn position(value: &Value) -> Result<i64, Wrong> {
    let decoded = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let position =
        decoded.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok()?.strip_prefix("before:")?.parse().ok());
    position.ok_or_else(|| Wrong::new("wrong_form", "must be the next_cursor of an earlier page"))
}

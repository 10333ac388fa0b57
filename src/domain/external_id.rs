//! The shop's id of a customer: which texts can be one.
//!
//! Ids are compared byte for byte, so two that look alike must not differ. What people cannot see they cannot compare:
//! an id neither begins nor ends with white space, and has no character that shows nothing (controls of direction,
//! zero-width spaces, soft hyphens, fillers). A joiner may follow what it changes the shape of, as in Persian and Indic
//! names and in emoji. What can be written in two ways, such as é, is written in one: the Unicode normalisation form C.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{CanonicalCombiningClass, DefaultIgnorableCodePoint, Emoji, JoiningType};
use icu_properties::{CodePointMapData, CodePointSetData};
use serde_json::Value;

use crate::domain::fields::{self, Wrong};

/// Reads an external id: 1 to 128 characters.
///
/// # Errors
///
/// Beside those of [`fields::string`]: `surrounding_space`, `invisible`, `not_nfc`.
pub fn read(value: &Value) -> Result<String, Wrong> {
    let id = fields::string(1..=128)(value)?;
    if !id.chars().any(|c| !is_blank(c) && !is_ignorable(c)) {
        return Err(Wrong::new("invisible", "must have a character that can be seen"));
    }
    if id.starts_with(is_blank) || id.ends_with(is_blank) {
        return Err(Wrong::new("surrounding_space", "must not begin or end with white space"));
    }
    if let Some(hidden) = hidden(&id) {
        let message = format!("must not contain U+{:04X}, which cannot be seen", u32::from(hidden));
        return Err(Wrong::new("invisible", message));
    }
    if !ComposingNormalizerBorrowed::new_nfc().is_normalized(&id) {
        return Err(Wrong::new("not_nfc", "must be in the Unicode normalisation form C (NFC)"));
    }
    Ok(id)
}

// The first character that shows nothing and does not change the shape of what stands before it.
fn hidden(id: &str) -> Option<char> {
    let after = id.chars().skip(1).map(Some).chain([None]);
    let before = [None].into_iter().chain(id.chars().map(Some));
    let mut places = before.zip(id.chars()).zip(after);
    let hides = |((before, c), after): &((Option<char>, char), Option<char>)| {
        let shapes = before.is_some_and(|before| match *c {
            EMOJI_STYLE => is_emoji(before),
            NON_JOINER | JOINER => after.is_some() && (is_emoji(before) || before == EMOJI_STYLE || joins(before)),
            _ => false,
        });
        is_ignorable(*c) && !shapes
    };
    places.find(hides).map(|((_, c), _)| c)
}

// White space, and the pattern of Braille without a dot.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{2800}'
}

fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

// Of the digits and signs of ASCII, which Unicode counts among emoji, none.
fn is_emoji(c: char) -> bool {
    !c.is_ascii() && CodePointSetData::new::<Emoji>().contains(c)
}

// Does it take another shape beside a joiner or a non-joiner: cursive letters, and viramas?
fn joins(c: char) -> bool {
    let cursive = [JoiningType::DualJoining, JoiningType::LeftJoining];
    cursive.contains(&CodePointMapData::<JoiningType>::new().get(c))
        || CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

const NON_JOINER: char = '\u{200C}';
const JOINER: char = '\u{200D}';
const EMOJI_STYLE: char = '\u{FE0F}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_can_be_seen_and_told_apart_are_taken_as_they_are() {
        let longest = "é".repeat(128);
        for id in [
            "customer-4711",
            "0",
            "ana maria",
            "ana\u{A0}maria",
            "Zoë",
            "ana@example.com",
            "\"quoted\"",
            "用户",
            "می\u{200C}خواهم",
            "❤\u{FE0F}",
            "👩\u{200D}❤\u{FE0F}\u{200D}👨",
            "क्\u{200D}ष",
            "ﬁ",
            &longest,
        ] {
            assert_eq!(read(&id.into()).as_deref(), Ok(id));
        }
    }

    #[test]
    fn ids_that_look_like_others_are_refused_each_for_its_reason() {
        for (id, code) in [
            ("", "wrong_length"),
            (" ana", "surrounding_space"),
            ("ana ", "surrounding_space"),
            ("ana\u{A0}", "surrounding_space"),
            ("\u{3000}ana", "surrounding_space"),
            ("ana\u{2028}", "surrounding_space"),
            ("\u{2800}ana", "surrounding_space"),
            ("ana\t", "wrong_form"),
            ("an\u{0}a", "wrong_form"),
            ("an\u{7F}a", "wrong_form"),
            ("an\u{85}a", "wrong_form"),
            ("   ", "invisible"),
            ("\u{200B}", "invisible"),
            ("\u{2060}\u{FEFF}", "invisible"),
            ("\u{3164}", "invisible"),
            ("\u{2800}", "invisible"),
            ("\u{E0061}", "invisible"),
            ("\u{FEFF}ana", "invisible"),
            ("an\u{200B}a", "invisible"),
            ("an\u{AD}a", "invisible"),
            ("an\u{200D}a", "invisible"),
            ("ana\u{FE0F}", "invisible"),
            ("ana1\u{FE0F}", "invisible"),
            ("é\u{200D}a", "invisible"),
            ("\u{200D}خ", "invisible"),
            ("خ\u{200D}", "invisible"),
            ("خ\u{200D}\u{200D}خ", "invisible"),
            ("👩\u{200D}\u{200D}👧", "invisible"),
            ("\u{202E}ana", "invisible"),
            ("ana\u{2066}b\u{2069}", "invisible"),
            ("cafe\u{301}", "not_nfc"),
            ("\u{212B}", "not_nfc"),
            ("\u{1100}\u{1161}", "not_nfc"),
        ] {
            let refused = read(&id.into()).map_err(|wrong| wrong.code);
            assert_eq!(refused, Err(code), "{id:?}");
        }
        assert_eq!(read(&7.into()).unwrap_err().code, "wrong_type");
    }
}

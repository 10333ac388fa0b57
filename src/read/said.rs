//! What is answered again and again until it changes: its text is written once.

use serde::Serialize;

use crate::domain::digest::sha256;

/// The JSON text of something, and a digest of it, by which two are told apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// The text.
    pub text: String,
    /// The first half of its SHA-256.
    pub digest: [u8; 16],
}

impl Said {
    /// How `value` is said.
    ///
    /// Errors: it has no JSON form.
    pub fn of(value: &impl Serialize) -> serde_json::Result<Self> {
        let text = serde_json::to_string(value)?;
        let digest = digest(&text);
        Ok(Self { text, digest })
    }

    /// The same of an object whose last member is called `last`, and changes with every instant: the digest leaves it out.
    ///
    /// Errors: as of [`Self::of`].
    pub fn without(value: &impl Serialize, last: &str) -> serde_json::Result<Self> {
        let text = serde_json::to_string(value)?;
        let lasting = text.rfind(&format!(",\"{last}\":")).map_or(text.as_str(), |end| &text[..end]);
        let digest = digest(lasting);
        Ok(Self { text, digest })
    }
}

fn digest(text: &str) -> [u8; 16] {
    let mut digest = [0; 16];
    digest.copy_from_slice(&sha256(&[text.as_bytes()])[..16]);
    digest
}

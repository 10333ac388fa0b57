//! What an entry says.

use serde::Serialize;

use crate::domain::journal::canonical::{NotCanonical, Writer};

/// What an entry says: the members of a JSON object. Each is written as its canonical text when it is put in, and what has
/// none shows when the whole is taken, so that decisions need not care.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    writer: Writer,
    fault: Option<NotCanonical>,
}

impl Default for Payload {
    fn default() -> Self {
        let mut writer = Writer::default();
        let fault = writer.open('{').err();
        Self { writer, fault }
    }
}

impl Payload {
    /// Puts `value` under `key`, which it does not have yet.
    pub fn put<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) {
        if self.fault.is_none() {
            self.fault = self.writer.member(0, key.into(), value).err();
        }
    }

    /// With `value` under `key`, which it does not have yet.
    pub fn with<T: Serialize + ?Sized>(mut self, key: &'static str, value: &T) -> Self {
        self.put(key, value);
        self
    }

    /// The canonical text of the whole.
    ///
    /// # Errors
    ///
    /// [`NotCanonical`]: the first of what was put in that leaves the subset, or a key that was put in twice.
    pub fn into_text(self) -> Result<String, NotCanonical> {
        let Self { mut writer, fault } = self;
        match fault {
            Some(fault) => Err(fault),
            None => {
                writer.end_object(0, "}")?;
                Ok(writer.into_text())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_put_in_in_any_order() {
        let payload = Payload::default().with("points", &29).with("lots", &["b", "a"]).with("balance", &None::<i64>);
        assert_eq!(payload.into_text().unwrap(), r#"{"balance":null,"lots":["b","a"],"points":29}"#);
        assert_eq!(Payload::default().into_text().unwrap(), "{}");
    }

    #[test]
    fn the_first_fault_shows_when_the_whole_is_taken() {
        let payload = Payload::default().with("a", "\0").with("b", &0.5).with("c", "fine");
        assert_eq!(payload.into_text(), Err(NotCanonical::NulInString));
        let twice = Payload::default().with("points", &1).with("balance", &2).with("points", &1);
        assert_eq!(twice.into_text(), Err(NotCanonical::KeyTwice { key: "points".to_owned() }));
    }
}

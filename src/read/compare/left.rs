//! Rows that are not stored as entries say, by their keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// How many keys are kept of each side. Of more only what is said of the first may be less exact.
const MOST: usize = 10_000;

/// The keys of rows that are stored otherwise than entries say, and of those that entries give otherwise than they are
/// stored. A row that names another member than its entry does is compared with others than its own, and so stands here
/// on either side.
#[derive(Debug, Default)]
pub struct Left {
    stored: BTreeSet<String>,
    meant: BTreeSet<String>,
}

impl Left {
    /// Adds the rows that one side has and the other has not, by key.
    pub fn unlike<K: Ord + Display, V: PartialEq>(
        &mut self,
        stored: impl IntoIterator<Item = (K, V)>,
        meant: impl IntoIterator<Item = (K, V)>,
    ) {
        let mut meant: BTreeMap<K, V> = meant.into_iter().collect();
        for (key, row) in stored {
            match meant.remove(&key) {
                Some(meant) if meant == row => {}
                other => {
                    if other.is_some() {
                        keep(&mut self.meant, key.to_string());
                    }
                    keep(&mut self.stored, key.to_string());
                }
            }
        }
        meant.into_keys().for_each(|key| keep(&mut self.meant, key.to_string()));
    }

    /// Adds those of another.
    pub fn add(&mut self, other: Left) {
        other.stored.into_iter().for_each(|key| keep(&mut self.stored, key));
        other.meant.into_iter().for_each(|key| keep(&mut self.meant, key));
    }

    /// What is wrong with the first of them.
    pub fn verdict(&self, what: &str) -> Result<(), String> {
        match (self.stored.first(), self.meant.first()) {
            (Some(key), _) if self.meant.contains(key) => {
                Err(format!("{what} {key} is stored otherwise than its entries say"))
            }
            (Some(key), _) => Err(format!("{what} {key} is stored, and no entry says so")),
            (None, Some(key)) => Err(format!("{what} {key} is missing, which an entry recorded")),
            (None, None) => Ok(()),
        }
    }
}

fn keep(keys: &mut BTreeSet<String>, key: String) {
    keys.insert(key);
    if keys.len() > MOST {
        keys.pop_last();
    }
}

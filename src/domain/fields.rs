//! Reading JSON objects so that **every** fault is reported, each with the JSON pointer of its place.
//!
//! Serde stops at the first fault; a person who writes a programme document, or a client that posts an order,
//! wants them all. [`read`] hands a [`Fields`] to a closure that asks for one field after the other, and then
//! reports what nobody asked for:
//!
//! ```
//! use accrue::domain::fields::{self, read};
//!
//! let body = serde_json::json!({ "order_id": "A-1", "items": [{ "quantity": 0 }], "note": "" });
//! let faults = read(&body, |order| {
//!     let order_id = order.required("order_id", fields::string(1..=64));
//!     let items = order.objects("items", 0..=200, |item| {
//!         item.required("quantity", fields::integer(1..=1_000_000))
//!     });
//!     Some((order_id?, items?))
//! })
//! .unwrap_err();
//! assert_eq!(faults[0].to_string(), "/items/0/quantity: must be an integer from 1 to 1000000");
//! assert_eq!(faults[1].to_string(), "/note: is not known here; known are order_id, items");
//! ```
//!
//! A field that has a fault reads as `None`, which lets the closure go on to the next; so ask for all fields
//! first and only then use `?`. What the closure returns counts only if there was no fault at all.

mod parsers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use parsers::{
    LANGUAGE_TAG, MAX_LANGUAGE_TAG, above_zero, amount, boolean, date, decimal, integer, integer_in_text, language_tag,
    lasting_period, one_of, parsed, string, time_zone, timestamp, uuid, word,
};

/// At most so many faults are reported for one document or body.
pub const MAX_FAULTS: usize = 100;

/// What is wrong at one place of a document or a request body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Fault {
    /// JSON pointer (RFC 6901) to the place; empty for the whole.
    #[schema(example = "/earning/pending")]
    pub path: String,
    /// A stable name of the kind of fault: `missing`, `unknown`, `wrong_type`, `wrong_form`, `wrong_length`,
    /// `out_of_range`, `not_one_of`, `negative`, `too_many_decimals`, `too_large`, `contradiction`; of external ids
    /// `surrounding_space`, `invisible`, `not_nfc`.
    #[schema(example = "out_of_range")]
    pub code: String,
    /// What is wrong, as a predicate of the place.
    #[schema(example = "must be at most 100 years")]
    pub message: String,
}

/// What is wrong with a value: a stable code, and a predicate such as "must be a decimal string".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// See [`Fault::code`].
    pub code: &'static str,
    /// See [`Fault::message`].
    pub message: String,
}

impl Wrong {
    /// A fault without a place.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "the document {}", self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// Reads the object `value` with `build`, and refuses the fields that `build` did not ask for.
///
/// # Errors
///
/// Every fault, in the order of asking, at most [`MAX_FAULTS`]. Never empty.
pub fn read<T>(value: &Value, build: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Result<T, Vec<Fault>> {
    let mut faults = Vec::new();
    let built = Fields::of(value, &mut faults, "").finish_with(build);
    match built {
        Some(built) if faults.is_empty() => Ok(built),
        _ if faults.is_empty() => {
            Err(vec![Fault { path: String::new(), code: "missing".to_owned(), message: "must be complete".to_owned() }])
        }
        _ => Err(faults),
    }
}

/// The fields of one JSON object while it is being read.
///
/// Parsers get a field's value and answer with what it means, or with a predicate such as "must be a decimal
/// string".
pub struct Fields<'a> {
    /// `None` if the value is no object, which has been reported; then all fields read as `None` silently.
    object: Option<&'a Map<String, Value>>,
    path: String,
    known: Vec<&'static str>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which stands at `path` (a JSON pointer). Faults are added to `faults`, beginning
    /// with that of `value` not being an object. Call [`finish`](Self::finish) at the end.
    pub fn of(value: &'a Value, faults: &'a mut Vec<Fault>, path: &str) -> Self {
        let object = value.as_object();
        let fields = Self { object, path: path.to_owned(), known: Vec::new(), faults };
        if object.is_none() {
            report(fields.faults, path.to_owned(), Wrong::new("wrong_type", "must be an object"));
        }
        fields
    }

    /// A field that must be there. Null is left to `parse` to refuse.
    pub fn required<T>(&mut self, name: &'static str, parse: impl FnOnce(&Value) -> Result<T, Wrong>) -> Option<T> {
        let value = self.demand(name)?;
        self.parse(name, value, parse)
    }

    /// A field that may be absent: `None`. Null does not count as absent.
    pub fn optional<T>(&mut self, name: &'static str, parse: impl FnOnce(&Value) -> Result<T, Wrong>) -> Option<T> {
        let value = self.take(name)?;
        self.parse(name, value, parse)
    }

    /// A field of a partial change: absent leaves things as they are (`None`), null clears (`Some(None)`), a
    /// value sets (`Some(Some(value))`).
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<Option<T>> {
        match self.take(name)? {
            Value::Null => Some(None),
            value => self.parse(name, value, parse).map(Some),
        }
    }

    /// Does the object have this field, whatever it holds?
    pub fn has(&mut self, name: &'static str) -> bool {
        self.peek(name).is_some()
    }

    /// An object that must be there.
    pub fn object<T>(&mut self, name: &'static str, build: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Option<T> {
        let value = self.demand(name)?;
        let path = self.path_of(name);
        Fields::of(value, self.faults, &path).finish_with(build)
    }

    /// An object that may be absent: `None`.
    pub fn optional_object<T>(
        &mut self,
        name: &'static str,
        build: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    ) -> Option<T> {
        self.peek(name)?;
        self.object(name, build)
    }

    /// An object of a partial change: see [`nullable`](Self::nullable).
    pub fn nullable_object<T>(
        &mut self,
        name: &'static str,
        build: impl FnOnce(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.take(name)? {
            Value::Null => Some(None),
            _ => self.object(name, build).map(Some),
        }
    }

    /// An array of objects that must be there, with as many as `length` allows.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        length: RangeInclusive<usize>,
        mut build: impl FnMut(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.array(name, length, |item, faults, path| Fields::of(item, faults, path).finish_with(&mut build))
    }

    /// An array of objects that may be absent: `None`.
    pub fn optional_objects<T>(
        &mut self,
        name: &'static str,
        length: RangeInclusive<usize>,
        build: impl FnMut(&mut Fields<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.peek(name)?;
        self.objects(name, length, build)
    }

    /// An array of strings, numbers or other simple values that must be there, with as many as `length` allows.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        length: RangeInclusive<usize>,
        mut parse: impl FnMut(&Value) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        self.array(name, length, |item, faults, path| {
            parse(item).map_err(|wrong| report(faults, path.to_owned(), wrong)).ok()
        })
    }

    /// An array of simple values that may be absent: `None`.
    pub fn optional_list<T>(
        &mut self,
        name: &'static str,
        length: RangeInclusive<usize>,
        parse: impl FnMut(&Value) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        self.peek(name)?;
        self.list(name, length, parse)
    }

    /// An object that must be there, whose names are data as well, such as texts by language: as many simple values as
    /// `length` allows, under names in which `check` finds nothing wrong.
    pub fn map<T>(
        &mut self,
        name: &'static str,
        length: RangeInclusive<usize>,
        check: impl Fn(&str) -> Result<(), Wrong>,
        mut parse: impl FnMut(&Value) -> Result<T, Wrong>,
    ) -> Option<BTreeMap<String, T>> {
        let value = self.demand(name)?;
        let Some(entries) = value.as_object() else {
            self.fault(name, Wrong::new("wrong_type", "must be an object"));
            return None;
        };
        if !length.contains(&entries.len()) {
            let (least, most) = length.into_inner();
            self.fault(name, Wrong::new("wrong_length", format!("must have {least} to {most} entries")));
            return None;
        }
        let path = self.path_of(name);
        let read = entries.iter().map(|(key, value)| match check(key).and_then(|()| parse(value)) {
            Ok(read) => Some((key.clone(), read)),
            Err(wrong) => {
                report(self.faults, pointer(&path, &shortened(key)), wrong);
                None
            }
        });
        // Each entry is read before one that has a fault spoils the whole.
        let read: Vec<Option<(String, T)>> = read.collect();
        read.into_iter().collect()
    }

    /// Reports what the fields together get wrong, at the field `name`. What is no object has no fields that could.
    pub fn fault(&mut self, name: &'static str, wrong: Wrong) {
        if self.object.is_none() {
            return;
        }
        let path = self.path_of(name);
        report(self.faults, path, wrong);
    }

    /// Reports a fault of what stands in the field `name`; its path counts from there.
    pub fn nested_fault(&mut self, name: &'static str, fault: Fault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault { path: format!("{}{}", self.path_of(name), fault.path), ..fault });
        }
    }

    /// Reports the fields that nobody asked for.
    pub fn finish(self) {
        let Some(object) = self.object else { return };
        let known = match self.known.as_slice() {
            [] => "nothing is".to_owned(),
            names => format!("known are {}", names.join(", ")),
        };
        for name in object.keys() {
            if !self.known.contains(&name.as_str()) {
                let path = pointer(&self.path, &shortened(name));
                let message = format!("is not known here; {known}");
                report(self.faults, path, Wrong::new("unknown", message));
            }
        }
    }

    fn finish_with<T>(mut self, build: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Option<T> {
        let built = build(&mut self);
        self.finish();
        built
    }

    fn array<T>(
        &mut self,
        name: &'static str,
        length: RangeInclusive<usize>,
        mut element: impl FnMut(&Value, &mut Vec<Fault>, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.demand(name)?;
        let Some(items) = value.as_array() else {
            self.fault(name, Wrong::new("wrong_type", "must be an array"));
            return None;
        };
        if !length.contains(&items.len()) {
            let (least, most) = length.into_inner();
            self.fault(name, Wrong::new("wrong_length", format!("must have {least} to {most} items")));
            return None;
        }
        let path = self.path_of(name);
        let mut read = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            read.push(element(item, self.faults, &format!("{path}/{index}")));
        }
        read.into_iter().collect()
    }

    /// The value of a field, if the object has it.
    fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        self.object?.get(name)
    }

    /// As [`take`](Self::take), for deciding whether to read on.
    fn peek(&mut self, name: &'static str) -> Option<()> {
        self.take(name).map(|_| ())
    }

    /// The value of a field that must be there.
    fn demand(&mut self, name: &'static str) -> Option<&'a Value> {
        let value = self.take(name);
        if value.is_none() && self.object.is_some() {
            self.fault(name, Wrong::new("missing", "is required"));
        }
        value
    }

    fn parse<T>(
        &mut self,
        name: &'static str,
        value: &Value,
        parse: impl FnOnce(&Value) -> Result<T, Wrong>,
    ) -> Option<T> {
        parse(value).map_err(|wrong| self.fault(name, wrong)).ok()
    }

    fn path_of(&self, name: &str) -> String {
        pointer(&self.path, name)
    }
}

fn report(faults: &mut Vec<Fault>, path: String, wrong: Wrong) {
    if faults.len() < MAX_FAULTS {
        faults.push(Fault { path, code: wrong.code.to_owned(), message: wrong.message });
    }
}

/// The JSON pointer of the member `name` of the object at `path`.
fn pointer(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A name from outside, cut so that the answer is not as long as the question.
fn shortened(name: &str) -> String {
    const MOST: usize = 64;
    match name.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

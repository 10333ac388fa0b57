//! Writing canonical texts: what serializes is written as it is visited, with no tree of it in between. Members of an
//! object are written as they come, and put in order when it ends, unless they came in order.

mod compound;
mod key;

use std::borrow::Cow;
use std::ops::Range;

use serde::ser::{Serialize, Serializer};
use serde_json::Number;

use self::compound::{Array, Object};
use super::{MAX_DEPTH, MAX_INTEGER, NotCanonical, push_integer, write_string};

/// Room for the payload of most entries, so that its text does not move as it grows.
const ROOM: usize = 512;

/// A canonical text, as far as it is written. After an error it is a part of one, and of no use.
#[derive(Debug, Clone, PartialEq)]
pub struct Writer {
    out: String,
    depth_left: usize,
    /// The members of all objects that are open, those of the innermost last.
    members: Vec<Member>,
}

/// A member of an object, and where it stands in the text.
#[derive(Debug, Clone, PartialEq)]
struct Member {
    key: Cow<'static, str>,
    place: Range<usize>,
}

impl Default for Writer {
    fn default() -> Self {
        Self { out: String::with_capacity(ROOM), depth_left: MAX_DEPTH, members: Vec::new() }
    }
}

impl Writer {
    /// The text.
    pub fn into_text(self) -> String {
        self.out
    }

    /// Begins an array or an object.
    ///
    /// Errors: it would be nested too deep.
    pub fn open(&mut self, bracket: char) -> Result<(), NotCanonical> {
        self.depth_left = self.depth_left.checked_sub(1).ok_or(NotCanonical::TooDeep)?;
        self.out.push(bracket);
        Ok(())
    }

    /// Writes a member of the innermost object, whose members stand from `first` on.
    ///
    /// Errors: the key or the value has no canonical text.
    pub fn member<T: Serialize + ?Sized>(
        &mut self,
        first: usize,
        key: Cow<'static, str>,
        value: &T,
    ) -> Result<(), NotCanonical> {
        self.begin_member(first, key)?;
        self.end_member(value)
    }

    /// Ends the innermost object, whose members stand from `first` on, and as many levels as there are `brackets`.
    ///
    /// Errors: a key stands in it twice.
    pub fn end_object(&mut self, first: usize, brackets: &str) -> Result<(), NotCanonical> {
        let members = &mut self.members[first..];
        if !members.is_sorted_by(|one, next| one.key < next.key) {
            put_in_order(&mut self.out, members)?;
        }
        self.members.truncate(first);
        self.close(brackets);
        Ok(())
    }

    fn close(&mut self, brackets: &str) {
        self.out.push_str(brackets);
        self.depth_left += brackets.len();
    }

    fn begin_member(&mut self, first: usize, key: Cow<'static, str>) -> Result<(), NotCanonical> {
        if self.members.len() > first {
            self.out.push(',');
        }
        let start = self.out.len();
        self.key(&key)?;
        self.members.push(Member { key, place: start..start });
        Ok(())
    }

    fn end_member<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotCanonical> {
        value.serialize(&mut *self)?;
        if let Some(member) = self.members.last_mut() {
            member.place.end = self.out.len();
        }
        Ok(())
    }

    fn key(&mut self, key: &str) -> Result<(), NotCanonical> {
        if !key.is_ascii() {
            return Err(NotCanonical::KeyNotAscii { key: key.to_owned() });
        }
        self.text(key)?;
        self.out.push(':');
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), NotCanonical> {
        if text.contains('\0') {
            return Err(NotCanonical::NulInString);
        }
        write_string(&mut self.out, text);
        Ok(())
    }

    fn integer(&mut self, integer: impl Copy + ToString + TryInto<i64>) -> Result<(), NotCanonical> {
        match integer.try_into() {
            Ok(small) if (-MAX_INTEGER..=MAX_INTEGER).contains(&small) => {
                push_integer(&mut self.out, small);
                Ok(())
            }
            _ => Err(NotCanonical::IntegerOutOfRange { number: integer.to_string() }),
        }
    }

    // A variant with content is an object that has it under the variant's name.
    fn variant(&mut self, name: &str) -> Result<(), NotCanonical> {
        self.open('{')?;
        self.key(name)
    }
}

// RFC 8785 sorts by UTF-16 code units, which for ASCII is the order of the bytes.
fn put_in_order(out: &mut String, members: &mut [Member]) -> Result<(), NotCanonical> {
    let begin = members.first().map_or(out.len(), |member| member.place.start);
    members.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    if let Some(twice) = members.windows(2).find(|two| two[0].key == two[1].key) {
        return Err(NotCanonical::KeyTwice { key: twice[0].key.to_string() });
    }
    let as_they_came = out.split_off(begin);
    for (n, Member { place, .. }) in members.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str(&as_they_came[place.start - begin..place.end - begin]);
    }
    Ok(())
}

// What a float is has no canonical text, whole or not. `serde_json` makes null of one that is not finite.
fn float(float: f64) -> NotCanonical {
    Number::from_f64(float).map_or(NotCanonical::NoJson, |number| NotCanonical::NotAnInteger { number })
}

macro_rules! integers {
    ($($method:ident($integer:ty)),+ $(,)?) => {
        $(fn $method(self, integer: $integer) -> Result<(), NotCanonical> {
            self.integer(integer)
        })+
    };
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = NotCanonical;
    type SerializeSeq = Array<'a>;
    type SerializeTuple = Array<'a>;
    type SerializeTupleStruct = Array<'a>;
    type SerializeTupleVariant = Array<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    integers! {
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
    }

    fn serialize_bool(self, is_true: bool) -> Result<(), NotCanonical> {
        self.out.push_str(if is_true { "true" } else { "false" });
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), NotCanonical> {
        Err(float(number.into()))
    }

    fn serialize_f64(self, number: f64) -> Result<(), NotCanonical> {
        Err(float(number))
    }

    fn serialize_char(self, character: char) -> Result<(), NotCanonical> {
        self.text(character.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), NotCanonical> {
        self.text(text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), NotCanonical> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), NotCanonical> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotCanonical> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotCanonical> {
        self.out.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotCanonical> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<(), NotCanonical> {
        self.text(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NotCanonical> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), NotCanonical> {
        self.variant(name)?;
        value.serialize(&mut *self)?;
        self.close("}");
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Array<'a>, NotCanonical> {
        Array::begin(self, "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Array<'a>, NotCanonical> {
        Array::begin(self, "]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Array<'a>, NotCanonical> {
        Array::begin(self, "]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Array<'a>, NotCanonical> {
        self.variant(name)?;
        Array::begin(self, "]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Object<'a>, NotCanonical> {
        Object::begin(self, "}")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Object<'a>, NotCanonical> {
        Object::begin(self, "}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Object<'a>, NotCanonical> {
        self.variant(name)?;
        Object::begin(self, "}}")
    }
}

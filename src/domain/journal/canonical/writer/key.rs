//! Keys of maps: strings, and what `serde_json` makes a string of where it is a key.

use std::borrow::Cow;

use serde::ser::{Impossible, Serialize, Serializer};

use crate::domain::journal::canonical::NotCanonical;

/// Makes the text of a key.
pub struct Key;

type Text = Cow<'static, str>;
type Never = Impossible<Text, NotCanonical>;

macro_rules! printed {
    ($($method:ident($kind:ty)),+ $(,)?) => {
        $(fn $method(self, key: $kind) -> Result<Text, NotCanonical> {
            Ok(key.to_string().into())
        })+
    };
}

macro_rules! refused {
    ($($method:ident($($given:ty),*) -> $kind:ty),+ $(,)?) => {
        $(fn $method(self, $(_: $given),*) -> Result<$kind, NotCanonical> {
            Err(NotCanonical::NoJson)
        })+
    };
}

impl Serializer for Key {
    type Ok = Text;
    type Error = NotCanonical;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    printed! {
        serialize_bool(bool),
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
        serialize_char(char),
        serialize_str(&str),
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<Text, NotCanonical> {
        Ok(name.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, key: &T) -> Result<Text, NotCanonical> {
        key.serialize(self)
    }

    // The digits of a float are what readers disagree about, in a key too.
    fn serialize_f32(self, number: f32) -> Result<Text, NotCanonical> {
        Err(super::float(number.into()))
    }

    fn serialize_f64(self, number: f64) -> Result<Text, NotCanonical> {
        Err(super::float(number))
    }

    refused! {
        serialize_bytes(&[u8]) -> Text,
        serialize_none() -> Text,
        serialize_unit() -> Text,
        serialize_unit_struct(&'static str) -> Text,
        serialize_seq(Option<usize>) -> Never,
        serialize_tuple(usize) -> Never,
        serialize_tuple_struct(&'static str, usize) -> Never,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never,
        serialize_map(Option<usize>) -> Never,
        serialize_struct(&'static str, usize) -> Never,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never,
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Text, NotCanonical> {
        Err(NotCanonical::NoJson)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Text, NotCanonical> {
        Err(NotCanonical::NoJson)
    }
}

//! Arrays and objects while they are written.

use std::borrow::Cow;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::key::Key;
use super::{NotCanonical, Writer};

/// An array that is being written.
pub struct Array<'a> {
    writer: &'a mut Writer,
    is_empty: bool,
    /// What ends it: its bracket, and that of the variant that it is the content of.
    brackets: &'static str,
}

impl<'a> Array<'a> {
    /// Begins one.
    ///
    /// Errors: it would be nested too deep.
    pub fn begin(writer: &'a mut Writer, brackets: &'static str) -> Result<Self, NotCanonical> {
        writer.open('[')?;
        Ok(Self { writer, is_empty: true, brackets })
    }
}

macro_rules! arrays {
    ($($kind:ident($method:ident)),+ $(,)?) => {
        $(impl $kind for Array<'_> {
            type Ok = ();
            type Error = NotCanonical;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), NotCanonical> {
                if !self.is_empty {
                    self.writer.out.push(',');
                }
                self.is_empty = false;
                item.serialize(&mut *self.writer)
            }

            fn end(self) -> Result<(), NotCanonical> {
                self.writer.close(self.brackets);
                Ok(())
            }
        })+
    };
}

arrays! {
    SerializeSeq(serialize_element),
    SerializeTuple(serialize_element),
    SerializeTupleStruct(serialize_field),
    SerializeTupleVariant(serialize_field),
}

/// An object that is being written.
pub struct Object<'a> {
    writer: &'a mut Writer,
    /// Where its members begin among those of all objects that are open.
    first: usize,
    /// What ends it: its bracket, and that of the variant that it is the content of.
    brackets: &'static str,
}

impl<'a> Object<'a> {
    /// Begins one.
    ///
    /// Errors: it would be nested too deep.
    pub fn begin(writer: &'a mut Writer, brackets: &'static str) -> Result<Self, NotCanonical> {
        writer.open('{')?;
        let first = writer.members.len();
        Ok(Self { writer, first, brackets })
    }
}

macro_rules! structs {
    ($($kind:ident),+) => {
        $(impl $kind for Object<'_> {
            type Ok = ();
            type Error = NotCanonical;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), NotCanonical> {
                self.writer.member(self.first, Cow::Borrowed(key), value)
            }

            fn end(self) -> Result<(), NotCanonical> {
                self.writer.end_object(self.first, self.brackets)
            }
        })+
    };
}

structs!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Object<'_> {
    type Ok = ();
    type Error = NotCanonical;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotCanonical> {
        self.writer.begin_member(self.first, key.serialize(Key)?)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotCanonical> {
        self.writer.end_member(value)
    }

    fn end(self) -> Result<(), NotCanonical> {
        self.writer.end_object(self.first, self.brackets)
    }
}

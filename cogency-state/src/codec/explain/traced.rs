//! The deserializer that a type reads from when its error is to be explained.

use serde::de::{Deserializer, Visitor};

use super::Notes;
use super::told::{Told, Wanted};
use super::visitor::Seen;

/// Hands everything on to the deserializer that it wraps, and wraps everything that comes back.
pub(super) struct Traced<'a, D> {
    pub(super) inner: D,
    pub(super) notes: &'a Notes,
}

impl<'a, 'de, D: Deserializer<'de>> Traced<'a, D> {
    /// `names` are those of the fields or variants.
    fn read<V: Visitor<'de>>(
        self,
        visitor: V,
        wanted: Wanted,
        names: &'static [&'static str],
        read: impl FnOnce(D, Seen<'a, V>) -> Result<V::Value, D::Error>,
    ) -> Result<V::Value, Told> {
        let Self { inner, notes } = self;
        read(inner, Seen { visitor, wanted, names, notes })
            .map_err(|error| notes.reveal(error, wanted))
    }
}

macro_rules! hand_on {
    ($($method:ident($wanted:literal))*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Told> {
            self.read(visitor, Wanted($wanted, ""), &[], D::$method)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Traced<'_, D> {
    type Error = Told;

    hand_on! {
        deserialize_any("") deserialize_ignored_any("") deserialize_identifier("")
        deserialize_bool("boolean")
        deserialize_i8("i8") deserialize_i16("i16") deserialize_i32("i32") deserialize_i64("i64")
        deserialize_i128("i128")
        deserialize_u8("u8") deserialize_u16("u16") deserialize_u32("u32") deserialize_u64("u64")
        deserialize_u128("u128")
        deserialize_f32("f32") deserialize_f64("f64")
        deserialize_char("character") deserialize_str("string") deserialize_string("string")
        deserialize_bytes("byte array") deserialize_byte_buf("byte array")
        deserialize_option("option") deserialize_unit("null")
        deserialize_seq("sequence") deserialize_map("map")
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Told> {
        self.read(visitor, Wanted("unit struct", name), &[], |inner, seen| {
            inner.deserialize_unit_struct(name, seen)
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Told> {
        self.read(visitor, Wanted("struct", name), &[], |inner, seen| {
            inner.deserialize_newtype_struct(name, seen)
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Told> {
        self.read(visitor, Wanted("sequence", ""), &[], |inner, seen| {
            inner.deserialize_tuple(len, seen)
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Told> {
        self.read(visitor, Wanted("tuple struct", name), &[], |inner, seen| {
            inner.deserialize_tuple_struct(name, len, seen)
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Told> {
        self.read(visitor, Wanted("struct", name), fields, |inner, seen| {
            inner.deserialize_struct(name, fields, seen)
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Told> {
        self.read(visitor, Wanted("enum", name), variants, |inner, seen| {
            inner.deserialize_enum(name, variants, seen)
        })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

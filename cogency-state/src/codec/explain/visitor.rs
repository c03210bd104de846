//! What a type makes of a value.

use std::fmt;

use serde::de::{self, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::Notes;
use super::access::{Choice, Elements, Entries};
use super::told::{Told, Wanted};
use super::traced::Traced;

/// A type's visitor, whose errors are put aside.
pub(super) struct Seen<'a, V> {
    pub(super) visitor: V,
    pub(super) wanted: Wanted,
    pub(super) names: &'static [&'static str],
    pub(super) notes: &'a Notes,
}

macro_rules! visit {
    ($($method:ident($($value:ident: $type:ty)?))*) => {$(
        fn $method<E: de::Error>(self $(, $value: $type)?) -> Result<V::Value, E> {
            let Self { visitor, wanted, notes, .. } = self;
            visitor.$method($($value)?).map_err(|told: Told| notes.hide(told.wanted(wanted)))
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Seen<'_, V> {
    type Value = V::Value;

    /// Nobody reads it.
    fn expecting(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    visit! {
        visit_bool(value: bool)
        visit_i8(value: i8) visit_i16(value: i16) visit_i32(value: i32) visit_i64(value: i64)
        visit_i128(value: i128)
        visit_u8(value: u8) visit_u16(value: u16) visit_u32(value: u32) visit_u64(value: u64)
        visit_u128(value: u128)
        visit_f32(value: f32) visit_f64(value: f64)
        visit_char(value: char)
        visit_str(value: &str) visit_borrowed_str(value: &'de str) visit_string(value: String)
        visit_bytes(value: &[u8]) visit_borrowed_bytes(value: &'de [u8])
        visit_byte_buf(value: Vec<u8>)
        visit_none() visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Self { visitor, notes, .. } = self;
        visitor.visit_some(Traced { inner, notes }).map_err(|told| notes.hide(told))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Self { visitor, notes, .. } = self;
        visitor.visit_newtype_struct(Traced { inner, notes }).map_err(|told| notes.hide(told))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let Self { visitor, notes, .. } = self;
        visitor.visit_seq(Elements { inner, notes, index: 0 }).map_err(|told| notes.hide(told))
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let Self { visitor, names, notes, .. } = self;
        let entries = Entries { inner, notes, names, name: None, index: 0 };
        visitor.visit_map(entries).map_err(|told| notes.hide(told))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let Self { visitor, names, notes, .. } = self;
        visitor.visit_enum(Choice { inner, notes, names }).map_err(|told| notes.hide(told))
    }
}

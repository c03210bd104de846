//! From a state to JSON, strictly: what `serde_json` writes although it could not come back (NaN
//! and infinity, and `Some` of what is written as `null`) is refused, with the place where it is.
//!
//! A [`Strict`] serializer hands everything to the one that it wraps and wraps every value inside.
//! On the way back from an error each level adds its step to a [`Trail`], so that a state without
//! errors pays nothing for it.

mod compound;
mod text;

use std::cell::Cell;
use std::fmt::Display;
use std::io;

use serde::ser::{self, Serialize, SerializeStruct, Serializer};

use self::compound::Compound;
use super::path::{Step, Trail};
use super::{NotEncoded, Problem};

/// As deep as `serde_json` reads.
const MAX_DEPTH: u8 = 127;

/// Writes a state as compact JSON of at most `limit` bytes, and probably of about `guess`.
pub(crate) fn to_json<T: Serialize>(
    state: &T,
    limit: usize,
    guess: usize,
) -> Result<Vec<u8>, NotEncoded> {
    let trace = Trace::default();
    let mut json = Limited { bytes: Vec::with_capacity(guess), limit };
    let mut inner = serde_json::Serializer::new(&mut json);
    match state.serialize(Strict { inner: &mut inner, trace: &trace, depth: 0, null: Null::Itself })
    {
        Ok(()) => Ok(json.bytes),
        Err(error) if error.is_io() => Err(NotEncoded::OverLimit),
        Err(error) => Err(NotEncoded::Refused(trace.into_problem(&error))),
    }
}

/// A buffer that refuses to grow beyond its limit.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
}

/// Called for every few bytes, from code that is compiled in the user's crate.
impl io::Write for Limited {
    #[inline]
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.write_all(part).map(|()| part.len())
    }

    #[inline]
    fn write_all(&mut self, part: &[u8]) -> io::Result<()> {
        if part.len() > self.limit - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where an error happened, and what it was if this module found it.
#[derive(Default)]
struct Trace {
    trail: Trail,
    reason: Cell<Option<&'static str>>,
    /// Room for a text, used again and again.
    quoted: Cell<String>,
}

impl Trace {
    fn refuse<E: ser::Error>(&self, reason: &'static str) -> E {
        self.reason.set(Some(reason));
        E::custom(reason)
    }

    /// What a type's own `Serialize` says may quote the state: only `serde_json`'s own words are
    /// passed on.
    fn into_problem(self, error: &serde_json::Error) -> Problem {
        let reason = self.reason.get().unwrap_or_else(|| match error.to_string().as_str() {
            "key must be a string" => "a map needs keys that are strings, numbers or booleans",
            text if text.starts_with("float key must be finite") => "a map key is NaN or infinite",
            _ => "its `Serialize` refused it",
        });
        Problem { path: self.trail.into_path(), reason: reason.to_owned() }
    }
}

/// What a `null` would be read as, in the place that is being written.
#[derive(Clone, Copy, PartialEq)]
enum Null {
    /// As what wrote it.
    Itself,
    /// As `None`, although it stands inside `Some`.
    None,
    /// As what wrote it, where what is written is a text of JSON: in a `RawValue`.
    Text,
    /// As `None` where it is such a text: in a `RawValue` inside `Some`.
    NoneAsText,
}

impl Null {
    /// Whether texts are JSON already.
    fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::NoneAsText)
    }
}

struct Strict<'a, S> {
    inner: S,
    trace: &'a Trace,
    depth: u8,
    null: Null,
}

/// A value inside another one.
struct Inside<'a, T: ?Sized> {
    value: &'a T,
    trace: &'a Trace,
    depth: u8,
    null: Null,
}

impl<T: Serialize + ?Sized> Serialize for Inside<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        let Self { value, trace, depth, null } = *self;
        value.serialize(Strict { inner, trace, depth, null })
    }
}

impl<'a, S: Serializer> Strict<'a, S> {
    /// Goes one level down.
    fn compound<C>(
        self,
        begin: impl FnOnce(S) -> Result<C, S::Error>,
    ) -> Result<Compound<'a, C>, S::Error> {
        if self.depth == MAX_DEPTH {
            return Err(self.trace.refuse(TOO_DEEP));
        }
        let (trace, depth) = (self.trace, self.depth + 1);
        let inner = begin(self.inner)?;
        Ok(Compound { inner, trace, depth, index: 0, variant: None, null: Null::Itself })
    }

    fn may_be_null(&self) -> Result<(), S::Error> {
        match self.null {
            Null::None => Err(self.trace.refuse(SOME_NULL)),
            Null::Itself | Null::Text | Null::NoneAsText => Ok(()),
        }
    }
}

/// What `serde_json` calls its `RawValue`, and its `Number` where a program has it keep all digits.
const RAW_VALUE: &str = "$serde_json::private::RawValue";
const NUMBER: &str = "$serde_json::private::Number";

const TOO_DEEP: &str = "it is nested deeper than 127 levels";
const SOME_NULL: &str = "JSON writes what this `Some` holds as null, which would come back as \
                         `None`: use an enum with a variant for each case";
const NOT_FINITE: &str = "NaN and infinity have no form in JSON";

macro_rules! hand_on {
    ($($method:ident($type:ty))*) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        }
    )*};
}

impl<'a, S: Serializer> Serializer for Strict<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<'a, S::SerializeSeq>;
    type SerializeTuple = Compound<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'a, S::SerializeTupleVariant>;
    type SerializeMap = Compound<'a, S::SerializeMap>;
    type SerializeStruct = Compound<'a, S::SerializeStruct>;
    type SerializeStructVariant = Compound<'a, S::SerializeStructVariant>;

    hand_on! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_u128(u128)
        serialize_char(char) serialize_bytes(&[u8])
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            self.inner.serialize_f32(value)
        } else {
            Err(self.trace.refuse(NOT_FINITE))
        }
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            self.inner.serialize_f64(value)
        } else {
            Err(self.trace.refuse(NOT_FINITE))
        }
    }

    fn serialize_str(self, value: &str) -> Result<S::Ok, S::Error> {
        if self.null == Null::NoneAsText && value == "null" {
            return Err(self.trace.refuse(SOME_NULL));
        }
        if self.null.is_text() || value.len() < text::WORTH_IT {
            return self.inner.serialize_str(value);
        }
        let mut json = self.trace.quoted.take();
        json.clear();
        text::quote(value, &mut json);
        let mut raw = self.inner.serialize_struct(RAW_VALUE, 1)?;
        raw.serialize_field(RAW_VALUE, &json)?;
        self.trace.quoted.set(json);
        raw.end()
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.may_be_null()?;
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let Self { inner, trace, depth, .. } = self;
        inner.serialize_some(&Inside { value, trace, depth, null: Null::None })
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.may_be_null()?;
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.may_be_null()?;
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Self { inner, trace, depth, null } = self;
        inner.serialize_newtype_struct(name, &Inside { value, trace, depth, null })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Self { inner, trace, depth, .. } = self;
        if depth == MAX_DEPTH {
            return Err(trace.refuse(TOO_DEEP));
        }
        let value = Inside { value, trace, depth: depth + 1, null: Null::Itself };
        inner
            .serialize_newtype_variant(name, index, variant, &value)
            .inspect_err(|_| trace.trail.add(Step::Name(variant)))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.compound(|inner| inner.serialize_seq(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.compound(|inner| inner.serialize_tuple(len))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.compound(|inner| inner.serialize_tuple_struct(name, len))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.compound(|inner| inner.serialize_tuple_variant(name, index, variant, len))
            .map(|compound| Compound { variant: Some(variant), ..compound })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.compound(|inner| inner.serialize_map(len))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let null = match (name, self.null) {
            (RAW_VALUE, Null::None) => Null::NoneAsText,
            (RAW_VALUE | NUMBER, _) => Null::Text,
            _ => Null::Itself,
        };
        self.compound(|inner| inner.serialize_struct(name, len))
            .map(|compound| Compound { null, ..compound })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.compound(|inner| inner.serialize_struct_variant(name, index, variant, len))
            .map(|compound| Compound { variant: Some(variant), ..compound })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }
}

#[cfg(test)]
mod tests;

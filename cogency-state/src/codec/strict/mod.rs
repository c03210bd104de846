//! From a state to JSON, strictly: `serde_json` writes NaN and infinity as `null`, this refuses
//! them and says where they are.
//!
//! A [`Strict`] serializer hands everything to the one that it wraps and wraps every value inside.
//! On the way back from an error each level adds its part of the path to a [`Trace`], so that a
//! state without errors pays nothing for it.

mod compound;

use std::cell::RefCell;
use std::fmt::Display;
use std::io;

use serde::ser::{self, Serialize, Serializer};

use self::compound::Compound;
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
    match state.serialize(Strict { inner: &mut inner, trace: &trace, depth: 0 }) {
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

/// Where an error happened, from the inside out, and what it was if this module found it.
#[derive(Default)]
struct Trace(RefCell<Found>);

#[derive(Default)]
struct Found {
    segments: Vec<String>,
    reason: Option<&'static str>,
}

impl Trace {
    fn refuse<E: ser::Error>(&self, reason: &'static str) -> E {
        self.0.borrow_mut().reason = Some(reason);
        E::custom(reason)
    }

    #[cold]
    fn push(&self, segment: impl Display) {
        self.0.borrow_mut().segments.push(segment.to_string());
    }

    /// What a type's own `Serialize` says may quote the state: only `serde_json`'s own words are
    /// passed on.
    fn into_problem(self, error: &serde_json::Error) -> Problem {
        let Found { segments, reason } = self.0.into_inner();
        let path: String = segments.into_iter().rev().collect();
        let path = path.strip_prefix('.').unwrap_or(&path);
        let reason = reason.unwrap_or_else(|| match error.to_string().as_str() {
            "key must be a string" => "a map needs keys that are strings, numbers or booleans",
            text if text.starts_with("float key must be finite") => "a map key is NaN or infinite",
            _ => "its `Serialize` refused it",
        });
        let path = if path.is_empty() { "." } else { path };
        Problem { path: path.to_owned(), reason: reason.to_owned() }
    }
}

struct Strict<'a, S> {
    inner: S,
    trace: &'a Trace,
    depth: u8,
}

/// A value inside another one.
struct Inside<'a, T: ?Sized> {
    value: &'a T,
    trace: &'a Trace,
    depth: u8,
}

impl<T: Serialize + ?Sized> Serialize for Inside<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Strict { inner, trace: self.trace, depth: self.depth })
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
        Ok(Compound { inner: begin(self.inner)?, trace, depth, index: 0 })
    }
}

const TOO_DEEP: &str = "it is nested deeper than 127 levels";
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
        serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_unit_struct(&'static str)
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

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let Self { inner, trace, depth } = self;
        inner.serialize_some(&Inside { value, trace, depth })
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
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
        let Self { inner, trace, depth } = self;
        inner.serialize_newtype_struct(name, &Inside { value, trace, depth })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Self { inner, trace, depth } = self;
        if depth == MAX_DEPTH {
            return Err(trace.refuse(TOO_DEEP));
        }
        let value = Inside { value, trace, depth: depth + 1 };
        inner
            .serialize_newtype_variant(name, index, variant, &value)
            .inspect_err(|_| trace.push(format_args!(".{variant}")))
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
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.compound(|inner| inner.serialize_map(len))
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.compound(|inner| inner.serialize_struct(name, len))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.compound(|inner| inner.serialize_struct_variant(name, index, variant, len))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::ser::Error as _;
    use serde_json::{Value, json};

    use super::*;

    #[derive(serde::Serialize)]
    struct Scores {
        name: &'static str,
        by_round: BTreeMap<String, Vec<Option<f64>>>,
    }

    fn refusal<T: Serialize>(state: &T) -> Problem {
        match to_json(state, usize::MAX, 0) {
            Err(NotEncoded::Refused(problem)) => problem,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn what_it_writes_is_what_serde_json_writes() {
        let value = json!({"a": [1, -2.5, null, true, "\u{0}é"], "b": {"c": [[], {}]}, "d": 1e300});
        let strict = to_json(&value, usize::MAX, 0).unwrap();
        assert_eq!(strict, serde_json::to_vec(&value).unwrap());
    }

    #[test]
    fn nan_deep_inside_is_refused_with_its_path() {
        let by_round = BTreeMap::from([("one".to_owned(), vec![Some(1.0), None, Some(f64::NAN)])]);
        let problem = refusal(&Scores { name: "alice", by_round });
        assert_eq!(problem.path, "by_round.one[2]");
        assert_eq!(problem.reason, NOT_FINITE);
    }

    #[test]
    fn infinity_in_a_float_of_32_bits_is_refused() {
        assert_eq!(refusal(&vec![1.0, f32::NEG_INFINITY]).path, "[1]");
    }

    #[test]
    fn a_map_whose_keys_are_lists_is_refused_with_its_path() {
        let map = BTreeMap::from([(vec![1], 2)]);
        let problem = refusal(&BTreeMap::from([("outer", map)]));
        assert_eq!(problem.path, "outer");
        assert!(problem.reason.contains("keys"), "{problem:?}");
    }

    #[test]
    fn bottomless_nesting_is_refused_before_the_stack_ends() {
        let mut value = Value::Null;
        for _ in 0..1000 {
            value = Value::Array(vec![value]);
        }
        assert_eq!(refusal(&value).reason, TOO_DEEP);
        // Taken apart by hand: dropping it must not be what ends the stack.
        while let Value::Array(mut list) = value {
            value = list.pop().unwrap();
        }
    }

    #[test]
    fn the_words_of_a_custom_serialize_are_left_out() {
        struct Strange;
        impl Serialize for Strange {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(S::Error::custom("a secret"))
            }
        }
        let problem = refusal(&vec![Strange]);
        assert_eq!(problem.path, "[0]");
        assert!(!problem.reason.contains("secret"));
    }

    #[test]
    fn more_bytes_than_the_limit_are_not_written() {
        assert_eq!(to_json(&"0123456789", 12, 0), Ok(b"\"0123456789\"".to_vec()));
        assert_eq!(to_json(&"0123456789", 11, 0), Err(NotEncoded::OverLimit));
    }
}

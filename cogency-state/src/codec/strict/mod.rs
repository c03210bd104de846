//! From a state to JSON, strictly: what `serde_json` writes although it could not come back (NaN
//! and infinity, and `Some` of what is written as `null`) is refused, with the place where it is.
//!
//! A [`Strict`] serializer hands everything to the one that it wraps and wraps every value inside.
//! On the way back from an error each level adds its step to a [`Trail`], so that a state without
//! errors pays nothing for it.

mod compound;

use std::cell::Cell;
use std::fmt::Display;
use std::io;

use serde::ser::{self, Serialize, Serializer};

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
    /// The same, where what is written is a text of JSON: in a `RawValue` inside `Some`.
    NoneAsText,
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
            Null::Itself | Null::NoneAsText => Ok(()),
        }
    }
}

/// What `serde_json` calls its `RawValue`.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

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
        self.inner.serialize_str(value)
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
        let is_raw_in_some = self.null == Null::None && name == RAW_VALUE;
        let null = if is_raw_in_some { Null::NoneAsText } else { Null::Itself };
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
        assert_eq!(problem.path, "by_round{0}[2]");
        assert_eq!(problem.reason, NOT_FINITE);
    }

    #[test]
    fn some_of_what_is_written_as_null_is_refused_with_its_path() {
        #[derive(serde::Serialize)]
        struct Unit;
        #[derive(serde::Serialize)]
        struct Wrapped(Option<u32>);
        #[derive(serde::Serialize)]
        struct Limits {
            #[expect(clippy::option_option)]
            limit: Option<Option<u32>>,
        }
        let found = refusal(&vec![Limits { limit: Some(Some(1)) }, Limits { limit: Some(None) }]);
        assert_eq!((found.path.as_str(), found.reason.as_str()), ("[1].limit", SOME_NULL));
        let raw = |json: &str| serde_json::value::RawValue::from_string(json.to_owned()).unwrap();
        for reason in [
            refusal(&Some(())).reason,
            refusal(&Some(Unit)).reason,
            refusal(&Some(Wrapped(None))).reason,
            refusal(&Some(Value::Null)).reason,
            refusal(&Some(raw("null"))).reason,
        ] {
            assert_eq!(reason, SOME_NULL);
        }
        assert_eq!(refusal(&[Some(raw("null"))]).path, "[0]");
        let kept = (Some(json!([null])), (), Value::Null, Some("null"), Some(raw("\"null\"")));
        let json = to_json(&(kept, raw("null")), usize::MAX, 0).unwrap();
        assert_eq!(json, br#"[[[null],null,null,"null","null"],null]"#);
    }

    #[test]
    fn the_variants_of_enums_are_part_of_the_path() {
        #[derive(serde::Serialize)]
        enum Turn {
            One(f64),
            Two(f64, f64),
            Named { score: f64 },
        }
        assert_eq!(refusal(&[Turn::One(f64::NAN)]).path, "[0].One");
        assert_eq!(refusal(&[Turn::Two(1.0, f64::NAN)]).path, "[0].Two[1]");
        assert_eq!(refusal(&[Turn::Named { score: f64::NAN }]).path, "[0].Named.score");
    }

    #[test]
    fn the_keys_of_maps_are_counted_and_not_quoted() {
        let map = BTreeMap::from([("a", 1.0), ("hunter2\n\u{1b}", f64::NAN)]);
        assert_eq!(refusal(&map).path, "{1}");
    }

    #[test]
    fn infinity_in_a_float_of_32_bits_is_refused() {
        assert_eq!(refusal(&vec![1.0, f32::NEG_INFINITY]).path, "[1]");
    }

    #[test]
    fn a_map_whose_keys_are_lists_is_refused_with_its_path() {
        let map = BTreeMap::from([(vec![1], 2)]);
        let problem = refusal(&BTreeMap::from([("outer", map)]));
        assert_eq!(problem.path, "{0}");
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

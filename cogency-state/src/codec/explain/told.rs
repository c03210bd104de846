//! What is wrong with a document, in words that nothing in it can get into.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// An error that keeps only what is static of what serde tells it.
///
/// A message may quote the document, and so may a text of what was expected: a type's own
/// `Deserialize` can put anything there. What was asked for is known without it, see [`Wanted`].
#[derive(Debug)]
pub(super) struct Told {
    what: Cow<'static, str>,
    /// What was found, if it was not what was wanted.
    found: Option<&'static str>,
    wanted: Wanted,
}

/// What a type asked its deserializer for: `u32`, `struct Chat`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted(pub(super) &'static str, pub(super) &'static str);

impl Wanted {
    pub(super) const ANYTHING: Self = Self("", "");
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(form, name) = self;
        let space = if name.is_empty() { "" } else { " " };
        write!(f, "{form}{space}{name}")
    }
}

/// What JSON can hold, as `serde_json` calls it.
const KINDS: [&str; 7] =
    ["null", "boolean", "integer", "floating point", "string", "sequence", "map"];

impl Told {
    fn plain(what: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), found: None, wanted: Wanted::ANYTHING }
    }

    pub(super) fn by_the_type() -> Self {
        Self::plain("the type's own `Deserialize` refused it")
    }

    /// An error of the parser's own, such as `invalid type: string "secret", expected u32`.
    pub(super) fn by_the_parser(error: impl fmt::Display) -> Self {
        let text = error.to_string();
        let found = text.strip_prefix("invalid type: ").unwrap_or_default();
        match KINDS.into_iter().find(|kind| found.starts_with(kind)) {
            Some(kind) => Self { found: Some(kind), ..Self::plain("invalid type") },
            None => Self::plain("it is not what the type reads"),
        }
    }

    pub(super) fn wanted(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let Some(found) = self.found else { return Ok(()) };
        write!(f, ": {found}")?;
        if self.wanted.0.is_empty() || self.wanted.0 == found {
            return Ok(());
        }
        write!(f, ", expected {}", self.wanted)
    }
}

impl std::error::Error for Told {}

impl de::Error for Told {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::by_the_type()
    }

    fn invalid_type(found: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self { found: kind(found), ..Self::plain("invalid type") }
    }

    fn invalid_value(found: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self { found: kind(found), ..Self::plain("invalid value") }
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self::plain("invalid length")
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self::plain("unknown variant")
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::plain("unknown field")
    }

    fn missing_field(name: &'static str) -> Self {
        Self::plain(format!("missing field `{name}`"))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::plain(format!("duplicate field `{name}`"))
    }
}

/// `None` for what a type calls it in its own words.
fn kind(found: Unexpected<'_>) -> Option<&'static str> {
    Some(match found {
        Unexpected::Bool(_) => "boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "integer",
        Unexpected::Float(_) => "floating point",
        Unexpected::Char(_) => "character",
        Unexpected::Str(_) => "string",
        Unexpected::Bytes(_) => "byte array",
        Unexpected::Unit => "null",
        Unexpected::Option => "option",
        Unexpected::NewtypeStruct => "newtype struct",
        Unexpected::Seq => "sequence",
        Unexpected::Map => "map",
        Unexpected::Enum => "enum",
        Unexpected::UnitVariant => "unit variant",
        Unexpected::NewtypeVariant => "newtype variant",
        Unexpected::TupleVariant => "tuple variant",
        Unexpected::StructVariant => "struct variant",
        Unexpected::Other(_) => return None,
    })
}

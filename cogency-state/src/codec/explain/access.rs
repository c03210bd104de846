//! What has parts: the place where a path grows.

use std::marker::PhantomData;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::Notes;
use super::told::{Told, Wanted};
use super::traced::Traced;
use super::visitor::Seen;
use crate::codec::path::Step;

/// A value inside another one.
struct Inside<'a, S> {
    seed: S,
    notes: &'a Notes,
    /// `None` where somebody else adds it.
    step: Option<Step>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Inside<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let Self { seed, notes, step } = self;
        seed.deserialize(Traced { inner, notes }).map_err(|told| {
            if let Some(step) = step {
                notes.trail.add(step);
            }
            notes.hide(told)
        })
    }
}

/// The elements of a list or tuple.
pub(super) struct Elements<'a, A> {
    pub(super) inner: A,
    pub(super) notes: &'a Notes,
    pub(super) index: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = Told;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Told> {
        let step = Some(Step::Element(self.index));
        self.index += 1;
        self.inner
            .next_element_seed(Inside { seed, notes: self.notes, step })
            .map_err(|error| self.notes.reveal(error, Wanted::ANYTHING))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// The entries of a map, or the fields of a struct, which have names.
pub(super) struct Entries<'a, A> {
    pub(super) inner: A,
    pub(super) notes: &'a Notes,
    pub(super) names: &'static [&'static str],
    /// That of the field whose value comes next.
    pub(super) name: Option<&'static str>,
    pub(super) index: usize,
}

impl<'de, A: MapAccess<'de>> Entries<'_, A> {
    /// The name of a field, of which the type's own text is kept.
    fn next_name<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Told> {
        let name = self.inner.next_key::<String>();
        let name = name.map_err(|error| self.notes.reveal(error, Wanted::ANYTHING))?;
        let Some(name) = name else { return Ok(None) };
        self.name = static_name(self.names, &name);
        seed.deserialize(name.into_deserializer())
            .map(Some)
            .inspect_err(|_: &Told| self.notes.trail.add(Step::Entry(self.index)))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = Told;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Told> {
        if !self.names.is_empty() {
            return self.next_name(seed);
        }
        let step = Some(Step::Entry(self.index));
        self.inner
            .next_key_seed(Inside { seed, notes: self.notes, step })
            .map_err(|error| self.notes.reveal(error, Wanted::ANYTHING))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Told> {
        let step = Some(self.name.take().map_or(Step::Entry(self.index), Step::Name));
        self.index += 1;
        self.inner
            .next_value_seed(Inside { seed, notes: self.notes, step })
            .map_err(|error| self.notes.reveal(error, Wanted::ANYTHING))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// One of an enum's variants.
pub(super) struct Choice<'a, A> {
    pub(super) inner: A,
    pub(super) notes: &'a Notes,
    pub(super) names: &'static [&'static str],
}

impl<'a, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Choice<'a, A> {
    type Error = Told;
    type Variant = Chosen<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), Told> {
        let Self { inner, notes, names } = self;
        let (name, inner) = inner
            .variant_seed(PhantomData::<String>)
            .map_err(|error| notes.reveal(error, Wanted("variant", "")))?;
        let chosen = Chosen { inner, notes, name: static_name(names, &name) };
        Ok((seed.deserialize(name.into_deserializer())?, chosen))
    }
}

/// What a variant holds.
pub(super) struct Chosen<'a, A> {
    inner: A,
    notes: &'a Notes,
    name: Option<&'static str>,
}

impl<'a, A> Chosen<'a, A> {
    fn read<R, E: std::fmt::Display>(
        self,
        wanted: &'static str,
        read: impl FnOnce(A, &'a Notes) -> Result<R, E>,
    ) -> Result<R, Told> {
        let Self { inner, notes, name } = self;
        read(inner, notes).map_err(|error| {
            if let Some(name) = name {
                notes.trail.add(Step::Name(name));
            }
            notes.reveal(error, Wanted(wanted, ""))
        })
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Chosen<'_, A> {
    type Error = Told;

    fn unit_variant(self) -> Result<(), Told> {
        self.read("unit variant", |inner, _| inner.unit_variant())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Told> {
        self.read("newtype variant", |inner, notes| {
            inner.newtype_variant_seed(Inside { seed, notes, step: None })
        })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Told> {
        self.read("tuple variant", |inner, notes| {
            let wanted = Wanted("tuple variant", "");
            inner.tuple_variant(len, Seen { visitor, wanted, names: &[], notes })
        })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Told> {
        self.read("struct variant", |inner, notes| {
            let wanted = Wanted("struct variant", "");
            inner.struct_variant(names, Seen { visitor, wanted, names, notes })
        })
    }
}

fn static_name(names: &'static [&'static str], name: &str) -> Option<&'static str> {
    names.iter().copied().find(|known| *known == name)
}

//! What has parts: the place where a path grows.

use serde::ser::{self, Serialize};

use super::{Inside, Null, Trace};
use crate::codec::path::Step;

/// A list, tuple, map or struct that is being written.
pub(super) struct Compound<'a, C> {
    pub(super) inner: C,
    pub(super) trace: &'a Trace,
    pub(super) depth: u8,
    pub(super) index: usize,
    /// Of an enum, the variant whose contents these are.
    pub(super) variant: Option<&'static str>,
    /// What `null` is in here.
    pub(super) null: Null,
}

impl<'a, C> Compound<'a, C> {
    fn inside<'b, T: ?Sized>(&self, value: &'b T) -> Inside<'b, T>
    where
        'a: 'b,
    {
        Inside { value, trace: self.trace, depth: self.depth, null: self.null }
    }

    fn at<R, E>(&self, step: Step, result: Result<R, E>) -> Result<R, E> {
        result.inspect_err(|_| {
            // What a `RawValue` is for `serde_json` is no part of the state.
            if !self.null.is_text() {
                self.trace.trail.add(step);
            }
            if let Some(variant) = self.variant {
                self.trace.trail.add(Step::Name(variant));
            }
        })
    }
}

macro_rules! elements {
    ($($form:ident::$method:ident)*) => {$(
        impl<C: ser::$form> ser::$form for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let value = self.inside(value);
                let result = self.inner.$method(&value);
                self.index += 1;
                self.at(Step::Element(self.index - 1), result)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

macro_rules! fields {
    ($($form:ident)*) => {$(
        impl<C: ser::$form> ser::$form for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let value = self.inside(value);
                let result = self.inner.serialize_field(name, &value);
                self.at(Step::Name(name), result)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

impl<C: ser::SerializeMap> ser::SerializeMap for Compound<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.inner.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let value = self.inside(value);
        let result = self.inner.serialize_value(&value);
        self.index += 1;
        self.at(Step::Entry(self.index - 1), result)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

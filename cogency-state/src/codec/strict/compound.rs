//! What has parts: the place where a path grows.

use serde::ser::{self, Serialize};

use super::{Inside, Trace};

/// A list, tuple, map or struct that is being written.
pub(super) struct Compound<'a, C> {
    pub(super) inner: C,
    pub(super) trace: &'a Trace,
    pub(super) depth: u8,
    pub(super) index: usize,
}

impl<C> Compound<'_, C> {
    fn at_index<R, E>(&mut self, result: Result<R, E>) -> Result<R, E> {
        self.index += 1;
        result.inspect_err(|_| self.trace.push(format_args!("[{}]", self.index - 1)))
    }

    fn at_field<R, E>(&self, name: &str, result: Result<R, E>) -> Result<R, E> {
        result.inspect_err(|_| self.trace.push(format_args!(".{name}")))
    }
}

macro_rules! elements {
    ($($form:ident::$method:ident)*) => {$(
        impl<C: ser::$form> ser::$form for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let value = Inside { value, trace: self.trace, depth: self.depth };
                let result = self.inner.$method(&value);
                self.at_index(result)
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
                let value = Inside { value, trace: self.trace, depth: self.depth };
                let result = self.inner.serialize_field(name, &value);
                self.at_field(name, result)
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
        let value = Inside { value, trace: self.trace, depth: self.depth };
        let result = self.inner.serialize_value(&value);
        self.at_index(result)
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), C::Error> {
        self.inner.serialize_key(key)?;
        let value = Inside { value, trace: self.trace, depth: self.depth };
        let result = self.inner.serialize_value(&value);
        self.at_field(&key_text(key, &result), result)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

/// A map's key as part of a path, where there is an error to show it in.
fn key_text<K: Serialize + ?Sized, E>(key: &K, result: &Result<(), E>) -> String {
    match result {
        Ok(()) => String::new(),
        Err(_) => match serde_json::to_value(key) {
            Ok(serde_json::Value::String(text)) => text,
            Ok(other) => other.to_string(),
            Err(_) => "?".to_owned(),
        },
    }
}

//! What may be a key of a JSON object: text, and the scalars that JSON spells as text.

use std::fmt;

use serde::{Serialize, Serializer, ser::Impossible};

use super::{
    fault::{Fault, Reason, SerFault},
    ser::shown,
    walk::{Key, Walk},
};

/// Writes one key, and says what it means for the value behind it.
pub(super) struct KeyWriter<'k, 'w> {
    pub(super) walk: &'k mut Walk<'w>,
    pub(super) first: bool,
}

type Refused = Impossible<Key, SerFault>;

impl KeyWriter<'_, '_> {
    #[inline]
    fn text(self, key: &str) -> Result<Key, SerFault> {
        Ok(self.walk.key(key, self.first)?)
    }

    fn refuse<T>() -> Result<T, SerFault> {
        Err(Fault::new(Reason::KeyNotText).into())
    }

    fn integer(self, value: impl itoa::Integer) -> Result<Key, SerFault> {
        self.text(itoa::Buffer::new().format(value))
    }

    fn float(self, value: f64) -> Result<Key, SerFault> {
        if !value.is_finite() {
            return Self::refuse();
        }
        self.text(zmij::Buffer::new().format_finite(value))
    }
}

impl Serializer for KeyWriter<'_, '_> {
    type Ok = Key;
    type Error = SerFault;
    type SerializeSeq = Refused;
    type SerializeTuple = Refused;
    type SerializeTupleStruct = Refused;
    type SerializeTupleVariant = Refused;
    type SerializeMap = Refused;
    type SerializeStruct = Refused;
    type SerializeStructVariant = Refused;

    #[inline]
    fn serialize_str(self, v: &str) -> Result<Key, SerFault> {
        self.text(v)
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<Key, SerFault> {
        self.text(&shown(value)?)
    }
    fn serialize_char(self, v: char) -> Result<Key, SerFault> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }
    fn serialize_bool(self, v: bool) -> Result<Key, SerFault> {
        self.serialize_str(if v { "true" } else { "false" })
    }
    fn serialize_i8(self, v: i8) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_i16(self, v: i16) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_i32(self, v: i32) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_i64(self, v: i64) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_i128(self, v: i128) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_u8(self, v: u8) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_u16(self, v: u16) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_u32(self, v: u32) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_u64(self, v: u64) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_u128(self, v: u128) -> Result<Key, SerFault> {
        self.integer(v)
    }
    fn serialize_f32(self, v: f32) -> Result<Key, SerFault> {
        if !v.is_finite() {
            return Self::refuse();
        }
        self.text(zmij::Buffer::new().format_finite(v))
    }
    fn serialize_f64(self, v: f64) -> Result<Key, SerFault> {
        self.float(v)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Key, SerFault> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, v: &T) -> Result<Key, SerFault> {
        v.serialize(self)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<Key, SerFault> {
        v.serialize(self)
    }

    fn serialize_none(self) -> Result<Key, SerFault> {
        Self::refuse()
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<Key, SerFault> {
        Self::refuse()
    }
    fn serialize_unit(self) -> Result<Key, SerFault> {
        Self::refuse()
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Key, SerFault> {
        Self::refuse()
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Key, SerFault> {
        Self::refuse()
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Refused, SerFault> {
        Self::refuse()
    }
    fn serialize_tuple(self, _: usize) -> Result<Refused, SerFault> {
        Self::refuse()
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Refused, SerFault> {
        Self::refuse()
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Refused, SerFault> {
        Self::refuse()
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Refused, SerFault> {
        Self::refuse()
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Refused, SerFault> {
        Self::refuse()
    }
    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Refused, SerFault> {
        Self::refuse()
    }
}

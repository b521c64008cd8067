//! serde's data model onto the walk: the form is `serde_json`'s, the rules are ours.

use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};

use super::{
    compound::{Compound, Kind, Variant},
    fault::{Fault, Reason, SerFault},
    walk::Walk,
};

/// The names under which `serde_json` passes numbers as text (its feature `arbitrary_precision`, which any crate may switch
/// on) and ready-made JSON (`RawValue`) through serde.
const NUMBER: &str = "$serde_json::private::Number";
const RAW: &str = "$serde_json::private::RawValue";

/// serde's own way panics where a Display fails, as that of a date with a broken pattern does.
pub(super) fn shown<T: fmt::Display + ?Sized>(value: &T) -> Result<String, Fault> {
    let mut text = String::new();
    write!(text, "{value}").map_err(|_| Fault::new(Reason::Refused))?;
    Ok(text)
}

impl Walk<'_> {
    #[inline]
    fn integer(&mut self, value: impl itoa::Integer) {
        self.literal(itoa::Buffer::new().format(value));
    }
}

impl<'s, 'w> Serializer for &'s mut Walk<'w> {
    type Ok = ();
    type Error = SerFault;
    type SerializeSeq = Compound<'s, 'w>;
    type SerializeTuple = Compound<'s, 'w>;
    type SerializeTupleStruct = Compound<'s, 'w>;
    type SerializeTupleVariant = Variant<'s, 'w>;
    type SerializeMap = Compound<'s, 'w>;
    type SerializeStruct = Compound<'s, 'w>;
    type SerializeStructVariant = Variant<'s, 'w>;

    fn serialize_bool(self, v: bool) -> Result<(), SerFault> {
        self.literal(if v { "true" } else { "false" });
        Ok(())
    }
    fn serialize_i8(self, v: i8) -> Result<(), SerFault> {
        self.integer(v);
        Ok(())
    }
    fn serialize_i16(self, v: i16) -> Result<(), SerFault> {
        self.integer(v);
        Ok(())
    }
    fn serialize_i32(self, v: i32) -> Result<(), SerFault> {
        self.integer(v);
        Ok(())
    }
    fn serialize_i64(self, v: i64) -> Result<(), SerFault> {
        self.integer(v);
        Ok(())
    }
    fn serialize_i128(self, v: i128) -> Result<(), SerFault> {
        if i64::try_from(v).is_err() && u64::try_from(v).is_err() {
            return Err(Fault::new(Reason::IntegerTooLarge).into());
        }
        self.integer(v);
        Ok(())
    }
    fn serialize_u8(self, v: u8) -> Result<(), SerFault> {
        self.integer(v);
        Ok(())
    }
    fn serialize_u16(self, v: u16) -> Result<(), SerFault> {
        self.integer(v);
        Ok(())
    }
    fn serialize_u32(self, v: u32) -> Result<(), SerFault> {
        self.integer(v);
        Ok(())
    }
    fn serialize_u64(self, v: u64) -> Result<(), SerFault> {
        self.integer(v);
        Ok(())
    }
    fn serialize_u128(self, v: u128) -> Result<(), SerFault> {
        let small = u64::try_from(v).map_err(|_| Fault::new(Reason::IntegerTooLarge))?;
        self.serialize_u64(small)
    }
    fn serialize_f32(self, v: f32) -> Result<(), SerFault> {
        if !v.is_finite() {
            return Err(Fault::new(Reason::NotFinite).into());
        }
        // Not by way of f64, which would spell 0.1 as 0.10000000149011612.
        self.literal(zmij::Buffer::new().format_finite(v));
        Ok(())
    }
    fn serialize_f64(self, v: f64) -> Result<(), SerFault> {
        Ok(self.float(v)?)
    }
    fn serialize_char(self, v: char) -> Result<(), SerFault> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, v: &str) -> Result<(), SerFault> {
        Ok(self.string(v)?)
    }
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), SerFault> {
        Ok(self.string(&shown(value)?)?)
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<(), SerFault> {
        Err(Fault::new(Reason::Bytes).into())
    }
    fn serialize_none(self) -> Result<(), SerFault> {
        self.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), SerFault> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), SerFault> {
        self.literal("null");
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), SerFault> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), SerFault> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), SerFault> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), SerFault> {
        let mut compound = Compound::begin(self, Kind::Object)?;
        compound.field(variant, value)?;
        compound.finish();
        Ok(())
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, SerFault> {
        Ok(Compound::begin(self, Kind::Sequence)?)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, SerFault> {
        Ok(Compound::begin(self, Kind::Sequence)?)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, SerFault> {
        Ok(Compound::begin(self, Kind::Sequence)?)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, SerFault> {
        Variant::begin(self, variant, Kind::Sequence)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, SerFault> {
        Ok(Compound::begin(self, Kind::Object)?)
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeStruct, SerFault> {
        let kind = match name {
            // A number made from any text is possible, so that it too must be found to be JSON.
            NUMBER | RAW => Kind::Raw,
            _ => Kind::Object,
        };
        Ok(Compound::begin(self, kind)?)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, SerFault> {
        Variant::begin(self, variant, Kind::Object)
    }
}

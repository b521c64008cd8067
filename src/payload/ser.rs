//! serde's data model onto the walk: the form is `serde_json`'s, the rules are ours.

use std::{
    fmt::{self, Write as _},
    ops::Range,
};

use serde::{
    Serialize, Serializer,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
        SerializeTupleVariant,
    },
};

use super::{
    fault::{Fault, Reason, SerFault},
    key::KeyWriter,
    walk::{Key, Walk},
};

/// The names under which `serde_json` passes numbers as text (its feature `arbitrary_precision`, which any crate may switch
/// on) and ready-made JSON (`RawValue`) through serde.
const NUMBER: &str = "$serde_json::private::Number";
const RAW: &str = "$serde_json::private::RawValue";

/// A sequence, map, struct or variant that is being written.
pub(crate) struct Compound<'s, 'w> {
    walk: &'s mut Walk<'w>,
    kind: Kind,
    count: usize,
    /// Set between a map's key and its value.
    key: Option<Key>,
    /// The variant's name, where an enum's payload is written; it is a key like any other.
    variant: Option<Variant>,
}

#[derive(Clone, Copy)]
enum Kind {
    Sequence,
    Object,
    /// The one field is JSON text.
    Raw,
}

enum Variant {
    Shown(Range<usize>),
    /// Hidden as a whole: the mask's value stands there already, and what follows is dropped.
    Hidden,
}

impl Compound<'_, '_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        if matches!(self.variant, Some(Variant::Hidden)) {
            return Ok(());
        }
        self.walk.separate(self.count == 0)?;
        let index = self.count;
        self.count += 1;
        let written = value.serialize(&mut *self.walk);
        written.map_err(|fault| {
            self.walk.spoil();
            self.in_variant(fault.0.at_index(index)).into()
        })
    }

    fn map_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerFault> {
        self.walk.separate(self.count == 0)?;
        self.count += 1;
        let written = key.serialize(KeyWriter(self.walk));
        self.key = Some(written.inspect_err(|_| self.walk.spoil())?);
        Ok(())
    }

    fn map_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        // A value without a key is a broken Serialize implementation.
        let key = self.key.take().ok_or_else(|| Fault::new(Reason::Refused))?;
        if key.masked {
            return Ok(self.walk.hidden()?);
        }
        let written = value.serialize(&mut *self.walk);
        written.map_err(|fault| {
            self.walk.spoil();
            self.in_variant(fault.0.under_key(self.walk.written(key.at))).into()
        })
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), SerFault> {
        if matches!(self.variant, Some(Variant::Hidden)) {
            return Ok(());
        }
        match self.kind {
            Kind::Raw => return Ok(self.walk.json(&text_of(value)?)?),
            Kind::Sequence | Kind::Object => {}
        }
        self.walk.separate(self.count == 0)?;
        self.count += 1;
        let key = self.walk.key(name)?;
        self.key = Some(key);
        self.map_value(value)
    }

    fn in_variant(&self, fault: Fault) -> Fault {
        match &self.variant {
            Some(Variant::Shown(at)) => fault.under_key(self.walk.written(at.clone())),
            Some(Variant::Hidden) | None => fault,
        }
    }

    fn finish(self) {
        match (self.kind, &self.variant) {
            (Kind::Raw, _) | (_, Some(Variant::Hidden)) => {}
            (Kind::Sequence, _) => self.walk.close(b']'),
            (Kind::Object, _) => self.walk.close(b'}'),
        }
        if self.variant.is_some() {
            self.walk.close(b'}');
        }
    }
}

/// serde's own way panics where a Display fails, as that of a date with a broken pattern does.
pub(super) fn shown<T: fmt::Display + ?Sized>(value: &T) -> Result<String, Fault> {
    let mut text = String::new();
    write!(text, "{value}").map_err(|_| Fault::new(Reason::Refused))?;
    Ok(text)
}

/// The text that `serde_json` passes as the one field of its private structs.
fn text_of<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    match value.serialize(serde_json::value::Serializer) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        _ => Err(Fault::new(Reason::Refused)),
    }
}

impl<'w> Walk<'w> {
    fn begin(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind {
            Kind::Sequence => self.open(b'['),
            Kind::Object => self.open(b'{'),
            Kind::Raw => Ok(()),
        }
    }

    fn compound(&mut self, kind: Kind) -> Result<Compound<'_, 'w>, SerFault> {
        self.begin(kind)?;
        Ok(Compound { walk: self, kind, count: 0, key: None, variant: None })
    }

    /// `{"Variant": …`, the variant's name being a key like any other.
    fn variant(&mut self, name: &str, kind: Kind) -> Result<Compound<'_, 'w>, SerFault> {
        self.open(b'{')?;
        let key = self.key(name)?;
        let variant = if key.masked {
            self.hidden()?;
            Variant::Hidden
        } else {
            self.begin(kind).map_err(|fault| fault.under_key(self.written(key.at.clone())))?;
            Variant::Shown(key.at)
        };
        Ok(Compound { walk: self, kind, count: 0, key: None, variant: Some(variant) })
    }

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
    type SerializeTupleVariant = Compound<'s, 'w>;
    type SerializeMap = Compound<'s, 'w>;
    type SerializeStruct = Compound<'s, 'w>;
    type SerializeStructVariant = Compound<'s, 'w>;

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
        self.literal(ryu::Buffer::new().format_finite(v));
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
        let mut compound = self.compound(Kind::Object)?;
        compound.field(variant, value)?;
        compound.finish();
        Ok(())
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, SerFault> {
        self.compound(Kind::Sequence)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, SerFault> {
        self.compound(Kind::Sequence)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, SerFault> {
        self.compound(Kind::Sequence)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, SerFault> {
        self.variant(variant, Kind::Sequence)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, SerFault> {
        self.compound(Kind::Object)
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeStruct, SerFault> {
        self.compound(match name {
            // A number made from any text is possible, so that it too must be found to be JSON.
            NUMBER | RAW => Kind::Raw,
            _ => Kind::Object,
        })
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, SerFault> {
        self.variant(variant, Kind::Object)
    }
}

impl SerializeSeq for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        self.element(value)
    }
    fn end(self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeTuple for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        self.element(value)
    }
    fn end(self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeTupleStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        self.element(value)
    }
    fn end(self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeTupleVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        self.element(value)
    }
    fn end(self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerFault> {
        self.map_key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        self.map_value(value)
    }
    fn end(self) -> Result<(), SerFault> {
        if self.key.is_some() {
            return Err(Fault::new(Reason::Refused).into());
        }
        self.finish();
        Ok(())
    }
}

impl SerializeStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), SerFault> {
        self.field(key, value)
    }
    fn end(self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeStructVariant for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), SerFault> {
        self.field(key, value)
    }
    fn end(self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

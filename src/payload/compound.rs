//! Sequences, maps, structs and variants that are being written.

use serde::{
    Serialize,
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

/// A sequence, map or struct.
pub(crate) struct Compound<'s, 'w> {
    walk: &'s mut Walk<'w>,
    kind: Kind,
    count: usize,
    /// Set between a map's key and its value.
    key: Option<Key>,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Sequence,
    Object,
    /// The one field is JSON text, with brackets of its own.
    Raw,
}

impl Kind {
    #[inline]
    fn open(self, walk: &mut Walk<'_>) -> Result<(), Fault> {
        match self {
            Self::Sequence => walk.open(b'['),
            Self::Object => walk.open(b'{'),
            Self::Raw => Ok(()),
        }
    }
}

impl<'s, 'w> Compound<'s, 'w> {
    #[inline]
    pub(super) fn begin(walk: &'s mut Walk<'w>, kind: Kind) -> Result<Self, Fault> {
        kind.open(walk)?;
        Ok(Self { walk, kind, count: 0, key: None })
    }

    /// Whether the next part is the first.
    #[inline]
    fn next_is_first(&mut self) -> bool {
        self.count += 1;
        self.count == 1
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        let first = self.next_is_first();
        self.walk.separate(first)?;
        match value.serialize(&mut *self.walk) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.element_failed(fault)),
        }
    }

    #[inline]
    fn map_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<Key, SerFault> {
        let first = self.next_is_first();
        match key.serialize(KeyWriter { walk: self.walk, first }) {
            Ok(key) => Ok(key),
            Err(fault) => {
                self.walk.spoil();
                Err(fault)
            }
        }
    }

    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, key: Key, value: &T) -> Result<(), SerFault> {
        if key.masked {
            return Ok(self.walk.hidden()?);
        }
        match value.serialize(&mut *self.walk) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.value_failed(key, fault)),
        }
    }

    #[inline]
    pub(super) fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), SerFault> {
        if matches!(self.kind, Kind::Raw) {
            return Ok(self.walk.json(&text_of(value)?)?);
        }
        let first = self.next_is_first();
        let key = self.walk.key(name, first)?;
        self.value(key, value)
    }

    #[cold]
    fn element_failed(&mut self, fault: SerFault) -> SerFault {
        self.walk.spoil();
        fault.0.at_index(self.count - 1).into()
    }

    #[cold]
    fn value_failed(&mut self, key: Key, fault: SerFault) -> SerFault {
        self.walk.spoil();
        self.walk.under(key, fault.0).into()
    }

    #[inline]
    pub(super) fn finish(&mut self) {
        match self.kind {
            Kind::Sequence => self.walk.close(b']'),
            Kind::Object => self.walk.close(b'}'),
            Kind::Raw => {}
        }
    }
}

/// The text that `serde_json` passes as the one field of its private structs.
fn text_of<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    match value.serialize(serde_json::value::Serializer) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        _ => Err(Fault::new(Reason::Refused)),
    }
}

/// `{"Variant": …}`: the payload of an enum's variant, whose name is a key like any other.
pub(crate) struct Variant<'s, 'w> {
    /// Where the name is masked, the mask's value stands there already, and what follows is dropped.
    name: Key,
    body: Compound<'s, 'w>,
}

impl<'s, 'w> Variant<'s, 'w> {
    pub(super) fn begin(walk: &'s mut Walk<'w>, name: &str, kind: Kind) -> Result<Self, SerFault> {
        walk.open(b'{')?;
        let name = walk.key(name, true)?;
        let kind = if name.masked { Kind::Raw } else { kind };
        if name.masked {
            walk.hidden()?;
        }
        kind.open(walk).map_err(|fault| walk.under(name, fault))?;
        Ok(Self { name, body: Compound { walk, kind, count: 0, key: None } })
    }

    fn part(&mut self, write: impl FnOnce(&mut Compound<'s, 'w>) -> Result<(), SerFault>) -> Result<(), SerFault> {
        if self.name.masked {
            return Ok(());
        }
        write(&mut self.body).map_err(|fault| self.body.walk.under(self.name, fault.0).into())
    }

    fn finish(mut self) {
        self.body.finish();
        self.body.walk.close(b'}');
    }
}

impl SerializeSeq for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        self.element(value)
    }
    #[inline]
    fn end(mut self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeTuple for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        self.element(value)
    }
    #[inline]
    fn end(mut self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeTupleStruct for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        self.element(value)
    }
    #[inline]
    fn end(mut self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeMap for Compound<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    #[inline]
    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), SerFault> {
        let key = self.map_key(key)?;
        self.value(key, value)
    }
    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerFault> {
        self.key = Some(self.map_key(key)?);
        Ok(())
    }
    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        // A value without a key is a broken Serialize implementation.
        let key = self.key.take().ok_or_else(|| Fault::new(Reason::Refused))?;
        self.value(key, value)
    }
    #[inline]
    fn end(mut self) -> Result<(), SerFault> {
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

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), SerFault> {
        self.field(key, value)
    }
    #[inline]
    fn end(mut self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeTupleVariant for Variant<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerFault> {
        self.part(|body| body.element(value))
    }
    fn end(self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

impl SerializeStructVariant for Variant<'_, '_> {
    type Ok = ();
    type Error = SerFault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), SerFault> {
        self.part(|body| body.field(key, value))
    }
    fn end(self) -> Result<(), SerFault> {
        self.finish();
        Ok(())
    }
}

//! The change between two objects: shallow, by key, in the shape `{ before, after, diff }`.

use crate::{
    mask::Mask,
    payload::{Entries, Fault, Payload, Reason, Rules, Walk, same},
};

/// Two states of one thing: the data of an event that says what changed.
pub(crate) struct Change<'c> {
    pub(crate) before: Option<Box<dyn Payload + 'c>>,
    pub(crate) after: Option<Box<dyn Payload + 'c>>,
}

impl Payload for Change<'_> {
    /// Appends `{"before":…,"after":…,"diff":…}`, masked. The comparison is made on the values as they are, so that a
    /// changed secret shows as changed; its entry is the mask's value whole.
    fn write(&self, out: Vec<u8>, rules: Rules<'_>) -> Result<Vec<u8>, Fault> {
        let before = plain(self.before.as_deref(), "before", rules.limit)?;
        let after = plain(self.after.as_deref(), "after", rules.limit)?;
        write(&before, &after, Walk::new(out, rules))
    }
}

/// A state's text, checked and not masked; it never leaves this module.
fn plain(state: Option<&dyn Payload>, name: &'static str, limit: usize) -> Result<String, Fault> {
    let written = || {
        let state = state.ok_or_else(|| Fault::new(Reason::Missing))?;
        let text = state.write(Vec::new(), Rules { mask: &Mask::none(), limit })?;
        // A walk writes only whole `str`s and ASCII.
        String::from_utf8(text).map_err(|_| Fault::new(Reason::NotJson))
    };
    written().map_err(|fault: Fault| fault.of(name))
}

fn write(before: &str, after: &str, mut walk: Walk<'_>) -> Result<Vec<u8>, Fault> {
    walk.open(b'{')?;
    walk.member("before", before, true)?;
    walk.member("after", after, false)?;
    let key = walk.key("diff", false)?;
    entries(before, after, &mut walk).map_err(|fault| walk.under(key, fault))?;
    walk.close(b'}');
    walk.finish()
}

/// `{"key":entry,…}` for what differs.
fn entries(before: &str, after: &str, walk: &mut Walk<'_>) -> Result<(), Fault> {
    walk.open(b'{')?;
    let (old, new) = (Entries::of(before)?, Entries::of(after)?);
    let (old_by_key, new_by_key) = (old.by_key(), new.by_key());
    let removed_or_kept = old.iter().map(|(key, was)| (key, Some(was), new_by_key.get(key).copied()));
    let added = new.iter().filter(|(key, _)| !old_by_key.contains_key(key)).map(|(key, is)| (key, None, Some(is)));
    let mut first = true;
    for (key, was, is) in removed_or_kept.chain(added) {
        if let (Some(was), Some(is)) = (was, is)
            && same(was, is)?
        {
            continue;
        }
        let key = walk.key(key, first)?;
        first = false;
        if key.masked {
            walk.hidden()?;
        } else {
            entry(was, is, walk).map_err(|fault| walk.under(key, fault))?;
        }
    }
    walk.close(b'}');
    Ok(())
}

/// `{"before":…,"after":…}`, a side that does not exist being left out.
fn entry(was: Option<&str>, is: Option<&str>, walk: &mut Walk<'_>) -> Result<(), Fault> {
    walk.open(b'{')?;
    if let Some(was) = was {
        walk.member("before", was, true)?;
    }
    if let Some(is) = is {
        walk.member("after", is, was.is_none())?;
    }
    walk.close(b'}');
    Ok(())
}

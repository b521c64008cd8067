//! What an event in JSON text must come to, by the rules as the documentation states them.

use tracevault::{
    Mode, Record,
    time::{Duration, OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339},
    uuid::Uuid,
};

use crate::{
    door::{ENVIRONMENT, MASK},
    members::Members,
    tree::{Tree, hides},
};

#[derive(Debug)]
pub struct Expected {
    id: Option<Uuid>,
    event: String,
    actor: Option<(String, String)>,
    target: Option<(String, String)>,
    data: Option<Tree>,
    meta: Option<Tree>,
    correlation_id: Option<String>,
    request_id: Option<String>,
    occurred_at: Option<OffsetDateTime>,
    mode: Mode,
}

const HEAD: [&str; 9] = ["event", "id", "actor", "target", "meta", "correlationId", "requestId", "occurredAt", "mode"];

impl Expected {
    /// Of an event; `None`: it must be refused.
    pub fn of_event(text: &str) -> Option<Self> {
        let known = [&HEAD[..], &["data"]].concat();
        let members = Members::only(text, &known)?;
        let data = match members.optional("data") {
            Some(data) => Some(payload(data)?),
            None => None,
        };
        Self::of(&members, data)
    }

    /// Of a change; `None`: it must be refused.
    pub fn of_change(text: &str) -> Option<Self> {
        let known = [&HEAD[..], &["before", "after"]].concat();
        let members = Members::only(text, &known)?;
        let data = change(&Tree::of(members.get("before")?)?, &Tree::of(members.get("after")?)?)?;
        Self::of(&members, Some(data))
    }

    fn of(members: &Members<'_>, data: Option<Tree>) -> Option<Self> {
        let event = text(members.get("event")?, 255)?;
        if event.trim().is_empty() || event.contains(['\n', '\r', '\t']) {
            return None;
        }
        let optional = |name| members.optional(name);
        Some(Self {
            id: present(optional("id"), |raw| Uuid::parse_str(&serde_json::from_str::<String>(raw).ok()?).ok())?,
            event,
            actor: present(optional("actor"), party)?,
            target: present(optional("target"), party)?,
            data,
            meta: present(optional("meta"), payload)?,
            correlation_id: present(optional("correlationId"), id)?,
            request_id: present(optional("requestId"), id)?,
            occurred_at: present(optional("occurredAt"), instant)?,
            mode: present(optional("mode"), mode)?.unwrap_or_default(),
        })
    }

    /// Whether the event may be refused for its size.
    pub fn may_be_too_large(&self, input: usize) -> bool {
        [&self.data, &self.meta].into_iter().flatten().any(|payload| payload.may_be_too_large(input))
    }

    pub fn assert_is(&self, record: &Record) {
        assert!(self.id.is_none_or(|id| id == record.id()));
        assert_eq!(self.event, record.event());
        let party = |id: Option<&str>, kind: Option<&str>| Some((id?.to_owned(), kind?.to_owned()));
        assert_eq!(self.actor, party(record.actor_id(), record.actor_type()));
        assert_eq!(self.target, party(record.target_id(), record.target_type()));
        assert_eq!(self.correlation_id.as_deref(), record.correlation_id());
        assert_eq!(self.request_id.as_deref(), record.request_id());
        assert!(self.occurred_at.is_none_or(|at| at == record.occurred_at()));
        assert_eq!(self.mode, record.mode());
        assert_eq!(record.environment(), Some(ENVIRONMENT));
        // What is read back is JSON within the rules, since the tree has no other.
        for (expected, payload) in [(&self.data, record.data()), (&self.meta, record.meta())] {
            assert_eq!(*expected, payload.map(|text| Tree::of(text).expect("a payload is JSON")));
            assert_eq!(expected.as_ref().map(Tree::spelled).as_deref(), payload);
        }
    }
}

/// Absent, or as the reader says; the outer `None` is a refusal.
fn present<T>(raw: Option<&str>, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    raw.map_or(Some(None), |raw| read(raw).map(Some))
}

fn text(raw: &str, most: usize) -> Option<String> {
    let text: String = serde_json::from_str(raw).ok()?;
    (text.chars().count() <= most && !text.contains('\0')).then_some(text)
}

fn id(raw: &str) -> Option<String> {
    text(raw, 512).filter(|id| !id.is_empty())
}

fn party(raw: &str) -> Option<(String, String)> {
    let members = Members::only(raw, &["id", "type"])?;
    let part = |name| text(members.get(name)?, 512).filter(|part| !part.trim().is_empty());
    Some((part("id")?, part("type")?))
}

fn instant(raw: &str) -> Option<OffsetDateTime> {
    let text: String = serde_json::from_str(raw).ok()?;
    let at = OffsetDateTime::parse(&text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    (at.year() >= 0).then(|| at - Duration::nanoseconds(i64::from(at.nanosecond() % 1_000)))
}

fn mode(raw: &str) -> Option<Mode> {
    match &*serde_json::from_str::<String>(raw).ok()? {
        "sync" => Some(Mode::Sync),
        "async" => Some(Mode::Async),
        _ => None,
    }
}

fn payload(raw: &str) -> Option<Tree> {
    Tree::masked_of(raw).filter(|tree| matches!(tree, Tree::Object(_)))
}

/// `{ before, after, diff }`, masked.
fn change(before: &Tree, after: &Tree) -> Option<Tree> {
    let (old, new) = (before.entries()?, after.entries()?);
    let find = |entries: &[(&str, &Tree)], key: &str| {
        entries.iter().find(|(known, _)| *known == key).map(|(_, value)| Tree::clone(value))
    };
    let mut diff = Vec::new();
    let keys = old.iter().chain(new.iter().filter(|(key, _)| find(&old, key).is_none())).map(|(key, _)| *key);
    for key in keys {
        let (was, is) = (find(&old, key), find(&new, key));
        if let (Some(was), Some(is)) = (&was, &is)
            && was.same(is)
        {
            continue;
        }
        let sides = [("before", was), ("after", is)];
        let sides = sides.into_iter().filter_map(|(name, side)| Some((name.to_owned(), side?.masked())));
        let entry = if hides(key) { Tree::Text(MASK.to_owned()) } else { Tree::Object(sides.collect()) };
        diff.push((key.to_owned(), entry));
    }
    let members =
        [("before", before.clone().masked()), ("after", after.clone().masked()), ("diff", Tree::Object(diff))];
    Tree::Object(members.map(|(name, value)| (name.to_owned(), value)).into()).fits()
}

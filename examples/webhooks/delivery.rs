//! A delivery of GitHub's, and the event that it becomes.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Number, json, value::RawValue};
use tracevault::{Event, uuid::Uuid};

#[derive(Deserialize)]
struct Delivery {
    event: String,
    payload: Box<RawValue>,
}

/// The names by which GitHub's things can be told apart; which of them are there differs from kind to kind.
#[derive(Deserialize)]
struct Thing {
    full_name: Option<String>,
    login: Option<String>,
    id: Option<Number>,
    node_id: Option<String>,
    number: Option<Number>,
    r#type: Option<String>,
}

impl Thing {
    fn name(self) -> Option<String> {
        let numbers = |number: Number| number.to_string();
        self.full_name.or(self.login).or(self.id.map(numbers)).or(self.node_id).or(self.number.map(numbers))
    }
}

/// The event of a line, or why there is none. Its id is made of the line: a delivery that comes again is stored once.
pub(crate) fn event(line: &str, number: usize) -> Result<Event<'static>, String> {
    let malformed =
        |error: serde_json::Error| format!("column {} is not {{\"event\": text, \"payload\": {{…}}}}", error.column());
    let Delivery { event: name, payload } = serde_json::from_str(line).map_err(malformed)?;
    // One level only: the payload itself is passed on as it is spelled, so that no number is rounded.
    let members: HashMap<String, &RawValue> =
        serde_json::from_str(payload.get()).map_err(|_| "`payload` must be an object")?;
    let thing = |key: &str| -> Option<Thing> { serde_json::from_str(members.get(key)?.get()).ok() };

    let target = keys(&name).find_map(|(key, kind)| Some((thing(key)?.name()?, kind.to_owned())));
    let actor = thing("sender").and_then(|mut sender| {
        let kind = sender.r#type.take().map_or_else(|| "user".to_owned(), |kind| kind.to_lowercase());
        Some((sender.name()?, kind))
    });

    let mut event = Event::new(name)
        .id(Uuid::new_v5(&Uuid::NAMESPACE_OID, line.as_bytes()))
        .meta(json!({ "source": "github", "line": number }));
    if let Some((id, kind)) = actor {
        event = event.actor(id, kind);
    }
    if let Some((id, kind)) = target {
        event = event.target(id, kind);
    }
    Ok(event.data(payload))
}

/// Where the subject of an event may stand in its payload, and what type it then is of: `github.issues.opened` is about
/// `issue`, `github.issue_comment.created` about `comment`, and what is about nothing else, about its repository.
fn keys(event: &str) -> impl Iterator<Item = (&str, &str)> {
    let subject = event.split('.').nth(1).unwrap_or_default();
    let one = subject.strip_suffix('s').filter(|one| *one != "statu").unwrap_or(subject);
    let last = subject.rsplit('_').next().unwrap_or_default();
    let fallbacks = ["repository", "organization", "installation"];
    [(subject, subject), (one, one), (last, subject)]
        .into_iter()
        .chain(fallbacks.map(|key| (key, key)))
        .chain([("sender", "account")])
}

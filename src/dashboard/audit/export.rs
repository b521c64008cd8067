//! All that a list holds, as a file: written while it is read, so that it may be of any length.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::{TryStreamExt as _, stream};
use http::{HeaderValue, header};
use uuid::Uuid;

use super::{
    ask::{AuditAsk, AuditAsked},
    csv,
    explorer::Audit,
    page::may_export,
    view::View,
};
use crate::{
    dashboard::{problem::Problem, site::Site, visit::Visit},
    query::{AuditRecord, Records},
};

/// About how many bytes are sent at once.
const CHUNK: usize = 32 * 1024;

type Asking = Result<AuditAsked, Problem>;

pub(super) async fn csv(State(site): State<Arc<Site>>, visit: Visit, asked: Asking) -> Result<Response, Problem> {
    export(&site, &visit, asked?, View::Csv).await
}

pub(super) async fn ndjson(State(site): State<Arc<Site>>, visit: Visit, asked: Asking) -> Result<Response, Problem> {
    export(&site, &visit, asked?, View::Ndjson).await
}

async fn export(site: &Site, visit: &Visit, asked: AuditAsked, view: View) -> Result<Response, Problem> {
    let audit = Audit::of(site)?;
    may_export(visit)?;
    for page_only in ["cursor", "limit"] {
        if asked.get(page_only).is_some() {
            return Err(Problem::parameter(
                page_only,
                "is not a parameter here: all is exported that the filter finds",
            ));
        }
    }
    let ask = AuditAsk::of(asked)?;
    let mut writer = Writer { records: audit.query.stream(ask.filters.clone()), view, told: None };
    // What fails at once is an answer, rather than a broken file.
    let mut first = Vec::new();
    if view == View::Csv {
        csv::head(&mut first);
    }
    let more = writer.fill(&mut first).await?;
    writer.told = Some(audit.tell(&visit.viewer, view, ask.told(), None).await?);
    let first = stream::once(async { Ok(Bytes::from(first)) });
    let rest = stream::try_unfold(more.then_some(writer), async |writer| {
        let Some(mut writer) = writer else { return Ok(None) };
        let mut chunk = Vec::new();
        // The body breaks off where reading does, so that nobody takes the part for the whole.
        let more = writer.fill(&mut chunk).await.inspect_err(|error| {
            tracing::warn!(%error, "an export of audit events broke off");
        })?;
        Ok::<_, crate::Error>(Some((Bytes::from(chunk), more.then_some(writer))))
    });
    let body = Body::from_stream(futures_util::StreamExt::chain(first, rest));
    let (kind, file) = match view {
        View::Csv => ("text/csv; charset=utf-8; header=present", "attachment; filename=\"audit.csv\""),
        _ => ("application/x-ndjson; charset=utf-8", "attachment; filename=\"audit.ndjson\""),
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(file)),
    ];
    Ok((headers, body).into_response())
}

struct Writer {
    records: Records,
    view: View,
    /// The event that tells of this export came after the question, and is no part of the answer.
    told: Option<Uuid>,
}

impl Writer {
    /// Writes the next records, about a chunk of them; whether there may be more.
    async fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool, crate::Error> {
        while out.len() < CHUNK {
            match self.records.try_next().await? {
                None => return Ok(false),
                Some(record) if Some(record.id) == self.told => {}
                Some(record) => self.write(out, &record),
            }
        }
        Ok(true)
    }

    fn write(&self, out: &mut Vec<u8>, record: &AuditRecord) {
        if self.view == View::Csv {
            csv::record(out, record);
        } else {
            // A record that was read can be written, and a Vec takes it.
            let _ = serde_json::to_writer(&mut *out, record);
            out.push(b'\n');
        }
    }
}

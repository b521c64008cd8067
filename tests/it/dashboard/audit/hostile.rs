//! Text that means harm is text.

use crate::dashboard::kit::encoded;
use serde_json::json;
use tracevault::{DiffEvent, Event, dashboard::Viewer};

use super::{Stand, parts};

const SCRIPT: &str = "<script>alert(1)</script>";
const BREAKOUT: &str = "\"'><img src=x onerror=alert(1)>";

#[tokio::test]
async fn hostile_text_is_inert_wherever_it_is_shown() {
    let stand = Stand::seen_by("audit_hostile", Viewer::full(SCRIPT)).await;
    let id = stand
        .emit(
            Event::new(SCRIPT)
                .actor(BREAKOUT, SCRIPT)
                .target(SCRIPT, BREAKOUT)
                .request_id(BREAKOUT)
                .correlation_id(SCRIPT)
                .data(json!({ SCRIPT: BREAKOUT, "outcome": BREAKOUT, "severity": SCRIPT, "</pre>": { BREAKOUT: 1 } }))
                .meta(json!({ BREAKOUT: SCRIPT })),
        )
        .await;
    let changed = stand
        .emit(
            DiffEvent::new(BREAKOUT)
                .target(SCRIPT, BREAKOUT)
                .before(json!({ SCRIPT: BREAKOUT, "same": SCRIPT }))
                .after(json!({ SCRIPT: SCRIPT, "same": SCRIPT, BREAKOUT: 1 })),
        )
        .await;
    let (script, breakout) = (encoded(SCRIPT), encoded(BREAKOUT));
    for path in [
        "/audit".to_owned(),
        format!("/audit/{id}"),
        format!("/audit/{changed}"),
        format!("/audit/actor?actor={breakout}&actor-type={script}"),
        format!("/audit/target?target={script}&target-type={breakout}"),
        format!("/audit?event={script}&outcome={breakout}&q=actor:%22x%22"),
        format!("/audit?q={script}"),
        format!("/audit?q=event:{breakout}{script}"),
        format!("/audit?{breakout}={script}"),
        format!("/audit?cursor={breakout}"),
        format!("/audit/{script}"),
    ] {
        let page = stand.get(&path).await;
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        // Every quote of it is an entity, so that it ends no attribute either.
        for harm in ["<script>alert", "<img", "\"'><", "</pre>\""] {
            assert!(!page.text.contains(harm), "{path}: {harm}");
        }
        let silent = page.status == http::StatusCode::NOT_FOUND || path.contains("cursor=");
        assert!(silent || page.text.contains("alert(1)"), "{path}: it is shown");
    }
    let page = stand.get(&format!("/audit/{id}")).await.text;
    assert_eq!(parts(&page, "audit-title"), [SCRIPT]);
    let json = stand.get(&format!("/api/audit/{id}")).await;
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.json()["data"][SCRIPT], BREAKOUT);
    stand.drop().await;
}

/// A reader of RFC 4180.
pub fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(one) = chars.next() {
        match (one, quoted) {
            ('"', true) if chars.next_if_eq(&'"').is_some() => cell.push('"'),
            ('"', _) => quoted = !quoted,
            (',', false) => line.push(std::mem::take(&mut cell)),
            ('\r', false) => {
                assert_eq!(chars.next(), Some('\n'));
                line.push(std::mem::take(&mut cell));
                lines.push(std::mem::take(&mut line));
            }
            _ => cell.push(one),
        }
    }
    assert!(cell.is_empty() && line.is_empty() && !quoted, "it ends with a line");
    lines
}

#[tokio::test]
async fn a_spreadsheet_sees_no_formula() {
    let stand = Stand::new("audit_formula").await;
    let texts = ["=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(\"http://x\",\"y\")", "plain, \"quoted\"", "a\r\nb"];
    for text in texts {
        stand.emit(Event::new("e").actor(text, "user")).await;
    }
    stand.emit(Event::new("e").actor("\tx", "\ry")).await;
    let text = stand.get("/audit/export.csv").await.text;
    let lines = csv(&text);
    assert_eq!(lines[0][4], "actorId");
    let mut actors: Vec<_> = lines[1..].iter().map(|line| line[4].as_str()).collect();
    actors.sort_unstable();
    let mut expected =
        ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'=HYPERLINK(\"http://x\",\"y\")", "plain, \"quoted\"", "a\r\nb", "'\tx"];
    expected.sort_unstable();
    assert_eq!(actors, expected);
    assert!(text.contains(",\"'=1+1\","), "quoted: {text}");
    for line in &lines {
        assert_eq!(line.len(), 17);
        for cell in line {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
    }
    stand.drop().await;
}

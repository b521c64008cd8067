//! What is stored is text, whatever it looks like.

use super::page;
use crate::dashboard::kit::{board, encoded};

#[tokio::test]
async fn hostile_text_is_text_on_every_page() {
    let (site, app) = board("page_hostile").await;
    let bad = "<script>alert(1)</script>\"onmouseover=x'{{7*7}}";
    let sql = bad.replace('\'', "''");
    site.run(&format!(
        "UPDATE \"@\" SET method = '{sql}', route = '/{sql}', rollup_route = NULL, original_url = '/{sql}', user_id = '{sql}', \
         user_name = '{sql}', user_email = '{sql}', session_id = '{sql}', ip = '{sql}', user_agent = '{sql}', \
         request_id = '{sql}', status_code = 503"
    ))
    .await;
    site.roll().await;
    let encoded: String = encoded(bad);
    let id: i64 = site.one("SELECT max(id) FROM \"@\"").await;
    for path in [
        "/board?range=240m".to_owned(),
        format!("/board/live?user={encoded}"),
        format!("/board/routes?range=240m&q={encoded}&sort=count"),
        format!("/board/route?range=240m&method={encoded}&route=%2F{encoded}"),
        format!("/board/users?range=240m&q={encoded}"),
        format!("/board/users/{encoded}?range=240m"),
        format!("/board/errors?range=240m&user={encoded}&method={encoded}&route=%2F{encoded}"),
        format!("/board/requests/{id}"),
    ] {
        let shown = page(&app, &path).await;
        assert!(!shown.text.contains("<script>alert"), "{path}");
        assert!(!shown.text.contains("\"onmouseover"), "{path}");
        assert!(shown.text.contains("&#60;script&#62;alert(1)&#60;/script&#62;&#34;onmouseover=x&#39;"), "{path}");
        // Nothing inline, at all.
        assert!(
            !shown.text.contains(" style=") && !shown.text.contains("<style") && !shown.text.contains("javascript:")
        );
        assert_eq!(
            shown.text.matches("<script").count(),
            shown.text.matches("<script src=").count()
                + shown.text.matches("<script defer src=").count()
                + shown.text.matches("<script type=\"module\" src=").count(),
            "{path}"
        );
    }
    site.drop().await;
}

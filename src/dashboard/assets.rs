//! What pages load: a few files, in the binary, under names that change with what they hold.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use sha2::{Digest, Sha256};

use super::problem::Problem;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal $kind:literal),+ $(,)?) => {
        [$(Asset { name: $name, kind: $kind, bytes: include_bytes!(concat!("assets/", $name)) }),+]
    };
}

static ASSETS: [Asset; 6] = assets![
    "app.css" "text/css; charset=utf-8",
    "app.js" "text/javascript; charset=utf-8",
    "theme.js" "text/javascript; charset=utf-8",
    "uPlot.js" "text/javascript; charset=utf-8",
    "audit.css" "text/css; charset=utf-8",
    "audit.js" "text/javascript; charset=utf-8",
];

/// One for all: they change together, with a release.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for asset in &ASSETS {
        hash.update(asset.bytes);
    }
    hash.finalize().iter().take(4).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
});

/// The path of the assets, behind the base.
pub(super) fn folder() -> String {
    format!("/assets/{}", *VERSION)
}

pub(super) async fn serve(Path((version, name)): Path<(String, String)>) -> Response {
    let found = ASSETS.iter().find(|asset| asset.name == name).filter(|_| version == *VERSION);
    let Some(asset) = found else { return Problem::not_found().into_response() };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable")),
    ];
    (headers, asset.bytes).into_response()
}

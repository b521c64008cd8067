//! A file of any length takes little memory.

use std::{env, fs, process::Command};

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;
use tracevault::dashboard::DashboardBuilder;

use super::Stand;
use crate::{
    kit::{self, Table},
    support::needs,
};

const TABLE: &str = "TRACEVAULT_TEST_EXPORT_TABLE";
const ROWS: u64 = 100_000;

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_long_file_takes_constant_memory() {
    let linux = fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("VmHWM:"));
    if !needs("/proc/self/status", linux, "run on Linux") {
        return;
    }
    let table = Table::new("audit_memory").await;
    let sql = format!(
        "INSERT INTO \"{}\" (id, event, mode, occurred_at, data) SELECT gen_random_uuid(), 'e', 'sync', \
         now() - n * interval '1 ms', jsonb_build_object('n', n, 'text', repeat('x', 900)) \
         FROM generate_series(1, {ROWS}) AS n",
        table.name
    );
    table.sql.batch_execute(&sql).await.unwrap();
    // In a process of its own, since the other tests take memory too.
    let mut reader = Command::new(env::current_exe().unwrap());
    reader.args(["--ignored", "--exact", "--nocapture", "dashboard::audit::memory::exports_in_a_process_of_its_own"]);
    reader.env("TRACEVAULT_TEST_DATABASE_URL", kit::url()).env(TABLE, &table.name);
    let output = tokio::task::spawn_blocking(move || reader.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    table.drop().await;
}

#[tokio::test]
#[ignore = "run by the test of memory, which makes its table"]
async fn exports_in_a_process_of_its_own() {
    // Whoever runs all ignored tests at once gets here without a table.
    let Ok(name) = env::var(TABLE) else { return };
    let table = Table { name, sql: kit::client().await };
    let stand = Stand::with("audit_memory", table, DashboardBuilder::insecure_no_auth).await;
    for warm_up in [true, false] {
        let before = peak();
        for path in ["/board/audit/export.csv", "/board/audit/export.ndjson"] {
            let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
            let response = stand.app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let mut body = response.into_body();
            let (mut lines, mut largest, mut bytes) = (0, 0, 0);
            while let Some(frame) = body.frame().await {
                let data = frame.unwrap().into_data().unwrap();
                lines += data.split(|byte| *byte == b'\n').count() as u64 - 1;
                largest = largest.max(data.len());
                bytes += data.len();
                if warm_up && lines > 2_000 {
                    break;
                }
            }
            assert!(largest < 64 * 1024, "at once: {largest}");
            if !warm_up {
                assert_eq!(lines, ROWS + u64::from(path.ends_with("csv")), "{path}");
                assert!(bytes > 90 * 1024 * 1024, "all of it would take much: {bytes}");
                // The kernel counts in batches, now and then a little backwards.
                let grown = peak().saturating_sub(before);
                assert!(grown < 8 * 1024, "{path}: grew by {grown} KiB");
            }
        }
    }
}

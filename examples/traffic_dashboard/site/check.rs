//! Looks at everything once: what the site serves is on its dashboard.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;

use super::{Options, Told, client::ask};

/// `admin:password`, which are the only ones that are checked.
const CREDENTIALS: &str = "Authorization: Basic YWRtaW46cGFzc3dvcmQ=\r\n";
const BASE: &str = "/traffic-dashboard";

/// Fails with the first thing that is not as it should be.
pub async fn all(address: SocketAddr, options: &Options) -> Told {
    for path in ["/api/products", "/api/error", "/api/users/42", "/api/users/43"] {
        ask(address, path, "X-User-Id: u_1001\r\n").await?;
    }
    let refused = ask(address, BASE, "").await?;
    assert!(refused.starts_with("HTTP/1.1 401"), "nobody looks without credentials");
    let mut seen = Value::Null;
    for _ in 0..100 {
        seen = json(&ask(address, &format!("{BASE}/api/users/u_1001"), CREDENTIALS).await?)?;
        if seen["routes"].as_array().is_some_and(|routes| routes.len() >= 3) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(seen["user"]["name"], "Ann Lee");
    let overview = json(&ask(address, &format!("{BASE}/api/overview"), CREDENTIALS).await?)?;
    let total = overview["totalRequests"].as_u64().unwrap_or_default();
    assert!(total >= if options.demo { 10_000 } else { 4 }, "{total}");
    for page in ["", "/", "/live", "/routes", "/users", "/users/u_1001", "/errors", "/audit"] {
        let answer = ask(address, &format!("{BASE}{page}"), CREDENTIALS).await?;
        assert!(answer.starts_with("HTTP/1.1 200"), "{page}: {}", answer.lines().next().unwrap_or_default());
    }
    println!("Looked at all of it: {total} requests, {} of them failed.", overview["errorRequestCount"]);
    Ok(())
}

fn json(answer: &str) -> Told<Value> {
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    Ok(serde_json::from_str(body)?)
}

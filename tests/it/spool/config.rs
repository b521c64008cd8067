//! What a spool's configuration may say.

use std::time::Duration;

use tracevault::{Config, SpoolConfig, SpoolSync, Tracevault, WhenFull};

use super::Dir;

const URL: &str = "host=127.0.0.1 port=1";

fn refusal(config: Config) -> String {
    Tracevault::new(config).unwrap_err().to_string()
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let dir = Dir::new();
    let with = |spool: SpoolConfig| refusal(Config::new(URL).spool(spool));
    let spool = || SpoolConfig::new(&dir.path);
    assert!(with(SpoolConfig::new("")).contains("spool.dir"));
    assert!(with(spool().segment_bytes(1_000)).contains("spool.segment_bytes"));
    assert!(with(spool().segment_bytes(2 << 30)).contains("spool.segment_bytes"));
    assert!(with(spool().max_bytes(1 << 20)).contains("spool.max_bytes"));
    assert!(with(spool().max_bytes(u64::MAX)).contains("spool.max_bytes"));
    assert!(with(spool().sync_interval(Duration::ZERO)).contains("spool.sync_interval"));
    assert!(with(spool().sync_interval(Duration::from_secs(61))).contains("spool.sync_interval"));
    let spill = Config::new(URL).when_full(WhenFull::Spill);
    assert!(refusal(spill).contains("without a `spool`"));
    assert!(!dir.path.join("lock").exists(), "nothing is made before all is checked");
}

#[tokio::test]
async fn it_is_read_from_a_file() {
    let dir = Dir::new();
    let path = serde_json::to_string(&dir.path).unwrap();
    let text = format!(
        r#"{{ "connectionString": "{URL}", "whenFull": "spill",
             "spool": {{ "dir": {path}, "sync": "interval", "syncIntervalMs": 5, "maxBytes": 1000000, "segmentBytes": 65536 }} }}"#
    );
    let config: Config = serde_json::from_str(&text).unwrap();
    let audit = Tracevault::new(config).unwrap();
    assert_eq!(audit.spool().unwrap().stats().max_bytes, 1_000_000);
    audit.close().await.unwrap();
    for wrong in [r#"{ "dirs": "x" }"#, r#"{ "dir": 1 }"#, r#"{ "dir": "x", "sync": "never" }"#, "[]", "1"] {
        let text = format!(r#"{{ "connectionString": "{URL}", "spool": {wrong} }}"#);
        assert!(serde_json::from_str::<Config>(&text).is_err(), "{wrong}");
    }
    let built = SpoolConfig::new("x").sync(SpoolSync::Os);
    assert!(format!("{built:?}").contains("Os"));
}

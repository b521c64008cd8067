//! A bus of the app's own, and the modes that lack something.

use std::sync::Arc;

use tokio::sync::broadcast;
use tracevault::{
    dashboard::{LiveBus, LiveMode},
    traffic::LiveRow,
};

use super::App;
use crate::{kit::CANARY, traffic::Site};

/// Between processes, rows are text.
struct Wire {
    rows: broadcast::Sender<Arc<[LiveRow]>>,
}

impl LiveBus for Wire {
    fn publish(&self, rows: Arc<[LiveRow]>) {
        let text = serde_json::to_string(&rows).unwrap();
        let _ = self.rows.send(serde_json::from_str::<Vec<LiveRow>>(&text).unwrap().into());
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<[LiveRow]>> {
        self.rows.subscribe()
    }
}

#[tokio::test]
async fn a_bus_brings_what_another_process_stores() {
    let site = Site::new("bus").await;
    let other = tracevault::traffic::Traffic::builder(crate::traffic::pool()).table_name(&site.name).roll_up(false);
    let other = other.build().unwrap();
    let bus: Arc<dyn LiveBus> = Arc::new(Wire { rows: broadcast::channel(8).0 });
    let mode = LiveMode::Custom(bus);
    let one = App::start(&site.traffic, |builder| builder.live_mode(mode.clone())).await;
    let two = App::start(&other, |builder| builder.live_mode(mode.clone())).await;
    let mut events = two.stream("/stream", None).await;
    let (first, second) = (one.request("/1").await, two.request("/2").await);
    assert_eq!([events.id().await, events.id().await], [first, second]);
    let config = one.get("/config", None).await.text().await.unwrap();
    assert!(config.contains(r#""liveMode":"custom""#), "{config}");
    site.drop().await;
}

#[tokio::test]
async fn a_mode_that_lacks_something_is_not_built() {
    let site = Site::new("bus_built").await;
    let builder = || site.traffic.dashboard().insecure_no_auth();
    let secret = format!("host=h password={CANARY}");
    for (builder, reason) in [
        (builder().live_mode(LiveMode::SsePg), "`listen` is missing"),
        (builder().listen("host=h"), "`listen` is for the live mode"),
        (builder().live_mode(LiveMode::SsePg).listen(format!("{secret} nonsense=1")), "`listen` has the key"),
    ] {
        let shown = format!("{builder:?}");
        let error = builder.build().unwrap_err();
        assert!(error.to_string().contains(&reason.replace('`', "")) || error.to_string().contains(reason), "{error}");
        for text in [shown, format!("{error:?}{error}")] {
            assert!(!text.contains(CANARY), "{text}");
        }
    }
    assert!(builder().live_mode("socket-cluster".parse().unwrap()).listen(secret).build().is_ok());
    site.drop().await;
}

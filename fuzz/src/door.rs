//! A root that keeps its records in memory, and the masks that it was given.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tracevault::{
    Config, Durability, Error, Event, Record, Tracevault,
    regex::Regex,
    testing::{self, Recorder},
};

pub const ENVIRONMENT: &str = "fuzz";
/// Small, so that inputs reach it.
pub const LIMIT: usize = 2_048;
pub const MASK: &str = "[REDACTED]";
/// Short, so that inputs meet them; in other scripts, since case is not a matter of ASCII: the Kelvin sign is a `k`.
pub const MASKED: [&str; 4] = ["k", "password", "ÉTAT", "STRASSE"];
pub const PATTERN: &str = "sk_[0-9]+";

pub struct Door {
    pub runtime: Runtime,
    pub audit: Tracevault,
    recorder: Recorder,
}

impl Door {
    /// The one of this process.
    pub fn get() -> &'static Self {
        static DOOR: LazyLock<Door> = LazyLock::new(|| {
            let runtime = Builder::new_current_thread().enable_time().build().unwrap();
            let config = Config::default()
                .environment(ENVIRONMENT)
                .mask_fields(MASKED)
                .mask_patterns([Regex::new(PATTERN).unwrap()])
                .max_payload_bytes(LIMIT);
            let inside = runtime.enter();
            let (audit, recorder) = testing::recorder(config).unwrap();
            drop(inside);
            Door { runtime, audit, recorder }
        });
        &DOOR
    }

    /// Emits to an empty memory, and gives what is in it then.
    pub fn record<'a>(&self, event: impl Into<Event<'a>>) -> Result<Record, Error> {
        self.recorder.clear();
        let receipt = self.runtime.block_on(async {
            let receipt = self.audit.emit(event).await?;
            if receipt.durability == Durability::Queued {
                let drained = self.audit.flush().await?;
                assert_eq!((drained.failed, drained.left), (0, 0));
            }
            Ok::<_, Error>(receipt)
        });
        let mut records = self.recorder.records();
        match receipt {
            Ok(receipt) => {
                assert!(!receipt.duplicate);
                assert_eq!(records.len(), 1);
                let record = records.remove(0);
                assert_eq!(record.id(), receipt.id);
                Ok(record)
            }
            Err(error) => {
                assert!(records.is_empty(), "refused, and stored all the same");
                Err(error)
            }
        }
    }
}

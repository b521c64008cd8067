//! The writer: takes a batch, works it off, and ends when the queue is closed and empty.

use std::{pin::pin, sync::Arc};

use super::{shared::Shared, shift::Shift};

pub(super) async fn run(mut shift: Shift) {
    let shared = Arc::clone(&shift.shared);
    let mut deadline = pin!(shared.deadline());
    let mut company = false;
    loop {
        let work = async {
            if !take(&mut shift, &mut company).await {
                return false;
            }
            shift.work_off().await;
            true
        };
        let more = tokio::select! {
            biased;
            more = work => more,
            () = &mut deadline => false,
        };
        if !more {
            return;
        }
    }
}

/// Takes the next batch into the hand. `false`: the queue is closed, and nothing is left.
async fn take(shift: &mut Shift, company: &mut bool) -> bool {
    let shared = Arc::clone(&shift.shared);
    loop {
        let wake = shared.wake.notified();
        let closed = {
            let state = shared.state();
            if !state.waiting.is_empty() {
                break;
            }
            state.closed.is_some()
        };
        if closed {
            // No other will come that could be stored, and so tell whose fault it is.
            let suspects = std::mem::take(&mut shift.suspects);
            shift.fail_suspects(suspects);
            // So that the next writer ends too.
            shared.wake.notify_one();
            return false;
        }
        if shift.suspects.is_empty() {
            wake.await;
            continue;
        }
        shift.doubt().await;
        // The last of them may have been told meanwhile.
        shift.note(0);
        if !shift.parts.is_empty() || shift.suspects.iter().any(|suspect| suspect.item.promise.vouched) {
            return true;
        }
    }
    shift.deadlines().beside(wait_for_company(&shared, *company)).await;
    let batch = shared.take_batch(shift.writer);
    *company = batch.len() > 1;
    shift.parts.push(batch);
    true
}

/// Lets a batch fill: for the flush interval, while nobody waits for it; else for as long as others are about to emit.
async fn wait_for_company(shared: &Shared, company: bool) {
    if !shared.settings.flush_interval.is_zero() {
        return wait_for_the_interval(shared).await;
    }
    // Callers that were just told of the last batch emit their next events now, if they are let to. A lone one does not
    // wait for others.
    let mut before = shared.state().waiting.len();
    let mut quiet = 0;
    while (company || before > 1) && quiet < 2 && before < shared.settings.batch_size {
        tokio::task::yield_now().await;
        let now = shared.state().waiting.len();
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
    }
}

async fn wait_for_the_interval(shared: &Shared) {
    let filled = async {
        loop {
            let wake = shared.wake.notified();
            {
                let state = shared.state();
                let first = state.waiting.front().map_or(state.accepted, |item| item.promise.number - 1);
                let full = state.waiting.len() >= shared.settings.batch_size;
                if full || state.closed.is_some() || state.urgent_up_to > first {
                    return;
                }
            }
            wake.await;
        }
    };
    // Either way the batch is taken.
    let _ = tokio::time::timeout(shared.settings.flush_interval, filled).await;
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::Handle;

    use super::super::{Queue, Totals};
    use crate::{
        config::Config,
        error::{Error, Task},
        event::Event,
        record::Record,
        store::fake::Fake,
        table::TableName,
    };

    /// A person has to act before it takes one of them; it takes the others.
    fn picky(batch: &[Record]) -> Result<Vec<usize>, Error> {
        let held = batch.iter().any(|record| record.event() == "held");
        let table = TableName::new("audit_logs").unwrap();
        if held { Err(Task::Store(&table).unprepared(String::new())) } else { Ok(Vec::new()) }
    }

    #[tokio::test]
    async fn a_writer_in_a_pause_does_not_take_the_wake_of_another() {
        let settings = Config::default().writers(2).resolve().unwrap().root;
        let store = Fake::store(picky);
        let queue = Queue::start(&settings, &store, &Handle::current(), Totals::default());
        let push = |event| {
            let record = Record::of(&Event::new(event), None, &settings).unwrap();
            assert!(queue.try_offer(record, None).is_ok());
        };
        push("held");
        while queue.stats().held == 0 {
            tokio::task::yield_now().await;
        }
        for stored in 1..=5 {
            push("free");
            let is_stored = async {
                while queue.stats().stored < stored {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let in_time = tokio::time::timeout(Duration::from_secs(5), is_stored).await;
            assert!(in_time.is_ok(), "{:?}", queue.stats());
        }
    }
}

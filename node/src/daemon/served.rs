//! What went out under each lease, added up: a range is much too small to be a command of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::ids::Fence;
use protocol::io::Command;
use serde_json::json;

use super::Life;
use crate::control::timeline::Timeline;
use crate::driver::DriverHandle;
use crate::release::serve::Served;

/// How often the sums are told.
const EVERY: Duration = Duration::from_millis(500);

/// Bytes and files since the last time, by lease.
type Sums = Arc<Mutex<BTreeMap<Fence, (u64, u64)>>>;

/// Begins to add up; tells the core and the timeline until the node closes, and then once more.
pub(super) fn count(driver: DriverHandle, life: &Life) -> Served {
    let sums = Sums::default();
    let (closing, timeline, told) = (life.closing.clone(), life.timeline.clone(), sums.clone());
    life.tasks.spawn(async move {
        loop {
            let closed = tokio::select! {
                () = closing.cancelled() => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            tell(&told, &driver, &timeline).await;
            if closed {
                return;
            }
        }
    });
    Arc::new(move |fence, bytes, files| add(&sums, fence, (bytes, files)))
}

fn add(sums: &Sums, fence: Fence, (bytes, files): (u64, u64)) {
    let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
    let sum = sums.entry(fence).or_default();
    *sum = (sum.0.saturating_add(bytes), sum.1.saturating_add(files));
}

fn take(sums: &Sums) -> BTreeMap<Fence, (u64, u64)> {
    std::mem::take(&mut *sums.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn tell(sums: &Sums, driver: &DriverHandle, timeline: &Timeline) {
    for (fence, (bytes, files)) in take(sums) {
        timeline.note("served", bytes, json!({ "fence": fence.0, "files": files }));
        // A lease that is over has been counted.
        if let Err(error) = driver
            .command(Command::Served {
                fence,
                bytes,
                files,
            })
            .await
        {
            tracing::debug!(%fence, %error, "served bytes are not counted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_by_lease_and_taken_once() {
        let sums = Sums::default();
        add(&sums, Fence(1), (10, 1));
        add(&sums, Fence(2), (5, 0));
        add(&sums, Fence(1), (u64::MAX, 2));
        assert_eq!(
            take(&sums),
            [(Fence(1), (u64::MAX, 3)), (Fence(2), (5, 0))].into()
        );
        assert!(take(&sums).is_empty());
    }
}

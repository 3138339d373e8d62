//! Rows of workers do not pile up.

use cairn_core::WorkerId;
use cairn_core::api::StorageAuthority;

use crate::database::Database;
use crate::world::NOW;

#[tokio::test]
async fn a_worker_that_was_silent_for_a_day_is_forgotten() {
    let database = Database::new().await;
    let storage = database.open().await;
    let worker = |n| WorkerId::from_bytes([n; 16]);
    for (n, at) in [(1, NOW), (2, NOW.plus(1)), (3, NOW.plus(24 * 60 * 60 + 1))] {
        storage.heartbeat(worker(n), at).await.unwrap();
    }
    assert_eq!(database.sql("SELECT count(*) FROM workers"), "2");
    // One that comes back after days.
    storage.heartbeat(worker(2), NOW.plus(7 * 24 * 60 * 60)).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM workers"), "1");
}

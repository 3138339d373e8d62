//! Statements that the server undoes are run again: the races of the contract, in a database whose transactions are
//! serializable, where the loser of a race is undone (40001) instead of made to wait.

use crate::contract::races;
use crate::database::Database;
use crate::world::World;

async fn serializable() -> World {
    let database = Database::new().await;
    let name = database.config().postgres.database;
    database.sql(&format!("ALTER DATABASE {name} SET default_transaction_isolation = serializable"));
    World::new(database.open().await, database)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_validation_wins() {
    races::one_validation_wins(serializable().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_finalization_of_an_order_wins() {
    races::one_finalization_of_an_order_wins(serializable().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_revocation_wins() {
    races::one_revocation_wins(serializable().await).await;
}

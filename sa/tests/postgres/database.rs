//! A database of its own for each story, on a server that all stories share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cairn_core::Period;
use cairn_sa::{Config, Credentials, Engine, OpenError, PostgresStorage};
use cairn_test_env::postgres::{Server, USER};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::world::World;

/// Far longer than anything here takes; it only ends a test that has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Stories at once, each with a few connections, so that the server's own bound is not met.
static STORIES: Semaphore = Semaphore::const_new(8);

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start(&["max_connections=200"]).unwrap());

pub(crate) struct Database {
    name: String,
    _place: SemaphorePermit<'static>,
}

impl Database {
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// `options` of CREATE DATABASE.
    pub(crate) async fn with(options: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let place = STORIES.acquire().await.unwrap();
        let name = format!("story_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        SERVER.create_database(&format!("{name} {options}")).unwrap();
        Self { name, _place: place }
    }

    pub(crate) fn config(&self) -> Config {
        config(&SERVER, &self.name)
    }

    pub(crate) async fn open(&self) -> Arc<PostgresStorage> {
        open(&self.config()).await.unwrap()
    }

    pub(crate) async fn refusal(&self) -> OpenError {
        open(&self.config()).await.err().expect("it should not open")
    }

    /// What another program does to the database.
    pub(crate) fn sql(&self, text: &str) -> String {
        SERVER.sql(&self.name, text).unwrap()
    }

    /// What another role does to it.
    pub(crate) fn sql_as(&self, role: &str, text: &str) -> Result<String, String> {
        SERVER
            .sql(&self.name, &format!("SET SESSION AUTHORIZATION {role}; {text}"))
            .map_err(|error| error.to_string())
    }

    /// Whether the server refuses that for want of a right.
    pub(crate) fn is_denied_to(&self, role: &str, text: &str) -> bool {
        let refusal = self.sql_as(role, text).err().unwrap_or_default();
        refusal.contains("permission denied") || refusal.contains("must be owner")
    }

    /// Another program's connection.
    pub(crate) async fn other_hand(&self) -> PgConnection {
        let options =
            PgConnectOptions::new_without_pgpass().socket(SERVER.socket_folder()).port(SERVER.port());
        options.username(USER).database(&self.name).connect().await.unwrap()
    }
}

/// Few connections, so that a story does not take them from another.
pub(crate) fn config(server: &Server, database: &str) -> Config {
    let mut config = Config { engine: Engine::Postgres, ..Config::default() };
    config.postgres.host = server.socket_folder().to_str().unwrap().to_owned();
    config.postgres.port = server.port();
    config.postgres.database = database.to_owned();
    config.postgres.connections = 4;
    config.postgres.connect_timeout = Period::from_secs(10);
    config
}

pub(crate) async fn open(config: &Config) -> Result<Arc<PostgresStorage>, OpenError> {
    PostgresStorage::open(config, &Credentials::default()).await.map(Arc::new)
}

pub(crate) async fn run(hand: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(hand).await.unwrap();
}

pub(crate) async fn world() -> World {
    let database = Database::new().await;
    World::new(database.open().await, database)
}

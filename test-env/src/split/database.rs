//! The PostgreSQL database of one Cairn: on a server that all of this process's share, or on one of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::invariants;
use crate::postgres::{Server, USER};

/// Room for the services of some ten Cairns.
const SETTINGS: &[&str] = &["max_connections=500"];

/// A database of its own name.
#[derive(Debug)]
pub(super) struct Database {
    own: Option<Server>,
    socket: PathBuf,
    standby: Option<Server>,
    /// The port on 127.0.0.1.
    pub(super) port: u16,
    /// Its name.
    pub(super) name: String,
    connection: String,
}

/// The server for those who do not want one of their own. It ends with the process.
static SHARED: Mutex<Option<Server>> = Mutex::new(None);

impl Database {
    pub(super) fn create(own: bool, standby: bool) -> Result<Self> {
        static CREATED: AtomicU32 = AtomicU32::new(0);
        let name = format!("cairn{}", CREATED.fetch_add(1, Ordering::Relaxed));
        if own {
            let server = Server::start(SETTINGS)?;
            let mut database = Self::on(&server, name)?;
            database.standby = standby.then(|| server.standby()).transpose()?;
            database.own = Some(server);
            return Ok(database);
        }
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *shared {
            Some(server) => Self::on(server, name),
            none => Self::on(none.insert(Server::start(SETTINGS)?), name),
        }
    }

    fn on(server: &Server, name: String) -> Result<Self> {
        server.create_database(&name)?;
        let connection = connection(server, &name);
        let (socket, port) = (server.socket_folder().to_owned(), server.port());
        Ok(Self { own: None, socket, standby: None, port, name, connection })
    }

    /// Where it may be: the standby comes first, so that it must be passed over.
    pub(super) fn hosts(&self) -> String {
        let ports = self.standby.iter().map(Server::port).chain([self.port]);
        ports.map(|port| format!("127.0.0.1:{port}")).collect::<Vec<_>>().join(", ")
    }

    /// The folder of its socket.
    pub(super) fn socket(&self) -> String {
        self.socket.display().to_string()
    }

    /// Makes the standby the primary.
    pub(super) fn promote_standby(&mut self) -> Result<()> {
        let standby = self.standby.take().context("the database has no standby")?;
        standby.promote()?;
        self.port = standby.port();
        self.connection = connection(&standby, &self.name);
        self.own = Some(standby);
        Ok(())
    }

    /// As those see it who look into it from outside.
    pub(super) fn seen_from_outside(&self) -> invariants::Database {
        invariants::Database::Postgres(self.connection.clone())
    }

    /// The server's first process, if it is this Cairn's own.
    pub(super) fn pid(&self) -> Result<Option<u32>> {
        self.own.as_ref().map(Server::pid).transpose()
    }

    /// The server, if it is this Cairn's own.
    pub(super) fn server(&mut self) -> Option<&mut Server> {
        self.own.as_mut()
    }
}

fn connection(server: &Server, name: &str) -> String {
    let (folder, port) = (server.socket_folder().display(), server.port());
    format!("host={folder} port={port} user={USER} dbname={name}")
}

//! What a service manager such as systemd is told: that the server listens, that it is stopping, and that it is alive. The protocol is
//! sd_notify(3): a datagram to the socket that `NOTIFY_SOCKET` names. Without that variable nobody asks, and nothing is said.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use anyhow::{Context, Result};
use tracing::warn;

use crate::lifecycle::Lifecycle;

/// Who started us, if it wants to hear.
#[derive(Debug)]
pub struct ServiceManager {
    /// Nobody, or where they listen.
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that we are alive.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names. One that cannot be reached is logged and then left alone: no reason not to serve.
    #[must_use]
    pub fn of_the_environment() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|name| {
            let connected = connect(&name).with_context(|| format!("NOTIFY_SOCKET is {}", name.display()));
            connected
                .inspect_err(
                    |error| warn!(error = %format!("{error:#}"), "the service manager cannot be told"),
                )
                .ok()
        });
        let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
        // The variable may be meant for another process that has it from the same parent.
        let meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| meant).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// Everything listens. From now on it also hears that we are alive, until all work has ended.
    pub fn ready(&self, lifecycle: &Lifecycle) {
        self.say("READY=1");
        let (Some(every), Some(socket)) = (self.watchdog, &self.socket) else { return };
        let Ok(socket) = socket.try_clone() else { return };
        let ended = lifecycle.ended.clone();
        lifecycle.support.spawn(ended.run_until_cancelled_owned(async move {
            // Twice as often as it must be: one may come late.
            let mut beats = tokio::time::interval(every / 2);
            loop {
                beats.tick().await;
                tell(&socket, "WATCHDOG=1");
            }
        }));
    }

    /// The server finishes what it has begun.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, what: &str) {
        if let Some(socket) = &self.socket {
            tell(socket, what);
        }
    }
}

fn tell(socket: &UnixDatagram, what: &str) {
    if let Err(error) = socket.send(what.as_bytes()) {
        warn!(%error, what, "the service manager was not told");
    }
}

/// A socket by its path, or behind `@` by its abstract name.
fn connect(name: &OsStr) -> Result<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    };
    let connected = |address: SocketAddr| -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        // A manager that does not listen must not hold the server up.
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address)?;
        Ok(socket)
    };
    address.and_then(connected).context("cannot connect")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut said = [0; 64];
        let length = socket.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..length]).into_owned()
    }

    fn manager(name: &OsStr, watchdog: Option<Duration>) -> ServiceManager {
        ServiceManager { socket: Some(connect(name).unwrap()), watchdog }
    }

    #[tokio::test]
    async fn a_manager_hears_of_the_start_that_we_live_and_of_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let lifecycle = Lifecycle::default();
        let manager = manager(path.as_os_str(), Some(Duration::from_millis(2)));
        manager.ready(&lifecycle);
        let said = tokio::task::spawn_blocking(move || [heard(&socket), heard(&socket), heard(&socket)]);
        assert_eq!(said.await.unwrap(), ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);

        lifecycle.ended.cancel();
        lifecycle.support.close();
        lifecycle.support.wait().await;
    }

    #[test]
    fn a_manager_with_an_abstract_name_is_found() {
        let name = format!("cairn-test-{}", process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        manager(OsStr::new(&format!("@{name}")), None).stopping();
        assert_eq!(heard(&socket), "STOPPING=1");
    }

    #[test]
    fn where_nobody_listens_nothing_is_said() {
        assert!(connect(OsStr::new("/nowhere/notify")).is_err());
        ServiceManager { socket: None, watchdog: None }.stopping();
    }
}

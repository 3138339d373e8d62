//! The socket by which operators on this machine reach the registration authority of this process. Who may open the file may do
//! everything that `cairn admin` does.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use cairn_proto::administration_server;
use cairn_proto::transport::serve_locally;
use cairn_ra::Ra;
use cairn_sa::Engine;
use tokio::net::UnixListener;
use tracing::warn;

use crate::config::Config;
use crate::lifecycle::Lifecycle;

/// The socket's name in a data directory.
const FILE: &str = "admin.sock";

/// For the server's own user, and for root.
const MODE: u32 = 0o600;

/// Where the socket of a server with this configuration is, if it has one.
#[must_use]
pub fn socket(config: &Config) -> Option<PathBuf> {
    let in_data_dir = || match config.sa.engine {
        Engine::Sqlite => config.data_dir.as_deref().map(socket_in),
        Engine::Postgres => None,
    };
    config.admin.socket.clone().or_else(in_data_dir)
}

/// Where the socket of a server on this data directory is.
#[must_use]
pub fn socket_in(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// A bound socket, before anybody is let in.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Makes the socket at `path`, in the place of one that a killed server left.
    ///
    /// # Errors
    /// If a server answers there, or it cannot be made.
    pub fn bind(path: PathBuf) -> Result<Self> {
        let shown = path.display().to_string();
        let cannot = || {
            format!(
                "cannot make the operators' socket {shown}; name another one, in a folder that exists and with a path shorter than \
                 100 characters, with [admin] socket"
            )
        };
        make_way(&path).with_context(cannot)?;
        // Under another name until nobody else can open it.
        let mut name = path.clone().into_os_string();
        name.push(".new");
        let unfinished = PathBuf::from(name);
        make_way(&unfinished).with_context(cannot)?;
        let listener = UnixListener::bind(&unfinished).with_context(cannot)?;
        fs::set_permissions(&unfinished, Permissions::from_mode(MODE)).with_context(cannot)?;
        fs::rename(&unfinished, &path).with_context(cannot)?;
        Ok(Self { listener, path })
    }

    /// Lets operators ask `ra` until the process stops, and removes the socket then.
    pub fn open(self, ra: Arc<Ra>, lifecycle: &Lifecycle) {
        let Self { listener, path } = self;
        serve_locally(listener, administration_server(ra), lifecycle.stopping.clone(), &lifecycle.work);
        let stopping = lifecycle.stopping.clone();
        lifecycle.work.spawn(async move {
            stopping.cancelled().await;
            if let Err(error) = fs::remove_file(&path) {
                warn!(path = %path.display(), %error, "cannot remove the operators' socket");
            }
        });
    }
}

/// Removes a socket at which nobody answers any more.
fn make_way(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => bail!("{} is there and no socket", path.display()),
        Ok(_) if UnixStream::connect(path).is_ok() => bail!("another server answers at {}", path.display()),
        Ok(_) => Ok(fs::remove_file(path)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_a_killed_server_left_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = socket_in(folder.path());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let door = Door::bind(path.clone()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        let refused = format!("{:#}", Door::bind(path.clone()).unwrap_err());
        assert!(refused.contains("another server answers"), "{refused}");
        drop(door);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        let refused = format!("{:#}", Door::bind(path).unwrap_err());
        assert!(refused.contains("no socket"), "{refused}");
    }
}

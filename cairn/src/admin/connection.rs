//! The way from `cairn admin` to a registration authority: the socket of a server on this machine, or mTLS with the certificate of the
//! role `admin`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use cairn_core::api::Administration;
use cairn_core::api::admin::Operator;
use cairn_core::time::SystemClock;
use cairn_core::{Error, ErrorKind, SystemRandom};
use cairn_proto::transport::LocalChannel;
use cairn_proto::{RemoteAdministration, Role};

use crate::cli::admin::ServerArgs;
use crate::config::Config;
use crate::lifecycle::Lifecycle;
use crate::operators;
use crate::peers::Peers;

/// Who the person is, where nothing else says it.
const USER_VARIABLES: [&str; 3] = ["SUDO_USER", "USER", "LOGNAME"];

/// A registration authority, and the operator who asks it.
pub(super) struct Connection {
    pub(super) ra: Arc<dyn Administration>,
    pub(super) operator: Operator,
    /// Holds what a connection over the network lives on.
    _lifecycle: Lifecycle,
}

impl Connection {
    /// Connects as the options say.
    pub(super) async fn open(args: &ServerArgs) -> Result<Self> {
        let operator = operator(args.operator.as_ref())?;
        let lifecycle = Lifecycle::default();
        let ra: Arc<dyn Administration> = match way(args)? {
            Way::Socket(path) => {
                let channel = LocalChannel::connect(&path).await;
                Arc::new(RemoteAdministration::new(channel.map_err(|error| no_socket(&path, &error))?))
            }
            Way::Network(config) => {
                let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
                let peers = Peers::new(config.internal, clock, random, lifecycle.clone());
                Arc::new(RemoteAdministration::new(peers.channel(Role::Admin, Role::Ra)?))
            }
        };
        Ok(Self { ra, operator, _lifecycle: lifecycle })
    }
}

enum Way {
    Socket(PathBuf),
    Network(Box<Config>),
}

fn way(args: &ServerArgs) -> Result<Way> {
    if let Some(socket) = &args.socket {
        return Ok(Way::Socket(socket.clone()));
    }
    let file = args
        .config
        .as_deref()
        .context("name the server's configuration with --config, or its socket with --socket")?;
    let config = Config::read(file)?;
    let elsewhere = !config.internal.ra.addresses.is_empty();
    match operators::socket(&config) {
        Some(path) if path.exists() || !elsewhere => Ok(Way::Socket(path)),
        _ if elsewhere => Ok(Way::Network(Box::new(config))),
        _ => bail!(
            "{} does not say how to reach the registration authority; set socket in [admin], for a server on this machine, or \
             addresses in [internal.ra]",
            file.display()
        ),
    }
}

fn no_socket(path: &Path, error: &io::Error) -> anyhow::Error {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            anyhow!(
                "nobody answers at {path}. Is the server running? `cairn serve` makes this socket when it starts."
            )
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!(
                "{path} lets nobody in but the user that the server runs as; be that user, for example with `sudo -u cairn`"
            )
        }
        _ => anyhow!("cannot connect to {path}: {error}"),
    }
}

fn operator(said: Option<&Operator>) -> Result<Operator> {
    if let Some(operator) = said {
        return Ok(operator.clone());
    }
    let known = USER_VARIABLES.iter().filter_map(|variable| std::env::var(variable).ok());
    known
        .filter_map(|name| name.parse().ok())
        .next()
        .context("nothing says who you are, and the audit log wants to know; say it with --operator NAME")
}

/// What an operator is told of a call that failed.
pub(super) fn told(error: Error) -> anyhow::Error {
    let advice = match error.kind {
        ErrorKind::Unavailable => {
            " Is the server running, and does it let the role admin in? Its log says more."
        }
        ErrorKind::Internal => " The server's log says more.",
        _ => "",
    };
    let chain = error.source.as_ref().map(|source| format!(": {source}")).unwrap_or_default();
    anyhow!("{}{chain}.{advice}", error.detail.trim_end_matches('.'))
}

//! The storage of a process: which engine it is, and what comes with that.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use cairn_core::api;
use cairn_core::time::SystemClock;
use cairn_ra::Orphans;
use cairn_sa::config::{Keep, Postgres};
use cairn_sa::prune::{Prune, keep_pruned};
use cairn_sa::{Credentials, Engine, Measured, NearReads, PostgresStorage, SqliteStorage};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::config::Config;
use crate::hierarchy;
use crate::lifecycle::Lifecycle;
use crate::lock::DirectoryLock;

/// An open storage. The services see none of this, only [`Storage::authority`].
pub enum Storage {
    /// In this process, in a file or in memory.
    Sqlite(Arc<SqliteStorage>),
    /// On a database server.
    Postgres(Arc<PostgresStorage>),
}

impl Storage {
    /// What the services get parts of.
    #[must_use]
    pub fn authority(&self) -> Arc<dyn api::Storage> {
        match self {
            Self::Sqlite(storage) => Arc::new(Measured::new(Arc::clone(storage))),
            Self::Postgres(storage) => Arc::new(Measured::new(Arc::clone(storage))),
        }
    }

    /// What front ends read, where that is not the same: a replica's rows, as far as they are good.
    #[must_use]
    pub fn reads(&self) -> Option<Arc<dyn api::StorageRead>> {
        match self {
            Self::Postgres(storage) if storage.has_replica() => {
                let near = Arc::new(NearReads::new(Arc::clone(storage)));
                Some(Arc::new(Measured::new(near)))
            }
            Self::Sqlite(_) | Self::Postgres(_) => None,
        }
    }

    /// What a registration authority finds in it that nobody is at work on: all, where it is the only one.
    #[must_use]
    pub fn orphans(&self) -> Orphans {
        match self {
            Self::Sqlite(_) => Orphans::All,
            Self::Postgres(_) => Orphans::Silent,
        }
    }

    /// Lets go of what is no longer to be kept, for as long as the process serves.
    pub fn keep_pruned(&self, keep: Keep, lifecycle: &Lifecycle) {
        let storage: Arc<dyn Prune> = match self {
            Self::Sqlite(storage) => storage.clone(),
            Self::Postgres(storage) => storage.clone(),
        };
        let stop = lifecycle.stopping.clone();
        lifecycle.support.spawn(keep_pruned(storage, keep, Arc::new(SystemClock), stop));
    }

    /// Refuses further changes, and waits until those that were begun are stored.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(storage) => storage.close().await,
            Self::Postgres(storage) => storage.close().await,
        }
    }

    /// Opens the storage that `config` names, in a data directory that was taken with [`take_data_dir`].
    ///
    /// # Errors
    /// With what is wrong and what to do.
    pub async fn open(config: &Config, credentials: &Credentials) -> Result<Self> {
        match config.sa.engine {
            Engine::Sqlite => {
                let mut sa = config.sa.clone();
                sa.path = database(config)?;
                let storage = SqliteStorage::open(&sa)
                    .with_context(|| format!("cannot open the database {}", sa.path.display()))?;
                Ok(Self::Sqlite(Arc::new(storage)))
            }
            Engine::Postgres => {
                let storage = PostgresStorage::open(&config.sa, credentials).await?;
                Ok(Self::Postgres(Arc::new(storage)))
            }
        }
    }
}

/// Makes the data directory and takes it for this process, if the storage lies in it. A database server keeps its own lock.
///
/// # Errors
/// If it cannot be made, or another process has it.
pub fn take_data_dir(config: &Config) -> Result<Option<DirectoryLock>> {
    if config.sa.engine != Engine::Sqlite {
        return Ok(None);
    }
    let folder = data_dir(config)?;
    // For the server alone: the database names accounts, their contacts and what they asked for.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the data directory {}", folder.display()))?;
    DirectoryLock::take(folder).map(Some)
}

/// The file of the SQLite database.
///
/// # Errors
/// If there is no data directory.
pub fn database(config: &Config) -> Result<PathBuf> {
    Ok(data_dir(config)?.join(&config.sa.path))
}

/// The data directory, which SQLite needs.
///
/// # Errors
/// If there is none.
pub fn data_dir(config: &Config) -> Result<&Path> {
    config
        .data_dir
        .as_deref()
        .context("is missing; name the folder for the database, for example \"/var/lib/cairn\"")
}

/// Reads the files that the section names.
///
/// # Errors
/// If one cannot be read, or others can read the password.
pub fn credentials(config: &Postgres) -> Result<Credentials> {
    let password = config.password_file.as_deref().map(hierarchy::read_password_file).transpose()?;
    let root = |path: &Path| {
        let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.with_context(|| format!("{} is no PEM", path.display()))?;
        ensure!(!certificates.is_empty(), "there is no certificate in {}", path.display());
        Ok(pem)
    };
    let root_certificate = config.root_certificate.as_deref().map(root).transpose()?;
    Ok(Credentials { password, root_certificate })
}

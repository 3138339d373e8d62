//! Databases as they are named on the command line: `sqlite:PATH` and `postgres://USER@HOST/DATABASE`, never with a password.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};
use cairn_sa::config::{Postgres, Tls};
use url::{Host, Url};

/// A SQLite database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlitePlace(PathBuf);

impl SqlitePlace {
    /// Its file.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for SqlitePlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let path = text.strip_prefix("sqlite:").filter(|path| !path.is_empty());
        path.map(|path| Self(PathBuf::from(path)))
            .context("name the database's file, for example sqlite:/var/lib/cairn/cairn.db")
    }
}

/// A database of a PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresPlace(Box<Postgres>);

impl PostgresPlace {
    /// How it is reached.
    pub(super) fn postgres(&self) -> &Postgres {
        &self.0
    }
}

impl FromStr for PostgresPlace {
    type Err = Error;

    /// What is not said is as in a configuration file.
    fn from_str(text: &str) -> Result<Self> {
        let url = Url::parse(text).ok().filter(|url| ["postgres", "postgresql"].contains(&url.scheme()));
        let url = url.context("name the database as in postgres://cairn@db.example.com:5432/cairn")?;
        ensure!(
            url.password().is_none(),
            "everybody on this machine can read a password on the command line; write it into a file that nobody but its owner can \
             read, and name that with --password-file"
        );
        let mut postgres = Postgres::default();
        match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.clone_into(&mut postgres.host),
            Some(Host::Ipv4(address)) => postgres.host = address.to_string(),
            Some(Host::Ipv6(address)) => postgres.host = address.to_string(),
            _ => {}
        }
        if let Some(port) = url.port() {
            postgres.port = port;
        }
        if !url.username().is_empty() {
            url.username().clone_into(&mut postgres.user);
        }
        if let Some(database) = url.path().strip_prefix('/').filter(|database| !database.is_empty()) {
            database.clone_into(&mut postgres.database);
        }
        for (key, value) in url.query_pairs() {
            match &*key {
                "host" => postgres.host = value.into_owned(),
                "user" => postgres.user = value.into_owned(),
                "port" => postgres.port = value.parse().context("port")?,
                "sslmode" => postgres.tls = tls(&value)?,
                "sslrootcert" => postgres.root_certificate = Some(PathBuf::from(&*value)),
                _ => bail!("{key} is not known; host, port, user, sslmode and sslrootcert are"),
            }
        }
        Ok(Self(Box::new(postgres)))
    }
}

fn tls(word: &str) -> Result<Tls> {
    match word {
        "disable" => Ok(Tls::Disable),
        "require" => Ok(Tls::Require),
        "verify-full" => Ok(Tls::VerifyFull),
        _ => bail!("sslmode is verify-full, require or disable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(text: &str) -> Postgres {
        *text.parse::<PostgresPlace>().unwrap().0
    }

    #[test]
    fn a_url_says_what_a_configuration_says() {
        let full = postgres("postgres://ca@db.example.com:5433/acme?sslmode=require");
        let expected = Postgres {
            host: "db.example.com".to_owned(),
            port: 5433,
            database: "acme".to_owned(),
            user: "ca".to_owned(),
            tls: Tls::Require,
            ..Postgres::default()
        };
        assert_eq!(full, expected);
        assert_eq!(postgres("postgres:"), Postgres::default());
        assert_eq!(postgres("postgresql://ca@[::1]/acme").host, "::1");
        let socket = postgres("postgres:///acme?host=/run/postgresql&user=ca&port=5433");
        assert_eq!((socket.host.as_str(), socket.database.as_str()), ("/run/postgresql", "acme"));
        assert_eq!((socket.user.as_str(), socket.port), ("ca", 5433));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_way_out() {
        for (text, way_out) in [
            ("postgres://ca:secret@db.example.com/acme", "--password-file"),
            ("mysql://db.example.com/acme", "postgres://"),
            ("postgres://db.example.com/acme?sslmode=prefer", "verify-full"),
            ("postgres://db.example.com/acme?password=x", "sslmode"),
        ] {
            let error = text.parse::<PostgresPlace>().unwrap_err().to_string();
            assert!(error.contains(way_out) && !error.contains("secret"), "{error}");
        }
        for text in ["", "sqlite:", "cairn.db"] {
            assert!(text.parse::<SqlitePlace>().is_err(), "{text}");
        }
        assert_eq!("sqlite:/a/b.db".parse::<SqlitePlace>().unwrap().path(), Path::new("/a/b.db"));
    }
}

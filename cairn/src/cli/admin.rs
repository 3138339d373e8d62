//! The command line of `cairn admin`.

pub mod incidents;

use std::path::PathBuf;
use std::str::FromStr;

use cairn_core::api::admin::Operator;
use cairn_core::{RevocationReason, Serial, Thumbprint};

use clap::{Args, Subcommand};

use crate::admin::place::{PostgresPlace, SqlitePlace};

pub use incidents::{IncidentCommand, IssuerCommand, RevokeArgs};

/// What an operator can do besides running servers.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminCommand {
    /// Copy the SQLite database to a file, while the server runs or while it does not
    Backup(BackupArgs),
    /// Put a backup in the place of the SQLite database, while no server runs
    Restore(RestoreArgs),
    /// Look after the database itself
    #[command(subcommand)]
    Db(DbCommand),
    /// Ask a running server about an account, or close one
    #[command(subcommand)]
    Account(AccountCommand),
    /// Ask a running server about an order
    #[command(subcommand)]
    Order(OrderCommand),
    /// Ask a running server about an authorization, or take one away
    #[command(subcommand)]
    Authorization(AuthorizationCommand),
    /// Ask a running server about a certificate, or revoke one
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// Revoke many certificates on a running server: by account, by name, by key, by when they were issued
    ///
    /// Without --yes, they are counted and nothing is done. If it is interrupted, say the same again: what is revoked is passed over.
    Revoke(Box<RevokeArgs>),
    /// Have certificates replaced, and then revoked: begin, look after and end incidents
    #[command(subcommand)]
    Incident(Box<IncidentCommand>),
    /// Have replaced what an issuer has issued
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// Block a key on a running server
    #[command(subcommand)]
    Key(KeyCommand),
    /// Ask a running registration authority how much it is doing
    Status(StatusArgs),
}

/// What can be done with a database.
#[derive(Clone, Debug, Subcommand)]
pub enum DbCommand {
    /// Copy a CA from SQLite into an empty PostgreSQL database, while no server runs
    ///
    /// Every row of every table goes over in one transaction, and is read back and compared before it ends: whoever interrupts a copy
    /// leaves the new database empty, and begins again.
    Copy(CopyArgs),
    /// Bring the database's schema up to date for this version, before any server of it is started
    ///
    /// Servers of the version before go on working meanwhile and afterwards. It runs as the owner of the tables, which is not who
    /// servers should be: --user names it.
    Migrate(MigrateArgs),
    /// Show the schema, the server and the size of the database, and what to do next; servers may run meanwhile
    Status(DbStatusArgs),
    /// Print the SQL that makes roles on PostgreSQL with no more rights than they need
    Roles(RolesArgs),
}

/// Options of `cairn admin backup`.
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The file to make; it must not exist
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// Options of `cairn admin restore`.
#[derive(Args, Clone, Debug)]
pub struct RestoreArgs {
    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The backup
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,

    /// Replace the database that is there; it is kept under another name
    #[arg(long)]
    pub replace: bool,
}

/// Options of `cairn admin db migrate`.
#[derive(Args, Clone, Debug)]
pub struct MigrateArgs {
    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// With PostgreSQL: the role that owns the tables, where servers have another
    #[arg(long, value_name = "ROLE")]
    pub user: Option<String>,

    /// With PostgreSQL: the file with that role's password
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// Options of `cairn admin db status`.
#[derive(Args, Clone, Debug)]
pub struct DbStatusArgs {
    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `cairn admin db roles`.
#[derive(Args, Clone, Debug)]
pub struct RolesArgs {
    /// The server's configuration file, which names the database
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The role that owns the database
    #[arg(long, value_name = "ROLE", default_value = "cairn")]
    pub owner: String,

    /// The role for servers
    #[arg(long, value_name = "ROLE", default_value = "cairn_sa")]
    pub server: String,

    /// The role for who only reads
    #[arg(long, value_name = "ROLE", default_value = "cairn_read")]
    pub reader: String,
}

/// Options of `cairn admin db copy`.
#[derive(Args, Clone, Debug)]
pub struct CopyArgs {
    /// The old database, sqlite:PATH
    #[arg(long, value_name = "sqlite:PATH")]
    pub from: SqlitePlace,

    /// The new database, without a password: postgres://USER@HOST:PORT/DATABASE, or postgres:///DATABASE?host=FOLDER&user=USER for a
    /// socket; with ?sslmode= and ?sslrootcert= as in libpq
    #[arg(long, value_name = "URL", required_unless_present = "to_config", conflicts_with = "to_config")]
    pub to: Option<PostgresPlace>,

    /// With --to: the file with the password; nobody but its owner may be able to read it
    #[arg(long, value_name = "FILE", conflicts_with = "to_config")]
    pub password_file: Option<PathBuf>,

    /// The new database, as the configuration file of a server on PostgreSQL names it
    #[arg(long, value_name = "FILE")]
    pub to_config: Option<PathBuf>,
}

/// How a running server is asked, and how its answer is shown.
#[derive(Args, Clone, Debug)]
pub struct ServerArgs {
    /// The server's configuration file: its socket, or with [internal.ra] addresses the way to it by the certificate of the role admin
    #[arg(long, value_name = "FILE", required_unless_present = "socket")]
    pub config: Option<PathBuf>,

    /// The server's socket, for example cairn-data/admin.sock of `cairn dev`
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub socket: Option<PathBuf>,

    /// Your name in the audit log [default: SUDO_USER, USER or LOGNAME of the environment]
    #[arg(long, value_name = "NAME")]
    pub operator: Option<Operator>,

    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// Commands about accounts.
#[derive(Clone, Debug, Subcommand)]
pub enum AccountCommand {
    /// Show an account
    Show(ShowAccountArgs),
    /// Close an account for good, in the name of the CA: its status is then "revoked". Its certificates stay
    Deactivate(ObjectArgs),
}

/// Options of `cairn admin account show`.
#[derive(Args, Clone, Debug)]
pub struct ShowAccountArgs {
    /// Its id or its URL
    #[arg(value_name = "ID", required_unless_present = "thumbprint", allow_hyphen_values = true)]
    pub id: Option<String>,

    /// The thumbprint of its key (RFC 7638), base64url
    #[arg(long, value_name = "THUMBPRINT", conflicts_with = "id", allow_hyphen_values = true)]
    pub thumbprint: Option<Thumbprint>,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Options of a command about one object.
#[derive(Args, Clone, Debug)]
pub struct ObjectArgs {
    /// Its id or its URL
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub id: String,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Commands about orders.
#[derive(Clone, Debug, Subcommand)]
pub enum OrderCommand {
    /// Show an order and its authorizations
    Show(ObjectArgs),
}

/// Commands about authorizations.
#[derive(Clone, Debug, Subcommand)]
pub enum AuthorizationCommand {
    /// Show an authorization
    Show(ObjectArgs),
    /// Take an authorization away: its account must prove its control of the identifier again
    Deactivate(ObjectArgs),
}

/// Commands about certificates.
#[derive(Clone, Debug, Subcommand)]
pub enum CertificateCommand {
    /// Show a certificate
    Show(ShowCertificateArgs),
    /// Revoke a certificate
    Revoke(RevokeCertificateArgs),
}

/// Options of `cairn admin certificate show`.
#[derive(Args, Clone, Debug)]
pub struct ShowCertificateArgs {
    /// Its serial, hexadecimal; colons and capitals as other tools print them are fine
    pub serial: SerialText,

    /// Show the certificate itself too, PEM
    #[arg(long)]
    pub pem: bool,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Options of `cairn admin certificate revoke`.
#[derive(Args, Clone, Debug)]
pub struct RevokeCertificateArgs {
    /// Its serial, hexadecimal
    pub serial: SerialText,

    /// Why: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn
    #[arg(long, value_name = "REASON", default_value = "unspecified")]
    pub reason: Reason,

    /// Refuse its key from now on, in certificates and in accounts
    #[arg(long)]
    pub block_key: bool,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Commands about keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeyCommand {
    /// Refuse a key from now on, in certificates and in accounts; what has it stays
    Block(KeyArgs),
}

/// Options of `cairn admin key block`.
#[derive(Args, Clone, Debug)]
pub struct KeyArgs {
    /// The SHA-256 of its SubjectPublicKeyInfo, hexadecimal
    #[arg(long, value_name = "HASH", required_unless_present = "file")]
    pub spki_sha256: Option<Sha256Text>,

    /// A file that has it, PEM: a certificate, a public key, or a private key without passphrase
    #[arg(long, value_name = "FILE", conflicts_with = "spki_sha256")]
    pub file: Option<PathBuf>,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Options of `cairn admin status`.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// A serial as people copy it.
#[derive(Clone, Debug)]
pub struct SerialText(pub Serial);

impl FromStr for SerialText {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.replace(':', "").to_ascii_lowercase();
        digits.parse().map(Self).map_err(|_| "a serial is hexadecimal, as `openssl x509 -serial` shows it")
    }
}

/// A SHA-256 as people copy it.
#[derive(Clone, Debug)]
pub struct Sha256Text(pub [u8; 32]);

impl FromStr for Sha256Text {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.replace(':', "").to_ascii_lowercase();
        // 32 octets as a pair of ids of 16: the same strict reading.
        let half = |digits: Option<&str>| digits?.parse::<cairn_core::OrderId>().ok();
        match (half(digits.get(..32)), half(digits.get(32..))) {
            (Some(first), Some(second)) => {
                let mut hash = [0; 32];
                let octets = first.as_bytes().iter().chain(second.as_bytes());
                hash.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
                Ok(Self(hash))
            }
            _ => Err("a SHA-256 has 64 hexadecimal digits"),
        }
    }
}

/// A reason of RFC 5280 §5.3.1, by name or by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(pub Option<RevocationReason>);

impl FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let why_not = match text.to_ascii_lowercase().as_str() {
            "unspecified" | "0" => return Ok(Self(None)),
            "keycompromise" | "1" => return Ok(Self(Some(RevocationReason::KeyCompromise))),
            "affiliationchanged" | "3" => return Ok(Self(Some(RevocationReason::AffiliationChanged))),
            "superseded" | "4" => return Ok(Self(Some(RevocationReason::Superseded))),
            "cessationofoperation" | "5" => return Ok(Self(Some(RevocationReason::CessationOfOperation))),
            "privilegewithdrawn" | "9" => return Ok(Self(Some(RevocationReason::PrivilegeWithdrawn))),
            "cacompromise" | "2" => "is for the certificates of CAs",
            "certificatehold" | "6" => "could be lifted again, and a revocation here is final",
            "removefromcrl" | "8" => "lifts a hold",
            "aacompromise" | "10" => "is for attribute certificates",
            _ => "is none",
        };
        Err(format!(
            "{text} {why_not}; the reasons for a subscriber's certificate are unspecified, keyCompromise, affiliationChanged, \
             superseded, cessationOfOperation and privilegeWithdrawn"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_and_hashes_are_taken_as_other_tools_print_them() {
        let serial: SerialText = "01:AB:CD".parse().unwrap();
        assert_eq!(serial.0.to_string(), "01abcd");
        assert!("1abcd".parse::<SerialText>().is_err());
        let hash: Sha256Text = "0A".repeat(32).parse().unwrap();
        assert_eq!(hash.0, [10; 32]);
        for bad in ["", "0a", &"0g".repeat(32), &"0a".repeat(33), "€"] {
            assert!(bad.parse::<Sha256Text>().is_err(), "{bad}");
        }
    }

    #[test]
    fn reasons_are_those_of_a_subscribers_certificate() {
        for reason in RevocationReason::ALL {
            assert_eq!(reason.code().to_string().parse(), Ok(Reason(Some(reason))));
        }
        assert_eq!("unspecified".parse(), Ok(Reason(None)));
        for (text, why_not) in
            [("cACompromise", "CAs"), ("6", "final"), ("removeFromCRL", "hold"), ("whim", "none")]
        {
            let error = text.parse::<Reason>().unwrap_err();
            assert!(error.contains(why_not) && error.contains("privilegeWithdrawn"), "{error}");
        }
    }
}

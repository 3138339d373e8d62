//! The command line: what can be asked of the binary, and nothing of how it is done.

pub mod admin;
pub mod ca;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use cairn_core::Period;
use cairn_proto::Role;
use cairn_x509::signer::KeySpec;
use clap::{Args, Parser, Subcommand};

use self::admin::AdminCommand;
use self::ca::CaCommand;

/// A self-hosted ACME certificate authority.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole CA for development and tests: one command, nothing to configure
    Dev(Box<DevArgs>),
    /// Run a CA for real use, as its configuration file says
    Serve(ServeArgs),
    /// Say what is wrong in a configuration file, where, and how to mend it
    CheckConfig(CheckConfigArgs),
    /// Make a root and an intermediate for `serve`, and a configuration to start from
    Init(InitArgs),
    /// Hold key ceremonies: an offline root, its intermediates, and what they need for their whole life (docs/CEREMONY.md)
    #[command(subcommand)]
    Ceremony(cairn_ceremony::cli::Command),
    /// Look at the certificates that a CA issues with, ask the people with the root's key for others, and install what they answer
    #[command(subcommand)]
    Ca(CaCommand),
    /// Make and renew the certificates by which services in several processes know each other
    InternalPki {
        /// Which of the two.
        #[command(subcommand)]
        command: InternalPkiCommand,
    },
    /// Look after a CA: backups and more
    #[command(subcommand)]
    Admin(AdminCommand),
}

/// Options of `cairn dev`.
#[derive(Args, Clone, Debug)]
pub struct DevArgs {
    /// Where the hierarchy and the database live; made if it does not exist
    #[arg(long, value_name = "DIR", default_value = "cairn-data")]
    pub data_dir: PathBuf,

    /// Keep nothing: a new hierarchy in memory, gone at the end
    #[arg(long, conflicts_with = "data_dir")]
    pub ephemeral: bool,

    /// Addresses of the ACME API; port 0 takes a free one [default: port 14000 of 127.0.0.1 and ::1]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub listen: Vec<SocketAddr>,

    /// Addresses of the management listener [default: port 15000 of 127.0.0.1 and ::1]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub management: Vec<SocketAddr>,

    /// Addresses where relying parties look up revocations and issuers, over plain HTTP; the first is written into certificates
    /// [default: 127.0.0.1:4002]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub pki: Vec<SocketAddr>,

    /// Address of the fake DNS, UDP and TCP
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::new(LOOPBACK, 8053))]
    pub dns: SocketAddr,

    /// Address of the management API of the fake DNS
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::new(LOOPBACK, 8055))]
    pub dns_management: SocketAddr,

    /// What the fake DNS answers for every name that was not set
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST)]
    pub default_ipv4: Ipv4Addr,

    /// What the fake DNS answers to AAAA questions; without it, that there is no such record
    #[arg(long, value_name = "IP")]
    pub default_ipv6: Option<Ipv6Addr>,

    /// The port where http-01 looks for the client's answer
    #[arg(long, value_name = "PORT", default_value_t = 5002)]
    pub http_port: u16,

    /// The port where tls-alpn-01 looks for the client's answer
    #[arg(long, value_name = "PORT", default_value_t = 5001)]
    pub tls_port: u16,

    /// The port for https redirects of http-01
    #[arg(long, value_name = "PORT", default_value_t = 5003)]
    pub https_port: u16,

    /// A further name or address under which this server will be called
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,

    /// Write the addresses really bound to this file, as JSON, when everything listens
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,

    /// Lifetime of the certificates issued
    #[arg(long, value_name = "TIME", default_value = "90d")]
    pub certificate_lifetime: Period,

    /// How long before its issuance a certificate begins; for short lifetimes, choose less than half of them
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub certificate_backdate: Period,

    /// Issue certificates that TLS servers must staple an OCSP answer to (RFC 7633)
    #[arg(long)]
    pub must_staple: bool,

    /// Have OCSP answers signed by a delegated responder instead of the issuer
    #[arg(long)]
    pub delegated_ocsp: bool,

    /// Keys and lifetimes of a new hierarchy.
    #[command(flatten)]
    pub hierarchy: DevHierarchyArgs,
}

/// Keys and lifetimes of the hierarchy that `cairn dev` makes when there is none.
#[derive(Args, Clone, Debug)]
pub struct DevHierarchyArgs {
    /// The root's key: p256, p384, rsa2048, rsa3072, rsa4096, ed25519, ml-dsa-44, ml-dsa-65 or ml-dsa-87
    #[arg(long, value_name = "KEY", default_value = "p384")]
    pub root_key: KeySpec,

    /// The intermediate's key
    #[arg(long, value_name = "KEY", default_value = "p256")]
    pub intermediate_key: KeySpec,

    /// Lifetime of the root
    #[arg(long, value_name = "TIME", default_value = "10y")]
    pub root_lifetime: Period,

    /// Lifetime of the intermediate
    #[arg(long, value_name = "TIME", default_value = "5y")]
    pub intermediate_lifetime: Period,

    /// How many further roots certify the intermediate too, so that clients are offered alternate chains; at most 7
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub alternate_roots: u8,
}

/// Options of `cairn serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// The configuration file (docs/CONFIG.md)
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The roles to play, of wfe, ra, va, remote-va, ca, sa, pa and pki [default: all but remote-va]
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    pub roles: Vec<Role>,

    /// Addresses of the management listener, instead of those in the configuration file
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub management: Option<Vec<SocketAddr>>,

    /// Write the addresses really bound to this file, as JSON, when everything listens
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// Options of `cairn check-config`.
#[derive(Args, Clone, Debug)]
pub struct CheckConfigArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The roles for which it shall be good, of wfe, ra, va, remote-va, ca, sa, pa and pki [default: all but remote-va]
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    pub roles: Vec<Role>,
}

/// Options of `cairn init`.
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// The organization, as it will stand in the names of root and intermediate
    #[arg(long, value_name = "NAME")]
    pub name: String,

    /// The folder to make
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// The URL under which clients will reach the CA, for the configuration file
    #[arg(long, value_name = "URL", default_value = "https://localhost:14000")]
    pub base_url: String,

    /// The plain-HTTP URL under which relying parties will look up revocations, for certificates [default: none]
    #[arg(long, value_name = "URL")]
    pub pki_url: Option<String>,

    /// Read the passphrase for the root's key from this file instead of making one and printing it
    #[arg(long, value_name = "FILE")]
    pub root_passphrase_file: Option<PathBuf>,

    /// The root's key: p256, p384, rsa2048, rsa3072, rsa4096, ed25519, ml-dsa-44, ml-dsa-65 or ml-dsa-87
    #[arg(long, value_name = "KEY", default_value = "p384")]
    pub root_key: KeySpec,

    /// The intermediate's key
    #[arg(long, value_name = "KEY", default_value = "p256")]
    pub intermediate_key: KeySpec,

    /// Lifetime of the root
    #[arg(long, value_name = "TIME", default_value = "20y")]
    pub root_lifetime: Period,

    /// Lifetime of the intermediate
    #[arg(long, value_name = "TIME", default_value = "5y")]
    pub intermediate_lifetime: Period,
}

/// The subcommands of `cairn internal-pki`.
#[derive(Clone, Debug, Subcommand)]
pub enum InternalPkiCommand {
    /// Make a root and a certificate for each role
    Init(InternalPkiInitArgs),
    /// Replace the certificates that end soon, each with a new key
    Renew(InternalPkiRenewArgs),
}

/// Options of `cairn internal-pki init`.
#[derive(Args, Clone, Debug)]
pub struct InternalPkiInitArgs {
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Lifetime of the roles' certificates
    #[arg(long, value_name = "TIME", default_value = "90d")]
    pub lifetime: Period,

    /// Lifetime of the root
    #[arg(long, value_name = "TIME", default_value = "10y")]
    pub root_lifetime: Period,
}

/// Options of `cairn internal-pki renew`.
#[derive(Args, Clone, Debug)]
pub struct InternalPkiRenewArgs {
    /// The folder that `cairn internal-pki init` made
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,

    /// A role to renew [default: all that have a certificate in the folder]
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',', value_parser = any_role)]
    pub roles: Vec<Role>,

    /// Renew what has less than this left; what cannot be used is always renewed
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub if_within: Period,

    /// Lifetime of the new certificates
    #[arg(long, value_name = "TIME", default_value = "90d")]
    pub lifetime: Period,

    /// The root's key, if it is kept elsewhere [default: root-key.pem in the folder]
    #[arg(long, value_name = "FILE")]
    pub root_key: Option<PathBuf>,

    /// The file with the passphrase of the root's key, if it is encrypted
    #[arg(long, value_name = "FILE")]
    pub root_passphrase_file: Option<PathBuf>,
}

/// Any role, also that of an operator, in which nothing runs.
fn any_role(text: &str) -> Result<Role, String> {
    let role = Role::ALL.into_iter().find(|role| role.name() == text);
    role.ok_or_else(|| format!("the roles are {}", Role::ALL.map(Role::name).join(", ")))
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[cfg(test)]
mod tests {
    use super::*;

    fn renewed(roles: &str) -> Result<Vec<Role>, String> {
        let line = ["cairn", "internal-pki", "renew", "--dir", "pki", "--role", roles];
        match Cli::try_parse_from(line).map_err(|error| error.to_string())?.command {
            Command::InternalPki { command: InternalPkiCommand::Renew(args) } => Ok(args.roles),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn every_role_can_be_renewed_the_operators_too() {
        let all = Role::ALL.map(Role::name).join(",");
        assert_eq!(renewed(&all).unwrap(), Role::ALL);
        assert!(renewed("root").unwrap_err().contains("the roles are wfe, ra,"));
    }

    #[test]
    fn ids_may_begin_with_a_hyphen() {
        for [kind, what] in
            [["account", "show"], ["account", "deactivate"], ["order", "show"], ["authorization", "show"]]
        {
            let line = ["cairn", "admin", kind, what, "-uAbc", "--socket", "admin.sock"];
            assert!(Cli::try_parse_from(line).is_ok(), "{kind} {what}");
        }
    }
}

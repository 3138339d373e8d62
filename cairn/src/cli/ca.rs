//! The command line of `cairn ca`.

use std::path::PathBuf;

use cairn_x509::signer::KeySpec;
use clap::{Args, Subcommand};

/// What can be done with the certificates and keys that a CA issues with.
#[derive(Clone, Debug, Subcommand)]
pub enum CaCommand {
    /// Show each certificate of the hierarchy: where its key is, what it may issue, its chains, and when it must be replaced
    List(ListArgs),
    /// Make a key, and ask the people with the root's key for an intermediate's certificate for it
    RequestIntermediate(Box<RequestIntermediateArgs>),
    /// Ask for the next list of what the root has revoked
    RequestCrl(RequestCrlArgs),
    /// Make a key, and ask for the certificate of an OCSP responder for it
    RequestOcspSigner(RequestOcspSignerArgs),
    /// Check the response of a ceremony to such a request, and put to use what is in it; a running server need not be restarted
    Install(InstallArgs),
    /// Give up a request that was not answered; the key that was made for it is deleted
    Cancel(CancelArgs),
}

/// Options of `cairn ca list`.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// The server's configuration file; the server need not run
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What all requests have.
#[derive(Args, Clone, Debug)]
pub struct RequestArgs {
    /// The name of the request, and of what is installed in the end: lower-case letters, digits and hyphens
    #[arg(value_name = "NAME")]
    pub name: String,

    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The certificate of the CA that shall sign [default: the root, where there is one]
    #[arg(long, value_name = "FILE")]
    pub issuer: Option<PathBuf>,

    /// The file to write the request to; it must not exist [default: NAME-request.txt]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Show the request as a QR code as well, if it fits into one
    #[arg(long)]
    pub qr: bool,
}

/// The name in a certificate that is asked for.
#[derive(Args, Clone, Debug)]
pub struct SubjectArgs {
    /// The common name to ask for
    #[arg(long, value_name = "NAME")]
    pub common_name: String,

    /// The organization to ask for
    #[arg(long, value_name = "NAME")]
    pub organization: Option<String>,

    /// The country to ask for, two letters
    #[arg(long, value_name = "COUNTRY")]
    pub country: Option<String>,
}

/// Options of `cairn ca request-intermediate`.
#[derive(Args, Clone, Debug)]
pub struct RequestIntermediateArgs {
    /// What all requests have.
    #[command(flatten)]
    pub request: RequestArgs,

    /// Its name.
    #[command(flatten)]
    pub subject: SubjectArgs,

    /// The key to make: p256, p384, rsa2048, rsa3072, rsa4096, ed25519, ml-dsa-44, ml-dsa-65 or ml-dsa-87
    #[arg(long, value_name = "KEY", default_value = "p256")]
    pub key: KeySpec,

    /// For how many days to ask
    #[arg(long, value_name = "DAYS", default_value_t = 5 * 365 + 1)]
    pub days: u32,

    /// How many CAs may follow below it; 0 issues leaves only
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub path_length: u8,

    /// For what it, and all below it, may be used: serverAuth, clientAuth, codeSigning, emailProtection, timeStamping, OCSPSigning
    #[arg(
        long = "purpose",
        value_name = "PURPOSE",
        value_delimiter = ',',
        default_value = "serverAuth,clientAuth"
    )]
    pub purposes: Vec<String>,

    /// Domains to which it shall be confined, each with all names below it
    #[arg(long = "permitted-dns", value_name = "DOMAIN", value_delimiter = ',')]
    pub permitted_dns: Vec<String>,

    /// Blocks of addresses to which it shall be confined
    #[arg(long = "permitted-ip", value_name = "BLOCK", value_delimiter = ',')]
    pub permitted_ip: Vec<String>,

    /// The certificate of the intermediate that it will replace
    #[arg(long, value_name = "FILE")]
    pub replaces: Option<PathBuf>,
}

/// Options of `cairn ca request-crl`.
#[derive(Args, Clone, Debug)]
pub struct RequestCrlArgs {
    /// What all requests have.
    #[command(flatten)]
    pub request: RequestArgs,

    /// A certificate to revoke, by its serial number in hexadecimal digits; with a reason behind a `=`: 5f3a…=superseded. Reasons are
    /// caCompromise, affiliationChanged, superseded and cessationOfOperation
    #[arg(long = "revoke", value_name = "SERIAL")]
    pub revoke: Vec<String>,
}

/// Options of `cairn ca request-ocsp-signer`.
#[derive(Args, Clone, Debug)]
pub struct RequestOcspSignerArgs {
    /// What all requests have.
    #[command(flatten)]
    pub request: RequestArgs,

    /// Its name.
    #[command(flatten)]
    pub subject: SubjectArgs,

    /// The key to make
    #[arg(long, value_name = "KEY", default_value = "p256")]
    pub key: KeySpec,

    /// For how many days to ask, a year at most: nobody can revoke it
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub days: u32,
}

/// Options of `cairn ca install`.
#[derive(Args, Clone, Debug)]
pub struct InstallArgs {
    /// The response, as the ceremony has made it
    #[arg(value_name = "RESPONSE")]
    pub response: PathBuf,

    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// The key that signs the records of this root's ceremonies, with its first response: its SHA-256 or its words, from the people who
    /// hold them. It is kept, and all later responses are held to it
    #[arg(long, value_name = "SHA256")]
    pub record_key: Option<String>,

    /// Install also what is wider than, or otherwise than it was asked for
    #[arg(long)]
    pub accept_differences: bool,
}

/// Options of `cairn ca cancel`.
#[derive(Args, Clone, Debug)]
pub struct CancelArgs {
    /// The name of the request
    #[arg(value_name = "NAME")]
    pub name: String,

    /// The server's configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

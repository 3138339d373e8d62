//! `cairn ca`: the certificates and keys that a CA issues with; what it asks of the people who hold its root's key, and how it puts to use
//! what they answer.
//!
//! A request and its response are files ([`cairn_ceremony::bundle`]); nothing here uses a network, or asks a server. What is installed
//! appears in the hierarchy folder (`issuer.folder`), which servers watch.

pub mod folder;
pub mod install;
mod key;
pub mod known;
mod list;
pub mod pending;
pub mod request;

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use cairn_core::SystemRandom;
use cairn_core::time::SystemClock;

use self::folder::Folder;
use self::install::{Installation, Terms};
use self::known::Known;
use self::request::{Asked, Asking};
use crate::cli::ca::{CaCommand, CancelArgs, InstallArgs, RequestArgs};
use crate::config::Config;
use crate::issuers::files;

/// Does what the command line says.
///
/// # Errors
/// What went wrong, and what to do.
pub fn run(command: CaCommand) -> Result<()> {
    match command {
        CaCommand::List(args) => say(&list::list(&args)?),
        CaCommand::RequestIntermediate(args) => ask(&args.request, &Asked::intermediate(&args)?),
        CaCommand::RequestCrl(args) => ask(&args.request, &Asked::crl(&args)?),
        CaCommand::RequestOcspSigner(args) => ask(&args.request, &Asked::ocsp_signer(&args)?),
        CaCommand::Install(args) => install(&args),
        CaCommand::Cancel(args) => cancel(&args),
    }
}

fn ask(args: &RequestArgs, asked: &Asked) -> Result<()> {
    let (folder, known) = open(&args.config)?;
    let out = args.out.clone().unwrap_or_else(|| format!("{}-request.txt", args.name).into());
    let asking = Asking { name: &args.name, issuer: args.issuer.as_deref(), asked, out: &out };
    let request = asking.write(&folder, &known, &SystemClock, &SystemRandom)?;
    let (out, name, config) = (out.display(), &args.name, args.config.display());
    let mut text = format!(
        "{}\nWrote {out}. Take it to the machine with the key of {}, and there:\n\n    \
         cairn-ceremony show-request {out}\n    cairn-ceremony from-request {out} > {name}.toml\n\n\
         Then, here:\n\n    cairn ca install response.txt --config {config}\n\n\
         To give it up: cairn ca cancel {name} --config {config}\n",
        request.head(),
        request.content().issuer.subject,
    );
    if args.qr {
        text.push('\n');
        text.push_str(&cairn_ceremony::qr::code(request.text()).unwrap_or_else(|| {
            format!("The request has {} characters, which is too long for a QR code.", request.text().len())
        }));
        text.push('\n');
    }
    say(&text)
}

fn install(args: &InstallArgs) -> Result<()> {
    let (folder, known) = open(&args.config)?;
    let terms = Terms { record_key: args.record_key.as_deref(), accept_differences: args.accept_differences };
    let response = files::read(&args.response)?;
    let installation = Installation::check(&response, &folder, &known, &terms, &SystemClock)
        .with_context(|| format!("{} was not installed", args.response.display()))?;
    installation.put_in_place()?;
    installation.clean_up()?;
    say(&installation.report())
}

fn cancel(args: &CancelArgs) -> Result<()> {
    let (folder, _) = open(&args.config)?;
    pending::cancel(&folder, &args.name)?;
    say(&format!("The request {} is given up, and its key is deleted.\n", args.name))
}

/// The hierarchy folder, for this process alone, and the certificates that the CA knows.
fn open(config: &Path) -> Result<(Folder, Known)> {
    let issuer = Config::read(config)?.issuer;
    let path = issuer.folder.as_ref().with_context(|| {
        format!(
            "{} names no folder for what is asked for and installed; write folder = \"hierarchy\" into [issuer]",
            config.display()
        )
    })?;
    let folder = Folder::open(path)?;
    let known = Known::read(&issuer, &folder)?;
    Ok((folder, known))
}

fn say(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

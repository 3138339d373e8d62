//! The commands: of `cairn-ceremony`, and of `cairn ceremony`, which are the same.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::rand::SystemRandom;
use clap::{Args, Subcommand};

use crate::bundle::{self, Signed};
use crate::clock::{Clock as _, SystemClock};
use crate::file::{CeremonyFile, Digest, MAX_FILE, Utc};
use crate::keys::passphrase_from_share_files;
use crate::machine::Machine;
use crate::run::{Ceremony, Prepared, RESPONSE_FILE, World, run};
use crate::terminal::{Dialogue, Terminal};
use crate::{examples, show, verify, words};

/// Makes an offline root, its intermediates, and what they need for their whole life. One reviewed file says all that is made; a second
/// one says where things lie on this machine. Nothing here uses a network.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print an example of a ceremony file, or of a machine file, with every field explained
    Example(Example),
    /// Show exactly what a ceremony will make, and how it differs from what it replaces; touches no key
    Plan(Files),
    /// Show what a CA that serves asks for, in a file of `cairn ca request-…`, and check that it is signed
    ShowRequest(Bundle),
    /// Draft the ceremony file that answers such a request, to be changed and reviewed
    FromRequest(Bundle),
    /// Hold a ceremony
    Run(Run),
    /// Check a finished ceremony's folder: record, chain, every file, every certificate
    Verify(Verify),
    /// Recover what opens a key from shares of it; prints the passphrase of the key's file
    Combine(Combine),
    /// Check that shares open a key, and print nothing of it
    Drill(Drill),
}

/// Which example.
#[derive(Debug, Args)]
pub struct Example {
    /// `machine`, or a kind of ceremony: root, intermediate, cross-sign, ocsp-signer, csr, crl, revoke-intermediate, key, rollover-intermediate,
    /// rollover-root
    pub name: String,
}

/// The two files.
#[derive(Debug, Args)]
pub struct Files {
    /// The reviewed ceremony file
    pub ceremony: PathBuf,
    /// The machine file: where things lie here
    #[arg(long, short)]
    pub machine: PathBuf,
}

/// A request of a CA.
#[derive(Debug, Args)]
pub struct Bundle {
    /// The request's file
    pub request: PathBuf,
}

/// How a ceremony is held.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    files: Files,
    /// Use throw-away keys in place of all that exist, and mark all that is made
    #[arg(long)]
    rehearse: bool,
    /// The SHA-256 of the reviewed ceremony file; without it, it is asked for
    #[arg(long, value_name = "SHA256")]
    sha256: Option<String>,
}

/// What is checked.
#[derive(Debug, Args)]
pub struct Verify {
    /// The folder that a ceremony has made
    folder: PathBuf,
    /// The folder of the ceremony before it
    #[arg(long, value_name = "FOLDER")]
    previous: Option<PathBuf>,
}

/// Shares.
#[derive(Debug, Args)]
pub struct Combine {
    /// Files with one share each, as many as are needed
    #[arg(required = true)]
    shares: Vec<PathBuf>,
}

/// A key and shares.
#[derive(Debug, Args)]
pub struct Drill {
    /// The key's file
    #[arg(long)]
    key: PathBuf,
    /// Files with one share each, as many as are needed
    #[arg(required = true)]
    shares: Vec<PathBuf>,
}

/// Runs a command.
///
/// # Errors
/// What went wrong, and what to do.
pub fn execute(command: &Command) -> Result<()> {
    match command {
        Command::Example(example) => print(examples::find(&example.name)?),
        Command::Plan(files) => plan(files),
        Command::ShowRequest(Bundle { request }) => show_request(request),
        Command::FromRequest(Bundle { request }) => print(&bundle::draft(&read_request(request)?)),
        Command::Run(arguments) => hold(arguments),
        Command::Verify(Verify { folder, previous }) => {
            let report = verify::verify(folder, previous.as_deref())?;
            print(&format!("{}\n", report.join("\n")))
        }
        Command::Combine(Combine { shares }) => {
            print(&format!("{}\n", *passphrase_from_share_files(shares)?))
        }
        Command::Drill(Drill { key, shares }) => drill(key, shares),
    }
}

fn plan(files: &Files) -> Result<()> {
    let (text, file, machine) = read(files)?;
    let ceremony = Ceremony { text: &text, file: &file, machine: &machine, rehearsal: false };
    print(&show::show(&Prepared::new(&ceremony)?)?)
}

fn show_request(path: &Path) -> Result<()> {
    let request = read_request(path)?;
    let digest = request.digest();
    print(&format!(
        "{}\n  this file, SHA-256  {digest}\n  the same as words   {}\n\n\
         It is signed by the key of the CA that asks. Compare the words of that key with those that the people who run the CA have \
         told you.\n",
        request.head(),
        words::fingerprint(&digest)
    ))
}

fn read_request(path: &Path) -> Result<Signed<bundle::Request>> {
    let text = read_file(path)?;
    Signed::read(text.as_bytes())
        .with_context(|| format!("{} is no request that can be answered", path.display()))
}

fn hold(arguments: &Run) -> Result<()> {
    let (text, file, machine) = read(&arguments.files)?;
    let mut terminal = Terminal;
    let ceremony = Ceremony { text: &text, file: &file, machine: &machine, rehearsal: arguments.rehearse };
    let prepared = Prepared::new(&ceremony)?;
    terminal.tell(&show::show(&prepared)?);
    let now = SystemClock.now();
    terminal.tell(&format!("This machine's clock says {}.", Utc(now)));
    for remark in prepared.remarks(now) {
        terminal.tell(&remark);
    }
    terminal.tell("");
    confirm(&text, arguments.sha256.as_deref(), &mut terminal)?;
    let random = SystemRandom::new();
    let folder = run(prepared, &mut World { dialogue: &mut terminal, clock: &SystemClock, random: &random })?;
    print(&format!("{}\n", folder.display()))?;
    if arguments.rehearse {
        terminal.tell("This was a rehearsal: nothing of it is to be used.");
    } else {
        if file.answers.is_some() {
            let response = folder.join(RESPONSE_FILE);
            terminal.tell(&format!(
                "Take this back to the CA that asks, for `cairn ca install`: {}",
                response.display()
            ));
        }
        terminal
            .tell(&format!("Done. Check it on another machine: cairn-ceremony verify {}", folder.display()));
    }
    Ok(())
}

/// That the file is the one that people have reviewed.
fn confirm(text: &[u8], given: Option<&str>, dialogue: &mut dyn Dialogue) -> Result<()> {
    let digest = Digest::of(text);
    let answer = match given {
        Some(given) => given.to_owned(),
        None => dialogue.ask(
            "The SHA-256 of the reviewed file, from where the review has left it: all its digits, the first 32, or its words:",
        )?,
    };
    ensure!(
        words::is_for(&answer, &digest),
        "this is not the reviewed file: its SHA-256 is {digest}, and the review's is another. Nothing was made"
    );
    Ok(())
}

fn read(files: &Files) -> Result<(Vec<u8>, CeremonyFile, Machine)> {
    let text = read_file(&files.ceremony)?;
    let file = CeremonyFile::parse(&text).with_context(|| files.ceremony.display().to_string())?;
    let machine = read_file(&files.machine)?;
    let machine = Machine::parse(&machine).with_context(|| files.machine.display().to_string())?;
    let folder = files.machine.parent().unwrap_or(Path::new(""));
    Ok((text.into_bytes(), file, machine.relative_to(folder)))
}

fn read_file(path: &Path) -> Result<String> {
    let cannot_read = || format!("cannot read {}", path.display());
    let length = fs::metadata(path).with_context(cannot_read)?.len();
    if length > u64::try_from(MAX_FILE)? {
        bail!("{} is longer than {MAX_FILE} bytes", path.display());
    }
    fs::read_to_string(path).with_context(cannot_read)
}

fn drill(key: &Path, shares: &[PathBuf]) -> Result<()> {
    use cairn_x509::Signer as _;
    let signer = crate::key_file::open_key_file(key, || passphrase_from_share_files(shares))?;
    let digest = Digest::of(signer.public_key().der());
    print(&format!(
        "The shares open the key, {}.\n  SHA-256   {digest}\n  as words  {}\n",
        signer.public_key().kind(),
        words::fingerprint(&digest)
    ))
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("standard output cannot be written to")
}

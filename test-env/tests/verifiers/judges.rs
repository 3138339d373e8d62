//! Those who judge: programs that share no code with Cairn, each asked in its own words.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// Who verifies chains and lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    /// The OpenSSL of this machine.
    OpenSsl,
    /// An OpenSSL that knows ML-DSA (3.5), in a Debian of its own.
    NewOpenSsl,
    /// GnuTLS's certtool.
    GnuTls,
    /// Python's `cryptography`, whose verifier is Rust code with the rules of the web PKI.
    Python,
}

/// What a judge is asked about a server's certificate.
pub(crate) struct Question<'a> {
    /// What the client trusts.
    pub(crate) trusted: &'a Path,
    /// What the server sends, leaf first.
    pub(crate) sent: &'a [&'a Path],
    /// Whom the client means to talk to.
    pub(crate) name: &'a str,
}

/// A judge's word.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) good: bool,
    pub(crate) said: String,
}

impl Judge {
    pub(crate) const ALL: [Self; 4] = [Self::OpenSsl, Self::NewOpenSsl, Self::GnuTls, Self::Python];

    /// Whether a client may believe that it talks to whom it means.
    pub(crate) fn chain(self, question: &Question<'_>) -> Verdict {
        let Question { trusted, sent, name } = question;
        match self {
            Self::OpenSsl | Self::NewOpenSsl => {
                let (leaf, others) = sent.split_first().unwrap();
                let mut command = self.openssl(&["verify", "-x509_strict", "-purpose", "sslserver"]);
                command.args(["-verify_hostname", name]).arg("-CAfile").arg(self.at_hand(trusted));
                for other in others {
                    command.arg("-untrusted").arg(self.at_hand(other));
                }
                verdict(command.arg(self.at_hand(leaf)))
            }
            Self::GnuTls => {
                let chain: String = sent.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
                let file = tempfile::NamedTempFile::new().unwrap();
                fs::write(file.path(), chain).unwrap();
                let mut command = Command::new("certtool");
                command.args([
                    "--verify",
                    "--verify-purpose",
                    "1.3.6.1.5.5.7.3.1",
                    "--verify-hostname",
                    name,
                ]);
                verdict(command.arg("--load-ca-certificate").arg(trusted).arg("--infile").arg(file.path()))
            }
            Self::Python => verdict(python("chain").arg(name).arg(trusted).args(*sent)),
        }
    }

    /// Whether the CA with the one certificate has issued the other.
    pub(crate) fn issued(self, issuer: &Path, certificate: &Path) -> Verdict {
        match self {
            Self::OpenSsl | Self::NewOpenSsl => {
                let mut command =
                    self.openssl(&["verify", "-x509_strict", "-check_ss_sig", "-partial_chain"]);
                command.arg("-CAfile").arg(self.at_hand(issuer));
                verdict(command.arg(self.at_hand(certificate)))
            }
            Self::GnuTls => {
                let mut command = Command::new("certtool");
                command.arg("--verify").arg("--load-ca-certificate").arg(issuer);
                verdict(command.arg("--infile").arg(certificate))
            }
            Self::Python => verdict(python("issued").arg(issuer).arg(certificate)),
        }
    }

    /// Whether the list is the CA's, and by it the certificate not revoked.
    pub(crate) fn not_revoked(self, issuer: &Path, crl: &Path, certificate: &Path) -> Verdict {
        match self {
            Self::OpenSsl | Self::NewOpenSsl => {
                let mut command = self.openssl(&["verify", "-x509_strict", "-crl_check", "-CAfile"]);
                command.arg(self.at_hand(issuer)).arg("-CRLfile").arg(self.at_hand(crl));
                verdict(command.arg(self.at_hand(certificate)))
            }
            Self::GnuTls => {
                let mut command = Command::new("certtool");
                command.arg("--verify").arg("--load-ca-certificate").arg(issuer).arg("--load-crl").arg(crl);
                verdict(command.arg("--infile").arg(certificate))
            }
            Self::Python => verdict(python("not-revoked").arg(issuer).arg(crl).arg(certificate)),
        }
    }

    /// Whether a request is signed by the key in it.
    pub(crate) fn request(self, request: &Path) -> Verdict {
        // Versions of both end well in any case.
        let saying = |mut told: Verdict, word: &str| {
            told.good &= told.said.contains(word);
            told
        };
        match self {
            Self::OpenSsl | Self::NewOpenSsl => {
                let mut command = self.openssl(&["req", "-verify", "-noout", "-in"]);
                saying(verdict(command.arg(self.at_hand(request))), "verify OK")
            }
            Self::GnuTls => {
                let mut command = Command::new("certtool");
                command.arg("--crq-info").arg("--infile").arg(request);
                saying(verdict(&mut command), "Self signature: verified")
            }
            Self::Python => verdict(python("request").arg(request)),
        }
    }

    fn openssl(self, arguments: &[&str]) -> Command {
        let mut command = match self {
            Self::NewOpenSsl => {
                let mut command = Command::new("chroot");
                command.arg(debian()).arg("openssl");
                command
            }
            _ => Command::new("openssl"),
        };
        command.args(arguments);
        command
    }

    /// The file where the judge can read it.
    fn at_hand(self, file: &Path) -> PathBuf {
        if self != Self::NewOpenSsl {
            return file.to_owned();
        }
        // Files of different stories have the same names: the whole path becomes one.
        let name = file.display().to_string().replace('/', "_");
        let there = Path::new("/tmp").join(&name);
        fs::copy(file, debian().join("tmp").join(name)).unwrap();
        there
    }
}

/// What pkilint finds in a file that is not just for information: nothing, for what is as it should be.
pub(crate) fn pkilint(program: &str, arguments: &[&str], file: &Path) -> Verdict {
    let mut command = Command::new(folder("CAIRN_PYTHON").join("bin").join(program));
    verdict(command.arg("lint").args(["--severity", "WARNING"]).args(arguments).arg(file))
}

impl Verdict {
    #[track_caller]
    pub(crate) fn assert_good(&self, about: impl fmt::Debug) {
        assert!(self.good, "{about:?}: {}", self.said);
    }

    /// Bad, and for that reason: one of these words is said.
    #[track_caller]
    pub(crate) fn assert_bad(&self, because: &[&str], about: impl fmt::Debug) {
        let said = self.said.to_lowercase();
        assert!(!self.good && because.iter().any(|word| said.contains(word)), "{about:?}: {}", self.said);
    }
}

fn verdict(command: &mut Command) -> Verdict {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{command:?}: {error}; `./test-env/test verifiers` installs what judges")
    });
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat();
    Verdict { good: output.status.success(), said }
}

fn python(what: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifiers/verify.py");
    let mut command = Command::new(folder("CAIRN_PYTHON").join("bin/python"));
    command.arg(script).arg(what);
    command
}

/// The Debian with the newer OpenSSL.
fn debian() -> PathBuf {
    folder("CAIRN_DEBIAN")
}

fn folder(variable: &str) -> PathBuf {
    let folder = env::var_os(variable);
    folder.unwrap_or_else(|| panic!("{variable} names no folder; `./test-env/test verifiers` does")).into()
}

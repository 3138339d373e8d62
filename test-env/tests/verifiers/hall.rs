//! Where ceremonies are held, by the program as its users have it; and leaves, which no ceremony makes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cairn_core::time::SystemClock;
use cairn_core::{Clock as _, Timestamp};
use cairn_test_env::harness::run;
use cairn_x509::{
    Certificate, FileSigner, KeySpec, LeafInputs, LeafProfile, Signer as _, SubjectAltName, Validity, leaf,
};
use tempfile::TempDir;

const PASSPHRASE: &str = "correct horse battery staple";
const DAY: i64 = 24 * 60 * 60;

/// A folder in which ceremonies are held.
pub(crate) struct Hall {
    folder: TempDir,
    now: Timestamp,
}

/// A CA that a ceremony has made.
pub(crate) struct Ca {
    /// Its certificate.
    pub(crate) file: PathBuf,
    /// Its key.
    key: PathBuf,
}

impl Ca {
    pub(crate) fn certificate(&self) -> Certificate {
        certificate(&self.file)
    }

    fn signer(&self) -> FileSigner {
        let pem = fs::read_to_string(&self.key).unwrap();
        FileSigner::from_pem(&pem, Some(PASSPHRASE.as_bytes())).unwrap()
    }

    /// The machine file's way to its key, as its own or as the issuer's.
    fn key(&self, table: &str) -> String {
        format!("[{table}]\nfile = {:?}\npassphrase_file = \"passphrase\"\n", self.key)
    }
}

impl Hall {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = folder.path().join("passphrase");
        fs::write(&passphrase, PASSPHRASE).unwrap();
        fs::set_permissions(passphrase, fs::Permissions::from_mode(0o600)).unwrap();
        // An hour ago, so that all that begins then is valid.
        Self { folder, now: SystemClock.now().plus(-60 * 60) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Holds a ceremony that makes `file`, and has its folder verified by the program.
    pub(crate) fn hold(&self, name: &str, ceremony: &str, machine: &str, file: &str) -> PathBuf {
        let [ceremony_file, machine_file] = ["toml", "machine.toml"].map(|end| format!("{name}.{end}"));
        let people = "people = [{ name = \"Alice Archer\", role = \"operator\" }]";
        let text = format!("title = {name:?}\n{people}\n{ceremony}");
        fs::write(self.path(&ceremony_file), &text).unwrap();
        let machine = format!("output = {name:?}\n[record]\nkey = \"{name}-record-key.pem\"\n{machine}");
        fs::write(self.path(&machine_file), machine).unwrap();
        let digest = sha256(text.as_bytes());
        let [ceremony_path, machine_path, folder] = [&ceremony_file, &machine_file, &name.to_owned()]
            .map(|name| self.path(name).display().to_string());
        succeed(&["ceremony", "run", &ceremony_path, "--machine", &machine_path, "--sha256", &digest]);
        succeed(&["ceremony", "verify", &folder]);
        Path::new(&folder).join(file)
    }

    /// A root.
    pub(crate) fn root(&self, name: &str, key: &str) -> Ca {
        self.root_that_signs(name, key, "")
    }

    /// A root whose key signs as `signature` says, a line of the ceremony file.
    pub(crate) fn root_that_signs(&self, name: &str, key: &str, signature: &str) -> Ca {
        let ceremony = format!(
            "kind = \"root\"\n[key]\nalgorithm = {key:?}\n{signature}[certificate]\n{}",
            self.certificate_of(name, 7000)
        );
        let place = self.key_of(name);
        let file = self.hold(name, &ceremony, &place.key("key"), "root.pem");
        Ca { file, ..place }
    }

    /// An intermediate for TLS, with more of what its certificate says.
    pub(crate) fn intermediate(&self, name: &str, key: &str, issuer: &Ca, further: &str) -> Ca {
        self.intermediate_signed(name, key, issuer, further, "")
    }

    /// The same, signed as `signature` says.
    pub(crate) fn intermediate_signed(
        &self,
        name: &str,
        key: &str,
        issuer: &Ca,
        further: &str,
        signature: &str,
    ) -> Ca {
        let ceremony = format!(
            "kind = \"intermediate\"\n[issuer]\nsha256 = \"{}\"\n{signature}[key]\nalgorithm = {key:?}\n[certificate]\n{}\
             path_length = 0\nextended_key_usage = [\"serverAuth\"]\n\
             issuer_urls = [\"http://pki.example.com/issuer.der\"]\ncrl_urls = [\"http://pki.example.com/issuer.crl\"]\n{further}",
            fingerprint(&issuer.certificate()),
            self.certificate_of(name, 3000)
        );
        let place = self.key_of(name);
        let machine = self.signed_by(issuer, &place.key("key"), &format!("issuer = {:?}", issuer.file));
        let file = self.hold(name, &ceremony, &machine, "intermediate.pem");
        Ca { file, ..place }
    }

    /// The root after `old`, and the certificates from the old one for the new one, and the reverse.
    pub(crate) fn next_root(&self, name: &str, key: &str, old: &Ca) -> (Ca, PathBuf, PathBuf) {
        let ceremony = format!(
            "kind = \"rollover\"\n[replaces]\nsha256 = \"{}\"\n[key]\nalgorithm = {key:?}\n[certificate]\n{}\
             [cross_from_old]\n{validity}[cross_from_new]\n{validity}",
            fingerprint(&old.certificate()),
            self.certificate_of(name, 9000),
            validity = self.validity(5000),
        );
        let place = self.key_of(name);
        let machine = self.signed_by(old, &place.key("key"), &format!("replaces = {:?}", old.file));
        let file = self.hold(name, &ceremony, &machine, "root.pem");
        let beside = |name: &str| file.with_file_name(name);
        let crosses = (beside("new-root-from-old.pem"), beside("old-root-from-new.pem"));
        (Ca { file, ..place }, crosses.0, crosses.1)
    }

    /// A certificate for a CA that exists, from another one.
    pub(crate) fn cross(&self, name: &str, issuer: &Ca, subject: &Ca) -> PathBuf {
        let ceremony = format!(
            "kind = \"cross-sign\"\n[issuer]\nsha256 = \"{}\"\n[subject]\nsha256 = \"{}\"\n[certificate]\n{}",
            fingerprint(&issuer.certificate()),
            fingerprint(&subject.certificate()),
            self.validity(5000)
        );
        let inputs = format!("issuer = {:?}\nsubject = {:?}", issuer.file, subject.file);
        self.hold(name, &ceremony, &self.signed_by(issuer, "", &inputs), "cross-certificate.pem")
    }

    /// The issuer's list of what it has revoked.
    pub(crate) fn crl(&self, name: &str, issuer: &Ca, number: u32, revoked: &[&Ca]) -> PathBuf {
        let entries: Vec<_> = revoked
            .iter()
            .map(|ca| {
                let digest = fingerprint(&ca.certificate());
                format!("{{ sha256 = \"{digest}\", at = {}, reason = \"superseded\" }}", self.now)
            })
            .collect();
        let ceremony = format!(
            "kind = \"crl\"\n[issuer]\nsha256 = \"{}\"\n[crl]\nnumber = {number}\nthis_update = {}\nnext_update = {}\n\
             revoked = [{}]\n",
            fingerprint(&issuer.certificate()),
            self.now,
            self.now.plus(300 * DAY),
            entries.join(", ")
        );
        let files: Vec<_> = revoked.iter().map(|ca| format!("{:?}", ca.file)).collect();
        let inputs = format!("issuer = {:?}\nrevoked = [{}]", issuer.file, files.join(", "));
        self.hold(name, &ceremony, &self.signed_by(issuer, "", &inputs), "crl.pem")
    }

    /// A delegated OCSP responder.
    pub(crate) fn ocsp_signer(&self, name: &str, key: &str, issuer: &Ca) -> PathBuf {
        let ceremony = format!(
            "kind = \"ocsp-signer\"\n[issuer]\nsha256 = \"{}\"\n[key]\nalgorithm = {key:?}\n[certificate]\n{}",
            fingerprint(&issuer.certificate()),
            self.certificate_of(name, 300)
        );
        let machine =
            self.signed_by(issuer, &self.key_of(name).key("key"), &format!("issuer = {:?}", issuer.file));
        self.hold(name, &ceremony, &machine, "ocsp-signer.pem")
    }

    /// A request for somebody else's root to sign.
    pub(crate) fn csr(&self, name: &str, key: &str) -> PathBuf {
        let subject = format!("{{ organization = \"Example Corp\", common_name = {name:?} }}");
        let ceremony = format!(
            "kind = \"csr\"\n[key]\nalgorithm = {key:?}\n[request]\nsubject = {subject}\npath_length = 0\n"
        );
        self.hold(name, &ceremony, &self.key_of(name).key("key"), "request.pem")
    }

    /// A server's certificate, whatever the issuer may certify: its lints are left out.
    pub(crate) fn leaf(&self, file: &str, issuer: &Ca, names: &[SubjectAltName]) -> PathBuf {
        let profile =
            LeafProfile { must_staple: false, common_name: false, server_auth: true, client_auth: false };
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let validity = Validity { not_before: self.now.unix(), not_after: self.now.plus(90 * DAY).unix() };
        let inputs = LeafInputs {
            serial: &[0x42; 16],
            validity,
            public_key: key.public_key(),
            names,
            common_name: None,
            crl_url: None,
            ocsp_url: None,
            issuer_url: None,
        };
        let signer = issuer.signer();
        let tbs = leaf(&profile, &issuer.certificate(), signer.algorithm(), inputs).unwrap();
        let path = self.path(file);
        fs::write(&path, tbs.sign(&signer).unwrap().to_pem()).unwrap();
        path
    }

    fn certificate_of(&self, name: &str, days: i64) -> String {
        let subject =
            format!("{{ country = \"DE\", organization = \"Example Corp\", common_name = {name:?} }}");
        format!("subject = {subject}\n{}", self.validity(days))
    }

    fn validity(&self, days: i64) -> String {
        format!("not_before = {}\nnot_after = {}\n", self.now, self.now.plus(days * DAY - 1))
    }

    fn key_of(&self, name: &str) -> Ca {
        Ca { file: PathBuf::new(), key: self.path(&format!("{name}-key.pem")) }
    }

    fn signed_by(&self, issuer: &Ca, key: &str, inputs: &str) -> String {
        // The old root's key is the issuer's too.
        format!("{}{key}[inputs]\n{inputs}\n", issuer.key("issuer_key"))
    }
}

pub(crate) fn certificate(file: &Path) -> Certificate {
    Certificate::from_pem(&fs::read_to_string(file).unwrap()).unwrap()
}

pub(crate) fn dns(name: &str) -> SubjectAltName {
    SubjectAltName::Dns(name.to_owned())
}

fn fingerprint(certificate: &Certificate) -> String {
    hex(&certificate.sha256_fingerprint())
}

fn sha256(bytes: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn succeed(arguments: &[&str]) {
    let (well, printed) = run(arguments).unwrap();
    assert!(well, "{arguments:?}: {printed}");
}

//! Ceremonies whose keys are in modules, by the real program.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use cairn_test_env::hsm::{PIN, SoftHsm, alone, module, spied_module};
use cairn_test_env::program::Program;
use cairn_test_env::{harness, wait};
use cairn_x509::signer::pkcs11::{Pin, Pkcs11Place};
use cairn_x509::{Certificate, KeyKind, KeySpec, Pkcs11Signer, SignatureAlgorithm};
use zeroize::Zeroizing;

use crate::signer::PATIENCE;

/// Ceremonies of one root, one after the other, in a folder of the story's.
pub(crate) struct Room<'a> {
    hsm: &'a SoftHsm,
    module: PathBuf,
    previous: Option<String>,
}

const PEOPLE: &str = "people = [{ name = \"Alice\", role = \"operator\" }]\n";

impl<'a> Room<'a> {
    /// With a token for the root's key and one for the CA's.
    pub(crate) fn new(hsm: &'a SoftHsm) -> Result<Self> {
        hsm.token("root")?;
        hsm.token("ca")?;
        hsm.secret("pin", PIN)?;
        Ok(Self { hsm, module: module()?, previous: None })
    }

    /// `[NAME.pkcs11]` of a machine file.
    pub(crate) fn place(&self, name: &str, token: &str, label: &str) -> String {
        let module = self.module.display();
        format!(
            "[{name}.pkcs11]\nmodule = \"{module}\"\ntoken = \"{token}\"\nlabel = \"{label}\"\npin_file = \"pin\"\n"
        )
    }

    /// Writes both files of a ceremony, and gives its arguments.
    fn files(&self, name: &str, ceremony: &str, machine: &str) -> Result<Vec<String>> {
        let ceremony = format!("title = \"{name}\"\n{PEOPLE}{ceremony}");
        let (kind, rest) = ceremony.split_once("kind = ").context("a ceremony has a kind")?;
        let (value, rest) = rest.split_once('\n').context("a kind ends its line")?;
        let ceremony = format!("kind = {value}\n{kind}{rest}");
        let previous = self.previous.as_ref().map(|name| format!("previous = \"{name}/record.json\"\n"));
        let machine = format!(
            "output = \"{name}\"\n[record]\nkey = \"record-key.pem\"\n{}{machine}",
            previous.unwrap_or_default()
        );
        let (file, machine_file) =
            (self.hsm.path(&format!("{name}.toml")), self.hsm.path(&format!("{name}.machine.toml")));
        fs::write(&file, &ceremony)?;
        fs::write(&machine_file, machine)?;
        let [file, machine_file] = [file, machine_file].map(|path| path.display().to_string());
        Ok(vec![file, "--machine".to_owned(), machine_file])
    }

    fn ask(
        &self,
        command: &str,
        name: &str,
        ceremony: &str,
        machine: &str,
        more: &[&str],
    ) -> Result<(bool, String)> {
        let mut arguments = vec!["ceremony".to_owned(), command.to_owned()];
        arguments.extend(self.files(name, ceremony, machine)?);
        arguments.extend(more.iter().map(|text| (*text).to_owned()));
        if command == "run" {
            arguments
                .extend(["--sha256".to_owned(), sha256(&fs::read(self.hsm.path(&format!("{name}.toml")))?)]);
        }
        harness::run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Holds a ceremony, which must succeed and verify, and gives its folder.
    pub(crate) fn hold(&mut self, name: &str, ceremony: &str, machine: &str) -> Result<PathBuf> {
        let (well, printed) = self.ask("run", name, ceremony, machine, &[])?;
        ensure!(well, "{name}: {printed}");
        let folder = self.hsm.path(name);
        let path = folder.display().to_string();
        let (well, printed) = harness::run(&["ceremony", "verify", &path])?;
        ensure!(well, "{name}: {printed}");
        self.previous = Some(name.to_owned());
        Ok(folder)
    }

    /// Holds one that must fail, and gives what it says.
    fn fails(&self, name: &str, ceremony: &str, machine: &str) -> Result<String> {
        let (well, printed) = self.ask("run", name, ceremony, machine, &[])?;
        ensure!(!well && !self.hsm.path(name).exists(), "{name} should fail: {printed}");
        Ok(printed)
    }

    /// A root of this kind of key, whose key is in the token `root`.
    pub(crate) fn root(&mut self, algorithm: &str, more: &str) -> Result<Certificate> {
        let machine = self.place("key", "root", "Root R1");
        let folder = self.hold("root-r1", &root(algorithm, more), &machine)?;
        certificate(&folder.join("root.pem"))
    }

    /// An intermediate of this kind of key, in the token `ca`, by that root.
    pub(crate) fn intermediate(
        &mut self,
        name: &str,
        algorithm: &str,
        root: &Certificate,
    ) -> Result<Certificate> {
        let issuer = self.place("issuer_key", "root", "Root R1");
        let machine =
            format!("[inputs]\nissuer = \"root-r1/root.pem\"\n{issuer}{}", self.place("key", "ca", name));
        let folder = self.hold(name, &intermediate(name, algorithm, root, ""), &machine)?;
        certificate(&folder.join("intermediate.pem"))
    }
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

fn certificate(path: &Path) -> Result<Certificate> {
    Ok(Certificate::from_pem(&fs::read_to_string(path)?)?)
}

fn root(algorithm: &str, more: &str) -> String {
    format!(
        "kind = \"root\"\n[key]\nalgorithm = \"{algorithm}\"\nstore = \"pkcs11\"\n{more}\n[certificate]\n\
         subject = {{ organization = \"Example\", common_name = \"Example Root R1\" }}\n\
         not_before = 2026-01-01\nnot_after = 2045-12-31\n"
    )
}

fn issuer(root: &Certificate, more: &str) -> String {
    format!("[issuer]\nsha256 = \"{}\"\n{more}\n", sha256(root.der()))
}

fn intermediate(name: &str, algorithm: &str, root: &Certificate, issuer_more: &str) -> String {
    format!(
        "kind = \"intermediate\"\n{}[key]\nalgorithm = \"{algorithm}\"\nstore = \"pkcs11\"\n[certificate]\n\
         subject = {{ organization = \"Example\", common_name = \"Example {name}\" }}\n\
         not_before = 2026-01-01\nnot_after = 2035-12-31\npath_length = 0\nextended_key_usage = [\"serverAuth\", \"clientAuth\"]\n",
        issuer(root, issuer_more)
    )
}

/// The labels of the objects of a token, as another program sees them.
fn objects(hsm: &SoftHsm, token: &str) -> Result<String> {
    hsm.tool(token, &["--list-objects"])
}

#[test]
fn a_hierarchy_whose_keys_are_all_in_modules() -> Result<()> {
    alone("ceremonies::a_hierarchy_whose_keys_are_all_in_modules", |hsm| {
        let mut room = Room::new(hsm)?;
        let r1 = room.root("p384", "")?;
        assert_eq!(r1.public_key().kind(), KeyKind::P384);
        let i1 = room.intermediate("I1", "rsa2048", &r1)?;
        i1.verify_issued_by(&r1)?;
        assert_eq!(i1.public_key().kind(), KeyKind::Rsa { modulus_bits: 2048 });

        // The record says where the keys are, and what they may do.
        for (folder, token, label) in [("root-r1", "root", "Root R1"), ("I1", "ca", "I1")] {
            let record = fs::read_to_string(hsm.path(folder).join("record.md"))?;
            let line = format!("in the token {token}, serial number ");
            assert!(record.contains(&line) && record.contains(&format!(": key {label}, id `")), "{record}");
            assert!(
                record.contains("its attributes: sensitive, not extractable, always sensitive"),
                "{record}"
            );
        }
        assert!(!objects(hsm, "root")?.contains("I1") && objects(hsm, "ca")?.contains("I1"));

        let issuer_key = room.place("issuer_key", "root", "Root R1");
        let inputs = "[inputs]\nissuer = \"root-r1/root.pem\"\n";
        let crl = format!(
            "kind = \"crl\"\n{}[crl]\nnumber = 1\nthis_update = 2026-01-02\nnext_update = 2026-12-31\n",
            issuer(&r1, "")
        );
        room.hold("crl-1", &crl, &format!("{inputs}{issuer_key}"))?;
        let responder = format!(
            "kind = \"ocsp-signer\"\n{}[key]\nalgorithm = \"p256\"\nstore = \"pkcs11\"\n[certificate]\n\
             subject = {{ common_name = \"Example OCSP\" }}\nnot_before = 2026-01-02\nnot_after = 2026-12-31\n",
            issuer(&r1, "")
        );
        let machine = format!("{inputs}{issuer_key}{}", room.place("key", "ca", "OCSP"));
        room.hold("ocsp", &responder, &machine)?;
        let csr = "kind = \"csr\"\n[key]\nalgorithm = \"rsa3072\"\nstore = \"pkcs11\"\n[request]\n\
                   subject = { common_name = \"Example I2\" }\npath_length = 0\n";
        let machine = room.place("key", "ca", "I2");
        room.hold("csr", csr, &machine)?;
        let key = "kind = \"key\"\n[key]\nalgorithm = \"p256\"\nstore = \"pkcs11\"\n";
        let machine = room.place("key", "ca", "later");
        let folder = room.hold("key", key, &machine)?;

        // A key that exists certifies itself, and is cross-signed.
        let public = cairn_x509::PublicKey::from_pem(&fs::read_to_string(folder.join("key.pub.pem"))?)?;
        let existing = format!("[key]\nexisting = \"{}\"\n", sha256(public.der()));
        let second = root("p256", "").replace("[key]\nalgorithm = \"p256\"\nstore = \"pkcs11\"\n", &existing);
        let folder = room.hold("root-r2", &second.replace("Root R1", "Root R2"), &machine)?;
        let r2 = certificate(&folder.join("root.pem"))?;
        assert_eq!(*r2.public_key(), public);
        let cross = format!(
            "kind = \"cross-sign\"\n{}[subject]\nsha256 = \"{}\"\n[certificate]\nnot_before = 2026-01-02\nnot_after = 2030-12-31\n",
            issuer(&r1, ""),
            sha256(r2.der())
        );
        let machine = format!("{inputs}subject = \"root-r2/root.pem\"\n{issuer_key}");
        let folder = room.hold("cross", &cross, &machine)?;
        certificate(&folder.join("cross-certificate.pem"))?.verify_issued_by(&r1)?;

        // What OpenSSL says of it.
        let [root, leaf] = ["root-r1/root.pem", "I1/intermediate.pem"].map(|name| hsm.path(name));
        let said = Program::installed("openssl", &hsm.path(""))?
            .args(["verify", "-x509_strict", "-check_ss_sig", "-CAfile"])
            .arg(&root)
            .arg(&root)
            .arg(&leaf)
            .run()?;
        assert_eq!(said.lines().filter(|line| line.ends_with(": OK")).count(), 2, "{said}");
        Ok(())
    })
}

#[test]
fn plans_and_rehearsals_touch_no_token() -> Result<()> {
    alone("ceremonies::plans_and_rehearsals_touch_no_token", |hsm| {
        let mut room = Room::new(hsm)?;
        let r1 = room.root("p256", "")?;
        room.module = spied_module()?;
        let issuer_key = room.place("issuer_key", "root", "Root R1");
        let machine =
            format!("[inputs]\nissuer = \"root-r1/root.pem\"\n{issuer_key}{}", room.place("key", "ca", "I1"));
        let text = intermediate("I1", "p256", &r1, "");
        let (well, printed) = room.ask("plan", "I1", &text, &machine, &[])?;
        ensure!(well, "{printed}");
        assert!(printed.contains("a new one, p256, in a hardware security module"), "{printed}");
        let (well, printed) = room.ask("run", "I1", &text, &machine, &["--rehearse"])?;
        ensure!(well, "{printed}");
        let made = certificate(&hsm.path("I1-rehearsal/intermediate.pem"))?;
        assert!(made.subject().to_string().contains("REHEARSAL"));
        assert!(!hsm.path("I1-rehearsal/key.pem").exists());
        assert_eq!(hsm.spied("C_Initialize")?, 0);
        // The spy is awake.
        room.hold("I1", &text, &machine)?;
        ensure!(hsm.spied("C_GenerateKeyPair")? == 1);
        Ok(())
    })
}

#[test]
fn rsa_keys_sign_by_pss_where_the_reviewed_file_says_so() -> Result<()> {
    alone("ceremonies::rsa_keys_sign_by_pss_where_the_reviewed_file_says_so", |hsm| {
        let mut room = Room::new(hsm)?;
        let r1 = room.root("rsa2048", "signature = \"rsa-pss-sha256\"")?;
        assert_eq!(r1.signature_algorithm(), SignatureAlgorithm::RsaPssSha256);
        let issuer_key = room.place("issuer_key", "root", "Root R1");
        let machine =
            format!("[inputs]\nissuer = \"root-r1/root.pem\"\n{issuer_key}{}", room.place("key", "ca", "I1"));
        let text = intermediate("I1", "p256", &r1, "signature = \"rsa-pss-sha384\"");
        let folder = room.hold("I1", &text, &machine)?;
        let i1 = certificate(&folder.join("intermediate.pem"))?;
        assert_eq!(i1.signature_algorithm(), SignatureAlgorithm::RsaPssSha384);
        let said = Program::installed("openssl", &hsm.path(""))?
            .args(["verify", "-x509_strict", "-check_ss_sig", "-CAfile"])
            .arg(hsm.path("root-r1/root.pem"))
            .arg(folder.join("intermediate.pem"))
            .run()?;
        assert!(said.contains(": OK"), "{said}");
        // An EC key has one way to sign.
        let wrong = root("p256", "signature = \"rsa-pss-sha256\"");
        let machine = room.place("key", "root", "Root R2");
        let said = room.fails("root-r2", &wrong, &machine)?;
        assert!(said.contains("ECDSA P-256 key cannot sign with RSASSA-PSS"), "{said}");
        assert!(!objects(hsm, "root")?.contains("Root R2"));
        Ok(())
    })
}

#[test]
fn what_does_not_go_together_is_said_before_a_key_is_made() -> Result<()> {
    alone("ceremonies::what_does_not_go_together_is_said_before_a_key_is_made", |hsm| {
        let room = Room::new(hsm)?;
        let in_module = room.place("key", "root", "Root R1");
        let said = room.fails("a", &root("p256", ""), "")?;
        assert!(said.contains("add [key.pkcs11] to the machine file"), "{said}");
        let in_file = root("p256", "").replace("store = \"pkcs11\"\n", "");
        let said = room.fails("b", &in_file, &in_module)?;
        assert!(said.contains("keeps the new key in a file; take [key.pkcs11] out"), "{said}");
        let said =
            room.fails("c", &root("p256", ""), &in_module.replace("\"Root R1\"", "\"R\"\nid = \"01\""))?;
        assert!(said.contains("write label, and no id"), "{said}");
        hsm.secret("pin", "wrong")?;
        let said = room.fails("d", &root("p256", ""), &in_module)?;
        assert!(
            said.contains("the PIN is not that of the token \"root\"") && !said.contains("wrong\""),
            "{said}"
        );
        hsm.secret("pin", PIN)?;
        let said = room.fails("e", &root("p256", ""), &in_module.replace("\"root\"", "\"elsewhere\""))?;
        assert!(said.contains("there is no token \"elsewhere\""), "{said}");
        assert!(!objects(hsm, "root")?.contains("Root R1"));
        Ok(())
    })
}

/// A ceremony that fails destroys the key that it has made, and one that was killed leaves one that the next names.
#[test]
fn a_key_of_a_ceremony_that_did_not_come_to_its_end_is_destroyed_or_named() -> Result<()> {
    let story = "ceremonies::a_key_of_a_ceremony_that_did_not_come_to_its_end_is_destroyed_or_named";
    alone(story, |hsm| {
        let mut room = Room::new(hsm)?;
        room.module = spied_module()?;
        let machine = room.place("key", "root", "Root R1");
        // While it waits for the PIN, somebody takes the place of its folder.
        let waiting = machine.replace("pin_file = \"pin\"", "pin_descriptor = 0");
        let mut arguments = vec!["ceremony".to_owned(), "run".to_owned()];
        arguments.extend(room.files("root-r1", &root("p256", ""), &waiting)?);
        arguments.extend(["--sha256".to_owned(), sha256(&fs::read(hsm.path("root-r1.toml"))?)]);
        let mut command = harness::command()?;
        command.args(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        wait::until("the ceremony to load the module", PATIENCE, || {
            let staged = fs::read_dir(hsm.path(""))?.filter_map(Result::ok);
            let mut staged = staged.map(|entry| entry.file_name().to_string_lossy().into_owned());
            Ok(staged.any(|name| name.contains("root-r1") && !name.ends_with(".toml")).then_some(()))
        })?;
        fs::create_dir(hsm.path("root-r1"))?;
        fs::write(hsm.path("root-r1/somebody's"), "file")?;
        child.stdin.take().context("no input")?.write_all(PIN.as_bytes())?;
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(!output.status.success(), "{said}");
        assert_eq!(hsm.spied("C_GenerateKeyPair")?, 1, "{said}");
        assert!(!objects(hsm, "root")?.contains("Root R1"), "{said}");
        fs::remove_dir_all(hsm.path("root-r1"))?;

        // What a killed one leaves in the token.
        let place = Pkcs11Place {
            module: module()?,
            token: "root".to_owned(),
            serial: None,
            label: Some("Root R1".to_owned()),
            id: None,
        };
        let pin = Pin::kept(Zeroizing::new(PIN.to_owned()));
        let left = Pkcs11Signer::generate(KeySpec::P256, &place, pin)?;
        let said = room.fails("root-r1", &root("p256", ""), &machine)?;
        assert!(said.contains("has a key \"Root R1\" already") && said.contains("--delete-object"), "{said}");
        left.destroy()?;
        room.root("p256", "").map(|_| ())
    })
}

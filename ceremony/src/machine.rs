//! The machine file: where things lie on the machine on which a ceremony is held. It decides nothing of what is made, so it need not be
//! reviewed with the ceremony file, and no secret stands in it.
//!
//! ```
//! # let text = r#"
//! output = "/media/stick/example-root-r1"
//!
//! [record]
//! key = "/media/stick/record-key.pem"
//!
//! [key]
//! file = "/media/vault/example-root-r1-key.pem"
//!
//! [shares]
//! folder = "/media/paper"
//! # "#;
//! # let machine = cairn_ceremony::machine::Machine::parse(text).unwrap();
//! # assert!(machine.key.unwrap().file.is_some());
//! ```

use std::path::{Path, PathBuf};

use cairn_x509::Pkcs11Place;
use cairn_x509::signer::pkcs11::from_hex;
use serde::Deserialize;

/// Longest machine file in bytes.
const MAX_FILE: usize = 64 * 1024;

/// A machine file. Paths that are not absolute begin in the machine file's folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The folder that appears when the ceremony is finished; must not exist, or be empty.
    pub output: PathBuf,
    /// The records' chain.
    pub record: RecordPlace,
    /// The files that the ceremony file names by their SHA-256.
    #[serde(default)]
    pub inputs: Inputs,
    /// Where the key that is certified lies, or shall lie.
    pub key: Option<KeyPlace>,
    /// Where the issuer's key lies.
    pub issuer_key: Option<KeyPlace>,
    /// Where shares of a new key's passphrase go. Without it, to the terminal, one after the other.
    pub shares: Option<SharesPlace>,
}

/// The chain of the records of all ceremonies of one root.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordPlace {
    /// The key that signs the records: the first ceremony makes it (ECDSA P-256), all others use it. It signs nothing else, and is
    /// encrypted if a passphrase is named.
    pub key: PathBuf,
    /// A file with its passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// The record of the ceremony before this one, `record.json` in its folder. None for the first.
    pub previous: Option<PathBuf>,
}

/// The files that a ceremony starts from, PEM or DER, by what they are in the ceremony file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inputs {
    /// The certificate in `[issuer]`.
    pub issuer: Option<PathBuf>,
    /// The certificate in `[subject]`.
    pub subject: Option<PathBuf>,
    /// The certificate or CRL in `[replaces]`.
    pub replaces: Option<PathBuf>,
    /// `key.request`, or the request in `[answers]`.
    pub request: Option<PathBuf>,
    /// `key.public_key`. Of `key.existing` it may be named too: then a plan and a rehearsal know what kind of key it is.
    pub public_key: Option<PathBuf>,
    /// The certificates in `[revoke]` and `[[crl.revoked]]`, in any order.
    pub revoked: Vec<PathBuf>,
}

/// Where a key is, and how it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyPlace {
    /// A PEM file. A new key that names none is `key.pem` in the output folder.
    pub file: Option<PathBuf>,
    /// Where it is in a hardware security module, in place of a file.
    pub pkcs11: Option<Pkcs11>,
    /// A file with its passphrase, readable by its owner alone.
    pub passphrase_file: Option<PathBuf>,
    /// An open file descriptor from which its passphrase is read.
    pub passphrase_descriptor: Option<u32>,
    /// Files with shares of its passphrase, as many as are needed.
    pub share_files: Vec<PathBuf>,
    /// Whether shares of its passphrase are asked for at the terminal. Where nothing is said, its passphrase is.
    pub ask_for_shares: bool,
}

/// Where a key is in a hardware security module.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11 {
    /// The PKCS #11 module: the library that the maker of the device gives.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The token's serial number, where several have that label.
    pub serial: Option<String>,
    /// The key's label. A new key needs one that no other key of the token has.
    pub label: Option<String>,
    /// The key's id in hexadecimal digits, where several have that label. A new key gets one by chance.
    pub id: Option<String>,
    /// A file with the token's PIN, readable by its owner alone.
    pub pin_file: Option<PathBuf>,
    /// An open file descriptor from which the PIN is read. Where nothing is said, it is asked for at the terminal.
    pub pin_descriptor: Option<u32>,
}

/// Where shares go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharesPlace {
    /// A folder of their own, away from the key's: it must not exist, or be empty.
    pub folder: PathBuf,
}

/// Why a machine file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// Not TOML, or a field is missing, unknown or of another type. The text shows the line.
    #[error("{0}")]
    Toml(Box<toml::de::Error>),
    /// Contradictory settings.
    #[error("{field}: {problem}")]
    Value {
        /// Its path.
        field: String,
        /// What is wrong, and what to write.
        problem: &'static str,
    },
    /// Longer than any machine file.
    #[error("the machine file is longer than {MAX_FILE} bytes")]
    Length,
}

impl Machine {
    /// Reads a machine file.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, MachineError> {
        if text.len() > MAX_FILE {
            return Err(MachineError::Length);
        }
        let machine: Self = toml::from_str(text).map_err(|error| MachineError::Toml(Box::new(error)))?;
        for (name, place) in [("key", &machine.key), ("issuer_key", &machine.issuer_key)] {
            place.as_ref().map_or(Ok(()), |place| place.check(name))?;
        }
        Ok(machine)
    }

    /// The same with every path that is not absolute beginning in `folder`.
    #[must_use]
    pub fn relative_to(mut self, folder: &Path) -> Self {
        let place = |path: &mut PathBuf| *path = folder.join(&*path);
        place(&mut self.output);
        place(&mut self.record.key);
        let Inputs { issuer, subject, replaces, request, public_key, revoked } = &mut self.inputs;
        [
            issuer,
            subject,
            replaces,
            request,
            public_key,
            &mut self.record.previous,
            &mut self.record.passphrase_file,
        ]
        .into_iter()
        .flatten()
        .chain(revoked)
        .chain(self.shares.as_mut().map(|shares| &mut shares.folder))
        .for_each(place);
        for key in [&mut self.key, &mut self.issuer_key].into_iter().flatten() {
            [&mut key.file, &mut key.passphrase_file]
                .into_iter()
                .flatten()
                .chain(&mut key.share_files)
                .for_each(place);
            if let Some(pkcs11) = &mut key.pkcs11 {
                place(&mut pkcs11.module);
                pkcs11.pin_file.iter_mut().for_each(place);
            }
        }
        self
    }
}

impl KeyPlace {
    fn check(&self, name: &str) -> Result<(), MachineError> {
        let wrong = |problem| Err(MachineError::Value { field: name.to_owned(), problem });
        let ways = [
            self.passphrase_file.is_some(),
            self.passphrase_descriptor.is_some(),
            !self.share_files.is_empty(),
            self.ask_for_shares,
        ];
        let ways = ways.into_iter().filter(|named| *named).count();
        if ways > 1 {
            return wrong(
                "there is more than one way to its passphrase; keep one of passphrase_file, passphrase_descriptor, share_files and \
                 ask_for_shares",
            );
        }
        let Some(pkcs11) = &self.pkcs11 else { return Ok(()) };
        if self.file.is_some() || ways > 0 {
            return wrong(
                "the key is in a file or in a module: keep either pkcs11, with its PIN, or file and what opens it",
            );
        }
        if pkcs11.pin_file.is_some() && pkcs11.pin_descriptor.is_some() {
            return wrong("there is more than one way to the PIN; keep one of pin_file and pin_descriptor");
        }
        if pkcs11.label.is_none() && pkcs11.id.is_none() {
            return wrong("pkcs11 does not say which key of the token it is; write its label, or its id");
        }
        if pkcs11.id.as_deref().is_some_and(|id| from_hex(id).is_none()) {
            return wrong("pkcs11.id is no id of a key; write its hexadecimal digits, two for each octet");
        }
        Ok(())
    }
}

impl Pkcs11 {
    /// The same, as it is opened.
    #[must_use]
    pub fn place(&self) -> Pkcs11Place {
        Pkcs11Place {
            module: self.module.clone(),
            token: self.token.clone(),
            serial: self.serial.clone(),
            label: self.label.clone(),
            id: self.id.as_deref().and_then(from_hex),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "output = \"out\"\n[record]\nkey = \"/keys/record.pem\"\n";

    #[test]
    fn paths_begin_in_the_machine_files_folder() {
        let text = format!("{HEAD}[key]\nfile = \"key.pem\"\n[inputs]\nrevoked = [\"old.pem\"]");
        let machine = Machine::parse(&text).unwrap().relative_to(Path::new("/stick"));
        assert_eq!(machine.output, Path::new("/stick/out"));
        assert_eq!(machine.record.key, Path::new("/keys/record.pem"));
        assert_eq!(machine.key.unwrap().file.unwrap(), Path::new("/stick/key.pem"));
        assert_eq!(machine.inputs.revoked, [Path::new("/stick/old.pem")]);
    }

    #[test]
    fn a_key_has_one_place_and_one_way_to_its_passphrase() {
        let refusal = |key: &str| Machine::parse(&format!("{HEAD}[key]\n{key}")).unwrap_err().to_string();
        assert!(refusal("passphrase_file = \"f\"\nask_for_shares = true").contains("more than one way"));
        assert!(refusal("passphrase = \"secret\"").contains("unknown field"));
        let module = "[key.pkcs11]\nmodule = \"m.so\"\ntoken = \"ca\"\n";
        assert!(
            refusal(&format!("file = \"f\"\n{module}label = \"k\"")).contains("in a file or in a module")
        );
        assert!(
            refusal(&format!("ask_for_shares = true\n{module}label = \"k\""))
                .contains("in a file or in a module")
        );
        assert!(refusal(module).contains("write its label, or its id"));
        assert!(refusal(&format!("{module}id = \"0\"")).contains("two for each octet"));
        let pins = "pin_file = \"p\"\npin_descriptor = 3";
        assert!(refusal(&format!("{module}label = \"k\"\n{pins}")).contains("more than one way to the PIN"));
        assert!(refusal(&format!("{module}label = \"k\"\npin = \"1234\"")).contains("unknown field"));
    }
}

//! Where a key of the CA is, and the one way to open it: from a file, or from a hardware security module.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cairn_ceremony::key_file::{read_key_file, read_pin_file};
use cairn_x509::signer::pkcs11::{Pin, from_hex};
use cairn_x509::{Pkcs11Place, Pkcs11Signer, PublicKey, Signer};
use serde::Deserialize;

/// A key in a file, or in a module: exactly one of `key` and `pkcs11` says which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPlace {
    /// Its file.
    pub key: Option<PathBuf>,
    /// The file with its passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// Its module.
    pub pkcs11: Option<Pkcs11>,
}

/// The `[issuer.pkcs11]` section: the key in a hardware security module.
///
/// ```toml
/// module = "/usr/lib/softhsm/libsofthsm2.so"
/// token = "Example CA"
/// label = "Example Intermediate I1"
/// pin_file = "hsm.pin"
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11 {
    /// The PKCS #11 module: the library that the maker of the device gives. Required.
    pub module: PathBuf,
    /// The label of the token in which the key is. Required.
    pub token: String,
    /// The token's serial number, needed where several tokens have that label.
    pub serial: Option<String>,
    /// The key's label. Required, unless there is an `id`.
    pub label: Option<String>,
    /// The key's id, in hexadecimal digits; needed where several keys have that label.
    pub id: Option<String>,
    /// The file with the token's PIN, in one line. Nobody but its owner may be able to read it. A PIN that the token refuses is not
    /// tried again, also not after a restart, until somebody has logged in to the token with the right one; so that a wrong file cannot
    /// lock it. Required.
    pub pin_file: PathBuf,
}

impl KeyPlace {
    /// Opens the key. `known` is its public part, where that is known: some modules keep none.
    ///
    /// # Errors
    /// If there is no usable key. The text says what to do.
    pub fn open(&self, known: Option<&PublicKey>) -> Result<Box<dyn Signer>> {
        match (&self.key, &self.pkcs11) {
            (Some(key), None) => Ok(Box::new(read_key_file(key, self.passphrase_file.as_deref())?)),
            (None, Some(_)) if self.passphrase_file.is_some() => {
                bail!("passphrase_file is for a key in a file; a module is opened by pin_file. Take it out")
            }
            (None, Some(pkcs11)) => Ok(Box::new(pkcs11.open(known)?)),
            (Some(_), Some(_)) => bail!("both key and pkcs11 say where the key is; keep one of them"),
            (None, None) => {
                bail!(
                    "nothing says where the key is; name its file as key, or its module in a section pkcs11"
                )
            }
        }
    }

    /// Whether anything says where it is.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        self.key.is_some() || self.pkcs11.is_some()
    }

    /// With relative paths made relative to `folder`.
    #[must_use]
    pub fn anchored(mut self, folder: &Path) -> Self {
        self.anchor(folder);
        self
    }

    /// Makes relative paths relative to `folder`.
    pub fn anchor(&mut self, folder: &Path) {
        let module = self.pkcs11.as_mut().map(|pkcs11| [&mut pkcs11.module, &mut pkcs11.pin_file]);
        for path in [&mut self.key, &mut self.passphrase_file]
            .into_iter()
            .flatten()
            .chain(module.into_iter().flatten())
        {
            *path = folder.join(&path);
        }
    }
}

/// For a person: the file, or the key and its token.
impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.key, &self.pkcs11) {
            (Some(key), _) => key.display().fmt(f),
            (None, Some(Pkcs11 { token, label, id, .. })) => {
                let key = label.as_deref().or(id.as_deref()).unwrap_or("?");
                write!(f, "key {key:?} in the token {token:?}")
            }
            (None, None) => f.write_str("nowhere"),
        }
    }
}

impl Pkcs11 {
    fn open(&self, known: Option<&PublicKey>) -> Result<Pkcs11Signer> {
        let id = match &self.id {
            Some(id) => Some(from_hex(id).with_context(|| {
                format!("id = \"{id}\" is no id of a key; write its hexadecimal digits, two for each octet")
            })?),
            None => None,
        };
        let place = Pkcs11Place {
            module: self.module.clone(),
            token: self.token.clone(),
            serial: self.serial.clone(),
            label: self.label.clone(),
            id,
        };
        Ok(Pkcs11Signer::open(&place, Pin::kept(read_pin_file(&self.pin_file)?), known)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(place: &KeyPlace) -> String {
        format!("{:#}", place.open(None).err().unwrap())
    }

    fn pkcs11(text: &str) -> Pkcs11 {
        toml::from_str(&format!("module = \"none.so\"\ntoken = \"ca\"\npin_file = \"pin\"\n{text}")).unwrap()
    }

    #[test]
    fn a_key_has_one_place() {
        let file = KeyPlace { key: Some("key.pem".into()), ..KeyPlace::default() };
        let module = KeyPlace { pkcs11: Some(pkcs11("label = \"key\"")), ..KeyPlace::default() };
        assert!(refusal(&KeyPlace::default()).contains("name its file as key, or its module"));
        assert!(refusal(&KeyPlace { pkcs11: module.pkcs11.clone(), ..file }).contains("keep one of them"));
        let both = KeyPlace { passphrase_file: Some("passphrase".into()), ..module };
        assert!(refusal(&both).contains("opened by pin_file"));
    }

    #[test]
    fn an_id_is_written_in_hexadecimal_digits() {
        let place = KeyPlace { pkcs11: Some(pkcs11("id = \"xyz\"")), ..KeyPlace::default() };
        assert!(refusal(&place).contains("two for each octet"));
    }

    #[test]
    fn paths_begin_in_the_folder_of_who_names_them() {
        let mut place = KeyPlace {
            key: Some("key.pem".into()),
            passphrase_file: Some("/secret/passphrase".into()),
            pkcs11: Some(pkcs11("label = \"key\"")),
        };
        place.anchor(Path::new("/etc/cairn"));
        assert_eq!(place.key.unwrap(), Path::new("/etc/cairn/key.pem"));
        assert_eq!(place.passphrase_file.unwrap(), Path::new("/secret/passphrase"));
        assert_eq!(place.pkcs11.unwrap().pin_file, Path::new("/etc/cairn/pin"));
    }
}

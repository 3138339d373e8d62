//! `cairn init`: a hierarchy for real use, on disk.
//!
//! ```text
//! DIR/
//! ├── root.pem                        0644  what clients trust
//! ├── intermediate.pem                0644
//! ├── intermediate-key.pem            0600  encrypted
//! ├── intermediate-key.passphrase     0600  opens it, for the server
//! └── root-offline/
//!     ├── root-key.pem                0600  encrypted; its passphrase is nowhere on the disk
//!     └── TAKE-THIS-OFFLINE.txt       0644
//! ```
//!
//! The two passphrases are treated differently because they are needed by different parties. The server needs the intermediate's at
//! every start, so it lies in a file; encryption then protects copies of the key file alone, such as backups. Nobody needs the root's
//! before the next intermediate is due: a person keeps it, apart from the key.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use cairn_core::{Clock, Random, Timestamp};
use cairn_x509::Certificate;
use zeroize::Zeroizing;

use super::{DEV_ORGANIZATION, Hierarchy, HierarchySpec, ROOT_FILE, create, passphrase};
use cairn_ceremony::folder::{PRIVATE, PUBLIC, Staging};
use cairn_ceremony::keys::MIN_PASSPHRASE;

const INTERMEDIATE: &str = "intermediate.pem";
const INTERMEDIATE_KEY: &str = "intermediate-key.pem";
const INTERMEDIATE_PASSPHRASE: &str = "intermediate-key.passphrase";
const OFFLINE: &str = "root-offline";
const ROOT_KEY: &str = "root-offline/root-key.pem";
const NOTE: &str = "root-offline/TAKE-THIS-OFFLINE.txt";

/// Where the files of a hierarchy are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitPaths {
    /// The folder of all.
    pub folder: PathBuf,
    /// The root's certificate.
    pub root: PathBuf,
    /// The intermediate's certificate.
    pub intermediate: PathBuf,
    /// The intermediate's key, encrypted.
    pub intermediate_key: PathBuf,
    /// The passphrase of the intermediate's key.
    pub intermediate_passphrase: PathBuf,
    /// The folder with the root's key, to be taken away.
    pub offline: PathBuf,
    /// The root's key, encrypted.
    pub root_key: PathBuf,
}

impl InitPaths {
    /// Those in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            root: folder.join(ROOT_FILE),
            intermediate: folder.join(INTERMEDIATE),
            intermediate_key: folder.join(INTERMEDIATE_KEY),
            intermediate_passphrase: folder.join(INTERMEDIATE_PASSPHRASE),
            offline: folder.join(OFFLINE),
            root_key: folder.join(ROOT_KEY),
            folder: folder.to_owned(),
        }
    }
}

/// A hierarchy that is written but not yet there: it appears with [`commit`](Self::commit), and is gone without. Between the two, the
/// person is shown the root's passphrase: if the process is killed before they have it, there is no root key that nobody can open.
#[derive(Debug)]
pub struct Init {
    staging: Staging,
    paths: InitPaths,
    root: Certificate,
    root_passphrase: Option<Zeroizing<String>>,
}

/// Makes a hierarchy to appear as the folder `out`. The root's key gets `root_passphrase`, or one that is made here.
///
/// # Errors
/// If `out` holds anything, `spec` is impossible or the passphrase short; the text is for whoever chose them.
pub fn init(
    spec: &HierarchySpec,
    out: &Path,
    root_passphrase: Option<Zeroizing<String>>,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Init> {
    let organization = &spec.organization;
    ensure!(
        !organization.to_lowercase().starts_with(&DEV_ORGANIZATION.to_lowercase()),
        "names that begin with \"{DEV_ORGANIZATION}\" mark what must never be trusted in production; choose another than \
         \"{organization}\""
    );
    if let Some(passphrase) = &root_passphrase {
        ensure!(
            passphrase.chars().count() >= MIN_PASSPHRASE,
            "the passphrase for the root's key is too short; use at least {MIN_PASSPHRASE} characters, or let cairn make one"
        );
    }
    // First, so that a folder in the way is told before keys are made.
    let staging = Staging::new(out)?;
    let Hierarchy { root, root_key, intermediate, intermediate_key } = create(spec, clock, random)?;

    let generated = root_passphrase.is_none().then(|| passphrase::generate(random));
    if let Some(passphrase) = root_passphrase.as_ref().or(generated.as_ref()) {
        staging.write(ROOT_KEY, root_key.to_pkcs8_pem(Some(passphrase.as_bytes()))?.as_bytes(), PRIVATE)?;
    }
    staging.write(NOTE, note(&root, &intermediate).as_bytes(), PUBLIC)?;
    staging.write(ROOT_FILE, root.to_pem().as_bytes(), PUBLIC)?;
    staging.write(INTERMEDIATE, intermediate.to_pem().as_bytes(), PUBLIC)?;
    let passphrase = passphrase::generate(random);
    let key = intermediate_key.to_pkcs8_pem(Some(passphrase.as_bytes()))?;
    staging.write(INTERMEDIATE_KEY, key.as_bytes(), PRIVATE)?;
    staging.write(
        INTERMEDIATE_PASSPHRASE,
        Zeroizing::new(format!("{}\n", *passphrase)).as_bytes(),
        PRIVATE,
    )?;
    Ok(Init { staging, paths: InitPaths::in_folder(out), root, root_passphrase: generated })
}

impl Init {
    /// Where the files will be.
    pub fn paths(&self) -> &InitPaths {
        &self.paths
    }

    /// The root's certificate.
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// The passphrase that was made for the root's key: to be shown once, and nowhere kept. `None` if it was given.
    pub fn root_passphrase(&self) -> Option<&str> {
        self.root_passphrase.as_ref().map(|passphrase| passphrase.as_str())
    }

    /// Adds a file of the caller's, such as a configuration, which appears together with the others.
    ///
    /// # Errors
    /// If there is one of this name, or it cannot be written.
    pub fn add_file(&self, name: &str, text: &str) -> Result<()> {
        self.staging.write(name, text.as_bytes(), PUBLIC)
    }

    /// Makes the folder appear, whole.
    ///
    /// # Errors
    /// If something took its place meanwhile, or the disk fails.
    pub fn commit(self) -> Result<InitPaths> {
        self.staging.commit()?;
        Ok(self.paths)
    }
}

fn note(root: &Certificate, intermediate: &Certificate) -> String {
    let ends = |certificate: &Certificate| Timestamp::from_unix(certificate.validity().not_after);
    format!(
        "This folder holds the private key of\n\
         \n    {root}\n\n\
         Whoever has this key and its passphrase can make certificates for any name that your machines will trust, until\n\
         {root_ends}. The server never needs it.\n\
         \n\
         1. Copy root-key.pem to at least two media that are kept offline, in different places.\n\
         2. Keep its passphrase elsewhere, on paper. Without the passphrase the key is lost.\n\
         3. Delete this folder from this machine.\n\
         \n\
         You will need the key to make the next intermediate, well before {intermediate_ends}, when\n\
         \n    {intermediate}\n\n\
         ends.\n",
        root = root.subject(),
        root_ends = ends(root),
        intermediate = intermediate.subject(),
        intermediate_ends = ends(intermediate),
    )
}

#[cfg(test)]
mod tests {
    use super::super::{is_dev, read_key_file};
    use super::*;
    use cairn_core::SystemRandom;
    use cairn_core::time::FakeClock;
    use cairn_x509::{FileSigner, Signer};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    static CLOCK: FakeClock = FakeClock::new(Timestamp::from_unix(1_800_000_000));

    fn begin(out: &Path, name: &str, passphrase: Option<&str>) -> Result<Init> {
        let passphrase = passphrase.map(|text| Zeroizing::new(text.to_owned()));
        init(&HierarchySpec::for_organization(name), out, passphrase, &CLOCK, &SystemRandom)
    }

    fn certificate(path: &Path) -> Certificate {
        Certificate::from_pem(&fs::read_to_string(path).unwrap()).unwrap()
    }

    /// Every file below `folder` with its mode.
    fn files(folder: &Path) -> Vec<(String, u32)> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                found.push((path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), mode));
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn init_makes_a_folder_with_both_keys_encrypted_and_only_one_passphrase() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("ca");
        let made = begin(&out, "Example Corp", None).unwrap();
        let root_passphrase = made.root_passphrase().unwrap().to_owned();
        made.add_file("cairn.toml", "base_url = \"https://ca.test\"\n").unwrap();
        assert!(!out.exists());
        let paths = made.commit().unwrap();

        let expected = [
            ("cairn.toml", 0o644),
            ("intermediate-key.passphrase", 0o600),
            ("intermediate-key.pem", 0o600),
            ("intermediate.pem", 0o644),
            ("root-offline", 0o700),
            ("root-offline/TAKE-THIS-OFFLINE.txt", 0o644),
            ("root-offline/root-key.pem", 0o600),
            ("root.pem", 0o644),
        ];
        assert_eq!(files(&out), expected.map(|(name, mode)| (name.to_owned(), mode)));
        for (name, _) in files(&out).into_iter().filter(|(name, _)| name != "root-offline") {
            let text = fs::read_to_string(out.join(&name)).unwrap();
            assert!(!text.contains(&root_passphrase), "{name}");
            assert!(!text.contains("BEGIN PRIVATE KEY"), "{name}");
        }

        let (root, intermediate) = (certificate(&paths.root), certificate(&paths.intermediate));
        intermediate.verify_issued_by(&root).unwrap();
        assert!(!is_dev(&root));
        let key = read_key_file(&paths.intermediate_key, Some(&paths.intermediate_passphrase)).unwrap();
        assert_eq!(key.public_key(), intermediate.public_key());
        let root_key = fs::read_to_string(&paths.root_key).unwrap();
        let root_key = FileSigner::from_pem(&root_key, Some(root_passphrase.as_bytes())).unwrap();
        assert_eq!(root_key.public_key(), root.public_key());
    }

    #[test]
    fn a_passphrase_that_was_given_opens_the_roots_key_and_none_is_made() {
        let root = tempfile::tempdir().unwrap();
        let made = begin(&root.path().join("ca"), "Example Corp", Some("correct horse battery")).unwrap();
        assert_eq!(made.root_passphrase(), None);
        let paths = made.commit().unwrap();
        let key = fs::read_to_string(&paths.root_key).unwrap();
        FileSigner::from_pem(&key, Some(b"correct horse battery")).unwrap();
    }

    #[test]
    fn a_second_init_into_the_same_folder_is_refused_and_changes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("ca");
        let paths = begin(&out, "Example Corp", None).unwrap().commit().unwrap();
        let before = fs::read(&paths.intermediate_key).unwrap();
        let error = begin(&out, "Example Corp", None).unwrap_err().to_string();
        assert!(error.contains("never overwritten") && error.contains("move the old one away"), "{error}");
        assert_eq!(fs::read(&paths.intermediate_key).unwrap(), before);
    }

    #[test]
    fn an_init_that_does_not_commit_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        drop(begin(&root.path().join("ca"), "Example Corp", None).unwrap());
        assert!(files(root.path()).is_empty());
    }

    #[test]
    fn short_passphrases_and_names_of_development_hierarchies_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("ca");
        assert!(begin(&out, "Example Corp", Some("short")).unwrap_err().to_string().contains("at least 14"));
        for name in ["Cairn Dev", "cairn dev team"] {
            assert!(begin(&out, name, None).unwrap_err().to_string().contains("choose another"));
        }
        assert!(files(root.path()).is_empty());
    }
}

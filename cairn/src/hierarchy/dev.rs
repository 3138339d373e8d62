//! The hierarchy of `cairn dev`, on disk.
//!
//! ```text
//! DATA_DIR/
//! ├── root.pem                   0644  a copy, for clients to trust
//! └── ca/
//!     ├── root.pem               0644
//!     ├── intermediate.pem       0644
//!     ├── intermediate-key.pem   0600  plain: what it signs is trusted by test machines alone
//!     ├── alternates.pem         0644  further roots, each with its certificate for the intermediate; often none
//!     └── offline/root-key.pem   0600  never read again
//! ```
//!
//! `ca/` appears by one rename, so it is complete or absent. While it is absent nothing can have been issued, and a new one may be made;
//! if it is there and damaged, somebody's certificates hang on it, and nothing is made in its place.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use cairn_core::{Clock, Random};
use cairn_x509::{Certificate, FileSigner, Signer};

use super::{Hierarchy, HierarchySpec, ROOT_FILE, alternates, create, is_dev, read_key_file};
use cairn_ceremony::folder::{PRIVATE, PUBLIC, Staging, make_folder, replace_file};

const FOLDER: &str = "ca";
const INTERMEDIATE: &str = "intermediate.pem";
const INTERMEDIATE_KEY: &str = "intermediate-key.pem";
const ROOT_KEY: &str = "offline/root-key.pem";
const ALTERNATES: &str = "alternates.pem";
/// Behind each certificate.
const END: &str = "-----END CERTIFICATE-----\n";

/// Longest certificate file in bytes; ours have 1 KB.
const MAX_CERTIFICATE: u64 = 64 * 1024;

/// What the server needs of a hierarchy: all but the root's key.
#[derive(Debug)]
pub struct DevHierarchy {
    /// The root, which clients trust.
    pub root: Certificate,
    /// The intermediate.
    pub intermediate: Certificate,
    /// Its key, which signs leaves.
    pub intermediate_key: FileSigner,
    /// Further roots, each followed by its certificate for the intermediate.
    pub alternates: Vec<Certificate>,
}

impl DevHierarchy {
    /// Makes one, in memory. The roots' keys end here.
    ///
    /// # Errors
    /// If `spec` is impossible.
    pub fn in_memory(spec: &HierarchySpec, clock: &dyn Clock, random: &dyn Random) -> Result<Self> {
        let hierarchy = create(spec, clock, random)?;
        let alternates = alternates(&hierarchy, spec, clock, random)?;
        Ok(Self::of(hierarchy, alternates))
    }

    fn of(hierarchy: Hierarchy, alternates: Vec<Certificate>) -> Self {
        let Hierarchy { root, intermediate, intermediate_key, .. } = hierarchy;
        Self { root, intermediate, intermediate_key, alternates }
    }
}

/// The hierarchy in `data_dir`; `None` if there is none. Does not touch the root's key.
///
/// # Errors
/// If it is damaged, or not one for development. The text says what to do.
pub fn load_dev(data_dir: &Path) -> Result<Option<DevHierarchy>> {
    let folder = data_dir.join(FOLDER);
    if !folder.try_exists().with_context(|| format!("cannot look for {}", folder.display()))? {
        return Ok(None);
    }
    let hierarchy = read(&folder).with_context(|| {
        format!(
            "the hierarchy in {} cannot be used; restore it from a backup, or remove all of {} to begin anew",
            folder.display(),
            data_dir.display()
        )
    })?;
    publish_root(data_dir, &hierarchy.root)?;
    Ok(Some(hierarchy))
}

/// Makes a hierarchy in `data_dir`, which is made too if it does not exist.
///
/// # Errors
/// If there is one already, or `spec` is impossible.
pub fn create_dev(
    data_dir: &Path,
    spec: &HierarchySpec,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<DevHierarchy> {
    refuse_production(data_dir)?;
    make_folder(data_dir)?;
    let staging = Staging::new(&data_dir.join(FOLDER))?;
    let hierarchy = create(spec, clock, random)?;
    ensure!(is_dev(&hierarchy.root), "a hierarchy for development is named \"{}\"", super::DEV_ORGANIZATION);
    let alternates = alternates(&hierarchy, spec, clock, random)?;
    staging.write(ROOT_KEY, hierarchy.root_key.to_pkcs8_pem(None)?.as_bytes(), PRIVATE)?;
    staging.write(ROOT_FILE, hierarchy.root.to_pem().as_bytes(), PUBLIC)?;
    staging.write(INTERMEDIATE, hierarchy.intermediate.to_pem().as_bytes(), PUBLIC)?;
    staging.write(INTERMEDIATE_KEY, hierarchy.intermediate_key.to_pkcs8_pem(None)?.as_bytes(), PRIVATE)?;
    if !alternates.is_empty() {
        let pem: String = alternates.iter().map(Certificate::to_pem).collect();
        staging.write(ALTERNATES, pem.as_bytes(), PUBLIC)?;
    }
    staging.commit()?;
    publish_root(data_dir, &hierarchy.root)?;
    Ok(DevHierarchy::of(hierarchy, alternates))
}

fn read(folder: &Path) -> Result<DevHierarchy> {
    let root = read_certificate(&folder.join(ROOT_FILE))?;
    let intermediate = read_certificate(&folder.join(INTERMEDIATE))?;
    ensure!(
        is_dev(&root) && is_dev(&intermediate),
        "{} is not of a hierarchy for development; `cairn serve` is for the others",
        root.subject()
    );
    intermediate.verify_issued_by(&root)?;
    let intermediate_key = read_key_file(&folder.join(INTERMEDIATE_KEY), None)?;
    ensure!(
        intermediate_key.public_key() == intermediate.public_key(),
        "{INTERMEDIATE_KEY} is not the key of {INTERMEDIATE}"
    );
    Ok(DevHierarchy { root, intermediate, intermediate_key, alternates: read_alternates(folder)? })
}

fn read_alternates(folder: &Path) -> Result<Vec<Certificate>> {
    let path = folder.join(ALTERNATES);
    if !path.try_exists()? {
        return Ok(Vec::new());
    }
    let text = read_text(&path)?;
    let certificates = text.split_inclusive(END).filter(|pem| !pem.trim().is_empty());
    certificates
        .map(Certificate::from_pem)
        .collect::<Result<_, _>>()
        .with_context(|| path.display().to_string())
}

fn read_certificate(path: &Path) -> Result<Certificate> {
    Certificate::from_pem(&read_text(path)?).with_context(|| format!("cannot read {}", path.display()))
}

fn read_text(path: &Path) -> Result<String> {
    let cannot_read = || format!("cannot read {}", path.display());
    let length = fs::metadata(path).with_context(cannot_read)?.len();
    ensure!(length <= MAX_CERTIFICATE, "{} is longer than {MAX_CERTIFICATE} bytes", path.display());
    fs::read_to_string(path).with_context(cannot_read)
}

/// Puts the root where people look for it, unless it is there.
fn publish_root(data_dir: &Path, root: &Certificate) -> Result<()> {
    refuse_production(data_dir)?;
    let (path, pem) = (data_dir.join(ROOT_FILE), root.to_pem());
    match fs::read_to_string(&path) {
        Ok(text) if text == pem => Ok(()),
        _ => replace_file(&path, pem.as_bytes(), PUBLIC),
    }
}

/// `cairn init` puts its root into a file of the same name: it must not be replaced by one that anybody can misuse.
fn refuse_production(data_dir: &Path) -> Result<()> {
    let path = data_dir.join(ROOT_FILE);
    let of_development = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        _ => read_certificate(&path).is_ok_and(|root| is_dev(&root)),
    };
    ensure!(
        of_development,
        "{} is not the root of a hierarchy for development; choose another data folder, or move that file away",
        path.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_core::time::FakeClock;
    use cairn_core::{SystemRandom, Timestamp};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    static CLOCK: FakeClock = FakeClock::new(Timestamp::from_unix(1_800_000_000));

    fn make(data_dir: &Path) -> Result<DevHierarchy> {
        create_dev(data_dir, &HierarchySpec::dev(), &CLOCK, &SystemRandom)
    }

    /// A data folder that does not exist yet, in one that goes away.
    fn data_dir() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let data_dir = root.path().join("data");
        (root, data_dir)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_was_made_is_loaded_again_and_the_root_lies_where_people_look() {
        let (_root, data_dir) = data_dir();
        assert!(load_dev(&data_dir).unwrap().is_none());
        let made = make(&data_dir).unwrap();
        let loaded = load_dev(&data_dir).unwrap().unwrap();
        assert_eq!((&loaded.root, &loaded.intermediate), (&made.root, &made.intermediate));
        assert_eq!(loaded.intermediate_key.public_key(), made.intermediate_key.public_key());
        assert_eq!(fs::read_to_string(data_dir.join("root.pem")).unwrap(), made.root.to_pem());
    }

    #[test]
    fn alternate_roots_certify_the_same_intermediate_and_are_loaded_again() {
        let (_root, data_dir) = data_dir();
        let spec = HierarchySpec { alternate_roots: 2, ..HierarchySpec::dev() };
        let made = create_dev(&data_dir, &spec, &CLOCK, &SystemRandom).unwrap();
        let [one, by_one, other, by_other] = made.alternates.as_slice() else {
            panic!("{:?}", made.alternates)
        };
        for (root, cross) in [(one, by_one), (other, by_other)] {
            cross.verify_issued_by(root).unwrap();
            assert_eq!(cross.public_key(), made.intermediate.public_key());
            assert_eq!(cross.subject(), made.intermediate.subject());
            assert!(is_dev(root));
        }
        assert_ne!(one.subject(), other.subject());
        assert_eq!(load_dev(&data_dir).unwrap().unwrap().alternates, made.alternates);

        let many = HierarchySpec { alternate_roots: 8, ..HierarchySpec::dev() };
        let error = DevHierarchy::in_memory(&many, &CLOCK, &SystemRandom).unwrap_err();
        assert!(error.to_string().contains("at most 7"), "{error}");
    }

    #[test]
    fn keys_are_for_their_owner_alone() {
        let (_root, data_dir) = data_dir();
        make(&data_dir).unwrap();
        for folder in [".", "ca", "ca/offline"] {
            assert_eq!(mode(&data_dir.join(folder)), 0o700, "{folder}");
        }
        for key in ["ca/intermediate-key.pem", "ca/offline/root-key.pem"] {
            assert_eq!(mode(&data_dir.join(key)), 0o600, "{key}");
        }
        for certificate in ["root.pem", "ca/root.pem", "ca/intermediate.pem"] {
            assert_eq!(mode(&data_dir.join(certificate)), 0o644, "{certificate}");
        }
    }

    #[test]
    fn loading_never_reads_the_roots_key() {
        let (_root, data_dir) = data_dir();
        make(&data_dir).unwrap();
        fs::remove_dir_all(data_dir.join("ca/offline")).unwrap();
        load_dev(&data_dir).unwrap().unwrap();
    }

    #[test]
    fn what_a_killed_process_left_half_made_counts_as_nothing() {
        let (_root, data_dir) = data_dir();
        let killed = Staging::new(&data_dir.join("ca")).unwrap();
        killed.write("intermediate-key.pem", b"-----BEGIN PRI", PRIVATE).unwrap();
        std::mem::forget(killed);
        assert!(load_dev(&data_dir).unwrap().is_none());
        make(&data_dir).unwrap();
        assert!(load_dev(&data_dir).unwrap().is_some());
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 2);
    }

    #[test]
    fn a_copy_of_the_root_that_is_missing_is_made_again() {
        let (_root, data_dir) = data_dir();
        let made = make(&data_dir).unwrap();
        fs::remove_file(data_dir.join("root.pem")).unwrap();
        load_dev(&data_dir).unwrap();
        assert_eq!(fs::read_to_string(data_dir.join("root.pem")).unwrap(), made.root.to_pem());
    }

    #[test]
    fn a_hierarchy_is_never_made_over_another_one() {
        let (_root, data_dir) = data_dir();
        let made = make(&data_dir).unwrap();
        assert!(make(&data_dir).unwrap_err().to_string().contains("never overwritten"));
        assert_eq!(load_dev(&data_dir).unwrap().unwrap().root, made.root);
    }

    #[test]
    fn a_damaged_hierarchy_is_an_error_that_says_what_to_do_and_not_a_reason_for_a_new_one() {
        for file in ["root.pem", "intermediate.pem", "intermediate-key.pem"] {
            let (_root, data_dir) = data_dir();
            make(&data_dir).unwrap();
            fs::remove_file(data_dir.join("ca").join(file)).unwrap();
            let error = format!("{:#}", load_dev(&data_dir).unwrap_err());
            assert!(error.contains("restore it from a backup") && error.contains(file), "{error}");
        }
    }

    #[test]
    fn parts_of_two_hierarchies_are_not_one() {
        let ((_one, one), (_other, other)) = (data_dir(), data_dir());
        make(&one).unwrap();
        make(&other).unwrap();
        for (file, expected) in [("intermediate-key.pem", "is not the key"), ("intermediate.pem", "issuer")] {
            fs::copy(other.join("ca").join(file), one.join("ca").join(file)).unwrap();
            let error = format!("{:#}", load_dev(&one).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_folder_of_cairn_init_is_left_alone() {
        let (_root, data_dir) = data_dir();
        let spec = HierarchySpec::for_organization("Example Corp");
        let paths =
            super::super::init(&spec, &data_dir, None, &CLOCK, &SystemRandom).unwrap().commit().unwrap();
        let before = fs::read(&paths.root).unwrap();
        assert!(make(&data_dir).unwrap_err().to_string().contains("choose another data folder"));
        assert_eq!(fs::read(&paths.root).unwrap(), before);
        assert!(!data_dir.join("ca").exists());
    }

    #[test]
    fn a_production_hierarchy_is_not_made_here() {
        let (_root, data_dir) = data_dir();
        let spec = HierarchySpec::for_organization("Example Corp");
        create_dev(&data_dir, &spec, &CLOCK, &SystemRandom).unwrap_err();
        assert!(load_dev(&data_dir).unwrap().is_none());
    }
}

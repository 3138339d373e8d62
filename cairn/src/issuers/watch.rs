//! Reading the hierarchy again when its files change, without a restart.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cairn_ca::Ca;
use cairn_core::{Clock, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::folder::{self, Inventory, Stamp};
use super::load::{Loaded, Loader, Refusal};
use super::rotation::Rotation;
use crate::config;

/// How often the folder is looked at: names, dates and lengths of a few files.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After how many seconds what was refused is tried again though its files are the same: an issuer's time may have come, or a key that
/// could not be opened may be there again.
const TRY_AGAIN: i64 = 60;

/// What is loaded, and how it came to be.
pub struct Watch {
    config: config::Issuer,
    loader: Loader,
    seen: Stamp,
    inventory: Inventory,
    loaded: Loaded,
    tried: Timestamp,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("loaded", &self.loaded).finish_non_exhaustive()
    }
}

impl Watch {
    /// Loads for the first time.
    pub fn start<'a>(
        config: &config::Issuer,
        profiles: impl IntoIterator<Item = &'a String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        // Before the files are read: what is written in between is seen the next time.
        let seen = stamp(config);
        let mut loader = Loader::new(profiles);
        let inventory = Inventory::read(config);
        let loaded = loader.load(&inventory, clock.as_ref());
        Self { config: config.clone(), loader, seen, inventory, loaded, tried: clock.now(), clock }
    }

    /// What is loaded.
    #[must_use]
    pub const fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Tells how the parts of what is loaded stand.
    fn tell(&self, rotation: &mut Rotation) {
        let issuers = &self.loaded.hierarchy.issuers;
        let in_use = |certificate: &_| issuers.iter().any(|issuer| issuer.certificate() == certificate);
        rotation.tell(&self.inventory, in_use, self.clock.now());
    }

    /// Whether to load again.
    fn is_due(&self, stamp: &Stamp) -> bool {
        let again = !self.loaded.refused.is_empty() && self.clock.now().since(self.tried) >= TRY_AGAIN;
        *stamp != self.seen || again
    }

    /// Loads again if it is due, and says what has changed. Whether anything has.
    fn look(&mut self) -> bool {
        let stamp = stamp(&self.config);
        if !self.is_due(&stamp) {
            return false;
        }
        self.seen = stamp;
        self.tried = self.clock.now();
        self.inventory = Inventory::read(&self.config);
        let loaded = self.loader.load(&self.inventory, self.clock.as_ref());
        say_changes(&self.loaded, &loaded);
        let changed = !is_same(&self.loaded, &loaded);
        self.loaded = loaded;
        changed
    }
}

fn stamp(config: &config::Issuer) -> Stamp {
    config.folder.as_deref().map(folder::stamp).unwrap_or_default()
}

fn is_same(before: &Loaded, after: &Loaded) -> bool {
    let (old, new) = (&before.hierarchy, &after.hierarchy);
    let same_responders = old.responders.len() == new.responders.len()
        && old.responders.iter().zip(&new.responders).all(|(old, new)| Arc::ptr_eq(old, new));
    same_responders
        && old.crls == new.crls
        && old.authorities == new.authorities
        && old.issuers.len() == new.issuers.len()
        && old.issuers.iter().zip(&new.issuers).all(|(old, new)| Arc::ptr_eq(old, new))
}

/// Keeps what `ca` issues with the same as what the files say, and tells how that stands, until `shutdown`.
pub async fn watch(mut watch: Watch, mut rotation: Rotation, ca: Arc<Ca>, shutdown: CancellationToken) {
    let mut told = None;
    loop {
        record(&ca, &mut told).await;
        watch.tell(&mut rotation);
        if shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
            return;
        }
        // Keys are opened there, which may take a second each.
        let looked = tokio::task::spawn_blocking(move || {
            let changed = watch.look();
            (watch, changed)
        });
        let Ok((back, changed)) = looked.await else {
            error!("the hierarchy folder is not looked at any more; restart the server");
            return;
        };
        watch = back;
        if changed {
            if watch.loaded.hierarchy.issuers.is_empty() {
                error!("no issuer is left that can be used; going on with those before");
                continue;
            }
            ca.exchange(watch.loaded.hierarchy.clone());
        }
    }
}

/// Has the certificates recorded, so that front ends learn of them early. A failure is said once.
async fn record(ca: &Ca, told: &mut Option<String>) {
    match ca.record().await {
        Ok(()) => *told = None,
        Err(error) => {
            let error = error.to_string();
            if told.as_ref() != Some(&error) {
                warn!(
                    error,
                    "the issuers' certificates cannot be recorded; nothing is issued before they are"
                );
            }
            *told = Some(error);
        }
    }
}

/// Says what cannot be used.
pub fn say_refused<'a>(refused: impl IntoIterator<Item = &'a Refusal>) {
    for Refusal { what, why } in refused {
        error!(what, why, "part of the hierarchy cannot be used");
    }
}

fn say_changes(before: &Loaded, after: &Loaded) {
    say_refused(after.refused.iter().filter(|refusal| !before.refused.contains(refusal)));
    let ids = |loaded: &Loaded| -> BTreeSet<[u8; 32]> {
        loaded.hierarchy.issuers.iter().map(|issuer| issuer.certificate().sha256_fingerprint()).collect()
    };
    let (old, new) = (ids(before), ids(after));
    for issuer in &after.hierarchy.issuers {
        if !old.contains(&issuer.certificate().sha256_fingerprint()) {
            let ends = Timestamp::from_unix(issuer.certificate().validity().not_after);
            info!(subject = %issuer.certificate().subject(), %ends, "an issuer was put to use");
        }
    }
    for issuer in &before.hierarchy.issuers {
        if !new.contains(&issuer.certificate().sha256_fingerprint()) {
            info!(subject = %issuer.certificate().subject(), "an issuer is not used any more");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use cairn_core::SystemRandom;
    use cairn_core::time::FakeClock;
    use cairn_x509::KeySpec;
    use tempfile::TempDir;

    use super::*;
    use crate::hierarchy::{self, Hierarchy, HierarchySpec};
    use crate::readiness::Notices;

    const START: Timestamp = Timestamp::from_unix(1_800_000_000);

    /// A configured issuer, and a hierarchy folder beside it.
    struct World {
        root: TempDir,
        clock: Arc<FakeClock>,
        config: config::Issuer,
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn private(path: &Path, text: &str) {
        write(path, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    impl World {
        fn new() -> Self {
            let (root, clock) = (TempDir::new().unwrap(), Arc::new(FakeClock::new(START)));
            let made = made(KeySpec::P256, &clock);
            let path = |name: &str| Some(root.path().join(name));
            let config = config::Issuer {
                root: path("root.pem"),
                certificate: path("intermediate.pem"),
                key: path("key.pem"),
                folder: path("hierarchy"),
                ..config::Issuer::default()
            };
            write(&root.path().join("root.pem"), &made.root.to_pem());
            write(&root.path().join("intermediate.pem"), &made.intermediate.to_pem());
            private(&root.path().join("key.pem"), &made.intermediate_key.to_pkcs8_pem(None).unwrap());
            Self { root, clock, config }
        }

        fn path(&self, name: &str) -> std::path::PathBuf {
            self.root.path().join("hierarchy").join(name)
        }

        fn watch(&self) -> Watch {
            let profiles = ["default".to_owned(), "short".to_owned()];
            Watch::start(&self.config, &profiles, Arc::clone(&self.clock) as _)
        }

        /// Puts an issuer into the folder.
        fn install(&self, name: &str, made: &Hierarchy, settings: &str) {
            write(&self.path(&format!("certificates/{name}-root.pem")), &made.root.to_pem());
            let file = |file: &str| self.path(&format!("issuers/{name}/{file}"));
            private(&file("key.pem"), &made.intermediate_key.to_pkcs8_pem(None).unwrap());
            write(&file("certificate.pem"), &made.intermediate.to_pem());
            write(&file("issuer.toml"), &format!("key = \"key.pem\"\n{settings}"));
        }
    }

    fn made(key: KeySpec, clock: &FakeClock) -> Hierarchy {
        let spec = HierarchySpec { intermediate_key: key, ..HierarchySpec::for_organization("Example") };
        hierarchy::create(&spec, clock, &SystemRandom).unwrap()
    }

    #[test]
    fn what_is_put_into_the_folder_is_used_and_what_is_taken_out_is_not() {
        let world = World::new();
        let mut watch = world.watch();
        assert_eq!((watch.loaded.hierarchy.issuers.len(), watch.loaded.refused.as_slice()), (1, &[][..]));
        assert!(!watch.look(), "nothing has changed");

        let rsa = made(KeySpec::Rsa2048, &world.clock);
        world.install("rsa", &rsa, "use = \"now\"\nprofiles = [\"short\"]\n");
        let first = Arc::clone(&watch.loaded.hierarchy.issuers[0]);
        assert!(watch.look());
        let cairn_ca::Hierarchy { issuers, authorities, .. } = watch.loaded.hierarchy.clone();
        assert_eq!(issuers.len(), 2, "{:?}", watch.loaded.refused);
        assert!(Arc::ptr_eq(&issuers[0], &first), "its key is not opened again");
        assert_eq!(issuers[1].certificate(), &rsa.intermediate);
        assert!(authorities.contains(&rsa.root) && authorities.contains(&rsa.intermediate));
        assert!(!watch.look());

        fs::remove_dir_all(world.path("issuers/rsa")).unwrap();
        assert!(watch.look());
        assert_eq!(watch.loaded.hierarchy.issuers.len(), 1);
    }

    #[test]
    fn an_issuer_that_cannot_be_used_is_refused_with_what_to_do_and_the_others_go_on() {
        type Break = fn(&World);
        let cases: [(Break, &str); 7] = [
            (
                |world| write(&world.path("issuers/new/certificate.pem"), "no PEM"),
                "certificate.pem cannot be used",
            ),
            (|world| write(&world.path("issuers/new/issuer.toml"), "kee = 1"), "unknown field `kee`"),
            (|world| fs::remove_file(world.path("issuers/new/key.pem")).unwrap(), "cannot read"),
            (
                |world| {
                    write(&world.path("issuers/new/issuer.toml"), "key = \"key.pem\"\nprofiles = [\"fancy\"]")
                },
                "[ca] has no profile \"fancy\"",
            ),
            (
                |world| write(&world.path("issuers/new/issuer.toml"), "key = \"key.pem\"\nprofiles = []"),
                "profiles is empty",
            ),
            (
                |world| fs::remove_file(world.path("certificates/new-root.pem")).unwrap(),
                "put it into certificates/ of the hierarchy folder",
            ),
            (
                |world| {
                    let other = made(KeySpec::P256, &world.clock).intermediate_key;
                    private(&world.path("issuers/new/key.pem"), &other.to_pkcs8_pem(None).unwrap());
                },
                "is not that of the issuer's certificate",
            ),
        ];
        for (spoil, expected) in cases {
            let world = World::new();
            let mut watch = world.watch();
            world.install("new", &made(KeySpec::P256, &world.clock), "");
            spoil(&world);
            watch.look();
            assert_eq!(watch.loaded.hierarchy.issuers.len(), 1, "{expected}");
            let [refusal] = watch.loaded.refused.as_slice() else { panic!("{:?}", watch.loaded.refused) };
            assert!(refusal.why.contains(expected), "{refusal:?}");
            assert!(refusal.what.contains("new"), "{refusal:?}");
        }
    }

    #[test]
    fn what_was_refused_is_tried_again_though_its_files_have_the_same_dates() {
        let world = World::new();
        world.install("new", &made(KeySpec::P256, &world.clock), "");
        let key = world.path("issuers/new/key.pem");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let mut watch = world.watch();
        assert!(watch.loaded.refused[0].why.contains("600"), "{:?}", watch.loaded.refused);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(!watch.look(), "not at once");
        world.clock.advance(TRY_AGAIN);
        assert!(watch.look());
        assert_eq!(watch.loaded.hierarchy.issuers.len(), 2);
    }

    #[test]
    fn an_issuer_whose_time_has_not_come_is_used_when_it_has() {
        let world = World::new();
        let later = FakeClock::new(START.plus(7200));
        world.install("later", &made(KeySpec::P256, &later), "");
        let mut watch = world.watch();
        assert!(watch.loaded.refused[0].why.contains("valid only from"), "{:?}", watch.loaded.refused);
        world.clock.advance(7200);
        assert!(watch.look());
        assert_eq!((watch.loaded.hierarchy.issuers.len(), watch.loaded.refused.len()), (2, 0));
    }

    #[test]
    fn what_must_be_renewed_is_noticed_until_its_successor_is_there() {
        let world = World::new();
        let mut watch = world.watch();
        let notices = Arc::new(Notices::default());
        let profiles = cairn_ca::Config::default().profiles;
        let mut rotation = Rotation::new(profiles, Arc::clone(&notices));
        watch.tell(&mut rotation);
        assert_eq!(*notices.get(), [""; 0]);

        // Five years, less 90 days, less a twelfth of five years.
        world.clock.advance((1825 - 90 - 152) * 24 * 60 * 60 + 7200);
        watch.tell(&mut rotation);
        let [notice] = notices.get().as_slice().to_vec().try_into().unwrap();
        assert!(notice.starts_with("issuer configured should be renewed now, and must be by "), "{notice}");

        world.install("next", &made(KeySpec::P384, &world.clock), "");
        assert!(watch.look());
        watch.tell(&mut rotation);
        assert_eq!(*notices.get(), [""; 0]);
    }

    #[test]
    fn a_folder_that_is_not_whole_yet_is_left_alone() {
        let world = World::new();
        world.install("new", &made(KeySpec::P256, &world.clock), "");
        let hidden = world.path("issuers/.new.unfinished-1");
        fs::rename(world.path("issuers/new"), &hidden).unwrap();
        let mut watch = world.watch();
        assert_eq!((watch.loaded.hierarchy.issuers.len(), watch.loaded.refused.len()), (1, 0));
        fs::rename(hidden, world.path("issuers/new")).unwrap();
        assert!(watch.look());
        assert_eq!(watch.loaded.hierarchy.issuers.len(), 2);
    }

    #[test]
    fn one_key_under_two_names_is_refused() {
        let world = World::new();
        let first = made(KeySpec::P256, &world.clock);
        let second = made(KeySpec::P256, &world.clock);
        world.install("first", &first, "");
        // The second root certifies the first one's key under its own name.
        let inputs = cairn_x509::IntermediateInputs {
            serial: &[9; 16],
            validity: second.intermediate.validity(),
            public_key: first.intermediate.public_key(),
            subject: second.intermediate.subject(),
            urls: cairn_x509::Urls::default(),
        };
        let profile = cairn_x509::CaProfile::for_tls();
        let algorithm = cairn_x509::Signer::algorithm(&second.root_key);
        let tbs = cairn_x509::intermediate(&profile, &second.root, algorithm, inputs).unwrap();
        let twin = Hierarchy {
            root: second.root.clone(),
            intermediate: tbs.sign(&second.root_key).unwrap(),
            root_key: second.root_key,
            intermediate_key: first.intermediate_key,
        };
        world.install("twin", &twin, "");
        let watch = world.watch();
        let [refusal] = watch.loaded.refused.as_slice() else { panic!("{:?}", watch.loaded) };
        assert!(
            refusal.what == "twin" && refusal.why.contains("has the key of another issuer"),
            "{refusal:?}"
        );
    }
}

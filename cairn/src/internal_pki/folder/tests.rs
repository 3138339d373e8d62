use std::os::unix::fs::PermissionsExt;

use cairn_core::SystemRandom;
use cairn_core::time::FakeClock;
use tempfile::TempDir;

use super::*;

const START: Timestamp = Timestamp::from_unix(1_800_000_000);
const DAY: i64 = 24 * 60 * 60;

/// A folder that was made at `START`, on a clock that the test turns.
struct World {
    above: TempDir,
    clock: FakeClock,
    root: Certificate,
}

impl World {
    fn new() -> Self {
        let (above, clock) = (tempfile::tempdir().unwrap(), FakeClock::new(START));
        let out = above.path().join("pki");
        let root = init(&out, Period::from_days(90), Period::from_days(3650), &clock, &SystemRandom).unwrap();
        Self { above, clock, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.above.path().join("pki").join(name)
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.above.path().join("pki")).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    fn renewal(&self) -> Renewal {
        Renewal {
            dir: self.above.path().join("pki"),
            roles: Vec::new(),
            if_within: Period::from_days(30),
            lifetime: Period::from_days(90),
            root_key: None,
            root_passphrase_file: None,
        }
    }

    fn renew(&self, renewal: &Renewal) -> Result<Vec<(Role, Outcome)>> {
        renew(renewal, &self.clock, &SystemRandom).map(|(_, outcomes)| outcomes)
    }

    /// That a role's two files belong together and to the root, and that its key is its owner's alone.
    fn assert_good(&self, role: Role) {
        let certificate = read_certificate(&self.path(&certificate_file(role))).unwrap();
        certificate.verify_issued_by(&self.root).unwrap();
        let key = read_key_file(&self.path(&key_file(role)), None).unwrap();
        assert_eq!(key.public_key(), certificate.public_key(), "{role}");
    }
}

#[test]
fn init_makes_two_files_for_each_role_and_two_for_the_root_with_exact_modes() {
    let world = World::new();
    let mut expected = vec![ROOT.to_owned(), ROOT_KEY.to_owned()];
    expected.extend(Role::ALL.into_iter().flat_map(|role| [certificate_file(role), key_file(role)]));
    expected.sort();
    let names: Vec<_> = world.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, expected);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.above.path().join("pki")), 0o700);
    for name in names {
        let expected = if name.ends_with("-key.pem") { 0o600 } else { 0o644 };
        assert_eq!(mode(&world.path(&name)), expected, "{name}");
    }
    Role::ALL.into_iter().for_each(|role| world.assert_good(role));
}

#[test]
fn a_second_init_is_refused_and_changes_nothing() {
    let world = World::new();
    let before = world.files();
    let again =
        init(&world.renewal().dir, Period::from_days(1), Period::from_days(2), &world.clock, &SystemRandom);
    assert!(again.unwrap_err().to_string().contains("never overwritten"));
    assert_eq!(world.files(), before);
}

#[test]
fn impossible_lifetimes_are_refused_and_leave_nothing() {
    let above = tempfile::tempdir().unwrap();
    let try_init = |lifetime, root_lifetime| {
        let (out, clock) = (above.path().join("pki"), FakeClock::new(START));
        init(&out, lifetime, root_lifetime, &clock, &SystemRandom).unwrap_err().to_string()
    };
    assert!(try_init(Period::from_days(2), Period::from_days(1)).contains("cannot outlive its root"));
    assert!(try_init(Period::from_secs(59), Period::from_days(1)).contains("at least 1m"));
    assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
}

#[test]
fn nothing_is_renewed_before_it_is_due_and_the_roots_key_is_not_needed_for_that() {
    let world = World::new();
    fs::remove_file(world.path(ROOT_KEY)).unwrap();
    let before = world.files();
    world.clock.advance(60 * DAY - 1);
    let ends = START.plus(90 * DAY - 1);
    assert_eq!(world.renew(&world.renewal()).unwrap(), Role::ALL.map(|role| (role, Outcome::Kept(ends))));
    assert_eq!(world.files(), before);
}

#[test]
fn what_is_due_gets_a_new_key_and_a_new_life() {
    let world = World::new();
    let before = world.files();
    world.clock.advance(60 * DAY);
    let outcome = Outcome::Renewed(START.plus(150 * DAY - 1), Why::Due(START.plus(90 * DAY - 1)));
    assert_eq!(world.renew(&world.renewal()).unwrap(), Role::ALL.map(|role| (role, outcome)));
    let after = world.files();
    for ((name, old), (same_name, new)) in before.iter().zip(&after) {
        assert_eq!(name, same_name, "no file came or went");
        assert_eq!(old == new, name.starts_with("root"), "{name}");
    }
    Role::ALL.into_iter().for_each(|role| world.assert_good(role));
}

#[test]
fn only_the_roles_that_are_asked_for_are_renewed() {
    let world = World::new();
    let before = fs::read(world.path("sa.pem")).unwrap();
    let all_of_it = Period::from_days(3650);
    let renewal = Renewal { roles: vec![Role::Ra, Role::Admin], if_within: all_of_it, ..world.renewal() };
    let renewed: Vec<_> = world.renew(&renewal).unwrap().into_iter().map(|(role, _)| role).collect();
    assert_eq!(renewed, [Role::Ra, Role::Admin]);
    assert_eq!(fs::read(world.path("sa.pem")).unwrap(), before);
}

#[test]
fn what_a_killed_renewal_left_is_mended_and_a_role_that_was_removed_stays_away() {
    let world = World::new();
    // Killed between the two renames: the new key beside the old certificate.
    fs::copy(world.path("sa-key.pem"), world.path("ra-key.pem")).unwrap();
    // Killed before.
    fs::write(world.path("ra.pem.unfinished"), "half a certif").unwrap();
    fs::remove_file(world.path("admin.pem")).unwrap();
    fs::remove_file(world.path("admin-key.pem")).unwrap();
    let outcomes = world.renew(&world.renewal()).unwrap();
    let ends = START.plus(90 * DAY - 1);
    assert!(outcomes.contains(&(Role::Ra, Outcome::Renewed(ends, Why::Unusable))));
    assert!(outcomes.contains(&(Role::Sa, Outcome::Kept(ends))));
    assert!(outcomes.iter().all(|(role, _)| *role != Role::Admin));
    world.assert_good(Role::Ra);
    assert!(!world.path("ra.pem.unfinished").exists());

    let renewal = Renewal { roles: vec![Role::Admin], ..world.renewal() };
    assert_eq!(world.renew(&renewal).unwrap(), [(Role::Admin, Outcome::Renewed(ends, Why::Missing))]);
    world.assert_good(Role::Admin);
}

#[test]
fn the_roots_key_may_lie_elsewhere_encrypted() {
    let world = World::new();
    world.clock.advance(89 * DAY);
    let key = read_key_file(&world.path(ROOT_KEY), None).unwrap();
    fs::remove_file(world.path(ROOT_KEY)).unwrap();
    let error = world.renew(&world.renewal()).unwrap_err().to_string();
    assert!(error.contains("name it with --root-key"), "{error}");

    let (path, passphrase) = (world.above.path().join("key.pem"), world.above.path().join("passphrase"));
    for (path, text) in
        [(&path, key.to_pkcs8_pem(Some(b"open sesame")).unwrap().as_str()), (&passphrase, "open sesame")]
    {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let elsewhere =
        Renewal { root_key: Some(path), root_passphrase_file: Some(passphrase), ..world.renewal() };
    world.renew(&elsewhere).unwrap();
    world.assert_good(Role::Ra);
}

#[test]
fn a_root_key_that_others_can_read_or_that_is_of_another_root_is_refused() {
    let (world, other) = (World::new(), World::new());
    world.clock.advance(89 * DAY);
    let before = world.files();
    let foreign = Renewal { root_key: Some(other.path(ROOT_KEY)), ..world.renewal() };
    assert!(format!("{:#}", world.renew(&foreign).unwrap_err()).contains("not that of the root"));
    fs::set_permissions(world.path(ROOT_KEY), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(world.renew(&world.renewal()).unwrap_err().to_string().contains("chmod 600"));
    assert_eq!(world.files(), before);
}

#[test]
fn two_renewals_do_not_mix_and_a_folder_without_a_root_is_refused() {
    let world = World::new();
    let lock = lock(&world.renewal().dir).unwrap();
    assert!(world.renew(&world.renewal()).unwrap_err().to_string().contains("let it finish"));
    drop(lock);
    let renewal = Renewal { dir: world.above.path().to_owned(), ..world.renewal() };
    let error = world.renew(&renewal).unwrap_err().to_string();
    assert!(error.contains("no folder of `cairn internal-pki init`"), "{error}");
}

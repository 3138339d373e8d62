//! Root and intermediate: what `cairn init` and `cairn dev` make before the CA can run, and how their files are written and read.
//!
//! The CA that serves issues leaves alone, from an intermediate; the root's key signs once, here, and is then out of its reach. A
//! hierarchy appears on disk whole or not at all ([`cairn_ceremony::folder`]), never in place of another, and private keys are for their
//! owner's eyes only ([`cairn_ceremony::key_file`]). Both certificates are made as a ceremony makes them.

pub mod dev;
pub mod init;

pub(crate) mod passphrase;

use anyhow::{Result, bail, ensure};
use cairn_ca::{SerialPrefix, serial};
use cairn_ceremony::make::{self, Key, Keys};
use cairn_ceremony::plan::{Ca, CertificatePlan, Form, Issuer};
use cairn_core::random::bytes;
use cairn_core::{Clock, Period, Random, Timestamp};
use cairn_x509::{CaProfile, Certificate, FileSigner, KeySpec, Name, Signer, Validity};

pub use self::dev::{DevHierarchy, create_dev, load_dev};
pub use self::init::{Init, InitPaths, init};
pub use cairn_ceremony::key_file::{read_key_file, read_passphrase_file, read_password_file};

/// The organization of every hierarchy of `cairn dev`. Its certificates' names begin with it, and so tell whoever finds them in a trust
/// store that they belong nowhere near production.
pub const DEV_ORGANIZATION: &str = "Cairn Dev";

/// The root's certificate in the folders of both `cairn init` and `cairn dev`: the file that people look for.
pub const ROOT_FILE: &str = "root.pem";

/// How long before they are made root and intermediate begin, for clients whose clocks are slow.
const BACKDATE: i64 = 60 * 60;
/// ub-common-name (RFC 5280 appendix A.1) less the longest of what follows the organization, " Intermediate CA 1 " and a suffix.
const MAX_ORGANIZATION: usize = 64 - 25;

/// One chain less than a certificate is offered with.
const MAX_ALTERNATE_ROOTS: u8 = 7;

/// What a hierarchy shall look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HierarchySpec {
    /// Whose: stands in all names, "Example Corp".
    pub organization: String,
    /// The root's key.
    pub root_key: KeySpec,
    /// The intermediate's key: the one that signs each certificate, so its speed is the CA's.
    pub intermediate_key: KeySpec,
    /// How long the root is valid.
    pub root_lifetime: Period,
    /// How long the intermediate is valid; no longer than the root.
    pub intermediate_lifetime: Period,
    /// How many further roots certify the same intermediate, for clients that choose among chains; for development alone.
    pub alternate_roots: u8,
}

/// A root and an intermediate with their keys.
#[derive(Debug)]
pub struct Hierarchy {
    /// The root, which clients trust.
    pub root: Certificate,
    /// Its key, which signs intermediates.
    pub root_key: FileSigner,
    /// The intermediate.
    pub intermediate: Certificate,
    /// Its key, which signs leaves.
    pub intermediate_key: FileSigner,
}

/// Makes a hierarchy, in memory.
///
/// # Errors
/// If `spec` is impossible; the text is for whoever wrote it.
pub fn create(spec: &HierarchySpec, clock: &dyn Clock, random: &dyn Random) -> Result<Hierarchy> {
    spec.check()?;
    let now = clock.now();
    // Two hierarchies of one organization need different names: clients look an issuer up by name, and may find the wrong one.
    let suffix: String = bytes::<3>(random).iter().map(|byte| format!("{byte:02X}")).collect();
    let name =
        |role: &str| Name::new(&format!("{} {role} {suffix}", spec.organization), Some(&spec.organization));
    let serials = [(); 2].map(|()| serial::new(SerialPrefix::default(), now, random));
    let [root_serial, intermediate_serial] = &serials;

    let root_key = FileSigner::generate(spec.root_key)?;
    let plan =
        CertificatePlan::new("the root", Form::Root(name("Root CA")?), validity(now, spec.root_lifetime));
    let keys = Keys { key: Some(Key::Signs(&root_key)), issuer: None };
    let root = make::certificate(&plan, root_serial.as_bytes(), keys, &[])?;

    let intermediate_key = FileSigner::generate(spec.intermediate_key)?;
    let form = Form::Intermediate(name("Intermediate CA 1")?);
    let plan = CertificatePlan {
        issuer: Issuer::Ca(Ca::Given(Box::new(root.clone()))),
        profile: CaProfile::for_tls(),
        ..CertificatePlan::new("the intermediate", form, validity(now, spec.intermediate_lifetime))
    };
    let keys = Keys { key: Some(Key::Public(intermediate_key.public_key())), issuer: Some(&root_key) };
    let intermediate = make::certificate(&plan, intermediate_serial.as_bytes(), keys, &[])?;
    Ok(Hierarchy { root, root_key, intermediate, intermediate_key })
}

/// Makes the further roots that `spec` asks for: each root, and after it its certificate for the intermediate of `hierarchy`. Their keys
/// sign that once, and end here.
///
/// # Errors
/// If `spec` is impossible.
pub fn alternates(
    hierarchy: &Hierarchy,
    spec: &HierarchySpec,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Vec<Certificate>> {
    ensure!(
        spec.alternate_roots <= MAX_ALTERNATE_ROOTS,
        "{} alternate roots are too many; choose at most {MAX_ALTERNATE_ROOTS}",
        spec.alternate_roots
    );
    let now = clock.now();
    let mut made = Vec::new();
    for number in 1..=spec.alternate_roots {
        let [root_serial, cross_serial] = [(); 2].map(|()| serial::new(SerialPrefix::default(), now, random));
        let suffix: String = bytes::<3>(random).iter().map(|byte| format!("{byte:02X}")).collect();
        let organization = &spec.organization;
        let name = Name::new(&format!("{organization} Root CA {number} {suffix}"), Some(organization))?;
        let key = FileSigner::generate(spec.root_key)?;
        // The root's own: what it covers, this one does.
        let validity = hierarchy.root.validity();
        let plan = CertificatePlan::new("the alternate root", Form::Root(name), validity);
        let keys = Keys { key: Some(Key::Signs(&key)), issuer: None };
        let root = make::certificate(&plan, root_serial.as_bytes(), keys, &[])?;
        let existing = Ca::Given(Box::new(hierarchy.intermediate.clone()));
        let plan = CertificatePlan {
            issuer: Issuer::Ca(Ca::Given(Box::new(root.clone()))),
            profile: CaProfile::for_tls(),
            ..CertificatePlan::new(
                "the alternate intermediate",
                Form::Cross(existing),
                hierarchy.intermediate.validity(),
            )
        };
        let keys = Keys { key: None, issuer: Some(&key) };
        let cross = make::certificate(&plan, cross_serial.as_bytes(), keys, &[])?;
        made.extend([root, cross]);
    }
    Ok(made)
}

/// Whether a certificate is of a hierarchy that [`create_dev`] made, or of one in memory for `cairn dev`.
pub fn is_dev(certificate: &Certificate) -> bool {
    let name = certificate.subject().common_name().and_then(|name| name.strip_prefix(DEV_ORGANIZATION));
    name.is_some_and(|rest| rest.starts_with(' '))
}

/// A certificate's SHA-256 fingerprint, as OpenSSL prints it.
pub fn fingerprint(certificate: &Certificate) -> String {
    let octets = certificate.sha256_fingerprint();
    octets.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}

impl HierarchySpec {
    /// For real use: P-384 and 20 years for the root, P-256 and 5 years for the intermediate.
    pub fn for_organization(organization: impl Into<String>) -> Self {
        Self {
            organization: organization.into(),
            root_key: KeySpec::P384,
            intermediate_key: KeySpec::P256,
            root_lifetime: Period::from_days(20 * 365),
            intermediate_lifetime: Period::from_days(5 * 365),
            alternate_roots: 0,
        }
    }

    /// For `cairn dev`: the same with 10 years for the root.
    pub fn dev() -> Self {
        Self { root_lifetime: Period::from_days(10 * 365), ..Self::for_organization(DEV_ORGANIZATION) }
    }

    fn check(&self) -> Result<()> {
        let organization = &self.organization;
        let length = organization.chars().count();
        ensure!(
            (1..=MAX_ORGANIZATION).contains(&length),
            "the organization's name has {length} characters; choose one with 1 to {MAX_ORGANIZATION}"
        );
        ensure!(
            organization.trim() == organization && !organization.contains(char::is_control),
            "the organization's name {organization:?} begins or ends with a space, or contains a control character"
        );
        if self.intermediate_lifetime > self.root_lifetime {
            bail!(
                "the intermediate's lifetime of {} is longer than the root's of {}; an intermediate cannot outlive its root",
                self.intermediate_lifetime,
                self.root_lifetime
            );
        }
        ensure!(
            self.intermediate_lifetime.seconds() >= 2 * BACKDATE,
            "the intermediate's lifetime of {} is too short to issue anything; choose at least 2h",
            self.intermediate_lifetime
        );
        Ok(())
    }
}

/// From an hour ago; the last second counts (RFC 5280 §4.1.2.5).
fn validity(now: Timestamp, lifetime: Period) -> Validity {
    let not_before = now.plus(-BACKDATE);
    Validity { not_before: not_before.unix(), not_after: not_before.plus(lifetime.seconds()).plus(-1).unix() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_ca::Issuer;
    use cairn_core::SystemRandom;
    use cairn_core::time::FakeClock;

    static CLOCK: FakeClock = FakeClock::new(Timestamp::from_unix(1_800_000_000));
    const YEAR: i64 = 365 * 24 * 60 * 60;

    fn make(spec: &HierarchySpec) -> Result<Hierarchy> {
        create(spec, &CLOCK, &SystemRandom)
    }

    #[test]
    fn every_kind_of_key_makes_a_hierarchy_that_verifies_and_from_which_the_ca_issues() {
        for (root_key, intermediate_key) in [
            (KeySpec::P256, KeySpec::P384),
            (KeySpec::P384, KeySpec::P256),
            (KeySpec::Rsa2048, KeySpec::P256),
            (KeySpec::Rsa3072, KeySpec::Rsa2048),
            (KeySpec::Rsa4096, KeySpec::Rsa2048),
        ] {
            let spec = HierarchySpec { root_key, intermediate_key, ..HierarchySpec::dev() };
            let made = make(&spec).unwrap();
            assert_eq!(made.root.public_key(), made.root_key.public_key());
            assert_eq!(made.intermediate.public_key(), made.intermediate_key.public_key());
            made.root.verify_issued_by(&made.root).unwrap();
            made.intermediate.verify_issued_by(&made.root).unwrap();
            let (root, intermediate) = (made.root.to_pem(), made.intermediate.to_pem());
            Issuer::load(&intermediate, &root, Box::new(made.intermediate_key), CLOCK.now()).unwrap();
        }
    }

    #[test]
    fn names_say_whose_and_what_and_two_hierarchies_of_one_organization_differ() {
        let spec = HierarchySpec::for_organization("Example Corp");
        let (one, other) = (make(&spec).unwrap(), make(&spec).unwrap());
        let root = one.root.subject().to_string();
        assert!(root.starts_with("CN=Example Corp Root CA ") && root.ends_with(",O=Example Corp"), "{root}");
        let intermediate = one.intermediate.subject().to_string();
        assert!(intermediate.starts_with("CN=Example Corp Intermediate CA 1 "), "{intermediate}");
        assert_ne!(one.root.subject(), other.root.subject());
        assert_ne!(one.intermediate.subject(), other.intermediate.subject());
        assert_ne!(one.root.serial(), one.intermediate.serial());
    }

    #[test]
    fn validities_begin_an_hour_ago_and_the_intermediate_ends_with_the_root_at_the_latest() {
        let made = make(&HierarchySpec::dev()).unwrap();
        assert_eq!(made.root.validity().not_before, CLOCK.now().unix() - 3600);
        assert_eq!(made.root.validity().lifetime(), 10 * YEAR);
        assert_eq!(made.intermediate.validity().lifetime(), 5 * YEAR);

        let as_long =
            HierarchySpec { intermediate_lifetime: Period::from_days(3650), ..HierarchySpec::dev() };
        let made = make(&as_long).unwrap();
        assert_eq!(made.root.validity(), made.intermediate.validity());
        let longer = HierarchySpec { intermediate_lifetime: Period::from_days(3651), ..HierarchySpec::dev() };
        assert!(make(&longer).unwrap_err().to_string().contains("cannot outlive its root"));
    }

    #[test]
    fn names_and_lifetimes_that_make_no_certificate_are_refused() {
        let longest = "é".repeat(MAX_ORGANIZATION);
        make(&HierarchySpec::for_organization(longest.clone())).unwrap();
        for name in ["", " Example", "Example\n", &format!("{longest}x")] {
            make(&HierarchySpec::for_organization(name)).unwrap_err();
        }
        let short = HierarchySpec { intermediate_lifetime: Period::from_secs(7199), ..HierarchySpec::dev() };
        assert!(make(&short).unwrap_err().to_string().contains("at least 2h"));
    }

    #[test]
    fn a_development_hierarchy_is_known_by_its_names_and_no_other_is_taken_for_one() {
        let made = make(&HierarchySpec::dev()).unwrap();
        assert!(is_dev(&made.root) && is_dev(&made.intermediate));
        for name in ["Example Corp", "Cairn", "Cairn Developers"] {
            let made = make(&HierarchySpec::for_organization(name)).unwrap();
            assert!(!is_dev(&made.root) && !is_dev(&made.intermediate), "{name}");
        }
    }
}

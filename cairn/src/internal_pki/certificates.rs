//! The certificates by which the services know each other: what stands in them, and nothing of files.
//!
//! A root that certifies nothing but leaves, and for each role a certificate for one name, good for both ends of a connection, since
//! every service both calls and is called. There are no intermediates and no revocation: lives are short, keys are new with each
//! renewal, and a stolen key is answered by a new root (RFC 5280 §4.2.1 for the extensions).

use anyhow::{Context, Result, ensure};
use cairn_ca::{SerialPrefix, serial};
use cairn_core::{Clock, Period, Random, Timestamp};
use cairn_proto::Role;
use cairn_x509::{Certificate, FileSigner, KeySpec, Signer, Validity};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use time::OffsetDateTime;

/// The root's name. Whoever meets it elsewhere sees that it is nobody's public CA.
const ROOT_NAME: &str = "Cairn internal root";

/// How long before they are made certificates begin, for machines whose clocks are slow.
const BACKDATE: i64 = 60 * 60;

/// A certificate and its key.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) certificate: Certificate,
    pub(super) key: FileSigner,
}

/// The root and its key: what certifies roles.
#[derive(Debug)]
pub(super) struct Root(Pair);

impl Root {
    /// A new one.
    pub(super) fn create(lifetime: Period, clock: &dyn Clock, random: &dyn Random) -> Result<Self> {
        let key = FileSigner::generate(KeySpec::P256)?;
        let mut params = root_params();
        set_dates(&mut params, validity(clock.now(), lifetime), clock, random)?;
        let signed = params.self_signed(&rcgen_key(&key)?).context("cannot make the root")?;
        Self::new(Certificate::from_der(signed.der())?, key)
    }

    /// One from files. `key` must be its key.
    pub(super) fn new(certificate: Certificate, key: FileSigner) -> Result<Self> {
        certificate.verify_issued_by(&certificate).context("the root does not verify")?;
        ensure!(certificate.public_key() == key.public_key(), "the key is not that of the root");
        Ok(Self(Pair { certificate, key }))
    }

    pub(super) fn certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    pub(super) fn key(&self) -> &FileSigner {
        &self.0.key
    }

    /// A certificate for `role` with a new key. It ends with the root at the latest.
    pub(super) fn certify(
        &self,
        role: Role,
        lifetime: Period,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Pair> {
        let Pair { certificate: root, key: root_key } = &self.0;
        let mut life = validity(clock.now(), lifetime);
        life.not_after = life.not_after.min(root.validity().not_after);
        let ends = Timestamp::from_unix(root.validity().not_after);
        ensure!(
            clock.now() < ends,
            "the root ended at {ends}; make a new folder with `cairn internal-pki init`"
        );
        let key = FileSigner::generate(KeySpec::P256)?;
        let mut params = role_params(role)?;
        set_dates(&mut params, life, clock, random)?;
        let issuer_params = root_params();
        let issuer = Issuer::from_params(&issuer_params, rcgen_key(root_key)?);
        let signed = params.signed_by(&rcgen_key(&key)?, &issuer).context("cannot certify")?;
        let certificate = Certificate::from_der(signed.der())?;
        // The names and key identifiers of a root that this version did not make might be others.
        certificate
            .verify_issued_by(root)
            .with_context(|| format!("{} is no root of `cairn internal-pki init`", root.subject()))?;
        Ok(Pair { certificate, key })
    }
}

fn root_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(ROOT_NAME);
    // Zero: below it there are leaves alone.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn role_params(role: Role) -> Result<CertificateParams> {
    let name = role.dns_name();
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&name);
    params.subject_alt_names = vec![SanType::DnsName(name.try_into()?)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn set_dates(
    params: &mut CertificateParams,
    life: Validity,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<()> {
    let date =
        |unix| OffsetDateTime::from_unix_timestamp(unix).context("the lifetime ends beyond the year 9999");
    params.not_before = date(life.not_before)?;
    params.not_after = date(life.not_after)?;
    let serial = serial::new(SerialPrefix::default(), clock.now(), random);
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    Ok(())
}

/// `lifetime` from now on; the last second counts (RFC 5280 §4.1.2.5).
fn validity(now: Timestamp, lifetime: Period) -> Validity {
    Validity {
        not_before: now.plus(-BACKDATE).unix(),
        not_after: now.plus(lifetime.seconds()).plus(-1).unix(),
    }
}

fn rcgen_key(key: &FileSigner) -> Result<KeyPair> {
    KeyPair::from_pem(&key.to_pkcs8_pem(None)?).context("cannot use the private key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_core::SystemRandom;
    use cairn_core::time::FakeClock;
    use cairn_x509::SubjectAltName;

    static CLOCK: FakeClock = FakeClock::new(Timestamp::from_unix(1_800_000_000));
    const DAY: i64 = 24 * 60 * 60;

    fn root(lifetime: Period) -> Root {
        Root::create(lifetime, &CLOCK, &SystemRandom).unwrap()
    }

    #[test]
    fn the_root_certifies_leaves_alone_and_says_so_critically() {
        let root = root(Period::from_days(3650));
        let certificate = root.certificate();
        assert_eq!(certificate.subject().common_name(), Some(ROOT_NAME));
        assert!(certificate.is_ca());
        assert_eq!(certificate.path_len(), Some(0));
        assert_eq!(certificate.validity().not_after, CLOCK.now().unix() + 3650 * DAY - 1);
        // RFC 5280 §4.2.1.9: 2.5.29.19, critical, CA, pathlen 0; §4.2.1.3: 2.5.29.15, critical, keyCertSign and cRLSign.
        for extension in [
            &b"\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x08\x30\x06\x01\x01\xff\x02\x01\x00"[..],
            &b"\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x01\x06"[..],
        ] {
            assert!(certificate.der().windows(extension.len()).any(|window| window == extension));
        }
    }

    #[test]
    fn each_role_gets_one_name_both_usages_and_a_key_of_its_own() {
        let root = root(Period::from_days(3650));
        let mut keys = std::collections::BTreeSet::new();
        for role in Role::ALL {
            let pair = root.certify(role, Period::from_days(90), &CLOCK, &SystemRandom).unwrap();
            let certificate = &pair.certificate;
            certificate.verify_issued_by(root.certificate()).unwrap();
            assert_eq!(certificate.names(), [SubjectAltName::Dns(role.dns_name())]);
            assert!(!certificate.is_ca());
            assert_eq!(certificate.public_key(), pair.key.public_key());
            assert_eq!(certificate.validity().not_after, CLOCK.now().unix() + 90 * DAY - 1);
            // RFC 5280 §4.2.1.12: clientAuth and serverAuth, and no third.
            let usages = b"\x06\x03\x55\x1d\x25\x04\x16\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01";
            assert!(certificate.der().windows(usages.len()).any(|window| window == usages));
            assert!(keys.insert(certificate.public_key().der().to_vec()));
        }
    }

    #[test]
    fn a_role_ends_with_its_root_at_the_latest_and_a_root_that_ended_certifies_nothing() {
        let root = root(Period::from_days(10));
        let pair = root.certify(Role::Ra, Period::from_days(90), &CLOCK, &SystemRandom).unwrap();
        assert_eq!(pair.certificate.validity().not_after, root.certificate().validity().not_after);
        let later = FakeClock::new(CLOCK.now().plus(10 * DAY));
        let error = root.certify(Role::Ra, Period::from_days(90), &later, &SystemRandom).unwrap_err();
        assert!(error.to_string().contains("cairn internal-pki init"), "{error}");
    }

    #[test]
    fn a_key_that_is_not_the_roots_is_refused() {
        let certificate = root(Period::from_days(10)).certificate().clone();
        let error = Root::new(certificate, FileSigner::generate(KeySpec::P256).unwrap()).unwrap_err();
        assert!(error.to_string().contains("not that of the root"), "{error}");
    }
}

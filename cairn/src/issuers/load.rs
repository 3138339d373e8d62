//! From files to issuers: keys are opened, and each issuer is judged. One that cannot be used is refused by itself; the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use cairn_ca::{Hierarchy, Issuer, Responder};
use cairn_core::Clock;
use cairn_x509::Certificate;

use super::CONFIGURED;
use super::folder::{Inventory, IssuerEntry, ResponderEntry, Stamp};
use crate::hierarchy;

/// Loads issuers, and again when their files have changed: an issuer whose files have not is kept with its open key.
#[derive(Debug, Default)]
pub struct Loader {
    open: BTreeMap<String, (Stamp, Arc<Issuer>)>,
    responders: BTreeMap<String, (Stamp, Arc<Responder>)>,
    /// Names of the CA's profiles.
    profiles: BTreeSet<String>,
}

/// What can be issued with.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The issuers, and every CA certificate.
    pub hierarchy: Hierarchy,
    /// What cannot be used.
    pub refused: Vec<Refusal>,
}

/// Something that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// An issuer's name, or a path.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

impl Loader {
    /// For a CA with these profiles.
    pub fn new<'a>(profiles: impl IntoIterator<Item = &'a String>) -> Self {
        Self { profiles: profiles.into_iter().cloned().collect(), ..Self::default() }
    }

    /// Opens and judges the issuers.
    pub fn load(&mut self, inventory: &Inventory, clock: &dyn Clock) -> Loaded {
        let unreadable = inventory.unreadable.iter();
        let unreadable =
            unreadable.map(|(path, why)| Refusal { what: path.display().to_string(), why: why.clone() });
        let mut refused: Vec<_> = unreadable.collect();
        let mut open = BTreeMap::new();
        let mut issuers: Vec<Arc<Issuer>> = Vec::new();
        for entry in &inventory.issuers {
            match self.issuer(entry, inventory, &issuers, clock) {
                Ok(issuer) => {
                    open.insert(entry.name.clone(), (entry.stamp.clone(), Arc::clone(&issuer)));
                    issuers.push(issuer);
                }
                Err(error) => {
                    refused.push(Refusal { what: entry.name.clone(), why: format!("{error:#}") });
                }
            }
        }
        self.open = open;
        let responders = self.load_responders(inventory, &mut refused, clock);
        let authorities = inventory.authorities().cloned().collect();
        let crls = inventory.crls.iter().map(|(_, crl)| crl.clone()).collect();
        Loaded { hierarchy: Hierarchy { issuers, authorities, responders, crls }, refused }
    }

    /// Opens and judges the responders.
    fn load_responders(
        &mut self,
        inventory: &Inventory,
        refused: &mut Vec<Refusal>,
        clock: &dyn Clock,
    ) -> Vec<Arc<Responder>> {
        let mut open = BTreeMap::new();
        for entry in &inventory.responders {
            match self.responder(entry, inventory, clock) {
                Ok(responder) => {
                    open.insert(entry.name.clone(), (entry.stamp.clone(), responder));
                }
                Err(error) => {
                    let what = format!("responder {}", entry.name);
                    refused.push(Refusal { what, why: format!("{error:#}") });
                }
            }
        }
        self.responders = open;
        self.responders.values().map(|(_, responder)| Arc::clone(responder)).collect()
    }

    fn responder(
        &self,
        entry: &ResponderEntry,
        inventory: &Inventory,
        clock: &dyn Clock,
    ) -> Result<Arc<Responder>> {
        let kept = self.responders.get(&entry.name).filter(|(stamp, responder)| {
            *stamp == entry.stamp && *responder.certificate() == entry.certificate
        });
        if let Some((_, responder)) = kept {
            return Ok(Arc::clone(responder));
        }
        let certificate = &entry.certificate;
        let authority = inventory.above(certificate).with_context(|| {
            format!(
                "the certificate of the CA that issued it ({}) is not known; put it into certificates/ of the hierarchy folder",
                certificate.issuer()
            )
        })?;
        let key = entry.key.open(Some(certificate.public_key())).context("its key")?;
        Ok(Arc::new(Responder::load(certificate.clone(), authority.clone(), key, clock.now())?))
    }

    fn issuer(
        &self,
        entry: &IssuerEntry,
        inventory: &Inventory,
        before: &[Arc<Issuer>],
        clock: &dyn Clock,
    ) -> Result<Arc<Issuer>> {
        let kept = self
            .open
            .get(&entry.name)
            .filter(|(stamp, issuer)| *stamp == entry.stamp && *issuer.certificate() == entry.certificate);
        if let Some((_, issuer)) = kept {
            return Ok(Arc::clone(issuer));
        }
        let certificate = &entry.certificate;
        ensure!(
            !hierarchy::is_dev(certificate),
            "it is of a hierarchy that `cairn dev` made, whose root key lies on a disk unprotected"
        );
        if let Some(unknown) = entry.usage.profiles.iter().find(|it| !self.profiles.contains(*it)) {
            bail!("[ca] has no profile {unknown:?}; mend `profiles` in its issuer.toml");
        }
        // The configured issuer stands below the configured root; that it does not is what is wrong then.
        let root = inventory.certificates.first().filter(|_| entry.name == CONFIGURED);
        let above = inventory.above(certificate).or(root.map(|(_, root)| root)).with_context(|| {
            format!(
                "the certificate of the CA that issued it ({}) is not known; put it into certificates/ of the hierarchy folder",
                certificate.issuer()
            )
        })?;
        let place = entry.key.as_ref().context("no key is named for it")?;
        let whose = match (entry.name == CONFIGURED, place.pkcs11.is_some()) {
            (true, true) => "[issuer.pkcs11]",
            (true, false) => "issuer.key",
            (false, _) => "its key",
        };
        let key = place.open(Some(certificate.public_key())).context(whose)?;
        let issuer = Issuer::load(&certificate.to_pem(), &above.to_pem(), key, clock.now())?;
        if let Some(other) = before.iter().find(|other| is_ambiguous(other, &issuer)) {
            bail!(
                "it has the key of another issuer ({}) and another name, so that nobody could tell whose a certificate is; \
                 make a key for it",
                other.certificate().subject()
            );
        }
        Ok(Arc::new(issuer.used(entry.usage.clone())))
    }
}

/// Whether two issuers have the name in the database in common, and not the one in their certificates.
fn is_ambiguous(one: &Issuer, other: &Issuer) -> bool {
    let subject = |issuer: &Issuer| Certificate::subject(issuer.certificate()).clone();
    one.id() == other.id() && subject(one) != subject(other)
}

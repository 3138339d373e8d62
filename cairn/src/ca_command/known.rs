//! Whom this CA trusts, and which certificates it knows besides.

use anyhow::{Context, Result, bail, ensure};
use cairn_core::Timestamp;
use cairn_x509::{Certificate, Crl};

use super::folder::Folder;
use crate::config;
use crate::issuers::files::{entries, read_certificate, read_text};

/// Longest chain in certificates.
const MAX_CHAIN: usize = 8;

/// The certificates that the configuration and the hierarchy folder have.
#[derive(Debug, Default)]
pub struct Known {
    /// Which sign themselves: what clients trust.
    roots: Vec<Certificate>,
    /// Others, of which chains are made.
    others: Vec<Certificate>,
}

impl Known {
    /// Reads `issuer.root`, and `certificates/` in the folder.
    ///
    /// # Errors
    /// If one is no certificate.
    pub fn read(issuer: &config::Issuer, folder: &Folder) -> Result<Self> {
        let mut known = Self::default();
        let files = entries(&folder.certificates(), Some("pem"))?;
        for path in issuer.root.iter().chain(&files) {
            let certificate = read_certificate(path)?;
            let is_root = certificate.verify_issued_by(&certificate).is_ok();
            let list = if is_root { &mut known.roots } else { &mut known.others };
            if !list.contains(&certificate) {
                list.push(certificate);
            }
        }
        Ok(known)
    }

    /// Whether it is one of these.
    pub(super) fn has(&self, certificate: &Certificate) -> bool {
        self.roots.iter().chain(&self.others).any(|known| known == certificate)
    }

    /// The root, if there is one alone.
    ///
    /// # Errors
    /// If there is none, or several.
    pub(super) fn root(&self) -> Result<&Certificate> {
        match self.roots.as_slice() {
            [root] => Ok(root),
            [] => bail!(
                "this CA has no root yet; put its certificate into certificates/ of the hierarchy folder, or name it as root in [issuer]"
            ),
            several => {
                let names = several.iter().map(|root| root.subject().to_string()).collect::<Vec<_>>();
                bail!(
                    "there are several roots ({}); name the certificate of the one that is asked with --issuer",
                    names.join("; ")
                )
            }
        }
    }

    /// The certificates from `issuer`, which it begins with, to a root of ours, each valid at `now`, and such that `below` CAs may stand
    /// below the issuer. `offered` may help.
    ///
    /// # Errors
    /// If there is no such chain.
    pub(super) fn chain(
        &self,
        issuer: &Certificate,
        offered: &[Certificate],
        below: u8,
        now: Timestamp,
    ) -> Result<Vec<Certificate>> {
        let mut chain = vec![issuer.clone()];
        while let Some(last) = chain.last().filter(|last| !self.roots.contains(last)) {
            let above = self.roots.iter().chain(&self.others).chain(offered);
            let next = above
                .filter(|above| !chain.contains(above))
                .find(|above| last.verify_issued_by(above).is_ok());
            let Some(next) = next.filter(|_| chain.len() < MAX_CHAIN).cloned() else {
                bail!(
                    "{} is no root of this CA and leads to none; if it shall be one, put its certificate into certificates/ of the \
                     hierarchy folder",
                    last.subject()
                );
            };
            chain.push(next);
        }
        for (below, certificate) in (below..).zip(&chain) {
            let (validity, subject) = (certificate.validity(), certificate.subject());
            ensure!(
                (validity.not_before..=validity.not_after).contains(&now.unix()),
                "{subject} is valid from {} to {}, and this machine's clock says {now}",
                Timestamp::from_unix(validity.not_before),
                Timestamp::from_unix(validity.not_after)
            );
            // RFC 5280 §4.2.1.9.
            ensure!(
                certificate.path_len().is_none_or(|length| length >= below),
                "{subject} may have fewer CAs below it than the {below} that there would be"
            );
        }
        Ok(chain)
    }
}

/// The CRL of `issuer` with the greatest number, and that number.
///
/// # Errors
/// If one cannot be read.
pub(super) fn newest_crl(folder: &Folder, issuer: &Certificate) -> Result<Option<(u64, Crl)>> {
    let mut newest: Option<(u64, Crl)> = None;
    for path in entries(&folder.crls(), Some("pem"))? {
        let crl = Crl::from_pem(&read_text(&path)?).with_context(|| path.display().to_string())?;
        let number = crl.tbs().number_as_u64().unwrap_or_default();
        if crl.verify_issued_by(issuer).is_ok() && newest.as_ref().is_none_or(|(before, _)| *before < number)
        {
            newest = Some((number, crl));
        }
    }
    Ok(newest)
}

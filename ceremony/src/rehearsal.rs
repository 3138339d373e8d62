//! A rehearsal: the same file, with throw-away keys in place of all that exist and marks on all that is made.

use anyhow::Result;
use cairn_x509::{Certificate, FileSigner, Name, NameAttributes, RootInputs, Signer, root};

use crate::file::{CeremonyFile, CertificateSpec};
use crate::inputs::Inputs;
use crate::make::throwaway;

/// Begins the names of all that a rehearsal makes.
pub(crate) const MARK: &str = "REHEARSAL";

/// ub-common-name (RFC 5280 appendix A.1).
const MAX_COMMON_NAME: usize = 64;

/// The file with marked names.
pub(crate) fn marked(file: &CeremonyFile) -> CeremonyFile {
    let mut file = file.clone();
    file.title = mark(&file.title);
    if let Some(request) = &mut file.request {
        request.subject.common_name = mark(&request.subject.common_name);
    }
    let specs = [&mut file.certificate, &mut file.cross_from_old, &mut file.cross_from_new];
    for subject in specs.into_iter().flatten().filter_map(|spec: &mut CertificateSpec| spec.subject.as_mut())
    {
        subject.common_name = mark(&subject.common_name);
    }
    file
}

/// The certificates that a ceremony starts from, replaced by ones whose keys are at hand, and the key of the one that signs.
pub(crate) fn stand_ins(inputs: Inputs) -> Result<(Inputs, Option<FileSigner>)> {
    let signs = inputs.signing_certificate().cloned();
    let mut issuer_key = None;
    let inputs = inputs.replaced(&mut |_, certificate| {
        let key = throwaway(certificate.public_key().kind())?;
        let stand_in = stand_in(&certificate, &key)?;
        if signs.as_ref() == Some(&certificate) {
            issuer_key = Some(key);
        }
        Ok(stand_in)
    })?;
    Ok((inputs, issuer_key))
}

/// A root with a marked name, valid as long as `certificate`.
fn stand_in(certificate: &Certificate, key: &FileSigner) -> Result<Certificate> {
    let name = mark(certificate.subject().common_name().unwrap_or("without a common name"));
    let subject =
        Name::from_attributes(NameAttributes { common_name: Some(&name), ..NameAttributes::default() })?;
    let inputs = RootInputs {
        serial: certificate.serial(),
        validity: certificate.validity(),
        public_key: key.public_key(),
        subject: &subject,
        digital_signature: false,
    };
    Ok(root(key.algorithm(), inputs)?.sign(key)?)
}

fn mark(name: &str) -> String {
    format!("{MARK} {name}").chars().take(MAX_COMMON_NAME).collect()
}

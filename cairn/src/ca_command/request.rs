//! Makes requests.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use cairn_ceremony::bundle::{
    Asks, IntermediateRequest, IssuerName, Nonce, Request, ResponderRequest, RevocationRequest, Revoke,
    Signed, permitted,
};
use cairn_ceremony::file::Digest;
use cairn_ceremony::folder::{PUBLIC, refuse_to_overwrite, replace_file};
use cairn_core::{Clock, Random};
use cairn_x509::{
    CaCsr, CaRequest, Certificate, CsrRequest, KeySpec, Name, NameAttributes, Purpose, Subtree,
};

use super::folder::Folder;
use super::key::NewKey;
use super::known::{Known, newest_crl};
use super::pending;
use crate::cli::ca::{RequestCrlArgs, RequestIntermediateArgs, RequestOcspSignerArgs, SubjectArgs};
use crate::issuers::files::read_certificate;

/// What shall be asked for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// An intermediate, with a new key.
    Intermediate {
        /// Its name.
        subject: Name,
        /// Its key.
        key: KeySpec,
        /// For how long.
        days: u32,
        /// How many CAs may follow.
        path_length: u8,
        /// For what.
        purposes: Vec<Purpose>,
        /// For which names.
        permitted: Vec<Subtree>,
        /// What it replaces.
        replaces: Option<Digest>,
    },
    /// A list with these serial numbers besides those that are in it.
    Crl(Vec<Revoke>),
    /// An OCSP responder, with a new key.
    OcspSigner {
        /// Its name.
        subject: Name,
        /// Its key.
        key: KeySpec,
        /// For how long.
        days: u32,
    },
}

/// A request that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Its name.
    pub name: &'a str,
    /// The certificate of who shall sign, if it is not the root.
    pub issuer: Option<&'a Path>,
    /// What is asked for.
    pub asked: &'a Asked,
    /// The file to write.
    pub out: &'a Path,
}

impl Asked {
    /// As the command line says.
    ///
    /// # Errors
    /// If a name or a purpose cannot be.
    pub fn intermediate(args: &RequestIntermediateArgs) -> Result<Self> {
        Ok(Self::Intermediate {
            subject: subject(&args.subject)?,
            key: args.key,
            days: args.days,
            path_length: args.path_length,
            purposes: args
                .purposes
                .iter()
                .map(|name| name.parse())
                .collect::<Result<_, _>>()
                .context("--purpose")?,
            permitted: permitted(&args.permitted_dns, &args.permitted_ip)?,
            replaces: args
                .replaces
                .as_ref()
                .map(|path| read_certificate(path).map(|old| Digest::of(old.der())))
                .transpose()
                .context("--replaces")?,
        })
    }

    /// As the command line says.
    ///
    /// # Errors
    /// If something is no serial number, or no reason.
    pub fn crl(args: &RequestCrlArgs) -> Result<Self> {
        let read = |text: &String| {
            let (serial, reason) = match text.split_once('=') {
                Some((serial, reason)) => (serial, Some(reason.to_owned())),
                None => (text.as_str(), None),
            };
            Revoke::new(serial, reason).context("--revoke")
        };
        args.revoke.iter().map(read).collect::<Result<_>>().map(Self::Crl)
    }

    /// As the command line says.
    ///
    /// # Errors
    /// If the name cannot be.
    pub fn ocsp_signer(args: &RequestOcspSignerArgs) -> Result<Self> {
        ensure!(
            args.days <= 365,
            "--days: an OCSP responder is valid for a year at most, since nobody can revoke it"
        );
        Ok(Self::OcspSigner { subject: subject(&args.subject)?, key: args.key, days: args.days })
    }
}

impl Asking<'_> {
    /// Makes the request: onto the disk first, with its key, and then into the file that goes to others.
    ///
    /// # Errors
    /// If something of this name is there already, nobody is known who could sign, or the disk refuses.
    pub fn write(
        self,
        folder: &Folder,
        known: &Known,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<Signed<Request>> {
        let Self { name, issuer, asked, out } = self;
        pending::check_free(folder, name)?;
        refuse_to_overwrite(out)?;
        let target = match asked {
            Asked::Intermediate { .. } => Some(folder.issuer(name)),
            Asked::OcspSigner { .. } => Some(folder.responder(name)),
            Asked::Crl(_) => None,
        };
        if let Some(target) = target.filter(|target| target.exists()) {
            bail!("{} exists already; choose another name", target.display());
        }
        let issuer = match issuer {
            Some(path) => read_certificate(path).context("--issuer")?,
            None => known.root()?.clone(),
        };
        // What could not be installed is not asked for.
        let below = u8::from(matches!(asked, Asked::Intermediate { .. }));
        known.chain(&issuer, &[], below, clock.now())?;

        let (asks, key) = asks(asked, folder, &issuer, random)?;
        let requester = pending::requester_key(folder)?;
        let request = Request {
            name: name.to_owned(),
            nonce: Nonce::from(cairn_core::random::bytes(random)),
            made: clock.now().unix(),
            requester: cairn_x509::Signer::public_key(&requester).clone(),
            issuer: IssuerName { subject: issuer.subject().to_string(), sha256: Digest::of(issuer.der()) },
            asks,
        };
        let request = Signed::new(request, &requester).context("the request cannot be made")?;
        pending::keep(folder, &request, key.as_ref())?;
        replace_file(out, request.text().as_bytes(), PUBLIC).with_context(|| {
            format!(
                "the request is made, and could not be written to {}; copy {}",
                out.display(),
                folder.request(name).join("request.txt").display()
            )
        })?;
        Ok(request)
    }
}

fn asks(
    asked: &Asked,
    folder: &Folder,
    issuer: &Certificate,
    random: &dyn Random,
) -> Result<(Asks, Option<NewKey>)> {
    Ok(match asked {
        Asked::Intermediate { subject, key, days, path_length, purposes, permitted, replaces } => {
            let ca = CaRequest { path_len: Some(*path_length), digital_signature: false };
            let (key, csr) = new_key(*key, subject, Some(ca), random)?;
            let asked = IntermediateRequest {
                csr,
                days: *days,
                purposes: purposes.clone(),
                permitted: permitted.clone(),
                replaces: *replaces,
            };
            (Asks::Intermediate(asked), Some(key))
        }
        Asked::OcspSigner { subject, key, days } => {
            let (key, csr) = new_key(*key, subject, None, random)?;
            (Asks::OcspSigner(ResponderRequest { csr, days: *days }), Some(key))
        }
        Asked::Crl(revoke) => {
            let installed = newest_crl(folder, issuer)?.map(|(_, crl)| crl);
            (Asks::Crl(RevocationRequest { installed, revoke: revoke.clone() }), None)
        }
    })
}

fn new_key(
    spec: KeySpec,
    subject: &Name,
    ca: Option<CaRequest>,
    random: &dyn Random,
) -> Result<(NewKey, CaCsr)> {
    let key = NewKey::new(spec, random)?;
    let csr = CsrRequest { subject, ca }.sign(key.signer())?;
    Ok((key, csr))
}

fn subject(args: &SubjectArgs) -> Result<Name> {
    let attributes = NameAttributes {
        country: args.country.as_deref(),
        organization: args.organization.as_deref(),
        common_name: Some(&args.common_name),
        ..NameAttributes::default()
    };
    Name::from_attributes(attributes).context("the name to ask for")
}

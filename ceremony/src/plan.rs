//! What a ceremony makes, worked out from its file and what that pins: the same for `plan`, which shows it, for `run`, which makes it, and
//! for `verify`, which compares what was made with it.
//!
//! Every ceremony is a list of [`Product`]s, each made with at most two keys: the one that the file's `[key]` names, and the issuer's. What
//! kinds of ceremony there are is known here, and nowhere below.

mod answers;
mod certificate;
mod crl;
mod limits;
mod tables;

use cairn_x509::{CaProfile, CaRequest, Certificate, Name, SignatureAlgorithm, Validity};

use crate::bundle::Issued;
use crate::file::{CeremonyFile, FileError, KeyChoice, Kind};
use crate::inputs::Inputs;

pub use self::crl::Entry;

use self::certificate::Rules;
use self::tables::Tables;

/// What a ceremony makes, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The key that `[key]` names.
    pub key: Option<KeyChoice>,
    /// Whether the issuer's key signs.
    pub needs_issuer_key: bool,
    /// How the keys sign.
    pub signatures: Signatures,
    /// What is made. Nothing, where a key is made alone.
    pub products: Vec<Product>,
}

/// How keys sign, where the file says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signatures {
    /// The key that `[key]` names.
    pub key: Option<SignatureAlgorithm>,
    /// The issuer's.
    pub issuer: Option<SignatureAlgorithm>,
}

impl Signatures {
    fn of(file: &CeremonyFile) -> Self {
        let issuer = file.issuer.as_ref().or(file.replaces.as_ref()).and_then(|pinned| pinned.signature);
        Self {
            key: file.key.as_ref().and_then(|key| key.signature).map(Into::into),
            issuer: issuer.map(Into::into),
        }
    }
}

/// One thing that is made.
#[derive(Clone, Debug, PartialEq)]
pub enum Product {
    /// A certificate.
    Certificate(Box<CertificatePlan>),
    /// A list of what was revoked.
    Crl(Box<CrlPlan>),
    /// A request for somebody else to sign.
    Request(Box<RequestPlan>),
}

/// A CRL that is made. It is about CA certificates alone.
#[derive(Clone, Debug, PartialEq)]
pub struct CrlPlan {
    /// Whose list it is.
    pub issuer: Certificate,
    /// Its number.
    pub number: u64,
    /// When it is made, in seconds since 1970.
    pub this_update: i64,
    /// By when there is another one.
    pub next_update: i64,
    /// What was revoked.
    pub entries: Vec<Entry>,
}

/// A request that is made.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestPlan {
    /// The name that is asked for.
    pub subject: Name,
    /// What CA is asked for.
    pub ca: CaRequest,
}

/// A certificate that is made.
#[derive(Clone, Debug, PartialEq)]
pub struct CertificatePlan {
    /// The file that it is written to, in the ceremony's folder.
    pub file: &'static str,
    /// What it is.
    pub form: Form,
    /// Who signs it.
    pub issuer: Issuer,
    /// Which names, keys and uses the issuer vouches for.
    pub profile: CaProfile,
    /// From when until when.
    pub validity: Validity,
    /// Where the issuer's certificate lies, in DER.
    pub issuer_urls: Vec<String>,
    /// Where OCSP answers for it.
    pub ocsp_urls: Vec<String>,
    /// Where the issuer's CRL lies.
    pub crl_urls: Vec<String>,
}

/// What a certificate is, and whose.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// A root of this name, with the ceremony's key.
    Root(Name),
    /// A CA of this name, with the ceremony's key.
    Intermediate(Name),
    /// An OCSP responder of this name, with the ceremony's key.
    OcspResponder(Name),
    /// Another certificate for a CA that there is.
    Cross(Ca),
}

/// Who signs a certificate.
#[derive(Clone, Debug, PartialEq)]
pub enum Issuer {
    /// The key that it certifies.
    Itself,
    /// A CA, with its key.
    Ca(Ca),
}

/// A CA, with its certificate.
#[derive(Clone, Debug, PartialEq)]
pub enum Ca {
    /// One that exists. Its key, if it signs, is the issuer's key.
    Given(Box<Certificate>),
    /// The root that this ceremony has made before. Its key, if it signs, is the ceremony's key.
    New,
}

/// Works out what a ceremony makes.
///
/// # Errors
/// What in the file does not go together, or cannot be.
pub fn plan(file: &CeremonyFile, inputs: &Inputs) -> Result<Plan, FileError> {
    let mut tables = Tables::new(file);
    let mut plan = match file.kind {
        Kind::Root => root(&mut tables)?,
        Kind::Intermediate => intermediate(&mut tables, inputs)?,
        Kind::CrossSign => cross_sign(&mut tables, inputs)?,
        Kind::OcspSigner => ocsp_signer(&mut tables, inputs)?,
        Kind::Key => key_alone(&mut tables)?,
        Kind::Rollover if file.issuer.is_some() => next_intermediate(&mut tables, inputs)?,
        Kind::Rollover => next_root(&mut tables, inputs)?,
        Kind::Csr => request(&mut tables)?,
        Kind::Crl => list(&mut tables, inputs)?,
        Kind::RevokeIntermediate => revocation(&mut tables, inputs)?,
    };
    if let Some(request) = &inputs.bundle {
        tables.may_answer();
        answers::check(file, &plan, request.content())?;
    }
    // What is there and was not asked for would be taken for done.
    tables.finish()?;
    plan.signatures = Signatures::of(file);
    if matches!(plan.key, Some(KeyChoice::Existing(_))) && splits(file) && file.kind != Kind::Key {
        return Err(FileError::value(
            "key.shares",
            "what opens a key that exists is split by a ceremony of kind \"key\", and by no other",
        ));
    }
    Ok(plan)
}

fn splits(file: &CeremonyFile) -> bool {
    file.key.as_ref().is_some_and(|key| key.shares.is_some())
}

fn root(tables: &mut Tables<'_>) -> Result<Plan, FileError> {
    let key = tables.signing_key()?;
    let certificate = tables.certificate()?;
    let root = certificate::root("certificate", certificate)?;
    Ok(Plan {
        key: Some(key),
        needs_issuer_key: false,
        signatures: Signatures::default(),
        products: vec![product(root)],
    })
}

fn intermediate(tables: &mut Tables<'_>, inputs: &Inputs) -> Result<Plan, FileError> {
    tables.issuer()?;
    let key = tables.key()?;
    let issuer = inputs.issuer()?;
    let certificate = tables.certificate()?;
    let name = certificate::subject("certificate", certificate)?;
    let made = certificate::below(
        "certificate",
        certificate,
        Rules {
            file: "intermediate.pem",
            form: Form::Intermediate(name),
            issuer: Ca::Given(Box::new(issuer.clone())),
        },
        issuer.validity(),
    )?;
    Ok(Plan {
        key: Some(key),
        needs_issuer_key: true,
        signatures: Signatures::default(),
        products: vec![product(made)],
    })
}

fn cross_sign(tables: &mut Tables<'_>, inputs: &Inputs) -> Result<Plan, FileError> {
    tables.issuer()?;
    tables.subject()?;
    let (issuer, subject) = (inputs.issuer()?, inputs.subject()?);
    let certificate = tables.certificate()?;
    certificate::no_subject("certificate", certificate)?;
    let made = certificate::below(
        "certificate",
        certificate,
        Rules {
            file: "cross-certificate.pem",
            form: Form::Cross(Ca::Given(Box::new(subject.clone()))),
            issuer: Ca::Given(Box::new(issuer.clone())),
        },
        issuer.validity(),
    )?;
    Ok(Plan {
        key: None,
        needs_issuer_key: true,
        signatures: Signatures::default(),
        products: vec![product(made)],
    })
}

fn ocsp_signer(tables: &mut Tables<'_>, inputs: &Inputs) -> Result<Plan, FileError> {
    tables.issuer()?;
    let key = tables.key()?;
    let issuer = inputs.issuer()?;
    let certificate = tables.certificate()?;
    let made = certificate::ocsp_responder("certificate", certificate, issuer)?;
    Ok(Plan {
        key: Some(key),
        needs_issuer_key: true,
        signatures: Signatures::default(),
        products: vec![product(made)],
    })
}

fn key_alone(tables: &mut Tables<'_>) -> Result<Plan, FileError> {
    let key = tables.key()?;
    match key {
        KeyChoice::New(_) => {}
        KeyChoice::Existing(_) if splits(tables.file()) => {}
        KeyChoice::Existing(_) | KeyChoice::Request(_) | KeyChoice::PublicKey(_) => {
            return Err(FileError::value(
                "key",
                "a ceremony of kind \"key\" makes one: write its algorithm; or existing and shares, to split what opens one",
            ));
        }
    }
    Ok(Plan {
        key: Some(key),
        needs_issuer_key: false,
        signatures: Signatures::default(),
        products: Vec::new(),
    })
}

fn next_intermediate(tables: &mut Tables<'_>, inputs: &Inputs) -> Result<Plan, FileError> {
    tables.replaces()?;
    let plan = intermediate(tables, inputs)?;
    let old = inputs.replaced_certificate()?;
    for product in &plan.products {
        if let Product::Certificate(new) = product {
            limits::follows(old, new)?;
        }
    }
    Ok(plan)
}

/// The new root, and a certificate in each direction: who trusts the old root alone comes to the new one's certificates, and the reverse.
fn next_root(tables: &mut Tables<'_>, inputs: &Inputs) -> Result<Plan, FileError> {
    tables.replaces_and_signs()?;
    let key = tables.signing_key()?;
    let old = inputs.replaced_certificate()?;
    let new = certificate::root("certificate", tables.certificate()?)?;
    limits::follows(old, &new)?;

    let from_old = tables.cross_from_old()?;
    certificate::no_subject("cross_from_old", from_old)?;
    let from_old = certificate::below(
        "cross_from_old",
        from_old,
        Rules {
            file: "new-root-from-old.pem",
            form: Form::Cross(Ca::New),
            issuer: Ca::Given(Box::new(old.clone())),
        },
        old.validity(),
    )?;

    let from_new = tables.cross_from_new()?;
    certificate::no_subject("cross_from_new", from_new)?;
    let from_new = certificate::below(
        "cross_from_new",
        from_new,
        Rules {
            file: "old-root-from-new.pem",
            form: Form::Cross(Ca::Given(Box::new(old.clone()))),
            issuer: Ca::New,
        },
        new.validity,
    )?;
    let products = vec![product(new), product(from_old), product(from_new)];
    Ok(Plan { key: Some(key), needs_issuer_key: true, signatures: Signatures::default(), products })
}

fn request(tables: &mut Tables<'_>) -> Result<Plan, FileError> {
    let key = tables.signing_key()?;
    let request = tables.request()?;
    let subject = certificate::name("request", &request.subject)?;
    let ca = CaRequest { path_len: request.path_length, digital_signature: false };
    let products = vec![Product::Request(Box::new(RequestPlan { subject, ca }))];
    Ok(Plan { key: Some(key), needs_issuer_key: false, signatures: Signatures::default(), products })
}

fn list(tables: &mut Tables<'_>, inputs: &Inputs) -> Result<Plan, FileError> {
    tables.issuer()?;
    tables.may_replace()?;
    let list = crl::list(tables.crl()?, inputs)?;
    Ok(Plan {
        key: None,
        needs_issuer_key: true,
        signatures: Signatures::default(),
        products: vec![Product::Crl(Box::new(list))],
    })
}

fn revocation(tables: &mut Tables<'_>, inputs: &Inputs) -> Result<Plan, FileError> {
    tables.issuer()?;
    tables.may_replace()?;
    let list = crl::revocation(tables.crl()?, tables.revoke()?, inputs)?;
    Ok(Plan {
        key: None,
        needs_issuer_key: true,
        signatures: Signatures::default(),
        products: vec![Product::Crl(Box::new(list))],
    })
}

fn product(certificate: CertificatePlan) -> Product {
    Product::Certificate(Box::new(certificate))
}

impl CertificatePlan {
    /// One that its own key signs, without constraints and URLs.
    #[must_use]
    pub fn new(file: &'static str, form: Form, validity: Validity) -> Self {
        Self {
            file,
            form,
            issuer: Issuer::Itself,
            profile: CaProfile::default(),
            validity,
            issuer_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            crl_urls: Vec::new(),
        }
    }
}

impl Form {
    /// A certificate of this form, as the answer to a request; `None` of one that nobody asks for.
    pub(crate) fn issued(&self, certificate: &Certificate) -> Option<Issued> {
        match self {
            Self::Intermediate(_) => Some(Issued::Intermediate(certificate.clone())),
            Self::OcspResponder(_) => Some(Issued::OcspSigner(certificate.clone())),
            Self::Root(_) | Self::Cross(_) => None,
        }
    }

    /// What it is, in words.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Root(_) => "root certificate",
            Self::Intermediate(_) => "intermediate certificate",
            Self::OcspResponder(_) => "OCSP responder's certificate",
            Self::Cross(_) => "cross-certificate",
        }
    }
}

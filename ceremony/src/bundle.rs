//! What goes between a CA that serves and the people who hold the key of its root: a [`Request`], and the [`Response`] to it, each one
//! text file that travels on a stick, by mail or as a QR code.
//!
//! A bundle is a head for people, a body for programs (JSON), and a signature (ECDSA P-256 with SHA-256) over all lines before it. The
//! head is written from the body. There is one way to write each bundle: what is read is written again, and refused if that gives other
//! bytes, so that no head says something else than its body, and nothing stands in a file that nobody has read.
//!
//! Any tool can check the signature: `sed '/^-----BEGIN CAIRN SIGNATURE-----$/,$d' FILE | openssl dgst -sha256 -verify KEY -signature …`.
//!
//! That a signature is right says who wrote a bundle, and not that they may: whoever reads one compares the key with one that they
//! know.

mod difference;
mod draft;
mod nonce;
mod request;
mod response;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_x509::{KeyKind, PublicKey, SignatureAlgorithm, Signer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::file::{Digest, Moment, Utc};
use crate::words;

pub use self::difference::{Difference, crl_differences, differences};
pub use self::draft::draft;
pub use self::nonce::Nonce;
pub use self::request::{
    Asks, IntermediateRequest, IssuerName, Request, ResponderRequest, RevocationRequest, Revoke, permitted,
};
pub use self::response::{Issued, RecordPlace, Response};

/// Longest bundle in bytes: a root's CRL of some thousand entries.
pub const MAX_BUNDLE: usize = 1024 * 1024;

const SIGNATURE_BEGINS: &str = "-----BEGIN CAIRN SIGNATURE-----\n";
const SIGNATURE_ENDS: &str = "\n-----END CAIRN SIGNATURE-----\n";

/// What a bundle says.
pub trait Content: Sized {
    /// Tells the two apart, in the lines around the body: `REQUEST`.
    const NAME: &'static str;
    /// How the body begins: `cairn-request/1`.
    const FORMAT: &'static str;
    /// The body.
    type Body: Serialize + DeserializeOwned;

    /// The body of this.
    fn to_body(&self) -> Self::Body;

    /// What a body says.
    ///
    /// # Errors
    /// The first thing that is wrong.
    fn from_body(body: Self::Body) -> Result<Self, BundleError>;

    /// What people read: names and values.
    fn head(&self) -> Vec<(&'static str, String)>;

    /// The key that signs it.
    fn key(&self) -> &PublicKey;
}

/// A bundle whose signature is that of the key which it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<C> {
    content: C,
    text: String,
}

/// Why a bundle is none, or is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Longer than any.
    #[error("it has {0} bytes, and no more than {MAX_BUNDLE} are read")]
    Length(usize),
    /// Not text, or with characters that show as something else than they are.
    #[error(
        "it is no text, or has characters that a terminal does not show as they are, such as carriage returns that were added on its way"
    )]
    Text,
    /// A line is missing or too much.
    #[error("it is no whole {0} of Cairn: it was cut off or changed on its way; fetch it again")]
    Form(&'static str),
    /// Another version.
    #[error("its format is {0:?}, which this version does not read")]
    Format(String),
    /// The body is not as it should be.
    #[error("its body cannot be read: {0}")]
    Body(String),
    /// A value that cannot be.
    #[error("its {field} {problem}")]
    Value {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Not in the one way in which such a bundle is written.
    #[error("it is not written as its body says it would be: somebody changed it")]
    Canonical,
    /// Not signed by the key that it names.
    #[error("its signature is wrong: somebody changed it, or it was damaged on its way")]
    Signature,
    /// The key does not sign.
    #[error("it cannot be signed: {0}")]
    Signing(String),
}

impl<C: Content> Signed<C> {
    /// Writes a bundle and signs it.
    ///
    /// # Errors
    /// If a value cannot be written, or the key is not the one that it names.
    pub fn new(content: C, key: &dyn Signer) -> Result<Self, BundleError> {
        if key.public_key() != content.key() || key.algorithm() != SignatureAlgorithm::EcdsaSha256 {
            return Err(BundleError::Signing(
                "the key is another one than it names, or none of ECDSA P-256".to_owned(),
            ));
        }
        let mut text = unsigned(&content)?;
        let signature = key.sign(text.as_bytes()).map_err(|error| BundleError::Signing(error.to_string()))?;
        text.push_str(SIGNATURE_BEGINS);
        text.push_str(&STANDARD.encode(signature));
        text.push_str(SIGNATURE_ENDS);
        // What could not be read again is not written: a name with control characters, a list that is too long.
        Self::read(text.as_bytes())
    }

    /// Reads a bundle, and checks that the key in it has signed it.
    ///
    /// # Errors
    /// If it is none, or anything in it was changed.
    pub fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE {
            return Err(BundleError::Length(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_not_utf8| BundleError::Text)?;
        if !text.chars().all(is_shown) {
            return Err(BundleError::Text);
        }
        let form = || BundleError::Form(C::NAME);
        let (signed, signature) = text.split_once(SIGNATURE_BEGINS).ok_or_else(form)?;
        let signature = signature.strip_suffix(SIGNATURE_ENDS).ok_or_else(form)?;
        let [begins, ends] = body_lines::<C>();
        let (_, body) = signed.split_once(&begins).ok_or_else(form)?;
        let body = body.strip_suffix(&ends).ok_or_else(form)?;

        let content = C::from_body(read_body::<C>(body)?)?;
        let octets = STANDARD.decode(signature).map_err(|_not_base64| form())?;
        let verified = content.key().verify(SignatureAlgorithm::EcdsaSha256, signed.as_bytes(), &octets);
        verified.map_err(|_wrong| BundleError::Signature)?;
        if unsigned(&content)? != signed || STANDARD.encode(&octets) != signature {
            return Err(BundleError::Canonical);
        }
        Ok(Self { content, text: text.to_owned() })
    }

    /// What it says.
    pub const fn content(&self) -> &C {
        &self.content
    }

    /// The file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 of the file.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// What people read of it, without the lines for programs.
    pub fn head(&self) -> String {
        lines(&self.content.head())
    }
}

/// Whether `bytes` may be a bundle of this kind, by the line that such a file begins with.
#[must_use]
pub fn is_like<C: Content>(bytes: &[u8]) -> bool {
    bytes.starts_with(title::<C>().as_bytes())
}

fn title<C: Content>() -> String {
    format!("CAIRN {}\n", C::NAME)
}

/// All but the signature.
fn unsigned<C: Content>(content: &C) -> Result<String, BundleError> {
    let body = serde_json::to_string_pretty(&content.to_body())
        .map_err(|error| BundleError::Body(error.to_string()))?;
    let rows = content.head();
    // A line of its own would pass for one that is written here.
    if rows.iter().any(|(_, value)| value.contains('\n')) {
        return Err(BundleError::Text);
    }
    let [begins, ends] = body_lines::<C>();
    Ok(format!("{}\n{}\n{begins}{body}\n{ends}", title::<C>(), lines(&rows)))
}

fn body_lines<C: Content>() -> [String; 2] {
    ["BEGIN", "END"].map(|side| format!("-----{side} CAIRN {}-----\n", C::NAME))
}

fn read_body<C: Content>(text: &str) -> Result<C::Body, BundleError> {
    #[derive(Deserialize)]
    struct Version {
        format: String,
    }
    let malformed = |error: serde_json::Error| BundleError::Body(error.to_string());
    // First: what a later version says otherwise is no mistake.
    let Version { format } = serde_json::from_str(text).map_err(malformed)?;
    if format != C::FORMAT {
        return Err(BundleError::Format(format.chars().take(32).collect()));
    }
    serde_json::from_str(text).map_err(malformed)
}

/// Two columns, indented.
fn lines(rows: &[(&'static str, String)]) -> String {
    rows.iter().map(|(name, value)| format!("  {name:<19} {value}\n")).collect()
}

/// Line breaks, and what a terminal shows as it is: no other control characters, and none by which text runs backwards or nothing is
/// seen (Unicode's Bidi_Control and Default_Ignorable_Code_Point, as far as they occur in text).
fn is_shown(character: char) -> bool {
    let hidden = matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    character == '\n' || !character.is_control() && !hidden
}

fn wrong(field: &'static str, problem: impl Into<String>) -> BundleError {
    BundleError::Value { field, problem: problem.into() }
}

/// A key that signs bundles.
fn bundle_key(field: &'static str, pem: &str) -> Result<PublicKey, BundleError> {
    let key = PublicKey::from_pem(pem).map_err(|error| wrong(field, format!("cannot be read: {error}")))?;
    if key.kind() == KeyKind::P256 { Ok(key) } else { Err(wrong(field, "is no ECDSA P-256 key")) }
}

fn digest(field: &'static str, text: &str) -> Result<Digest, BundleError> {
    text.parse().map_err(|_none| wrong(field, "is no SHA-256"))
}

/// Seconds since 1970 of a time as [`Utc`] writes it.
fn moment(field: &'static str, text: &str) -> Result<i64, BundleError> {
    let read = || Moment::try_from(text.parse::<toml::value::Datetime>().ok()?).ok();
    let at = read().map(Moment::beginning).ok_or_else(|| wrong(field, "is no time"))?;
    if Utc(at).to_string() == text { Ok(at) } else { Err(wrong(field, "is no time in UTC to the second")) }
}

/// What people compare of a key: its SHA-256, and the same as words.
fn key_rows(names: [&'static str; 2], key: &PublicKey) -> [(&'static str, String); 2] {
    let digest = Digest::of(key.der());
    [(names[0], digest.to_string()), (names[1], words::fingerprint(&digest))]
}

#[cfg(test)]
mod tests;

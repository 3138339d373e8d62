//! One thing in a PEM file (RFC 7468): strict, and bounded before it is decoded. Key files carry more than their key, and are read by
//! the signer's own rules.

use der::{Document, pem::LineEnding};

/// What a PEM file is said to hold.
pub(crate) struct Form {
    /// The words behind BEGIN and END.
    label: &'static str,
    /// The most octets of DER that are read.
    max_len: usize,
}

/// Why a text is not one block of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PemError {
    /// So many octets, more than any of its form.
    TooLong(usize),
    /// Not exactly one block, or one with another label.
    NotOne,
}

impl Form {
    pub(crate) const fn new(label: &'static str, max_len: usize) -> Self {
        Self { label, max_len }
    }

    /// The DER in `text`.
    pub(crate) fn read(&self, text: &str) -> Result<Document, PemError> {
        // Base64 has four characters for three octets, and lines have ends.
        if text.len() > self.max_len.saturating_mul(3) / 2 {
            return Err(PemError::TooLong(text.len()));
        }
        match Document::from_pem(text) {
            Ok((label, document)) if label == self.label => Ok(document),
            _ => Err(PemError::NotOne),
        }
    }

    /// Strict PEM: 64 columns, line feeds, nothing around it (RFC 7468 §3).
    #[expect(
        clippy::expect_used,
        reason = "encoding fails on an illegal label or a length beyond memory, and neither can be here"
    )]
    pub(crate) fn write(&self, der: &[u8]) -> String {
        der::pem::encode_string(self.label, LineEnding::LF, der).expect("what was read or built is encodable")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: Form = Form::new("EXAMPLE", 100);

    #[test]
    fn what_is_written_reads_back_and_what_is_more_or_else_does_not() {
        let der = [0x30, 3, 2, 1, 5];
        let text = FORM.write(&der);
        assert_eq!(FORM.read(&text).unwrap().as_bytes(), der);
        for wrong in [text.replace("EXAMPLE", "ANOTHER"), text.repeat(2), format!("{text}x"), String::new()] {
            assert_eq!(FORM.read(&wrong).unwrap_err(), PemError::NotOne, "{wrong}");
        }
        let long = "x".repeat(151);
        assert_eq!(FORM.read(&long).unwrap_err(), PemError::TooLong(151));
    }
}

//! What a key in a module may do, and whether that is what a CA's key may.

use std::fmt;

use cryptoki::object::{Attribute, AttributeType};

use super::error::Pkcs11Error;

/// The attributes of a private key (PKCS #11 §4.9). `None` where the module does not tell one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyAttributes {
    /// CKA_SENSITIVE: it is never shown in the clear.
    pub sensitive: Option<bool>,
    /// CKA_EXTRACTABLE: it can be wrapped and taken away.
    pub extractable: Option<bool>,
    /// CKA_ALWAYS_SENSITIVE: it was sensitive from the beginning.
    pub always_sensitive: Option<bool>,
    /// CKA_NEVER_EXTRACTABLE: it was never extractable.
    pub never_extractable: Option<bool>,
    /// CKA_SIGN
    pub sign: Option<bool>,
    /// CKA_SIGN_RECOVER
    pub sign_recover: Option<bool>,
    /// CKA_DECRYPT
    pub decrypt: Option<bool>,
    /// CKA_UNWRAP
    pub unwrap: Option<bool>,
    /// CKA_DERIVE
    pub derive: Option<bool>,
    /// CKA_ALWAYS_AUTHENTICATE: it wants its PIN before each signature.
    pub always_authenticate: Option<bool>,
}

/// Those that are asked for.
pub(super) const ASKED: [AttributeType; 10] = [
    AttributeType::Sensitive,
    AttributeType::Extractable,
    AttributeType::AlwaysSensitive,
    AttributeType::NeverExtractable,
    AttributeType::Sign,
    AttributeType::SignRecover,
    AttributeType::Decrypt,
    AttributeType::Unwrap,
    AttributeType::Derive,
    AttributeType::AlwaysAuthenticate,
];

impl KeyAttributes {
    pub(super) fn read(told: &[Attribute]) -> Self {
        let mut read = Self::default();
        for attribute in told {
            match attribute {
                Attribute::Sensitive(value) => read.sensitive = Some(*value),
                Attribute::Extractable(value) => read.extractable = Some(*value),
                Attribute::AlwaysSensitive(value) => read.always_sensitive = Some(*value),
                Attribute::NeverExtractable(value) => read.never_extractable = Some(*value),
                Attribute::Sign(value) => read.sign = Some(*value),
                Attribute::SignRecover(value) => read.sign_recover = Some(*value),
                Attribute::Decrypt(value) => read.decrypt = Some(*value),
                Attribute::Unwrap(value) => read.unwrap = Some(*value),
                Attribute::Derive(value) => read.derive = Some(*value),
                Attribute::AlwaysAuthenticate(value) => read.always_authenticate = Some(*value),
                _ => {}
            }
        }
        read
    }

    /// That it stays in the module, and signs and does nothing else. What a module does not tell of what must be so is not
    /// believed; what it does not tell of what must not be, it does not have.
    pub(super) fn check(&self, key: &str) -> Result<(), Pkcs11Error> {
        let must = [
            (self.sensitive, true, "CKA_SENSITIVE"),
            (self.extractable, false, "CKA_EXTRACTABLE"),
            (self.sign, true, "CKA_SIGN"),
        ];
        let must_not = [
            (self.sign_recover, "CKA_SIGN_RECOVER"),
            (self.decrypt, "CKA_DECRYPT"),
            (self.unwrap, "CKA_UNWRAP"),
            (self.derive, "CKA_DERIVE"),
            (self.always_authenticate, "CKA_ALWAYS_AUTHENTICATE"),
        ];
        let wrong = must.into_iter().filter_map(|(found, wanted, name)| match found {
            Some(value) if value == wanted => None,
            Some(value) => Some(format!("{name} is {value} and must be {wanted}")),
            None => Some(format!("{name} is not told and must be {wanted}")),
        });
        let wrong: Vec<String> = wrong
            .chain(
                must_not
                    .into_iter()
                    .filter(|(found, _)| *found == Some(true))
                    .map(|(_, name)| format!("{name} is true and must be false")),
            )
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(Pkcs11Error::Attributes { key: key.to_owned(), wrong }) }
    }
}

/// "sensitive, not extractable, …": what a record says.
impl fmt::Display for KeyAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |value: Option<bool>, yes: &'static str, no: &'static str| match value {
            Some(true) => Some(yes),
            Some(false) => Some(no),
            None => None,
        };
        let words = [
            told(self.sensitive, "sensitive", "not sensitive"),
            told(self.extractable, "extractable", "not extractable"),
            told(self.always_sensitive, "always sensitive", "not always sensitive"),
            told(self.never_extractable, "never extractable", "once extractable"),
            told(self.sign, "signs", "does not sign"),
            told(self.decrypt, "decrypts", "does not decrypt"),
            told(self.unwrap, "unwraps", "does not unwrap"),
            told(self.derive, "derives", "does not derive"),
        ];
        f.write_str(&words.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: KeyAttributes = KeyAttributes {
        sensitive: Some(true),
        extractable: Some(false),
        always_sensitive: Some(true),
        never_extractable: Some(true),
        sign: Some(true),
        sign_recover: Some(false),
        decrypt: Some(false),
        unwrap: Some(false),
        derive: Some(false),
        always_authenticate: Some(false),
    };

    fn refusal(attributes: KeyAttributes) -> String {
        attributes.check("ca").unwrap_err().to_string()
    }

    #[test]
    fn a_key_stays_in_its_module_and_only_signs() {
        GOOD.check("ca").unwrap();
        // A module that does not know what such a key cannot do anyway.
        KeyAttributes { decrypt: None, unwrap: None, derive: None, sign_recover: None, ..GOOD }
            .check("ca")
            .unwrap();
        // An imported key; it is told, and not refused.
        let imported =
            KeyAttributes { always_sensitive: Some(false), never_extractable: Some(false), ..GOOD };
        imported.check("ca").unwrap();
        assert!(imported.to_string().contains("not always sensitive, once extractable"), "{imported}");
    }

    #[test]
    fn each_attribute_that_is_wrong_is_named() {
        assert!(refusal(KeyAttributes { sensitive: Some(false), ..GOOD }).contains("CKA_SENSITIVE is false"));
        assert!(refusal(KeyAttributes { sensitive: None, ..GOOD }).contains("CKA_SENSITIVE is not told"));
        assert!(
            refusal(KeyAttributes { extractable: Some(true), ..GOOD }).contains("CKA_EXTRACTABLE is true")
        );
        assert!(refusal(KeyAttributes { sign: Some(false), ..GOOD }).contains("CKA_SIGN is false"));
        assert!(
            refusal(KeyAttributes { sign_recover: Some(true), ..GOOD }).contains("CKA_SIGN_RECOVER is true")
        );
        assert!(refusal(KeyAttributes { unwrap: Some(true), ..GOOD }).contains("CKA_UNWRAP is true"));
        assert!(
            refusal(KeyAttributes { always_authenticate: Some(true), ..GOOD })
                .contains("ALWAYS_AUTHENTICATE")
        );
        let both = refusal(KeyAttributes { decrypt: Some(true), derive: Some(true), ..GOOD });
        assert!(both.contains("CKA_DECRYPT") && both.contains("CKA_DERIVE"), "{both}");
        assert!(both.contains("store = \"pkcs11\""), "{both}");
    }
}

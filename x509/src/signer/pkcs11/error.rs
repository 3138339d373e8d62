//! What can go wrong with a key in a module. The texts are for the operator, and say what to do.

use std::{fmt, path::PathBuf};

use cryptoki::{
    context::Function,
    error::{Error, RvError},
};

use crate::{algorithm::SignatureAlgorithm, signer::KeySpec, spki::KeyKind};

/// Why a key in a module cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs11Error {
    /// No PKCS #11 library, or it does not start.
    #[error("the PKCS #11 module {} cannot be used: {reason}; name the library that the maker of the device gives", .path.display())]
    Module {
        /// Its path.
        path: PathBuf,
        /// What it, or the system, says.
        reason: String,
    },
    /// The token is not there. It may come back.
    #[error("there is no token {token:?}; present are: {}. Connect it, or correct the token's name", names(.present))]
    NoToken {
        /// Its label.
        token: String,
        /// The labels of those that are there.
        present: Vec<String>,
    },
    /// The label says too little.
    #[error("there are several tokens {token:?}; name the serial number as well, one of: {}", names(.serials))]
    SeveralTokens {
        /// Their label.
        token: String,
        /// Their serial numbers.
        serials: Vec<String>,
    },
    /// Just said by the token.
    #[error(
        "the PIN is not that of the token {token:?}; correct it and start again. It is not tried again, since wrong PINs lock a token"
    )]
    PinIncorrect {
        /// The token's label.
        token: String,
    },
    /// Said by the token before, to this process.
    #[error(
        "the token {token:?} has refused this PIN before, and it is not tried again; correct the PIN and start again"
    )]
    PinRefusedBefore {
        /// The token's label.
        token: String,
    },
    /// CKF_USER_PIN_COUNT_LOW, and nobody who could see it has typed the PIN.
    #[error(
        "a wrong PIN was given to the token {token:?} since the last right one. What is tried at every start would lock it, so no PIN from \
         a file is tried; log in to it once with the right PIN by another program (`pkcs11-tool --login --list-objects`), and start again"
    )]
    PinMistaken {
        /// The token's label.
        token: String,
    },
    /// CKF_USER_PIN_FINAL_TRY
    #[error(
        "one more wrong PIN would lock the token {token:?}, so none is tried; log in to it once with the right PIN by another \
         program (`pkcs11-tool --login --list-objects`), and start again"
    )]
    PinFinalTry {
        /// The token's label.
        token: String,
    },
    /// Too many wrong PINs.
    #[error(
        "the token {token:?} is locked after too many wrong PINs; its security officer can unlock it (`pkcs11-tool --init-pin`)"
    )]
    PinLocked {
        /// The token's label.
        token: String,
    },
    /// Nobody has set a PIN, or the token wants a new one.
    #[error(
        "the token {token:?} has no PIN that is good for use: {reason}; set one (`pkcs11-tool --init-pin`, `--change-pin`)"
    )]
    PinUnset {
        /// The token's label.
        token: String,
        /// What it says.
        reason: &'static str,
    },
    /// No private key of this name.
    #[error("the token {token:?} has no private key {key}; it has: {}. Correct the key's label or id", names(.present))]
    NoKey {
        /// The token's label.
        token: String,
        /// What was looked for.
        key: String,
        /// The labels of those that are there.
        present: Vec<String>,
    },
    /// The label says too little.
    #[error("the token {token:?} has several private keys {key}; name the id of one, one of: {}", names(.ids))]
    SeveralKeys {
        /// The token's label.
        token: String,
        /// What was looked for.
        key: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// Neither by label nor by id.
    #[error("nothing says which key of the token it is; name its label or its id")]
    Unnamed,
    /// The key could leave the module, or do more than sign.
    #[error(
        "the key {key:?} is not kept as a CA's key must be: {}. Make another one by a ceremony (`cairn ceremony example key`, with \
         store = \"pkcs11\"), which sets all of this, and destroy this one",
        .wrong.join(", ")
    )]
    Attributes {
        /// Its label.
        key: String,
        /// Which attributes are wrong, and how.
        wrong: Vec<String>,
    },
    /// A kind of key that nothing here signs with.
    #[error("the key {key:?} is {kind}; use ECDSA P-256, ECDSA P-384 or RSA of 2048 to 4096 bits")]
    Unsupported {
        /// Its label.
        key: String,
        /// What it is.
        kind: String,
    },
    /// The token has the private part alone.
    #[error(
        "the token {token:?} has no public key beside the private key {key:?}; import it there, or use the key with its certificate"
    )]
    NoPublicKey {
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
    },
    /// Signed with another key than the public one.
    #[error(
        "the key {key:?} does not sign what its public key verifies: the token holds another key than it did, or is broken. \
         Do not use it before the cause is known"
    )]
    OtherKey {
        /// The key's label.
        key: String,
    },
    /// A new key would have the name of one that exists.
    #[error(
        "the token {token:?} has a key {label:?} already, and no key is overwritten. If a ceremony that was interrupted has left \
         it, destroy it (`pkcs11-tool --login --delete-object --type privkey --label {label:?}`, and the same with pubkey); \
         otherwise choose another label"
    )]
    LabelTaken {
        /// The token's label.
        token: String,
        /// The key's label.
        label: String,
    },
    /// The token cannot make such a key.
    #[error("keys of kind {0} cannot be made in a module; use p256, p384, rsa2048, rsa3072 or rsa4096")]
    Generation(KeySpec),
    /// No signature algorithm of ours.
    #[error("nothing signs with a {0} key in a module; use ECDSA P-256, ECDSA P-384 or RSA")]
    NoAlgorithm(KeyKind),
    /// The token lacks every mechanism for it.
    #[error("the token {token:?} cannot sign {algorithm}; choose another kind of key or signature")]
    Mechanism {
        /// The token's label.
        token: String,
        /// What was to be signed.
        algorithm: SignatureAlgorithm,
    },
    /// All sessions are in use, and none was given back in time.
    #[error(
        "all sessions with the token {token:?} are in use and none comes back; it may hang: look at the device"
    )]
    Busy {
        /// The token's label.
        token: String,
    },
    /// The connection broke. The next signature tries to make a new one.
    #[error(
        "the connection to the token {token:?} is lost ({reason}); see that the device is connected and runs. It is used again by \
         itself when it is back"
    )]
    Lost {
        /// The token's label.
        token: String,
        /// What the module says.
        reason: String,
    },
    /// The module refuses for a reason of its own.
    #[error("the token {token:?} refuses: {reason}; what it means stands in its maker's documentation")]
    Refused {
        /// The token's label.
        token: String,
        /// What the module says.
        reason: String,
    },
}

impl Pkcs11Error {
    /// Whether it may pass by itself: whoever wanted a signature may ask again.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::NoToken { .. } | Self::Busy { .. } | Self::Lost { .. })
    }

    /// Whether a new session, or a new start of the module, may help.
    pub(super) fn is_loss(&self) -> bool {
        matches!(self, Self::NoToken { .. } | Self::Lost { .. })
    }

    /// What `error` means when it comes from the token of this name.
    pub(super) fn of(token: &str, error: &Error) -> Self {
        let (token, reason) = (token.to_owned(), text(error));
        match error {
            Error::Pkcs11(value, function) if is_loss(*value, *function) => Self::Lost { token, reason },
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
                Self::PinIncorrect { token }
            }
            Error::Pkcs11(RvError::PinLocked, _) => Self::PinLocked { token },
            Error::Pkcs11(RvError::PinExpired, _) => Self::PinUnset { token, reason: "it has expired" },
            Error::Pkcs11(RvError::UserPinNotInitialized, _) => {
                Self::PinUnset { token, reason: "it was never set" }
            }
            _ => Self::Refused { token, reason },
        }
    }
}

/// The module's own word for it, CKR_…, where there is one.
pub(super) fn text(error: &Error) -> String {
    match error {
        Error::Pkcs11(value, function) => format!("{value:?} from {function}"),
        other => other.to_string(),
    }
}

/// PKCS #11 §5.1: the values that say that session, token or module are not what they were. GENERAL_ERROR and FUNCTION_FAILED
/// are all that some modules say when their device is away; so is a missing object, of which is known that it was there.
fn is_loss(value: RvError, function: Function) -> bool {
    match value {
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::DeviceRemoved
        | RvError::DeviceError
        | RvError::TokenNotPresent
        | RvError::TokenNotRecognized
        | RvError::SlotIdInvalid
        | RvError::UserNotLoggedIn
        | RvError::CryptokiNotInitialized
        | RvError::KeyHandleInvalid
        | RvError::ObjectHandleInvalid
        | RvError::OperationNotInitialized
        | RvError::OperationActive
        | RvError::FunctionCanceled => true,
        RvError::GeneralError | RvError::FunctionFailed => {
            !matches!(function, Function::GenerateKeyPair | Function::DestroyObject)
        }
        _ => false,
    }
}

fn names(list: &[String]) -> impl fmt::Display {
    if list.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = list.iter().map(|name| format!("{name:?}")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: RvError) -> Pkcs11Error {
        Pkcs11Error::of("ca", &Error::Pkcs11(value, Function::Sign))
    }

    #[test]
    fn what_may_come_back_is_told_from_what_will_not() {
        for value in [
            RvError::SessionHandleInvalid,
            RvError::DeviceRemoved,
            RvError::DeviceError,
            RvError::TokenNotPresent,
            RvError::UserNotLoggedIn,
            RvError::CryptokiNotInitialized,
            RvError::GeneralError,
        ] {
            let error = of(value);
            assert!(error.is_loss() && error.is_temporary(), "{error}");
            assert!(error.to_string().contains("connected and runs"), "{error}");
        }
        for value in
            [RvError::PinIncorrect, RvError::PinLocked, RvError::MechanismInvalid, RvError::DataInvalid]
        {
            assert!(!of(value).is_loss() && !of(value).is_temporary());
        }
        assert_eq!(of(RvError::PinLenRange), Pkcs11Error::PinIncorrect { token: "ca".to_owned() });
        assert!(of(RvError::PinLocked).to_string().contains("security officer"));
    }
}

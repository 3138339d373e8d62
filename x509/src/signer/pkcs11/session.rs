//! Sessions with a token: finds it, logs in, and never tries a PIN that it may not try.

use std::sync::Arc;

use cryptoki::{
    context::Pkcs11,
    object::ObjectHandle,
    session::{Session, SessionState, UserType},
    slot::{Slot, TokenInfo},
    types::AuthPin,
};

use super::{
    Pin, Pkcs11Place, SELF_TEST,
    error::Pkcs11Error,
    mechanism::How,
    module::Module,
    object::{self, Found},
    pool::Source,
};
use crate::{algorithm::SignatureAlgorithm, signer::KeySpec, spki::PublicKey};

/// A token, a key's name there, and the PIN.
pub(super) struct Login {
    pub(super) module: Arc<Module>,
    pub(super) place: Pkcs11Place,
    pub(super) pin: Pin,
}

impl Login {
    /// Finds the key. `known` is its public part, if that is known from elsewhere.
    pub(super) fn find(&self, known: Option<&PublicKey>) -> Result<Found, Pkcs11Error> {
        self.at_token(false, |library, session, slot, info| {
            let mechanisms = library
                .get_mechanism_list(slot)
                .map_err(|error| Pkcs11Error::of(&self.place.token, &error))?;
            object::find(session, &self.place, info, mechanisms, known)
        })
    }

    /// Makes a key, and gives its id.
    pub(super) fn generate(&self, spec: KeySpec) -> Result<Vec<u8>, Pkcs11Error> {
        self.at_token(true, |_, session, _, _| object::generate(session, &self.place, spec))
    }

    /// Destroys the key, and its public part.
    pub(super) fn destroy(&self) -> Result<(), Pkcs11Error> {
        self.at_token(true, |_, session, _, _| object::destroy(session, &self.place))
    }

    /// Does `work` in a session of its own; if the token is not there, once more after the module has looked for it.
    fn at_token<R>(
        &self,
        writes: bool,
        work: impl Fn(&Pkcs11, &Session, Slot, &TokenInfo) -> Result<R, Pkcs11Error>,
    ) -> Result<R, Pkcs11Error> {
        let attempt = || {
            self.module.call(|library, start| {
                let outcome = self.session(library, writes).and_then(|(session, slot, info)| {
                    let outcome = work(library, &session, slot, &info);
                    let _closed = session.close();
                    outcome
                });
                (outcome, start)
            })
        };
        match attempt() {
            (Err(error), start) if error.is_loss() => {
                self.module.start_again(start);
                attempt().0
            }
            (outcome, _) => outcome,
        }
    }

    /// A session that is logged in. It does not close itself: who closes it must know that the module was not started anew since.
    fn session(&self, library: &Pkcs11, writes: bool) -> Result<(Session, Slot, TokenInfo), Pkcs11Error> {
        let of = |error| Pkcs11Error::of(&self.place.token, &error);
        let (slot, info) = self.token(library)?;
        let session = if writes {
            library.open_rw_session_no_drop(slot)
        } else {
            library.open_ro_session_no_drop(slot)
        };
        let session = session.map_err(of)?;
        match self.log_in(&session, &info) {
            Ok(()) => Ok((session, slot, info)),
            Err(error) => {
                let _closed = session.close();
                Err(error)
            }
        }
    }

    fn token(&self, library: &Pkcs11) -> Result<(Slot, TokenInfo), Pkcs11Error> {
        let Pkcs11Place { token, serial, .. } = &self.place;
        let slots = library.get_slots_with_token().map_err(|error| Pkcs11Error::of(token, &error))?;
        // A slot that cannot tell what is in it has nothing for us.
        let all: Vec<_> =
            slots.into_iter().filter_map(|slot| Some((slot, library.get_token_info(slot).ok()?))).collect();
        let is_it = |info: &TokenInfo| {
            info.label() == token && serial.as_deref().is_none_or(|serial| info.serial_number() == serial)
        };
        let initialized = all.iter().filter(|(_, info)| info.token_initialized());
        let present = initialized.map(|(_, info)| info.label().to_owned()).collect();
        let mut found: Vec<_> = all.into_iter().filter(|(_, info)| is_it(info)).collect();
        match (found.pop(), found.is_empty()) {
            (Some(token), true) => Ok(token),
            (None, _) => Err(Pkcs11Error::NoToken { token: token.clone(), present }),
            (Some(last), false) => {
                let all = found.iter().chain([&last]);
                let serials = all.map(|(_, info)| info.serial_number().to_owned()).collect();
                Err(Pkcs11Error::SeveralTokens { token: token.clone(), serials })
            }
        }
    }

    /// Logs in, unless another session of this process has: a login is for all sessions with a token (PKCS #11 §5.6.8).
    fn log_in(&self, session: &Session, info: &TokenInfo) -> Result<(), Pkcs11Error> {
        let token = || self.place.token.clone();
        let of = |error| Pkcs11Error::of(&self.place.token, &error);
        let state = session.get_session_info().map_err(of)?.session_state();
        if matches!(state, SessionState::RoUser | SessionState::RwUser) {
            return Ok(());
        }
        if info.user_pin_locked() {
            return Err(Pkcs11Error::PinLocked { token: token() });
        }
        if info.user_pin_final_try() {
            return Err(Pkcs11Error::PinFinalTry { token: token() });
        }
        let serial = info.serial_number();
        let taken = self.module.has_taken(serial, &self.pin.text);
        if taken == Some(false) {
            return Err(Pkcs11Error::PinRefusedBefore { token: token() });
        }
        if info.user_pin_count_low() && !self.pin.is_typed && taken.is_none() {
            return Err(Pkcs11Error::PinMistaken { token: token() });
        }
        let pin = AuthPin::from(self.pin.text.as_str().to_owned());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) => {
                self.module.remember(serial, &self.pin.text, true);
                Ok(())
            }
            Err(cryptoki::error::Error::Pkcs11(cryptoki::error::RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(error) => {
                let error = of(error);
                if matches!(error, Pkcs11Error::PinIncorrect { .. }) {
                    self.module.remember(serial, &self.pin.text, false);
                }
                Err(error)
            }
        }
    }
}

/// What a signer's pool opens.
pub(super) struct Sessions {
    pub(super) login: Login,
    /// That of the key, which every session must have.
    pub(super) public_key: PublicKey,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) how: How,
}

/// A session that is logged in, with the key.
pub(super) struct Opened {
    /// None when it is being dropped.
    session: Option<Session>,
    key: ObjectHandle,
    /// Of the module when it was opened.
    start: u64,
    module: Arc<Module>,
}

impl Sessions {
    /// Signs in a session.
    pub(super) fn sign(&self, opened: &Opened, message: &[u8]) -> Result<Vec<u8>, Pkcs11Error> {
        self.sign_input(opened, self.how, &self.how.input(message))
    }

    /// Signs what `how` made of a message.
    pub(super) fn sign_input(&self, opened: &Opened, how: How, input: &[u8]) -> Result<Vec<u8>, Pkcs11Error> {
        let token = &self.login.place.token;
        let lost = |reason: &str| Pkcs11Error::Lost { token: token.clone(), reason: reason.to_owned() };
        let raw = self.login.module.call(|_, start| match &opened.session {
            Some(session) if start == opened.start => session
                .sign(&how.mechanism(), opened.key, input)
                .map_err(|error| Pkcs11Error::of(token, &error)),
            _ => Err(lost("the module was started anew")),
        })?;
        how.signature(raw).ok_or_else(|| Pkcs11Error::Refused {
            token: token.clone(),
            reason: "its signature has another length than such signatures have".to_owned(),
        })
    }

    fn key_name(&self) -> String {
        object::name(&self.login.place)
    }
}

impl Source for Sessions {
    type Session = Opened;

    /// Opens one, and has it sign something that must verify: the token may be another one of the same name.
    fn open(&self) -> Result<Opened, Pkcs11Error> {
        let opened = self.login.module.call(|library, start| {
            let (session, ..) = self.login.session(library, false)?;
            match object::private_key(&session, &self.login.place) {
                Ok(key) => {
                    let module = Arc::clone(&self.login.module);
                    Ok(Opened { session: Some(session), key, start, module })
                }
                Err(error) => {
                    let _closed = session.close();
                    Err(match error {
                        // It was there before.
                        Pkcs11Error::NoKey { token, .. } => {
                            Pkcs11Error::Lost { token, reason: "its key is not there now".to_owned() }
                        }
                        other => other,
                    })
                }
            }
        })?;
        let signature = self.sign(&opened, SELF_TEST)?;
        match self.public_key.verify(self.algorithm, SELF_TEST, &signature) {
            Ok(()) => Ok(opened),
            Err(_wrong) => Err(Pkcs11Error::OtherKey { key: self.key_name() }),
        }
    }

    fn revive(&self) {
        let seen = self.login.module.call(|_, start| start);
        self.login.module.start_again(seen);
    }

    fn busy(&self) -> Pkcs11Error {
        Pkcs11Error::Busy { token: self.login.place.token.clone() }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        self.module.call(|_, start| {
            // After a new start, its handle may be that of somebody else's session.
            if start == self.start {
                let _closed = session.close();
            }
        });
    }
}

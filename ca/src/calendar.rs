//! The rotation calendar: until when each part of a hierarchy does its work, and when the next one should be there. A pure function of
//! certificates, CRLs, profiles and the time.
//!
//! Two moments matter of each part. From the second on something suffers, so *by* it there must be a next one:
//!
//! - an issuer can no longer cover a whole leaf of one of its profiles, and shortens;
//! - another CA's certificate ends within the life of the longest leaf, so that chains through it end before the leaf;
//! - a CRL or an OCSP responder's certificate ends.
//!
//! The first is a twelfth of the part's whole life before that: five months for an intermediate of five years, a month for a CRL of a
//! year. That is when the next one *should* be made, since people must meet for it. An issuer that has a successor in use is due no more.

use std::collections::BTreeMap;
use std::fmt;

use cairn_core::Timestamp;
use cairn_x509::{Certificate, Crl, KeyKind, NameConstraints, Validity};

use crate::choice::Usage;
use crate::config::ProfileConfig;
use crate::profile::Profile;

/// Which part of its life before the second moment a part should be renewed.
const MARGIN: i64 = 12;

/// What a hierarchy consists of, each part with a name by which its operator knows it.
#[derive(Clone, Debug, Default)]
pub struct Parts<'a> {
    /// The issuers in use.
    pub issuers: Vec<(String, &'a Certificate, &'a Usage)>,
    /// Roots and other CAs above the issuers.
    pub authorities: Vec<(String, &'a Certificate)>,
    /// CRLs; of those of one CA, the newest counts.
    pub crls: Vec<(String, &'a Crl)>,
    /// Delegated OCSP responders.
    pub responders: Vec<(String, &'a Certificate)>,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Signs leaves.
    Issuer,
    /// A CA above.
    Authority,
    /// A list of what a CA above has revoked.
    Crl,
    /// An OCSP responder.
    Responder,
}

impl Kind {
    /// As it stands in logs, metrics and lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Authority => "authority",
            Self::Crl => "crl",
            Self::Responder => "responder",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// There is nothing to do.
    Good,
    /// An issuer whose successor is in use.
    Succeeded,
    /// The next one should be made.
    Due,
    /// There should have been a next one: something suffers.
    Overdue,
    /// Its life is over.
    Ended,
}

impl State {
    /// As it stands in logs and lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Succeeded => "succeeded",
            Self::Due => "due",
            Self::Overdue => "overdue",
            Self::Ended => "ended",
        }
    }

    /// Whether somebody has to do something.
    #[must_use]
    pub const fn wants_work(self) -> bool {
        matches!(self, Self::Due | Self::Overdue | Self::Ended)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part in the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its operator's name for it.
    pub name: String,
    /// Its subject; of a CRL, the CA's.
    pub subject: String,
    /// Its last second.
    pub ends: Timestamp,
    /// Of an issuer, for each of its profiles: the last moment at which a leaf is whole.
    pub whole_until: BTreeMap<String, Timestamp>,
    /// When the next one should be made.
    pub renew_from: Timestamp,
    /// When the next one must be in use.
    pub renew_by: Timestamp,
    /// How it stands now.
    pub state: State,
}

/// In one sentence, for a person.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, renew_by, ends, .. } = self;
        match self.state {
            State::Good | State::Succeeded => write!(f, "{kind} {name} is good until {renew_by}"),
            State::Due => write!(f, "{kind} {name} should be renewed now, and must be by {renew_by}"),
            State::Overdue if self.kind == Kind::Issuer => {
                write!(f, "{kind} {name} ends at {ends}, and shortens what it issues; install the next one")
            }
            State::Overdue => write!(f, "{kind} {name} ends at {ends}, sooner than leaves do; renew it"),
            State::Ended => {
                write!(f, "{kind} {name} ended at {ends}; renew it, or take it out of the hierarchy")
            }
        }
    }
}

/// The calendar at `now`, for a CA with these profiles.
#[must_use]
pub fn calendar(parts: &Parts<'_>, profiles: &BTreeMap<String, ProfileConfig>, now: Timestamp) -> Vec<Entry> {
    let profiles: BTreeMap<_, _> =
        profiles.iter().map(|(name, config)| (name.as_str(), Profile::from(*config))).collect();
    let longest = profiles.values().map(Profile::after_issuance).max().unwrap_or_default();
    let issuers = parts.issuers.iter().map(|(name, certificate, usage)| {
        let own = profiles.iter().filter(|(name, _)| usage.is_for(name));
        let whole_until: BTreeMap<_, _> = own
            .map(|(name, profile)| ((*name).to_owned(), profile.last_whole_leaf(certificate.validity())))
            .collect();
        let ends = end(certificate.validity());
        let renew_by = whole_until.values().min().copied().unwrap_or(ends);
        let subject = certificate.subject().to_string();
        entry(Kind::Issuer, name, subject, certificate.validity(), renew_by, whole_until, now)
    });
    let mut entries: Vec<Entry> = issuers.collect();
    mark_succeeded(&mut entries, parts);
    entries.extend(parts.authorities.iter().map(|(name, certificate)| {
        let renew_by = end(certificate.validity()).plus(-longest);
        let subject = certificate.subject().to_string();
        entry(Kind::Authority, name, subject, certificate.validity(), renew_by, BTreeMap::new(), now)
    }));
    entries.extend(newest(&parts.crls).into_iter().filter_map(|(name, crl)| {
        // One that promises no next one cannot be late.
        let not_after = crl.tbs().next_update()?;
        let validity = Validity { not_before: crl.tbs().this_update(), not_after };
        let subject = crl.tbs().issuer().to_string();
        Some(entry(Kind::Crl, name, subject, validity, end(validity), BTreeMap::new(), now))
    }));
    entries.extend(parts.responders.iter().map(|(name, certificate)| {
        let (subject, validity) = (certificate.subject().to_string(), certificate.validity());
        entry(Kind::Responder, name, subject, validity, end(validity), BTreeMap::new(), now)
    }));
    entries
}

const fn end(validity: Validity) -> Timestamp {
    Timestamp::from_unix(validity.not_after)
}

fn entry(
    kind: Kind,
    name: &str,
    subject: String,
    validity: Validity,
    renew_by: Timestamp,
    whole_until: BTreeMap<String, Timestamp>,
    now: Timestamp,
) -> Entry {
    let ends = end(validity);
    let renew_from = renew_by.plus(-(validity.not_after.saturating_sub(validity.not_before) / MARGIN));
    let state = match () {
        () if now > ends => State::Ended,
        () if now > renew_by => State::Overdue,
        () if now >= renew_from => State::Due,
        () => State::Good,
    };
    Entry { kind, name: name.to_owned(), subject, ends, whole_until, renew_from, renew_by, state }
}

/// Issuers that another one follows: good itself, with a key of the same kind, for the same profiles and names, and later.
fn mark_succeeded(entries: &mut [Entry], parts: &Parts<'_>) {
    let traits: Vec<_> = parts
        .issuers
        .iter()
        .map(|(_, certificate, usage)| {
            let constraints = certificate.description().ok().map(|description| description.name_constraints);
            Traits { key: Family::of(certificate.public_key().kind()), constraints, usage }
        })
        .collect();
    let all: Vec<_> = entries.iter().map(|entry| (entry.state, entry.renew_by)).zip(&traits).collect();
    let is_followed = |state: State, renew_by: Timestamp, traits: &Traits<'_>| {
        state.wants_work()
            && all.iter().any(|((other, later), others)| {
                *other == State::Good && *later > renew_by && others.follows(traits)
            })
    };
    let followed: Vec<bool> =
        all.iter().map(|((state, renew_by), traits)| is_followed(*state, *renew_by, traits)).collect();
    for (entry, followed) in entries.iter_mut().zip(followed) {
        if followed {
            entry.state = State::Succeeded;
        }
    }
}

struct Traits<'a> {
    key: Family,
    constraints: Option<NameConstraints>,
    usage: &'a Usage,
}

impl Traits<'_> {
    fn follows(&self, before: &Self) -> bool {
        let profiles = self.usage.profiles.is_empty()
            || (!before.usage.profiles.is_empty() && before.usage.profiles.is_subset(&self.usage.profiles));
        let free = self.constraints.as_ref().is_some_and(NameConstraints::is_empty);
        self.key == before.key && profiles && (free || self.constraints == before.constraints)
    }
}

/// Keys that serve the same clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Rsa,
    Ecdsa,
    Ed25519,
    MlDsa,
}

impl Family {
    const fn of(key: KeyKind) -> Self {
        match key {
            KeyKind::Rsa { .. } => Self::Rsa,
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => Self::Ecdsa,
            KeyKind::Ed25519 => Self::Ed25519,
            KeyKind::MlDsa44 | KeyKind::MlDsa65 | KeyKind::MlDsa87 => Self::MlDsa,
        }
    }
}

/// Of the CRLs of each CA, the one with the latest thisUpdate.
fn newest<'a>(crls: &'a [(String, &'a Crl)]) -> Vec<(&'a str, &'a Crl)> {
    let mut newest: Vec<(&str, &Crl)> = Vec::new();
    for (name, crl) in crls {
        let of_the_same = |other: &(&str, &Crl)| {
            let (one, other) = (crl.tbs(), other.1.tbs());
            one.issuer() == other.issuer()
                && one.authority_key_identifier() == other.authority_key_identifier()
        };
        match newest.iter_mut().find(|other| of_the_same(other)) {
            Some(other) if other.1.tbs().this_update() >= crl.tbs().this_update() => {}
            Some(other) => *other = (name, crl),
            None => newest.push((name, crl)),
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_x509::{
        CaProfile, CrlInputs, FileSigner, IntermediateInputs, KeySpec, Name, RootInputs, Signer, Urls, crl,
        intermediate, root,
    };

    const START: Timestamp = Timestamp::from_unix(1_800_000_000);
    const DAY: i64 = 24 * 60 * 60;

    struct World {
        root: Certificate,
        key: FileSigner,
        profiles: BTreeMap<String, ProfileConfig>,
    }

    fn validity(from: i64, days: i64) -> Validity {
        Validity {
            not_before: START.plus(from * DAY).unix(),
            not_after: START.plus((from + days) * DAY).unix(),
        }
    }

    impl World {
        /// A root for 7200 days, and profiles of 90 and of 6 days.
        fn new() -> Self {
            let key = FileSigner::generate(KeySpec::P256).unwrap();
            let inputs = RootInputs {
                serial: &[1; 16],
                validity: validity(0, 7200),
                public_key: key.public_key(),
                subject: &Name::new("Root", None).unwrap(),
                digital_signature: false,
            };
            let root = root(key.algorithm(), inputs).unwrap().sign(&key).unwrap();
            let short =
                ProfileConfig { lifetime: cairn_core::Period::from_days(6), ..ProfileConfig::default() };
            let profiles =
                [("default".to_owned(), ProfileConfig::default()), ("short".to_owned(), short)].into();
            Self { root, key, profiles }
        }

        fn issuer(&self, key: KeySpec, from: i64, days: i64) -> Certificate {
            let key = FileSigner::generate(key).unwrap();
            let inputs = IntermediateInputs {
                serial: &[2; 16],
                validity: validity(from, days),
                public_key: key.public_key(),
                subject: &Name::new("Issuer", None).unwrap(),
                urls: Urls::default(),
            };
            let tbs = intermediate(&CaProfile::for_tls(), &self.root, self.key.algorithm(), inputs).unwrap();
            tbs.sign(&self.key).unwrap()
        }

        fn crl(&self, number: u64, from: i64, days: i64) -> Crl {
            let validity = validity(from, days);
            let (this_update, next_update) = (validity.not_before, validity.not_after);
            let inputs =
                CrlInputs { number, this_update, next_update, scope: None, base: None, delta_url: None };
            crl(&self.root, self.key.algorithm(), inputs, []).unwrap().sign(&self.key).unwrap()
        }

        fn states(&self, issuers: &[(&Certificate, Usage)], day: i64) -> Vec<State> {
            let named = issuers.iter().enumerate();
            let parts = Parts {
                issuers: named.map(|(number, (it, usage))| (number.to_string(), *it, usage)).collect(),
                ..Parts::default()
            };
            let entries = calendar(&parts, &self.profiles, START.plus(day * DAY));
            entries.iter().map(|entry| entry.state).collect()
        }
    }

    #[test]
    fn an_issuer_must_be_followed_when_its_longest_leaf_is_whole_for_the_last_time() {
        let world = World::new();
        let issuer = world.issuer(KeySpec::P256, 0, 1200);
        let usage = Usage::default();
        let parts = Parts { issuers: vec![("one".to_owned(), &issuer, &usage)], ..Parts::default() };
        let [entry] = calendar(&parts, &world.profiles, START).try_into().unwrap();
        let last = |days: i64| START.plus((1200 - days) * DAY + 3600 + 1);
        assert_eq!(entry.whole_until["default"], last(90));
        assert_eq!(entry.whole_until["short"], last(6));
        assert_eq!((entry.renew_by, entry.renew_from), (last(90), last(90).plus(-100 * DAY)));
        assert_eq!((entry.ends, entry.state), (START.plus(1200 * DAY), State::Good));
        assert_eq!(entry.to_string(), format!("issuer one is good until {}", last(90)));

        // What the choice of an issuer goes by is the same second.
        let profile = Profile::from(world.profiles["default"]);
        assert!(!profile.validity(last(90), issuer.validity()).unwrap().shortened);
        assert!(profile.validity(last(90).plus(1), issuer.validity()).unwrap().shortened);
    }

    #[test]
    fn an_issuer_goes_from_good_to_due_to_overdue_to_ended() {
        let world = World::new();
        let issuer = world.issuer(KeySpec::P256, 0, 1200);
        for (day, expected) in [
            (0, State::Good),
            (1009, State::Good),
            (1011, State::Due),
            (1110, State::Due),
            (1111, State::Overdue),
            (1200, State::Overdue),
            (1201, State::Ended),
        ] {
            assert_eq!(world.states(&[(&issuer, Usage::default())], day), [expected], "{day}");
        }
        let short = Usage { profiles: ["short".to_owned()].into(), ..Usage::default() };
        assert_eq!(world.states(&[(&issuer, short)], 1093), [State::Good], "its leaves are short");
    }

    #[test]
    fn an_issuer_with_a_successor_wants_no_more_work() {
        let world = World::new();
        let old = world.issuer(KeySpec::P256, 0, 1200);
        let (next, rsa) =
            (world.issuer(KeySpec::P384, 1000, 1200), world.issuer(KeySpec::Rsa2048, 1000, 1200));
        let (all, short) =
            (Usage::default(), Usage { profiles: ["short".to_owned()].into(), ..Usage::default() });
        let state = |old_usage: &Usage, other: &Certificate, usage: &Usage| {
            world.states(&[(&old, old_usage.clone()), (other, usage.clone())], 1120)[0]
        };
        assert_eq!(state(&all, &next, &all), State::Succeeded);
        assert_eq!(state(&short, &next, &all), State::Succeeded, "one for all is also for these");
        assert_eq!(state(&all, &rsa, &all), State::Overdue, "other clients");
        assert_eq!(state(&all, &next, &short), State::Overdue, "not for all profiles");
        let both = world.states(&[(&old, all.clone()), (&old, all.clone())], 1120);
        assert_eq!(both, [State::Overdue; 2], "neither is later");
        // The last one of a row is due by itself.
        assert_eq!(world.states(&[(&old, all.clone()), (&next, all)], 2190)[1], State::Overdue);
    }

    #[test]
    fn a_root_must_be_followed_before_leaves_outlive_it_and_a_crl_before_it_ends() {
        let world = World::new();
        let responder = world.issuer(KeySpec::P256, 0, 120);
        let (old, new) = (world.crl(1, 0, 360), world.crl(2, 180, 360));
        let parts = Parts {
            authorities: vec![("root".to_owned(), &world.root)],
            crls: vec![("new.pem".to_owned(), &new), ("old.pem".to_owned(), &old)],
            responders: vec![("ocsp".to_owned(), &responder)],
            ..Parts::default()
        };
        let [root, crl, responder] = calendar(&parts, &world.profiles, START).try_into().unwrap();
        let after_issuance = 90 * DAY - 3600 - 1;
        assert_eq!(root.renew_by, START.plus(7200 * DAY - after_issuance));
        assert_eq!(root.renew_from, root.renew_by.plus(-600 * DAY));
        assert_eq!((crl.name.as_str(), crl.renew_by), ("new.pem", START.plus(540 * DAY)), "the newest");
        assert_eq!(crl.renew_from, START.plus(510 * DAY));
        assert_eq!(responder.renew_from, START.plus(110 * DAY));
        let late = calendar(&parts, &world.profiles, START.plus(515 * DAY));
        let told: Vec<_> = late.iter().map(|it| (it.kind.as_str(), it.state.as_str())).collect();
        assert_eq!(told, [("authority", "good"), ("crl", "due"), ("responder", "ended")]);
    }
}

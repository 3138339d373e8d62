//! Which chains can be made of the CA certificates that are known: a pure function of them, of the time and of the operator's wish.

use std::collections::{BTreeSet, HashMap};

use cairn_core::{IssuerId, Timestamp};
use cairn_x509::{Certificate, Name};

use super::PreferredRoot;

/// Certificates below the root in a chain. Clients bound it too; OpenSSL by 100, and most PKIs have one or two.
const LONGEST: usize = 8;
/// Chains of one issuer: cross-certificates multiply them, and a client reads a `Link` for each.
const MOST: usize = 8;
/// Ways that are looked at from one issuer, so that certificates that all certify each other cost no more than this.
const MOST_LOOKED_AT: usize = 4096;

/// The chains of each issuer, the default first; never empty.
pub(super) type ByIssuer = HashMap<IssuerId, Vec<Chain>>;

/// What goes out below a leaf: the issuer's certificate, then each that certifies the one before it, without the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// PEM; empty if a root issued the leaf itself.
    pub(crate) pem: String,
    /// Whether it ends at the root that is preferred.
    pub(super) preferred: bool,
    /// The common names on the way, the root's included.
    pub(super) names: Vec<String>,
}

/// The chains of every CA among `certificates`, each of which stands there once.
pub(super) fn chains(
    certificates: &[Certificate],
    preferred: Option<&PreferredRoot>,
    now: Timestamp,
) -> ByIssuer {
    let graph = Graph::new(certificates);
    let mut begins: HashMap<IssuerId, Vec<usize>> = HashMap::new();
    for (index, certificate) in certificates.iter().enumerate() {
        if let Some(id) = id(certificate) {
            begins.entry(id).or_default().push(index);
        }
    }
    let of = |begins: &[usize]| {
        let mut ways = graph.ways(begins);
        // A chain that is not whole, or not valid now, is better than none.
        for is_good in [Graph::is_whole, Graph::is_within_path_lengths] {
            keep_if_any(&mut ways, |way| is_good(&graph, way));
        }
        keep_if_any(&mut ways, |way| graph.is_valid(way, now));
        ways.sort_by_cached_key(|way| graph.rank(way, preferred));
        // A root that stands beside its own cross-certificate is one more way to the same chain.
        ways.dedup_by_key(|way| graph.sent(way).to_vec());
        ways.truncate(MOST);
        ways.iter().map(|way| graph.chain(way, preferred)).collect::<Vec<_>>()
    };
    begins.into_iter().map(|(id, begins)| (id, of(&begins))).collect()
}

pub(super) fn id(certificate: &Certificate) -> Option<IssuerId> {
    certificate.subject_key_identifier()?.try_into().ok().map(IssuerId::from_bytes)
}

fn is_root(certificate: &Certificate) -> bool {
    certificate.issuer() == certificate.subject()
}

fn keep_if_any(ways: &mut Vec<Way>, is_good: impl Fn(&Way) -> bool) {
    if ways.iter().any(&is_good) {
        ways.retain(is_good);
    }
}

/// A way up from an issuer: places of certificates, each certified by the next; the last is a root if it is whole.
type Way = Vec<usize>;

struct Graph<'a> {
    certificates: &'a [Certificate],
    /// For each certificate, those that certify it; none for a root.
    above: Vec<Vec<usize>>,
}

impl<'a> Graph<'a> {
    fn new(certificates: &'a [Certificate]) -> Self {
        let above = |certificate: &Certificate| {
            let certifies = |other: &&(usize, &Certificate)| certificate.verify_issued_by(other.1).is_ok();
            let others: Vec<_> = certificates.iter().enumerate().collect();
            others.iter().filter(certifies).map(|(index, _)| *index).collect()
        };
        let above = certificates.iter().map(|certificate| match is_root(certificate) {
            true => Vec::new(),
            false => above(certificate),
        });
        Self { certificates, above: above.collect() }
    }

    /// Every way up from `begins`, within bounds. None meets a CA twice.
    fn ways(&self, begins: &[usize]) -> Vec<Way> {
        let mut ended = Vec::new();
        let mut open: Vec<Way> = begins.iter().rev().map(|begin| vec![*begin]).collect();
        for _ in 0..MOST_LOOKED_AT {
            let Some(way) = open.pop() else { break };
            let above = way.last().and_then(|last| self.above.get(*last)).map_or(&[][..], Vec::as_slice);
            if above.is_empty() {
                ended.push(way);
                continue;
            }
            for next in above.iter().rev().filter(|next| !self.meets(&way, **next)) {
                // The root is not counted: it is not sent.
                if way.len() < LONGEST || self.certificates.get(*next).is_some_and(is_root) {
                    open.push(way.iter().copied().chain([*next]).collect());
                }
            }
        }
        ended
    }

    fn on<'b>(&'b self, way: &'b [usize]) -> impl DoubleEndedIterator<Item = &'b Certificate> {
        way.iter().filter_map(|index| self.certificates.get(*index))
    }

    /// Whether the CA of a certificate, by whichever of its certificates, is on the way already.
    fn meets(&self, way: &Way, next: usize) -> bool {
        let Some(next) = self.certificates.get(next) else { return true };
        self.on(way).any(|one| one.public_key() == next.public_key() && one.subject() == next.subject())
    }

    fn root(&self, way: &Way) -> Option<&Certificate> {
        way.last().and_then(|last| self.certificates.get(*last)).filter(|last| is_root(last))
    }

    fn is_whole(&self, way: &Way) -> bool {
        self.root(way).is_some()
    }

    /// Whether every CA may have as many below it as it has (RFC 5280 §4.2.1.9).
    fn is_within_path_lengths(&self, way: &Way) -> bool {
        let allows = |(below, certificate): (usize, &Certificate)| {
            certificate.path_len().is_none_or(|most| below <= usize::from(most))
        };
        self.on(way).enumerate().all(allows)
    }

    fn is_valid(&self, way: &Way, now: Timestamp) -> bool {
        self.on(way).all(|certificate| {
            let validity = certificate.validity();
            (validity.not_before..=validity.not_after).contains(&now.unix())
        })
    }

    /// The way without its root.
    fn sent<'b>(&self, way: &'b Way) -> &'b [usize] {
        let length = way.len() - usize::from(self.is_whole(way));
        way.get(..length).unwrap_or_default()
    }

    fn is_preferred(&self, way: &Way, preferred: Option<&PreferredRoot>) -> bool {
        preferred.is_some_and(|preferred| match self.root(way) {
            Some(root) => preferred.is(root),
            None => self.on(way).next_back().is_some_and(|last| preferred.is_name(last.issuer())),
        })
    }

    /// Smaller is better: the preferred root, then the shortest, then the root that lasts longest. The end makes all processes with the
    /// same certificates agree on the numbers of alternates.
    fn rank(&self, way: &Way, preferred: Option<&PreferredRoot>) -> (bool, usize, i64, Vec<[u8; 32]>) {
        let ends = self.on(way).next_back().map_or(0, |last| last.validity().not_after);
        let fingerprints = self.on(way).map(Certificate::sha256_fingerprint).collect();
        (!self.is_preferred(way, preferred), self.sent(way).len(), -ends, fingerprints)
    }

    fn chain(&self, way: &Way, preferred: Option<&PreferredRoot>) -> Chain {
        let pem = self.on(self.sent(way)).map(Certificate::to_pem).collect();
        let mut names: Vec<_> = self.on(way).map(|certificate| name(certificate.subject())).collect();
        if !self.is_whole(way) {
            names.extend(self.on(way).next_back().map(|last| format!("{} (unknown)", name(last.issuer()))));
        }
        Chain { pem, preferred: self.is_preferred(way, preferred), names }
    }
}

fn name(name: &Name) -> String {
    name.common_name().map_or_else(|| name.to_string(), str::to_owned)
}

/// `certificates`, each once.
pub(super) fn each_once(certificates: impl IntoIterator<Item = Certificate>) -> Vec<Certificate> {
    let mut seen = BTreeSet::new();
    certificates.into_iter().filter(|it| seen.insert(it.sha256_fingerprint())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_x509::{
        CaProfile, CrossInputs, FileSigner, IntermediateInputs, KeySpec, RootInputs, Signer, Urls, Validity,
        cross_certificate, intermediate, root,
    };

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
    const YEAR: i64 = 365 * 24 * 60 * 60;

    /// A CA with a key, and a certificate of its own.
    struct Ca {
        certificate: Certificate,
        key: FileSigner,
    }

    /// From a year ago.
    fn validity(years: i64) -> Validity {
        Validity { not_before: NOW.unix() - YEAR, not_after: NOW.unix() + years * YEAR }
    }

    fn new_root(name: &str) -> Ca {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let inputs = RootInputs {
            serial: &[1; 16],
            validity: validity(20),
            public_key: key.public_key(),
            subject: &Name::new(name, None).unwrap(),
            digital_signature: false,
        };
        let certificate = root(key.algorithm(), inputs).unwrap().sign(&key).unwrap();
        Ca { certificate, key }
    }

    fn below(above: &Ca, name: &str, path_len: Option<u8>) -> Ca {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let inputs = IntermediateInputs {
            serial: &[2; 16],
            validity: validity(10),
            public_key: key.public_key(),
            subject: &Name::new(name, None).unwrap(),
            urls: Urls::default(),
        };
        let profile = CaProfile { path_len, ..CaProfile::for_tls() };
        let tbs = intermediate(&profile, &above.certificate, above.key.algorithm(), inputs).unwrap();
        Ca { certificate: tbs.sign(&above.key).unwrap(), key }
    }

    /// `by` vouches for `ca`.
    fn cross(ca: &Ca, by: &Ca, path_len: Option<u8>, years: i64) -> Certificate {
        let inputs = CrossInputs {
            serial: &[3; 16],
            validity: validity(years),
            existing: &ca.certificate,
            urls: Urls::default(),
        };
        let profile = CaProfile { path_len, ..CaProfile::for_tls() };
        let tbs = cross_certificate(&profile, &by.certificate, by.key.algorithm(), inputs).unwrap();
        tbs.sign(&by.key).unwrap()
    }

    fn preferred(text: &str) -> PreferredRoot {
        PreferredRoot::try_from(text.to_owned()).unwrap()
    }

    /// The chains of `issuer`, each as PEM.
    fn of(issuer: &Ca, known: &[&Certificate], preferred: Option<&PreferredRoot>) -> Vec<String> {
        let known: Vec<_> = known.iter().map(|it| (*it).clone()).collect();
        let found = chains(&known, preferred, NOW);
        let found = &found[&id(&issuer.certificate).unwrap()];
        found.iter().map(|chain| chain.pem.clone()).collect()
    }

    fn pem(certificates: &[&Certificate]) -> String {
        certificates.iter().map(|it| it.to_pem()).collect()
    }

    #[test]
    fn a_chain_is_the_way_up_without_the_root_whatever_the_order_of_the_certificates() {
        let root = new_root("Root");
        let (policy, unrelated) = (below(&root, "Policy", Some(1)), new_root("Unrelated"));
        let issuer = below(&policy, "Issuer", Some(0));
        let all = [&root.certificate, &unrelated.certificate, &policy.certificate, &issuer.certificate];
        let mut turned = all;
        turned.reverse();
        for known in [all, turned] {
            assert_eq!(of(&issuer, &known, None), [pem(&[&issuer.certificate, &policy.certificate])]);
            assert_eq!(of(&root, &known, None), [""], "a root that issues leaves");
        }
    }

    #[test]
    fn cross_certificates_make_alternates_and_the_shortest_chain_is_the_default() {
        let (old, new) = (new_root("Old"), new_root("New"));
        let issuer = below(&new, "Issuer", Some(0));
        let bridge = cross(&new, &old, Some(1), 5);
        let known = [&old.certificate, &new.certificate, &bridge, &issuer.certificate];
        let (short, long) = (pem(&[&issuer.certificate]), pem(&[&issuer.certificate, &bridge]));
        assert_eq!(of(&issuer, &known, None), [short.clone(), long.clone()]);

        let fingerprint = old.certificate.sha256_fingerprint();
        let fingerprint = fingerprint.map(|octet| format!("{octet:02X}")).join(":");
        for wish in ["Old", fingerprint.as_str(), &fingerprint.replace(':', "").to_lowercase()] {
            assert_eq!(of(&issuer, &known, Some(&preferred(wish))), [long.clone(), short.clone()], "{wish}");
        }
        for wish in ["New", "Nobody", "old"] {
            assert_eq!(of(&issuer, &known, Some(&preferred(wish))), [short.clone(), long.clone()], "{wish}");
        }
    }

    #[test]
    fn an_issuer_with_certificates_of_two_roots_has_two_chains() {
        let (one, other) = (new_root("One"), new_root("Other"));
        let issuer = below(&one, "Issuer", Some(0));
        let second = cross(&issuer, &other, Some(0), 10);
        let known = [&one.certificate, &other.certificate, &issuer.certificate, &second];
        let found = of(&issuer, &known, Some(&preferred("Other")));
        assert_eq!(found, [pem(&[&second]), pem(&[&issuer.certificate])]);
    }

    #[test]
    fn roots_that_vouch_for_each_other_make_no_circle() {
        let (one, other) = (new_root("One"), new_root("Other"));
        let issuer = below(&one, "Issuer", Some(0));
        let (there, back) = (cross(&one, &other, None, 10), cross(&other, &one, None, 10));
        let known = [&one.certificate, &other.certificate, &there, &back, &issuer.certificate];
        let expected = [pem(&[&issuer.certificate]), pem(&[&issuer.certificate, &there])];
        assert_eq!(of(&issuer, &known, None), expected);
    }

    #[test]
    fn a_chain_that_clients_would_refuse_is_given_only_if_there_is_no_other() {
        let (old, new) = (new_root("Old"), new_root("New"));
        let issuer = below(&new, "Issuer", Some(0));
        let direct = pem(&[&issuer.certificate]);
        // Over: it has ended. Narrow: no CA may stand below it, and one does.
        let (over, narrow) = (cross(&new, &old, Some(1), 0), cross(&new, &old, Some(0), 5));
        let later = NOW.plus(1);
        let known =
            [&old.certificate, &new.certificate, &over, &narrow, &issuer.certificate].map(Clone::clone);
        let found = chains(&known, None, later);
        let found: Vec<_> =
            found[&id(&issuer.certificate).unwrap()].iter().map(|it| it.pem.clone()).collect();
        assert_eq!(found.as_slice(), std::slice::from_ref(&direct));
        // Without the root, what is known of the way.
        assert_eq!(of(&issuer, &[&issuer.certificate], None), [direct]);
        let found = of(&issuer, &[&issuer.certificate, &narrow, &old.certificate], None);
        assert_eq!(found, [pem(&[&issuer.certificate, &narrow])]);
    }

    #[test]
    fn an_incomplete_chain_is_preferred_by_the_name_of_whoever_certified_its_top() {
        let (one, other) = (new_root("One"), new_root("Other"));
        let issuer = below(&one, "Issuer", Some(0));
        let second = cross(&issuer, &other, Some(0), 10);
        let known = [&issuer.certificate, &second];
        assert_eq!(of(&issuer, &known, Some(&preferred("Other")))[0], pem(&[&second]));
        assert_eq!(of(&issuer, &known, Some(&preferred("One")))[0], pem(&[&issuer.certificate]));
    }

    #[test]
    fn however_many_cross_certificates_there_are_the_chains_are_few() {
        let roots: Vec<_> = (0..6).map(|number| new_root(&format!("Root {number}"))).collect();
        let issuer = below(&roots[0], "Issuer", Some(0));
        let mut known: Vec<_> = roots.iter().map(|root| root.certificate.clone()).collect();
        for (subject, by) in (0..6).flat_map(|subject| (0..6).map(move |by| (subject, by))) {
            if subject != by {
                known.push(cross(&roots[subject], &roots[by], None, 10));
            }
        }
        known.push(issuer.certificate.clone());
        let found = chains(&known, None, NOW);
        let found = &found[&id(&issuer.certificate).unwrap()];
        assert_eq!(found.len(), MOST);
        assert_eq!(found[0].pem, issuer.certificate.to_pem());
    }
}

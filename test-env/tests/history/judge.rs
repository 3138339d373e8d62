//! Everything that is published of every certificate, held against everything else.

use std::collections::BTreeMap;
use std::time::Duration;

use cairn_core::Timestamp;
use cairn_x509::ocsp::{IssuerHash, Status};
use cairn_x509::{Certificate, Crl};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::published;
use crate::world::{Told, World, hex};

/// Far longer than anything here takes; it only ends a history that has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks for something that must come.
const PAUSE: Duration = Duration::from_millis(20);
/// A little more than the time from one CRL to the next, in seconds.
const CRL_INTERVAL: i64 = 3600 + 60;

/// How a certificate is revoked: when, in seconds since 1970, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Revoked {
    at: i64,
    reason: Option<String>,
}

/// Looks at every certificate, and lets the next CRLs be made.
pub(crate) async fn everything(world: &mut World) -> String {
    let mut truth = Vec::new();
    for number in 0..world.known.len() {
        truth.push(one(world, number).await);
    }
    // What nobody knew when the server was killed is known now.
    for (known, revoked) in world.known.iter_mut().zip(&truth) {
        if known.told == Told::Asked {
            known.told = if revoked.is_some() { Told::Revoked } else { Told::Nothing };
        }
    }
    let listed = lists(world, &truth).await;
    let revoked = truth.iter().flatten().count();
    format!("{revoked} of {} certificates revoked, {listed} on CRLs, all agree", truth.len())
}

/// A history in which nothing happened proves nothing.
pub(crate) fn enough_has_happened(world: &World) {
    let now = world.clock.now();
    let revoked = world.known.iter().filter(|known| known.told == Told::Revoked);
    let expired = world.known.iter().filter(|known| known.certificate.validity().not_after < now);
    let counts = (world.known.len(), revoked.count(), expired.count());
    println!("{} certificates, {} revoked, {} ended", counts.0, counts.1, counts.2);
    assert!(counts.0 > 20 && counts.1 > 5 && counts.2 > 5, "hardly anything has happened");
}

/// What an operator is shown, what OCSP says, and when to renew; none of it may contradict what clients were told.
async fn one(world: &World, number: usize) -> Option<Revoked> {
    let known = &world.known[number];
    let serial = hex(known.certificate.serial());
    let shown = world.shown(&serial);
    let revoked = shown_revocation(&shown);
    match known.told {
        Told::Nothing => assert_eq!(revoked, None, "{serial}: nobody has asked for that"),
        Told::Revoked => assert!(revoked.is_some(), "{serial}: it was acknowledged"),
        Told::Asked => {}
    }
    // From the acknowledgement on a second may pass.
    let agreed = async {
        loop {
            let hash = if number.is_multiple_of(3) { IssuerHash::Sha256 } else { IssuerHash::Sha1 };
            let said = published::ocsp(world, &known.certificate, hash, number.is_multiple_of(2)).await;
            let said = match said.status {
                Status::Good => None,
                Status::Revoked { at, reason } => {
                    Some(Revoked { at, reason: reason.map(|reason| format!("{reason:?}").to_lowercase()) })
                }
                Status::Unknown => panic!("{serial} is unknown to OCSP"),
            };
            if said == revoked {
                break;
            }
            assert_eq!(said, None, "{serial}: an operator is shown {revoked:?}");
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, agreed).await.unwrap_or_else(|_| panic!("{serial}: OCSP does not say {revoked:?}"));
    when_to_renew(world, &known.certificate, revoked.is_some() || known.hurried).await;
    revoked
}

fn shown_revocation(shown: &Value) -> Option<Revoked> {
    let at = shown["revoked_at"].as_str()?;
    let reason = shown["reason"].as_str().unwrap();
    Some(Revoked { at: seconds(at), reason: (reason != "unspecified").then(|| reason.to_lowercase()) })
}

/// RFC 9773 §4.2.
async fn when_to_renew(world: &World, certificate: &Certificate, at_once: bool) {
    let (start, end) = published::window(world, certificate).await;
    let (start, end) = (seconds(&start), seconds(&end));
    assert!(start < end);
    let now = world.clock.now();
    let validity = certificate.validity();
    if at_once {
        assert!(end <= now, "what is revoked, or will be, is to be renewed at once");
    } else {
        assert!(
            validity.not_before <= start && end <= validity.not_after,
            "{start} to {end} in {validity:?}"
        );
        assert!(end > now || validity.not_after < now || now > start, "nobody is hurried without a reason");
    }
}

/// The CRLs that certificates name. Two rounds, so that what has ended has been on one CRL after its end.
async fn lists(world: &mut World, truth: &[Option<Revoked>]) -> usize {
    let mut urls: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, known) in world.known.iter().enumerate() {
        urls.entry(published::crl_url(&known.certificate)).or_default().push(number);
    }
    let mut before: BTreeMap<String, i64> = BTreeMap::new();
    let mut listed = 0;
    for round in 0..2 {
        world.clock.turn(CRL_INTERVAL).unwrap();
        let turned = world.clock.now();
        listed = 0;
        for (url, numbers) in &urls {
            let crl = newer(world, url, turned).await;
            let tbs = crl.tbs();
            let now = world.clock.now();
            assert!(tbs.this_update() <= now && tbs.next_update().is_some_and(|next| next > now), "{url}");
            let highest = world.numbers.entry(url.clone()).or_default();
            assert!(tbs.number_as_u64().unwrap() >= *highest, "{url}: CRL numbers rise (RFC 5280 §5.2.3)");
            *highest = tbs.number_as_u64().unwrap();
            let entries = entries(&crl);
            listed += entries.len();
            if let Some(previous) = before.insert(url.clone(), tbs.this_update()) {
                compare(world, url, &entries, truth, numbers, previous);
            } else {
                assert_eq!(round, 0);
            }
        }
    }
    listed
}

/// The CRL at `url` that was made at `since` or later.
async fn newer(world: &World, url: &str, since: i64) -> Crl {
    let made = async {
        loop {
            let crl = published::crl(world, url).await;
            if crl.tbs().this_update() >= since {
                break crl;
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, made).await.unwrap_or_else(|_| panic!("no new CRL at {url}"))
}

fn entries(crl: &Crl) -> BTreeMap<Vec<u8>, Revoked> {
    let entries = crl.tbs().entries();
    entries
        .map(|entry| {
            let reason = entry.reason.map(|reason| format!("{reason:?}").to_lowercase());
            (entry.serial.to_vec(), Revoked { at: entry.revoked_at, reason })
        })
        .collect()
}

/// On a list stands what is revoked, but for what had ended before the list before was made, which told of it for the last time.
fn compare(
    world: &World,
    url: &str,
    entries: &BTreeMap<Vec<u8>, Revoked>,
    truth: &[Option<Revoked>],
    numbers: &[usize],
    previous: i64,
) {
    let expected = numbers.iter().filter_map(|number| {
        let certificate = &world.known[*number].certificate;
        let revoked = truth[*number].clone()?;
        (certificate.validity().not_after >= previous).then(|| (certificate.serial().to_vec(), revoked))
    });
    let expected: BTreeMap<_, _> = expected.collect();
    // Of certificates that no client was given, since the server was killed, nobody can have asked for a revocation.
    assert_eq!(entries, &expected, "{url}");
}

/// Seconds since 1970 of a time as RFC 3339 writes it in UTC.
fn seconds(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap_or_else(|_| panic!("{text}"));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days from the civil calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    let seconds = days * 86_400 + number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
    assert_eq!(Timestamp::from_unix(seconds).to_string(), text, "not in UTC, or not in whole seconds");
    seconds
}

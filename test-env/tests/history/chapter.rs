//! What happens in a chapter: certificates are issued and revoked, all at once, until the server is killed in the middle of it; it comes
//! back when some hours or days have passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{Account, CertificateRequest, Error, Identifier, certify};
use cairn_test_env::challenges::Responder;
use cairn_x509::Certificate;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::world::{Known, Reach, Told, World, hex};

const HOUR: i64 = 3600;
/// Reasons that clients may give, RFC 5280 §5.3.1; and none.
const REASONS: [Option<i64>; 6] = [None, Some(1), Some(3), Some(4), Some(5), Some(9)];
/// The same as operators write them.
const NAMES: [&str; 5] =
    ["keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"];

/// What a client does.
enum Deed {
    Issue { name: String, account: usize },
    Revoke { known: usize, by_key: bool, reason: Option<i64> },
}

/// What came of it.
enum Outcome {
    Issued { account: usize, certificate: Box<Certificate>, key: Vec<u8> },
    NotIssued,
    Revoked { known: usize, told: Told },
}

pub(crate) async fn happen(world: &mut World, chance: &Chance, number: u32) -> String {
    let (mut issued, mut asked) = (0, 0);
    // In order first, with hours in between.
    for _ in 0..chance.within(6, 12) {
        let deed = deed(world, chance);
        let outcome =
            do_it(&deed, world.endpoint(), account(world, &deed), responder(world), subject(world, &deed))
                .await;
        let settled = note(world, outcome);
        assert!(settled, "nothing was in the way");
        match deed {
            Deed::Issue { .. } => issued += 1,
            Deed::Revoke { .. } => asked += 1,
        }
        world.clock.turn(i64::try_from(chance.within(0, 3)).unwrap() * HOUR).unwrap();
    }
    // An operator, too.
    if let Some(number) = revocable(world, chance) {
        let serial = hex(world.known[number].certificate.serial());
        let reason = chance.one::<&str>(&NAMES);
        world.admin(&["certificate", "revoke", &serial, "--reason", reason]);
        world.known[number].told = Told::Revoked;
        asked += 1;
    }
    if let Some(known) = revocable(world, chance) {
        let serial = hex(world.known[known].certificate.serial());
        world.admin(&[
            "incident",
            "create",
            "--called",
            &format!("chapter {number}"),
            "--serial",
            &serial,
            "--yes",
        ]);
        world.known[known].hurried = true;
    }
    // Then many at once, until the server is killed.
    let mut deeds = Vec::new();
    for _ in 0..10 {
        let deed = deed(world, chance);
        // Nobody else asks for the same.
        if let Deed::Revoke { known, .. } = deed {
            world.known[known].told = Told::Asked;
        }
        deeds.push(deed);
    }
    let enough = chance.within(1, 9);
    let (done, heard) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
    let mut under_way = JoinSet::new();
    for deed in deeds {
        let (reach, account, http01, subject) =
            (world.endpoint(), account(world, &deed), responder(world), subject(world, &deed));
        let (done, heard) = (Arc::clone(&done), Arc::clone(&heard));
        under_way.spawn(async move {
            let outcome = do_it(&deed, reach, account, http01, subject).await;
            done.fetch_add(1, Ordering::SeqCst);
            heard.notify_one();
            outcome
        });
    }
    while done.load(Ordering::SeqCst) < enough {
        heard.notified().await;
    }
    world.kill();
    let mut lost = 0;
    while let Some(outcome) = under_way.join_next().await {
        if !note(world, outcome.unwrap()) {
            lost += 1;
        }
    }
    // In every history some certificates end.
    let hours = if number.is_multiple_of(2) { 24 * 12 } else { *chance.one(&[0, 1, 30, 24 * 5]) };
    world.clock.turn(hours * HOUR).unwrap();
    world.start();
    format!("{issued} issued, {asked} revoked, {lost} of 10 lost by a kill, {hours} hours passed")
}

fn deed(world: &mut World, chance: &Chance) -> Deed {
    if chance.within(0, 3) == 0
        && let Some(known) = revocable(world, chance)
    {
        return Deed::Revoke { known, by_key: chance.within(0, 4) == 0, reason: *chance.one(&REASONS) };
    }
    world.names += 1;
    let account = usize::try_from(chance.within(0, 3)).unwrap();
    Deed::Issue { name: format!("n{}.test", world.names), account }
}

/// A certificate of which no revocation was asked for, and that has some days left.
fn revocable(world: &World, chance: &Chance) -> Option<usize> {
    let now = world.clock.now();
    let free = |known: &Known| {
        known.told == Told::Nothing && known.certificate.validity().not_after > now + 24 * HOUR
    };
    let free: Vec<usize> = (0..world.known.len()).filter(|number| free(&world.known[*number])).collect();
    (!free.is_empty()).then(|| *chance.one(&free))
}

fn account(world: &World, deed: &Deed) -> Arc<Account> {
    let number = match deed {
        Deed::Issue { account, .. } => *account,
        Deed::Revoke { known, .. } => world.known[*known].account,
    };
    Arc::clone(&world.accounts[number])
}

fn responder(world: &World) -> Responder {
    world.subscribers.http01.clone()
}

/// The certificate and its key, for a revocation.
fn subject(world: &World, deed: &Deed) -> Option<(Vec<u8>, Vec<u8>)> {
    match deed {
        Deed::Issue { .. } => None,
        Deed::Revoke { known, .. } => {
            let known = &world.known[*known];
            Some((known.certificate.der().to_vec(), known.key.clone()))
        }
    }
}

async fn do_it(
    deed: &Deed,
    reach: Reach,
    account: Arc<Account>,
    http01: Responder,
    subject: Option<(Vec<u8>, Vec<u8>)>,
) -> Outcome {
    let client = reach.try_connect().await;
    match (deed, client) {
        (Deed::Issue { .. }, None) => Outcome::NotIssued,
        (Deed::Revoke { known, .. }, None) => Outcome::Revoked { known: *known, told: Told::Asked },
        (Deed::Issue { name, account: number }, Some(mut client)) => {
            let identifiers = [Identifier::dns(name.as_str())];
            let request = CertificateRequest::new(&identifiers).unwrap();
            match certify(&mut client, &account, &http01, &identifiers, &request.der).await {
                Ok(certified) => {
                    let chain = String::from_utf8(certified.chain.to_vec()).unwrap();
                    let end = "-----END CERTIFICATE-----\n";
                    let leaf = &chain[..chain.find(end).unwrap() + end.len()];
                    let certificate = Box::new(Certificate::from_pem(leaf).unwrap());
                    Outcome::Issued { account: *number, certificate, key: request.key.to_vec() }
                }
                Err(Error::Connection(_)) => Outcome::NotIssued,
                Err(error) => panic!("{error}"),
            }
        }
        (Deed::Revoke { known, by_key, reason }, Some(mut client)) => {
            let (certificate, key) = subject.unwrap();
            let key = SigningKey::from_pkcs8_der(Algorithm::Es256, &key).unwrap();
            let signer = if *by_key { (&key).into() } else { account.as_ref().into() };
            let told = match client.revoke(signer, &certificate, *reason).await {
                Ok(()) => Told::Revoked,
                Err(Error::Connection(_)) => Told::Asked,
                Err(error) => panic!("{error}"),
            };
            Outcome::Revoked { known: *known, told }
        }
    }
}

/// Whether the client was told what came of it.
fn note(world: &mut World, outcome: Outcome) -> bool {
    match outcome {
        Outcome::Issued { account, certificate, key } => {
            world.known.push(Known {
                certificate: *certificate,
                account,
                key,
                told: Told::Nothing,
                hurried: false,
            });
            true
        }
        Outcome::NotIssued => false,
        Outcome::Revoked { known, told } => {
            world.known[known].told = told;
            told == Told::Revoked
        }
    }
}

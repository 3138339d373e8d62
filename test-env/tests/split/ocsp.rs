//! Revocation is seen at every front end for relying parties, whoever has the old answer in memory.

use std::time::{Duration, Instant};

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{CertificateRequest, Client, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::split::{Layout, Role, Split};
use cairn_test_env::{relying_party as party, wait};
use cairn_x509::Certificate;
use cairn_x509::ocsp::Status;
use std::sync::Arc;
use tokio::task::block_in_place;

/// Far longer than the second that it may take; it only ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_is_revoked_at_every_front_end_also_after_the_storage_was_away() {
    let mut split = block_in_place(|| Split::start(&Layout::split(1).with(Role::Pki, 2))).unwrap();
    let roots = std::fs::read_to_string(split.root_file()).unwrap();
    let endpoint = Arc::new(Endpoint::new(&split.directory(), &roots).unwrap());
    let mut client = Client::connect(endpoint, &split.directory()).await.unwrap();
    let account = client.new_account(SigningKey::generate(Algorithm::Es256).unwrap()).await.unwrap();
    let http01 = Responder::Http01(Arc::new(Http01::start(split.http_port()).await.unwrap()));
    let fronts = split.relying_parties().to_vec();
    assert_eq!(fronts.len(), 2);

    for (number, away) in [false, true, false].into_iter().enumerate() {
        let name = [Identifier::dns(format!("seen-{number}.test"))];
        let request = CertificateRequest::new(&name).unwrap();
        let certified = certify(&mut client, &account, &http01, &name, &request.der).await.unwrap();
        let pem = String::from_utf8(certified.chain.to_vec()).unwrap();
        let end = "-----END CERTIFICATE-----\n";
        let chain: Vec<_> = pem.split_inclusive(end).map(|one| Certificate::from_pem(one).unwrap()).collect();
        let (leaf, issuer) = (&chain[0], &chain[1]);
        // Twice: the second comes from memory.
        for _ in 0..2 {
            for front in &fronts {
                assert_eq!(party::status(*front, issuer, leaf).unwrap(), Status::Good);
            }
        }
        if away {
            block_in_place(|| {
                split.of_role(Role::Sa).try_for_each(|sa| {
                    sa.kill()?;
                    sa.start()?;
                    sa.until_ready()
                })
            })
            .unwrap();
        }
        client.revoke((&account).into(), leaf.der(), None).await.unwrap();
        let acknowledged = Instant::now();
        for front in &fronts {
            block_in_place(|| {
                wait::until("a revoked answer", PATIENCE, || {
                    Ok(party::status(*front, issuer, leaf).ok().filter(|status| *status != Status::Good))
                })
            })
            .unwrap();
        }
        println!(
            "round {number}: revoked at both {} ms after it was acknowledged",
            acknowledged.elapsed().as_millis()
        );
    }
    drop((client, http01));
    block_in_place(|| split.stop()).unwrap();
}

//! Every call is made twice, at the fake itself and over the wire: the fake must hear the same, and the caller must see the same.

use std::sync::Arc;

use cairn_core::api::admin::*;
use cairn_core::api::ra::*;
use cairn_core::api::revocations::*;
use cairn_core::api::sa::*;
use cairn_core::api::*;
use cairn_core::*;
use cairn_proto::*;

use crate::fake::Fake;
use crate::sample::{self, NOW};
use crate::world::World;

/// Makes one call both ways, with the same arguments, and compares.
macro_rules! same {
    ($world:ident, $remote:ident, $api:ident :: $method:ident ($($argument:expr),*)) => {{
        let direct = $api::$method(&*$world.fake, $($argument),*).await;
        let heard = $world.fake.heard();
        let remote = $api::$method(&$remote, $($argument),*).await;
        assert_eq!($world.fake.heard(), heard);
        assert_eq!(remote, direct, concat!(stringify!($api), "::", stringify!($method)));
        if let Err(error) = &remote {
            assert!(error.source.is_none(), "what is behind an error stays where it was met");
        }
    }};
}

/// Makes each call that there is.
async fn every_call(fake: Fake) {
    let world = World::new(fake).await;
    registration(&world).await;
    storage(&world).await;
    revocations(&world).await;
    administration(&world).await;
    others(&world).await;
}

async fn registration(world: &World) {
    let ra = RemoteRegistrationAuthority::new(world.channel.clone());
    let (account, order) = (AccountId::from_bytes([1; 16]), OrderId::from_bytes([3; 16]));
    let authorization = AuthorizationId::from_bytes([2; 16]);
    let contact = vec!["mailto:a@a.test".to_owned()];
    let key = sample::key();

    let request = NewAccountRequest { key: key.clone(), contact: contact.clone() };
    same!(world, ra, RegistrationAuthority::new_account(request.clone()));
    same!(world, ra, RegistrationAuthority::update_account(account, contact.clone()));
    same!(world, ra, RegistrationAuthority::update_account(account, Vec::new()));
    same!(world, ra, RegistrationAuthority::deactivate_account(account));
    for replaces in [None, Some(sample::certificate_id())] {
        let request = NewOrderRequest { account, identifiers: sample::identifiers(), replaces };
        same!(world, ra, RegistrationAuthority::new_order(request.clone()));
    }
    let challenge = ChallengeType::Dns01;
    let request =
        PerformValidationRequest { account, authorization, challenge, thumbprint: key.thumbprint() };
    same!(world, ra, RegistrationAuthority::perform_validation(request));
    same!(world, ra, RegistrationAuthority::deactivate_authorization(account, authorization));
    let request = FinalizeOrderRequest { account, order, csr: vec![0x30, 0xff] };
    same!(world, ra, RegistrationAuthority::finalize_order(request.clone()));
    for proof in [RevocationProof::Account(account), RevocationProof::CertificateKey(Box::new(key))] {
        for reason in [None, Some(0), Some(1), Some(i64::MIN)] {
            let request = RevokeCertificateRequest { proof: proof.clone(), certificate: vec![0x30], reason };
            same!(world, ra, RegistrationAuthority::revoke_certificate(request.clone()));
        }
    }

    let certificates = RemoteListenerCertificates::new(world.channel.clone());
    same!(world, certificates, ListenerCertificates::listener_certificate(vec![1, 2]));
}

async fn crls(world: &World, shard: ShardId, crl: CrlId) {
    let store = RemoteCrlStore::new(world.channel.clone());
    let (holder, serial) = (WorkerId::from_bytes([4; 16]), sample::serial());
    same!(world, store, CrlStore::hold_crl_shard(shard, holder, NOW, NOW.plus(60)));
    same!(world, store, CrlStore::release_crl_shard(shard, holder));
    for after in [None, Some(crl)] {
        same!(world, store, CrlStore::crls(shard.issuer, after, 10));
    }
    for kind in CrlKind::ALL {
        same!(world, store, CrlStore::latest_crl(shard, kind));
    }
    same!(world, store, CrlStore::latest_change());
    same!(world, store, CrlStore::changes_after(sample::revocation_position(), 10));
    for after in [None, Some(serial.clone())] {
        same!(world, store, CrlStore::revoked(shard, after.clone(), 10));
        same!(world, store, CrlStore::revoked_lengths(shard, after.clone()));
    }
    same!(world, store, CrlStore::add_crl_chunk(crl, holder, 7, vec![1, 2]));
    for head in sample::crls() {
        same!(world, store, CrlStore::publish_crl(head.clone(), holder));
    }
    same!(world, store, CrlStore::remove_crls(crl, 8, holder));
    same!(world, store, CrlStore::forget_revocations(vec![serial.clone()], NOW));
}

async fn storage(world: &World) {
    let sa = RemoteStorageAuthority::new(world.channel.clone());
    let (account, order) = (AccountId::from_bytes([1; 16]), OrderId::from_bytes([3; 16]));
    let authorization = AuthorizationId::from_bytes([2; 16]);
    let (identifiers, serial) = (sample::identifiers(), sample::serial());

    let read = RemoteStorageRead::new(world.channel.clone());
    let thumbprint = sample::key().thumbprint();
    same!(world, read, StorageRead::account(account));
    same!(world, read, StorageRead::account_by_key(thumbprint));
    same!(world, read, StorageRead::order(order));
    same!(world, read, StorageRead::authorization(authorization));
    same!(world, read, StorageRead::certificate(&serial));
    same!(world, read, StorageRead::account_and_order(account, order));
    same!(world, read, StorageRead::account_and_authorization(account, authorization));
    same!(world, read, StorageRead::account_and_certificate(account, &serial));
    same!(world, read, StorageRead::renewal(&serial));
    same!(world, read, StorageRead::ca_certificates());
    same!(world, read, StorageRead::ping());
    let pki = RemotePkiRead::new(world.channel.clone());
    same!(world, pki, PkiRead::revocation_position());
    same!(world, pki, PkiRead::revocations_after(sample::revocation_position(), 10));
    same!(world, pki, PkiRead::published_ca_certificates());
    let (shard, crl) = (sample::shard(), sample::crl_id());
    for kind in CrlKind::ALL {
        same!(world, pki, PkiRead::crl(shard, kind));
    }
    same!(world, pki, PkiRead::crl_chunk(crl, u32::MAX));
    crls(world, shard, crl).await;
    same!(world, sa, StorageRead::account(account));
    same!(world, sa, StorageRead::account_by_key(thumbprint));
    same!(world, sa, StorageRead::order(order));
    same!(world, sa, StorageRead::authorization(authorization));
    same!(world, sa, StorageRead::certificate(&serial));
    same!(world, sa, StorageRead::account_and_order(account, order));
    same!(world, sa, StorageRead::account_and_authorization(account, authorization));
    same!(world, sa, StorageRead::account_and_certificate(account, &serial));
    same!(world, sa, StorageRead::renewal(&serial));
    same!(world, sa, StorageRead::ca_certificates());
    same!(world, sa, StorageRead::ping());

    let certificates = RemoteCertificateStore::new(world.channel.clone());
    same!(world, certificates, CertificateStore::record_intent(sample::intent()));
    same!(world, certificates, CertificateStore::add_certificate(sample::new_certificate()));
    same!(world, certificates, CertificateStore::record_ca_certificates(sample::ca_certificates()));
    same!(world, certificates, CertificateStore::record_ca_certificates(Vec::new()));
    same!(world, certificates, CertificateStore::certificate_statuses(&[]));
    let serials = [serial.clone(), Serial::from_bytes(&[1]).unwrap()];
    same!(world, certificates, CertificateStore::certificate_statuses(&serials));

    let stored = sample::account();
    same!(world, sa, StorageAuthority::new_account(stored.clone()));
    same!(world, sa, StorageAuthority::set_contact(account, vec![String::new()]));
    same!(world, sa, StorageAuthority::deactivate_account(account));
    same!(world, sa, StorageAuthority::revoke_account(account));
    same!(world, sa, StorageAuthority::order_for_identifiers(account, &identifiers, "default", NOW));
    same!(world, sa, StorageAuthority::valid_authorizations(account, &identifiers, NOW));
    same!(world, sa, StorageAuthority::valid_authorizations(account, &[], NOW));
    same!(world, sa, StorageAuthority::new_order_and_authorizations(sample::new_order()));
    let (challenge, worker) = (ChallengeType::Http01, WorkerId::from_bytes([4; 16]));
    same!(world, sa, StorageAuthority::set_authorization_processing(authorization, challenge, worker, NOW));
    for progress in sample::progresses() {
        same!(world, sa, StorageAuthority::finalize_authorization(authorization, progress.clone(), NOW));
    }
    same!(world, sa, StorageAuthority::deactivate_authorization(authorization, NOW));
    for thumbprint in [None, Some(thumbprint)] {
        let key = SubjectKey { spki_sha256: [5; 32], thumbprint };
        same!(world, sa, StorageAuthority::set_order_processing(order, key, worker, NOW));
    }
    same!(world, sa, StorageAuthority::set_order_error(order, sample::problem()));
    same!(world, sa, StorageAuthority::heartbeat(worker, NOW));
    same!(world, sa, StorageAuthority::retire(worker));
    for limit in [0, 1, usize::MAX] {
        same!(world, sa, StorageAuthority::take_abandoned_orders(worker, NOW, limit));
        same!(world, sa, StorageAuthority::take_abandoned_validations(worker, NOW, limit));
    }
    same!(world, sa, StorageAuthority::revoke_certificate(sample::new_revocation()));
    let unblocking = NewRevocation {
        revocation: Revocation { at: NOW, reason: None },
        blocked_key: None,
        ..sample::new_revocation()
    };
    same!(world, sa, StorageAuthority::revoke_certificate(unblocking.clone()));
    same!(world, sa, StorageAuthority::block_key([8; 32], NOW));
    same!(world, sa, StorageAuthority::key_blocked([8; 32]));
}

async fn revocations(world: &World) {
    let sa = RemoteStorageAuthority::new(world.channel.clone());
    let (incident, serial) = (IncidentId::from_bytes([6; 16]), sample::serial());
    for key in [None, Some([8; 32])] {
        same!(world, sa, RevocationStore::correct_revocation(&serial, key, NOW));
        same!(world, sa, RevocationStore::keys_to_sweep(key, 7));
    }
    for after in [&[][..], &[1, 2]] {
        same!(world, sa, RevocationStore::certificates_after(after, 7));
        same!(world, sa, RevocationStore::certificates_of_key([8; 32], after, usize::MAX));
        same!(world, sa, RevocationStore::incident_certificates(incident, after, 0));
    }
    same!(world, sa, RevocationStore::certificates_with_serials(&[serial.clone(), serial.clone()]));
    same!(world, sa, RevocationStore::certificates_with_serials(&[]));
    same!(world, sa, RevocationStore::end_sweep(KeyToSweep { spki_sha256: [8; 32], until: NOW }));
    same!(world, sa, RevocationStore::certificates_without_key(7));
    same!(world, sa, RevocationStore::enter_keys(vec![(serial.clone(), [8; 32])]));
    same!(world, sa, RevocationStore::replacement(&serial));
    for by in [None, Some(NOW)] {
        same!(world, sa, RevocationStore::set_replace_by(IssuerId::from_bytes([9; 20]), by));
    }
    for stored in [sample::incident(), sample::bare_incident()] {
        same!(world, sa, RevocationStore::new_incident(stored.clone()));
    }
    same!(world, sa, RevocationStore::stored_incident(incident));
    same!(world, sa, RevocationStore::stored_incidents(7));
    same!(world, sa, RevocationStore::due_incidents(NOW));
    same!(world, sa, RevocationStore::add_incident_certificates(incident, sample::entries()));
    let end = IncidentEnd { at: NOW, by: "operator alice".to_owned() };
    same!(world, sa, RevocationStore::set_incident_end(incident, end.clone()));
    for status in IncidentStatus::ALL {
        same!(world, sa, RevocationStore::close_incident(incident, status));
    }
    same!(world, sa, RevocationStore::incident_to_do(incident, 7));
    same!(world, sa, RevocationStore::set_incident_done(incident, vec![serial.clone()]));
    same!(world, sa, RevocationStore::set_incident_replaced(incident, sample::entries()));
}

async fn administration(world: &World) {
    let admin = RemoteAdministration::new(world.channel.clone());
    let operator: Operator = "alice".parse().unwrap();
    let (account, order) = (AccountId::from_bytes([1; 16]), OrderId::from_bytes([3; 16]));
    let authorization = AuthorizationId::from_bytes([2; 16]);
    for name in [AccountName::Id(account), AccountName::Key(Thumbprint::from_bytes([5; 32]))] {
        same!(world, admin, Administration::account(&operator, name));
    }
    same!(world, admin, Administration::deactivate_account(&operator, account));
    same!(world, admin, Administration::order(&operator, order));
    same!(world, admin, Administration::authorization(&operator, authorization));
    same!(world, admin, Administration::deactivate_authorization(&operator, authorization));
    let serial = sample::certificate().serial;
    same!(world, admin, Administration::certificate(&operator, &serial));
    for (reason, block_key) in [(None, true), (Some(RevocationReason::PrivilegeWithdrawn), false)] {
        let revocation = OperatorRevocation { serial: serial.clone(), reason, block_key };
        same!(world, admin, Administration::revoke_certificate(&operator, revocation.clone()));
    }
    same!(world, admin, Administration::block_key(&operator, [8; 32]));
    let incident = IncidentId::from_bytes([6; 16]);
    for selection in sample::selections() {
        for stretch in [Stretch::After(vec![1]), Stretch::These(vec![serial.clone()])] {
            let reason = Some(RevocationReason::Superseded);
            same!(world, admin, Administration::select(&operator, &selection, &stretch, None));
            same!(world, admin, Administration::select(&operator, &selection, &stretch, reason));
            same!(world, admin, Administration::revoke_selected(&operator, &selection, &stretch, reason));
            same!(
                world,
                admin,
                Administration::enter_into_incident(&operator, incident, &selection, &stretch)
            );
        }
    }
    for (reason, explanation) in [(None, None), (Some(RevocationReason::Superseded), Some(String::new()))] {
        let new = NewIncident {
            name: "Too long".to_owned(),
            selection: "everything".to_owned(),
            reason,
            drill: reason.is_some(),
            explanation,
        };
        same!(world, admin, Administration::new_incident(&operator, new.clone()));
    }
    same!(world, admin, Administration::incidents(&operator));
    same!(world, admin, Administration::incident(&operator, incident));
    same!(world, admin, Administration::follow_incident(&operator, incident, &[1]));
    same!(world, admin, Administration::incident_stretch(&operator, incident, &[]));
    same!(world, admin, Administration::finish_incident(&operator, incident, NOW));
    same!(world, admin, Administration::cancel_incident(&operator, incident));
    for by in [None, Some(NOW)] {
        same!(world, admin, Administration::retire_issuer(&operator, IssuerId::from_bytes([9; 20]), by));
    }
    same!(world, admin, Administration::status(&operator));
}

async fn others(world: &World) {
    let va = RemoteValidationAuthority::new(world.channel.clone());
    let token = Token::from_bytes([7; 32]);
    let request = ValidationRequest {
        authorization: AuthorizationId::from_bytes([2; 16]),
        identifier: Identifier::parse("dns", "a.test").unwrap(),
        challenge: ChallengeType::TlsAlpn01,
        token,
        key_authorization: token.key_authorization(sample::key().thumbprint()),
    };
    same!(world, va, ValidationAuthority::validate(request.clone()));

    let ca = RemoteCertificateAuthority::new(world.channel.clone());
    for order in [None, Some(OrderId::from_bytes([3; 16]))] {
        let request = IssuanceRequest {
            order,
            account: order.map(|_| AccountId::from_bytes([1; 16])),
            profile: "default".to_owned(),
            public_key: vec![0x30, 1, 2],
            identifiers: sample::identifiers(),
        };
        same!(world, ca, CertificateAuthority::issue_certificate(request.clone()));
    }

    let ocsp = RemoteOcspResponder::new(world.channel.clone());
    same!(world, ocsp, OcspResponder::ocsp_response(vec![0x30, 0]));
    same!(world, ocsp, OcspResponder::ocsp_response(Vec::new()));

    let pa = RemotePolicyAuthority::new(world.channel.clone());
    let identifiers = sample::identifiers();
    same!(world, pa, PolicyAuthority::willing_to_issue(&identifiers));
    for challenge in ChallengeType::ALL {
        same!(world, pa, PolicyAuthority::challenge_enabled(challenge, &identifiers[0], true));
        same!(world, pa, PolicyAuthority::challenge_enabled(challenge, &identifiers[2], false));
    }
    same!(world, pa, PolicyAuthority::good_key(&[1, 2], KeyUse::Account));
    same!(world, pa, PolicyAuthority::good_key(&[], KeyUse::Certificate));

    let owner = RemoteNonceOwner::new(world.channel.clone());
    same!(world, owner, NonceOwner::prefix());
    same!(world, owner, NonceOwner::redeem_own("AbCd-_09xyz"));
}

#[tokio::test]
async fn every_call_and_its_answer_arrive_as_they_are() {
    every_call(Fake::new()).await;
}

#[tokio::test]
async fn what_is_not_there_is_not_there_at_the_other_end() {
    every_call(Fake::finds_nothing()).await;
}

#[tokio::test]
async fn every_call_fails_with_the_same_error_at_the_other_end() {
    every_call(Fake::fails(sample::error(ErrorKind::RejectedIdentifier))).await;
    every_call(Fake::fails(Error::new(ErrorKind::Unavailable, ""))).await;
}

#[test]
fn the_transports_channels_carry_calls_and_its_server_takes_our_services() {
    fn carries<T: Carrier>() {}
    carries::<transport::Channel>();
    carries::<transport::EndpointChannel>();
    let _: fn(transport::Server, Arc<Fake>) -> transport::Server =
        |server, fake| server.add(nonce_owner_server(fake), &[Role::Wfe]);
}

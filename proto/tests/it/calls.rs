//! Every call is made twice, at the fake itself and over the wire: the fake must hear the same, and the caller must see the same.

use std::sync::Arc;

use cairn_core::api::admin::*;
use cairn_core::api::ra::*;
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
    let request = NewOrderRequest { account, identifiers: sample::identifiers() };
    same!(world, ra, RegistrationAuthority::new_order(request.clone()));
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
    same!(world, read, StorageRead::ca_certificates());
    same!(world, read, StorageRead::ping());
    let pki = RemotePkiRead::new(world.channel.clone());
    same!(world, pki, PkiRead::revocation_position());
    same!(world, pki, PkiRead::revocations_after(sample::revocation_position(), 10));
    same!(world, pki, PkiRead::published_ca_certificates());
    same!(world, sa, StorageRead::account(account));
    same!(world, sa, StorageRead::account_by_key(thumbprint));
    same!(world, sa, StorageRead::order(order));
    same!(world, sa, StorageRead::authorization(authorization));
    same!(world, sa, StorageRead::certificate(&serial));
    same!(world, sa, StorageRead::account_and_order(account, order));
    same!(world, sa, StorageRead::account_and_authorization(account, authorization));
    same!(world, sa, StorageRead::account_and_certificate(account, &serial));
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

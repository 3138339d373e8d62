//! OCSP: requests as clients write them, and what a responder and those who verify make of them.

use cairn_x509::ocsp::{
    CertId, IssuerHash, MAX_CERTIFICATES, MAX_REQUEST_LEN, Nonce, Refusal, Request, RequestError, Response,
    ResponseError, ResponseInputs, SingleResponse, Status, TbsResponse,
};
use cairn_x509::{
    Certificate, CrlReason, FileSigner, KeySpec, Name, OcspResponderInputs, Signer, Validity, ocsp_responder,
};

use crate::support::{Ca, DAY, NOW};

/// `openssl ocsp -issuer … -serial 0x1234567890abcdef -serial 0x42 -reqout …`, of OpenSSL 3.0.
const OPENSSL: &str = "3081ae3081ab30818330433041300906052b0e03021a05000414a261150f1f6cf82a10c90d45cc4db9b70de1075f0414eafc\
    e698cbd8e712f9e91c96055f5c9428a09bab02081234567890abcdef303c303a300906052b0e03021a05000414a261150f1f6cf82a10c90d45cc4d\
    b9b70de1075f0414eafce698cbd8e712f9e91c96055f5c9428a09bab020142a2233021301f06092b060105050730010204120410997b3772a1f8d4\
    ce719e635f9f9f3b4a";
/// The same with `-sha256`.
const OPENSSL_SHA256: &str = "3081e63081e33081bb305f305d300d0609608648016503040201050004200bd788b17d79b3b3f8cbb3f8875b713f41\
    56f45b574785797d0799ff92df519504201a3aba9445c1113bad42575c2848e79e9b2b0bfc8d2db6704780d13c8705581b02081234567890abcdef\
    30583056300d0609608648016503040201050004200bd788b17d79b3b3f8cbb3f8875b713f4156f45b574785797d0799ff92df519504201a3aba94\
    45c1113bad42575c2848e79e9b2b0bfc8d2db6704780d13c8705581b020142a2233021301f06092b0601050507300102041204108a1720796e4604\
    f7bae2b9c64b544a95";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

fn request(issuer: &Certificate, hash: IssuerHash) -> Request {
    let certificates = vec![CertId::new(hash, issuer, &[0x12, 0x34]), CertId::new(hash, issuer, &[0x42])];
    Request { certificates, nonce: Nonce::new(&[7; 32]) }
}

fn answers(request: &Request) -> Vec<SingleResponse> {
    let revoked = Status::Revoked { at: NOW - DAY, reason: Some(CrlReason::KeyCompromise) };
    let statuses = [Status::Good, revoked, Status::Unknown].into_iter().cycle();
    let single = |(id, status): (&CertId, Status)| SingleResponse {
        id: id.clone(),
        status,
        this_update: NOW,
        next_update: Some(NOW + 4 * DAY),
    };
    request.certificates.iter().zip(statuses).map(single).collect()
}

fn respond(responder: &Certificate, delegated: bool, signer: &FileSigner, request: &Request) -> Vec<u8> {
    let responses = answers(request);
    let nonce = request.nonce.as_ref();
    let inputs = ResponseInputs { responder, delegated, produced_at: NOW, responses: &responses, nonce };
    TbsResponse::new(signer.algorithm(), inputs).unwrap().sign(signer).unwrap()
}

#[test]
fn openssls_requests_are_read_and_written_as_they_were() {
    for (hex, hash) in [(OPENSSL, IssuerHash::Sha1), (OPENSSL_SHA256, IssuerHash::Sha256)] {
        let der = bytes(hex);
        let request = Request::from_der(&der).unwrap();
        assert_eq!(request.certificates.len(), 2);
        assert!(request.certificates.iter().all(|id| id.hash == hash));
        assert_eq!(request.certificates[0].serial, [0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef]);
        assert_eq!(request.nonce.as_ref().unwrap().as_bytes().len(), 16);
        assert_eq!(request.to_der().unwrap(), der);
    }
}

#[test]
fn an_id_names_its_issuer_and_no_other() {
    let (one, other) = (Ca::root(KeySpec::P256), Ca::root(KeySpec::P384));
    for hash in [IssuerHash::Sha1, IssuerHash::Sha256] {
        let id = CertId::new(hash, &one.certificate, &[1]);
        assert!(id.is_issued_by(&one.certificate));
        // The same name, another key.
        assert!(!id.is_issued_by(&other.certificate));
    }
}

#[test]
fn requests_have_bounds() {
    let issuer = Ca::root(KeySpec::P256).certificate;
    let refusal = |request: &Request| Request::from_der(&request.to_der().unwrap()).unwrap_err();
    let asking = |count: usize| Request {
        certificates: vec![CertId::new(IssuerHash::Sha1, &issuer, &[1]); count],
        nonce: None,
    };
    assert_eq!(refusal(&asking(0)), RequestError::Count(0));
    assert_eq!(refusal(&asking(MAX_CERTIFICATES + 1)), RequestError::Count(MAX_CERTIFICATES + 1));
    assert!(Request::from_der(&asking(MAX_CERTIFICATES).to_der().unwrap()).is_ok());
    let long = vec![0; MAX_REQUEST_LEN + 1];
    assert_eq!(Request::from_der(&long), Err(RequestError::TooLong(MAX_REQUEST_LEN + 1)));

    for serial in [&[0x80][..], &[1; 21]] {
        let certificates = vec![CertId::new(IssuerHash::Sha1, &issuer, serial)];
        assert_eq!(refusal(&Request { certificates, nonce: None }), RequestError::Serial);
    }
    let mut id = CertId::new(IssuerHash::Sha1, &issuer, &[1]);
    id.name.pop();
    assert_eq!(refusal(&Request { certificates: vec![id], nonce: None }), RequestError::HashLength);

    assert_eq!((Nonce::new(&[]), Nonce::new(&[1; 129])), (None, None));
    // A nonce of no octets: the last of them is taken away from one of one.
    let mut der = Request { certificates: asking(1).certificates, nonce: Nonce::new(&[9]) }.to_der().unwrap();
    assert!(Request::from_der(&der).is_ok());
    let end = der.len();
    assert_eq!(der[end - 3..], [4, 1, 9]);
    der[end - 3..].copy_from_slice(&[5, 1, 9]);
    assert_eq!(Request::from_der(&der), Err(RequestError::Nonce));
}

#[test]
fn trailing_octets_and_a_request_that_is_cut_off_are_refused() {
    let whole = bytes(OPENSSL);
    let longer = [whole.clone(), vec![0]].concat();
    assert!(matches!(Request::from_der(&longer), Err(RequestError::Malformed(_))));
    for length in 0..whole.len() {
        assert!(Request::from_der(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn the_issuer_answers_with_every_kind_of_key() {
    for spec in [KeySpec::P256, KeySpec::P384, KeySpec::Rsa2048, KeySpec::Ed25519, KeySpec::MlDsa44] {
        let ca = Ca::root(spec);
        for hash in [IssuerHash::Sha1, IssuerHash::Sha256] {
            let request = request(&ca.certificate, hash);
            let response =
                Response::from_der(&respond(&ca.certificate, false, &ca.signer, &request)).unwrap();
            response.verify(&ca.certificate).unwrap();
            assert_eq!((response.produced_at, &response.nonce), (NOW, &request.nonce));
            assert_eq!(response.responses, answers(&request));
            let other = Ca::root(spec);
            assert!(response.verify(&other.certificate).is_err());
        }
    }
}

#[test]
fn a_delegated_responder_is_believed_if_the_issuer_delegated_to_it() {
    let ca = Ca::root(KeySpec::P384);
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let inputs = OcspResponderInputs {
        serial: &[5; 16],
        validity: Validity { not_before: NOW, not_after: NOW + 30 * DAY },
        public_key: key.public_key(),
        subject: &Name::new("Responder", None).unwrap(),
    };
    let delegated = ocsp_responder(&ca.certificate, ca.signer.algorithm(), inputs).unwrap();
    let delegated = delegated.sign(&ca.signer).unwrap();
    let request = request(&ca.certificate, IssuerHash::Sha1);
    let verdict = |responder: &Certificate, signer: &FileSigner| {
        Response::from_der(&respond(responder, true, signer, &request)).unwrap().verify(&ca.certificate)
    };
    verdict(&delegated, &key).unwrap();
    // Anybody's certificate from the same issuer is not enough.
    let leaf = ca.ordinary_leaf(&key);
    assert_eq!(verdict(&leaf, &key), Err(ResponseError::Responder));
    let other = Ca::root(KeySpec::P384);
    assert!(matches!(verdict(&other.ordinary_leaf(&key), &key), Err(ResponseError::Delegation(_))));
}

#[test]
fn a_changed_octet_is_found() {
    let ca = Ca::root(KeySpec::P256);
    let request = request(&ca.certificate, IssuerHash::Sha1);
    let der = respond(&ca.certificate, false, &ca.signer, &request);
    for place in 0..der.len() {
        let mut changed = der.clone();
        changed[place] ^= 1;
        let verified = Response::from_der(&changed).and_then(|response| response.verify(&ca.certificate));
        assert!(verified.is_err(), "octet {place}");
    }
}

#[test]
fn refusals_are_five_octets_and_read_as_what_they_are() {
    for refusal in [
        Refusal::MalformedRequest,
        Refusal::InternalError,
        Refusal::TryLater,
        Refusal::SigRequired,
        Refusal::Unauthorized,
    ] {
        assert_eq!(Response::from_der(&refusal.der()), Err(ResponseError::Refused(refusal)));
    }
}

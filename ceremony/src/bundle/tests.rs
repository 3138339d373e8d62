use aws_lc_rs::rand::SystemRandom;
use cairn_x509::{
    CaCsr, CaProfile, CaRequest, Certificate, CsrRequest, FileSigner, KeySpec, Name, Purpose, Validity,
};

use super::*;
use crate::make::{self, Key, Keys};
use crate::plan::{Ca, CertificatePlan, Form, Issuer};
use crate::record::tests::record;

const DAY: i64 = 24 * 60 * 60;
const MADE: i64 = 1_800_000_000;

fn key() -> FileSigner {
    FileSigner::generate(KeySpec::P256).unwrap()
}

fn csr(signer: &FileSigner) -> CaCsr {
    let subject = Name::new("Example Intermediate I2", Some("Example Corp")).unwrap();
    let ca = Some(CaRequest { path_len: Some(0), digital_signature: false });
    CsrRequest { subject: &subject, ca }.sign(signer).unwrap()
}

fn request(requester: &FileSigner, asks: Asks) -> Request {
    Request {
        name: "i2".to_owned(),
        nonce: Nonce::new(&SystemRandom::new()).unwrap(),
        made: MADE,
        requester: requester.public_key().clone(),
        issuer: IssuerName { subject: "CN=Example Root R1".to_owned(), sha256: Digest::of(b"root") },
        asks,
    }
}

fn intermediate(signer: &FileSigner) -> IntermediateRequest {
    IntermediateRequest {
        csr: csr(signer),
        days: 1000,
        purposes: vec![Purpose::ServerAuth, Purpose::ClientAuth],
        permitted: permitted(&["example.com".to_owned()], &["10.0.0.0/8".to_owned()]).unwrap(),
        replaces: None,
    }
}

fn sample() -> (FileSigner, Signed<Request>) {
    let requester = key();
    let request = request(&requester, Asks::Intermediate(intermediate(&key())));
    let signed = Signed::new(request, &requester).unwrap();
    (requester, signed)
}

fn read(text: &str) -> Result<Signed<Request>, BundleError> {
    Signed::read(text.as_bytes())
}

/// The body of `signed` changed by `change`, and signed again by the same key: what only the requester could send.
fn signed_again(requester: &FileSigner, signed: &Signed<Request>, change: &dyn Fn(&str) -> String) -> String {
    let (unsigned, _) = signed.text().split_once(SIGNATURE_BEGINS).unwrap();
    let changed = change(unsigned);
    assert_ne!(changed, unsigned);
    let signature = STANDARD.encode(requester.sign(changed.as_bytes()).unwrap());
    format!("{changed}{SIGNATURE_BEGINS}{signature}{SIGNATURE_ENDS}")
}

#[test]
fn requests_of_every_kind_read_back_and_say_in_words_what_they_ask() {
    let requester = key();
    let installed = {
        let root_key = key();
        let (root, _) = hierarchy(&root_key, &key(), CaProfile::default(), 1000);
        let plan = crate::plan::CrlPlan {
            issuer: root,
            number: 7,
            this_update: MADE,
            next_update: MADE + 100 * DAY,
            entries: Vec::new(),
        };
        make::crl(&plan, Keys { key: None, issuer: Some(&root_key) }).unwrap()
    };
    let revoke = vec![Revoke::new("5f:3a", Some("superseded".to_owned())).unwrap()];
    for (asks, words) in [
        (Asks::Intermediate(intermediate(&key())), "an intermediate CA"),
        (
            Asks::OcspSigner(ResponderRequest { csr: csr(&key()), days: 90 }),
            "an OCSP responder's certificate",
        ),
        (Asks::Crl(RevocationRequest { installed: Some(installed), revoke }), "number 7, 0 entries"),
        (Asks::Crl(RevocationRequest { installed: None, revoke: Vec::new() }), "nothing more"),
    ] {
        let signed = Signed::new(request(&requester, asks), &requester).unwrap();
        let again = read(signed.text()).unwrap();
        assert_eq!(again, signed);
        assert!(signed.text().contains(words), "{}", signed.text());
        assert!(signed.head().contains(&words::fingerprint(&Digest::of(requester.public_key().der()))));
    }
}

#[test]
fn every_changed_byte_is_seen() {
    let (_, signed) = sample();
    let text = signed.text().as_bytes();
    for place in 0..text.len() {
        let mut changed = text.to_vec();
        changed[place] ^= 1;
        assert!(Signed::<Request>::read(&changed).is_err(), "byte {place} was changed");
    }
    for length in 0..text.len() {
        assert!(Signed::<Request>::read(&text[..length]).is_err(), "cut off after {length} bytes");
    }
    for more in ["\n", " ", "x"] {
        read(&format!("{}{more}", signed.text())).unwrap_err();
        read(&format!("{more}{}", signed.text())).unwrap_err();
    }
}

#[test]
fn the_head_says_what_the_body_says_also_if_the_key_itself_signs_otherwise() {
    let (requester, signed) = sample();
    let lie = signed_again(&requester, &signed, &|text| text.replacen("1000 days", "10 days", 1));
    assert_eq!(read(&lie), Err(BundleError::Canonical));
    let nonce = signed.content().nonce.to_string();
    let other = signed_again(&requester, &signed, &|text| text.replacen(&nonce, &"0".repeat(32), 1));
    assert_eq!(read(&other), Err(BundleError::Canonical));
    // In both places it is another request, and good.
    let other = signed_again(&requester, &signed, &|text| text.replace(&nonce, &"0".repeat(32)));
    assert_ne!(read(&other).unwrap().digest(), signed.digest());
}

#[test]
fn what_this_version_does_not_know_is_refused() {
    let (requester, signed) = sample();
    let later = signed_again(&requester, &signed, &|text| text.replace("cairn-request/1", "cairn-request/2"));
    assert_eq!(read(&later), Err(BundleError::Format("cairn-request/2".to_owned())));
    for more in ["\"more\": 1,", "\"name\": \"i3\","] {
        let changed = signed_again(&requester, &signed, &|text| {
            text.replacen("\"name\"", &format!("{more}\n  \"name\""), 1)
        });
        assert!(matches!(read(&changed), Err(BundleError::Body(_))), "{more}");
    }
    // Written otherwise, with the same meaning.
    let changed = signed_again(&requester, &signed, &|text| text.replacen("\"name\": ", "\"name\":  ", 1));
    assert_eq!(read(&changed), Err(BundleError::Canonical));
}

#[test]
fn another_key_cannot_sign_in_its_name() {
    let (_, signed) = sample();
    let other = key();
    let forged = signed_again(&other, &signed, &|text| text.replace("1000", "2000"));
    assert_eq!(read(&forged), Err(BundleError::Signature));
    assert!(matches!(Signed::new(signed.content().clone(), &other), Err(BundleError::Signing(_))));
    let p384 = FileSigner::generate(KeySpec::P384).unwrap();
    let request = request(&p384, signed.content().asks.clone());
    assert!(matches!(Signed::new(request, &p384), Err(BundleError::Signing(_))));
}

#[test]
fn strangers_text_is_bounded_and_shows_as_it_is() {
    let long = vec![b'x'; MAX_BUNDLE + 1];
    assert_eq!(Signed::<Request>::read(&long), Err(BundleError::Length(long.len())));
    for text in ["", "CAIRN REQUEST\n", "{}", &"[".repeat(MAX_BUNDLE)] {
        read(text).unwrap_err();
    }
    assert_eq!(Signed::<Request>::read(b"\xff"), Err(BundleError::Text));
    let (_, signed) = sample();
    assert_eq!(read(&signed.text().replace('\n', "\r\n")), Err(BundleError::Text));
    let requester = key();
    for subject in ["CN=\u{1b}[2J", "CN=\u{202e}evil", "CN=a\n  nonce               00", "CN=\u{200b}"] {
        let mut request = request(&requester, Asks::Intermediate(intermediate(&key())));
        request.issuer.subject = subject.to_owned();
        assert_eq!(Signed::new(request, &requester), Err(BundleError::Text), "{subject:?}");
    }
}

#[test]
fn values_that_cannot_be_are_refused_with_their_names() {
    let requester = key();
    let refusal = |change: &dyn Fn(&mut Request)| {
        let mut request = request(&requester, Asks::Intermediate(intermediate(&key())));
        change(&mut request);
        Signed::new(request, &requester).unwrap_err().to_string()
    };
    for name in ["", "..", "a/b", "-a", "A", &"x".repeat(65)] {
        assert!(refusal(&|request| request.name = name.to_owned()).contains("name must have"), "{name:?}");
    }
    for days in [0, 15 * 366 + 1] {
        let text = refusal(&|request| match &mut request.asks {
            Asks::Intermediate(asked) => asked.days = days,
            _ => unreachable!(),
        });
        assert!(text.contains("ask for 1 to"), "{text}");
    }
    for serial in ["", "5", "xx", &"55".repeat(21)] {
        Revoke::new(serial, None).unwrap_err();
    }
    Revoke::new("55", Some("unspecified".to_owned())).unwrap_err();
    for dns in ["", "Example.com", "*.example.com", "a..b", "a b"] {
        permitted(&[dns.to_owned()], &[]).unwrap_err();
    }
    permitted(&[], &["10.0.0.1/8".to_owned()]).unwrap_err();
}

/// A root of `root_key`, and below it an intermediate of `own_key` with this profile, for so many days.
fn hierarchy(
    root_key: &FileSigner,
    own_key: &FileSigner,
    profile: CaProfile,
    days: i64,
) -> (Certificate, Certificate) {
    let validity = |days: i64| Validity { not_before: MADE, not_after: MADE + days * DAY - 1 };
    let plan = CertificatePlan::new("root", Form::Root(Name::new("Root", None).unwrap()), validity(3000));
    let keys = Keys { key: Some(Key::Signs(root_key)), issuer: None };
    let root = make::certificate(&plan, &[0x41; 16], keys, &[]).unwrap();
    let name = Name::new("Example Intermediate I2", Some("Example Corp")).unwrap();
    let plan = CertificatePlan {
        issuer: Issuer::Ca(Ca::Given(Box::new(root.clone()))),
        profile,
        ..CertificatePlan::new("intermediate", Form::Intermediate(name), validity(days))
    };
    let keys = Keys { key: Some(Key::Public(own_key.public_key())), issuer: Some(root_key) };
    let made = make::certificate(&plan, &[0x42; 16], keys, &[]).unwrap();
    (root, made)
}

#[test]
fn what_was_signed_otherwise_is_told_and_whether_it_is_less() {
    let (root_key, own_key) = (key(), key());
    let request = request(&key(), Asks::Intermediate(intermediate(&own_key)));
    let as_asked = CaProfile {
        path_len: Some(0),
        purposes: vec![Purpose::ClientAuth, Purpose::ServerAuth],
        digital_signature: false,
        name_constraints: cairn_x509::NameConstraints {
            permitted: permitted(&["example.com".to_owned()], &["10.0.0.0/8".to_owned()]).unwrap(),
            excluded: Vec::new(),
        },
        policies: Vec::new(),
    };
    let found = |change: &dyn Fn(&mut CaProfile), days| {
        let mut profile = as_asked.clone();
        change(&mut profile);
        let (_, certificate) = hierarchy(&root_key, &own_key, profile, days);
        let found = differences(&request, &certificate).unwrap();
        found.into_iter().map(|difference| (difference.what, difference.is_less)).collect::<Vec<_>>()
    };
    let names = |dns: &str, ip: &str| {
        let list = |text: &str| {
            text.split(' ').filter(|one| !one.is_empty()).map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        permitted(&list(dns), &list(ip)).unwrap()
    };
    assert_eq!(found(&|_| (), 1000), []);
    assert_eq!(found(&|_| (), 999), [("days", true)]);
    assert_eq!(found(&|_| (), 1001), [("days", false)]);
    assert_eq!(found(&|profile| profile.path_len = None, 1000), [("path length", false)]);
    assert_eq!(found(&|profile| profile.path_len = Some(1), 1000), [("path length", false)]);
    assert_eq!(found(&|profile| profile.digital_signature = true, 1000), [("key usage", false)]);
    assert_eq!(
        found(&|profile| profile.purposes = vec![Purpose::ServerAuth], 1000),
        [("extended key usage", true)]
    );
    let more = vec![Purpose::ServerAuth, Purpose::ClientAuth, Purpose::CodeSigning];
    assert_eq!(found(&|profile| profile.purposes.clone_from(&more), 1000), [("extended key usage", false)]);
    let permit =
        |dns: &str, ip: &str| found(&|profile| profile.name_constraints.permitted = names(dns, ip), 1000);
    assert_eq!(permit("a.example.com", "10.0.0.0/8"), [("permitted DNS names", true)]);
    assert_eq!(permit("example.com example.org", "10.0.0.0/8"), [("permitted DNS names", false)]);
    assert_eq!(permit("example.com", ""), [("permitted addresses", false)]);
    assert_eq!(permit("com", "10.1.0.0/16"), [("permitted DNS names", false), ("permitted addresses", true)]);
    let exclude =
        |profile: &mut CaProfile| profile.name_constraints.excluded = names("secret.example.com", "");
    assert_eq!(found(&exclude, 1000), [("excluded names", true)]);
}

#[test]
fn a_response_reads_back_and_is_to_one_request_alone() {
    let (root_key, own_key, record_key) = (key(), key(), key());
    let requester = key();
    let asked =
        Signed::new(request(&requester, Asks::Intermediate(intermediate(&own_key))), &requester).unwrap();
    let (root, certificate) = hierarchy(&root_key, &own_key, CaProfile::for_tls(), 1000);
    let record = record(3, None, &record_key);
    let json = record.to_json().unwrap();
    let issued = Issued::Intermediate(certificate);
    let response = Response::new(&asked, issued, &root, (&record, &json), record_key.public_key()).unwrap();
    let signed = Signed::new(response, &record_key).unwrap();
    assert_eq!(Signed::<Response>::read(signed.text().as_bytes()).unwrap(), signed);
    assert!(signed.content().is_to(&asked));
    let (_, other) = sample();
    assert!(!signed.content().is_to(&other));
    // The same nonce in another file.
    let changed = signed_again(&requester, &asked, &|text| {
        text.replace("\"i2\"", "\"i3\"").replace("  i2\n", "  i3\n")
    });
    assert!(!signed.content().is_to(&read(&changed).unwrap()));
    assert!(!signed.text().contains("REHEARSAL"));
    // Neither kind is taken for the other.
    read(signed.text()).unwrap_err();
    Signed::<Response>::read(asked.text().as_bytes()).unwrap_err();
    for place in 0..signed.text().len() {
        let mut changed = signed.text().as_bytes().to_vec();
        changed[place] ^= 1;
        assert!(Signed::<Response>::read(&changed).is_err(), "byte {place} was changed");
    }
}

//! The way between a CA that serves and the people with its root's key: a request is shown, drafted into a ceremony file, answered, and the
//! answer checked, for each kind of request.

use std::fs;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use cairn_ceremony::bundle::{
    Asks, IntermediateRequest, Issued, IssuerName, Nonce, Request, ResponderRequest, Response,
    RevocationRequest, Revoke, Signed, draft,
};
use cairn_ceremony::file::Digest;
use cairn_ceremony::verify::verify;
use cairn_x509::{
    CaRequest, Certificate, Crl, CsrRequest, FileSigner, KeySpec, Name, Purpose, Signer, Subtree,
};

use crate::support::{Answers, Room, certificate, example, files};

const R1: &str = "[key]\nfile = \"r1-key.pem\"\n[shares]\nfolder = \"shares-r1\"";
const R1_KEY: &str = "[issuer_key]\nfile = \"r1-key.pem\"\n\
    share_files = [\"shares-r1/share-1-of-3-alice-archer.txt\", \"shares-r1/share-3-of-3-carol-cole.txt\"]\n\
    [inputs]\nissuer = \"r1/root.pem\"\nrequest = \"request.txt\"\n";
/// 2026-05-28, when the examples' root is valid.
const MADE: i64 = 1_780_000_000;

/// A CA that asks, and a root that is asked.
struct Story {
    room: Room,
    root: Certificate,
    requester: FileSigner,
}

impl Story {
    fn new() -> Self {
        let mut room = Room::new();
        let folder = room.hold("r1", &example("root", &[]), R1).unwrap();
        let root = certificate(&folder.join("root.pem"));
        Self { room, root, requester: FileSigner::generate(KeySpec::P256).unwrap() }
    }

    /// Writes a request to where the machine file looks for it.
    fn ask(&self, name: &str, asks: Asks) -> Signed<Request> {
        let request = Request {
            name: name.to_owned(),
            nonce: Nonce::new(&SystemRandom::new()).unwrap(),
            made: MADE,
            requester: self.requester.public_key().clone(),
            issuer: IssuerName {
                subject: self.root.subject().to_string(),
                sha256: Digest::of(self.root.der()),
            },
            asks,
        };
        let signed = Signed::new(request, &self.requester).unwrap();
        fs::write(self.room.path("request.txt"), signed.text()).unwrap();
        signed
    }

    /// Holds the ceremony that the draft describes, and verifies it.
    fn answer(&mut self, request: &Signed<Request>, machine: &str) -> Signed<Response> {
        let text = draft(request);
        let name = request.content().name.clone();
        let folder =
            self.room.hold(&name, &text, machine).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
        let report = verify(&folder, None).unwrap_or_else(|error| panic!("{error:#}")).join("\n");
        assert!(report.contains("response.txt answers inputs/request.txt"), "{report}");
        let response = response(&folder);
        assert!(response.content().is_to(request) && !response.content().rehearsal);
        assert_eq!(response.content().chain, std::slice::from_ref(&self.root));
        response
    }

    fn refusal(&self, text: &str, machine: &str) -> String {
        let error = self.room.try_hold("refused", text, machine, false, &mut Answers::default()).unwrap_err();
        assert!(!self.room.path("refused").exists());
        format!("{error:#}")
    }
}

fn response(folder: &Path) -> Signed<Response> {
    Signed::read(&fs::read(folder.join("response.txt")).unwrap()).unwrap()
}

fn intermediate(key: &FileSigner, common_name: &str) -> IntermediateRequest {
    let subject = Name::new(common_name, Some("Example \"Corp\"")).unwrap();
    let ca = Some(CaRequest { path_len: Some(0), digital_signature: false });
    IntermediateRequest {
        csr: CsrRequest { subject: &subject, ca }.sign(key).unwrap(),
        days: 1000,
        purposes: vec![Purpose::ServerAuth],
        permitted: vec![Subtree::Dns("example.com".to_owned()), Subtree::Ip("10.0.0.0/8".parse().unwrap())],
        replaces: None,
    }
}

#[test]
fn an_intermediate_is_asked_for_drafted_and_answered_exactly() {
    let mut story = Story::new();
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let request = story.ask("i1", Asks::Intermediate(intermediate(&key, "Example I1")));
    let response = story.answer(&request, R1_KEY);
    let Issued::Intermediate(i1) = &response.content().issued else { panic!("{response:?}") };
    assert_eq!(i1.public_key(), key.public_key());
    i1.verify_issued_by(&story.root).unwrap();
    let differences = cairn_ceremony::bundle::differences(request.content(), i1).unwrap();
    assert!(differences.is_empty(), "{differences:?}");
    assert_eq!(i1.validity().not_before, MADE);

    // The next one, beside the first for a while.
    let key = FileSigner::generate(KeySpec::P384).unwrap();
    let asked = IntermediateRequest {
        replaces: Some(Digest::of(i1.der())),
        days: 2000,
        ..intermediate(&key, "Example I2")
    };
    let request = story.ask("i2", Asks::Intermediate(asked));
    assert!(draft(&request).contains("kind = \"rollover\""));
    let machine = format!("{R1_KEY}replaces = \"i1/intermediate.pem\"");
    story.answer(&request, &machine);
}

#[test]
fn an_ocsp_responder_is_asked_for_and_answered() {
    let mut story = Story::new();
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let subject = Name::new("Example OCSP 1", None).unwrap();
    let csr = CsrRequest { subject: &subject, ca: None }.sign(&key).unwrap();
    let request = story.ask("ocsp-1", Asks::OcspSigner(ResponderRequest { csr, days: 90 }));
    let response = story.answer(&request, R1_KEY);
    let Issued::OcspSigner(made) = &response.content().issued else { panic!("{response:?}") };
    assert_eq!(made.public_key(), key.public_key());
    assert!(made.description().unwrap().ocsp_no_check);
}

#[test]
fn lists_are_asked_for_one_after_the_other() {
    let mut story = Story::new();
    let request = story.ask("crl-1", Asks::Crl(RevocationRequest { installed: None, revoke: Vec::new() }));
    let response = story.answer(&request, R1_KEY);
    let Issued::Crl(first) = response.content().issued.clone() else { panic!("{response:?}") };
    assert_eq!(first.tbs().number_as_u64(), Some(1));

    let revoke = vec![Revoke::new("5f3a", Some("superseded".to_owned())).unwrap()];
    let request = story.ask("crl-2", Asks::Crl(RevocationRequest { installed: Some(first), revoke }));
    let machine = format!("{R1_KEY}replaces = \"crl-1/crl.pem\"");
    let response = story.answer(&request, &machine);
    let Issued::Crl(second) = response.content().issued.clone() else { panic!("{response:?}") };
    assert_eq!(serials(&second), [[0x5f, 0x3a]]);

    // What is revoked stays so.
    let request =
        story.ask("crl-3", Asks::Crl(RevocationRequest { installed: Some(second), revoke: Vec::new() }));
    let machine = format!("{R1_KEY}replaces = \"crl-2/crl.pem\"");
    let response = story.answer(&request, &machine);
    let Issued::Crl(third) = &response.content().issued else { panic!("{response:?}") };
    assert_eq!((third.tbs().number_as_u64(), serials(third)), (Some(3), vec![vec![0x5f, 0x3a]]));
}

fn serials(crl: &Crl) -> Vec<Vec<u8>> {
    crl.tbs().entries().map(|entry| entry.serial.to_vec()).collect()
}

#[test]
fn people_see_what_is_asked_and_what_they_would_give_otherwise() {
    let story = Story::new();
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let request = story.ask("i1", Asks::Intermediate(intermediate(&key, "Example I1")));
    let text = draft(&request).replace("path_length = 0", "path_length = 1");
    let shown = story.room.plan(&text, R1_KEY).unwrap();
    for line in [
        "It answers this request:",
        "asks for            an intermediate CA",
        "path length: asked for 0, given 1",
    ] {
        assert!(shown.contains(line), "{line} is missing in\n{shown}");
    }
}

#[test]
fn a_rehearsal_answers_with_what_nobody_takes_for_real() {
    let story = Story::new();
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let request = story.ask("i1", Asks::Intermediate(intermediate(&key, "Example I1")));
    let folder = story.room.rehearse("i1", &draft(&request), R1_KEY).unwrap();
    verify(&folder, None).unwrap();
    let response = response(&folder);
    assert!(response.content().rehearsal && response.content().is_to(&request));
    assert!(response.head().contains("REHEARSAL"));
    let record_key = fs::read_to_string(story.room.path("r1/record-key.pub.pem")).unwrap();
    assert_ne!(response.content().record_key.to_pem(), record_key);
}

#[test]
fn another_request_than_the_one_that_was_reviewed_is_refused() {
    let story = Story::new();
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let reviewed = story.ask("i1", Asks::Intermediate(intermediate(&key, "Example I1")));
    let text = draft(&reviewed);
    story.ask("i1", Asks::Intermediate(intermediate(&key, "Example I1")));
    let error = story.refusal(&text, R1_KEY);
    assert!(error.contains("is not the file that the ceremony file names"), "{error}");

    fs::write(story.room.path("request.txt"), reviewed.text().replace("1000 days", "100 days")).unwrap();
    assert!(story.refusal(&text, R1_KEY).contains("somebody changed it"));

    fs::write(story.room.path("request.txt"), reviewed.text()).unwrap();
    let requester = Digest::of(story.requester.public_key().der()).to_string();
    let error = story.refusal(&text.replace(&requester, &Digest::of(b"other").to_string()), R1_KEY);
    assert!(error.contains("comes from another CA than the ceremony file names"), "{error}");

    let csr = Digest::of(reviewed.content().csr().unwrap().der()).to_string();
    let error = story.refusal(&text.replace(&csr, &Digest::of(b"other").to_string()), R1_KEY);
    assert!(error.contains("names another CSR"), "{error}");

    let error = story.refusal(&text.replace(&format!("request = \"{csr}\""), "algorithm = \"p256\""), R1_KEY);
    assert!(error.contains("is not that of the request"), "{error}");

    // A request of a CA for a ceremony that answers none.
    let answers = text.split("[answers]").nth(1).unwrap().split("\n#").next().unwrap();
    let error = story.refusal(&text.replace(&format!("[answers]{answers}"), ""), R1_KEY);
    assert!(error.contains("from-request"), "{error}");
}

#[test]
fn a_ceremony_answers_only_what_it_makes_and_for_the_issuer_that_is_asked() {
    let mut story = Story::new();
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let request = story.ask("i1", Asks::Intermediate(intermediate(&key, "Example I1")));
    let crl = example("crl", &[&story.root])
        .replace("[issuer]", &format!("[answers]\nsha256 = \"{}\"\n[issuer]", request.digest()));
    let error = story.refusal(&crl, R1_KEY);
    assert!(error.contains("asks for an intermediate CA, which a ceremony of kind \"crl\""), "{error}");

    let asked_of = story.root.clone();
    let folder = story
        .room
        .hold(
            "r2",
            &example("root", &[]).replace("R1", "R2"),
            "[key]\nfile = \"r2-key.pem\"\n[shares]\nfolder = \"s2\"",
        )
        .unwrap();
    story.root = certificate(&folder.join("root.pem"));
    let request = story.ask("i1", Asks::Intermediate(intermediate(&key, "Example I1")));
    let text = draft(&request)
        .replace(&Digest::of(story.root.der()).to_string(), &Digest::of(asked_of.der()).to_string());
    let error = story.refusal(&text, R1_KEY);
    assert!(error.contains("the ceremony's issuer is another one"), "{error}");
}

#[test]
fn verify_holds_the_response_to_the_folder() {
    let mut story = Story::new();
    let request = |story: &Story, name: &str| {
        story.ask(name, Asks::Crl(RevocationRequest { installed: None, revoke: Vec::new() }))
    };
    let first = request(&story, "crl-1");
    let stale = story.answer(&first, R1_KEY);
    let second = request(&story, "crl-2");
    let text = draft(&second).replace("number = 1", "number = 2");
    let folder = story.room.hold("crl-2", &text, R1_KEY).unwrap();
    verify(&folder, None).unwrap();
    for path in files(&folder) {
        let contents = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(verify(&folder, None).is_err(), "{} is gone", path.display());
        fs::write(&path, contents).unwrap();
    }
    // Rightly signed, and of another ceremony.
    fs::write(folder.join("response.txt"), stale.text()).unwrap();
    let error = verify(&folder, None).unwrap_err().to_string();
    assert!(error.contains("does not say what this folder says"), "{error}");
}

//! The whole way from a CA that serves to the people with its root's key and back: requests, ceremonies that answer them, and what is
//! installed, or refused with nothing changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use aws_lc_rs::rand::SystemRandom as OfflineRandom;
use cairn::ca_command::folder::Folder;
use cairn::ca_command::install::{Installation, Terms};
use cairn::ca_command::known::Known;
use cairn::ca_command::pending;
use cairn::ca_command::request::{Asked, Asking};
use cairn::config;
use cairn::hierarchy::{HierarchySpec, init};
use cairn_ceremony::bundle::{Issued, Request, Response, Revoke, Signed, draft, permitted};
use cairn_ceremony::clock::Clock;
use cairn_ceremony::examples;
use cairn_ceremony::file::{CeremonyFile, Digest};
use cairn_ceremony::key_file::read_key_file;
use cairn_ceremony::machine::Machine;
use cairn_ceremony::run::{Ceremony, Prepared, World, run};
use cairn_ceremony::terminal::Dialogue;
use cairn_core::time::FakeClock;
use cairn_core::{SystemRandom, Timestamp};
use cairn_x509::{Certificate, Crl, FileSigner, KeySpec, Name, PublicKey, Purpose, Signer};
use tempfile::TempDir;
use zeroize::Zeroizing;

/// 2026-05-28, when the root of the ceremonies' examples is valid.
const NOW: i64 = 1_780_000_000;
const DAY: i64 = 24 * 60 * 60;

const ROOT: &str = "[key]\nfile = \"r1-key.pem\"\n[shares]\nfolder = \"shares-r1\"";
const ROOT_KEY: &str = "[issuer_key]\nfile = \"r1-key.pem\"\n\
    share_files = [\"shares-r1/share-1-of-3-alice-archer.txt\", \"shares-r1/share-3-of-3-carol-cole.txt\"]\n\
    [inputs]\nissuer = \"r1/root.pem\"\nrequest = \"request.txt\"\n";

struct Silence;

impl Dialogue for Silence {
    fn tell(&mut self, _line: &str) {}

    fn ask(&mut self, question: &str) -> Result<String> {
        anyhow::bail!("nobody answers {question}")
    }

    fn ask_secretly(&mut self, question: &str) -> Result<Zeroizing<String>> {
        anyhow::bail!("nobody answers {question}")
    }

    fn show_alone(&mut self, _text: &str, question: &str) -> Result<()> {
        anyhow::bail!("nobody answers {question}")
    }
}

struct Offline;

impl Clock for Offline {
    fn now(&self) -> i64 {
        NOW + 60
    }
}

/// A machine without a network, where the root's key is, and a server with an empty hierarchy folder, which trusts that root.
struct Story {
    offline: TempDir,
    online: TempDir,
    previous: Option<PathBuf>,
    clock: FakeClock,
}

impl Story {
    fn without_root() -> Self {
        Self {
            offline: tempfile::tempdir().unwrap(),
            online: tempfile::tempdir().unwrap(),
            previous: None,
            clock: FakeClock::new(Timestamp::from_unix(NOW)),
        }
    }

    fn new() -> Self {
        let mut story = Self::without_root();
        let folder = story.hold("r1", examples::find("root").unwrap(), ROOT, false);
        fs::copy(folder.join("root.pem"), story.online("root.pem")).unwrap();
        story
    }

    fn offline(&self, name: &str) -> PathBuf {
        self.offline.path().join(name)
    }

    fn online(&self, name: &str) -> PathBuf {
        self.online.path().join(name)
    }

    fn root(&self) -> Certificate {
        read_certificate(&self.online("root.pem"))
    }

    fn hold(&mut self, name: &str, text: &str, machine: &str, rehearsal: bool) -> PathBuf {
        let previous = match &self.previous {
            Some(folder) => format!("previous = {:?}", folder.join("record.json")),
            None => String::new(),
        };
        let machine = format!("output = {name:?}\n[record]\nkey = \"record-key.pem\"\n{previous}\n{machine}");
        let machine = Machine::parse(&machine).unwrap().relative_to(self.offline.path());
        let file = CeremonyFile::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let ceremony = Ceremony { text: text.as_bytes(), file: &file, machine: &machine, rehearsal };
        let mut world = World { dialogue: &mut Silence, clock: &Offline, random: &OfflineRandom::new() };
        let folder =
            run(Prepared::new(&ceremony).unwrap(), &mut world).unwrap_or_else(|error| panic!("{error:#}"));
        if !rehearsal {
            self.previous = Some(folder.clone());
        }
        folder
    }

    fn folder(&self) -> Folder {
        Folder::open(&self.online("hierarchy")).unwrap()
    }

    fn known(&self, folder: &Folder) -> Known {
        let issuer = config::Issuer { root: Some(self.online("root.pem")), ..config::Issuer::default() };
        Known::read(&issuer, folder).unwrap()
    }

    fn try_ask(&self, name: &str, asked: &Asked) -> Result<Signed<Request>> {
        self.try_ask_of(None, name, asked)
    }

    fn try_ask_of(&self, issuer: Option<&Path>, name: &str, asked: &Asked) -> Result<Signed<Request>> {
        let folder = self.folder();
        let out = self.online(&format!("{name}-request.txt"));
        let asking = Asking { name, issuer, asked, out: &out };
        let request = asking.write(&folder, &self.known(&folder), &self.clock, &SystemRandom)?;
        assert_eq!(fs::read_to_string(out).unwrap(), request.text());
        Ok(request)
    }

    fn ask(&self, name: &str, asked: &Asked) -> Signed<Request> {
        self.try_ask(name, asked).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The same after a request of this name was given up.
    fn ask_again(&self, name: &str, asked: &Asked) -> Signed<Request> {
        fs::remove_file(self.online(&format!("{name}-request.txt"))).unwrap();
        self.ask(name, asked)
    }

    /// The key that signs the records, and may be in wrong hands.
    fn record_key(&self) -> FileSigner {
        read_key_file(&self.offline("record-key.pem"), None).unwrap()
    }

    /// Carries the request to the other machine, and holds the ceremony of its draft, changed by `change`, in the folder `ceremony`.
    fn answer_as(
        &mut self,
        ceremony: &str,
        request: &Signed<Request>,
        rehearsal: bool,
        change: &dyn Fn(String) -> String,
    ) -> Vec<u8> {
        fs::write(self.offline("request.txt"), request.text()).unwrap();
        let text = change(draft(request));
        let machine = if text.contains("[replaces]") {
            format!("{ROOT_KEY}replaces = \"replaced.pem\"")
        } else {
            ROOT_KEY.to_owned()
        };
        let folder = self.hold(ceremony, &text, &machine, rehearsal);
        fs::read(folder.join("response.txt")).unwrap()
    }

    fn answer(&mut self, request: &Signed<Request>) -> Vec<u8> {
        let name = request.content().name.clone();
        self.answer_as(&name, request, false, &|text| text)
    }

    /// What `cairn ca install` does, with what the holders of the record key have said of it.
    fn install(&self, response: &[u8]) -> Result<String> {
        self.install_with(response, false)
    }

    fn install_with(&self, response: &[u8], accept_differences: bool) -> Result<String> {
        let record_key = fs::read_to_string(self.offline("r1/record-key.pub.pem")).unwrap();
        let record_key = Digest::of(PublicKey::from_pem(&record_key).unwrap().der()).to_string();
        self.install_on(response, &Terms { record_key: Some(&record_key), accept_differences })
    }

    fn install_on(&self, response: &[u8], terms: &Terms<'_>) -> Result<String> {
        let folder = self.folder();
        let installation = Installation::check(response, &folder, &self.known(&folder), terms, &self.clock)?;
        installation.put_in_place()?;
        installation.clean_up()?;
        Ok(installation.report())
    }

    /// Why a response is not installed; nothing has changed then.
    fn refusal(&self, response: &[u8]) -> String {
        let before = files(self.online.path());
        let error = self.install(response).unwrap_err();
        assert_eq!(files(self.online.path()), before);
        format!("{error:#}")
    }

    /// The issuer that is installed, as a server loads it.
    fn load(&self, name: &str) -> cairn_ca::Issuer {
        let folder = self.online("hierarchy/issuers").join(name);
        let key = read_key_file(&folder.join("key.pem"), Some(&folder.join("passphrase"))).unwrap();
        let certificate = fs::read_to_string(folder.join("certificate.pem")).unwrap();
        let now = Timestamp::from_unix(NOW);
        cairn_ca::Issuer::load(&certificate, &self.root().to_pem(), Box::new(key), now).unwrap()
    }
}

/// All files below a folder with what is in them.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn read_certificate(path: &Path) -> Certificate {
    Certificate::from_pem(&fs::read_to_string(path).unwrap()).unwrap()
}

fn intermediate(common_name: &str) -> Asked {
    Asked::Intermediate {
        subject: Name::new(common_name, Some("Example Corp")).unwrap(),
        key: KeySpec::P256,
        days: 1000,
        path_length: 0,
        purposes: vec![Purpose::ServerAuth],
        permitted: permitted(&["example.com".to_owned()], &[]).unwrap(),
        replaces: None,
    }
}

/// A response that the holder of `key` would write, changed from a real one.
fn forged(response: &[u8], key: &FileSigner, change: &dyn Fn(&mut Response)) -> Vec<u8> {
    let mut content = Signed::<Response>::read(response).unwrap().content().clone();
    change(&mut content);
    content.record_key = key.public_key().clone();
    Signed::new(content, key).unwrap().text().as_bytes().to_vec()
}

#[test]
fn an_intermediate_goes_the_whole_way_and_is_loaded() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    assert!(cairn_ceremony::qr::code(request.text()).is_some(), "{} bytes", request.text().len());
    let waiting = story.online("hierarchy/requests/i1");
    assert_eq!((mode(&waiting.join("key.pem")), mode(&waiting.join("passphrase"))), (0o600, 0o600));
    assert_eq!(mode(&story.online("hierarchy/requests/requester-key.pem")), 0o600);

    let response = story.answer(&request);
    let report = story.install(&response).unwrap();
    assert!(report.contains("CN=Example I1,O=Example Corp") && !report.contains("differs"), "{report}");
    story.load("i1");
    let folder = story.online("hierarchy/issuers/i1");
    assert_eq!((mode(&folder.join("key.pem")), mode(&folder.join("passphrase"))), (0o600, 0o600));
    let settings = fs::read_to_string(folder.join("issuer.toml")).unwrap();
    assert_eq!(settings, "key = \"key.pem\"\npassphrase_file = \"passphrase\"\nuse = \"when-needed\"\n");
    assert!(!waiting.exists());
    let all = files(&story.online("hierarchy"));
    let keys: Vec<_> = all.keys().filter(|path| path.ends_with("key.pem")).collect();
    assert_eq!(keys, [&folder.join("key.pem")]);

    // The next request is signed by the same key, and the record key is known by then.
    let next = story.ask("i2", &intermediate("Example I2"));
    assert_eq!(next.content().requester, request.content().requester);
    assert_ne!(next.content().nonce, request.content().nonce);
    let response = story.answer(&next);
    story.install_on(&response, &Terms::default()).unwrap();
    story.load("i2");
}

#[test]
fn the_root_of_cairn_init_answers_as_any_other() {
    let mut story = Story::without_root();
    let passphrase = "correct horse battery staple";
    fs::write(story.offline("passphrase"), passphrase).unwrap();
    fs::set_permissions(story.offline("passphrase"), fs::Permissions::from_mode(0o600)).unwrap();
    let spec = HierarchySpec::for_organization("Example Corp");
    let given = Some(Zeroizing::new(passphrase.to_owned()));
    let made = init(&spec, &story.online("ca"), given, &story.clock, &SystemRandom).unwrap();
    let paths = made.commit().unwrap();
    fs::rename(paths.offline, story.offline("root-offline")).unwrap();
    fs::copy(paths.root, story.online("root.pem")).unwrap();
    fs::copy(story.online("root.pem"), story.offline("root.pem")).unwrap();

    let request = story.ask("i2", &intermediate("Example Corp Intermediate CA 2"));
    fs::write(story.offline("request.txt"), request.text()).unwrap();
    let machine = "[issuer_key]\nfile = \"root-offline/root-key.pem\"\npassphrase_file = \"passphrase\"\n\
        [inputs]\nissuer = \"root.pem\"\nrequest = \"request.txt\"\n";
    let folder = story.hold("i2", &draft(&request), machine, false);
    let record_key = Digest::of(story.record_key().public_key().der()).to_string();
    let terms = Terms { record_key: Some(&record_key), accept_differences: false };
    story.install_on(&fs::read(folder.join("response.txt")).unwrap(), &terms).unwrap();
    story.load("i2");
}

#[test]
fn an_ocsp_responder_goes_the_whole_way() {
    let mut story = Story::new();
    let asked = Asked::OcspSigner {
        subject: Name::new("Example OCSP 1", None).unwrap(),
        key: KeySpec::P256,
        days: 90,
    };
    let request = story.ask("ocsp-1", &asked);
    let response = story.answer(&request);
    story.install(&response).unwrap();
    let folder = story.online("hierarchy/responders/ocsp-1");
    let key = read_key_file(&folder.join("key.pem"), Some(&folder.join("passphrase"))).unwrap();
    let certificate = read_certificate(&folder.join("certificate.pem"));
    assert_eq!(certificate.public_key(), key.public_key());
    certificate.verify_issued_by(&story.root()).unwrap();
    assert!(folder.join("responder.toml").exists());
}

#[test]
fn lists_follow_each_other_and_never_go_back() {
    let mut story = Story::new();
    let installed = |story: &Story| {
        let all = files(&story.online("hierarchy/crls"));
        assert_eq!(all.len(), 1, "{:?}", all.keys());
        Crl::from_pem(std::str::from_utf8(all.values().next().unwrap()).unwrap()).unwrap()
    };
    let early = story.ask("crl-early", &Asked::Crl(Vec::new()));
    let first = story.ask("crl-1", &Asked::Crl(Vec::new()));
    let first = story.answer(&first);
    story.install(&first).unwrap();
    assert_eq!(installed(&story).tbs().number_as_u64(), Some(1));
    fs::write(story.offline("replaced.pem"), installed(&story).to_pem()).unwrap();

    let revoke = vec![Revoke::new("5f3a", Some("superseded".to_owned())).unwrap()];
    let second = story.ask("crl-2", &Asked::Crl(revoke));
    assert!(second.text().contains("number 1, 0 entries"), "{}", second.text());
    let second = story.answer(&second);
    story.install(&second).unwrap();
    assert_eq!(installed(&story).tbs().entries().count(), 1);

    // An answer that was long on its way.
    let early = story.answer(&early);
    let refusal = story.refusal(&early);
    assert!(refusal.contains("number 1, and the installed one 2"), "{refusal}");
    // Greater, and without what was revoked.
    let third = story.ask("crl-3", &Asked::Crl(Vec::new()));
    let lost = story.answer_as("crl-3", &third, false, &|text| {
        text.split("\n[replaces]").next().unwrap().to_owned()
            + "\n[crl]\nnumber = 3\nthis_update = 2026-05-28\nnext_update = 2026-12-31\n"
    });
    let refusal = story.refusal(&lost);
    assert!(refusal.contains("lacks certificates that the installed one has revoked"), "{refusal}");
}

#[test]
fn a_revocation_that_was_asked_for_and_is_not_there_is_told() {
    let mut story = Story::new();
    let revoke = vec![Revoke::new("5f3a", None).unwrap()];
    let request = story.ask("crl-1", &Asked::Crl(revoke));
    let response =
        story.answer_as("crl-1", &request, false, &|text| text.replace("  { serial", "#  { serial"));
    let refusal = story.refusal(&response);
    assert!(refusal.contains("revoked: asked for 5f3a, given not revoked"), "{refusal}");
    let report = story.install_with(&response, true).unwrap();
    assert!(report.contains("given not revoked"), "{report}");
}

#[test]
fn a_response_is_installed_once() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    let response = story.answer(&request);
    story.install(&response).unwrap();
    let refusal = story.refusal(&response);
    assert!(refusal.contains("was answered before"), "{refusal}");
    // Also when what it brought is gone.
    fs::remove_dir_all(story.online("hierarchy/issuers/i1")).unwrap();
    assert!(story.refusal(&response).contains("was answered before"));
}

#[test]
fn what_answers_no_request_of_this_ca_is_refused() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    let response = story.answer(&request);
    pending::cancel(&story.folder(), "i1").unwrap();
    assert!(!story.online("hierarchy/requests/i1").exists());
    let refusal = story.refusal(&response);
    assert!(refusal.contains("answers no request that waits"), "{refusal}");
    assert!(pending::cancel(&story.folder(), "i1").unwrap_err().to_string().contains("no request i1"));

    // The same name again is another request.
    let again = story.ask_again("i1", &intermediate("Example I1"));
    assert!(story.refusal(&response).contains("answers no request that waits"));
    let record_key = story.record_key();
    let nonce = again.content().nonce;
    let other_file = forged(&response, &record_key, &|response| response.nonce = nonce);
    let refusal = story.refusal(&other_file);
    assert!(refusal.contains("answers another file"), "{refusal}");
    // With everything right but the key that is certified.
    let digest = again.digest();
    let other_key = forged(&response, &record_key, &|response| {
        response.nonce = nonce;
        response.request = digest;
    });
    let refusal = story.refusal(&other_key);
    assert!(refusal.contains("for another key than the one that was made"), "{refusal}");
}

#[test]
fn another_record_key_than_the_one_that_was_confirmed_is_refused() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    let response = story.answer(&request);
    // Nobody has confirmed it yet: what to ask, and of whom.
    let found = Digest::of(story.record_key().public_key().der());
    let error = story.install_on(&response, &Terms::default()).unwrap_err().to_string();
    assert!(
        error.contains(&cairn_ceremony::words::fingerprint(&found)) && error.contains("--record-key"),
        "{error}"
    );

    let stranger = FileSigner::generate(KeySpec::P256).unwrap();
    let forgery = forged(&response, &stranger, &|_| ());
    let refusal = story.refusal(&forgery);
    assert!(refusal.contains("than the one named by --record-key"), "{refusal}");

    let words = cairn_ceremony::words::fingerprint(&found);
    story.install_on(&response, &Terms { record_key: Some(&words), accept_differences: false }).unwrap();
    let request = story.ask("i2", &intermediate("Example I2"));
    let response = story.answer(&request);
    let forgery = forged(&response, &stranger, &|_| ());
    let strangers = Digest::of(stranger.public_key().der()).to_string();
    let terms = Terms { record_key: Some(&strangers), accept_differences: true };
    let error = story.install_on(&forgery, &terms).unwrap_err().to_string();
    assert!(
        error.contains("signed by another key") && error.contains("than the responses before"),
        "{error}"
    );
    story.install_on(&response, &Terms::default()).unwrap();
}

#[test]
fn a_rehearsals_response_is_refused() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    let response = story.answer_as("i1", &request, true, &|text| text);
    let refusal = story.refusal(&response);
    assert!(refusal.contains("rehearsal"), "{refusal}");
}

#[test]
fn what_is_wider_than_asked_needs_the_operators_word_and_what_is_less_is_shown() {
    let mut story = Story::new();
    for (name, from, to, told) in [
        ("wide-1", "path_length = 0", "path_length = 1", "path length: asked for 0, given 1"),
        ("wide-2", "[\"serverAuth\"]", "[\"serverAuth\", \"codeSigning\"]", "serverAuth, codeSigning"),
        (
            "wide-3",
            "dns = [\"example.com\"]",
            "dns = [\"com\"]",
            "permitted DNS names: asked for example.com, given com",
        ),
        (
            "wide-4",
            "name_constraints",
            "# name_constraints",
            "permitted DNS names: asked for example.com, given all",
        ),
        ("wide-5", "not_after = 2029", "not_after = 2030", "days: asked for 1000, given 1365"),
        ("wide-6", "common_name = \"Example", "common_name = \"Other", "CN=Other wide-6"),
    ] {
        let request = story.ask(name, &intermediate(&format!("Example {name}")));
        let response = story.answer_as(name, &request, false, &|text| {
            assert!(text.contains(from), "{from} is not in\n{text}");
            text.replace(from, to)
        });
        let refusal = story.refusal(&response);
        assert!(refusal.contains(told) && refusal.contains("--accept-differences"), "{name}: {refusal}");
        let report = story.install_with(&response, true).unwrap();
        assert!(report.contains(told), "{name}: {report}");
    }
    let request = story.ask("less", &intermediate("Example Less"));
    let response = story.answer_as("less", &request, false, &|text| {
        text.replace("dns = [\"example.com\"]", "dns = [\"a.example.com\"]")
            .replace("not_after = 2029", "not_after = 2028")
    });
    let report = story.install(&response).unwrap();
    assert!(report.contains("given a.example.com") && report.contains("given 634"), "{report}");
    story.load("less");
}

#[test]
fn a_name_that_is_taken_is_refused_early_and_late() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    let error = story.try_ask("i1", &intermediate("Example I1")).unwrap_err().to_string();
    assert!(error.contains("cairn ca cancel i1"), "{error}");
    let response = story.answer(&request);
    // Somebody has put another issuer there meanwhile.
    let other = story.online("hierarchy/issuers/i1");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("certificate.pem"), "another").unwrap();
    let refusal = story.refusal(&response);
    assert!(refusal.contains("exists already, and keys are never overwritten"), "{refusal}");
    let error = story.try_ask("i1", &intermediate("Example I1")).unwrap_err().to_string();
    assert!(error.contains("request"), "{error}");
    for name in ["answered", "record-keys", "configured", "../x", "A", ""] {
        story.try_ask(name, &intermediate("Example")).unwrap_err();
    }
    fs::write(story.online("i9-request.txt"), "mine").unwrap();
    let error = story.try_ask("i9", &intermediate("Example I9")).unwrap_err().to_string();
    assert!(error.contains("exists already"), "{error}");
    assert!(!story.online("hierarchy/requests/i9").exists());
}

#[test]
fn a_clock_that_is_wrong_is_told_before_anything_is_written() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    let response = story.answer(&request);
    story.clock = FakeClock::new(Timestamp::from_unix(NOW - 3 * DAY));
    let refusal = story.refusal(&response);
    assert!(
        refusal.contains("valid only from 2026-05-28T20:26:40Z") && refusal.contains("set the clock"),
        "{refusal}"
    );
    story.clock = FakeClock::new(Timestamp::from_unix(NOW + 1001 * DAY));
    let refusal = story.refusal(&response);
    assert!(refusal.contains("has ended"), "{refusal}");
    story.clock = FakeClock::new(Timestamp::from_unix(NOW));
    story.install(&response).unwrap();
}

#[test]
fn an_issuer_of_no_root_that_is_trusted_here_is_refused() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    let response = story.answer(&request);
    // The operator has put another root in its place.
    let other = story.hold(
        "r2",
        &examples::find("root").unwrap().replace("R1", "R2"),
        "[key]\nfile = \"r2-key.pem\"\n[shares]\nfolder = \"shares-r2\"",
        false,
    );
    fs::copy(other.join("root.pem"), story.online("root.pem")).unwrap();
    let refusal = story.refusal(&response);
    assert!(refusal.contains("is no root of this CA and leads to none"), "{refusal}");
    // As one more root, it is found in the hierarchy folder.
    let certificates = story.online("hierarchy/certificates");
    fs::create_dir_all(&certificates).unwrap();
    fs::copy(story.offline("r1/root.pem"), certificates.join("r1.pem")).unwrap();
    story.install(&response).unwrap();
    // Then it must be said which of them is asked.
    let error = story.try_ask("i2", &intermediate("Example I2")).unwrap_err().to_string();
    assert!(error.contains("--issuer"), "{error}");
    let request =
        story.try_ask_of(Some(&certificates.join("r1.pem")), "i2", &intermediate("Example I2")).unwrap();
    assert_eq!(
        request.content().issuer.sha256,
        Digest::of(read_certificate(&certificates.join("r1.pem")).der())
    );
}

#[test]
fn a_ca_between_the_root_and_the_issuer_comes_along() {
    let mut story = Story::new();
    let passphrase = story.offline("passphrase");
    fs::write(&passphrase, "correct horse battery staple\n").unwrap();
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    let example = examples::find("intermediate")
        .unwrap()
        .replace(&"0".repeat(64), &Digest::of(story.root().der()).to_string());
    let machine = |key: &str| {
        let machine = ROOT_KEY.replace("request = \"request.txt\"\n", "");
        format!("{machine}[key]\nfile = {key:?}\npassphrase_file = \"passphrase\"")
    };
    let policy = |story: &mut Story, name: &str, length: &str| {
        let text = example.replace("path_length = 0", length).replace("Intermediate I1", name);
        story.hold(name, &text, &machine(&format!("{name}-key.pem")), false).join("intermediate.pem")
    };
    let narrow = policy(&mut story, "p0", "path_length = 0");
    let error = story.try_ask_of(Some(&narrow), "i1", &intermediate("Example I1")).unwrap_err().to_string();
    assert!(error.contains("may have fewer CAs below it than the 1"), "{error}");

    let wide = policy(&mut story, "p1", "path_length = 1");
    let request = story.try_ask_of(Some(&wide), "i1", &intermediate("Example I1")).unwrap();
    fs::write(story.offline("request.txt"), request.text()).unwrap();
    let machine = "[issuer_key]\nfile = \"p1-key.pem\"\npassphrase_file = \"passphrase\"\n\
        [inputs]\nissuer = \"p1/intermediate.pem\"\nrequest = \"request.txt\"\n";
    let folder = story.hold("i1", &draft(&request), machine, false);
    story.install(&fs::read(folder.join("response.txt")).unwrap()).unwrap();
    let certificates: Vec<_> = files(&story.online("hierarchy/certificates")).into_keys().collect();
    assert_eq!(certificates.len(), 1, "{certificates:?}");
    let policy = read_certificate(&certificates[0]);
    read_certificate(&story.online("hierarchy/issuers/i1/certificate.pem"))
        .verify_issued_by(&policy)
        .unwrap();
    policy.verify_issued_by(&story.root()).unwrap();
}

#[test]
fn whoever_is_killed_while_installing_runs_it_again() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    let response = story.answer(&request);
    let record_key = Digest::of(story.record_key().public_key().der()).to_string();
    let terms = Terms { record_key: Some(&record_key), accept_differences: false };

    // Before the rename: the disk refuses to make the folder.
    let issuers = story.online("hierarchy/issuers");
    fs::write(&issuers, "in the way").unwrap();
    story.install_on(&response, &terms).unwrap_err();
    assert!(story.online("hierarchy/requests/i1/key.pem").exists());
    fs::remove_file(&issuers).unwrap();

    // After it, with nothing cleaned up.
    {
        let folder = story.folder();
        let installation =
            Installation::check(&response, &folder, &story.known(&folder), &terms, &story.clock).unwrap();
        installation.put_in_place().unwrap();
    }
    story.load("i1");
    let in_place = files(&story.online("hierarchy/issuers"));
    assert!(story.online("hierarchy/requests/i1/key.pem").exists());
    // Then with a part of it cleaned up.
    fs::remove_file(story.online("hierarchy/requests/i1/key.pem")).unwrap();
    story.install_on(&response, &Terms::default()).unwrap();
    assert_eq!(files(&story.online("hierarchy/issuers")), in_place);
    assert!(!story.online("hierarchy/requests/i1").exists());
    assert!(story.refusal(&response).contains("was answered before"));
}

#[test]
fn a_list_that_was_put_in_place_by_a_run_that_was_killed_is_finished() {
    let mut story = Story::new();
    let request = story.ask("crl-1", &Asked::Crl(Vec::new()));
    let response = story.answer(&request);
    let record_key = Digest::of(story.record_key().public_key().der()).to_string();
    let terms = Terms { record_key: Some(&record_key), accept_differences: false };
    {
        let folder = story.folder();
        let installation =
            Installation::check(&response, &folder, &story.known(&folder), &terms, &story.clock).unwrap();
        installation.put_in_place().unwrap();
    }
    story.install_on(&response, &Terms::default()).unwrap();
    assert!(!story.online("hierarchy/requests/crl-1").exists());
}

#[test]
fn two_at_once_do_not_mix() {
    let story = Story::new();
    let _working = story.folder();
    let error = Folder::open(&story.online("hierarchy")).unwrap_err().to_string();
    assert!(error.contains("another `cairn ca` is at work"), "{error}");
}

#[test]
fn damaged_files_are_refused_with_what_to_do() {
    let mut story = Story::new();
    let request = story.ask("i1", &intermediate("Example I1"));
    let response = story.answer(&request);
    assert!(story.refusal(&response[..response.len() - 1]).contains("fetch it again"));
    let mut changed = response.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    story.refusal(&changed);
    // The key of the request is gone, or another one.
    let key = story.online("hierarchy/requests/i1/key.pem");
    let kept = fs::read(&key).unwrap();
    fs::write(&key, FileSigner::generate(KeySpec::P256).unwrap().to_pkcs8_pem(None).unwrap().as_bytes())
        .unwrap();
    story.refusal(&response);
    fs::remove_file(&key).unwrap();
    story.refusal(&response);
    fs::write(&key, kept).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    story.install(&response).unwrap();
}

#[test]
fn a_certificate_in_place_of_a_list_is_refused() {
    let mut story = Story::new();
    let list = story.ask("crl-1", &Asked::Crl(Vec::new()));
    let request = story.ask("i1", &intermediate("Example I1"));
    let response = story.answer(&request);
    let forgery = forged(&response, &story.record_key(), &|response| {
        response.nonce = list.content().nonce;
        response.request = list.digest();
    });
    assert!(story.refusal(&forgery).contains("a CRL was asked for, and something else is in it"));
    let Issued::Intermediate(_) = Signed::<Response>::read(&response).unwrap().content().issued else {
        panic!("an intermediate was asked for")
    };
}

//! Holds a ceremony: from the file that was confirmed to a folder that appears when all is done.
//!
//! Whatever comes between (a killed process, a full disk, a wrong passphrase), there is no such folder, and the ceremony can be started
//! again. Files outside of it (a new key, shares, the records' key) take their places together with it ([`together`]).

mod places;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use aws_lc_rs::rand::SecureRandom;
use cairn_x509::{Certificate, FileSigner, KeyKind, KeySpec as Algorithm, Pkcs11Signer, PublicKey, Signer};

use crate::bundle::{Issued, Response, Signed};
use crate::clock::Clock;
use crate::file::{CeremonyFile, Digest, KeyChoice, KeySpec, Store, Utc};
use crate::folder::{PRIVATE, PUBLIC, Staging, refuse_to_overwrite, together};
use crate::inputs::Inputs;
use crate::key_file::{open_key_file, read_passphrase_file};
use crate::keys::{self, NewKey, OpenKey, ShareFile};
use crate::machine::{KeyPlace, Machine};
use crate::make::{self, CRL_DER_FILE, CRL_FILE, Keys, REQUEST_FILE, SERIAL};
use crate::plan::{Plan, Product, plan};
use crate::record::{self, FileEntry, KeyEntry, ModuleEntry, Program, Record, Step};
use crate::rehearsal;
use crate::terminal::Dialogue;
use crate::times;
use crate::words;

use self::places::Places;

/// The reviewed file's copy in a ceremony's folder.
pub const CEREMONY_FILE: &str = "ceremony.toml";
/// A new key that has no other place.
pub const NEW_KEY_FILE: &str = "key.pem";
/// Where the keys of rehearsals are kept.
const NOWHERE: &str = "nothing: a throw-away key";
/// The public part of the ceremony's key.
pub const PUBLIC_KEY_FILE: &str = "key.pub.pem";

/// The answer to a request, for the CA that asks.
pub const RESPONSE_FILE: &str = "response.txt";

/// A ceremony that can be held.
pub struct Ceremony<'a> {
    /// The reviewed file's bytes.
    pub text: &'a [u8],
    /// The reviewed file.
    pub file: &'a CeremonyFile,
    /// Where things lie.
    pub machine: &'a Machine,
    /// Whether with throw-away keys.
    pub rehearsal: bool,
}

/// Whom a ceremony asks.
pub struct World<'a> {
    /// The people.
    pub dialogue: &'a mut dyn Dialogue,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Chance.
    pub random: &'a dyn SecureRandom,
}

/// A ceremony of which is worked out what it makes, from files that are read once: what is shown is what is held.
pub struct Prepared<'a> {
    pub(crate) ceremony: &'a Ceremony<'a>,
    /// The reviewed file; in a rehearsal with marked names.
    pub(crate) file: CeremonyFile,
    /// In a rehearsal, certificates whose keys are at hand.
    pub(crate) inputs: Inputs,
    pub(crate) plan: Plan,
    /// What kind of key it is that exists, where a file tells it.
    pub(crate) existing_kind: Option<KeyKind>,
    /// In a rehearsal, the issuer's key.
    stand_in: Option<FileSigner>,
}

/// In plans and rehearsals, the kind of a key that exists if nothing tells it.
pub(crate) const UNKNOWN_KIND: KeyKind = KeyKind::P256;

impl<'a> Prepared<'a> {
    /// Reads what the ceremony starts from, and works out what it makes. Touches no key.
    ///
    /// # Errors
    /// If a file is missing or another one, or what does not go together in the ceremony file.
    pub fn new(ceremony: &'a Ceremony<'a>) -> Result<Self> {
        let mut file = ceremony.file.clone();
        let (mut inputs, mut stand_in) = (Inputs::read(&file, &ceremony.machine.inputs)?, None);
        let existing_kind = match file.key.as_ref().map(KeySpec::choice).transpose()? {
            Some(KeyChoice::Existing(digest)) => inputs.kind_of_key(digest),
            _ => None,
        };
        if ceremony.rehearsal {
            file = rehearsal::marked(&file);
            (inputs, stand_in) = rehearsal::stand_ins(inputs)?;
        }
        let plan = plan(&file, &inputs)?;
        Ok(Self { ceremony, file, inputs, plan, existing_kind, stand_in })
    }

    /// What people should know before they confirm it, on a machine whose clock says `now`.
    #[must_use]
    pub fn remarks(&self, now: i64) -> Vec<String> {
        times::remarks(now, &self.plan)
    }
}

/// Holds a ceremony, and returns its folder. That the file is the reviewed one was confirmed before. One that was killed when all was made is
/// not held again, but finished.
///
/// # Errors
/// If anything goes wrong; then nothing was made.
pub fn run(prepared: Prepared<'_>, world: &mut World<'_>) -> Result<PathBuf> {
    let places = Places::of(prepared.ceremony);
    match places.finish(prepared.ceremony, world.dialogue)? {
        Some(folder) => Ok(folder),
        None => Held::begin(prepared, places, world)?.hold(world),
    }
}

/// A ceremony while it is held.
struct Held<'a> {
    ceremony: &'a Ceremony<'a>,
    file: CeremonyFile,
    inputs: Inputs,
    plan: Plan,
    places: Places,
    staging: Staging,
    /// Who types.
    operator: String,
    began: i64,
    steps: Vec<Step>,
    keys: Vec<KeyEntry>,
    outputs: Vec<FileEntry>,
    /// Files that take their places at the end.
    later: Vec<(PathBuf, Vec<u8>)>,
    shares: Option<Staging>,
    existing_kind: Option<KeyKind>,
    stand_in: Option<FileSigner>,
    /// What goes into the response.
    issued: Option<Issued>,
}

impl<'a> Held<'a> {
    fn begin(prepared: Prepared<'a>, places: Places, world: &World<'_>) -> Result<Self> {
        let Prepared { ceremony, file, inputs, plan, existing_kind, stand_in } = prepared;
        times::check_issuer(world.clock.now(), &inputs)?;
        let staging = Staging::new(&places.output)?;
        let shares = match (&file.key.as_ref().and_then(|key| key.shares.as_ref()), &places.shares) {
            (Some(_), Some(folder)) => Some(Staging::new(folder)?),
            (None, Some(_)) => {
                bail!("[shares] in the machine file: the ceremony file splits nothing; take it out")
            }
            (_, None) => None,
        };
        let operator = file.operator().unwrap_or_default().to_owned();
        Ok(Self {
            ceremony,
            file,
            inputs,
            plan,
            places,
            staging,
            operator,
            began: world.clock.now(),
            steps: Vec::new(),
            keys: Vec::new(),
            outputs: Vec::new(),
            later: Vec::new(),
            shares,
            existing_kind,
            stand_in,
            issued: None,
        })
    }

    fn hold(mut self, world: &mut World<'_>) -> Result<PathBuf> {
        self.step(world, format!("confirmed the ceremony file, SHA-256 {}", Digest::of(self.ceremony.text)));
        self.staging.write(CEREMONY_FILE, self.ceremony.text, PUBLIC)?;
        for input in &self.inputs.files {
            self.staging.write(&input.name, &input.contents, PUBLIC)?;
        }
        let record = self.record_key(world)?;
        let issuer_key = self.issuer_key(world)?;
        let own = self.own_key(world)?;
        let is_new = matches!(self.plan.key, Some(KeyChoice::New(_)));
        let journal = self.places.journal.clone();
        let outcome = self.make(world, &record, issuer_key.as_ref(), own.as_ref());
        match (outcome, own) {
            // With a journal all is made, and the same command again puts it in its place.
            (Err(error), Some(OpenKey::Module(key))) if is_new && !together::is_begun(&journal) => {
                Err(forget(*key, error))
            }
            (outcome, _) => outcome,
        }
    }

    /// Makes what is planned.
    fn make(
        mut self,
        world: &mut World<'_>,
        record: &(FileSigner, Option<Vec<u8>>),
        issuer_key: Option<&OpenKey>,
        own: Option<&OpenKey>,
    ) -> Result<PathBuf> {
        let elsewhere = self.inputs.public_key.clone();
        let keys = Keys::new(own.map(OpenKey::signer), elsewhere.as_ref(), issuer_key.map(OpenKey::signer));
        if let Some(key) = keys.key {
            self.output(
                PUBLIC_KEY_FILE,
                "public key",
                key.public().to_pem().as_bytes(),
                Some(key.public().der()),
            )?;
        }

        let mut made: Vec<Certificate> = Vec::new();
        for product in self.plan.products.clone() {
            match product {
                Product::Certificate(plan) => {
                    let certificate = make::certificate(&plan, &serial(world.random)?, keys, &made)?;
                    let pem = certificate.to_pem();
                    self.output(plan.file, plan.form.what(), pem.as_bytes(), Some(certificate.der()))?;
                    let subject = certificate.subject();
                    self.step(world, format!("signed {}, {subject}, after its lints passed", plan.file));
                    self.issued = plan.form.issued(&certificate);
                    made.push(certificate);
                }
                Product::Crl(plan) => {
                    let crl = make::crl(&plan, keys)?;
                    self.output(CRL_FILE, "CRL", crl.to_pem().as_bytes(), Some(crl.der()))?;
                    self.output(CRL_DER_FILE, "CRL, as clients fetch it", crl.der(), None)?;
                    let (number, count) = (plan.number, plan.entries.len());
                    self.step(
                        world,
                        format!("signed CRL {number} with {count} entries, after its lints passed"),
                    );
                    self.issued = Some(Issued::Crl(crl));
                }
                Product::Request(plan) => {
                    let request = make::request(&plan, keys)?;
                    self.output(REQUEST_FILE, "request", request.to_pem().as_bytes(), Some(request.der()))?;
                    self.step(world, format!("signed the request for {}", plan.subject));
                }
            }
        }
        self.finish(world, record)
    }

    /// The key of the records, and the bytes of the record before this one.
    fn record_key(&mut self, world: &mut World<'_>) -> Result<(FileSigner, Option<Vec<u8>>)> {
        let place = &self.ceremony.machine.record;
        if self.ceremony.rehearsal {
            return Ok((FileSigner::generate(Algorithm::P256)?, None));
        }
        let passphrase = || match &place.passphrase_file {
            Some(path) => read_passphrase_file(path),
            None => {
                bail!("the records' key is encrypted; name passphrase_file in [record] of the machine file")
            }
        };
        if let Some(previous) = &place.previous {
            let key = open_key_file(&place.key, passphrase)?;
            let (json, record) = read_record(previous, key.public_key())?;
            times::check_order(world.clock.now(), &record)?;
            return Ok((key, Some(json)));
        }
        ensure!(
            !place.key.exists(),
            "{} exists already, so this is not the first ceremony of this root; name the record before this one as previous in \
             [record] of the machine file",
            place.key.display()
        );
        let key = FileSigner::generate(Algorithm::P256)?;
        let passphrase = place.passphrase_file.as_ref().map(|path| read_passphrase_file(path)).transpose()?;
        let pem = key.to_pkcs8_pem(passphrase.as_ref().map(|passphrase| passphrase.as_bytes()))?;
        self.later.push((place.key.clone(), pem.as_bytes().to_vec()));
        self.step(world, "made the key that signs the records of this root".to_owned());
        Ok((key, None))
    }

    fn issuer_key(&mut self, world: &mut World<'_>) -> Result<Option<OpenKey>> {
        if !self.plan.needs_issuer_key {
            return Ok(None);
        }
        let certificate = self.inputs.signing_certificate().context("there is no issuer")?.clone();
        let (key, kept) = match self.stand_in.take() {
            Some(signer) => (OpenKey::File(Box::new(signer)), NOWHERE.to_owned()),
            None => {
                let place = self.ceremony.machine.issuer_key.as_ref();
                let place =
                    place.context("the issuer's key is needed; add [issuer_key] to the machine file")?;
                let key = keys::open(place, "issuer_key", Some(certificate.public_key()), world.dialogue)?;
                (key, kept(place))
            }
        };
        ensure!(
            key.signer().public_key() == certificate.public_key(),
            "the issuer's key is not that of its certificate, {}; name the key that belongs to it in [issuer_key]",
            certificate.subject()
        );
        let key = key.signing(self.plan.signatures.issuer)?;
        self.key_entry("issuer_key", &key, false, kept);
        self.step(world, format!("opened the issuer's key, of {}", certificate.subject()));
        Ok(Some(key))
    }

    /// The key that is certified, if it is here.
    fn own_key(&mut self, world: &mut World<'_>) -> Result<Option<OpenKey>> {
        let default = KeyPlace::default();
        let place = self.ceremony.machine.key.as_ref().unwrap_or(&default);
        let store = self.file.key.as_ref().map(|key| key.store).unwrap_or_default();
        match self.plan.key {
            None => Ok(None),
            Some(KeyChoice::New(algorithm)) if store == Store::Pkcs11 => {
                self.new_key_in_module(algorithm, place, world).map(Some)
            }
            Some(KeyChoice::New(algorithm)) => {
                ensure!(
                    place.pkcs11.is_none(),
                    "the ceremony file keeps the new key in a file; take [key.pkcs11] out of the machine file, or have another file \
                     reviewed that says store = \"pkcs11\""
                );
                let signer = self.new_key(algorithm, place, world)?;
                OpenKey::File(Box::new(signer)).signing(self.plan.signatures.key).map(Some)
            }
            Some(KeyChoice::Existing(_)) if self.ceremony.rehearsal => {
                let signer = make::throwaway(self.existing_kind.unwrap_or(UNKNOWN_KIND))?;
                let key = OpenKey::File(Box::new(signer)).signing(self.plan.signatures.key)?;
                self.existing_key(key, NOWHERE.to_owned(), world).map(Some)
            }
            Some(KeyChoice::Existing(digest)) => {
                let key = keys::open(place, "key", None, world.dialogue)?;
                let found = Digest::of(key.signer().public_key().der());
                ensure!(
                    found == digest,
                    "the key is another one than the ceremony file names: its public key's SHA-256 is {found}, and {digest} is expected"
                );
                let key = key.signing(self.plan.signatures.key)?;
                self.step(world, "opened the key".to_owned());
                self.existing_key(key, kept(place), world).map(Some)
            }
            Some(KeyChoice::Request(_) | KeyChoice::PublicKey(_)) => {
                let public = self.inputs.public_key.clone().context("there is no public key")?;
                self.public_entry("key", &public, false, "its owner's place".to_owned(), None);
                Ok(None)
            }
        }
    }

    /// A key that was opened; where its passphrase is to be split, it is encrypted anew, with another one, in the ceremony's folder.
    fn existing_key(&mut self, key: OpenKey, kept: String, world: &mut World<'_>) -> Result<OpenKey> {
        let Some(holders) = self.file.key.as_ref().and_then(|key| key.shares.clone()) else {
            self.key_entry("key", &key, false, kept);
            return Ok(key);
        };
        let OpenKey::File(signer) = key else {
            bail!("the key is in a module, and has no passphrase that could be split");
        };
        let NewKey { signer, pem, shares } = keys::share(*signer, &self.file.title, &holders, world.random)?;
        self.staging.write(NEW_KEY_FILE, pem.as_bytes(), PRIVATE)?;
        let key = OpenKey::File(Box::new(signer));
        self.key_entry("key", &key, false, format!("{NEW_KEY_FILE}, encrypted anew; before, {kept}"));
        self.step(world, format!("encrypted the key anew, in {NEW_KEY_FILE}"));
        self.give_shares(&shares, world)?;
        Ok(key)
    }

    /// A new key that never leaves its module; in a rehearsal a throw-away one, which touches none.
    fn new_key_in_module(
        &mut self,
        algorithm: Algorithm,
        place: &KeyPlace,
        world: &mut World<'_>,
    ) -> Result<OpenKey> {
        if self.ceremony.rehearsal {
            let signer = FileSigner::generate(algorithm)?;
            let key = OpenKey::File(Box::new(signer)).signing(self.plan.signatures.key)?;
            self.key_entry("key", &key, true, NOWHERE.to_owned());
            self.step(world, format!("made a throw-away key, {}", key.signer().public_key().kind()));
            return Ok(key);
        }
        let mut key = keys::generate_in_module(algorithm, place, world.dialogue)?;
        if let Some(algorithm) = self.plan.signatures.key
            && let Err(error) = key.use_algorithm(algorithm)
        {
            return Err(forget(key, error.into()));
        }
        let key = OpenKey::Module(Box::new(key));
        self.key_entry("key", &key, true, kept(place));
        self.step(world, format!("made the key in its module, {}", key.signer().public_key().kind()));
        Ok(key)
    }

    fn new_key(
        &mut self,
        algorithm: Algorithm,
        place: &KeyPlace,
        world: &mut World<'_>,
    ) -> Result<FileSigner> {
        let shares = self.file.key.as_ref().and_then(|key| key.shares.clone());
        let made = keys::generate(
            algorithm,
            &self.file.title,
            shares.as_ref(),
            place,
            world.dialogue,
            world.random,
        )?;
        let NewKey { signer, pem, shares } = made;
        let kept = match &place.file {
            // A rehearsal's key has no business where the real one shall be.
            Some(path) if !self.ceremony.rehearsal => {
                refuse_to_overwrite(path)?;
                self.later.push((path.clone(), pem.as_bytes().to_vec()));
                path.display().to_string()
            }
            _ => {
                self.staging.write(NEW_KEY_FILE, pem.as_bytes(), PRIVATE)?;
                NEW_KEY_FILE.to_owned()
            }
        };
        self.public_entry("key", signer.public_key(), true, format!("{kept}, encrypted"), None);
        self.step(world, format!("made the key, {}", signer.public_key().kind()));
        self.give_shares(&shares, world)?;
        Ok(signer)
    }

    /// Gives each holder theirs: into a folder, or to read and write down alone.
    fn give_shares(&mut self, shares: &[ShareFile], world: &mut World<'_>) -> Result<()> {
        for share in shares {
            match &self.shares {
                Some(folder) => folder.write(&share.name, share.text().as_bytes(), PRIVATE)?,
                None => {
                    let question = format!("{}, press Enter when you have written it down:", share.holder);
                    world.dialogue.ask(&format!(
                        "a share for {} alone follows; press Enter when nobody else looks:",
                        share.holder
                    ))?;
                    world.dialogue.show_alone(share.text(), &question)?;
                }
            }
            self.step(world, format!("gave {} a share of the key's passphrase", share.holder));
        }
        Ok(())
    }

    /// Writes the record, and makes everything appear.
    fn finish(
        mut self,
        world: &World<'_>,
        (key, previous): &(FileSigner, Option<Vec<u8>>),
    ) -> Result<PathBuf> {
        let number = match previous {
            Some(json) => Record::from_json(json)?.number + 1,
            None => 1,
        };
        let record = Record {
            format: Record::format(),
            rehearsal: self.ceremony.rehearsal,
            number,
            previous: previous.as_ref().map(|json| Digest::of(json).to_string()),
            record_key: Digest::of(key.public_key().der()).to_string(),
            kind: self.file.kind.to_string(),
            title: self.file.title.clone(),
            ceremony_file: Digest::of(self.ceremony.text).to_string(),
            program: program(),
            people: self.file.people.iter().map(Into::into).collect(),
            began: Utc(self.began).to_string(),
            ended: Utc(world.clock.now()).to_string(),
            steps: std::mem::take(&mut self.steps),
            inputs: self.inputs.files.iter().map(input_entry).collect(),
            keys: std::mem::take(&mut self.keys),
            outputs: std::mem::take(&mut self.outputs),
        };
        let json = record.to_json()?;
        self.staging.write(record::JSON_FILE, &json, PUBLIC)?;
        self.staging.write(record::SIGNATURE_FILE, &record::sign(&json, key)?, PUBLIC)?;
        self.staging.write(record::MARKDOWN_FILE, record.to_markdown().as_bytes(), PUBLIC)?;
        self.staging.write(record::KEY_FILE, key.public_key().to_pem().as_bytes(), PUBLIC)?;
        if let Some(request) = &self.inputs.bundle {
            // Not among the record's outputs: it names the record.
            let issued = self.issued.take().context("there is nothing to answer with")?;
            let issuer = self.inputs.signing_certificate().context("there is no issuer")?;
            let response = Response::new(request, issued, issuer, (&record, &json), key.public_key())?;
            let response = Signed::new(response, key).context("the response cannot be written")?;
            self.staging.write(RESPONSE_FILE, response.text().as_bytes(), PUBLIC)?;
        }
        let folders = self.shares.into_iter().chain([self.staging]).collect();
        together::commit(&self.places.journal, &self.later, folders)?;
        Ok(self.places.output)
    }

    fn output(&mut self, name: &str, what: &str, contents: &[u8], der: Option<&[u8]>) -> Result<()> {
        self.staging.write(name, contents, PUBLIC)?;
        self.outputs.push(FileEntry {
            file: name.to_owned(),
            what: what.to_owned(),
            sha256: Digest::of(contents).to_string(),
            der_sha256: der.map(|der| Digest::of(der).to_string()),
        });
        Ok(())
    }

    fn step(&mut self, world: &World<'_>, what: String) {
        self.steps.push(Step { at: Utc(world.clock.now()).to_string(), by: self.operator.clone(), what });
    }

    fn key_entry(&mut self, name: &str, key: &OpenKey, made: bool, kept: String) {
        self.public_entry(name, key.signer().public_key(), made, kept, key.facts().map(Into::into));
    }

    fn public_entry(
        &mut self,
        name: &str,
        key: &PublicKey,
        made: bool,
        kept: String,
        module: Option<ModuleEntry>,
    ) {
        let digest = Digest::of(key.der());
        self.keys.push(KeyEntry {
            name: name.to_owned(),
            algorithm: key.kind().to_string(),
            made,
            kept,
            module,
            sha256: digest.to_string(),
            words: words::fingerprint(&digest),
        });
    }
}

/// Reads a record and proves its signature, which lies beside it.
///
/// # Errors
/// If it is none, or not signed by `key`.
pub fn read_record(path: &Path, key: &PublicKey) -> Result<(Vec<u8>, Record)> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let json = read(path)?;
    let signature = read(&path.with_file_name(record::SIGNATURE_FILE))?;
    let record =
        record::verify(&json, &signature, key).map_err(|error| anyhow!("{} {error}", path.display()))?;
    Ok((json, record))
}

/// A positive serial number in its shortest form.
fn serial(random: &dyn SecureRandom) -> Result<[u8; SERIAL]> {
    let mut serial = [0; SERIAL];
    random.fill(&mut serial).ok().context("the system gives no random numbers")?;
    // The first octet from 0x40 to 0x7f: neither negative nor a zero too many.
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x3f | 0x40;
    }
    Ok(serial)
}

fn kept(place: &KeyPlace) -> String {
    match (&place.file, &place.pkcs11) {
        (_, Some(pkcs11)) => format!("the token {}", pkcs11.token),
        (Some(path), None) => path.display().to_string(),
        (None, None) => String::new(),
    }
}

/// Destroys a key that was made in a module by a ceremony that failed.
fn forget(key: Pkcs11Signer, error: anyhow::Error) -> anyhow::Error {
    let label = key.facts().label.clone();
    match key.destroy() {
        Ok(()) => error,
        Err(left) => error.context(format!(
            "the new key {label} is left in its token, where nobody needs it: {left}. Destroy it before the ceremony is held again"
        )),
    }
}

fn input_entry(input: &crate::inputs::InputFile) -> FileEntry {
    FileEntry {
        file: input.name.clone(),
        what: input.what.to_owned(),
        sha256: Digest::of(&input.contents).to_string(),
        der_sha256: Some(input.digest.to_string()),
    }
}

fn program() -> Program {
    let read = || std::fs::read(std::env::current_exe().ok()?).ok();
    Program {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sha256: read().map(|bytes| Digest::of(&bytes).to_string()),
    }
}

//! Keys, and what opens them.

use super::*;
use aws_lc_rs::rand::SystemRandom;
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Answers in turn, and remembers what it was told.
#[derive(Default)]
struct Answers {
    answers: VecDeque<String>,
    told: Vec<String>,
}

impl Answers {
    fn new(answers: &[&str]) -> Self {
        Self { answers: answers.iter().map(|answer| (*answer).to_owned()).collect(), told: Vec::new() }
    }
}

impl Dialogue for Answers {
    fn tell(&mut self, line: &str) {
        self.told.push(line.to_owned());
    }

    fn ask(&mut self, question: &str) -> Result<String> {
        self.answers.pop_front().with_context(|| format!("nobody answers {question}"))
    }

    fn ask_secretly(&mut self, question: &str) -> Result<Zeroizing<String>> {
        self.ask(question).map(Zeroizing::new)
    }

    fn show_alone(&mut self, text: &str, question: &str) -> Result<()> {
        self.tell(text);
        self.ask(question).map(|_| ())
    }
}

fn holders(needed: u8, names: &[&str]) -> Shares {
    Shares { needed, holders: names.iter().map(|name| (*name).to_owned()).collect() }
}

fn make(shares: Option<&Shares>, place: &KeyPlace, answers: &[&str]) -> Result<NewKey> {
    generate(Algorithm::P256, "Example Root", shares, place, &mut Answers::new(answers), &SystemRandom::new())
}

fn private_file(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_key_that_was_split_opens_with_the_files_of_its_shares_and_with_typed_ones() {
    let folder = tempfile::tempdir().unwrap();
    let made = make(Some(&holders(2, &["Alice Archer", "Bob", "Carol"])), &KeyPlace::default(), &[]).unwrap();
    let key = folder.path().join("key.pem");
    fs::write(&key, made.pem.as_bytes()).unwrap();
    let names: Vec<_> = made.shares.iter().map(|share| share.name.as_str()).collect();
    assert_eq!(names, ["share-1-of-3-alice-archer.txt", "share-2-of-3-bob.txt", "share-3-of-3-carol.txt"]);
    for share in &made.shares {
        private_file(&folder.path().join(&share.name), share.text());
    }

    let share_files = vec![folder.path().join(names[2]), folder.path().join(names[0])];
    let place = KeyPlace { file: Some(key.clone()), share_files, ..KeyPlace::default() };
    let opened = open(&place, "key", None, &mut Answers::default()).unwrap();
    assert_eq!(opened.signer().public_key(), made.signer.public_key());

    // Carol mistypes a word once.
    let carol = made.shares[2].words();
    let mut typo: Vec<&str> = carol.split(' ').collect();
    typo[4] = "carol";
    let mut answers = Answers::new(&[made.shares[1].words(), &typo.join(" "), carol]);
    let place = KeyPlace { file: Some(key), ask_for_shares: true, ..KeyPlace::default() };
    let opened = open(&place, "key", None, &mut answers).unwrap();
    assert_eq!(opened.signer().public_key(), made.signer.public_key());
    assert!(answers.told.iter().any(|line| line.contains("word 5 is none")), "{:?}", answers.told);
}

#[test]
fn share_files_that_others_can_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("share.txt");
    fs::write(&path, "academic").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(read_share(&path).unwrap_err().to_string().contains("chmod 600"));
}

#[test]
fn a_passphrase_is_typed_twice_and_long() {
    let place = KeyPlace::default();
    let made = make(None, &place, &["correct horse battery", "correct horse battery"]).unwrap();
    FileSigner::from_pem(&made.pem, Some(b"correct horse battery")).unwrap();
    assert!(made.shares.is_empty());
    let refusal = |answers: &[&str]| make(None, &place, answers).err().unwrap().to_string();
    assert!(refusal(&["correct horse battery", "correct horse"]).contains("differ"));
    assert!(refusal(&["short", "short"]).contains("too short"));
}

#[test]
fn words_are_found_in_a_share_file_and_in_a_bare_line() {
    let made = make(Some(&holders(2, &["A", "B"])), &KeyPlace::default(), &[]).unwrap();
    let share = &made.shares[0];
    assert_eq!(*words_of(share.text()), share.words());
    assert_eq!(*words_of(share.words()), share.words());
    assert_eq!(*words_of(&share.words().replace(' ', "\n")), share.words());
    assert!(share.text().contains("Share 1 of 2, for A. Any 2 of them open the key."));
}

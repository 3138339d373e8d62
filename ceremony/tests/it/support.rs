//! A room for ceremonies: folders, a clock, and people who answer.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};
use aws_lc_rs::rand::SystemRandom;
use cairn_ceremony::clock::Clock;
use cairn_ceremony::examples;
use cairn_ceremony::file::{CeremonyFile, Digest};
use cairn_ceremony::machine::Machine;
use cairn_ceremony::run::{Ceremony, Prepared, World, run};
use cairn_ceremony::show::show;
use cairn_ceremony::terminal::Dialogue;
use cairn_x509::Certificate;
use tempfile::TempDir;
use zeroize::Zeroizing;

/// What stands in the examples for a file's SHA-256.
const PLACEHOLDER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// In May 2026: within what the examples make.
const BEGINNING: i64 = 1_780_000_000;

/// A folder in which ceremonies are held one after the other, of one root.
pub(crate) struct Room {
    folder: Rc<TempDir>,
    /// The folder of the ceremony before.
    previous: Option<PathBuf>,
    clock: Ticking,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self::in_folder(Rc::new(tempfile::tempdir().unwrap()))
    }

    /// The same folder, in which no ceremony was held yet.
    pub(crate) fn in_folder_of(other: &Self) -> Self {
        Self::in_folder(Rc::clone(&other.folder))
    }

    fn in_folder(folder: Rc<TempDir>) -> Self {
        Self { folder, previous: None, clock: Ticking(Cell::new(BEGINNING)) }
    }

    /// Sets the clock, in seconds since 1970.
    pub(crate) fn set_clock(&self, now: i64) {
        self.clock.0.set(now);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Holds the ceremony of `text` in the folder `name`, with more of a machine file.
    pub(crate) fn hold(&mut self, name: &str, text: &str, machine: &str) -> Result<PathBuf> {
        let folder = self.try_hold(name, text, machine, false, &mut Answers::default())?;
        self.previous = Some(folder.clone());
        Ok(folder)
    }

    /// Has the next ceremony follow the one in this folder.
    pub(crate) fn follow(&mut self, folder: &Path) {
        self.previous = Some(folder.to_owned());
    }

    pub(crate) fn rehearse(&self, name: &str, text: &str, machine: &str) -> Result<PathBuf> {
        self.try_hold(name, text, machine, true, &mut Answers::default())
    }

    pub(crate) fn try_hold(
        &self,
        name: &str,
        text: &str,
        machine: &str,
        rehearsal: bool,
        dialogue: &mut dyn Dialogue,
    ) -> Result<PathBuf> {
        let previous =
            self.previous.as_ref().map(|folder| format!("previous = {:?}", folder.join("record.json")));
        let machine = format!(
            "output = {name:?}\n[record]\nkey = \"record-key.pem\"\n{}\n{machine}",
            previous.unwrap_or_default()
        );
        let machine = Machine::parse(&machine)?.relative_to(self.folder.path());
        let file = CeremonyFile::parse(text)?;
        let ceremony = Ceremony { text: text.as_bytes(), file: &file, machine: &machine, rehearsal };
        let mut world = World { dialogue, clock: &self.clock, random: &SystemRandom::new() };
        run(Prepared::new(&ceremony)?, &mut world)
    }

    /// What `plan` shows of the ceremony of `text`.
    pub(crate) fn plan(&self, text: &str, machine: &str) -> Result<String> {
        let machine = format!("output = \"out\"\n[record]\nkey = \"record-key.pem\"\n{machine}");
        let machine = Machine::parse(&machine)?.relative_to(self.folder.path());
        let file = CeremonyFile::parse(text)?;
        let ceremony = Ceremony { text: text.as_bytes(), file: &file, machine: &machine, rehearsal: false };
        show(&Prepared::new(&ceremony)?)
    }

    /// The folder of the ceremony before the last.
    pub(crate) fn previous(&self) -> Option<&Path> {
        self.previous.as_deref()
    }
}

/// An example, with the SHA-256 of `inputs` in place of the zeros, in their order.
pub(crate) fn example(name: &str, inputs: &[&Certificate]) -> String {
    let digests: Vec<_> = inputs.iter().map(|certificate| Digest::of(certificate.der())).collect();
    example_of(name, &digests)
}

pub(crate) fn example_of(name: &str, digests: &[Digest]) -> String {
    let mut text = examples::find(name).unwrap().to_owned();
    for digest in digests {
        text = text.replacen(PLACEHOLDER, &digest.to_string(), 1);
    }
    assert!(!text.contains(PLACEHOLDER));
    text
}

pub(crate) fn certificate(path: &Path) -> Certificate {
    Certificate::from_pem(&fs::read_to_string(path).unwrap()).unwrap()
}

/// All files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Goes on by a second at every look.
struct Ticking(Cell<i64>);

impl Clock for Ticking {
    fn now(&self) -> i64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

/// People who answer in turn.
#[derive(Default)]
pub(crate) struct Answers {
    answers: VecDeque<String>,
    pub(crate) told: Vec<String>,
}

impl Answers {
    pub(crate) fn new(answers: &[&str]) -> Self {
        Self { answers: answers.iter().map(|answer| (*answer).to_owned()).collect(), told: Vec::new() }
    }
}

impl Dialogue for Answers {
    fn tell(&mut self, line: &str) {
        self.told.push(line.to_owned());
    }

    fn ask(&mut self, question: &str) -> Result<String> {
        self.told.push(question.to_owned());
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

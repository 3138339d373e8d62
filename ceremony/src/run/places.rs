//! Where what a ceremony makes comes to be, and what to do when one before was killed in the moment in which it did.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::{CEREMONY_FILE, Ceremony};
use crate::folder::together;
use crate::terminal::Dialogue;

/// The places of a ceremony, whose names say so if it is a rehearsal.
pub(super) struct Places {
    /// The folder of what it makes.
    pub(super) output: PathBuf,
    /// The folder of shares, if they get one.
    pub(super) shares: Option<PathBuf>,
    /// Is there from the moment in which all is made until all is in its place.
    pub(super) journal: PathBuf,
}

impl Places {
    pub(super) fn of(ceremony: &Ceremony<'_>) -> Self {
        let named = |path: &PathBuf| {
            let mut path = path.clone();
            if ceremony.rehearsal {
                path.as_mut_os_string().push("-rehearsal");
            }
            path
        };
        let output = named(&ceremony.machine.output);
        let mut journal = std::ffi::OsString::from(".");
        journal.push(output.file_name().unwrap_or_default());
        journal.push(".appearing");
        Self {
            journal: output.with_file_name(journal),
            shares: ceremony.machine.shares.as_ref().map(|place| named(&place.folder)),
            output,
        }
    }

    /// Finishes a ceremony that was killed while its files took their places, and returns its folder; `None` if there is none.
    pub(super) fn finish(
        &self,
        ceremony: &Ceremony<'_>,
        dialogue: &mut dyn Dialogue,
    ) -> Result<Option<PathBuf>> {
        let machine = ceremony.machine;
        let files = machine.key.iter().filter_map(|key| key.file.clone()).chain([machine.record.key.clone()]);
        let targets: Vec<_> = files.chain(self.shares.clone()).chain([self.output.clone()]).collect();
        if !together::finish(&self.journal, &targets)? {
            return Ok(None);
        }
        let held = self.output.join(CEREMONY_FILE);
        let held = std::fs::read(&held).with_context(|| format!("cannot read {}", held.display()))?;
        ensure!(
            held == ceremony.text,
            "a ceremony of another file was interrupted when all was made; it is whole now, in {}. Choose another output for this one",
            self.output.display()
        );
        dialogue.tell(
            "This ceremony was interrupted when all was made; what was missing is in its place now. Nothing was made anew.",
        );
        Ok(Some(self.output.clone()))
    }
}

//! Folders and files in several places that come to be together, which a disk cannot do at once.
//!
//! All of them are written beside their places first. Then a journal says what goes where, by one rename: from then on they will be there.
//! Whoever is killed before leaves nothing that counts; whoever is killed after leaves the journal, and the next one does the rest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{
    PRIVATE, Staging, prefix, refuse_to_overwrite, replace_file, sync_folder, sync_folders, unfinished,
    write_unfinished,
};

/// Longest journal in bytes: four paths.
const MAX_JOURNAL: u64 = 64 * 1024;

/// What goes where, both absolute.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    from: PathBuf,
    to: PathBuf,
}

/// Makes new files (for their owner alone) and folders appear, in this order.
///
/// # Errors
/// If something is in the place of one, or the disk refuses. Without a journal, nothing has appeared then; with one, [`finish`] does the
/// rest.
pub fn commit(journal: &Path, files: &[(PathBuf, Vec<u8>)], folders: Vec<Staging>) -> Result<()> {
    let moves = match write(journal, files, &folders) {
        Ok(moves) => moves,
        Err(error) => {
            for (path, _) in files {
                let _not_written = fs::remove_file(unfinished(path));
            }
            return Err(error);
        }
    };
    let done = carry_out(journal, &moves);
    for folder in folders {
        match &done {
            Ok(()) => folder.remove_leftovers(),
            // The journal leads to it.
            Err(_) => std::mem::forget(folder),
        }
    }
    done
}

/// Whether there is a journal, as far as anybody can tell: then nothing that it leads to may be undone.
#[must_use]
pub fn is_begun(journal: &Path) -> bool {
    !matches!(is_there(journal), Ok(false))
}

/// Does what a journal says and one before did not come to. `targets` are the only places that it may name. Whether there was one.
///
/// # Errors
/// If the journal is none, something is in the way, or the disk refuses.
pub fn finish(journal: &Path, targets: &[PathBuf]) -> Result<bool> {
    let length = match fs::symlink_metadata(journal) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.with_context(|| format!("cannot look at {}", journal.display()))?.len(),
    };
    let wrong = || {
        format!(
            "{} was left by something that was interrupted, and does not say what can be finished; look at the files that it names, and \
             remove it",
            journal.display()
        )
    };
    ensure!(length <= MAX_JOURNAL, wrong());
    let text = fs::read(journal).with_context(wrong)?;
    let moves: Vec<Move> = serde_json::from_slice(&text).with_context(wrong)?;
    let targets = targets.iter().map(absolute).collect::<io::Result<Vec<_>>>()?;
    // A journal on a stick may be anybody's: it moves nothing but what was made for these places, into them.
    ensure!(moves.iter().all(|step| targets.contains(&step.to) && step.is_beside()), wrong());
    carry_out(journal, &moves)?;
    Ok(true)
}

/// Everything beside its place, and then the journal.
fn write(journal: &Path, files: &[(PathBuf, Vec<u8>)], folders: &[Staging]) -> Result<Vec<Move>> {
    let mut moves = Vec::new();
    for (path, contents) in files {
        refuse_to_overwrite(path)?;
        let written = write_unfinished(path, contents, PRIVATE).and_then(|()| sync_folder(&folder_of(path)));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        moves.push(Move::new(&unfinished(path), path)?);
    }
    for staging in folders {
        refuse_to_overwrite(&staging.target)?;
        let written = sync_folders(&staging.folder).and_then(|()| sync_folder(&staging.parent));
        written.with_context(|| format!("cannot write {}", staging.folder.display()))?;
        moves.push(Move::new(&staging.folder, &staging.target)?);
    }
    replace_file(journal, &serde_json::to_vec_pretty(&moves)?, PRIVATE)?;
    Ok(moves)
}

/// Can be done again after any of its steps.
fn carry_out(journal: &Path, moves: &[Move]) -> Result<()> {
    move_all(journal, moves)
        .context("all is made, and not all of it is in its place yet; the same command again does the rest")
}

fn move_all(journal: &Path, moves: &[Move]) -> Result<()> {
    for Move { from, to } in moves {
        if !is_there(from)? {
            ensure!(is_there(to)?, "{} is gone, which was to become {}", from.display(), to.display());
            continue;
        }
        refuse_to_overwrite(to)?;
        fs::rename(from, to).with_context(|| format!("cannot make {}", to.display()))?;
    }
    for Move { to, .. } in moves {
        sync_folder(&folder_of(to)).with_context(|| format!("cannot write {}", to.display()))?;
    }
    let removed = fs::remove_file(journal).and_then(|()| sync_folder(&folder_of(journal)));
    removed.with_context(|| format!("cannot remove {}", journal.display()))
}

impl Move {
    fn new(from: &Path, to: &Path) -> Result<Self> {
        Ok(Self { from: absolute(from)?, to: absolute(to)? })
    }

    /// Whether it is what [`write`] writes for this place.
    fn is_beside(&self) -> bool {
        let (Some(from), Some(to)) = (self.from.file_name(), self.to.file_name()) else { return false };
        let is_folder = from.as_encoded_bytes().starts_with(prefix(to).as_encoded_bytes());
        self.from.parent() == self.to.parent() && (is_folder || self.from == unfinished(&self.to))
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn is_there(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => bail!(anyhow::Error::new(error).context(format!("cannot look at {}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::PUBLIC;
    use std::collections::BTreeMap;

    /// A folder in which two files and two folders shall appear.
    struct Room(tempfile::TempDir);

    impl Room {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn journal(&self) -> PathBuf {
            self.path(".journal")
        }

        fn targets(&self) -> Vec<PathBuf> {
            ["key", "other-key", "shares", "out"].map(|name| self.path(name)).to_vec()
        }

        fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
            vec![(self.path("key"), b"key".to_vec()), (self.path("other-key"), b"other".to_vec())]
        }

        fn folders(&self) -> Vec<Staging> {
            ["shares", "out"]
                .map(|name| {
                    let staging = Staging::new(&self.path(name)).unwrap();
                    staging.write("file", name.as_bytes(), PUBLIC).unwrap();
                    staging
                })
                .into()
        }

        /// Everything in it.
        fn all(&self) -> BTreeMap<PathBuf, Vec<u8>> {
            let mut found = BTreeMap::new();
            let mut folders = vec![self.0.path().to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else {
                        let name = path.strip_prefix(self.0.path()).unwrap().to_owned();
                        found.insert(name, fs::read(path).unwrap());
                    }
                }
            }
            found
        }

        /// Killed after the journal and so many renames.
        fn killed_after(&self, steps: usize) {
            let folders = self.folders();
            let moves = write(&self.journal(), &self.files(), &folders).unwrap();
            for Move { from, to } in &moves[..steps] {
                fs::rename(from, to).unwrap();
            }
            folders.into_iter().for_each(std::mem::forget);
        }
    }

    #[test]
    fn whoever_is_killed_after_any_step_is_finished_by_the_next() {
        let whole = Room::new();
        commit(&whole.journal(), &whole.files(), whole.folders()).unwrap();
        assert_eq!(whole.all().len(), 4);
        assert!(!finish(&whole.journal(), &whole.targets()).unwrap());
        for steps in 0..=4 {
            let room = Room::new();
            room.killed_after(steps);
            assert_ne!(room.all(), whole.all());
            assert!(finish(&room.journal(), &room.targets()).unwrap());
            assert_eq!(room.all(), whole.all(), "after {steps} renames");
        }
    }

    #[test]
    fn without_a_journal_nothing_has_appeared() {
        let room = Room::new();
        // Something is in the place of one.
        fs::create_dir(room.path("out")).unwrap();
        let folders = room.folders();
        fs::write(room.path("out/file"), "mine").unwrap();
        commit(&room.journal(), &room.files(), folders).unwrap_err();
        assert_eq!(room.all(), BTreeMap::from([(PathBuf::from("out/file"), b"mine".to_vec())]));
        // The disk refuses the journal.
        fs::remove_dir_all(room.path("out")).unwrap();
        fs::create_dir(room.journal()).unwrap();
        fs::write(room.journal().join("in-the-way"), "").unwrap();
        commit(&room.journal(), &room.files(), room.folders()).unwrap_err();
        assert!(room.targets().iter().all(|path| !path.exists()), "{:?}", room.all());
    }

    #[test]
    fn what_is_in_the_way_stays_and_the_rest_waits() {
        let room = Room::new();
        room.killed_after(1);
        fs::write(room.path("other-key"), "mine").unwrap();
        let error = format!("{:#}", finish(&room.journal(), &room.targets()).unwrap_err());
        assert!(error.contains("the same command again") && error.contains("exists already"), "{error}");
        assert_eq!(fs::read(room.path("other-key")).unwrap(), b"mine");
        fs::remove_file(room.path("other-key")).unwrap();
        assert!(finish(&room.journal(), &room.targets()).unwrap());
        assert_eq!(room.all().len(), 4);
    }

    #[test]
    fn a_journal_moves_nothing_but_what_was_made_for_these_places() {
        let room = Room::new();
        room.killed_after(0);
        let before = room.all();
        let refused = |text: &str| {
            fs::write(room.journal(), text).unwrap();
            finish(&room.journal(), &room.targets()).unwrap_err();
            fs::write(room.journal(), &before[Path::new(".journal")]).unwrap();
            assert_eq!(room.all(), before, "{text}");
        };
        let step = |from: &str, to: &str| {
            format!("[{{\"from\": {:?}, \"to\": {:?}}}]", room.path(from), room.path(to))
        };
        refused(&step("key.unfinished", "elsewhere"));
        refused(&step("other-key.unfinished", "key"));
        refused(&step("../x/.out.unfinished-1-0", "out"));
        refused("[{}]");
        refused("no journal");
        refused(&" ".repeat(usize::try_from(MAX_JOURNAL).unwrap() + 1));
        assert!(finish(&room.journal(), &room.targets()).unwrap());
    }
}

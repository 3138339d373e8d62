//! `verify` sees whatever was changed after a ceremony.

use std::fs;
use std::path::Path;

use cairn_ceremony::verify::verify;

use crate::support::{Room, example, files};

const MACHINE: &str = "[key]\nfile = \"key.pem\"\n[shares]\nfolder = \"shares\"";

#[test]
fn every_file_of_the_folder_is_held_by_the_record() {
    let mut room = Room::new();
    let folder = room.hold("r1", &example("root", &[]), MACHINE).unwrap();
    verify(&folder, None).unwrap();
    let all = files(&folder);
    assert_eq!(all.len(), 7, "{all:?}");
    for path in all {
        let contents = fs::read(&path).unwrap();
        for changed in [flip(&contents), Vec::new(), contents[..contents.len() - 2].to_vec()] {
            fs::write(&path, changed).unwrap();
            assert!(verify(&folder, None).is_err(), "{} was changed", path.display());
        }
        fs::remove_file(&path).unwrap();
        assert!(verify(&folder, None).is_err(), "{} is gone", path.display());
        fs::write(&path, contents).unwrap();
    }
    verify(&folder, None).unwrap();
}

/// One bit in the middle.
fn flip(contents: &[u8]) -> Vec<u8> {
    let mut contents = contents.to_vec();
    let middle = contents.len() / 2;
    contents[middle] ^= 1;
    contents
}

#[test]
fn a_ceremony_that_was_left_out_is_missed() {
    let mut room = Room::new();
    let first = room.hold("r1", &example("root", &[]), MACHINE).unwrap();
    let key = |name: &str| format!("[key]\nfile = \"{name}.pem\"\n[shares]\nfolder = \"{name}-shares\"");
    let second = room.hold("k1", &example("key", &[]), &key("k1")).unwrap();
    let third = room.hold("k2", &example("key", &[]), &key("k2")).unwrap();
    verify(&second, Some(&first)).unwrap();
    verify(&third, Some(&second)).unwrap();
    for (folder, previous) in [(&third, &first), (&second, &third), (&first, &second)] {
        assert!(refusal(folder, previous).contains("does not continue the record before it"));
    }
    let report = verify(&third, None).unwrap().join("\n");
    assert!(report.contains("record 3 of its chain; name the folder of the one before"), "{report}");
}

fn refusal(folder: &Path, previous: &Path) -> String {
    verify(folder, Some(previous)).unwrap_err().to_string()
}

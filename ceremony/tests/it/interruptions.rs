//! A ceremony that does not come to its end leaves nothing that looks finished, and can be held again.

use std::fs;
use std::path::PathBuf;

use crate::support::{Answers, Room, example, files};

const MACHINE: &str = "[key]\nfile = \"key.pem\"\n[shares]\nfolder = \"shares\"";

#[test]
fn a_ceremony_that_nobody_answers_leaves_nothing_and_is_held_again() {
    let mut room = Room::new();
    // Somebody goes away while shares are shown.
    let mut answers = Answers::new(&["", ""]);
    room.try_hold("r1", &example("root", &[]), "", false, &mut answers).unwrap_err();
    assert!(files(&room.path("")).is_empty());
    room.hold("r1", &example("root", &[]), MACHINE).unwrap();
}

#[test]
fn nothing_is_overwritten() {
    let mut room = Room::new();
    room.hold("r1", &example("root", &[]), MACHINE).unwrap();
    let before: Vec<_> =
        files(&room.path("")).iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    let refusal = |name: &str, machine: &str| {
        let text = example("root", &[]);
        room.try_hold(name, &text, machine, false, &mut Answers::new(&[""; 6])).unwrap_err().to_string()
    };
    assert!(refusal("r1", "").contains("r1 exists already"));
    assert!(refusal("r2", MACHINE).contains("shares exists already"));
    assert!(refusal("r2", "[key]\nfile = \"key.pem\"").contains("key.pem exists already"));
    let after: Vec<_> =
        files(&room.path("")).iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    assert_eq!(after, before);
}

#[test]
fn a_ceremony_that_is_killed_when_all_is_made_is_finished_and_not_held_again() {
    // What comes to be, in its order, and how it is called before.
    let steps = [
        ("record-key.pem", "record-key.pem.unfinished"),
        ("key.pem", "key.pem.unfinished"),
        ("shares", ".shares.unfinished-1-0"),
        ("r1", ".r1.unfinished-1-0"),
    ];
    for done in 0..=steps.len() {
        let mut room = Room::new();
        let folder = room.hold("r1", &example("root", &[]), MACHINE).unwrap();
        let whole = contents(&room);
        let moves = steps
            .map(|(to, from)| format!("{{\"from\": {:?}, \"to\": {:?}}}", room.path(from), room.path(to)));
        fs::write(room.path(".r1.appearing"), format!("[{}]", moves.join(", "))).unwrap();
        for (to, from) in &steps[done..] {
            fs::rename(room.path(to), room.path(from)).unwrap();
        }
        // Begun again as it was begun the first time.
        let again = Room::in_folder_of(&room);
        let mut people = Answers::default();
        let held = again.try_hold("r1", &example("root", &[]), MACHINE, false, &mut people).unwrap();
        assert_eq!(held, folder);
        assert_eq!(contents(&room), whole, "after {done} steps");
        assert!(people.told.iter().any(|line| line.contains("was interrupted when all was made")));
        cairn_ceremony::verify::verify(&folder, None).unwrap();
    }
}

#[test]
fn another_ceremony_does_not_take_the_place_of_one_that_is_finished() {
    let mut room = Room::new();
    room.hold("r1", &example("root", &[]), MACHINE).unwrap();
    let whole = contents(&room);
    let (from, to) = (room.path(".r1.unfinished-1-0"), room.path("r1"));
    fs::rename(&to, &from).unwrap();
    fs::write(room.path(".r1.appearing"), format!("[{{\"from\": {from:?}, \"to\": {to:?}}}]")).unwrap();
    let other = example("root", &[]).replace("Bob Baker", "Mallory");
    let again = Room::in_folder_of(&room);
    let error = again.try_hold("r1", &other, MACHINE, false, &mut Answers::default()).unwrap_err();
    assert!(error.to_string().contains("Choose another output for this one"), "{error}");
    assert_eq!(contents(&room), whole);
}

#[test]
fn what_was_killed_before_all_was_made_does_not_hinder() {
    let mut room = Room::new();
    fs::write(room.path("key.pem.unfinished"), "half a k").unwrap();
    fs::create_dir(room.path(".r1.unfinished-1-0")).unwrap();
    room.hold("r1", &example("root", &[]), MACHINE).unwrap();
    assert!(!room.path("key.pem.unfinished").exists() && !room.path(".r1.unfinished-1-0").exists());
}

fn contents(room: &Room) -> Vec<(PathBuf, Vec<u8>)> {
    files(&room.path("")).into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn the_second_ceremony_names_the_record_of_the_first() {
    let mut room = Room::new();
    room.hold("r1", &example("root", &[]), MACHINE).unwrap();
    let other = Room::new();
    fs::copy(room.path("record-key.pem"), other.path("record-key.pem")).unwrap();
    let error =
        other.try_hold("k", &example("key", &[]), "", false, &mut Answers::new(&[""; 6])).unwrap_err();
    assert!(error.to_string().contains("name the record before this one"), "{error}");
}

#[test]
fn a_key_that_does_not_belong_is_refused_before_anything_is_made() {
    let mut room = Room::new();
    let r1 = room.hold("r1", &example("root", &[]), MACHINE).unwrap();
    let r1 = crate::support::certificate(&r1.join("root.pem"));
    let machine = "[key]\nfile = \"other.pem\"\n[shares]\nfolder = \"other-shares\"";
    room.hold("other", &example("key", &[]), machine).unwrap();
    let machine = "[issuer_key]\nfile = \"other.pem\"\n\
        share_files = [\"other-shares/share-1-of-3-alice-archer.txt\", \"other-shares/share-2-of-3-bob-baker.txt\"]\n\
        [inputs]\nissuer = \"r1/root.pem\"";
    let error = room.rehearse("i1", &example("intermediate", &[&r1]), "").unwrap_err();
    assert!(error.to_string().contains("add issuer = \"PATH\" to [inputs]"), "{error}");
    let text = example("intermediate", &[&r1]);
    let error = room.try_hold("i1", &text, machine, false, &mut Answers::default()).unwrap_err();
    assert!(error.to_string().contains("not that of its certificate"), "{error}");
    assert!(!room.path("i1").exists());
}

#[test]
fn another_file_than_the_one_that_was_reviewed_is_refused() {
    let mut room = Room::new();
    room.hold("r1", &example("root", &[]), MACHINE).unwrap();
    let other = Room::new();
    let mut other_room = other;
    let folder = other_room.hold("r1", &example("root", &[]), MACHINE).unwrap();
    let other = crate::support::certificate(&folder.join("root.pem"));
    // The file names the other root's certificate, and the machine file this one's.
    let machine = "[inputs]\nissuer = \"r1/root.pem\"";
    let text = example("intermediate", &[&other]);
    let error = room.try_hold("i1", &text, machine, false, &mut Answers::default()).unwrap_err();
    assert!(error.to_string().contains("is not the file that the ceremony file names as issuer"), "{error}");
}

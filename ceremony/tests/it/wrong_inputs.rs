//! What goes wrong in ceremonies: each is told with what to do, and nothing is written.

use std::path::{Path, PathBuf};
use std::process::Command;

use cairn_ceremony::file::Digest;
use cairn_x509::Certificate;

use crate::support::{Answers, Room, certificate, example, files};

const R1: &str = "[key]\nfile = \"r1-key.pem\"\n[shares]\nfolder = \"shares-r1\"";
const R1_KEY: &str = "[issuer_key]\nfile = \"r1-key.pem\"\n\
    share_files = [\"shares-r1/share-1-of-3-alice-archer.txt\", \"shares-r1/share-3-of-3-carol-cole.txt\"]\n";

/// A room in which R1 was made.
fn room() -> (Room, Certificate) {
    let mut room = Room::new();
    let folder = room.hold("r1", &example("root", &[]), R1).unwrap();
    (room, certificate(&folder.join("root.pem")))
}

/// What is said when the intermediate of this text is to be made, below what `issuer` and `key` name.
fn refusal(room: &Room, text: &str, issuer: &str, key: &str) -> String {
    let machine = format!("{key}[key]\nfile = \"i1-key.pem\"\n[inputs]\nissuer = {issuer:?}");
    let before = files(&room.path(""));
    let mut people = Answers::new(&["correct horse battery staple"; 3]);
    let error = room.try_hold("i1", text, &machine, false, &mut people).unwrap_err();
    assert_eq!(files(&room.path("")), before, "nothing is written");
    format!("{error:#}")
}

#[test]
fn a_clock_before_the_issuers_beginning_or_after_its_end_is_told() {
    let (room, r1) = room();
    let text = example("intermediate", &[&r1]);
    room.set_clock(r1.validity().not_before - 60);
    let said = refusal(&room, &text, "r1/root.pem", R1_KEY);
    assert!(said.contains("begins only at 2026-01-01T00:00:00Z") && said.contains("set the clock"), "{said}");
    room.set_clock(r1.validity().not_after);
    let said = refusal(&room, &text, "r1/root.pem", R1_KEY);
    assert!(said.contains("ended at 2045-12-31T23:59:59Z") && said.contains("successor"), "{said}");
}

#[test]
fn a_clock_before_the_last_ceremonys_end_is_told() {
    let (room, r1) = room();
    room.set_clock(r1.validity().not_before);
    let said = refusal(&room, &example("intermediate", &[&r1]), "r1/root.pem", R1_KEY);
    assert!(said.contains("\"Example Root R1\", ended only at 2026-05-28T"), "{said}");
}

#[test]
fn a_ca_that_may_have_none_below_signs_none() {
    let (mut room, r1) = room();
    let machine = format!("{R1_KEY}[key]\nfile = \"p-key.pem\"\n[inputs]\nissuer = \"r1/root.pem\"");
    let mut people = Answers::new(&["correct horse battery staple"; 2]);
    let folder = room.try_hold("p", &example("intermediate", &[&r1]), &machine, false, &mut people).unwrap();
    let parent = certificate(&folder.join("intermediate.pem"));
    room.follow(&folder);
    let text = example("intermediate", &[&parent]).replace("Intermediate I1", "Intermediate I2");
    let said = refusal(&room, &text, "p/intermediate.pem", "[issuer_key]\nfile = \"p-key.pem\"\n");
    assert!(
        said.contains("path length constraint forbids") && said.contains("take another issuer"),
        "{said}"
    );
}

#[test]
fn name_constraints_that_contradict_the_issuers_or_themselves_are_told() {
    let (mut room, r1) = room();
    let machine = format!("{R1_KEY}[key]\nfile = \"p-key.pem\"\n[inputs]\nissuer = \"r1/root.pem\"");
    let text = example("intermediate", &[&r1]).replace("path_length = 0", "path_length = 1");
    let mut people = Answers::new(&["correct horse battery staple"; 2]);
    let folder = room.try_hold("p", &text, &machine, false, &mut people).unwrap();
    let parent = certificate(&folder.join("intermediate.pem"));
    room.follow(&folder);
    let below = |from: &str, to: &str| {
        let text = example("intermediate", &[&parent]).replace("Intermediate I1", "Intermediate I2");
        assert!(text.contains(from));
        refusal(&room, &text.replace(from, to), "p/intermediate.pem", "[issuer_key]\nfile = \"p-key.pem\"\n")
    };
    let said = below("dns = [\"example.com\"]", "dns = [\"example.org\"]");
    assert!(said.contains("name_constraints_within_issuer") && said.contains("example.org"), "{said}");
    let said = below("10.0.0.0/8", "10.0.0.1/8");
    assert!(said.contains("10.0.0.1/8"), "{said}");
}

#[test]
fn a_wrong_passphrase_is_told() {
    let mut room = Room::new();
    let text = example("root", &[]).replace("shares = ", "# shares = ");
    let mut people = Answers::new(&["correct horse battery staple"; 2]);
    let folder = room.try_hold("r1", &text, "[key]\nfile = \"r1-key.pem\"", false, &mut people).unwrap();
    room.follow(&folder);
    let r1 = certificate(&folder.join("root.pem"));
    let machine = "[issuer_key]\nfile = \"r1-key.pem\"\n[key]\nfile = \"i1-key.pem\"\n[inputs]\nissuer = \"r1/root.pem\"";
    let before = files(&room.path(""));
    let mut people = Answers::new(&["correct horse battery stable", "x", "y"]);
    let text = example("intermediate", &[&r1]);
    let error = format!("{:#}", room.try_hold("i1", &text, machine, false, &mut people).unwrap_err());
    assert!(error.contains("r1-key.pem") && error.contains("passphrase"), "{error}");
    assert!(!error.contains("stable"), "{error}");
    assert_eq!(files(&room.path("")), before);
}

/// The program in a folder, in which no file may grow beyond `blocks` of 512 octets: a disk that is full.
fn with_room_for(blocks: u32, folder: &Path) -> (bool, String) {
    // Without the signal, a write that goes too far fails like one on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_cairn-ceremony")])
        .args(["run", "root.toml", "--machine", "machine.toml", "--sha256"])
        .arg(Digest::of(&std::fs::read(folder.join("root.toml")).unwrap()).to_string())
        .current_dir(folder)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn on_a_full_disk_nothing_is_left_and_the_same_ceremony_is_held_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("root.toml", &example("root", &[]));
    write(
        "machine.toml",
        &format!("output = \"r1\"\n[record]\nkey = \"record-key.pem\"\n{}", R1.replace("r1-key", "key")),
    );
    let before = files(folder.path());
    let mut failures = 0;
    let made: Vec<PathBuf> = loop {
        // Each time there is room for a larger file.
        let (well, said) = with_room_for(failures, folder.path());
        if well {
            break files(folder.path());
        }
        assert!(said.contains("File too large"), "{said}");
        assert_eq!(files(folder.path()), before, "after room for {failures} blocks");
        failures += 1;
    };
    assert!(failures > 2, "the record alone has more");
    assert!(
        made.contains(&folder.path().join("r1/root.pem")) && made.contains(&folder.path().join("key.pem"))
    );
}

//! The life of a hierarchy, by the examples: each ceremony starts from what the ones before have made, and is verified from its folder.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cairn_ceremony::file::Digest;
use cairn_ceremony::verify::verify;
use cairn_x509::{CaCsr, Certificate, Crl, CrlReason, KeyKind, Purpose, SignatureAlgorithm};

use crate::support::{Answers, Room, certificate, example, example_of};

/// Holds and verifies, against the ceremony before.
fn held(room: &mut Room, name: &str, text: &str, machine: &str) -> PathBuf {
    let before = room.previous().map(Path::to_owned);
    let folder = room.hold(name, text, machine).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    verify(&folder, before.as_deref()).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    folder
}

/// A root whose key is split, in `r1`, with shares in `shares-r1`.
fn root(room: &mut Room) -> Certificate {
    let machine = "[key]\nfile = \"r1-key.pem\"\n[shares]\nfolder = \"shares-r1\"";
    let folder = held(room, "r1", &example("root", &[]), machine);
    certificate(&folder.join("root.pem"))
}

const R1_KEY: &str = "[issuer_key]\nfile = \"r1-key.pem\"\n\
    share_files = [\"shares-r1/share-1-of-3-alice-archer.txt\", \"shares-r1/share-3-of-3-carol-cole.txt\"]\n";

fn with_passphrase(room: &Room) -> String {
    let path = room.path("passphrase");
    std::fs::write(&path, "correct horse battery staple\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    "[key]\npassphrase_file = \"passphrase\"\n".to_owned()
}

#[test]
fn a_root_its_intermediate_its_responder_and_their_successors() {
    let mut room = Room::new();
    let r1 = root(&mut room);
    assert_eq!(r1.public_key().kind(), KeyKind::P384);
    let new_key = with_passphrase(&room);

    let machine = format!("{R1_KEY}{new_key}[inputs]\nissuer = \"r1/root.pem\"");
    let folder = held(&mut room, "i1", &example("intermediate", &[&r1]), &machine);
    let i1 = certificate(&folder.join("intermediate.pem"));
    i1.verify_issued_by(&r1).unwrap();
    let description = i1.description().unwrap();
    assert_eq!(description.purposes, [Purpose::ServerAuth, Purpose::ClientAuth]);
    assert_eq!(description.name_constraints.permitted.len(), 2);
    assert_eq!(description.name_constraints.excluded.len(), 1);
    assert_eq!(description.issuer_urls, ["http://pki.example.com/root-r1.der"]);

    let folder = held(&mut room, "ocsp", &example("ocsp-signer", &[&r1]), &machine);
    assert!(certificate(&folder.join("ocsp-signer.pem")).description().unwrap().ocsp_no_check);

    let machine =
        format!("{R1_KEY}{new_key}[inputs]\nissuer = \"r1/root.pem\"\nreplaces = \"i1/intermediate.pem\"");
    let folder = held(&mut room, "i2", &example("rollover-intermediate", &[&r1, &i1]), &machine);
    certificate(&folder.join("intermediate.pem")).verify_issued_by(&r1).unwrap();

    let machine = format!(
        "{R1_KEY}[key]\npassphrase_file = \"passphrase\"\nfile = \"r2-key.pem\"\n[inputs]\nreplaces = \"r1/root.pem\""
    );
    let folder = held(&mut room, "r2", &example("rollover-root", &[&r1]), &machine);
    let r2 = certificate(&folder.join("root.pem"));
    let (from_old, from_new) = (
        certificate(&folder.join("new-root-from-old.pem")),
        certificate(&folder.join("old-root-from-new.pem")),
    );
    from_old.verify_issued_by(&r1).unwrap();
    from_new.verify_issued_by(&r2).unwrap();
    assert_eq!((from_old.subject(), from_old.public_key()), (r2.subject(), r2.public_key()));
    assert_eq!((from_new.subject(), from_new.public_key()), (r1.subject(), r1.public_key()));
    // What the old root's intermediate has issued is trusted by whoever trusts the new root alone.
    i1.verify_issued_by(&from_new).unwrap();
}

#[test]
fn an_existing_ca_is_cross_signed_by_another() {
    let mut room = Room::new();
    let r1 = root(&mut room);
    let new_key = with_passphrase(&room);
    let other = example("root", &[]).replace("Root R1", "Root R2").replace("shares = ", "# shares = ");
    let folder = held(&mut room, "r2", &other, &new_key);
    let r2 = certificate(&folder.join("root.pem"));
    let machine = format!("{R1_KEY}[inputs]\nissuer = \"r1/root.pem\"\nsubject = \"r2/root.pem\"");
    let folder = held(&mut room, "cross", &example("cross-sign", &[&r1, &r2]), &machine);
    let cross = certificate(&folder.join("cross-certificate.pem"));
    cross.verify_issued_by(&r1).unwrap();
    assert_eq!(cross.public_key(), r2.public_key());
    assert_eq!(cross.subject_key_identifier(), r2.subject_key_identifier());
}

#[test]
fn a_key_is_made_first_and_certified_later_alone_or_by_its_public_part() {
    let mut room = Room::new();
    let machine = "[key]\nfile = \"k-key.pem\"\n[shares]\nfolder = \"shares-k\"";
    let folder = held(&mut room, "k", &example("key", &[]), machine);
    let public = std::fs::read_to_string(folder.join("key.pub.pem")).unwrap();
    let public = cairn_x509::PublicKey::from_pem(&public).unwrap();
    let digest = Digest::of(public.der()).to_string();

    let text = example("root", &[])
        .replace("algorithm = \"p384\"", &format!("existing = \"{digest}\""))
        .replace("shares = ", "# shares = ");
    let machine = "[key]\nfile = \"k-key.pem\"\n\
        share_files = [\"shares-k/share-2-of-3-bob-baker.txt\", \"shares-k/share-3-of-3-carol-cole.txt\"]";
    // Before the key is opened, its public part tells what it is; without that, the plan says that nothing does.
    let named = format!("{machine}\n[inputs]\npublic_key = \"k/key.pub.pem\"");
    let plan = room.plan(&text, &named).unwrap();
    assert!(plan.contains("one that exists, ECDSA P-384") && plan.contains("ECDSA with SHA-384"), "{plan}");
    let plan = room.plan(&text, machine).unwrap();
    assert!(plan.contains("nothing here tells its kind, so ECDSA P-256 is shown"), "{plan}");
    let rehearsed = room.rehearse("r1", &text, &named).unwrap();
    assert_eq!(certificate(&rehearsed.join("root.pem")).public_key().kind(), KeyKind::P384);
    let other = format!("{machine}\n[inputs]\npublic_key = \"k/record-key.pub.pem\"");
    assert!(room.plan(&text, &other).unwrap_err().to_string().contains("is not the public part of the key"));

    let folder = held(&mut room, "r1", &text, &named);
    let r1 = certificate(&folder.join("root.pem"));
    assert_eq!(*r1.public_key(), public);

    // The same key once more, as somebody else's of whom only the public part is here.
    let text = example("intermediate", &[&r1])
        .replace("algorithm = \"p256\"", &format!("public_key = \"{digest}\""));
    let machine = format!(
        "{}[inputs]\nissuer = \"r1/root.pem\"\npublic_key = \"k/key.pub.pem\"",
        R1_KEY.replace("r1-key", "k-key").replace("shares-r1", "shares-k")
    );
    let folder = held(&mut room, "i1", &text, &machine);
    assert_eq!(*certificate(&folder.join("intermediate.pem")).public_key(), public);
}

#[test]
fn an_intermediate_is_revoked_and_stays_so() {
    let mut room = Room::new();
    let r1 = root(&mut room);
    let new_key = with_passphrase(&room);
    let machine = format!("{R1_KEY}{new_key}[inputs]\nissuer = \"r1/root.pem\"");
    let folder = held(&mut room, "i1", &example("intermediate", &[&r1]), &machine);
    let i1 = certificate(&folder.join("intermediate.pem"));

    let machine = format!("{R1_KEY}[inputs]\nissuer = \"r1/root.pem\"");
    let folder = held(&mut room, "crl1", &example("crl", &[&r1]), &machine);
    let crl1 = Crl::from_der(&std::fs::read(folder.join("crl.der")).unwrap()).unwrap();
    crl1.verify_issued_by(&r1).unwrap();
    assert_eq!((crl1.tbs().number_as_u64(), crl1.tbs().entries().count()), (Some(1), 0));

    let digests = [r1.der(), crl1.der(), i1.der()].map(Digest::of);
    let text = example_of("revoke-intermediate", &digests);
    let machine = format!(
        "{R1_KEY}[inputs]\nissuer = \"r1/root.pem\"\nreplaces = \"crl1/crl.der\"\nrevoked = [\"i1/intermediate.pem\"]"
    );
    let rehearsal = room.rehearse("crl2", &text, &machine).unwrap();
    verify(&rehearsal, None).unwrap();
    let folder = held(&mut room, "crl2", &text, &machine);
    let crl2 = Crl::from_der(&std::fs::read(folder.join("crl.der")).unwrap()).unwrap();
    let entry = crl2.tbs().entries().next().unwrap();
    assert_eq!((entry.serial, entry.reason), (i1.serial(), Some(CrlReason::CessationOfOperation)));

    // The list after that has to take it over.
    let lacking = example("crl", &[&r1])
        .replace("number = 1", "number = 3")
        .replace("2026-01-02", "2026-06-01")
        .replace(
            "# [replaces]\n# sha256 = \"…\"",
            &format!("[replaces]\nsha256 = \"{}\"", Digest::of(crl2.der())),
        );
    let machine = format!("{R1_KEY}[inputs]\nissuer = \"r1/root.pem\"\nreplaces = \"crl2/crl.pem\"");
    let error = room.rehearse("crl3", &lacking, &machine).unwrap_err().to_string();
    assert!(error.contains("lacks") && error.contains("write it in again"), "{error}");
    let serial: String = i1.serial().iter().map(|octet| format!("{octet:02x}")).collect();
    let whole = lacking.replace(
        "# revoked = [{ serial = \"5f3a…\", at = 2026-01-01",
        &format!("revoked = [{{ serial = \"{serial}\", at = 2026-03-01"),
    );
    held(&mut room, "crl3", &whole, &machine);
    let stale = whole.replace("number = 3", "number = 2");
    let error = room.rehearse("crl4", &stale, &machine).unwrap_err().to_string();
    assert!(error.contains("crl.number: must be greater than that of the list before, 2"), "{error}");
}

#[test]
fn a_request_is_made_and_certified_by_another_root() {
    let mut room = Room::new();
    let new_key = with_passphrase(&room);
    let folder = held(&mut room, "x1", &example("csr", &[]), &new_key);
    let pem = std::fs::read_to_string(folder.join("request.pem")).unwrap();
    let request = CaCsr::from_pem(&pem).unwrap();
    assert_eq!(request.path_len(), Some(0));

    let mut elsewhere = Room::new();
    std::fs::write(elsewhere.path("request.pem"), pem).unwrap();
    let r1 = root(&mut elsewhere);
    let text = example("intermediate", &[&r1])
        .replace("algorithm = \"p256\"", &format!("request = \"{}\"", Digest::of(request.der())));
    let machine = format!("{R1_KEY}[inputs]\nissuer = \"r1/root.pem\"\nrequest = \"request.pem\"");
    let folder = held(&mut elsewhere, "x1", &text, &machine);
    assert_eq!(certificate(&folder.join("intermediate.pem")).public_key(), request.public_key());
}

#[test]
fn every_kind_of_key_makes_a_root() {
    let mut room = Room::new();
    let new_key = with_passphrase(&room);
    for algorithm in ["p256", "rsa2048", "ed25519", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"] {
        let text = example("root", &[])
            .replace("\"p384\"", &format!("{algorithm:?}"))
            .replace("shares = ", "# shares = ");
        let folder = held(&mut room, algorithm, &text, &new_key);
        let root = certificate(&folder.join("root.pem"));
        root.verify_issued_by(&root).unwrap();
        let key = std::fs::read_to_string(folder.join("key.pem")).unwrap();
        assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{algorithm}");
    }
}

#[test]
fn a_rehearsal_uses_no_key_marks_everything_and_leaves_the_chain_alone() {
    let mut room = Room::new();
    let r1 = root(&mut room);
    let record_key = std::fs::read(room.path("record-key.pem")).unwrap();
    // Neither the issuer's key nor anybody's passphrase is named.
    let text = example("intermediate", &[&r1]);
    let machine = "[inputs]\nissuer = \"r1/root.pem\"";
    let passphrase = "correct horse battery staple";
    let mut answers = Answers::new(&[passphrase, passphrase]);
    let folder = room.try_hold("i1", &text, machine, true, &mut answers).unwrap();
    assert!(folder.ends_with("i1-rehearsal"));
    verify(&folder, None).unwrap();
    let made = certificate(&folder.join("intermediate.pem"));
    for name in [made.subject(), made.issuer()] {
        assert!(name.common_name().unwrap().starts_with("REHEARSAL "), "{name}");
    }
    made.verify_issued_by(&r1).unwrap_err();
    let record = std::fs::read_to_string(folder.join("record.md")).unwrap();
    assert!(record.starts_with("# REHEARSAL: "));
    assert_eq!(std::fs::read(room.path("record-key.pem")).unwrap(), record_key);
}

#[test]
fn shares_go_to_the_terminal_one_holder_after_the_other() {
    let room = Room::new();
    let mut answers = Answers::new(&[""; 6]);
    room.try_hold("r1", &example("root", &[]), "", false, &mut answers).unwrap();
    let shown: Vec<_> = answers.told.iter().filter(|text| text.contains("of them open the key")).collect();
    assert_eq!(shown.len(), 3);
    for (share, holder) in shown.iter().zip(["Alice Archer", "Bob Baker", "Carol Cole"]) {
        assert!(share.contains(&format!("for {holder}.")), "{share}");
    }
}

#[test]
fn rsa_keys_sign_as_the_reviewed_file_says_and_what_signs_nothing_is_not_told_how() {
    let mut room = Room::new();
    let new_key = with_passphrase(&room);
    let pss = "signature = \"rsa-pss-sha256\"";
    let text = example("root", &[])
        .replace("\"p384\"", "\"rsa2048\"")
        .replace("shares = ", "# shares = ")
        .replace(&format!("# {pss}"), pss);
    let file = "[key]\npassphrase_file = \"passphrase\"\nfile = \"r1-key.pem\"";
    let r1 = certificate(&held(&mut room, "r1", &text, file).join("root.pem"));
    assert_eq!(r1.signature_algorithm(), SignatureAlgorithm::RsaPssSha256);
    let issuer = "[inputs]\nissuer = \"r1/root.pem\"\n[issuer_key]\npassphrase_file = \"passphrase\"\nfile = \"r1-key.pem\"\n";

    // The issuer's key signs each time as it is told.
    let text = example("intermediate", &[&r1]);
    let folder = held(&mut room, "i1", &text, &format!("{issuer}{new_key}"));
    let i1 = certificate(&folder.join("intermediate.pem"));
    assert_eq!(i1.signature_algorithm(), SignatureAlgorithm::RsaSha256);
    let folder =
        held(&mut room, "i2", &text.replace(&format!("# {pss}"), pss), &format!("{issuer}{new_key}"));
    let i2 = certificate(&folder.join("intermediate.pem"));
    assert_eq!(i2.signature_algorithm(), SignatureAlgorithm::RsaPssSha256);
    let crl = example("crl", &[&r1]).replace("\n[issuer]\n", &format!("\n[issuer]\n{pss}\n"));
    let folder = held(&mut room, "crl", &crl, issuer);
    let crl = Crl::from_pem(&std::fs::read_to_string(folder.join("crl.pem")).unwrap()).unwrap();
    assert_eq!(crl.signature_algorithm(), SignatureAlgorithm::RsaPssSha256);

    let silent = text.replace("\n[key]\n", &format!("\n[key]\n{pss}\n"));
    let error = room.plan(&silent, issuer).unwrap_err().to_string();
    assert!(error.contains("key.signature: this key signs nothing"), "{error}");
    let ec = example("root", &[]).replace(&format!("# {pss}"), pss);
    let error = format!("{:#}", room.plan(&ec, "").unwrap_err());
    assert!(error.contains("the ECDSA P-384 key cannot sign with RSASSA-PSS"), "{error}");
}

#[test]
fn what_examples_leave_out_is_understood() {
    let room = Room::new();
    let text = example("root", &[]).replace("# store = ", "store = ").replace("shares = ", "# shares = ");
    assert!(room.plan(&text, "").unwrap().contains("a new one, p384, in a hardware security module"));
    let text = example("key", &[]).replace("# store = ", "store = ").replace("shares = ", "# shares = ");
    assert!(room.plan(&text, "").unwrap().contains("in a hardware security module"));

    // Every line of the machine file that is left out is a setting, or a word on one.
    let machine = cairn_ceremony::examples::find("machine").unwrap();
    let (_, section) = machine.split_once("# [key.pkcs11]\n").unwrap();
    let (section, _) = section.split_once("\n\n").unwrap();
    let settings = section.lines().map(|line| line.strip_prefix("# ").unwrap());
    let settings: Vec<_> =
        settings.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())).collect();
    assert_eq!(settings.len(), 4, "{settings:?}");
    let text = format!("output = \"o\"\n[record]\nkey = \"k\"\n[key.pkcs11]\n{}", settings.join("\n"));
    let machine = cairn_ceremony::machine::Machine::parse(&text).unwrap();
    assert_eq!(machine.key.unwrap().pkcs11.unwrap().place().token, "Example Root");
}

#[test]
fn what_opens_a_key_that_exists_is_split_and_the_key_stays_the_same() {
    let mut room = Room::new();
    let passphrase = with_passphrase(&room);
    let text = example("key", &[]).replace("shares = ", "# shares = ");
    let folder = held(&mut room, "k1", &text, &format!("{passphrase}file = \"k1.pem\""));
    let public = std::fs::read_to_string(folder.join("key.pub.pem")).unwrap();
    let digest = Digest::of(cairn_x509::PublicKey::from_pem(&public).unwrap().der());
    let before = std::fs::read(room.path("k1.pem")).unwrap();

    let existing = format!("existing = \"{digest}\"");
    let text = example("key", &[]).replace("algorithm = \"p384\"", &existing);
    let machine = format!("{passphrase}file = \"k1.pem\"\n[shares]\nfolder = \"shares\"");
    room.rehearse("k2", &text, &machine).unwrap();
    let folder = held(&mut room, "k2", &text, &machine);
    assert_eq!(std::fs::read_to_string(folder.join("key.pub.pem")).unwrap(), public);
    assert_eq!(std::fs::read(room.path("k1.pem")).unwrap(), before);

    // The shares open it: it certifies itself.
    let root =
        example("root", &[]).replace("algorithm = \"p384\"", &existing).replace("shares = ", "# shares = ");
    let machine = "[key]\nfile = \"k2/key.pem\"\n\
        share_files = [\"shares/share-1-of-3-alice-archer.txt\", \"shares/share-2-of-3-bob-baker.txt\"]";
    let folder = held(&mut room, "r1", &root, machine);
    assert_eq!(certificate(&folder.join("root.pem")).public_key().to_pem(), public);

    let error = room.plan(&text.replace("shares = ", "# shares = "), "").unwrap_err().to_string();
    assert!(error.contains("or existing and shares"), "{error}");
    let error = room.plan(&example("root", &[]).replace("algorithm = \"p384\"", &existing), "").unwrap_err();
    assert!(error.to_string().contains("by a ceremony of kind \"key\", and by no other"), "{error}");
}

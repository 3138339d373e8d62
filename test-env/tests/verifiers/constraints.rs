//! Name constraints that clients enforce: a good name passes, a bad one does not, by the word of everybody.

use cairn_x509::SubjectAltName;

use crate::hall::{Hall, dns};
use crate::judges::{Judge, Question};

const CONSTRAINTS: &str = "name_constraints = { permitted = { dns = [\"example.com\"], ip = [\"10.0.0.0/8\"] }, \
    excluded = { dns = [\"secret.example.com\"] } }\n";

/// What the reasons have in common.
const BECAUSE: [&str; 3] = ["permitted subtree", "excluded subtree", "constraint"];

#[test]
fn names_within_pass_and_names_without_do_not() {
    let hall = Hall::new();
    let root = hall.root("Example Root", "p384");
    let intermediate = hall.intermediate("Example Intermediate", "p256", &root, CONSTRAINTS);
    let address = |octets: [u8; 4]| SubjectAltName::Ip(octets.into());
    let cases = [
        ("example.com", vec![dns("example.com")], true),
        ("deep.www.example.com", vec![dns("deep.www.example.com")], true),
        ("example.com", vec![dns("example.com"), address([10, 1, 2, 3])], true),
        ("example.org", vec![dns("example.org")], false),
        ("badexample.com", vec![dns("badexample.com")], false),
        ("secret.example.com", vec![dns("secret.example.com")], false),
        ("a.secret.example.com", vec![dns("a.secret.example.com")], false),
        // One bad name spoils the whole.
        ("example.com", vec![dns("example.com"), dns("example.org")], false),
        ("example.com", vec![dns("example.com"), address([192, 0, 2, 1])], false),
    ];
    for (place, (name, names, good)) in cases.iter().enumerate() {
        let leaf = hall.leaf(&format!("leaf-{place}.pem"), &intermediate, names);
        let sent = [leaf.as_path(), &intermediate.file];
        for judge in Judge::ALL {
            let verdict = judge.chain(&Question { trusted: &root.file, sent: &sent, name });
            if *good {
                verdict.assert_good((judge, names));
            } else {
                verdict.assert_bad(&BECAUSE, (judge, names));
            }
        }
    }
}

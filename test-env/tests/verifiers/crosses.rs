//! Cross-certificates: who trusts one root alone comes to what the other's intermediates have issued, in both directions.

use crate::hall::{Hall, dns};
use crate::judges::{Judge, Question};

#[test]
fn who_trusts_either_root_comes_to_what_both_have_issued() {
    let hall = Hall::new();
    let old = hall.root("Example Root R1", "p384");
    let (new, new_from_old, old_from_new) = hall.next_root("Example Root R2", "rsa2048", &old);
    for (own, other, cross) in [(&old, &new, &old_from_new), (&new, &old, &new_from_old)] {
        let name = if own.file == old.file { "Example Intermediate I1" } else { "Example Intermediate I2" };
        let intermediate = hall.intermediate(name, "p256", own, "");
        let leaf = hall.leaf(&format!("{name}.leaf.pem"), &intermediate, &[dns("www.example.com")]);
        let without = [leaf.as_path(), &intermediate.file];
        let with = [leaf.as_path(), &intermediate.file, cross];
        for judge in Judge::ALL {
            let ask = |trusted, sent| judge.chain(&Question { trusted, sent, name: "www.example.com" });
            ask(&own.file, &without).assert_good((judge, name, "own root"));
            ask(&other.file, &without).assert_bad(&["issuer", "candidates"], (judge, name, "no way"));
            ask(&other.file, &with).assert_good((judge, name, "other root"));
        }
    }
}

#[test]
fn a_root_of_its_own_is_cross_signed_and_its_intermediate_verifies_under_both() {
    let hall = Hall::new();
    let known = hall.root("Example Root R1", "rsa2048");
    let young = hall.root("Example Root R2", "p384");
    let cross = hall.cross("cross", &known, &young);
    let intermediate = hall.intermediate("Example Intermediate", "p256", &young, "");
    let leaf = hall.leaf("leaf.pem", &intermediate, &[dns("www.example.com")]);
    let sent = [leaf.as_path(), &intermediate.file, &cross];
    for judge in Judge::ALL {
        for root in [&known, &young] {
            let question = Question { trusted: &root.file, sent: &sent, name: "www.example.com" };
            judge.chain(&question).assert_good((judge, &root.file));
        }
    }
}

//! The root's lists: what is on them is revoked, what is not is not, and nobody else's list counts.

use crate::hall::Hall;
use crate::judges::{Judge, pkilint};

#[test]
fn an_intermediate_on_the_list_is_revoked_and_its_sister_is_not() {
    let hall = Hall::new();
    let root = hall.root("Example Root R1", "p384");
    let other = hall.root("Example Root R2", "p384");
    let revoked = hall.intermediate("Example Intermediate I1", "p256", &root, "");
    let sister = hall.intermediate("Example Intermediate I2", "p256", &root, "");
    let before = hall.crl("crl-1", &root, 1, &[]);
    let after = hall.crl("crl-2", &root, 2, &[&revoked]);
    let others = hall.crl("crl-other", &other, 1, &[]);
    for judge in Judge::ALL {
        let ask = |crl, certificate| judge.not_revoked(&root.file, crl, certificate);
        ask(&before, &revoked.file).assert_good((judge, "before"));
        ask(&after, &revoked.file).assert_bad(&["revoked"], (judge, "after"));
        ask(&after, &sister.file).assert_good((judge, "sister"));
        // GnuTLS takes no notice of lists that are not the issuer's.
        if judge != Judge::GnuTls {
            ask(&others, &sister.file).assert_bad(&["crl", "signature"], (judge, "another's list"));
        }
    }
    pkilint("lint_crl", &["--type", "CRL", "--profile", "PKIX"], &after).assert_good("pkilint");
}

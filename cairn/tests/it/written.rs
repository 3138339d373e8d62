//! Documents of which a part is written from the code.

use std::path::{Path, PathBuf};

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What follows `mark` in a document must be `expected`. With `CAIRN_BLESS` in the environment it is written instead.
pub(crate) fn assert_written(document: &str, mark: &str, expected: &str) {
    let path = root().join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let (introduction, written) = text.split_once(mark).expect("the mark before what is written");
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(&path, format!("{introduction}{mark}{expected}")).unwrap();
    } else {
        assert!(
            written == expected,
            "{document} is not what the code says; run this test with CAIRN_BLESS=1"
        );
    }
}

//! Reads private keys and passphrases from files, and refuses those that others can read.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use cairn_x509::FileSigner;
use zeroize::Zeroizing;

/// Longest file of either kind in bytes. An encrypted RSA key with 8192 bits takes 7 KB.
const MAX_FILE: u64 = 64 * 1024;
/// Read, write or execute for anybody but the owner.
const OTHERS: u32 = 0o077;

/// Reads a private key: encrypted PKCS#8 with its passphrase in `passphrase_file`, or plain. Whatever opens the key must be readable by
/// its owner alone: the passphrase file, or the key file if it is plain.
///
/// # Errors
/// If there is no usable key, or others can read it. The text says what to do.
pub fn read_key_file(path: &Path, passphrase_file: Option<&Path>) -> Result<FileSigner> {
    match passphrase_file {
        None => open_key_file(path, || {
            bail!("the key in {} is encrypted; name the file with its passphrase as well", path.display())
        }),
        Some(passphrase_file) => {
            ensure!(
                FileSigner::is_encrypted(&SecretFile::read(path)?.text),
                "the key in {} is not encrypted, and yet {} is named as the file with its passphrase; encrypt the key, or name \
                 no such file",
                path.display(),
                passphrase_file.display()
            );
            open_key_file(path, || read_passphrase_file(passphrase_file))
        }
    }
}

/// Reads a private key, and the passphrase only if it needs one. A key that is not encrypted must be readable by its owner alone.
///
/// # Errors
/// If there is no usable key, or others can read it. The text says what to do.
pub fn open_key_file(
    path: &Path,
    passphrase: impl FnOnce() -> Result<Zeroizing<String>>,
) -> Result<FileSigner> {
    let file = SecretFile::read(path)?;
    let passphrase = if FileSigner::is_encrypted(&file.text) {
        Some(passphrase()?)
    } else {
        file.ensure_private(path, "a private key that is not encrypted")?;
        None
    };
    FileSigner::from_pem(&file.text, passphrase.as_ref().map(|passphrase| passphrase.as_bytes()))
        .with_context(|| format!("the private key in {} cannot be used", path.display()))
}

/// Reads a passphrase: the file's contents without the line break at the end.
///
/// # Errors
/// If the file is empty, has several lines, or others can read it. The text says what to do.
pub fn read_passphrase_file(path: &Path) -> Result<Zeroizing<String>> {
    read_line(path, "passphrase")
}

/// Reads a password, of a database's role for example, in the same way.
///
/// # Errors
/// As [`read_passphrase_file`].
pub fn read_password_file(path: &Path) -> Result<Zeroizing<String>> {
    read_line(path, "password")
}

/// Reads the PIN of a token in the same way.
///
/// # Errors
/// As [`read_passphrase_file`].
pub fn read_pin_file(path: &Path) -> Result<Zeroizing<String>> {
    read_line(path, "PIN")
}

/// Reads what only its owner may read, of which it is a part: a share, a PIN.
///
/// # Errors
/// As [`read_passphrase_file`].
pub fn read_secret_file(path: &Path, what: &str) -> Result<Zeroizing<String>> {
    let file = SecretFile::read(path)?;
    file.ensure_private(path, what)?;
    Ok(file.text)
}

fn read_line(path: &Path, what: &str) -> Result<Zeroizing<String>> {
    let file = SecretFile::read(path)?;
    file.ensure_private(path, &format!("a {what}"))?;
    let line = file.text.strip_suffix('\n').unwrap_or(&file.text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    ensure!(!line.is_empty(), "the {what} file {} is empty; write the {what} into it", path.display());
    ensure!(!line.contains('\n'), "the {what} file {} must have one line: the {what}", path.display());
    Ok(Zeroizing::new(line.to_owned()))
}

/// What a file holds and who may read it.
struct SecretFile {
    text: Zeroizing<String>,
    mode: u32,
}

impl SecretFile {
    fn read(path: &Path) -> Result<Self> {
        let cannot_read = || format!("cannot read {}", path.display());
        // Before it is opened: opening a pipe would wait for its other end.
        ensure!(fs::metadata(path).with_context(cannot_read)?.is_file(), "{} is not a file", path.display());
        let file = File::open(path).with_context(cannot_read)?;
        // Of the opened file, since the path may name another one by now.
        let mode = file.metadata().with_context(cannot_read)?.permissions().mode();
        // With room for all of it at once: growing would leave copies of the secret in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_FILE + 1)?));
        let length = file.take(MAX_FILE + 1).read_to_string(&mut text).with_context(cannot_read)?;
        ensure!(u64::try_from(length)? <= MAX_FILE, "{} is longer than {MAX_FILE} bytes", path.display());
        Ok(Self { text, mode })
    }

    fn ensure_private(&self, path: &Path, what: &str) -> Result<()> {
        let mode = self.mode & 0o7777;
        ensure!(
            mode & OTHERS == 0,
            "{path} holds {what}, and its mode {mode:04o} lets others read or change it; run: chmod 600 {path}",
            path = path.display()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_x509::{KeySpec, Signer};
    use std::path::PathBuf;
    use tempfile::TempDir;

    /// A folder with a key, encrypted with "open sesame" if so asked, and the passphrase's file.
    struct Files {
        folder: TempDir,
        key: FileSigner,
    }

    impl Files {
        fn new(encrypted: bool) -> Self {
            let (folder, key) = (tempfile::tempdir().unwrap(), FileSigner::generate(KeySpec::P256).unwrap());
            let files = Self { folder, key };
            let passphrase = encrypted.then_some(&b"open sesame"[..]);
            files.write("key.pem", &files.key.to_pkcs8_pem(passphrase).unwrap(), 0o600);
            files.write("passphrase", "open sesame\n", 0o600);
            files
        }

        fn write(&self, name: &str, text: &str, mode: u32) {
            fs::write(self.path(name), text).unwrap();
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn read(&self, passphrase_file: Option<&str>) -> Result<FileSigner> {
            read_key_file(&self.path("key.pem"), passphrase_file.map(|name| self.path(name)).as_deref())
        }
    }

    #[test]
    fn encrypted_and_plain_keys_are_read() {
        let files = Files::new(true);
        assert_eq!(files.read(Some("passphrase")).unwrap().public_key(), files.key.public_key());
        let files = Files::new(false);
        assert_eq!(files.read(None).unwrap().public_key(), files.key.public_key());
    }

    #[test]
    fn a_plain_key_that_others_can_touch_is_refused_with_the_command_that_helps() {
        let files = Files::new(false);
        for mode in [0o640, 0o604, 0o644, 0o620, 0o610] {
            fs::set_permissions(files.path("key.pem"), fs::Permissions::from_mode(mode)).unwrap();
            let error = files.read(None).unwrap_err().to_string();
            assert!(error.contains(&format!("chmod 600 {}", files.path("key.pem").display())), "{error}");
            assert!(error.contains(&format!("{mode:04o}")), "{error}");
        }
        fs::set_permissions(files.path("key.pem"), fs::Permissions::from_mode(0o400)).unwrap();
        files.read(None).unwrap();
    }

    #[test]
    fn an_encrypted_key_may_be_readable_but_its_passphrase_may_not() {
        let files = Files::new(true);
        fs::set_permissions(files.path("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
        files.read(Some("passphrase")).unwrap();
        fs::set_permissions(files.path("passphrase"), fs::Permissions::from_mode(0o640)).unwrap();
        let error = files.read(Some("passphrase")).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && error.contains("passphrase"), "{error}");
    }

    #[test]
    fn key_and_passphrase_must_go_together() {
        let error = Files::new(true).read(None).unwrap_err().to_string();
        assert!(error.contains("is encrypted; name the file with its passphrase"), "{error}");
        let error = Files::new(false).read(Some("passphrase")).unwrap_err().to_string();
        assert!(error.contains("is not encrypted, and yet"), "{error}");
        let files = Files::new(true);
        files.write("passphrase", "open barley", 0o600);
        let error = format!("{:#}", files.read(Some("passphrase")).unwrap_err());
        assert!(error.contains("does not open the private key"), "{error}");
    }

    #[test]
    fn files_without_a_key_or_a_passphrase_are_refused() {
        let files = Files::new(false);
        files.write("key.pem", "no key", 0o600);
        assert!(format!("{:#}", files.read(None).unwrap_err()).contains("no PEM private key"));
        files.write("key.pem", &"x".repeat(65 * 1024), 0o600);
        assert!(files.read(None).unwrap_err().to_string().contains("longer than"));
        assert!(read_key_file(files.folder.path(), None).unwrap_err().to_string().contains("is not a file"));
        assert!(read_key_file(&files.path("none"), None).unwrap_err().to_string().contains("cannot read"));
        for text in ["", "\n", "two\nlines\n"] {
            files.write("passphrase", text, 0o600);
            read_passphrase_file(&files.path("passphrase")).unwrap_err();
        }
        for text in ["one line", "one line\n", "one line\r\n"] {
            files.write("passphrase", text, 0o600);
            assert_eq!(read_passphrase_file(&files.path("passphrase")).unwrap().as_str(), "one line");
        }
    }
}

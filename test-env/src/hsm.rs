//! A hardware security module for tests: SoftHSM, whose tokens are folders.
//!
//! SoftHSM learns where they are from a variable of the environment of the process that loads it, and a process loads it once. So each
//! story is told in a process of its own: [`alone`] runs the test again in a child, and whatever that starts has the same tokens.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// The PIN of every token.
pub const PIN: &str = "correct-horse";

/// Of the security officer, who sets PINs.
const SO_PIN: &str = "battery-staple";

/// Where Debian and others have it.
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

/// Where `pkcs11-spy` is, which writes down what is asked of a module.
const SPIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so",
    "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so",
    "/usr/lib64/pkcs11/pkcs11-spy.so",
];

/// Tells the child that it is one, and where its story's files are.
const FOLDER: &str = "CAIRN_HSM_FOLDER";

/// SoftHSM with the tokens of one story.
#[derive(Debug)]
pub struct SoftHsm {
    folder: PathBuf,
}

/// Tells a story in a process of its own. `story` is the test's whole name, as `--exact` wants it.
///
/// # Errors
/// If it fails, or the programs that it needs are not installed.
pub fn alone(story: &str, tell: impl FnOnce(&SoftHsm) -> Result<()>) -> Result<()> {
    if let Some(folder) = env::var_os(FOLDER) {
        return tell(&SoftHsm { folder: folder.into() });
    }
    let home = tempfile::tempdir()?;
    let tokens = home.path().join("tokens");
    fs::create_dir(&tokens)?;
    let configuration = home.path().join("softhsm2.conf");
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(&configuration, text)?;
    let mut child = Command::new(env::current_exe()?);
    child.args([story, "--exact", "--nocapture", "--test-threads=1"]);
    child.env(FOLDER, home.path()).env("SOFTHSM2_CONF", &configuration);
    child.env("PKCS11SPY", module()?).env("PKCS11SPY_OUTPUT", home.path().join("spied"));
    let output = child.output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{printed}\n{complained}");
    ensure!(printed.contains("1 passed"), "there is no story {story}:\n{printed}");
    show(&printed);
    Ok(())
}

/// The module.
///
/// # Errors
/// If it is not installed.
pub fn module() -> Result<PathBuf> {
    installed(&MODULES, "SoftHSM (softhsm2)")
}

/// The same behind a spy, which writes into [`SoftHsm::spied`].
///
/// # Errors
/// If it is not installed.
pub fn spied_module() -> Result<PathBuf> {
    installed(&SPIES, "pkcs11-spy (opensc-pkcs11)")
}

fn installed(places: &[&str], what: &str) -> Result<PathBuf> {
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    found.with_context(|| format!("{what} is not installed; `./test-env/test hsm` installs it"))
}

impl SoftHsm {
    /// A file of the story's own.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file that only its owner may read.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn secret(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Makes a token.
    ///
    /// # Errors
    /// If SoftHSM cannot.
    pub fn token(&self, label: &str) -> Result<()> {
        let arguments = ["--init-token", "--free", "--label", label, "--so-pin", SO_PIN, "--pin", PIN];
        run(Command::new("softhsm2-util").args(arguments)).map(|_| ())
    }

    /// Asks `pkcs11-tool`, logged in to a token.
    ///
    /// # Errors
    /// If it fails.
    pub fn tool(&self, token: &str, arguments: &[&str]) -> Result<String> {
        let mut tool = Command::new("pkcs11-tool");
        tool.arg("--module").arg(module()?);
        run(tool.args(["--token-label", token, "--login", "--pin", PIN]).args(arguments))
    }

    /// Takes all tokens away, under whoever uses them.
    ///
    /// # Errors
    /// If they are away.
    pub fn pull(&self) -> Result<()> {
        fs::rename(self.path("tokens"), self.path("tokens-away"))?;
        Ok(fs::create_dir(self.path("tokens"))?)
    }

    /// Brings them back.
    ///
    /// # Errors
    /// If they are there.
    pub fn put_back(&self) -> Result<()> {
        // Onto an empty folder.
        Ok(fs::rename(self.path("tokens-away"), self.path("tokens"))?)
    }

    /// How often a function of the module was called, by who used [`spied_module`].
    ///
    /// # Errors
    /// If the spy's file cannot be read.
    pub fn spied(&self, function: &str) -> Result<usize> {
        let path = self.path("spied");
        if !path.exists() {
            return Ok(0);
        }
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        // "12: C_Login"
        Ok(text
            .lines()
            .filter(|line| line.split_once(": ").is_some_and(|(_, name)| name.trim() == function))
            .count())
    }
}

/// What a story has printed, for whoever asked for that with `--nocapture`.
#[expect(clippy::print_stdout, reason = "libtest holds back what is printed so, unless it is told not to")]
fn show(printed: &str) {
    print!("{printed}");
}

fn run(command: &mut Command) -> Result<String> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command
        .output()
        .with_context(|| format!("{name} is not installed; `./test-env/test hsm` installs it"))?;
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    ensure!(output.status.success(), "{name} ended with {}\n{printed}", output.status);
    Ok(printed)
}

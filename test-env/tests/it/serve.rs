//! `cairn init`, `check-config` and `serve`: a CA for real use, from its first day.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;

use cairn_test_env::acme::{Client, Endpoint};
use cairn_test_env::challenges::Http01;
use cairn_test_env::harness::{self, Cairn};
use cairn_test_env::{port, wait};
use challtestsrv::{DnsServer, Zone};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::process::run;
use crate::world::{PATIENCE, dns, es256, names, verified_leaf};

/// What `cairn init` has made, and a configuration that fits this machine.
struct Site {
    home: TempDir,
    port: u16,
    printed: String,
}

impl Site {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = port::free().unwrap();
        let out = home.path().join("ca");
        let (out, base_url) = (out.to_str().unwrap(), format!("https://localhost:{port}"));
        let (well, printed) = run(&["init", "--name", "Example", "--out", out, "--base-url", &base_url]);
        assert!(well, "{printed}");
        Self { home, port, printed }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("ca").join(name)
    }

    fn config(&self) -> PathBuf {
        self.path("cairn.toml")
    }

    /// Changes the configuration that `init` wrote.
    fn replace(&self, what: &str, by: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(what), "{what} is not in {text}");
        fs::write(self.config(), text.replace(what, by)).unwrap();
    }

    /// The addresses of this test instead of the usual ones.
    fn settle(&self, further: &str) {
        self.replace("127.0.0.1:14000", &format!("127.0.0.1:{}", self.port));
        let mut text = fs::read_to_string(self.config()).unwrap();
        write!(text, "\n[management]\nlisten = [\"127.0.0.1:0\"]\n{further}").unwrap();
        fs::write(self.config(), text).unwrap();
    }

    fn check(&self) -> (bool, String) {
        run(&["check-config", "--config", self.config().to_str().unwrap()])
    }

    /// `check-config` and `serve` both refuse, with these words.
    fn assert_refused(&self, words: &[&str]) {
        for subcommand in ["check-config", "serve"] {
            let (well, printed) = run(&[subcommand, "--config", self.config().to_str().unwrap()]);
            assert!(!well, "{subcommand}: {printed}");
            for word in words {
                assert!(printed.contains(word), "{subcommand}: \"{word}\" is missing in: {printed}");
            }
        }
        assert!(!self.path("data").exists(), "who refuses makes nothing");
    }
}

/// A running `cairn serve`; killed if the story fails.
struct Serve(Child);

impl Serve {
    fn start(site: &Site) -> (Self, Value) {
        let ready_file = site.home.path().join("ready.json");
        let _from_before = fs::remove_file(&ready_file);
        let log = fs::File::create(site.home.path().join("log")).unwrap();
        let mut command = harness::command().unwrap();
        command.args(["serve", "--config"]).arg(site.config()).arg("--ready-file").arg(&ready_file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut serve = Self(command.spawn().unwrap());
        let ready = wait::until("cairn serve to listen", PATIENCE, || {
            let log = || fs::read_to_string(site.home.path().join("log")).unwrap();
            assert!(serve.0.try_wait()?.is_none(), "it ended: {}", log());
            Ok(fs::read(&ready_file).ok())
        });
        (serve, serde_json::from_slice(&ready.unwrap()).unwrap())
    }

    fn stop(mut self) {
        cairn_test_env::program::terminate(self.0.id()).unwrap();
        let status = wait::until("cairn serve to stop", PATIENCE, || Ok(self.0.try_wait()?)).unwrap();
        assert!(status.success());
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_makes_encrypted_keys_that_only_their_owner_can_read_and_shows_the_roots_passphrase() {
    let site = Site::new();
    for private in ["intermediate-key.pem", "intermediate-key.passphrase", "root-offline/root-key.pem"] {
        assert_eq!(mode(&site.path(private)), 0o600, "{private}");
    }
    for key in ["intermediate-key.pem", "root-offline/root-key.pem"] {
        let pem = fs::read_to_string(site.path(key)).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
    }
    let (well, printed) = site.check();
    assert!(well && printed.contains("is good"), "{printed}");
    let printed_passphrase = site.printed.lines().find_map(|line| line.strip_prefix("    ")).unwrap();
    let kept = fs::read_to_string(site.path("intermediate-key.passphrase")).unwrap();
    assert_ne!(printed_passphrase, kept.trim_end());

    // A second init harms nothing.
    let root = fs::read(site.path("root.pem")).unwrap();
    let out = site.home.path().join("ca");
    let (well, printed) = run(&["init", "--name", "Example", "--out", out.to_str().unwrap()]);
    assert!(!well, "{printed}");
    assert_eq!(fs::read(site.path("root.pem")).unwrap(), root);
}

#[tokio::test]
async fn serve_issues_with_the_root_offline_and_keeps_everything_over_a_restart() {
    let (zone, stop) = (Zone::new(), CancellationToken::new());
    zone.set_default_ipv4(Some([127, 0, 0, 1].into()));
    let fake_dns = DnsServer::bind(([127, 0, 0, 1], 0).into(), zone).await.unwrap();
    let http_port = port::free().unwrap();
    let site = Site::new();
    site.replace(
        "resolvers = []",
        &format!("resolvers = [\"{}\"]\nhttp_port = {http_port}", fake_dns.local_addr()),
    );
    let va = format!("http_port = {http_port}\n");
    site.replace(&va, &format!("{va}# this machine\n"));
    site.settle("");
    let text = fs::read_to_string(site.config()).unwrap();
    let (before, after) = text.split_once("[va]").unwrap();
    let after = after.replacen("allowed_networks = []", "allowed_networks = [\"127.0.0.0/8\"]", 1);
    fs::write(site.config(), format!("{before}[va]{after}")).unwrap();
    fs::rename(site.path("root-offline"), site.home.path().join("safe")).unwrap();

    let mut tasks = JoinSet::new();
    tasks.spawn(fake_dns.run(stop.clone()));
    let http01 =
        cairn_test_env::challenges::Responder::Http01(Arc::new(Http01::start(http_port).await.unwrap()));
    let root = fs::read_to_string(site.path("root.pem")).unwrap();
    let directory = format!("https://localhost:{}/dir", site.port);
    let endpoint = Arc::new(Endpoint::new(&directory, &root).unwrap());

    let (serve, ready) = Serve::start(&site);
    assert_eq!(ready["directory"], directory.as_str());
    let mut client = Client::connect(Arc::clone(&endpoint), &directory).await.unwrap();
    let account = client.new_account(es256()).await.unwrap();
    let identifiers = dns(["www.example.com"]);
    let csr = cairn_test_env::acme::CertificateRequest::new(&identifiers).unwrap().der;
    let certified =
        cairn_test_env::acme::certify(&mut client, &account, &http01, &identifiers, &csr).await.unwrap();
    assert_eq!(names(&verified_leaf(&certified.chain, &root)), ["www.example.com"]);
    serve.stop();

    let (serve, _) = Serve::start(&site);
    let mut client = Client::connect(endpoint, &directory).await.unwrap();
    assert_eq!(client.certificate(&account, &certified.url).await.unwrap(), certified.chain);
    serve.stop();
    stop.cancel();
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let site = Site::new();
    site.settle("");
    let passphrase = site.path("intermediate-key.passphrase");
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o644)).unwrap();
    site.assert_refused(&["issuer.key", "intermediate-key.passphrase", "600"]);
}

#[test]
fn a_wrong_passphrase_is_refused() {
    let site = Site::new();
    site.settle("");
    fs::write(site.path("intermediate-key.passphrase"), "open sesame, please\n").unwrap();
    site.assert_refused(&["issuer.key", "intermediate-key.pem"]);
}

#[test]
fn a_development_hierarchy_is_refused() {
    let stopped = Cairn::dev().start().unwrap().stop().unwrap();
    let site = Site::new();
    site.settle("");
    for (ours, theirs) in [
        ("root.pem", "root.pem"),
        ("intermediate.pem", "ca/intermediate.pem"),
        ("intermediate-key.pem", "ca/intermediate-key.pem"),
    ] {
        fs::copy(stopped.data_dir().join(theirs), site.path(ours)).unwrap();
    }
    site.replace("passphrase_file", "# passphrase_file");
    site.assert_refused(&["cairn dev", "cairn init"]);
}

#[test]
fn a_bad_configuration_is_refused_with_everything_that_is_wrong() {
    let site = Site::new();
    site.settle("");
    site.replace("lifetime = \"90d\"", "lifetime = \"ninety days\"");
    site.assert_refused(&["cairn.toml", "lifetime"]);
    site.replace("lifetime = \"ninety days\"", "life_time = \"90d\"");
    site.assert_refused(&["cairn.toml", "life_time"]);
    site.replace("life_time", "lifetime");
    site.replace("root = \"root.pem\"", "root = \"missing.pem\"");
    site.replace("listen = [\"127.0.0.1:0\"]", "listen = [\"127.0.0.1:0\"]\n[ra]\nmax_identifiers = 0");
    // Both, not only the first.
    site.assert_refused(&["issuer.root", "missing.pem", "max_identifiers"]);

    let (well, printed) = run(&["serve", "--config", site.path("nowhere.toml").to_str().unwrap()]);
    assert!(!well && printed.contains("nowhere.toml"), "{printed}");
}

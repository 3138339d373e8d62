//! TLS servers that staple (RFC 6066 §8), and clients that want it: must-staple (RFC 7633) from the certificate to the refusal.

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};
use cairn_test_env::home::Home;
use cairn_test_env::program::Running;
use cairn_test_env::{port, wait};

use crate::world::{NAME, PATIENCE, World};

/// A TLS server that staples.
struct Server {
    running: Running,
    port: u16,
}

/// nginx, which gets its staple itself, or has it from a file.
fn nginx(world: &World, staple: Option<&str>) -> Result<Server> {
    let (port, folder) = (port::free()?, world.home.folder().display());
    let staple = staple.map(|file| format!("ssl_stapling_file {folder}/{file};")).unwrap_or_default();
    let mut places = String::new();
    for place in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        write!(places, "{place}_temp_path {folder}/nginx-{place};")?;
    }
    let configuration = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr info; events {{}}\n\
         http {{ access_log off; {places}\n\
         server {{ listen 127.0.0.1:{port} ssl; server_name {NAME}; ssl_certificate {folder}/chain.pem;\n\
         ssl_certificate_key {folder}/key.pem; ssl_stapling on; ssl_stapling_verify on;\n\
         ssl_trusted_certificate {folder}/issuer-and-root.pem; {staple} return 200 hello; }} }}\n"
    );
    let file = world.home.write("nginx.conf", &configuration)?;
    let mut running =
        world.home.program("nginx")?.arg("-p").arg(world.home.folder()).arg("-c").arg(file).start()?;
    running.listens_on(port)?;
    Ok(Server { running, port })
}

/// Apache, which gets its staple itself.
fn apache(world: &World) -> Result<Server> {
    let (port, folder) = (port::free()?, world.home.folder().display());
    let modules = "/usr/lib/apache2/modules";
    let mut configuration = String::new();
    for module in ["mpm_event", "authz_core", "socache_shmcb", "ssl"] {
        writeln!(configuration, "LoadModule {module}_module {modules}/mod_{module}.so")?;
    }
    write!(
        configuration,
        "ServerRoot {folder}\nServerName {NAME}\nPidFile {folder}/apache.pid\nErrorLog {folder}/apache-error.log\nLogLevel info\n\
         Listen 127.0.0.1:{port}\nDefaultRuntimeDir {folder}\nSSLStaplingCache shmcb:{folder}/staples(65536)\n\
         <VirtualHost *:{port}>\nSSLEngine on\nSSLCertificateFile {folder}/chain.pem\nSSLCertificateKeyFile {folder}/key.pem\n\
         SSLCACertificateFile {folder}/issuer-and-root.pem\nSSLUseStapling on\nSSLStaplingReturnResponderErrors off\n</VirtualHost>\n"
    )?;
    let file = world.home.write("apache.conf", &configuration)?;
    let mut running = world.home.program("apache2")?.args(["-D", "FOREGROUND", "-f"]).arg(file).start()?;
    running.listens_on(port)?;
    Ok(Server { running, port })
}

impl Server {
    /// What OpenSSL is shown in a handshake.
    fn handshake(&self, home: &Home) -> Result<String> {
        let openssl = home.program("openssl")?.args(["s_client", "-status", "-CAfile", "root.pem"]);
        openssl.args(["-servername", NAME, "-connect", &format!("127.0.0.1:{}", self.port)]).run()
    }

    /// Waits for a staple that says this: who staples gets the answer when the first client has come.
    fn staples(&self, world: &World, status: &str) -> Result<()> {
        wait::until(&format!("a staple that says {status}"), PATIENCE, || {
            let said = self.handshake(&world.home)?;
            if said.contains("OCSP response: no response sent") {
                return Ok(None);
            }
            ensure!(said.contains(&format!("Cert Status: {status}")), "{said}");
            Ok(Some(()))
        })
    }

    /// Whether GnuTLS, which insists on what certificates say of stapling, connects.
    fn gnutls(&self, home: &Home) -> Result<(bool, String)> {
        let client = |home: &Home| {
            let client =
                home.program("gnutls-cli")?.args(["--x509cafile", "root.pem", "--sni-hostname", NAME]);
            anyhow::Ok(client.args([
                "--verify-hostname",
                NAME,
                "--port",
                &self.port.to_string(),
                "127.0.0.1",
            ]))
        };
        match client(home)?.run() {
            Ok(said) => Ok((true, said)),
            Err(_) => Ok((false, client(home)?.fails()?)),
        }
    }

    /// curl that insists on a staple which says that the certificate is good.
    fn curl(&self, home: &Home) -> Result<(bool, String)> {
        let curl = |home: &Home| {
            let curl = home.program("curl")?.args([
                "--silent",
                "--show-error",
                "--cert-status",
                "--cacert",
                "root.pem",
            ]);
            let curl = curl.args(["--resolve", &format!("{NAME}:{}:127.0.0.1", self.port)]);
            anyhow::Ok(curl.arg(format!("https://{NAME}:{}/", self.port)))
        };
        match curl(home)?.run() {
            Ok(said) => Ok((true, said)),
            Err(_) => Ok((false, curl(home)?.fails()?)),
        }
    }

    fn stop(self) -> Result<()> {
        self.running.stop()
    }
}

#[test]
fn what_must_be_stapled_is_good_with_nginx_and_refused_when_it_is_revoked() -> Result<()> {
    let mut world = World::new(&["--must-staple"])?;
    let said = world
        .home
        .program("openssl")?
        .args(["x509", "-noout", "-ext", "tlsfeature", "-in", "leaf.pem"])
        .run()?;
    ensure!(said.contains("status_request"), "{said}");

    let server = nginx(&world, None)?;
    server.staples(&world, "good")?;
    let (connects, said) = server.gnutls(&world.home)?;
    ensure!(connects, "{said}");
    let (connects, said) = server.curl(&world.home)?;
    ensure!(connects && said.contains("hello"), "{said}");
    server.stop()?;

    world.revoke()?;
    // nginx finds out for itself, and has nothing to staple: whoever insists goes away.
    let server = nginx(&world, None)?;
    for _ in 0..3 {
        let said = server.handshake(&world.home)?;
        ensure!(said.contains("OCSP response: no response sent"), "{said}");
    }
    for (connects, said) in [server.gnutls(&world.home)?, server.curl(&world.home)?] {
        ensure!(!connects, "{said}");
    }
    server.stop()?;

    // And what it is made to staple says so.
    let openssl = world.home.program("openssl")?.args([
        "ocsp",
        "-issuer",
        "issuer.pem",
        "-cert",
        "leaf.pem",
        "-no_nonce",
    ]);
    openssl.args(["-CAfile", "root.pem", "-url", &world.url(), "-respout", "staple"]).run()?;
    let server = nginx(&world, Some("staple"))?;
    server.staples(&world, "revoked")?;
    for (connects, said) in [server.gnutls(&world.home)?, server.curl(&world.home)?] {
        ensure!(!connects && said.to_lowercase().contains("revo"), "{said}");
    }
    server.stop()?;
    world.end()
}

#[test]
fn apache_staples_what_is_so() -> Result<()> {
    let mut world = World::new(&["--delegated-ocsp"])?;
    let server = apache(&world)?;
    server.staples(&world, "good")?;
    let (connects, said) = server.curl(&world.home)?;
    ensure!(connects, "{said}");
    server.stop()?;
    world.revoke()?;
    // Another cache of staples, as when it was restarted.
    let server = apache(&world)?;
    server.staples(&world, "revoked")?;
    let (connects, said) = server.curl(&world.home)?;
    if connects {
        bail!("{said}");
    }
    server.stop()?;
    world.end()
}

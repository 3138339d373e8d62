//! What `cairn dev` prints when it is ready: what it made and where, and a line to paste for each client. `test-env` runs these lines as
//! they are printed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cairn_x509::Certificate;

use crate::cli::DevArgs;
use crate::hierarchy::{ROOT_FILE, fingerprint};

/// The facts behind the text.
pub struct Banner<'a> {
    /// Whether the hierarchy is new.
    pub made: bool,
    /// Where the API listens.
    pub api: Vec<SocketAddr>,
    /// Where relying parties are served.
    pub pki: Vec<SocketAddr>,
    /// Where the management listener listens.
    pub management: Vec<SocketAddr>,
    /// Where the fake DNS listens.
    pub dns: SocketAddr,
    /// Where the fake DNS is managed.
    pub dns_management: SocketAddr,
    /// Where things are kept, if they are.
    pub data_dir: Option<PathBuf>,
    /// The root.
    pub root: &'a Certificate,
    /// The intermediate.
    pub intermediate: &'a Certificate,
    /// What was asked for.
    pub args: &'a DevArgs,
}

/// Where the paste lines expect the root when it is in no file of ours.
const FETCHED_ROOT: &str = "cairn-root.pem";

impl Banner<'_> {
    /// The directory's URL.
    pub fn directory(&self) -> String {
        format!("https://{}/dir", host_and_port(&self.api))
    }

    /// The file that holds the root, absolute; `None` when nothing is kept.
    pub fn root_file(&self) -> Option<PathBuf> {
        self.data_dir.as_ref().map(|folder| {
            let path = folder.join(ROOT_FILE);
            std::path::absolute(&path).unwrap_or(path)
        })
    }

    /// Prints. Nobody may be reading: that is no error.
    pub fn print(&self) {
        let _ = std::io::stdout().lock().write_all(self.text().as_bytes());
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.facts(&mut text);
        let _ = self.paste_lines(&mut text);
        text
    }

    fn facts(&self, text: &mut String) -> std::fmt::Result {
        let Self { args, .. } = self;
        let management = format!("https://{}", host_and_port(&self.management));
        writeln!(text, "Cairn {} is ready: {}\n", env!("CARGO_PKG_VERSION"), self.directory())?;
        let names = self.root.subject().common_name().zip(self.intermediate.subject().common_name());
        let (root, intermediate) = names.unwrap_or(("root", "intermediate"));
        let verb = if self.made { "made" } else { "found" };
        writeln!(text, "  {verb:<11} {root} ({})", self.root.public_key().kind())?;
        writeln!(text, "  {:<11} {intermediate} ({})", "", self.intermediate.public_key().kind())?;
        match (&self.data_dir, self.root_file()) {
            (Some(folder), Some(root)) => {
                writeln!(text, "  kept in     {}", folder.display())?;
                writeln!(text, "  trust       {}", root.display())?;
            }
            _ => writeln!(text, "  trust       {management}/roots/0 (nothing is kept in files)")?,
        }
        writeln!(text, "              SHA-256 {}", fingerprint(self.root))?;
        writeln!(text, "  management  {management}  /roots/0  /intermediates/0  /readyz")?;
        if let Some(pki) = self.pki.first() {
            writeln!(text, "  revocation  http://{pki}, as certificates say")?;
        }
        let ipv6 = args.default_ipv6.map(|ip| format!(" and {ip}")).unwrap_or_default();
        writeln!(text, "  fake DNS    {} says {}{ipv6} for every name", self.dns, args.default_ipv4)?;
        writeln!(text, "              unless told otherwise at http://{}", self.dns_management)?;
        writeln!(
            text,
            "  validates   http-01 on port {}, tls-alpn-01 on port {},",
            args.http_port, args.tls_port
        )?;
        writeln!(text, "              dns-01 by the fake DNS; the answers are your client's to give\n")
    }

    fn paste_lines(&self, text: &mut String) -> std::fmt::Result {
        let url = self.directory();
        let root = self.root_file().unwrap_or_else(|| PathBuf::from(FETCHED_ROOT));
        let root = quoted(&root);
        let (http, tls) = (self.args.http_port, self.args.tls_port);
        writeln!(
            text,
            "Paste into another terminal, with a client that you have and any name under .test:\n"
        )?;
        if self.data_dir.is_none() {
            let management = host_and_port(&self.management);
            writeln!(text, "  # first, the root (compare its fingerprint)")?;
            writeln!(text, "  curl -sSk -o {FETCHED_ROOT} https://{management}/roots/0\n")?;
        }
        writeln!(text, "  # curl")?;
        writeln!(text, "  curl --cacert {root} {url}\n")?;
        writeln!(text, "  # certbot")?;
        writeln!(
            text,
            "  REQUESTS_CA_BUNDLE={root} certbot certonly --standalone --http-01-port {http} --server {url} \
             --non-interactive --agree-tos --register-unsafely-without-email --config-dir certbot --work-dir certbot \
             --logs-dir certbot -d certbot.test\n"
        )?;
        writeln!(text, "  # lego")?;
        writeln!(
            text,
            "  LEGO_CA_CERTIFICATES={root} lego --server {url} --accept-tos --email you@example.test --path lego \
             --http --http.port :{http} -d lego.test run\n"
        )?;
        writeln!(text, "  # acme.sh (not run by our tests)")?;
        writeln!(
            text,
            "  acme.sh --issue --standalone --httpport {http} --server {url} --ca-bundle {root} -d acme-sh.test\n"
        )?;
        writeln!(text, "  # Caddy (serves https://caddy.test on port {tls})")?;
        writeln!(
            text,
            "  printf '%s\\n' '{{' 'acme_ca {url}' \"acme_ca_root \"{root} 'http_port {http}' 'https_port {tls}' 'admin off' \
             '}}' 'caddy.test' 'respond \"Hello from Caddy\"' | caddy run --adapter caddyfile --config -\n"
        )
    }
}

/// The host and port to call: `localhost` when that is where it listens.
fn host_and_port(addresses: &[SocketAddr]) -> String {
    let Some(first) = addresses.first() else { return String::new() };
    if first.ip().is_loopback() && first.is_ipv4() || first.ip().is_unspecified() {
        return format!("localhost:{}", first.port());
    }
    first.to_string()
}

/// A path for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted(Path::new("/tmp/root.pem")), "/tmp/root.pem");
        assert_eq!(quoted(Path::new("/tmp/my root's.pem")), r"'/tmp/my root'\''s.pem'");
    }

    #[test]
    fn loopback_is_called_localhost() {
        let addresses = |text: &str| vec![text.parse().unwrap()];
        assert_eq!(host_and_port(&addresses("127.0.0.1:14000")), "localhost:14000");
        assert_eq!(host_and_port(&addresses("[::1]:14000")), "[::1]:14000");
        assert_eq!(host_and_port(&addresses("192.0.2.1:443")), "192.0.2.1:443");
    }
}

//! What every story ends with: is the chain that the client was given good, judged by OpenSSL?

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result, ensure};
use cairn_test_env::{harness::Cairn, home::Home, program::Program};

/// The chain in the PEM file `chain`, leaf first, leads to the root that the management listener hands out, and the leaf
/// is for exactly `names` (as OpenSSL writes them: `DNS:a.test`, `IP Address:127.0.0.1`).
pub(crate) fn verify(cairn: &Cairn, chain: &Path, names: &[&str]) -> Result<()> {
    let bench = Home::new()?;
    let (leaf, intermediates) = leaf_and_intermediates(&std::fs::read_to_string(chain)?)?;
    bench.write("root.pem", &root(cairn)?)?;
    bench.write("leaf.pem", &leaf)?;
    bench.write("intermediates.pem", &intermediates)?;

    let openssl = bench.program("openssl")?.args(["verify", "-x509_strict", "-purpose", "sslserver"]);
    openssl.args(["-CAfile", "root.pem", "-untrusted", "intermediates.pem", "leaf.pem"]).run()?;
    ensure!(
        self::names(&bench.path("leaf.pem"))? == names.iter().map(|name| (*name).to_owned()).collect(),
        "the certificate should be for {names:?}\n{}",
        text(&bench.path("leaf.pem"))?
    );
    Ok(())
}

/// The leaf as `openssl x509 -text` describes it.
pub(crate) fn text(chain: &Path) -> Result<String> {
    openssl()?.args(["x509", "-noout", "-text", "-in"]).arg(chain).run()
}

/// The leaf's serial, to tell a renewed certificate from the one before.
pub(crate) fn serial(chain: &Path) -> Result<String> {
    openssl()?.args(["x509", "-noout", "-serial", "-in"]).arg(chain).run()
}

/// The root as the management listener hands it out, trusted as a person would: by its fingerprint.
pub(crate) fn root(cairn: &Cairn) -> Result<String> {
    let bench = Home::new()?;
    let curl = bench.program("curl")?.args(["--silent", "--show-error", "--fail", "--insecure"]);
    let root = curl.arg(cairn.management_url("/roots/0")?).run()?;
    let file = bench.write("fetched.pem", &root)?;
    let openssl = bench.program("openssl")?.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]);
    let fingerprint = openssl.arg(file).run()?;
    ensure!(
        fingerprint.trim_end().ends_with(&cairn.ready.root_sha256),
        "{fingerprint} is not what cairn said"
    );
    Ok(root)
}

/// OpenSSL for questions about one file; it needs no home of its own.
fn openssl() -> Result<Program> {
    Program::installed("openssl", Path::new("/"))
}

fn names(leaf: &Path) -> Result<BTreeSet<String>> {
    let shown = openssl()?.args(["x509", "-noout", "-ext", "subjectAltName", "-in"]).arg(leaf).run()?;
    let list = shown.lines().nth(1).context("the certificate has no subject alternative names")?;
    Ok(list.split(',').map(|name| name.trim().to_owned()).collect())
}

/// RFC 8555 §9.1: the leaf comes first. At least one certificate must follow it.
fn leaf_and_intermediates(chain: &str) -> Result<(String, String)> {
    const END: &str = "-----END CERTIFICATE-----\n";
    let (leaf, rest) = chain.split_once(END).context("there is no certificate in the chain")?;
    ensure!(rest.contains(END), "the chain is the leaf alone");
    Ok((format!("{leaf}{END}"), rest.to_owned()))
}

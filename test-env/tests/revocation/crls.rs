//! Clients that read CRLs, fetched from where the certificate says, and what they make of them.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use cairn_test_env::wait;

use crate::askers::{python, tools};
use crate::world::{PATIENCE, World};

const KEY_COMPROMISE: i64 = 1;

/// Where the certificate says that its CRL lies.
fn url(world: &World) -> Result<String> {
    let urls = world.leaf.description()?.crl_urls;
    urls.first().cloned().context("the certificate names no CRL")
}

/// Fetches the CRL as `crl.der` and `crl.pem`, once there is one.
fn fetch(world: &World) -> Result<()> {
    wait::until("a CRL", PATIENCE, || {
        let curl = world.home.program("curl")?.args(["--silent", "--fail", "--output", "crl.der"]);
        Ok(curl.arg(url(world)?).run().is_ok().then_some(()))
    })?;
    let openssl = world.home.program("openssl")?.args(["crl", "-inform", "DER", "-in", "crl.der"]);
    openssl.args(["-out", "crl.pem"]).run().map(drop)
}

/// What `openssl crl` tells of it.
fn text(world: &World) -> Result<String> {
    let openssl = world.home.program("openssl")?.args(["crl", "-in", "crl.pem", "-CAfile", "issuer.pem"]);
    openssl.args(["-noout", "-text"]).run()
}

/// Revokes the certificate because its key is in other hands, and fetches the list that tells of it: it is made at once.
fn compromise(world: &mut World) -> Result<()> {
    world.revoke_for(KEY_COMPROMISE)?;
    wait::until("the certificate on the CRL", PATIENCE, || {
        fetch(world)?;
        Ok(text(world)?.contains("Key Compromise").then_some(()))
    })
}

const VERIFY: [&str; 6] = ["verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "issuer.pem"];

#[test]
fn openssl_trusts_a_certificate_until_it_stands_on_the_list() -> Result<()> {
    let mut world = World::new(&[])?;
    fetch(&world)?;
    let told = text(&world)?;
    for expected in
        ["verify OK", "X509v3 Issuing Distribution Point: critical", "Only User Certificates", &url(&world)?]
    {
        ensure!(told.contains(expected), "{expected}: {told}");
    }
    let verify = |how: &[&str]| -> Result<_> {
        Ok(world.home.program("openssl")?.args(VERIFY).arg("-crl_check").args(how).arg("leaf.pem"))
    };
    // The list that was fetched, and that which OpenSSL fetches itself.
    const WAYS: [&[&str]; 2] = [&["-CRLfile", "crl.pem"], &["-crl_download"]];
    for how in WAYS {
        let said = verify(how)?.run()?;
        ensure!(said.contains("leaf.pem: OK"), "{how:?}: {said}");
    }
    let said = verify(&[])?.fails()?;
    ensure!(said.contains("unable to get certificate CRL"), "{said}");
    compromise(&mut world)?;
    for how in WAYS {
        let openssl = world.home.program("openssl")?.args(VERIFY).arg("-crl_check").args(how);
        let said = openssl.arg("leaf.pem").fails()?;
        ensure!(said.contains("certificate revoked"), "{how:?}: {said}");
    }
    world.end()
}

#[test]
fn gnutls_trusts_a_certificate_until_it_stands_on_the_list() -> Result<()> {
    let mut world = World::new(&[])?;
    fetch(&world)?;
    let certtool = |world: &World| {
        let certtool = world.home.program("certtool")?.args(["--verify", "--infile", "chain.pem"]);
        anyhow::Ok(certtool.args(["--load-ca-certificate", "root.pem", "--load-crl", "crl.pem"]))
    };
    let said = certtool(&world)?.run()?;
    ensure!(said.contains("Chain verification output: Verified. The certificate is trusted."), "{said}");
    compromise(&mut world)?;
    let said = certtool(&world)?.fails()?;
    ensure!(said.contains("revoked"), "{said}");
    world.end()
}

#[test]
fn python_finds_what_is_listed_and_pkilint_has_nothing_to_say() -> Result<()> {
    let mut world = World::new(&[])?;
    for expected in ["none", "key_compromise"] {
        if expected == "none" {
            fetch(&world)?;
        } else {
            compromise(&mut world)?;
        }
        let said = python(&world, "crl.py")?.args(["crl.der", expected]).output()?;
        ensure!(said.status.success(), "{expected}: {said:?}");
        let lint = Command::new(tools()?.join("bin/lint_crl"))
            .args(["lint", "--type", "CRL", "--profile", "BR", "--severity", "INFO"])
            .arg(world.home.path("crl.der"))
            .output()?;
        ensure!(lint.status.success(), "{expected}: {lint:?}");
    }
    world.end()
}

#[test]
fn who_has_the_list_is_told_so_until_there_is_another() -> Result<()> {
    let mut world = World::new(&[])?;
    fetch(&world)?;
    let url = url(&world)?;
    let curl = |world: &World, arguments: &[&str]| -> Result<String> {
        let curl = world.home.program("curl")?.args(["--silent", "--output", "again.der"]);
        curl.args(["--write-out", "%{http_code} %{content_type}"]).args(arguments).arg(&url).run()
    };
    let ask = ["--etag-save", "etag", "--etag-compare", "etag"];
    ensure!(curl(&world, &ask)?.starts_with("200 application/pkix-crl"));
    ensure!(curl(&world, &ask)?.starts_with("304"));
    ensure!(curl(&world, &["--time-cond", "crl.der"])?.starts_with("304"), "what was fetched is not older");
    let head = world.home.program("curl")?.args(["--silent", "--head"]).arg(&url).run()?.to_lowercase();
    for header in
        ["content-length: ", "last-modified: ", "expires: ", "etag: \"", "cache-control: public, max-age="]
    {
        ensure!(head.contains(header), "{header}: {head}");
    }
    compromise(&mut world)?;
    ensure!(curl(&world, &ask)?.starts_with("200"));
    world.end()
}

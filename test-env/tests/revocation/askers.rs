//! Clients that ask by OCSP, and what they make of the answers.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cairn_test_env::relying_party as party;

use crate::world::World;

/// Who signs.
const SIGNERS: [&[&str]; 2] = [&[], &["--delegated-ocsp"]];

/// What `openssl ocsp` is told: what comes before the certificates, and what comes behind.
const WAYS: [[&[&str]; 2]; 4] = [
    [&[], &[]],
    [&[], &["-no_nonce"]],
    // As those do who reach it by a name.
    [&[], &["-no_nonce", "-header", "Host=pki.example.com"]],
    [&["-sha256"], &["-no_nonce"]],
];

#[test]
fn openssl_sees_good_and_then_revoked() -> Result<()> {
    for signer in SIGNERS {
        let mut world = World::new(signer)?;
        for expected in ["leaf.pem: good", "leaf.pem: revoked"] {
            if expected.ends_with("revoked") {
                world.revoke()?;
            }
            for [before, behind] in WAYS {
                let openssl = world.home.program("openssl")?.arg("ocsp").args(before);
                let openssl =
                    openssl.args(["-issuer", "issuer.pem", "-cert", "leaf.pem", "-CAfile", "root.pem"]);
                let said = openssl.args(["-url", &world.url()]).args(behind).run()?;
                let told = format!("{signer:?} {before:?} {behind:?}: {said}");
                ensure!(said.contains("Response verify OK") && said.contains(expected), "{told}");
                // Without a nonce OpenSSL warns only if it has sent one.
                ensure!(!said.contains("WARNING"), "{told}");
                ensure!(expected.ends_with("good") || said.contains("Reason: superseded"), "{told}");
            }
        }
        world.end()?;
    }
    Ok(())
}

#[test]
fn openssl_is_told_that_nobody_knows_a_certificate_of_another_ca() -> Result<()> {
    let (one, other) = (World::new(&[])?, World::new(&[])?);
    std::fs::copy(other.home.path("leaf.pem"), one.home.path("other.pem"))?;
    let openssl = one.home.program("openssl")?.args(["ocsp", "-issuer", "issuer.pem", "-cert", "other.pem"]);
    let said = openssl.args(["-CAfile", "root.pem", "-url", &one.url()]).fails()?;
    ensure!(said.contains("Responder Error: unauthorized (6)"), "{said}");
    // Beside one that is known, a serial that was never used is unknown.
    let openssl = one.home.program("openssl")?.args(["ocsp", "-issuer", "issuer.pem", "-cert", "leaf.pem"]);
    let said = openssl.args(["-serial", "0x7777", "-CAfile", "root.pem", "-url", &one.url()]).run()?;
    let expected = ["Response verify OK", "leaf.pem: good", "0x7777: unknown"];
    ensure!(expected.iter().all(|expected| said.contains(expected)), "{said}");
    one.end()?;
    other.end()
}

#[test]
fn gnutls_sees_good_and_then_revoked() -> Result<()> {
    for signer in SIGNERS {
        let mut world = World::new(signer)?;
        // Whoever is trusted to sign: the issuer itself, or it as somebody who certifies responders.
        let trusted = if signer.is_empty() { "--load-signer" } else { "--load-trust" };
        for expected in ["good", "revoked"] {
            if expected == "revoked" {
                world.revoke()?;
            }
            for nonce in ["--nonce", "--no-nonce"] {
                let ocsptool = world.home.program("ocsptool")?.arg(format!("--ask={}", world.url()));
                let ocsptool =
                    ocsptool.args([nonce, "--load-cert", "leaf.pem", "--load-issuer", "issuer.pem"]);
                let said = ocsptool.args([trusted, "issuer.pem"]).run()?;
                let told = format!("{signer:?} {nonce}: {said}");
                ensure!(said.contains("Verifying OCSP Response: Success."), "{told}");
                ensure!(said.contains(&format!("Certificate Status: {expected}")), "{told}");
            }
        }
        world.end()?;
    }
    Ok(())
}

#[test]
fn curl_gets_the_same_answer_as_a_post() -> Result<()> {
    let world = World::new(&[])?;
    let request = party::request(&world.issuer, &world.leaf)?;
    std::fs::write(world.home.path("request"), &request)?;
    let base64 = world.home.program("openssl")?.args(["base64", "-A", "-in", "request"]).run()?;
    let posted = party::post(world.pki, &request)?;
    for text in
        [base64.trim().to_owned(), base64.trim().replace('/', "%2F").replace('+', "%2B").replace('=', "%3D")]
    {
        let curl =
            world.home.program("curl")?.args(["--silent", "--show-error", "--fail", "--output", "got"]);
        curl.arg(format!("{}/{text}", world.url())).run()?;
        ensure!(std::fs::read(world.home.path("got"))? == posted.body, "{text}");
    }
    world.end()
}

#[test]
fn python_verifies_what_is_said_and_pkilint_has_nothing_to_say() -> Result<()> {
    for signer in SIGNERS {
        let mut world = World::new(signer)?;
        for expected in ["GOOD", "REVOKED"] {
            if expected == "REVOKED" {
                world.revoke()?;
            }
            let said = python(&world, "ocsp.py")?.args([&world.url(), expected]).output()?;
            ensure!(said.status.success(), "{signer:?} {expected}: {said:?}");
            let lint = Command::new(tools()?.join("bin/lint_ocsp_response"))
                .args(["lint", "--severity", "INFO"])
                .arg(world.home.path("answer"))
                .output()?;
            ensure!(lint.status.success(), "{signer:?} {expected}: {lint:?}");
        }
        world.end()?;
    }
    Ok(())
}

/// A script beside this file, in the home of `world`.
pub(crate) fn python(world: &World, script: &str) -> Result<Command> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/revocation");
    let mut command = Command::new(tools()?.join("bin/python"));
    command.arg(folder.join(script)).current_dir(world.home.folder());
    Ok(command)
}

pub(crate) fn tools() -> Result<PathBuf> {
    let tools = env::var_os("CAIRN_PYTHON").context(
        "CAIRN_PYTHON names no Python environment with cryptography, pkilint and moto; `./test-env/test revocation` makes one",
    )?;
    Ok(PathBuf::from(tools))
}

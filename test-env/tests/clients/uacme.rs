//! uacme: a certificate for an IP address (RFC 8738) and one for a name.
//!
//! uacme trusts what the system trusts and nothing else can be said to it. proot(1) shows it another `/etc/ssl/certs`,
//! which takes no rights and leaves the machine's own trust alone.

use std::fs;

use anyhow::{Result, ensure};
use cairn_test_env::{
    harness::Cairn,
    home::Home,
    program::{Program, Running},
};

use crate::chain;

#[test]
fn uacme_obtains_for_an_ip_address() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    let site = serve_challenges(&cairn, &home)?;

    uacme(&cairn, &home)?.args(["new", "uacme@example.org"]).run()?;
    uacme(&cairn, &home)?.args(["--hook", "./hook", "issue", "127.0.0.1"]).run()?;
    chain::verify(&cairn, &home.path("uacme/127.0.0.1/cert.pem"), &["IP Address:127.0.0.1"])?;

    site.stop()?;
    cairn.stop()?;
    Ok(())
}

#[test]
fn uacme_obtains_for_a_name_and_revokes() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    let site = serve_challenges(&cairn, &home)?;

    uacme(&cairn, &home)?.args(["new"]).run()?;
    uacme(&cairn, &home)?.args(["--hook", "./hook", "issue", "uacme.test"]).run()?;
    let chain = home.path("uacme/uacme.test/cert.pem");
    chain::verify(&cairn, &chain, &["DNS:uacme.test"])?;

    uacme(&cairn, &home)?.arg("revoke").arg(&chain).run()?;
    ensure!(!chain.exists(), "uacme puts a revoked certificate aside");

    site.stop()?;
    cairn.stop()?;
    Ok(())
}

/// A file server on the port of http-01, and a hook that puts uacme's answers where it serves from.
fn serve_challenges(cairn: &Cairn, home: &Home) -> Result<Running> {
    fs::create_dir_all(home.path("site/.well-known/acme-challenge"))?;
    // uacme calls it as `hook begin|done|failed TYPE NAME TOKEN KEY-AUTHORIZATION`; failing it makes uacme offer the
    // next challenge.
    home.write_script(
        "hook",
        "#!/bin/sh\ntest \"$2\" = http-01 || exit 1\nanswer=site/.well-known/acme-challenge/$4\n\
         case \"$1\" in begin) printf %s \"$5\" >\"$answer\" ;; *) rm \"$answer\" ;; esac\n",
    )?;
    let address = format!("127.0.0.1:{}", cairn.http_port());
    let caddy = home.program("caddy")?.args(["file-server", "--root", "site", "--listen", &address]);
    let mut site = caddy.start()?;
    site.listens_on(cairn.http_port())?;
    Ok(site)
}

fn uacme(cairn: &Cairn, home: &Home) -> Result<Program> {
    // The GnuTLS build of libcurl reads the folder's files, whatever they are called.
    fs::create_dir_all(home.path("trusted"))?;
    fs::copy(cairn.root_file()?, home.path("trusted/root.pem"))?;
    let uacme = home.program("proot")?.args(["-b", "trusted:/etc/ssl/certs", "uacme"]);
    Ok(uacme.args(["--verbose", "--yes", "--confdir", "uacme", "--acme-url", &cairn.ready.directory]))
}

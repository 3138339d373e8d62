//! What `cairn dev` prints to be pasted is pasted here: every line, exactly as printed, into a shell.

use anyhow::{Context, Result, bail, ensure};
use cairn_test_env::{harness::Cairn, home::Home, program::Program};

use crate::chain;

#[test]
fn every_line_that_cairn_dev_prints_works() -> Result<()> {
    paste_every_line(Cairn::dev().start()?)
}

#[test]
fn every_line_that_an_ephemeral_cairn_dev_prints_works() -> Result<()> {
    paste_every_line(Cairn::dev().ephemeral().start()?)
}

fn paste_every_line(cairn: Cairn) -> Result<()> {
    let home = Home::new()?;
    let mut pasted = Vec::new();
    for (title, line) in lines(&cairn.banner()?)? {
        let client = title.split([' ', ',']).next().unwrap_or_default().to_owned();
        paste(&cairn, &home, &client, &title, &line)
            .with_context(|| format!("the line for {client}: {line}"))?;
        pasted.push(client);
    }
    for client in ["curl", "certbot", "lego", "acme.sh", "Caddy"] {
        ensure!(pasted.iter().any(|pasted| pasted == client), "cairn dev prints no line for {client}");
    }
    cairn.stop()?;
    Ok(())
}

fn paste(cairn: &Cairn, home: &Home, client: &str, title: &str, line: &str) -> Result<()> {
    match client {
        // "# first, the root (…)": where nothing is kept, the root has to be fetched.
        "first" => shell(home, line)?.run().map(drop),
        "curl" => {
            let directory = shell(home, line)?.run()?;
            ensure!(directory.contains("newNonce"), "{directory}");
            Ok(())
        }
        "certbot" => {
            shell(home, line)?.run()?;
            chain::verify(cairn, &home.path("certbot/live/certbot.test/fullchain.pem"), &["DNS:certbot.test"])
        }
        "lego" => {
            shell(home, line)?.run()?;
            chain::verify(cairn, &home.path("lego/certificates/lego.test.crt"), &["DNS:lego.test"])
        }
        "acme.sh" => {
            ensure!(
                title.contains("not run by our tests"),
                "Debian has no acme.sh; a line nobody runs must say so"
            );
            Ok(())
        }
        "Caddy" => {
            let mut caddy = shell(home, line)?.start()?;
            caddy.listens_on(cairn.tls_port())?;
            crate::caddy::page(cairn, home).with_context(|| caddy.printed())?;
            caddy.stop()
        }
        _ => bail!("nobody knows how to try it"),
    }
}

fn shell(home: &Home, line: &str) -> Result<Program> {
    // With a trap, bash outlives the SIGTERM meant for the client it waits for, and tells how that one ended.
    Ok(home.program("bash")?.args(["-c", &format!("trap : TERM\n{line}")]))
}

/// The indented lines to paste, each with the comment above it.
fn lines(banner: &str) -> Result<Vec<(String, String)>> {
    let (_, pasteable) = banner.split_once("\nPaste ").context("cairn dev prints nothing to paste")?;
    let mut lines = Vec::new();
    let mut title = None;
    for line in pasteable.lines().skip(1).map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(comment) => title = Some(comment.to_owned()),
            None => lines
                .push((title.take().with_context(|| format!("no comment above {line}"))?, line.to_owned())),
        }
    }
    Ok(lines)
}

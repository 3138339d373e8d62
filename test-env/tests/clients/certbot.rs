//! certbot: http-01 by its own server, dns-01 by hooks, a wildcard, renewal, both ways to revoke, leaving.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use cairn_test_env::{harness::Cairn, home::Home, program::Program};

use crate::chain;

#[test]
fn certbot_obtains_by_http_01_and_renews() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);

    obtain(&cairn, &home)?.args(["-d", "certbot.test", "-d", "www.certbot.test"]).run()?;
    let chain = chain_file(&home, "certbot.test");
    chain::verify(&cairn, &chain, &["DNS:certbot.test", "DNS:www.certbot.test"])?;

    let before = chain::serial(&chain)?;
    certbot(&cairn, &home, "renew")?.args(["--force-renewal", "--no-random-sleep-on-renew"]).run()?;
    chain::verify(&cairn, &chain, &["DNS:certbot.test", "DNS:www.certbot.test"])?;
    ensure!(chain::serial(&chain)? != before, "renewal left the old certificate");

    cairn.stop()?;
    Ok(())
}

#[test]
fn certbot_renews_with_the_same_account_and_trust_after_a_restart() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    obtain(&cairn, &home)?.args(["-d", "patient.test"]).run()?;
    let root = chain::root(&cairn)?;

    let cairn = cairn.stop()?.start()?;
    ensure!(chain::root(&cairn)? == root, "the restarted server has another root");
    certbot(&cairn, &home, "renew")?.args(["--force-renewal", "--no-random-sleep-on-renew"]).run()?;
    chain::verify(&cairn, &chain_file(&home, "patient.test"), &["DNS:patient.test"])?;

    cairn.stop()?;
    Ok(())
}

#[test]
fn certbot_obtains_a_wildcard_and_its_base_name_by_dns_01() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    // Both names are proven at _acme-challenge.wild.test: two TXT values stand there side by side (RFC 8555 §8.4).
    let publish =
        home.write_script("publish", &dns_hook(&cairn, "set-txt", r#","value":"'$CERTBOT_VALIDATION'""#))?;
    let withdraw = home.write_script("withdraw", &dns_hook(&cairn, "clear-txt", ""))?;

    let certbot = certbot(&cairn, &home, "certonly")?.args(["--manual", "--preferred-challenges", "dns"]);
    let certbot = certbot.arg("--manual-auth-hook").arg(publish).arg("--manual-cleanup-hook").arg(withdraw);
    certbot.args(["-d", "*.wild.test", "-d", "wild.test"]).run()?;
    chain::verify(&cairn, &chain_file(&home, "wild.test"), &["DNS:*.wild.test", "DNS:wild.test"])?;

    cairn.stop()?;
    Ok(())
}

#[test]
fn certbot_chooses_among_chains_by_the_name_of_their_root() -> Result<()> {
    let (cairn, home) = (Cairn::dev().args(["--alternate-roots", "2"]).start()?, Home::new()?);
    let curl = home.program("curl")?.args(["--silent", "--show-error", "--fail", "--insecure"]);
    let root = home.write("second.pem", &curl.arg(cairn.management_url("/roots/2")?).run()?)?;
    let openssl = || home.program("openssl");
    let subject =
        openssl()?.args(["x509", "-noout", "-subject", "-nameopt", "multiline", "-in"]).arg(&root).run()?;
    let name =
        subject.lines().find_map(|line| line.trim_start().strip_prefix("commonName")).context("no name")?;
    let name = name.trim_start_matches([' ', '=']);

    obtain(&cairn, &home)?.args(["-d", "chosen.test", "--preferred-chain", name]).run()?;
    let live = home.path("config/live/chosen.test");
    let openssl = openssl()?.args(["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]).arg(&root);
    openssl.arg("-untrusted").arg(live.join("chain.pem")).arg(live.join("cert.pem")).run()?;

    cairn.stop()?;
    Ok(())
}

#[test]
fn certbot_revokes_by_the_accounts_key_and_not_twice() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    obtain(&cairn, &home)?.args(["-d", "revoked.test"]).run()?;

    let revoke = || {
        let certbot = certbot(&cairn, &home, "revoke")?.args(["--reason", "superseded"]);
        Ok::<_, anyhow::Error>(certbot.args(["--no-delete-after-revoke", "--cert-name", "revoked.test"]))
    };
    revoke()?.run()?;
    revoke()?.fails()?;
    ensure_logged(&home, "alreadyRevoked")?;

    cairn.stop()?;
    Ok(())
}

#[test]
fn certbot_revokes_by_the_certificates_own_key() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    obtain(&cairn, &home)?.args(["-d", "leaked.test"]).run()?;

    let live = home.path("config/live/leaked.test");
    let revoke = || {
        let certbot =
            certbot(&cairn, &home, "revoke")?.args(["--reason", "keycompromise", "--no-delete-after-revoke"]);
        let certbot = certbot.arg("--cert-path").arg(live.join("cert.pem"));
        Ok::<_, anyhow::Error>(certbot.arg("--key-path").arg(live.join("privkey.pem")))
    };
    revoke()?.run()?;
    revoke()?.fails()?;
    ensure_logged(&home, "alreadyRevoked")?;

    cairn.stop()?;
    Ok(())
}

#[test]
fn certbot_deactivates_its_account_and_can_make_a_new_one() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    let register = || certbot(&cairn, &home, "register");

    register()?.run()?;
    let answer = certbot(&cairn, &home, "unregister")?.run()?;
    ensure!(answer.contains("Account deactivated"), "{answer}");
    register()?.run()?;

    cairn.stop()?;
    Ok(())
}

/// certbot with a server of its own for http-01.
fn obtain(cairn: &Cairn, home: &Home) -> Result<Program> {
    let certbot = certbot(cairn, home, "certonly")?.args(["--standalone", "--http-01-address", "127.0.0.1"]);
    Ok(certbot.arg("--http-01-port").arg(cairn.http_port().to_string()))
}

/// certbot, unattended, with its three folders in `home` and the root trusted.
fn certbot(cairn: &Cairn, home: &Home, command: &str) -> Result<Program> {
    let certbot = home.program("certbot")?.env("REQUESTS_CA_BUNDLE", cairn.root_file()?);
    let certbot = certbot.args([command, "--non-interactive", "--config-dir", "config"]);
    let certbot =
        certbot.args(["--work-dir", "work", "--logs-dir", "logs", "--server", &cairn.ready.directory]);
    Ok(match command {
        "certonly" | "register" => {
            certbot.args(["--agree-tos", "--no-eff-email", "--email", "certbot@example.org"])
        }
        _ => certbot,
    })
}

/// What the CA answered, from certbot's log: on Python 3.11, certbot 2.1 fails while it prints the CA's refusals.
fn ensure_logged(home: &Home, problem: &str) -> Result<()> {
    let log = home.read("logs/letsencrypt.log")?;
    ensure!(log.contains(&format!("urn:ietf:params:acme:error:{problem}")), "{log}");
    Ok(())
}

fn chain_file(home: &Home, name: &str) -> PathBuf {
    home.path("config/live").join(name).join("fullchain.pem")
}

/// A hook that tells the fake DNS to do `command` to the name being proven.
fn dns_hook(cairn: &Cairn, command: &str, more: &str) -> String {
    let url = cairn.dns_management_url(&format!("/{command}"));
    format!(
        "#!/bin/sh\nexec curl --silent --show-error --fail {url} \
         --data '{{\"host\":\"_acme-challenge.'\"$CERTBOT_DOMAIN\"'.\"{more}}}'\n"
    )
}

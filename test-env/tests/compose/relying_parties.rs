//! Those who look up on this machine, where certificates send them, whether one is revoked.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cairn_test_env::acme::Certified;
use cairn_test_env::ledger::Entry;
use cairn_test_env::{relying_party as party, wait};
use cairn_x509::Certificate;
use cairn_x509::crl::Crl;
use cairn_x509::ocsp::Status;
use tokio::runtime::Runtime;

use crate::clients::Subscriber;
use crate::project::Project;

/// From a revocation to both front ends saying so, and to a CRL that has it. The first takes a second, the second some more.
const SEEN_LIMIT: Duration = Duration::from_secs(60);

/// What keyCompromise is in a request, RFC 5280, section 5.3.1: a CRL is made at once.
const KEY_COMPROMISE: i64 = 1;

/// The subscriber revokes the certificate, which was good before.
pub(crate) fn see_a_revocation(
    project: &Project,
    runtime: &Runtime,
    subscriber: &mut Subscriber,
    issued: &Certified,
) -> Result<()> {
    let leaf = Certificate::from_der(&Entry::try_from(issued)?.leaf)?;
    let description = leaf.description()?;
    let url = |urls: Vec<String>| urls.into_iter().next().context("the certificate does not say where");
    let base = format!("http://localhost:{}", project.pki().port());
    let path = |url: String| {
        let path = url.strip_prefix(&base).with_context(|| format!("{url} does not lead to {base}"))?;
        Ok::<_, anyhow::Error>(path.to_owned())
    };
    ensure!(path(url(description.ocsp_urls)?)? == "/ocsp", "OCSP is elsewhere");
    let issuer = path(url(description.issuer_urls)?)?;
    let crl = path(url(description.crl_urls)?)?;

    let issuer = Certificate::from_der(&party::get(project.pki(), &issuer, "")?.body)?;
    let status = || party::status(project.pki(), &issuer, &leaf);
    let listed = || {
        let answer = party::get(project.pki(), &crl, "")?;
        // The first one is made a moment after the certificate authority has started.
        if answer.status == 404 {
            return Ok(None);
        }
        let crl = Crl::from_der(&answer.body)?;
        crl.verify_issued_by(&issuer)?;
        Ok(Some(crl.tbs().entries().any(|entry| entry.serial == leaf.serial())))
    };
    ensure!(status()? == Status::Good, "nobody has revoked it");
    ensure!(!wait::until("a CRL", SEEN_LIMIT, listed)?, "nobody has revoked it");
    let Subscriber { client, account } = subscriber;
    runtime.block_on(client.revoke((&*account).into(), leaf.der(), Some(KEY_COMPROMISE)))?;
    // HAProxy spreads them over both front ends: from some moment on, each says so.
    wait::until("OCSP answers that it is revoked, one after the other", SEEN_LIMIT, || {
        let mut answers = (0..4).map(|_| status());
        Ok(answers.all(|status| matches!(status, Ok(Status::Revoked { .. }))).then_some(()))
    })?;
    wait::until("a CRL with it", SEEN_LIMIT, || Ok(listed()?.filter(|listed| *listed)))?;
    Ok(())
}

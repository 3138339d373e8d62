//! How the environment is laid out: nobody has a route, a right or a key that it does not need.

use std::thread;

use anyhow::{Result, bail, ensure};

use crate::project::{Project, SERVICES};

/// All services at the same time: what leads nowhere is waited for.
pub(crate) fn stand(project: &Project) -> Result<()> {
    thread::scope(|scope| {
        let looks: Vec<_> =
            SERVICES.map(|service| scope.spawn(move || stand_around(project, service))).into();
        looks.into_iter().try_for_each(|look| look.join().unwrap_or_else(|_| bail!("a look broke down")))
    })
}

fn stand_around(project: &Project, service: &str) -> Result<()> {
    let outside = !project.only_internal_networks(service)?;
    ensure!(outside == service.contains("va"), "{service} has a way out, or none");
    // Not only by name: the fake DNS stands where only those can go who validate.
    let fake_dns = format!("timeout 5 bash -c '</dev/tcp/{}/8055' && echo there", project.fake_dns());
    let reached = project.exec(service, &["bash", "-c", &format!("{fake_dns} || true")])?;
    ensure!(
        reached.contains("there") == (service == "va"),
        "{service} and the fake DNS of the VA: {reached}"
    );

    let root = project.exec(service, &["sh", "-c", "id -u; touch /usr/local/bin/new 2>&1 || true"])?;
    ensure!(!root.starts_with("0\n") && root.contains("Read-only"), "{service} may do this:\n{root}");

    let keys = project.exec(service, &["find", "/etc/cairn", "-name", "*key.pem"])?;
    let own = service.trim_end_matches(|end: char| end == '-' || end.is_ascii_digit());
    let mut expected = vec![format!("/etc/cairn/internal-pki/{own}-key.pem")];
    if service == "ca" {
        expected.push("/etc/cairn/issuer/intermediate-key.pem".to_owned());
    }
    let mut keys: Vec<_> = keys.lines().collect();
    keys.sort_unstable();
    ensure!(keys == expected, "{service} has {keys:?}");
    Ok(())
}

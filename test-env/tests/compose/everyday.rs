//! What the environment is for: it starts, issues to clients in it and beside it, can be watched, and is still itself after `down` and `up`.
//! And how it is laid out.
//!
//! One environment has all of it, one thing after the other, as its users have one.

use std::sync::Arc;

use anyhow::{Result, ensure};
use cairn_test_env::acme::{Certified, Client};
use tokio::runtime::Runtime;

use crate::clients::{self, Subscriber};
use crate::project::Project;
use crate::{in_turn, monitoring, relying_parties, say, walls};

#[test]
fn a_fresh_environment_issues_can_be_watched_and_is_still_itself_after_down_and_up() -> Result<()> {
    let (_turn, runtime) = (in_turn(), Runtime::new()?);
    let project = Project::up("everyday")?;
    // Early: it asks the services every few seconds, and what it is asked for needs several answers.
    project.start_prometheus()?;
    let endpoint = project.endpoint(runtime.handle())?;
    let mut subscriber = runtime.block_on(Subscriber::new(&project, Arc::clone(&endpoint)))?;

    let issued = runtime.block_on(subscriber.by_http_and_dns(&project))?;
    say("clients beside it have certificates by http-01 and dns-01");
    relying_parties::see_a_revocation(&project, &runtime, &mut subscriber, &issued)?;
    say("relying parties on this machine see that one is revoked, by OCSP and by CRL");
    monitoring::watches_every_service_and_fills_the_dashboard(&project, &runtime)?;
    say("Prometheus watches every service, and fills the dashboard");
    clients::in_it_have_certificates(&project)?;
    say("certbot and lego, in a container, have theirs");
    walls::stand(&project)?;
    say("no service has a route, a right or a key that it does not need");
    is_itself_after_down_and_up(&project, &runtime, &mut subscriber, &issued)?;
    say("after down and up, hierarchy, accounts and certificates are the same");
    Ok(())
}

fn is_itself_after_down_and_up(
    project: &Project,
    runtime: &Runtime,
    subscriber: &mut Subscriber,
    issued: &Certified,
) -> Result<()> {
    let root = project.root()?;
    project.down()?;
    project.start()?;
    let endpoint = project.endpoint(runtime.handle())?;
    ensure!(project.root()? == root, "there is another root now");
    runtime.block_on(async {
        subscriber.client = Client::connect(endpoint, &project.directory()).await?;
        let again = subscriber.client.certificate(&subscriber.account, &issued.url).await?;
        ensure!(again == issued.chain, "the certificate is another one now");
        subscriber.by_http_and_dns(project).await?;
        Ok(())
    })
}

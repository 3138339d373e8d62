//! Keeps the list of endpoints as the names say, and a task for each that keeps it connected.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::Link;
use super::endpoint::Endpoint;
use crate::transport::Address;
use crate::transport::resolve::{Found, resolve};

/// How often the names are looked up again while all is well: the longest that a new endpoint stays idle.
const RESOLVE_EVERY: Duration = Duration::from_secs(30);
/// The least time between two rounds, when endpoints fail or none is known.
const RESOLVE_PAUSE: Duration = Duration::from_secs(1);

/// An endpoint, and what ends the task that keeps it connected.
type Kept = BTreeMap<SocketAddr, (Arc<Endpoint>, CancellationToken)>;

/// Runs until `stop`.
pub(super) async fn find(link: Arc<Link>, tracker: TaskTracker, stop: CancellationToken) {
    let mut kept = Kept::new();
    let literal = link.config.addresses.iter().all(is_literal);
    while let Some(found) = stop.run_until_cancelled(resolve(&link.config.addresses)).await {
        take_over(&link, &mut kept, found, &tracker, &stop);
        // IP addresses lead to themselves for ever.
        if literal {
            return;
        }
        let pause = async {
            tokio::time::sleep(RESOLVE_PAUSE).await;
            if !kept.is_empty() {
                // Either is a reason to look again.
                let _ = tokio::time::timeout(RESOLVE_EVERY, link.failed.notified()).await;
            }
        };
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

fn is_literal(address: &Address) -> bool {
    matches!(address, Address::Host { host, .. } if host.parse::<IpAddr>().is_ok())
}

fn take_over(
    link: &Arc<Link>,
    kept: &mut Kept,
    found: Found,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    let callee = link.config.callee;
    // Of a round that failed in part, one does not know which endpoints are gone.
    if found.error.is_none() {
        kept.retain(|address, (_, gone)| {
            let stays = found.endpoints.contains(address);
            if !stays {
                info!(%callee, peer.address = %address, "its name leads there no more");
                gone.cancel();
            }
            stays
        });
    }
    for address in found.endpoints {
        kept.entry(address).or_insert_with(|| {
            let (endpoint, gone) = (Arc::new(Endpoint::new(address)), stop.child_token());
            tracker.spawn(Arc::clone(&endpoint).keep(Arc::clone(link), gone.clone()));
            (endpoint, gone)
        });
    }
    if let Some(error) = &found.error
        && link.said.may_say((SocketAddr::from(([0, 0, 0, 0], 0)), error.clone()))
    {
        warn!(%callee, "cannot find all endpoints: {error}");
    }
    link.unresolved.store(found.error.map(Arc::new));
    link.endpoints.store(Arc::new(kept.values().map(|(endpoint, _)| Arc::clone(endpoint)).collect()));
    link.changed.send_replace(());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;
    use crate::transport::tests::Pki;

    fn found(endpoints: &[&str], error: Option<&str>) -> Found {
        let endpoints = endpoints.iter().map(|endpoint| endpoint.parse().unwrap()).collect();
        Found { endpoints, error: error.map(str::to_owned) }
    }

    #[tokio::test]
    async fn the_list_follows_the_names_and_a_failed_look_takes_nobody_away() {
        let (pki, stop) = (Pki::new(), CancellationToken::new());
        let (a, b, c) = ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3");
        // Its own task looks for no names: it has none.
        let channel = pki.channel(Role::Ra, Role::Sa, &[]);
        let (link, mut kept, tracker) = (&channel.link, Kept::new(), TaskTracker::new());
        let listed = || {
            let channels = channel.endpoints();
            channels.iter().map(|endpoint| endpoint.address().to_string()).collect::<Vec<_>>()
        };
        take_over(link, &mut kept, found(&[a, b], None), &tracker, &stop);
        assert_eq!(listed(), [a, b]);
        let gone = kept.first_key_value().unwrap().1.1.clone();

        take_over(link, &mut kept, found(&[c], Some("ra-1:1: no answer")), &tracker, &stop);
        assert_eq!(listed(), [a, b, c]);
        assert!(channel.nobody_answers().message().contains("ra-1:1: no answer"));
        assert!(!gone.is_cancelled());

        take_over(link, &mut kept, found(&[b, c], None), &tracker, &stop);
        assert_eq!(listed(), [b, c]);
        assert!(gone.is_cancelled());
        assert!(!channel.nobody_answers().message().contains("no answer"));
    }
}

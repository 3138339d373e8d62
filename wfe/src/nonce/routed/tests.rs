use std::collections::BTreeMap;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Weak};

use cairn_core::api::NonceOwner;
use cairn_core::random::SeededRandom;
use futures_util::future::{join_all, select};

use super::*;

/// Never reached: what happens in these tests happens because somebody asked.
const NEVER: Duration = Duration::from_secs(3600);
/// One table for the whole test.
const ONCE: Pace = Pace { pause: NEVER, interval: NEVER, patience: NEVER };
/// A new table whenever a prefix is unknown.
const ALWAYS: Pace = Pace { pause: Duration::ZERO, interval: NEVER, patience: NEVER };

/// Front ends at addresses, and what they were asked.
#[derive(Default)]
struct Network {
    itself: Weak<Self>,
    hosts: Mutex<BTreeMap<&'static str, Host>>,
    prefixes_asked: AtomicUsize,
    nonces_asked: AtomicUsize,
    lookups_fail: Mutex<bool>,
    /// While somebody holds it, prefixes are not answered.
    gate: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
enum Host {
    Runs(Arc<Nonces>),
    IsGone,
    SaysNothing,
}

impl Network {
    fn new() -> Arc<Self> {
        Arc::new_cyclic(|itself| Self { itself: itself.clone(), ..Self::default() })
    }

    /// Starts a front end at an address, instead of whatever was there.
    fn start(&self, address: &'static str, seed: u64, pace: Pace) -> RoutedNonces {
        let own = Arc::new(Nonces::new(&SeededRandom::new(seed)));
        self.put(address, Host::Runs(Arc::clone(&own)));
        RoutedNonces::with_pace(own, self.itself.upgrade().unwrap(), pace)
    }

    fn put(&self, address: &'static str, host: Host) {
        self.hosts.lock().unwrap().insert(address, host);
    }

    fn host(&self, address: &str) -> Host {
        self.hosts.lock().unwrap().get(address).cloned().unwrap_or(Host::IsGone)
    }
}

#[async_trait]
impl NoncePeers for Network {
    async fn peers(&self) -> Result<Vec<NoncePeer>> {
        if *self.lookups_fail.lock().unwrap() {
            return Err(Error::internal("no", "the DNS is gone"));
        }
        let network = self.itself.upgrade().unwrap();
        let hosts = self.hosts.lock().unwrap();
        let peer = |address: &&'static str| NoncePeer {
            address: (*address).to_owned(),
            owner: Arc::new(Line { network: Arc::clone(&network), address }),
        };
        Ok(hosts.keys().map(peer).collect())
    }
}

/// A connection to whoever is at an address.
struct Line {
    network: Arc<Network>,
    address: &'static str,
}

impl Line {
    async fn other_end(&self) -> Result<Arc<Nonces>> {
        tokio::task::yield_now().await;
        match self.network.host(self.address) {
            Host::Runs(nonces) => Ok(nonces),
            Host::IsGone => Err(Error::new(ErrorKind::Unavailable, "connection refused")),
            Host::SaysNothing => pending().await,
        }
    }
}

#[async_trait]
impl NonceOwner for Line {
    async fn prefix(&self) -> Result<NoncePrefix> {
        self.network.prefixes_asked.fetch_add(1, Ordering::SeqCst);
        let _passed = self.network.gate.lock().await;
        self.other_end().await?.prefix().await
    }

    async fn redeem_own(&self, nonce: &str) -> Result<bool> {
        self.network.nonces_asked.fetch_add(1, Ordering::SeqCst);
        self.other_end().await?.redeem_own(nonce).await
    }
}

/// Runs a story beside the loops of front ends, from when each has read its table once.
async fn beside<T>(front_ends: &[&RoutedNonces], story: impl Future<Output = T>) -> T {
    let loops = join_all(front_ends.iter().map(|nonces| nonces.keep_current()));
    let story = async {
        for nonces in front_ends {
            nonces.table.subscribe().wait_for(|table| table.readings > 0).await.unwrap();
        }
        story.await
    };
    match select(pin!(story), pin!(loops)).await {
        futures_util::future::Either::Left((outcome, _)) => outcome,
        futures_util::future::Either::Right(_) => panic!("a loop ended"),
    }
}

/// A nonce that nobody gave out, with a prefix that nobody has.
fn invented(number: u64) -> String {
    let elsewhere = Nonces::new(&SeededRandom::new(1_000_000 + number));
    elsewhere.issue()
}

#[tokio::test]
async fn a_nonce_is_good_at_every_front_end_and_once_in_all() {
    let network = Network::new();
    let (a, b, c) = (network.start("a", 1, ONCE), network.start("b", 2, ONCE), network.start("c", 3, ONCE));
    beside(&[&a, &b, &c], async {
        for giver in [&a, &b, &c] {
            for first in [&a, &b, &c] {
                let nonce = giver.nonce().await.unwrap();
                assert!(first.redeem(&nonce).await.unwrap());
                for again in [&a, &b, &c] {
                    assert!(!again.redeem(&nonce).await.unwrap());
                }
            }
        }
    })
    .await;
    assert_eq!(network.prefixes_asked.load(Ordering::SeqCst), 9, "three tables of three");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_redemptions_at_several_front_ends_at_once_one_succeeds() {
    let network = Network::new();
    let (a, b, c) = (network.start("a", 1, ONCE), network.start("b", 2, ONCE), network.start("c", 3, ONCE));
    beside(&[&a, &b, &c], async {
        for _ in 0..100 {
            let nonce = c.nonce().await.unwrap();
            let everywhere = [&a, &b, &c, &a, &b].map(|front_end| front_end.redeem(&nonce));
            let redeemed = join_all(everywhere).await.into_iter().filter(|it| *it.as_ref().unwrap()).count();
            assert_eq!(redeemed, 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_front_end_that_was_restarted_is_found_by_its_new_nonces_and_refuses_its_old_ones() {
    let network = Network::new();
    let (a, b) = (network.start("a", 1, ALWAYS), network.start("b", 2, ALWAYS));
    beside(&[&a, &b], async {
        let (used, old) = (b.nonce().await.unwrap(), b.nonce().await.unwrap());
        assert!(a.redeem(&used).await.unwrap());
        let reborn = network.start("b", 20, ALWAYS);
        assert!(!a.redeem(&old).await.unwrap());
        let new = reborn.nonce().await.unwrap();
        assert!(a.redeem(&new).await.unwrap());
        assert!(!a.redeem(&old).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_front_end_that_came_later_is_found_by_its_first_nonce() {
    let network = Network::new();
    let a = network.start("a", 1, ALWAYS);
    beside(&[&a], async {
        let late = network.start("late", 9, ALWAYS);
        let nonce = late.nonce().await.unwrap();
        assert!(a.redeem(&nonce).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_nonce_of_a_front_end_that_is_gone_is_bad_and_the_next_does_not_ask_it() {
    let network = Network::new();
    let (a, b) = (network.start("a", 1, ONCE), network.start("b", 2, ONCE));
    beside(&[&a, &b], async {
        network.put("b", Host::IsGone);
        for _ in 0..10 {
            assert_eq!(a.redeem(&b.nonce().await.unwrap()).await, Ok(false), "never a fault of ours");
        }
    })
    .await;
    assert_eq!(network.nonces_asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_front_end_that_says_nothing_is_not_waited_for_and_delays_no_other() {
    let network = Network::new();
    let pace = Pace { patience: Duration::from_millis(50), ..ALWAYS };
    let (a, b, c) = (network.start("a", 1, pace), network.start("b", 2, ONCE), network.start("c", 3, ONCE));
    beside(&[&a, &b, &c], async {
        network.put("b", Host::SaysNothing);
        assert_eq!(a.redeem(&b.nonce().await.unwrap()).await, Ok(false));
        assert_eq!(a.redeem(&c.nonce().await.unwrap()).await, Ok(true));
        assert_eq!(a.redeem(&b.nonce().await.unwrap()).await, Ok(false));
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_invented_prefixes_asks_nobody() {
    let network = Network::new();
    let (a, b) = (network.start("a", 1, ONCE), network.start("b", 2, ONCE));
    beside(&[&a, &b], async {
        let asked = network.prefixes_asked.load(Ordering::SeqCst);
        for number in 0..1000 {
            assert!(!a.redeem(&invented(number)).await.unwrap());
        }
        assert_eq!(network.prefixes_asked.load(Ordering::SeqCst), asked);
        assert!(a.redeem(&b.nonce().await.unwrap()).await.unwrap(), "known prefixes are as good as before");
    })
    .await;
    assert_eq!(network.nonces_asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn all_who_meet_unknown_prefixes_share_one_reading() {
    let network = Network::new();
    let a = network.start("a", 1, ALWAYS);
    beside(&[&a], async {
        let late = network.start("late", 9, ALWAYS);
        let asked = network.prefixes_asked.load(Ordering::SeqCst);
        let closed = network.gate.lock().await;
        let known = late.nonce().await.unwrap();
        let nonces: Vec<_> = (0..100).map(invented).chain([known]).collect();
        let mut all = pin!(join_all(nonces.iter().map(|nonce| a.redeem(nonce))));
        // Each has looked and waits, and the reading has come as far as it can.
        while network.prefixes_asked.load(Ordering::SeqCst) < asked + 2 {
            assert!(all.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
        drop(closed);
        let redeemed = all.await.into_iter().map(Result::unwrap);
        assert_eq!(redeemed.filter(|it| *it).count(), 1);
        assert_eq!(network.prefixes_asked.load(Ordering::SeqCst), asked + 2, "one reading of two front ends");
    })
    .await;
}

#[tokio::test]
async fn while_the_lookup_fails_those_known_before_are_asked() {
    let network = Network::new();
    let (a, b) = (network.start("a", 1, ALWAYS), network.start("b", 2, ALWAYS));
    beside(&[&a, &b], async {
        *network.lookups_fail.lock().unwrap() = true;
        assert_eq!(a.redeem(&invented(1)).await, Ok(false));
        assert_eq!(a.redeem(&b.nonce().await.unwrap()).await, Ok(true));
    })
    .await;
}

#[tokio::test]
async fn what_has_no_prefix_or_is_too_long_troubles_nobody() {
    let network = Network::new();
    let (a, b) = (network.start("a", 1, ONCE), network.start("b", 2, ONCE));
    beside(&[&a, &b], async {
        let long = b.nonce().await.unwrap() + &"A".repeat(100);
        for nonce in ["", "AAAA", "????????", &long] {
            assert_eq!(a.redeem(nonce).await, Ok(false), "{nonce}");
        }
    })
    .await;
    assert_eq!(network.nonces_asked.load(Ordering::SeqCst), 0);
}

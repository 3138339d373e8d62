//! Bad days: containers killed in turn, networks cut, the database away, the world's DNS silent, while clients want certificates. Nothing
//! that was acknowledged is lost, clients are told to come back a bounded number of times, and everything heals by itself.
//!
//! One environment has all of it, one thing after the other, and the load goes on: what one bad day has left is still being taken up on the
//! next.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cairn_test_env::invariants;
use cairn_test_env::load::{Load, Site, Temper, Trouble};
use tokio::runtime::Runtime;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep_until};

use crate::project::Project;
use crate::{in_turn, say};

const CLIENTS: u64 = 8;

/// So many requests are sent before something happens, and while it lasts: some 7 make a certificate.
const REQUESTS: u64 = 20;

/// So many certificates must be issued after something was mended, before the next thing happens: that is what healing means.
const CERTIFICATES: u64 = 4;

/// How long a network stays cut at least: longer than it takes to give a silent connection up (10 s).
const CUT: Duration = Duration::from_secs(12);

/// How long what was under way when something happened may wait to be taken up.
const TAKEN_UP: Duration = Duration::from_secs(120);

/// When a client shall come back that was refused.
const COME_BACK: Duration = Duration::from_secs(10);

/// What a harm may cost when all is well again: what each client had asked for just before.
const ONE_HARM: Trouble = each(1);

#[test]
fn whatever_is_killed_or_cut_off_heals_and_nothing_acknowledged_is_lost() -> Result<()> {
    let (_turn, runtime) = (in_turn(), Runtime::new()?);
    let project = Project::up("bad-days")?;
    project.endpoint(runtime.handle())?;
    let well = runtime.block_on(async {
        let site = project.site(Temper::Forbearing).await?;
        let mut load = site.load("bad", usize::try_from(CLIENTS)?);
        load.certificates(CERTIFICATES).await?;
        let deeds: Vec<_> = killed().chain(cut_off()).chain(without_a_database()).collect();
        for deed in &deeds {
            deed.befalls(&project, &site, &mut load).await.with_context(|| deed.what.clone())?;
        }
        load.stop().await?;
        say(format_args!("in all: {}; {}", site.told.summary(), site.trouble()));
        // Clients hear late of an order that somebody had in hand who was killed; in the end, each harm has cost each client one.
        within(site.trouble(), Trouble { failed: CLIENTS * deeds.len() as u64, ..UNBOUNDED })?;
        site.verify().await?;
        let given = site.told.certificates()?;
        block_in_place(|| invariants::settle(&project.database()?, &given, TAKEN_UP))?;
        say("everything that clients were told is so, and nothing is left half done");
        anyhow::Ok(())
    });
    well.with_context(|| project.state())
}

/// Every container, each by itself.
fn killed() -> impl Iterator<Item = Deed> {
    let kill = |service: &'static str, unavoidable| Deed {
        what: format!("{service} is killed"),
        harm: Box::new(move |project| project.kill(service)),
        meanwhile: REQUESTS,
        at_least: Duration::ZERO,
        mend: Box::new(move |project| project.start_again(service)),
        unavoidable,
    };
    let behind = ["ra", "va", "remote-va-1", "remote-va-2", "ca", "sa", "pa", "pki-1", "pki-2"];
    let behind = behind.map(|service| kill(service, Trouble::NONE));
    let in_front = ["wfe-1", "wfe-2"].map(|service| kill(service, CONNECTIONS));
    // Without it nobody gets anywhere, but for those who try again all the time.
    let door = Deed { meanwhile: 0, ..kill("haproxy", Trouble { unanswered: u64::MAX, ..Trouble::NONE }) };
    // An order that cannot be validated is over, and the next one is placed at once.
    let dns = kill("challtestsrv", Trouble { unresolved: u64::MAX, ..Trouble::NONE });
    in_front.into_iter().chain(behind).chain([door, dns])
}

/// Whoever was being validated when the DNS was killed may hear of it only when the next thing happens.
const LATE: Trouble = Trouble { unresolved: CLIENTS, ..Trouble::NONE };

/// A service and a network that it is in; the first follows the DNS's end.
fn cut_off() -> impl Iterator<Item = Deed> {
    let cuts = [
        ("sa", "database", LATE),
        ("ca", "services", Trouble::NONE),
        ("ra", "services", Trouble::NONE),
        ("va", "perspectives", Trouble::NONE),
        ("wfe-1", "services", Trouble::NONE),
        ("wfe-2", "front", CONNECTIONS),
    ];
    cuts.into_iter().map(|(service, network, unavoidable)| Deed {
        what: format!("{service} is cut off from {network}"),
        harm: Box::new(move |project| project.disconnect(service, network)),
        meanwhile: REQUESTS,
        at_least: CUT,
        mend: Box::new(move |project| project.connect(service, network)),
        unavoidable,
    })
}

fn without_a_database() -> impl Iterator<Item = Deed> {
    let away = |what: &str, harm| Deed {
        what: format!("postgres is {what}"),
        harm,
        meanwhile: REQUESTS,
        at_least: Duration::ZERO,
        mend: Box::new(|project| project.start_again("postgres")),
        unavoidable: Trouble::NONE,
    };
    let killed = away("killed", Box::new(|project| project.kill("postgres")));
    let stopped = away("stopped", Box::new(|project| project.stop("postgres")));
    [killed, stopped].into_iter()
}

/// Something that happens to an environment, and how it is mended.
struct Deed {
    what: String,
    harm: Act,
    /// So many requests are sent between the two, and so much time passes.
    meanwhile: u64,
    at_least: Duration,
    mend: Act,
    /// What it costs clients besides being told to come back.
    unavoidable: Trouble,
}

type Act = Box<dyn Fn(&Project) -> Result<()>>;

impl Deed {
    async fn befalls(&self, project: &Project, site: &Site, load: &mut Load) -> Result<()> {
        load.requests(REQUESTS).await?;
        let (before, begin) = (site.trouble(), Instant::now());
        block_in_place(|| (self.harm)(project))?;
        load.requests(self.meanwhile).await?;
        sleep_until(begin + self.at_least).await;
        block_in_place(|| (self.mend)(project))?;
        block_in_place(|| project.until_ready()).context("it did not heal")?;
        // Until then, each client was refused as often as it came back, which is as seldom as it was told to.
        let (ready, lasted) = (site.trouble(), begin.elapsed());
        let came = 1 + lasted.as_secs() / COME_BACK.as_secs();
        within(ready - before, self.at_once(each(came)))?;

        load.certificates(CERTIFICATES).await.context("it did not heal")?;
        within(site.trouble() - ready, self.at_once(ONE_HARM))?;
        let met = site.trouble() - before;
        say(format_args!("{}: well after {:.1} s; {met}", self.what, lasted.as_secs_f64()));
        Ok(())
    }

    /// Orders that fail meanwhile may be those of a harm before: who takes them up waits for a minute.
    fn at_once(&self, refusals: Trouble) -> Trouble {
        Trouble { refused: refusals.refused, failed: u64::MAX, ..self.unavoidable }
    }
}

/// What clients lose of a front end that goes: their connections, and those that the balancer tried before it noticed.
const CONNECTIONS: Trouble = Trouble { unanswered: 2 * CLIENTS, ..Trouble::NONE };

const UNBOUNDED: Trouble =
    Trouble { refused: u64::MAX, failed: u64::MAX, unanswered: u64::MAX, unresolved: u64::MAX };

const fn each(times: u64) -> Trouble {
    Trouble { refused: CLIENTS * times, ..Trouble::NONE }
}

fn within(met: Trouble, most: Trouble) -> Result<()> {
    ensure!(met.is_within(most), "{met}; at most: {most}");
    Ok(())
}

//! Bad days: services killed in turn, networks cut, the database away, while customers want certificates. Nothing that was acknowledged
//! is lost, customers see nothing worse than that they shall come again, and everything heals by itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::invariants::{self, Database, Limits};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::customers::{Customer, Site, verify};
use crate::in_turn;
use crate::ledger::Ledger;
use crate::project::Project;

const CUSTOMERS: usize = 4;

/// So many requests are sent before something happens: some 7 make a certificate.
const REQUESTS: u64 = 40;

/// So often customers go on, or try to, before it is mended.
const ATTEMPTS: u64 = 16;

/// So many certificates must have been issued after something was mended, before the next thing happens: that is what healing means.
const CERTIFICATES: u64 = 8;

/// How long healing may take. It is far longer than it takes; orders in the hands of a service that died are taken up by others after a
/// while, and customers wait for that.
const PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn services_that_are_killed_in_turn_lose_nothing() -> Result<()> {
    let services = ["wfe-1", "wfe-2", "ra", "va", "remote-va-1", "remote-va-2", "ca", "sa", "pa", "haproxy"];
    let deeds = services.map(|service| Deed {
        what: format!("{service} is killed"),
        harm: Box::new(move |project| project.kill(service)),
        mend: Box::new(move |project| project.start_again(service)),
    });
    a_bad_day("kill", deeds)
}

#[test]
fn a_database_that_goes_away_loses_nothing() -> Result<()> {
    let deeds: [(&str, Act); 2] = [
        ("postgres is killed", Box::new(|project| project.kill("postgres"))),
        ("postgres is stopped", Box::new(|project| project.stop("postgres"))),
    ];
    let deeds = deeds.map(|(what, harm)| Deed {
        what: what.to_owned(),
        harm,
        mend: Box::new(|project| project.start_again("postgres")),
    });
    a_bad_day("database", deeds)
}

#[test]
fn a_network_that_is_cut_and_healed_loses_nothing() -> Result<()> {
    let cuts = [
        ("sa", "database"),
        ("ca", "services"),
        ("ra", "services"),
        ("va", "services"),
        ("wfe-1", "services"),
        ("wfe-2", "front"),
        ("remote-va-1", "perspectives"),
    ];
    let deeds = cuts.map(|(service, network)| Deed {
        what: format!("{service} is cut off from {network}"),
        harm: Box::new(move |project| project.disconnect(service, network)),
        mend: Box::new(move |project| project.connect(service, network)),
    });
    a_bad_day("network", deeds)
}

/// Something that happens to an environment, and how it is mended.
struct Deed {
    what: String,
    harm: Act,
    mend: Act,
}

type Act = Box<dyn Fn(&Project) -> Result<()>>;

fn a_bad_day(name: &str, deeds: impl IntoIterator<Item = Deed>) -> Result<()> {
    let (_turn, runtime) = (in_turn(), Runtime::new()?);
    let project = Project::up(name)?;
    let endpoint = project.endpoint(runtime.handle())?;
    let gateway = format!("{}:{}", project.gateway(), project.http_port()).parse()?;
    let responder = runtime.block_on(Http01::start_at(gateway))?;
    let site = Arc::new(Site {
        directory: project.directory(),
        endpoint,
        responder: Responder::Http01(Arc::new(responder)),
        ledger: Ledger::default(),
        meter: watch::Sender::new(0),
        attempts: watch::Sender::new(0),
        certificates: watch::Sender::new(0),
    });

    let (stop, stopping) = watch::channel(false);
    let mut customers = JoinSet::new();
    for number in 0..CUSTOMERS {
        let customer = Customer::new(Arc::clone(&site), format!("c{number}"), stopping.clone());
        customers.spawn_on(customer.buy_until_stopped(), runtime.handle());
    }
    // A customer who could not bear it has failed, and with it the story.
    let mut more = |what: &str, of: &watch::Sender<u64>, count: u64| {
        let (mut of, target) = (of.subscribe(), *of.borrow() + count);
        runtime.block_on(async {
            tokio::select! {
                reached = timeout(PATIENCE, of.wait_for(|now| *now >= target)) => {
                    reached.map(drop).with_context(|| format!("it did not heal after this: {what}"))
                }
                Some(ended) = customers.join_next() => ended.with_context(|| format!("a customer gave up after this: {what}")),
            }
        })
    };
    more("the start", &site.certificates, CERTIFICATES)?;
    for Deed { what, harm, mend } in deeds {
        more(&what, &site.meter, REQUESTS)?;
        harm(&project)?;
        // Customers who meet it ask again and again: that is load too.
        more(&what, &site.attempts, ATTEMPTS)?;
        mend(&project)?;
        more(&what, &site.certificates, CERTIFICATES)?;
        println!("{what}: healed; {}", site.ledger.summary());
    }
    stop.send(true)?;
    runtime.block_on(async {
        while let Some(ended) = timeout(PATIENCE, customers.join_next()).await? {
            ended?;
        }
        verify(&site).await;
        anyhow::Ok(())
    })?;
    let report = invariants::check(
        &Database::Postgres(project.database()?),
        Limits { processing: Duration::ZERO },
        Some(&site.ledger.certificates()),
    )?;
    assert!(report.holds(), "{report}");
    Ok(())
}

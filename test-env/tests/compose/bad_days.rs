//! Bad days: services killed in turn, networks cut, the database away, while clients want certificates. Nothing that was acknowledged is
//! lost, clients see nothing worse than that they shall come again, and everything heals by itself.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cairn_test_env::challenges::Http01;
use cairn_test_env::invariants::{self, Database, Limits};
use cairn_test_env::load::{Site, Temper};
use tokio::runtime::Runtime;

use crate::in_turn;
use crate::project::Project;

const CLIENTS: usize = 4;

/// So many requests are sent before something happens, and while it lasts: some 7 make a certificate.
const REQUESTS: u64 = 30;

/// So many certificates must be issued after something was mended, before the next thing happens: that is what healing means.
const CERTIFICATES: u64 = 6;

/// Without it nobody gets anywhere.
const FRONT: &str = "haproxy";

#[test]
fn services_that_are_killed_in_turn_lose_nothing() -> Result<()> {
    let services = ["wfe-1", "wfe-2", "ra", "va", "remote-va-1", "remote-va-2", "ca", "sa", "pa", FRONT];
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
    project.endpoint(runtime.handle())?;
    let gateway = format!("{}:{}", project.gateway(), project.http_port()).parse()?;
    let site = runtime.block_on(async {
        let responder = Http01::start_at(gateway).await?;
        Site::answering(&project.directory(), &project.root()?, responder, Temper::Forbearing)
    })?;

    runtime
        .block_on(async {
            let mut load = site.load(name, CLIENTS);
            load.certificates(CERTIFICATES).await?;
            for Deed { what, harm, mend } in deeds {
                load.requests(REQUESTS).await?;
                harm(&project)?;
                if !what.starts_with(FRONT) {
                    load.requests(REQUESTS).await.with_context(|| what.clone())?;
                }
                mend(&project)?;
                load.certificates(CERTIFICATES)
                    .await
                    .with_context(|| format!("{what}, and it did not heal"))?;
                println!("{what}: healed; {}", site.told.summary());
            }
            load.stop().await?;
            site.verify().await
        })
        .with_context(|| project.state())?;

    // Every client has brought its orders to their end: nothing may be under way.
    let limits = Limits { processing: Duration::ZERO };
    let given = site.told.certificates()?;
    let report = invariants::check(&Database::Postgres(project.database()?), limits, Some(&given))?;
    ensure!(report.holds(), "{report}");
    Ok(())
}

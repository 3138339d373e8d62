//! Bad days: containers killed in turn, networks cut, the database away, while clients want certificates. Nothing that was acknowledged is
//! lost, clients see nothing worse than that they shall come again, and everything heals by itself.

use std::time::Duration;

use anyhow::{Context, Result};
use cairn_test_env::invariants;
use cairn_test_env::load::{Load, Temper};
use tokio::runtime::Runtime;
use tokio::task::block_in_place;

use crate::in_turn;
use crate::project::Project;

const CLIENTS: usize = 8;

/// So many requests are sent before something happens, and while it lasts: some 7 make a certificate.
const REQUESTS: u64 = 20;

/// So many certificates must be issued after something was mended, before the next thing happens: that is what healing means.
const CERTIFICATES: u64 = 4;

/// How long what was under way when something happened may wait to be taken up.
const TAKEN_UP: Duration = Duration::from_secs(120);

#[test]
fn services_that_are_killed_in_turn_lose_nothing() -> Result<()> {
    let killed = |service| Deed {
        what: format!("{service} is killed"),
        harm: Box::new(move |project| project.kill(service)),
        meanwhile: REQUESTS,
        mend: Box::new(move |project| project.start_again(service)),
    };
    let services = ["wfe-1", "wfe-2", "ra", "va", "remote-va-1", "remote-va-2", "ca", "sa", "pa"].map(killed);
    // Without it nobody gets anywhere.
    let front = Deed { meanwhile: 0, ..killed("haproxy") };
    a_bad_day("kill", services.into_iter().chain([front]))
}

#[test]
fn a_database_that_goes_away_loses_nothing() -> Result<()> {
    let away = |what: &str, harm| Deed {
        what: format!("postgres is {what}"),
        harm,
        meanwhile: REQUESTS,
        mend: Box::new(|project| project.start_again("postgres")),
    };
    let killed = away("killed", Box::new(|project| project.kill("postgres")));
    let stopped = away("stopped", Box::new(|project| project.stop("postgres")));
    a_bad_day("database", [killed, stopped])
}

#[test]
fn a_network_that_is_cut_and_healed_loses_nothing() -> Result<()> {
    let cuts = [
        ("sa", "database"),
        ("ca", "services"),
        ("ra", "services"),
        ("va", "perspectives"),
        ("wfe-1", "services"),
        ("wfe-2", "front"),
    ];
    let deeds = cuts.map(|(service, network)| Deed {
        what: format!("{service} is cut off from {network}"),
        harm: Box::new(move |project| project.disconnect(service, network)),
        meanwhile: REQUESTS,
        mend: Box::new(move |project| project.connect(service, network)),
    });
    a_bad_day("network", deeds)
}

/// Something that happens to an environment, and how it is mended.
struct Deed {
    what: String,
    harm: Act,
    /// So many requests are sent between the two.
    meanwhile: u64,
    mend: Act,
}

type Act = Box<dyn Fn(&Project) -> Result<()>>;

fn a_bad_day(name: &str, deeds: impl IntoIterator<Item = Deed>) -> Result<()> {
    let (_turn, runtime) = (in_turn(), Runtime::new()?);
    let project = Project::up(name)?;
    project.endpoint(runtime.handle())?;
    let well = runtime.block_on(async {
        let site = project.site(Temper::Forbearing).await?;
        let mut load = site.load(name, CLIENTS);
        load.certificates(CERTIFICATES).await?;
        for deed in deeds {
            deed.befalls(&project, &mut load).await.with_context(|| deed.what.clone())?;
            println!("{}: healed; {}", deed.what, site.told.summary());
        }
        load.stop().await?;
        site.verify().await?;
        let given = site.told.certificates()?;
        block_in_place(|| invariants::settle(&project.database()?, &given, TAKEN_UP))
    });
    well.with_context(|| project.state())
}

impl Deed {
    async fn befalls(&self, project: &Project, load: &mut Load) -> Result<()> {
        load.requests(REQUESTS).await?;
        block_in_place(|| (self.harm)(project))?;
        load.requests(self.meanwhile).await?;
        block_in_place(|| (self.mend)(project))?;
        load.certificates(CERTIFICATES).await.context("it did not heal")
    }
}

//! `challtestsrv`: the fake world as a program of its own, for test environments whose CA runs elsewhere, such as that of
//! docker-compose.yml. `cairn dev` has one in itself.

use std::{
    convert::Infallible,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use axum::Router;
use challtestsrv::{DnsServer, Zone, management};
use clap::Parser;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Accepting fails when file descriptors run out: others need a moment to give some back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A fake DNS that is the authority for every name there is, and the HTTP interface by which it is told what to say.
#[derive(Debug, Parser)]
#[command(name = "challtestsrv", version, about, max_term_width = 100)]
struct Options {
    /// Address of the DNS, UDP and TCP
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::new(LOOPBACK, 8053))]
    dns: SocketAddr,

    /// Address of the management API. Whoever reaches it decides who may have which certificate
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::new(LOOPBACK, 8055))]
    management: SocketAddr,

    /// What is answered for every name that was not set
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST)]
    default_ipv4: Ipv4Addr,

    /// What is answered to AAAA questions; without it, that there is no such record
    #[arg(long, value_name = "IP")]
    default_ipv6: Option<Ipv6Addr>,
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut io::stderr(), &format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> io::Result<()> {
    let zone = Zone::new();
    zone.set_default_ipv4(Some(options.default_ipv4));
    zone.set_default_ipv6(options.default_ipv6);
    let at = |address| move |error| io::Error::other(format!("cannot listen on {address}: {error}"));
    let dns = DnsServer::bind(options.dns, zone.clone()).await.map_err(at(options.dns))?;
    let commands = TcpListener::bind(options.management).await.map_err(at(options.management))?;
    let (mut terminated, mut interrupted) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    say(
        &mut io::stdout(),
        &format!(
            "ready: DNS on {}, management on {}, {} for every name",
            dns.local_addr(),
            commands.local_addr()?,
            options.default_ipv4
        ),
    );
    tokio::select! {
        ended = dns.run(CancellationToken::new()) => ended,
        never = serve(commands, management(zone)) => match never {},
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
    }
}

/// Takes commands until the end of the program; one that is under way then is nobody's loss.
async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let tracker = TaskTracker::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = TowerToHyperService::new(router.clone());
                // How a connection ends matters to its client alone.
                tracker.spawn(async move {
                    let _ended = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn say(to: &mut dyn Write, line: &str) {
    // Nobody may be listening; the answers are what matters.
    let _ = writeln!(to, "{line}");
}

//! An environment of docker-compose.yml with a name, networks and ports of its own, so that several stand side by side. Nothing of it is
//! left when it is dropped, but the images.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cairn_test_env::acme::{Client, Endpoint};
use cairn_test_env::challenges::Http01;
use cairn_test_env::invariants::Database;
use cairn_test_env::load::{Site, Temper};
use cairn_test_env::{port, wait};
use tokio::runtime::Handle;

use crate::say;

/// From `up` to a directory that answers, with the images built: keys are made, a database is, and each service tries until it finds the
/// others. Far longer than that takes on two busy cores.
const UP_LIMIT: Duration = Duration::from_secs(240);

/// From something being mended to every service saying that all is well. The longest pause between two attempts to reach another one is
/// some seconds.
const HEALING_LIMIT: Duration = Duration::from_secs(60);

/// The second octets that are tried for the networks' addresses `10.N`.
const SUBNETS: std::ops::Range<u8> = 180..250;

/// Every Cairn in it.
pub(crate) const SERVICES: [&str; 11] =
    ["wfe-1", "wfe-2", "ra", "va", "remote-va-1", "remote-va-2", "ca", "sa", "pa", "pki-1", "pki-2"];

/// Those that need others.
const CALLERS: [&str; 8] = ["wfe-1", "wfe-2", "ra", "va", "ca", "sa", "pki-1", "pki-2"];

/// What belongs to it though `up` does not start it.
const PROFILES: [&str; 4] = ["--profile", "test", "--profile", "monitoring"];

/// A running environment.
#[derive(Debug)]
pub(crate) struct Project {
    /// What its containers' and networks' names begin with.
    name: String,
    /// The first two octets of its networks' addresses.
    subnet: String,
    api_port: u16,
    pki_port: u16,
    dns_port: u16,
    http_port: u16,
    tls_port: u16,
    prometheus_port: u16,
    /// What to type for it: `docker compose`, or `docker-compose`.
    compose: &'static [&'static str],
}

impl Project {
    /// Chooses what is free, and starts it.
    pub(crate) fn up(name: &str) -> Result<Self> {
        let mut project = Self {
            name: format!("cairn-test-{name}-{}", std::process::id()),
            subnet: String::new(),
            api_port: port::free()?,
            pki_port: port::free()?,
            dns_port: port::free()?,
            http_port: port::free()?,
            tls_port: port::free()?,
            prometheus_port: port::free()?,
            compose: compose()?,
        };
        project.subnet = free_subnet()?;
        project.start()?;
        say(format_args!("{name}: all containers are started"));
        Ok(project)
    }

    /// `up`: what is there is kept.
    pub(crate) fn start(&self) -> Result<()> {
        self.compose(&["up", "--detach", "--no-build"]).map(drop)
    }

    /// `down`: containers and networks go, volumes stay.
    pub(crate) fn down(&self) -> Result<()> {
        self.compose(&[&PROFILES[..], &["down"]].concat()).map(drop)
    }

    /// The root that clients trust, PEM, had as README.md says.
    pub(crate) fn root(&self) -> Result<String> {
        wait::until("the root in a running wfe-1", UP_LIMIT, || {
            let read = self.compose(&["exec", "-T", "wfe-1", "cat", "/etc/cairn/public/root.pem"]);
            Ok(read.ok().filter(|root| root.contains("END CERTIFICATE")))
        })
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.api_port)
    }

    /// The API, when every service is healthy and it answers.
    pub(crate) fn endpoint(&self, runtime: &Handle) -> Result<Arc<Endpoint>> {
        let endpoint = Arc::new(Endpoint::new(&self.directory(), &self.root()?)?);
        let answers = wait::until("a directory that answers, and healthy services", UP_LIMIT, || {
            let connects = || runtime.block_on(Client::connect(Arc::clone(&endpoint), &self.directory()));
            Ok((self.is_healthy()? && connects().is_ok()).then_some(()))
        });
        answers.with_context(|| self.state())?;
        say("all services are healthy, and the directory answers");
        Ok(endpoint)
    }

    /// Waits until every service says that it has what it needs.
    pub(crate) fn until_ready(&self) -> Result<()> {
        CALLERS.iter().try_for_each(|service| {
            wait::until(&format!("{service} to be ready"), HEALING_LIMIT, || {
                Ok(self.exec(service, &["cairn-ready"]).ok().map(drop))
            })
        })
    }

    /// The answers of clients on this machine, where the validation looks for them: the fake DNS gives every name this machine's address in
    /// the network of the VA.
    pub(crate) async fn http01(&self) -> Result<Http01> {
        let gateway = format!("{}.4.1:{}", self.subnet, self.http_port).parse()?;
        Ok(Http01::start_at(gateway).await?)
    }

    /// Clients on this machine.
    pub(crate) async fn site(&self, temper: Temper) -> Result<Arc<Site>> {
        Site::answering(&self.directory(), &self.root()?, self.http01().await?, temper)
    }

    /// The fake DNS in the network of the VA.
    pub(crate) fn fake_dns(&self) -> String {
        format!("{}.4.53", self.subnet)
    }

    /// Whether the engine lets nothing pass between a service and the world.
    pub(crate) fn only_internal_networks(&self, service: &str) -> Result<bool> {
        let names = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
        let names = docker(&["inspect", "--format", names, &self.container(service)?])?;
        let mut inspect = vec!["network", "inspect", "--format", "{{.Internal}}"];
        inspect.extend(names.split_whitespace());
        Ok(docker(&inspect)?.lines().all(|internal| internal == "true"))
    }

    pub(crate) fn http_port(&self) -> u16 {
        self.http_port
    }

    pub(crate) fn dns_management(&self) -> u16 {
        self.dns_port
    }

    /// Where relying parties look, on this machine.
    pub(crate) fn pki(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.pki_port).into()
    }

    pub(crate) fn prometheus_port(&self) -> u16 {
        self.prometheus_port
    }

    /// Runs a program in a running container, and gives what it printed.
    pub(crate) fn exec(&self, service: &str, command: &[&str]) -> Result<String> {
        docker(&[&["exec", &self.container(service)?], command].concat())
    }

    /// Starts the service with the foreign clients.
    pub(crate) fn start_client(&self) -> Result<()> {
        self.compose(&["--profile", "test", "up", "--detach", "--no-build", "client"]).map(drop)
    }

    /// Starts Prometheus.
    pub(crate) fn start_prometheus(&self) -> Result<()> {
        self.compose(&["--profile", "monitoring", "up", "--detach", "--no-build", "prometheus"]).map(drop)
    }

    /// Ends a container at once, as a crash would; the engine leaves it so.
    pub(crate) fn kill(&self, service: &str) -> Result<()> {
        docker(&["kill", &self.container(service)?]).map(drop)
    }

    /// Ends a container in good order.
    pub(crate) fn stop(&self, service: &str) -> Result<()> {
        docker(&["stop", &self.container(service)?]).map(drop)
    }

    pub(crate) fn start_again(&self, service: &str) -> Result<()> {
        docker(&["start", &self.container(service)?]).map(drop)
    }

    /// Takes a service out of a network: what is sent to it or by it there is lost, and nobody is told.
    pub(crate) fn disconnect(&self, service: &str, network: &str) -> Result<()> {
        docker(&["network", "disconnect", &self.network(network), &self.container(service)?]).map(drop)
    }

    /// Puts it back, under its name.
    pub(crate) fn connect(&self, service: &str, network: &str) -> Result<()> {
        let container = self.container(service)?;
        docker(&["network", "connect", "--alias", service, &self.network(network), &container]).map(drop)
    }

    /// The database, asked in its own container.
    pub(crate) fn database(&self) -> Result<Database> {
        let container = self.container("postgres")?;
        Ok(Database::Container { container, connection: "host=/run/postgresql dbname=cairn".to_owned() })
    }

    /// Whether Docker's own health checks say so of every service.
    fn is_healthy(&self) -> Result<bool> {
        let service = "{{.Label \"com.docker.compose.service\"}}";
        let healthy = self.containers(&["--filter", "health=healthy", "--format", service])?;
        Ok(SERVICES.iter().all(|service| healthy.lines().any(|healthy| healthy == *service)))
    }

    fn network(&self, network: &str) -> String {
        format!("{}_{network}", self.name)
    }

    fn container(&self, service: &str) -> Result<String> {
        let label = format!("label=com.docker.compose.service={service}");
        let id = self.containers(&["--all", "--quiet", "--filter", &label])?;
        ensure!(!id.trim().is_empty(), "there is no container of {service}");
        Ok(id.trim().to_owned())
    }

    /// Its containers, as `docker ps` tells of them.
    fn containers(&self, options: &[&str]) -> Result<String> {
        let label = format!("label=com.docker.compose.project={}", self.name);
        docker(&[&["ps", "--filter", &label], options].concat())
    }

    /// What a person would want to see when something is wrong.
    pub(crate) fn state(&self) -> String {
        let ask = |arguments: &[&str]| self.compose(arguments).unwrap_or_else(|error| format!("{error:#}"));
        format!("{}\n{}", ask(&["ps"]), ask(&["logs", "--no-color", "--tail", "30"]))
    }

    fn compose(&self, arguments: &[&str]) -> Result<String> {
        let [program, first @ ..] = self.compose else { bail!("nothing to run") };
        let mut command = Command::new(program);
        command.args(first).args(["--project-name", &self.name]).args(arguments);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        command.env("CAIRN_SUBNET", &self.subnet);
        for (variable, port) in [
            ("CAIRN_PORT", self.api_port),
            ("CAIRN_PKI_PORT", self.pki_port),
            ("CAIRN_DNS_PORT", self.dns_port),
            ("CAIRN_HTTP_PORT", self.http_port),
            ("CAIRN_TLS_PORT", self.tls_port),
            ("CAIRN_PROMETHEUS_PORT", self.prometheus_port),
        ] {
            command.env(variable, port.to_string());
        }
        finished(&mut command)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.state());
        }
        let down = ["down", "--volumes", "--remove-orphans", "--timeout", "2"];
        if let Err(error) = self.compose(&[&PROFILES[..], &down].concat()) {
            println!("{} is left behind: {error:#}", self.name);
        }
    }
}

/// The newer of the two that is installed.
fn compose() -> Result<&'static [&'static str]> {
    let runs = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let command = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if runs("docker", &["compose", "version"]) {
        return Ok(&["docker", "compose"]);
    }
    ensure!(runs("docker-compose", &["version"]), "neither `docker compose` nor `docker-compose` runs here");
    Ok(&["docker-compose"])
}

/// The first two octets of addresses that no network of the engine has, and to which this machine has no route.
fn free_subnet() -> Result<String> {
    let routes = std::fs::read_to_string("/proc/net/route").context("cannot read the routes")?;
    let ids = docker(&["network", "ls", "--quiet"])?;
    let mut inspect = vec!["network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}} {{end}}"];
    inspect.extend(ids.lines());
    let networks = docker(&inspect)?;
    let taken = |octet: &u8| {
        // Little-endian there.
        routes.contains(&format!("{octet:02X}0A\t")) || networks.contains(&format!("10.{octet}."))
    };
    let start = SUBNETS.start + u8::try_from(std::process::id() % 50)?;
    let octet = (start..SUBNETS.end).chain(SUBNETS).find(|octet| !taken(octet));
    Ok(format!("10.{}", octet.context("all of 10.180 to 10.249 are in use")?))
}

fn docker(arguments: &[&str]) -> Result<String> {
    finished(Command::new("docker").args(arguments))
}

fn finished(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    ensure!(status.success(), "{} ended with {status}\n{stdout}{stderr}", arguments.join(" "));
    Ok(stdout.into_owned())
}

//! A network of a story's own in which packets get lost: a network namespace with a loopback device, and nftables on it.
//!
//! That is for root alone, and needs `ip` (iproute2) and `nft` (nftables): a story that cannot have it fails.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{self, Command};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::geteuid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where `ip netns` keeps the namespaces that have names.
const NAMED: &str = "/run/netns";

/// The network in which the current thread is, and every thread and process that it begins. It is gone when they are.
#[derive(Debug)]
pub struct OwnNetwork(());

impl OwnNetwork {
    /// Moves the current thread into a new one, for good.
    ///
    /// # Errors
    /// If this is not root, or `ip` is not installed.
    pub fn enter() -> Result<Self> {
        ensure!(
            geteuid().is_root(),
            "a network namespace of its own is for root alone: run this story as root"
        );
        let name = format!("cairn-{}", process::id());
        run("ip", &["netns", "add", &name])?;
        let entered =
            File::open(Path::new(NAMED).join(&name)).map_err(anyhow::Error::from).and_then(|link| {
                move_into_link_name_space(link.as_fd(), Some(LinkNameSpaceType::Network)).map_err(Into::into)
            });
        // Only the name goes: the network itself stays as long as somebody is in it.
        run("ip", &["netns", "delete", &name])?;
        entered.context("cannot enter a network namespace")?;
        run("ip", &["link", "set", "lo", "up"])?;
        Ok(Self(()))
    }

    /// From now on so many packets of a hundred get lost on the way to, or back from, these TCP ports.
    ///
    /// # Errors
    /// If `nft` is not installed, or the kernel has no nftables.
    pub fn lose(&self, percent: u32, ports: &[u16]) -> Result<()> {
        let ports = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let by_chance = format!("numgen random mod 100 < {percent} counter name lost drop");
        // As they arrive: whoever sends is not told.
        run(
            "nft",
            &[&format!(
                "table inet cairn {{
                    counter lost {{}}
                    chain arriving {{
                        type filter hook input priority 0;
                        tcp dport {{ {ports} }} {by_chance}
                        tcp sport {{ {ports} }} {by_chance}
                    }}
                }}"
            )],
        )?;
        Ok(())
    }

    /// From now on no packet gets lost. How many were.
    ///
    /// # Errors
    /// If none were to get lost.
    pub fn heal(&self) -> Result<u64> {
        let counter = run("nft", &["list", "counter", "inet", "cairn", "lost"])?;
        run("nft", &["delete", "table", "inet", "cairn"])?;
        let mut words = counter.split_whitespace().skip_while(|word| *word != "packets").skip(1);
        words.next().and_then(|packets| packets.parse().ok()).with_context(|| format!("no count: {counter}"))
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| {
        format!("cannot run {program}; `./test-env/test split` installs what its stories need")
    })?;
    if !output.status.success() {
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

//! `cairn internal-pki`: the keys and certificates by which services in several processes know each other.
//!
//! It has nothing to do with the hierarchy that subscribers trust: whoever can call a service needs a certificate from here, and nobody
//! else in the world trusts these. `init` makes a folder for all roles, `renew` replaces what ends soon. The machine on which they run
//! needs the root's key; a machine that runs a role needs `root.pem` and that role's two files.

pub mod folder;

mod certificates;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use cairn_core::time::SystemClock;
use cairn_core::{Clock, SystemRandom, Timestamp};
use cairn_proto::Role;
use cairn_x509::Certificate;

use self::folder::{Outcome, ROOT, ROOT_KEY, Renewal, Why, certificate_file, ends, key_file};
use crate::cli::{InternalPkiCommand, InternalPkiInitArgs, InternalPkiRenewArgs};
use crate::hierarchy::fingerprint;

/// Does it, and says what was done and what to do now.
///
/// # Errors
/// With what to do.
pub fn run(command: InternalPkiCommand) -> Result<()> {
    let said = match command {
        InternalPkiCommand::Init(args) => init(&args)?,
        InternalPkiCommand::Renew(args) => renew(args)?,
    };
    Ok(std::io::stdout().write_all(said.as_bytes())?)
}

fn init(args: &InternalPkiInitArgs) -> Result<String> {
    let root = folder::init(&args.out, args.lifetime, args.root_lifetime, &SystemClock, &SystemRandom)?;
    Ok(made(&args.out, &root, SystemClock.now().plus(args.lifetime.seconds() - 1))?)
}

fn made(out: &Path, root: &Certificate, roles_end: Timestamp) -> Result<String, std::fmt::Error> {
    let (dir, fingerprint) = (out.display(), fingerprint(root));
    let mut said =
        format!("Made {dir}: Cairn internal root, until {}.\nSHA-256 {fingerprint}\n\n", ends(root));
    for role in Role::ALL {
        let (certificate, key) = (certificate_file(role), key_file(role));
        writeln!(said, "  {:<10} {certificate:<14} {key:<18} {}", role.name(), role.dns_name())?;
    }
    let (certificate, key) = (certificate_file(Role::Ra), key_file(Role::Ra));
    write!(
        said,
        "\n\
         The roles' certificates end at {roles_end}.\n\n\
         1. Give each machine {ROOT} and the two files of each role that it runs, and no more; for the RA:\n\n    \
            scp {dir}/{ROOT} {dir}/{certificate} {dir}/{key} ra-1:/etc/cairn/internal-pki/\n\n\
         2. Name the folder on that machine in its configuration: [internal] pki = \"/etc/cairn/internal-pki\"\n\
         3. Keep {ROOT_KEY} on the machine that renews, and nowhere else: whoever has it can be any service.\n\
         4. There, once a day, let cron or a timer run\n\n    \
            cairn internal-pki renew --dir {dir}\n"
    )?;
    Ok(said)
}

fn renew(args: InternalPkiRenewArgs) -> Result<String> {
    let renewal = Renewal {
        dir: args.dir,
        roles: args.roles,
        if_within: args.if_within,
        lifetime: args.lifetime,
        root_key: args.root_key,
        root_passphrase_file: args.root_passphrase_file,
    };
    let (root, outcomes) = folder::renew(&renewal, &SystemClock, &SystemRandom)?;
    Ok(done(&renewal, &root, &outcomes, SystemClock.now())?)
}

fn done(
    renewal: &Renewal,
    root: &Certificate,
    outcomes: &[(Role, Outcome)],
    now: Timestamp,
) -> Result<String, std::fmt::Error> {
    let mut said = String::new();
    for (role, outcome) in outcomes {
        write!(said, "  {:<10} ", role.name())?;
        match outcome {
            Outcome::Kept(until) => writeln!(said, "not due, ends at {until}")?,
            Outcome::Renewed(until, why) => {
                write!(said, "renewed, ends at {until}; ")?;
                match why {
                    Why::Due(old) if *old < now => writeln!(said, "the old one ended at {old}")?,
                    Why::Due(old) => writeln!(said, "the old one ends at {old}")?,
                    Why::Missing => writeln!(said, "there was none")?,
                    Why::Unusable => writeln!(said, "what was there could not be used")?,
                }
            }
        }
    }
    let dir = renewal.dir.display();
    if outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Renewed(..))) {
        writeln!(
            said,
            "\nCopy the renewed pairs from {dir} to their machines; servers read them again by themselves."
        )?;
    } else {
        writeln!(said, "\nNothing in {dir} ends within {}.", renewal.if_within)?;
    }
    if ends(root) < now.plus(2 * renewal.lifetime.seconds()) {
        writeln!(
            said,
            "The root ends at {}, and all certificates with it; make a new folder with `cairn internal-pki init`.",
            ends(root)
        )?;
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use cairn_core::Period;
    use cairn_core::time::FakeClock;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn root(lifetime: Period) -> Certificate {
        let clock = FakeClock::new(NOW);
        certificates::Root::create(lifetime, &clock, &SystemRandom).unwrap().certificate().clone()
    }

    fn renewal() -> Renewal {
        Renewal {
            dir: "pki".into(),
            roles: Vec::new(),
            if_within: Period::from_days(30),
            lifetime: Period::from_days(90),
            root_key: None,
            root_passphrase_file: None,
        }
    }

    #[test]
    fn init_says_which_files_go_where_and_how_to_renew() {
        let said = made(Path::new("pki"), &root(Period::from_days(3650)), NOW).unwrap();
        for line in [
            "  remote-va  remote-va.pem  remote-va-key.pem  remote-va.cairn.internal\n",
            "    scp pki/root.pem pki/ra.pem pki/ra-key.pem ra-1:/etc/cairn/internal-pki/\n",
            "    cairn internal-pki renew --dir pki\n",
        ] {
            assert!(said.contains(line), "{said}");
        }
    }

    #[test]
    fn renew_says_what_became_of_each_role_and_what_to_do() {
        let root = root(Period::from_days(3650));
        let later = NOW.plus(1);
        let renewed = [
            (Role::Ra, Outcome::Renewed(later, Why::Due(NOW))),
            (Role::Sa, Outcome::Renewed(later, Why::Due(NOW.plus(-1)))),
            (Role::Va, Outcome::Kept(later)),
        ];
        let said = done(&renewal(), &root, &renewed, NOW).unwrap();
        assert!(said.contains("the old one ends at") && said.contains("the old one ended at"), "{said}");
        assert!(said.contains("va         not due") && said.contains("Copy the renewed pairs"), "{said}");
        assert!(!said.contains("The root ends"), "{said}");
        let said = done(&renewal(), &root, &renewed[2..], NOW).unwrap();
        assert!(said.contains("Nothing in pki ends within 30d"), "{said}");
    }

    #[test]
    fn renew_warns_of_the_roots_end_in_time() {
        let said = done(&renewal(), &root(Period::from_days(179)), &[], NOW).unwrap();
        assert!(said.contains("The root ends at"), "{said}");
    }
}

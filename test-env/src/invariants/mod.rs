//! What must be true of a Cairn's database whatever happened to its servers, looked at from outside: with the database's own shell
//! (`sqlite3` or `psql`), and with no code of the storage.
//!
//! The database may be in use. Each question is one statement, so that it sees one moment; what is under way at that moment counts as
//! wrong only when it has been so for longer than [`Limits::processing`].
//!
//! `questions` are those that SQL alone can answer, `certificates` looks into the certificates themselves, `given_out` compares with what
//! clients were given. `check-invariants` is the program around it.

mod database;
mod questions;

mod certificates;
mod given_out;

use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::ledger::Entry;
use crate::wait;

pub use database::Database;

/// How many offenders are written out for each invariant; more are counted.
const SHOWN: usize = 20;

/// From when on something counts as wrong.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long an order may be in processing, and a validation may run. A server at work takes seconds; what a killed one left is taken
    /// up after `ra.lease`. Zero where nothing may be under way.
    pub processing: Duration,
    /// Whether a certificate may be left of an order that was given up. Where several processes issue, one that was held up between its
    /// intent and its signature stores what nobody waits for any more; nobody was given it.
    pub given_up: bool,
}

/// One invariant, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The invariant, as a sentence.
    pub invariant: String,
    /// How many it was looked at for, and what they are.
    pub looked_at: (usize, &'static str),
    /// The ids or serials of those for which it does not hold, hexadecimal as in URLs, or what else is wrong.
    pub offenders: Vec<String>,
}

/// Everything that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report(pub Vec<Finding>);

/// Looks at everything. `ledger` is what clients were given, if anybody wrote that down.
///
/// # Errors
/// If the database cannot be asked.
pub fn check(database: &Database, limits: Limits, ledger: Option<&[Entry]>) -> Result<Report> {
    let mut findings = questions::ask(database, limits)?;
    findings.extend(certificates::look_into(database)?);
    // Last: what was given out before the database was asked must be in it.
    if let Some(ledger) = ledger {
        findings.extend(given_out::compare(database, ledger)?);
    }
    Ok(Report(findings))
}

/// Looks after everything has healed, with nobody asking for anything any more: everything holds, and comes to its end in so long a time.
///
/// # Errors
/// If it does not.
pub fn settle(database: &Database, ledger: &[Entry], within: Duration) -> Result<()> {
    let check = |processing| check(database, Limits { processing, given_up: true }, Some(ledger));
    let report = check(within)?;
    ensure!(report.holds(), "{report}");
    // What was begun for nobody, since its client was told that it failed, ends too.
    wait::until("everything to come to its end", within, || Ok(check(Duration::ZERO)?.holds().then_some(())))
}

impl Report {
    /// Whether everything holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.iter().all(|finding| finding.offenders.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { invariant, looked_at: (count, what), offenders } in &self.0 {
            if offenders.is_empty() {
                writeln!(f, "ok      {invariant} ({count} {what})")?;
                continue;
            }
            writeln!(f, "FAILED  {invariant}: not so for {} of {count} {what}", offenders.len())?;
            for offender in offenders.iter().take(SHOWN) {
                writeln!(f, "          {offender}")?;
            }
            if let Some(more @ 1..) = offenders.len().checked_sub(SHOWN) {
                writeln!(f, "          and {more} more")?;
            }
        }
        let failed = self.0.iter().filter(|finding| !finding.offenders.is_empty()).count();
        match failed {
            0 => write!(f, "All {} invariants hold.", self.0.len()),
            _ => write!(f, "{failed} of {} invariants do not hold.", self.0.len()),
        }
    }
}

/// Bytes as they stand in URLs.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of such a text.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_offenders_up_to_a_bound_and_counts_the_rest() {
        let offenders: Vec<String> = (0..23).map(|number| format!("order {number}")).collect();
        let good = Finding { invariant: "good".into(), looked_at: (7, "orders"), offenders: Vec::new() };
        let bad = Finding { invariant: "bad".into(), looked_at: (30, "orders"), offenders };
        let text = Report(vec![good.clone(), bad]).to_string();
        assert!(text.contains("ok      good (7 orders)\n"), "{text}");
        assert!(text.contains("FAILED  bad: not so for 23 of 30 orders\n"), "{text}");
        assert!(text.contains("order 19\n") && !text.contains("order 20\n"), "{text}");
        assert!(text.ends_with("and 3 more\n1 of 2 invariants do not hold."), "{text}");
        assert!(Report(vec![good]).holds());
    }

    #[test]
    fn hexadecimal_text_survives_its_bytes() {
        assert_eq!(from_hex("00ff1a").as_deref().map(hex).as_deref(), Some("00ff1a"));
        assert_eq!((from_hex("0"), from_hex("0g")), (None, None));
    }
}

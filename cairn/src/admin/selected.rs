//! `cairn admin revoke`: many certificates at once. The server looks at a stretch of them in each call; what was done stays done, and whoever
//! is interrupted says the same again.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cairn_core::api::admin::SelectedCertificate;
use cairn_core::selection::MOST_SERIALS;
use cairn_core::time::SystemClock;
use cairn_core::{Clock, RevocationReason, SelectedName, Selection, Serial, Stretch};

use super::ask::{id, key_of, shown};
use super::connection::{Connection, told};
use super::objects::reason_name;
use super::remark;
use super::sheet::Sheet;
use crate::cli::admin::incidents::{RevokeArgs, SelectionArgs};
use crate::cli::admin::{SerialText, Sha256Text};

/// How many certificates a count shows.
const SHOWN: usize = 10;

/// Calls between two words about the progress.
const CALLS_PER_WORD: u64 = 10;

/// Which certificates are meant: what is looked for, and where.
pub(super) struct Meant {
    pub(super) selection: Selection,
    place: Place,
}

enum Place {
    /// Among all.
    All,
    These(Vec<Serial>),
    File(PathBuf),
}

impl Meant {
    /// As the options say.
    pub(super) fn new(args: &SelectionArgs) -> Result<Self> {
        let now = SystemClock.now();
        let name = args.name.clone().map(|name| SelectedName { name: name.0, subdomains: args.subdomains });
        let key = args.key.as_deref().map(key_named).transpose()?;
        let selection = Selection {
            account: args.account.as_deref().map(id).transpose()?,
            name,
            key,
            issuer: args.issuer.as_ref().map(|issuer| issuer.0),
            issued_before: args.issued_before.map(|time| time.moment(now)),
            issued_after: args.issued_after.map(|time| time.moment(now)),
            profile: args.profile.clone(),
        };
        let serials: Vec<Serial> = args.serial.iter().map(|serial| serial.0.clone()).collect();
        let place = match &args.file {
            Some(file) => Place::File(file.clone()),
            None if serials.is_empty() => Place::All,
            None => Place::These(serials),
        };
        Ok(Self { selection, place })
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        let place = match &self.place {
            Place::All => return self.selection.to_string(),
            Place::These(serials) => {
                let serials: Vec<String> = serials.iter().map(Serial::to_string).collect();
                format!("serials {}", serials.join(" "))
            }
            Place::File(file) => format!("serials in {}", file.display()),
        };
        if self.selection.is_everything() { place } else { format!("{}, {place}", self.selection) }
    }

    /// The stretches of it, one after the other.
    pub(super) fn stretches(&self) -> Result<Stretches> {
        Ok(match &self.place {
            Place::All => Stretches::All(Some(Vec::new())),
            Place::These(serials) => {
                Stretches::These(serials.chunks(MOST_SERIALS).map(<[Serial]>::to_vec).collect())
            }
            Place::File(file) => {
                let open = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
                Stretches::File { lines: BufReader::new(open).lines(), name: file.clone(), line: 0 }
            }
        })
    }
}

/// What is still to be looked at.
pub(super) enum Stretches {
    /// From there on; nothing at the end.
    All(Option<Vec<u8>>),
    These(Vec<Vec<Serial>>),
    File {
        lines: std::io::Lines<BufReader<File>>,
        name: PathBuf,
        line: usize,
    },
}

impl Stretches {
    /// The next one.
    pub(super) fn next(&mut self) -> Result<Option<Stretch>> {
        match self {
            Self::All(after) => Ok(after.take().map(Stretch::After)),
            Self::These(rest) if rest.is_empty() => Ok(None),
            Self::These(rest) => Ok(Some(Stretch::These(rest.remove(0)))),
            Self::File { lines, name, line } => {
                let mut serials = Vec::new();
                for text in lines {
                    *line += 1;
                    let wrong = || format!("{}, line {line}", name.display());
                    let text = text.with_context(wrong)?;
                    let text = text.split('#').next().unwrap_or_default().trim();
                    if text.is_empty() {
                        continue;
                    }
                    let serial: Result<SerialText, _> = text.parse();
                    serials.push(serial.map_err(anyhow::Error::msg).with_context(wrong)?.0);
                    if serials.len() == MOST_SERIALS {
                        break;
                    }
                }
                Ok((!serials.is_empty()).then_some(Stretch::These(serials)))
            }
        }
    }

    /// Where the server says that the next one begins.
    pub(super) fn go_on(&mut self, next: Option<Vec<u8>>) {
        if let Self::All(after) = self {
            *after = next;
        }
    }
}

/// The SHA-256 of a key that is named by it, or by a file.
fn key_named(text: &str) -> Result<[u8; 32]> {
    match text.parse::<Sha256Text>() {
        Ok(hash) => Ok(hash.0),
        Err(_) => key_of(Path::new(text)).with_context(|| text.to_owned()),
    }
}

/// What a selection comes to, of which nothing is done.
#[derive(Default)]
pub(super) struct Count {
    pub(super) found: u64,
    pub(super) first: Vec<SelectedCertificate>,
    pub(super) revoked: u64,
    pub(super) expired: u64,
    pub(super) looked_at: u64,
}

/// Counts what a revocation for `reason` would change.
pub(super) async fn count(
    connection: &Connection,
    meant: &Meant,
    reason: Option<RevocationReason>,
) -> Result<Count> {
    let Connection { ra, operator, .. } = connection;
    let (mut count, mut calls) = (Count::default(), 0);
    let mut stretches = meant.stretches()?;
    while let Some(stretch) = stretches.next()? {
        let selected = ra.select(operator, &meant.selection, &stretch, reason).await.map_err(told)?;
        count.found += selected.found.len() as u64;
        count.revoked += selected.revoked;
        count.expired += selected.expired;
        count.looked_at += selected.looked_at;
        let room = SHOWN.saturating_sub(count.first.len());
        count.first.extend(selected.found.into_iter().take(room));
        stretches.go_on(selected.next);
        calls += 1;
        if calls % CALLS_PER_WORD == 0 {
            remark(&format!("looked at {}, found {}", count.looked_at, count.found));
        }
    }
    Ok(count)
}

impl Count {
    /// As it is shown, with what was not done.
    pub(super) fn sheet(self) -> Sheet {
        let more = self.found - self.first.len() as u64;
        let sheet = Sheet::new()
            .json("found", self.found)
            .json("revoked_already", self.revoked)
            .json("expired", self.expired)
            .json("looked_at", self.looked_at)
            .json("done", false)
            .sheets("first", self.first.iter().map(certificate));
        if more > 0 { sheet.json("more", more) } else { sheet }
    }
}

/// A certificate in one line.
pub(super) fn certificate(certificate: &SelectedCertificate) -> Sheet {
    let mut names = certificate.names.join(" ");
    if certificate.more_names > 0 {
        names.push_str(&format!(" and {} more", certificate.more_names));
    }
    let sheet = Sheet::new()
        .with("serial", &certificate.serial)
        .with("names", names)
        .maybe("account", certificate.account)
        .with("not_after", certificate.not_after);
    match certificate.revocation {
        Some(revocation) => sheet.with("revoked", reason_name(revocation.reason)),
        None => sheet,
    }
}

/// Revokes, or counts what would be.
pub(super) async fn run(args: RevokeArgs) -> Result<String> {
    let meant = Meant::new(&args.selection)?;
    let reason = args.reason.0;
    let connection = Connection::open(&args.server).await?;
    if !args.yes {
        let sheet = count(&connection, &meant, reason).await?.sheet();
        let mut text = shown(sheet, &args.server);
        if !args.server.json {
            text.push_str("\nNothing was revoked. Say the same with --yes to do it.\n");
        }
        return Ok(text);
    }
    let Connection { ra, operator, .. } = &connection;
    // From now on the key gets no new certificates; those that it has are found.
    if let (Some(key), Some(RevocationReason::KeyCompromise)) = (meant.selection.key, reason) {
        ra.block_key(operator, key).await.map_err(told)?;
    }
    let (mut done, mut passed_over, mut looked_at, mut calls) = (0, 0, 0, 0);
    let mut stretches = meant.stretches()?;
    while let Some(stretch) = stretches.next()? {
        let revoked = ra.revoke_selected(operator, &meant.selection, &stretch, reason).await;
        let revoked = revoked.map_err(told).with_context(|| {
            format!("{done} certificates are revoked. Say the same again to go on: they are passed over")
        })?;
        done += revoked.done;
        passed_over += revoked.passed_over;
        looked_at += revoked.looked_at;
        stretches.go_on(revoked.next);
        calls += 1;
        if calls % CALLS_PER_WORD == 0 {
            remark(&format!("looked at {looked_at}, revoked {done}"));
        }
    }
    let sheet = Sheet::new()
        .json("revoked", done)
        .json("passed_over", passed_over)
        .json("looked_at", looked_at)
        .with("reason", reason_name(reason))
        .json("done", true);
    Ok(shown(sheet, &args.server))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_list_is_read_a_stretch_at_a_time_and_its_mistakes_are_named() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# what leaked\n\n01:AB  # the first\n").unwrap();
        for number in 0..MOST_SERIALS {
            writeln!(file, "02{number:04x}").unwrap();
        }
        let meant = Meant { selection: Selection::default(), place: Place::File(file.path().to_owned()) };
        let mut stretches = meant.stretches().unwrap();
        let mut lengths = Vec::new();
        while let Some(Stretch::These(serials)) = stretches.next().unwrap() {
            lengths.push(serials.len());
        }
        assert_eq!(lengths, [MOST_SERIALS, 1]);
        writeln!(file, "no serial").unwrap();
        let mut stretches = meant.stretches().unwrap();
        stretches.next().unwrap();
        let error = format!("{:#}", stretches.next().unwrap_err());
        assert!(error.contains("line 205") && error.contains("hexadecimal"), "{error}");
    }
}

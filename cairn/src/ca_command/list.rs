//! `cairn ca list`: what the configuration's files say of the hierarchy. No key is opened, and no server is asked.

use std::collections::BTreeMap;

use anyhow::Result;
use cairn_ca::Use;
use cairn_ca::calendar::{Entry, Kind, calendar};
use cairn_core::time::SystemClock;
use cairn_core::{Clock, Timestamp};
use cairn_x509::{Certificate, Subtree};

use crate::admin::sheet::Sheet;
use crate::cli::ca::ListArgs;
use crate::config::Config;
use crate::hierarchy::fingerprint;
use crate::issuers::Inventory;
use crate::issuers::folder::IssuerEntry;
use crate::issuers::rotation::parts;

/// Shows every part.
///
/// # Errors
/// If the configuration cannot be read.
pub(super) fn list(args: &ListArgs) -> Result<String> {
    let config = Config::read(&args.config)?;
    let inventory = Inventory::read(&config.issuer);
    let listing = Listing::new(&config, &inventory, SystemClock.now());
    Ok(if args.json { listing.into_json()? } else { listing.into_text() })
}

/// What is shown: sheets by the word above them.
struct Listing(Vec<(&'static str, Vec<Sheet>)>);

impl Listing {
    fn new(config: &Config, inventory: &Inventory, now: Timestamp) -> Self {
        let parts = parts(inventory, |_| true);
        let mut entries: BTreeMap<(Kind, String), Entry> = BTreeMap::new();
        for entry in calendar(&parts, &config.ca.profiles, now) {
            entries.insert((entry.kind, entry.name.clone()), entry);
        }
        let entry = |kind: Kind, name: &str| entries.get(&(kind, name.to_owned()));
        let all: Vec<Certificate> = inventory.authorities().cloned().collect();
        let issuers = inventory.issuers.iter().map(|issuer| {
            let chains =
                cairn_wfe::chains_of(&all, config.wfe.preferred_root.as_ref(), &issuer.certificate, now);
            let chains = chains.into_iter().map(|names| names.join(" < "));
            let sheet = issuer_sheet(issuer).list("chains", chains);
            with_dates(sheet, entry(Kind::Issuer, &issuer.name))
        });
        let authorities = parts.authorities.iter().map(|(name, certificate)| {
            let sheet = Sheet::new().with("name", name).with("subject", certificate.subject());
            let sheet = sheet.with("issuer", certificate.issuer()).with("sha256", fingerprint(certificate));
            with_dates(constraints(sheet, certificate), entry(Kind::Authority, name))
        });
        let crls = parts.crls.iter().filter_map(|(name, crl)| {
            // An older one than another of the same CA is not in the calendar.
            let entry = entry(Kind::Crl, name)?;
            let number = crl.tbs().number_as_u64();
            let sheet = Sheet::new().with("name", name).with("issuer", crl.tbs().issuer());
            Some(with_dates(sheet.maybe("number", number), Some(entry)))
        });
        let responders = inventory.responders.iter().map(|responder| {
            let sheet = Sheet::new().with("name", &responder.name);
            let sheet = sheet.with("subject", responder.certificate.subject());
            let sheet = sheet.with("key", &responder.key);
            with_dates(sheet, entry(Kind::Responder, &responder.name))
        });
        let unreadable = inventory.unreadable.iter();
        let unreadable =
            unreadable.map(|(path, why)| Sheet::new().with("path", path.display()).with("why", why));
        Self(vec![
            ("issuers", issuers.collect()),
            ("authorities", authorities.collect()),
            ("crls", crls.collect()),
            ("responders", responders.collect()),
            ("unreadable", unreadable.collect()),
        ])
    }

    fn into_json(self) -> Result<String> {
        let sheet = self.0.into_iter().fold(Sheet::new(), |all, (word, sheets)| all.sheets(word, sheets));
        Ok(serde_json::to_string_pretty(&sheet.into_json())? + "\n")
    }

    fn into_text(self) -> String {
        let mut text = String::new();
        for (word, sheets) in self.0 {
            for sheet in sheets {
                text.push_str(word);
                text.push('\n');
                for line in sheet.into_text().lines() {
                    text.push_str(format!("  {line}").trim_end());
                    text.push('\n');
                }
                text.push('\n');
            }
        }
        text
    }
}

fn issuer_sheet(issuer: &IssuerEntry) -> Sheet {
    let certificate = &issuer.certificate;
    let sheet = Sheet::new()
        .with("name", &issuer.name)
        .with("subject", certificate.subject())
        .with("sha256", fingerprint(certificate))
        .with("key_type", certificate.public_key().kind())
        .maybe("key", issuer.key.as_ref())
        .with(
            "use",
            match issuer.usage.from {
                Use::WhenNeeded => "when-needed",
                Use::Now => "now",
            },
        );
    let sheet = match issuer.usage.profiles.is_empty() {
        true => sheet.list("profiles", ["all"]),
        false => sheet.list("profiles", &issuer.usage.profiles),
    };
    constraints(sheet, certificate)
}

/// What a CA may issue.
fn constraints(sheet: Sheet, certificate: &Certificate) -> Sheet {
    let sheet = sheet.maybe("path_length", certificate.path_len());
    let Ok(description) = certificate.description() else { return sheet };
    let constraints = description.name_constraints;
    let some = |sheet: Sheet, name: &'static str, subtrees: &[Subtree]| match subtrees {
        [] => sheet,
        subtrees => sheet.list(name, subtrees),
    };
    some(some(sheet, "permitted", &constraints.permitted), "excluded", &constraints.excluded)
}

fn with_dates(sheet: Sheet, entry: Option<&Entry>) -> Sheet {
    let Some(entry) = entry else { return sheet };
    let whole = entry.whole_until.iter().map(|(profile, until)| format!("{profile} {until}"));
    let whole: Vec<_> = whole.collect();
    let sheet = if whole.is_empty() { sheet } else { sheet.list("whole_leaves_until", whole) };
    sheet
        .with("renew_from", entry.renew_from)
        .with("renew_by", entry.renew_by)
        .with("ends", entry.ends)
        .with("state", entry.state)
}

//! A record as Markdown, to be printed and signed by hand.

use std::fmt::Write as _;

use super::{ModuleEntry, Record};
use crate::file::Digest;
use crate::{qr, words};

pub(super) fn write(record: &Record) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _written = render(record, &mut text);
    text
}

fn render(record: &Record, text: &mut String) -> std::fmt::Result {
    if record.rehearsal {
        writeln!(text, "# REHEARSAL: {}\n", record.title)?;
        writeln!(text, "**All keys were throw-away. Nothing that this ceremony made is to be used.**\n")?;
    } else {
        writeln!(text, "# {}\n", record.title)?;
    }
    writeln!(
        text,
        "Record {} of this root's ceremonies: {}, from {} to {}.\n",
        record.number, record.kind, record.began, record.ended
    )?;

    writeln!(text, "| | |\n|---|---|")?;
    writeln!(text, "| ceremony file (SHA-256) | `{}` |", record.ceremony_file)?;
    if let Ok(digest) = record.ceremony_file.parse::<Digest>() {
        writeln!(text, "| the same as words | {} |", words::fingerprint(&digest))?;
    }
    let program = record.program.sha256.as_deref().unwrap_or("could not be read");
    writeln!(text, "| program | cairn-ceremony {}, SHA-256 `{program}` |", record.program.version)?;
    writeln!(
        text,
        "| record before this (SHA-256) | `{}` |",
        record.previous.as_deref().unwrap_or("none: this is the first")
    )?;
    writeln!(text, "| record key (SHA-256) | `{}` |\n", record.record_key)?;

    writeln!(text, "## People\n\n| name | role | signature |\n|---|---|---|")?;
    for person in &record.people {
        writeln!(text, "| {} | {} | |", person.name, person.role)?;
    }

    writeln!(text, "\n## Steps\n\n| time (UTC) | by | what |\n|---|---|---|")?;
    for step in &record.steps {
        writeln!(text, "| {} | {} | {} |", step.at, step.by, step.what)?;
    }

    writeln!(text, "\n## Keys\n")?;
    for key in &record.keys {
        let made = if key.made { "made here" } else { "used" };
        writeln!(text, "**{}**: {}, {made}, kept in {}.\n", key.name, key.algorithm, key.kept)?;
        if let Some(module) = &key.module {
            let ModuleEntry { token, serial, label, id, attributes } = module;
            writeln!(text, "- in the token {token}, serial number {serial}: key {label}, id `{id}`")?;
            writeln!(text, "- its attributes: {attributes}")?;
        }
        writeln!(text, "- public key (SHA-256): `{}`\n- as words: {}\n", key.sha256, key.words)?;
        if let Some(code) = qr::code(&key.sha256) {
            writeln!(text, "```text\n{code}\n```\n")?;
        }
    }

    for (title, files) in [("Inputs", &record.inputs), ("Outputs", &record.outputs)] {
        if files.is_empty() {
            continue;
        }
        writeln!(text, "## {title}\n\n| file | what | SHA-256 |\n|---|---|---|")?;
        for file in files {
            writeln!(text, "| {} | {} | `{}` |", file.file, file.what, file.sha256)?;
            if let Some(der) = &file.der_sha256 {
                writeln!(text, "| | fingerprint | `{der}` |")?;
            }
        }
        writeln!(text)?;
    }
    writeln!(text, "This page says what `record.json` says; its signature is in `record.json.sig`.")
}

//! What a CA consists of: the tables and columns that both engines have, each with what is in it. Whoever takes a CA from one
//! engine to another goes by this list, and a test holds it against the schemas of both.

use aws_lc_rs::digest::{Context, SHA256};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Octets.
    Bytes,
    /// Ids of 16 octets: end to end in SQLite, an array in PostgreSQL.
    Ids,
    /// Text.
    Text,
    /// A number of at most 64 bits.
    Number,
    /// A number of at most 16 bits.
    Small,
    /// Yes or no: 1 or 0 in SQLite.
    Flag,
}

/// A table. Its first column is its key, octets, by which both engines sort alike.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
}

impl Table {
    /// The key's column.
    pub(crate) fn key(&self) -> &'static str {
        self.columns.first().map_or("", |(name, _)| name)
    }

    /// The names of the columns, with commas between.
    pub(crate) fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// Every table, in the order in which a CA fills them.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "accounts",
        columns: &[
            ("id", Kind::Bytes),
            ("key_thumbprint", Kind::Bytes),
            ("jwk", Kind::Text),
            ("contact", Kind::Text),
            ("status", Kind::Text),
            ("created", Kind::Number),
        ],
    },
    Table {
        name: "orders",
        columns: &[
            ("id", Kind::Bytes),
            ("account_id", Kind::Bytes),
            ("identifiers", Kind::Text),
            ("authorization_ids", Kind::Ids),
            ("profile", Kind::Text),
            ("request_hash", Kind::Bytes),
            ("created", Kind::Number),
            ("expires", Kind::Number),
            ("status", Kind::Text),
            ("processing_since", Kind::Number),
            ("serial", Kind::Bytes),
            ("problem", Kind::Text),
            ("replaces", Kind::Bytes),
        ],
    },
    Table {
        name: "authorizations",
        columns: &[
            ("id", Kind::Bytes),
            ("account_id", Kind::Bytes),
            ("identifier", Kind::Text),
            ("wildcard", Kind::Flag),
            ("created", Kind::Number),
            ("expires", Kind::Number),
            ("token", Kind::Bytes),
            ("challenges", Kind::Text),
            ("status", Kind::Text),
            ("challenge", Kind::Text),
            ("at", Kind::Number),
            ("records", Kind::Text),
            ("problem", Kind::Text),
        ],
    },
    Table {
        name: "intents",
        columns: &[
            ("serial", Kind::Bytes),
            ("order_id", Kind::Bytes),
            ("account_id", Kind::Bytes),
            ("issuer", Kind::Bytes),
            ("lint_certificate", Kind::Bytes),
            ("at", Kind::Number),
            ("crl_shard", Kind::Number),
        ],
    },
    Table {
        name: "certificates",
        columns: &[
            ("serial", Kind::Bytes),
            ("order_id", Kind::Bytes),
            ("account_id", Kind::Bytes),
            ("issuer", Kind::Bytes),
            ("der", Kind::Bytes),
            ("not_after", Kind::Number),
            ("at", Kind::Number),
            ("revoked_at", Kind::Number),
            ("revocation_reason", Kind::Small),
            ("crl_shard", Kind::Number),
            ("spki_sha256", Kind::Bytes),
        ],
    },
    Table {
        name: "blocked_keys",
        columns: &[
            ("spki_sha256", Kind::Bytes),
            ("serial", Kind::Bytes),
            ("at", Kind::Number),
            ("sweep_until", Kind::Number),
        ],
    },
    Table {
        name: "ca_certificates",
        columns: &[
            ("sha256", Kind::Bytes),
            ("subject_key_id", Kind::Bytes),
            ("der", Kind::Bytes),
            ("at", Kind::Number),
            ("replace_by", Kind::Number),
        ],
    },
    Table {
        name: "revocations",
        columns: &[
            ("serial", Kind::Bytes),
            ("issuer", Kind::Bytes),
            ("crl_shard", Kind::Number),
            ("not_after", Kind::Number),
            ("at", Kind::Number),
            ("reason", Kind::Number),
            ("position", Kind::Number),
        ],
    },
    Table {
        name: "crls",
        columns: &[
            ("id", Kind::Bytes),
            ("this_update", Kind::Number),
            ("next_update", Kind::Number),
            ("base", Kind::Number),
            ("position", Kind::Number),
            ("entries", Kind::Number),
            ("length", Kind::Number),
            ("sha256", Kind::Bytes),
        ],
    },
    Table { name: "crl_chunks", columns: &[("id", Kind::Bytes), ("octets", Kind::Bytes)] },
    Table {
        name: "incidents",
        columns: &[
            ("id", Kind::Bytes),
            ("name", Kind::Text),
            ("selection", Kind::Text),
            ("reason", Kind::Number),
            ("drill", Kind::Flag),
            ("explanation", Kind::Text),
            ("created", Kind::Number),
            ("revoke_at", Kind::Number),
            ("finished_by", Kind::Text),
            ("status", Kind::Text),
        ],
    },
    Table {
        name: "incident_certificates",
        columns: &[
            ("id", Kind::Bytes),
            ("incident_id", Kind::Bytes),
            ("serial", Kind::Bytes),
            ("subject", Kind::Bytes),
            ("replaced", Kind::Flag),
            ("done", Kind::Flag),
        ],
    },
    Table { name: "replacements", columns: &[("serial", Kind::Bytes), ("order_id", Kind::Bytes)] },
];

/// What is no part of a CA: the schema's own number, and which processes are at work.
#[cfg(test)]
const LEFT_BEHIND: &[&str] =
    &["schema_version", "workers", "orders.worker", "authorizations.worker", "crl_shards"];

/// What stands in a column of a row, in whichever engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing.
    Null,
    /// Of [`Kind::Bytes`], and of [`Kind::Ids`] end to end.
    Bytes(Vec<u8>),
    /// Of [`Kind::Text`].
    Text(String),
    /// Of every other kind.
    Number(i64),
}

/// A checksum over rows, which does not depend on the engine that they come from.
pub(crate) struct Checksum(Context);

impl Checksum {
    /// Of no row yet.
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Adds a row. Each value says what it is and how long, so that no two lists of rows run together to the same octets.
    pub(crate) fn add(&mut self, row: &[Value]) {
        for value in row {
            let number;
            let (kind, octets) = match value {
                Value::Null => (b'-', &[][..]),
                Value::Bytes(octets) => (b'b', octets.as_slice()),
                Value::Text(text) => (b't', text.as_bytes()),
                Value::Number(value) => {
                    number = value.to_be_bytes();
                    (b'n', number.as_slice())
                }
            };
            self.0.update(&[kind]);
            self.0.update(&(octets.len() as u64).to_be_bytes());
            self.0.update(octets);
        }
    }

    /// The SHA-256 of all of them.
    pub(crate) fn finish(self) -> [u8; 32] {
        let mut sum = [0; 32];
        sum.iter_mut().zip(self.0.finish().as_ref()).for_each(|(to, from)| *to = *from);
        sum
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rusqlite::Connection;

    use super::*;
    use crate::sqlite;

    #[test]
    fn every_column_of_the_schema_is_listed_or_left_behind_on_purpose() {
        let db = Connection::open_in_memory().unwrap();
        for migration in sqlite::MIGRATIONS {
            db.execute_batch(migration.sql).unwrap();
        }
        let sql = "SELECT tables.name, columns.name FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns \
                   WHERE tables.type = 'table'";
        let mut columns = db.prepare(sql).unwrap();
        let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let found: BTreeSet<(String, String)> = columns.map(Result::unwrap).collect();
        let found: BTreeSet<String> = found
            .into_iter()
            .filter(|(table, _)| !LEFT_BEHIND.contains(&table.as_str()))
            .map(|(table, column)| format!("{table}.{column}"))
            .filter(|column| !LEFT_BEHIND.contains(&column.as_str()))
            .collect();
        let listed: BTreeSet<String> = TABLES
            .iter()
            .flat_map(|table| table.columns.iter().map(move |(column, _)| format!("{}.{column}", table.name)))
            .collect();
        assert_eq!(found, listed);
    }

    #[test]
    fn a_checksum_tells_rows_apart_that_look_alike() {
        let sum = |rows: &[&[Value]]| {
            let mut sum = Checksum::new();
            rows.iter().for_each(|row| sum.add(row));
            sum.finish()
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let all = [
            sum(&[&[text("ab"), text("c")]]),
            sum(&[&[text("a"), text("bc")]]),
            sum(&[&[text("abc"), Value::Null]]),
            sum(&[&[Value::Bytes(b"ab".to_vec()), text("c")]]),
            sum(&[&[Value::Number(0)]]),
            sum(&[&[Value::Null]]),
            sum(&[]),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(sum(&[&[Value::Null], &[text("a")]]), sum(&[&[Value::Null, text("a")]]));
    }
}

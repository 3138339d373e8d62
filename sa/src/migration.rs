//! A change of the schema, in whichever engine: `migrations/<engine>/NNNN_*.sql`, numbered from 1, each run once in a
//! transaction of its own. The engines have the same migrations, by number and name, each in its own SQL.
//!
//! # The order of an upgrade
//!
//! First the migration (`cairn admin db migrate`, or the start of a single server), then the servers, one after the other. So
//! a migration must leave programs of the step before alone: it adds tables, indexes, and columns that may be left out, and
//! takes nothing away; what nobody uses any more goes in a later step. A program never runs on a schema older than the one
//! it knows. Tests hold that: the statements of each step are written down in `tests/statements`, and those of every step
//! that may live with the newest schema are prepared on it.
//!
//! The table `schema_version` has a row for each that was run. A row also tells the oldest program that can live with the
//! schema from then on, by the number of the newest migration that such a program knows: so a program that was rolled
//! back keeps working where the change allows it, and refuses to touch the database where not.

/// A change of the schema. Its number is its place in its engine's list, from 1.
pub(crate) struct Migration {
    /// The file's name.
    pub(crate) name: &'static str,
    /// Its text.
    pub(crate) sql: &'static str,
    /// The number of the newest migration that a program must at least know to live with the schema after this one: this
    /// migration's own number if it breaks older programs, a smaller one if it only adds what they do not look at.
    pub(crate) oldest_program: u32,
}

/// The number of the newest of these.
pub(crate) fn newest(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

/// The statements of a program at a step: one that knows the migrations up to `number` and no more.
#[cfg(test)]
pub(crate) fn statements_of(number: u32, engine: &str) -> Vec<String> {
    let path = format!("{}/tests/statements/{number:04}.{engine}.sql", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.split(";\n").filter(|sql| !sql.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::newest;
    use crate::{PostgresStorage, postgres, sqlite};

    /// So that after the next migration it is known what programs of this step run. `CAIRN_BLESS=1 cargo test -p cairn-sa`
    /// writes it; files of steps before are never changed.
    #[test]
    fn the_statements_of_this_step_are_written_down() {
        let engines: [(&str, u32, Vec<&str>); 2] = [
            ("sqlite", newest(sqlite::MIGRATIONS), sqlite::statements().collect()),
            ("postgres", newest(postgres::MIGRATIONS), PostgresStorage::statements().collect()),
        ];
        for (engine, number, statements) in engines {
            let path = format!("{}/tests/statements/{number:04}.{engine}.sql", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("CAIRN_BLESS").is_some() {
                let text: String = statements.iter().map(|sql| format!("{sql};\n")).collect();
                std::fs::write(&path, text).unwrap();
            }
            assert_eq!(super::statements_of(number, engine), statements, "CAIRN_BLESS=1 writes {path}");
        }
    }

    fn files(engine: &str) -> Vec<String> {
        let folder = format!("{}/../migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
        let entries = std::fs::read_dir(folder).unwrap();
        let mut files: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    }

    #[test]
    fn every_file_in_the_folders_is_listed_by_its_number_and_name() {
        for (engine, all) in [("sqlite", sqlite::MIGRATIONS), ("postgres", postgres::MIGRATIONS)] {
            let listed: Vec<_> = all.iter().map(|migration| format!("{}.sql", migration.name)).collect();
            assert_eq!(files(engine), listed, "{engine}");
            for (number, migration) in (1..).zip(all) {
                assert!(migration.name.starts_with(&format!("{number:04}_")), "{}", migration.name);
                assert!((1..=number).contains(&migration.oldest_program), "{}", migration.name);
            }
        }
    }

    #[test]
    fn the_engines_have_the_same_migrations() {
        assert_eq!(files("sqlite"), files("postgres"));
        for (sqlite, postgres) in sqlite::MIGRATIONS.iter().zip(postgres::MIGRATIONS) {
            assert_eq!(sqlite.oldest_program, postgres.oldest_program, "{}", sqlite.name);
        }
    }
}

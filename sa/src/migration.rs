//! A change of the schema, in whichever engine: `migrations/<engine>/NNNN_*.sql`, numbered from 1, each run once in a
//! transaction of its own. The engines have the same migrations, by number and name, each in its own SQL.
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

#[cfg(test)]
mod tests {
    use crate::{postgres, sqlite};

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

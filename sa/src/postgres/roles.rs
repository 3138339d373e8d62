//! Roles on the database server with no more rights than they need: the SQL that makes them, for the operator to run. Cairn
//! does not run it by itself, since whoever may make roles should not be what runs all the time.

use crate::config::ConfigError;

/// The names of the roles, and of the database that they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    /// The database.
    pub database: String,
    /// Who owns it, and makes and changes its tables. It is there already.
    pub owner: String,
    /// Who servers are: reads, adds, and changes what changes in the life of a thing.
    pub sa: String,
    /// Who only reads.
    pub read: String,
    /// Whether servers shall delete certificates when they are long over (`sa.keep.certificates`).
    pub prune_certificates: bool,
    /// Whether servers shall see that a replica is good to be read (`sa.postgres.replica`).
    pub replica: bool,
}

/// What is appended where servers read a replica.
const REPLICA: &str = "
-- To see whether every change waits for the replica. It wants a superuser, or who may give this role away.
GRANT pg_read_all_stats TO {sa};
";

impl Roles {
    /// SQL that makes the roles that are not there, and gives and takes their rights.
    ///
    /// # Errors
    /// A name that PostgreSQL would not take as it is.
    pub fn sql(&self) -> Result<String, ConfigError> {
        let names = [
            ("{database}", &self.database),
            ("{owner}", &self.owner),
            ("{sa}", &self.sa),
            ("{read}", &self.read),
        ];
        let mut sql = include_str!("roles.sql").to_owned();
        if self.replica {
            sql.push_str(REPLICA);
        }
        for (place, name) in names {
            // PostgreSQL cuts longer names off; and a line break would end the comment that names the role.
            if name.is_empty() || name.len() > 63 || name.contains(|c: char| c.is_control()) {
                let problem =
                    format!("{name:?} is no name of a role or a database; choose one of 1 to 63 octets");
                return Err(ConfigError { key: "roles", problem });
            }
            let quoted = format!("\"{}\"", name.replace('"', "\"\""));
            sql = sql.replace(place, &quoted);
        }
        let (deletable, prunable) = match self.prune_certificates {
            true => (
                "certificates and their intents, since these are not kept for ever",
                ", certificates, intents",
            ),
            false => ("nothing", ""),
        };
        sql = sql.replace("{deletable}", deletable).replace("{prunable}", prunable);
        for (place, name) in [("{sa_text}", &self.sa), ("{read_text}", &self.read)] {
            sql = sql.replace(place, &format!("'{}'", name.replace('\'', "''")));
        }
        Ok(sql)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(sa: &str) -> Roles {
        let name = str::to_owned;
        Roles {
            database: name("cairn"),
            owner: name("cairn"),
            sa: name(sa),
            read: name("cairn_read"),
            prune_certificates: false,
            replica: false,
        }
    }

    #[test]
    fn names_are_quoted() {
        let sql = roles("o'\"sa").sql().unwrap();
        assert!(sql.contains("GRANT UPDATE, DELETE ON workers TO \"o'\"\"sa\";"), "{sql}");
        assert!(sql.contains("rolname = 'o''\"sa'"), "{sql}");
        assert!(!sql.contains('{'), "{sql}");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "a\nb", &"a".repeat(64)] {
            assert!(roles(name).sql().is_err(), "{name:?}");
        }
    }
}

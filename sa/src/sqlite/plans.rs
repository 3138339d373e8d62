//! No request ever scans a table, however many rows it has: SQLite is asked how it would run every statement.

use super::{connection, migrations, statements};

/// What SQLite says it would do for each statement.
fn plans() -> Vec<(&'static str, Vec<String>)> {
    let mut db = connection::in_memory().unwrap();
    migrations::migrate(&mut db, migrations::ALL).unwrap();
    let plan = |sql: &'static str| {
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let nulls = vec![rusqlite::types::Null; explain.parameter_count()];
        let steps = explain.query_map(rusqlite::params_from_iter(nulls), |row| row.get(3)).unwrap();
        (sql, steps.collect::<Result<_, _>>().unwrap())
    };
    statements().map(plan).collect()
}

#[test]
fn every_statement_finds_its_rows_by_a_key_and_in_order() {
    for (sql, steps) in plans() {
        // An index of what is being worked on may be read whole: it never holds more than is under way.
        let under_way = ["INDEX processing_orders", "INDEX validating_authorizations"];
        let scans =
            |step: &str| step.starts_with("SCAN ") && !under_way.iter().any(|index| step.ends_with(index));
        let slow = steps.iter().any(|step| scans(step) || step.contains("TEMP B-TREE"));
        assert!(!slow, "{sql}\nis run as {steps:#?}");
    }
}

#[test]
fn lookups_among_open_and_running_things_use_their_partial_indexes() {
    let plans: String = plans().into_iter().map(|(_, steps)| steps.join("\n") + "\n").collect();
    for index in [
        "open_orders (account_id=? AND request_hash=? AND expires>?)",
        "USING INDEX processing_orders",
        "valid_authorizations (account_id=? AND identifier=? AND wildcard=? AND expires>?)",
        "USING INDEX validating_authorizations",
        "seen_workers (seen<?)",
        "expiring_certificates (not_after<?)",
        "latest_ca_certificates (at<?)",
        "revocations_in_order (position>?)",
        "revocations_of_shard (issuer=? AND crl_shard=? AND serial>?)",
        "COVERING INDEX revocations_of_shard",
    ] {
        assert!(plans.contains(index), "nothing uses {index}:\n{plans}");
    }
}

#[test]
fn every_statement_is_kept_prepared() {
    assert!(statements().count() < super::query::PREPARED);
}

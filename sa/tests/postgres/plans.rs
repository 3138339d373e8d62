//! No request ever scans a table, however many rows it has: PostgreSQL is asked how it would run every statement, whatever the values
//! are (a generic plan, as for a statement that is kept): on tables that are large enough for it to choose, and on empty ones, since
//! the plan that it makes then may still be in use when they are large.

use cairn_sa::PostgresStorage;

use crate::database::{Database, run};

/// Rows in every table, most of them done with, as after some time of use.
const ROWS: &str = "
    INSERT INTO accounts SELECT decode(md5('a' || n), 'hex'), sha256(decode(md5('k' || n), 'hex')), '{}', '[]', 'valid', n
        FROM generate_series(1, 20000) n;
    INSERT INTO orders SELECT decode(md5('o' || n), 'hex'), decode(md5('a' || n % 500), 'hex'), '[]',
            ARRAY[decode(md5('z' || n), 'hex')], 'default', decode(md5('h' || n), 'hex'), n, n,
            CASE WHEN n % 100 = 0 THEN 'open' WHEN n % 100 = 1 THEN 'processing' ELSE 'issued' END, n, NULL, NULL
        FROM generate_series(1, 20000) n;
    INSERT INTO authorizations SELECT decode(md5('z' || n), 'hex'), decode(md5('a' || n % 500), 'hex'), 'dns:' || n, false,
            n, n, sha256(decode(md5('t' || n), 'hex')), '[]',
            CASE WHEN n % 100 = 0 THEN 'pending' WHEN n % 100 = 1 THEN 'validating' ELSE 'valid' END, NULL, n, NULL, NULL
        FROM generate_series(1, 20000) n;
    INSERT INTO intents SELECT decode(md5('s' || n), 'hex'), decode(md5('o' || n), 'hex'), NULL, '', repeat('x', 700)::bytea, n
        FROM generate_series(1, 20000) n;
    INSERT INTO certificates SELECT decode(md5('s' || n), 'hex'), decode(md5('o' || n), 'hex'), NULL, '',
            repeat('x', 800)::bytea, n, n, NULL, NULL
        FROM generate_series(1, 20000) n;
    INSERT INTO blocked_keys SELECT sha256(decode(md5('b' || n), 'hex')), decode(md5('s' || n), 'hex'), n
        FROM generate_series(1, 20000) n;
    INSERT INTO ca_certificates SELECT sha256(decode(md5('c' || n), 'hex')), NULL, repeat('x', 500)::bytea, n
        FROM generate_series(1, 20000) n;
    INSERT INTO revocations SELECT decode(md5('s' || n), 'hex'), repeat('i', 20)::bytea, n % 4, n, n, NULL, n
        FROM generate_series(1, 20000) n;
    INSERT INTO crl_shards SELECT decode(md5('l' || n), 'hex'), NULL, NULL FROM generate_series(1, 20000) n;
    INSERT INTO crls SELECT decode(md5('r' || n), 'hex'), n, n, NULL, n, n, n, '' FROM generate_series(1, 20000) n;
    INSERT INTO crl_chunks SELECT decode(md5('p' || n), 'hex'), repeat('x', 700)::bytea FROM generate_series(1, 20000) n;
    INSERT INTO workers SELECT decode(md5('w' || n), 'hex'), n FROM generate_series(1, 20000) n;
";

/// What PostgreSQL says it would do for each statement when the tables have these rows.
async fn plans(rows: &str) -> Vec<(&'static str, String)> {
    let database = Database::new().await;
    let storage = database.open().await;
    let mut hand = database.other_hand().await;
    run(&mut hand, rows).await;
    run(&mut hand, "ANALYZE").await;
    for (name, value) in PostgresStorage::planner() {
        run(&mut hand, &format!("SET {name} = {value}")).await;
    }
    let mut plans = Vec::new();
    for (number, sql) in PostgresStorage::statements().enumerate() {
        run(&mut hand, &format!("PREPARE s{number} AS {sql}")).await;
        let parameters = (1..).take_while(|n| sql.contains(&format!("${n}"))).count();
        let nulls = vec!["NULL"; parameters].join(", ");
        let execute = if parameters == 0 { format!("s{number}") } else { format!("s{number}({nulls})") };
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN EXECUTE {execute}"));
        let lines: Vec<String> =
            sqlx::query_scalar(explain).persistent(false).fetch_all(&mut hand).await.unwrap();
        plans.push((sql, lines.join("\n")));
    }
    storage.close().await;
    plans
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_and_in_order() {
    let plans = plans(ROWS).await;
    assert!(plans.len() > 20);
    assert_nothing_is_scanned(&plans);
    let all: String = plans.into_iter().map(|(_, plan)| plan + "\n").collect();
    for index in [
        "open_orders",
        "processing_orders",
        "valid_authorizations",
        "validating_authorizations",
        "seen_workers",
        "expiring_certificates",
        "latest_ca_certificates",
        "revocations_in_order",
        "revocations_of_shard",
    ] {
        let used = ["using", "Backward using"].iter().any(|how| all.contains(&format!("{how} {index}")));
        assert!(used, "nothing uses {index}:\n{all}");
    }
}

#[tokio::test]
async fn what_was_planned_on_empty_tables_is_good_for_large_ones() {
    assert_nothing_is_scanned(&plans("").await);
}

fn assert_nothing_is_scanned(plans: &[(&'static str, String)]) {
    for (sql, plan) in plans {
        // An insertion without a question reads nothing.
        let reads = plan.contains(" on ") && !plan.starts_with("Insert");
        assert!(!reads || plan.contains("Index"), "{sql}\nis run as\n{plan}");
        for slow in ["Seq Scan", "Sort", "Hash", "Bitmap", "Materialize"] {
            assert!(!plan.contains(slow), "{sql}\nis run as\n{plan}");
        }
    }
}

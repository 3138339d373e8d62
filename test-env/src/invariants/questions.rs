//! Questions whose answer must be nothing. Each gives the ids of those for which the invariant does not hold.

use anyhow::Result;

use super::{Database, Finding, Limits};

struct Question {
    invariant: &'static str,
    /// What it is about: how many there are is said beside it.
    about: (&'static str, &'static str),
    offenders: &'static str,
}

const ORDERS: (&str, &str) = ("SELECT count(*) FROM orders", "orders");
const ISSUED: (&str, &str) = ("SELECT count(*) FROM orders WHERE status = 'issued'", "issued orders");
const INTENTS: (&str, &str) = ("SELECT count(*) FROM intents", "intents");
const CERTIFICATES: (&str, &str) = ("SELECT count(*) FROM certificates", "certificates");
const REVOKED: (&str, &str) =
    ("SELECT count(*) FROM certificates WHERE revoked_at IS NOT NULL", "revoked certificates");

const QUESTIONS: &[Question] = &[
    Question {
        invariant: "an order has one intent to sign at most",
        about: INTENTS,
        offenders: "SELECT order_id FROM intents WHERE order_id IS NOT NULL GROUP BY order_id HAVING count(*) > 1",
    },
    Question {
        invariant: "an order has one certificate at most",
        about: CERTIFICATES,
        offenders: "SELECT order_id FROM certificates WHERE order_id IS NOT NULL GROUP BY order_id HAVING count(*) > 1",
    },
    Question {
        invariant: "a serial is on one certificate",
        about: CERTIFICATES,
        offenders: "SELECT serial FROM certificates GROUP BY serial HAVING count(*) > 1",
    },
    Question {
        invariant: "what was signed had been intended before",
        about: CERTIFICATES,
        offenders: "SELECT c.serial FROM certificates c LEFT JOIN intents i ON i.serial = c.serial \
                    WHERE i.serial IS NULL OR i.at > c.at",
    },
    Question {
        invariant: "a certificate is for the order, the account and from the issuer that were intended",
        about: CERTIFICATES,
        offenders: "SELECT c.serial FROM certificates c JOIN intents i ON i.serial = c.serial \
                    WHERE i.order_id IS DISTINCT FROM c.order_id OR i.account_id IS DISTINCT FROM c.account_id \
                    OR i.issuer <> c.issuer",
    },
    Question {
        invariant: "a certificate stands, once it is revoked, on the list that was intended",
        about: CERTIFICATES,
        offenders: "SELECT c.serial FROM certificates c JOIN intents i ON i.serial = c.serial \
                    WHERE i.crl_shard IS DISTINCT FROM c.crl_shard",
    },
    Question {
        // It is let go of some time after the certificate's end.
        invariant: "a revoked certificate is in the order of revocations, with its time, reason and list",
        about: REVOKED,
        offenders: "SELECT c.serial FROM certificates c LEFT JOIN revocations r ON r.serial = c.serial \
                    WHERE c.revoked_at IS NOT NULL AND (r.serial IS NOT NULL OR c.not_after > {now}) \
                    AND (r.at IS DISTINCT FROM c.revoked_at OR r.reason IS DISTINCT FROM c.revocation_reason \
                    OR r.issuer IS DISTINCT FROM c.issuer OR r.crl_shard IS DISTINCT FROM coalesce(c.crl_shard, 0))",
    },
    Question {
        invariant: "what is in the order of revocations is revoked",
        about: ("SELECT count(*) FROM revocations", "revocations"),
        offenders: "SELECT r.serial FROM revocations r JOIN certificates c ON c.serial = r.serial WHERE c.revoked_at IS NULL",
    },
    Question {
        invariant: "an issued order has its certificate, which is for that order",
        about: ISSUED,
        offenders: "SELECT o.id FROM orders o LEFT JOIN certificates c ON c.serial = o.serial \
                    WHERE o.status = 'issued' AND c.order_id IS DISTINCT FROM o.id",
    },
    Question {
        // They are stored together. An order may be gone, a week after its end at the soonest.
        invariant: "a certificate's order knows it",
        about: CERTIFICATES,
        offenders: "SELECT c.serial FROM certificates c LEFT JOIN orders o ON o.id = c.order_id \
                    WHERE c.order_id IS NOT NULL AND {not_given_up} \
                    AND (o.status IS DISTINCT FROM 'issued' OR o.serial IS DISTINCT FROM c.serial) \
                    AND (o.id IS NOT NULL OR c.at > {now} - 86400)",
    },
    Question {
        invariant: "a certificate belongs to the account of its order",
        about: CERTIFICATES,
        offenders: "SELECT c.serial FROM certificates c JOIN orders o ON o.id = c.order_id \
                    WHERE c.account_id IS DISTINCT FROM o.account_id",
    },
    Question {
        // A client may give an authorization up after it has served.
        invariant: "each authorization of an issued order is its account's and was validated",
        about: ISSUED,
        offenders: "SELECT DISTINCT p.order_id FROM {authorizations_of} p \
                    LEFT JOIN authorizations a ON a.id = p.authorization_id \
                    WHERE a.account_id IS DISTINCT FROM p.account_id \
                    OR a.status NOT IN ('valid', 'deactivated')",
    },
    Question {
        invariant: "an order belongs to an account",
        about: ORDERS,
        offenders: "SELECT o.id FROM orders o LEFT JOIN accounts a ON a.id = o.account_id WHERE a.id IS NULL",
    },
];

/// Those about what is under way, for `{limit}` seconds.
const UNDER_WAY: &[Question] = &[
    Question {
        invariant: "no order is stuck in processing",
        about: ("SELECT count(*) FROM orders WHERE status = 'processing'", "in processing"),
        offenders: "SELECT id FROM orders WHERE status = 'processing' AND processing_since <= {now} - {limit}",
    },
    Question {
        invariant: "no authorization is stuck in validation",
        about: ("SELECT count(*) FROM authorizations WHERE status = 'validating'", "in validation"),
        offenders: "SELECT id FROM authorizations WHERE status = 'validating' AND at <= {now} - {limit}",
    },
];

pub(super) fn ask(database: &Database, limits: Limits) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if let Database::Sqlite(_) = database {
        findings.push(integrity(database)?);
    }
    let limit = limits.processing.as_secs().to_string();
    let not_given_up = if limits.given_up { "o.status IS DISTINCT FROM 'failed'" } else { "1 = 1" };
    for Question { invariant, about: (count, what), offenders } in QUESTIONS.iter().chain(UNDER_WAY) {
        // First those for which it does not hold: then what appears meanwhile only makes the number larger.
        let question = offenders.replace("{limit}", &limit).replace("{not_given_up}", not_given_up);
        let offenders = database.column(&question)?;
        let looked_at = (database.number(count)?.max(offenders.len()), *what);
        findings.push(Finding { invariant: (*invariant).to_owned(), looked_at, offenders });
    }
    Ok(findings)
}

/// Whether the file itself is whole. PostgreSQL's equivalent is a module that need not be there.
fn integrity(database: &Database) -> Result<Finding> {
    let mut said = database.column("PRAGMA integrity_check")?;
    said.retain(|line| line != "ok");
    let invariant = "the file is whole, and every index agrees with its table".to_owned();
    Ok(Finding { invariant, looked_at: (1, "file"), offenders: said })
}

-- The first schema: accounts, orders, authorizations, intents, certificates, blocked keys.
--
-- Ids and serials begin with the time at which they were made, so that inserts append to their B-trees. Times are
-- seconds since 1970. Lists and documents are JSON. A table whose rows are small and only ever found by their key
-- is that key's B-tree (WITHOUT ROWID); one with certificates in it is not, since a B-tree of keys would move every
-- row longer than a quarter of a page to a page of its own.
--
-- There are no foreign keys: each would cost a lookup for every insert, and the statements that need a parent read
-- it anyway. Partial indexes hold only the rows that someone still looks for, so that what is done leaves them.

CREATE TABLE accounts (
    id BLOB NOT NULL PRIMARY KEY,
    key_thumbprint BLOB NOT NULL UNIQUE,
    jwk TEXT NOT NULL,
    contact TEXT NOT NULL,
    status TEXT NOT NULL,               -- valid, deactivated, revoked
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    id BLOB NOT NULL PRIMARY KEY,
    account_id BLOB NOT NULL,
    identifiers TEXT NOT NULL,
    authorization_ids BLOB NOT NULL,    -- 16 bytes each, in the order of the identifiers
    profile TEXT NOT NULL,
    request_hash BLOB NOT NULL,         -- of profile and identifiers: what makes two orders ask for the same
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    status TEXT NOT NULL,               -- open, processing, issued, failed
    processing_since INTEGER,
    serial BLOB,
    problem TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX open_orders ON orders (account_id, request_hash, expires) WHERE status = 'open';
CREATE INDEX processing_orders ON orders (processing_since) WHERE status = 'processing';

CREATE TABLE authorizations (
    id BLOB NOT NULL PRIMARY KEY,
    account_id BLOB NOT NULL,
    identifier TEXT NOT NULL,           -- dns:example.test, never a wildcard; or ip:192.0.2.1
    wildcard INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    token BLOB NOT NULL,
    challenges TEXT NOT NULL,           -- those offered
    status TEXT NOT NULL,               -- pending, validating, valid, invalid, deactivated
    challenge TEXT,                     -- the one that was chosen
    at INTEGER,                         -- when the status was reached; NULL while pending
    records TEXT,
    problem TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX valid_authorizations ON authorizations (account_id, identifier, wildcard, expires) WHERE status = 'valid';
CREATE INDEX validating_authorizations ON authorizations (at) WHERE status = 'validating';

CREATE TABLE intents (
    serial BLOB NOT NULL PRIMARY KEY,
    order_id BLOB UNIQUE,               -- one certificate per order; NULL for the CA's own listeners
    account_id BLOB,
    issuer BLOB NOT NULL,
    lint_certificate BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE TABLE certificates (
    serial BLOB NOT NULL PRIMARY KEY,
    order_id BLOB,                      -- this and the next two are the intent's, so that intents can be let go
    account_id BLOB,
    issuer BLOB NOT NULL,
    der BLOB NOT NULL,
    not_after INTEGER NOT NULL,
    at INTEGER NOT NULL,
    revoked_at INTEGER,
    revocation_reason INTEGER
) STRICT;

CREATE TABLE blocked_keys (
    spki_sha256 BLOB NOT NULL PRIMARY KEY,
    serial BLOB NOT NULL,               -- of the certificate whose revocation blocked it
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

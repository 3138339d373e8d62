-- The first schema: accounts, orders, authorizations, intents, certificates, blocked keys. The tables and columns are
-- those of migrations/sqlite/0001_initial.sql, in PostgreSQL's own types.
--
-- Ids and serials begin with the time at which they were made, so that inserts append to their B-trees. Times are
-- seconds since 1970. Lists and documents are JSON as text: nobody asks for what is inside, and jsonb would refuse the
-- character U+0000, which a stranger's text may contain. Texts in indexes compare as bytes (COLLATE "C"), so that an
-- upgrade of the operating system's collations cannot break an index.
--
-- There are no foreign keys: each would cost a lookup and a lock for every insert, and the statements that need a
-- parent read it anyway. Partial indexes hold only the rows that someone still looks for, so that what is done leaves
-- them. The price is that a change of status, which moves a row into or out of such an index, can never be a
-- heap-only update; changes of accounts and revocations, whose columns are in no index, can. The fill factors leave
-- room for the next version of a row on the page where it lies, so that a change of either kind dirties one page of the
-- table instead of two.

CREATE TABLE accounts (
    id bytea NOT NULL PRIMARY KEY,
    key_thumbprint bytea NOT NULL UNIQUE,
    jwk text NOT NULL,
    contact text NOT NULL,
    status text COLLATE "C" NOT NULL,   -- valid, deactivated, revoked
    created bigint NOT NULL
) WITH (fillfactor = 90);

-- A row is written three times: open, processing, issued or failed.
CREATE TABLE orders (
    id bytea NOT NULL PRIMARY KEY,
    account_id bytea NOT NULL,
    identifiers text NOT NULL,
    authorization_ids bytea[] NOT NULL, -- in the order of the identifiers
    profile text NOT NULL,
    request_hash bytea NOT NULL,        -- of profile and identifiers: what makes two orders ask for the same
    created bigint NOT NULL,
    expires bigint NOT NULL,
    status text COLLATE "C" NOT NULL,   -- open, processing, issued, failed
    processing_since bigint,
    serial bytea,
    problem text
) WITH (fillfactor = 60);

CREATE INDEX open_orders ON orders (account_id, request_hash, expires, id) WHERE status = 'open';
CREATE INDEX processing_orders ON orders (processing_since) WHERE status = 'processing';

-- A row is written three times: pending, validating, valid or invalid.
CREATE TABLE authorizations (
    id bytea NOT NULL PRIMARY KEY,
    account_id bytea NOT NULL,
    identifier text COLLATE "C" NOT NULL, -- dns:example.test, never a wildcard; or ip:192.0.2.1
    wildcard boolean NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    token bytea NOT NULL,
    challenges text NOT NULL,           -- those offered
    status text COLLATE "C" NOT NULL,   -- pending, validating, valid, invalid, deactivated
    challenge text,                     -- the one that was chosen
    at bigint,                          -- when the status was reached; NULL while pending
    records text,
    problem text
) WITH (fillfactor = 60);

CREATE INDEX valid_authorizations ON authorizations (account_id, identifier, wildcard, expires) WHERE status = 'valid';
CREATE INDEX validating_authorizations ON authorizations (at) WHERE status = 'validating';

CREATE TABLE intents (
    serial bytea NOT NULL PRIMARY KEY,
    order_id bytea UNIQUE,              -- one certificate per order; NULL for the CA's own listeners
    account_id bytea,
    issuer bytea NOT NULL,
    lint_certificate bytea NOT NULL,
    at bigint NOT NULL
);

CREATE TABLE certificates (
    serial bytea NOT NULL PRIMARY KEY,
    order_id bytea,                     -- this and the next two are the intent's, so that intents can be let go
    account_id bytea,
    issuer bytea NOT NULL,
    der bytea NOT NULL,
    not_after bigint NOT NULL,
    at bigint NOT NULL,
    revoked_at bigint,
    revocation_reason smallint
);

CREATE TABLE blocked_keys (
    spki_sha256 bytea NOT NULL PRIMARY KEY,
    serial bytea NOT NULL,              -- of the certificate whose revocation blocked it
    at bigint NOT NULL
);

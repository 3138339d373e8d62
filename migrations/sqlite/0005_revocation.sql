-- Revocation that is seen: what is revoked in a table of its own, in the order in which it happened; the lists that are made of it;
-- incidents; and which order replaces which certificate.
--
-- Programs that know only 0004 live with this. They leave the new columns NULL, and what they revoke is entered by the trigger.

ALTER TABLE intents ADD COLUMN crl_shard INTEGER;           -- that the certificate names; NULL if it names none
ALTER TABLE certificates ADD COLUMN crl_shard INTEGER;      -- the intent's
ALTER TABLE certificates ADD COLUMN spki_sha256 BLOB;       -- of its key; NULL until it was entered, where an older program issued it

-- Which certificates have a key, for when it is known to be compromised.
CREATE INDEX certificates_by_key ON certificates (spki_sha256, serial);
CREATE INDEX certificates_without_key ON certificates (serial) WHERE spki_sha256 IS NULL;

-- Until when certificates are looked for that were issued for the key while it was being blocked; NULL when that is done.
ALTER TABLE blocked_keys ADD COLUMN sweep_until INTEGER;
CREATE INDEX blocked_keys_to_sweep ON blocked_keys (spki_sha256) WHERE sweep_until IS NOT NULL;

-- By when whatever this CA has issued must be replaced, since it goes itself; NULL while it stays.
ALTER TABLE ca_certificates ADD COLUMN replace_by INTEGER;
CREATE INDEX ca_certificates_of_issuer ON ca_certificates (subject_key_id);

-- What is revoked, until it is long over. A row says what a CRL must say, so that to make one no certificate is read.
CREATE TABLE revocations (
    serial BLOB NOT NULL PRIMARY KEY,
    issuer BLOB NOT NULL,
    crl_shard INTEGER NOT NULL,         -- 0 for certificates that name no CRL
    not_after INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reason INTEGER,
    position INTEGER NOT NULL           -- rises with every change, in the order in which changes are committed
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX revocations_in_order ON revocations (position);
CREATE INDEX revocations_of_shard ON revocations (issuer, crl_shard, serial);

-- Enters whatever any program revokes. Positions begin with the time, in microseconds, so that they rise on after a restore.
CREATE TRIGGER enter_revocation AFTER UPDATE OF revoked_at, revocation_reason ON certificates
WHEN NEW.revoked_at IS NOT NULL
    AND (OLD.revoked_at IS NOT NEW.revoked_at OR OLD.revocation_reason IS NOT NEW.revocation_reason)
BEGIN
    INSERT INTO revocations (serial, issuer, crl_shard, not_after, at, reason, position)
    SELECT NEW.serial, NEW.issuer, coalesce(NEW.crl_shard, 0), NEW.not_after, NEW.revoked_at, NEW.revocation_reason,
           max(coalesce((SELECT max(position) FROM revocations), 0) + 1, NEW.revoked_at * 1000000)
    WHERE true
    ON CONFLICT (serial) DO UPDATE SET reason = excluded.reason, position = excluded.position;
END;

INSERT INTO revocations (serial, issuer, crl_shard, not_after, at, reason, position)
    SELECT serial, issuer, 0, not_after, revoked_at, revocation_reason,
           revoked_at * 1000000 + row_number() OVER (ORDER BY revoked_at, serial)
    FROM certificates WHERE revoked_at IS NOT NULL;

-- Who makes the CRLs of a shard, one at a time.
CREATE TABLE crl_shards (
    id BLOB NOT NULL PRIMARY KEY,       -- issuer, and the shard in 4 octets
    holder BLOB,
    held_until INTEGER
) STRICT, WITHOUT ROWID;

-- CRLs that were made: the latest of each shard, complete and delta, and those that somebody may still be reading.
CREATE TABLE crls (
    id BLOB NOT NULL PRIMARY KEY,       -- the shard's, 0 for a complete and 1 for a delta CRL in 1 octet, and the number in 8
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    base INTEGER,                       -- the number of the complete CRL that a delta CRL goes with
    position INTEGER NOT NULL,          -- it tells of every revocation up to this one
    entries INTEGER NOT NULL,
    length INTEGER NOT NULL,            -- in octets
    sha256 BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Their octets.
CREATE TABLE crl_chunks (
    id BLOB NOT NULL PRIMARY KEY,       -- the CRL's, and the place in 4 octets
    octets BLOB NOT NULL
) STRICT;

-- Certificates that must be replaced soon, and then be revoked.
CREATE TABLE incidents (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    selection TEXT NOT NULL,            -- in words: what was asked for
    reason INTEGER,
    drill INTEGER NOT NULL,
    explanation TEXT,                   -- the URL of a page for those who must replace certificates
    created INTEGER NOT NULL,
    revoke_at INTEGER,                  -- when the rest is revoked; NULL while that is not decided
    finished_by TEXT,                   -- who decided that
    status TEXT NOT NULL                -- open, finished, cancelled
) STRICT, WITHOUT ROWID;
CREATE INDEX due_incidents ON incidents (revoke_at) WHERE status = 'open' AND revoke_at IS NOT NULL;

CREATE TABLE incident_certificates (
    id BLOB NOT NULL PRIMARY KEY,       -- the incident's, and the serial
    incident_id BLOB NOT NULL,
    serial BLOB NOT NULL,
    subject BLOB NOT NULL,              -- a hash of account and names: the same in what replaces it
    replaced INTEGER NOT NULL,          -- by another certificate for the same
    done INTEGER NOT NULL               -- nothing more is to be done: the certificate was replaced and revoked, or has ended
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_certificates_by_subject ON incident_certificates (incident_id, subject) WHERE NOT replaced;
CREATE INDEX incidents_of_certificate ON incident_certificates (serial);
CREATE INDEX incident_certificates_to_do ON incident_certificates (incident_id, serial) WHERE NOT done;

-- Which order replaces a certificate (RFC 9773 section 5): the one that claimed it last.
ALTER TABLE orders ADD COLUMN replaces BLOB;                -- the issuer's key identifier in 20 octets, and the serial
CREATE TABLE replacements (
    serial BLOB NOT NULL PRIMARY KEY,
    order_id BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Revocation that is seen: what is revoked in a table of its own, in the order in which it happened; the lists that are made of it;
-- incidents; and which order replaces which certificate.
--
-- Programs that know only 0004 live with this. They leave the new columns NULL, and what they revoke is entered by the trigger.
-- Making the indexes keeps certificates from being added for as long as it takes; where there are many millions, make them before the
-- migration with CREATE INDEX CONCURRENTLY, which does not.

ALTER TABLE intents ADD COLUMN crl_shard bigint;            -- that the certificate names; NULL if it names none
ALTER TABLE certificates ADD COLUMN crl_shard bigint;       -- the intent's
ALTER TABLE certificates ADD COLUMN spki_sha256 bytea;      -- of its key; NULL until it was entered, where an older program issued it

-- Which certificates have a key, for when it is known to be compromised.
CREATE INDEX IF NOT EXISTS certificates_by_key ON certificates (spki_sha256, serial);
CREATE INDEX IF NOT EXISTS certificates_without_key ON certificates (serial) WHERE spki_sha256 IS NULL;

-- Until when certificates are looked for that were issued for the key while it was being blocked; NULL when that is done.
ALTER TABLE blocked_keys ADD COLUMN sweep_until bigint;
CREATE INDEX blocked_keys_to_sweep ON blocked_keys (spki_sha256) WHERE sweep_until IS NOT NULL;

-- By when whatever this CA has issued must be replaced, since it goes itself; NULL while it stays.
ALTER TABLE ca_certificates ADD COLUMN replace_by bigint;
CREATE INDEX ca_certificates_of_issuer ON ca_certificates (subject_key_id);

-- What is revoked, until it is long over. A row says what a CRL must say, so that to make one no certificate is read.
CREATE TABLE revocations (
    serial bytea NOT NULL PRIMARY KEY,
    issuer bytea NOT NULL,
    crl_shard bigint NOT NULL,          -- 0 for certificates that name no CRL
    not_after bigint NOT NULL,
    at bigint NOT NULL,
    reason bigint,
    position bigint NOT NULL            -- rises with every change, in the order in which changes are committed
);
CREATE UNIQUE INDEX revocations_in_order ON revocations (position);
CREATE INDEX revocations_of_shard ON revocations (issuer, crl_shard, serial);

-- Enters whatever any program revokes. Positions begin with the time, in microseconds, so that they rise on after a restore. The
-- lock is held until the change is committed: nobody ever sees a position before all those below it.
-- It runs with its owner's rights: what servers may enter here is what they have revoked, and nothing else.
CREATE FUNCTION enter_revocation() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(27973128213626883);
    INSERT INTO revocations (serial, issuer, crl_shard, not_after, at, reason, position)
    SELECT NEW.serial, NEW.issuer, coalesce(NEW.crl_shard, 0), NEW.not_after, NEW.revoked_at, NEW.revocation_reason,
           greatest((SELECT max(position) FROM revocations) + 1, NEW.revoked_at * 1000000)
    ON CONFLICT (serial) DO UPDATE SET reason = excluded.reason, position = excluded.position;
    RETURN NULL;
END $$;

CREATE TRIGGER enter_revocation AFTER UPDATE OF revoked_at, revocation_reason ON certificates
    FOR EACH ROW WHEN (NEW.revoked_at IS NOT NULL
        AND (OLD.revoked_at IS DISTINCT FROM NEW.revoked_at OR OLD.revocation_reason IS DISTINCT FROM NEW.revocation_reason))
    EXECUTE FUNCTION enter_revocation();

INSERT INTO revocations (serial, issuer, crl_shard, not_after, at, reason, position)
    SELECT serial, issuer, 0, not_after, revoked_at, revocation_reason,
           revoked_at * 1000000 + row_number() OVER (ORDER BY revoked_at, serial)
    FROM certificates WHERE revoked_at IS NOT NULL;

-- Who makes the CRLs of a shard, one at a time.
CREATE TABLE crl_shards (
    id bytea NOT NULL PRIMARY KEY,      -- issuer, and the shard in 4 octets
    holder bytea,
    held_until bigint
) WITH (fillfactor = 50);

-- CRLs that were made: the latest of each shard, complete and delta, and those that somebody may still be reading.
CREATE TABLE crls (
    id bytea NOT NULL PRIMARY KEY,      -- the shard's, 0 for a complete and 1 for a delta CRL in 1 octet, and the number in 8
    this_update bigint NOT NULL,
    next_update bigint NOT NULL,
    base bigint,                        -- the number of the complete CRL that a delta CRL goes with
    position bigint NOT NULL,           -- it tells of every revocation up to this one
    entries bigint NOT NULL,
    length bigint NOT NULL,             -- in octets
    sha256 bytea NOT NULL
);

-- Their octets.
CREATE TABLE crl_chunks (
    id bytea NOT NULL PRIMARY KEY,      -- the CRL's, and the place in 4 octets
    octets bytea NOT NULL
);
-- They are half chance: to press them costs more than it saves.
ALTER TABLE crl_chunks ALTER COLUMN octets SET STORAGE EXTERNAL;

-- Certificates that must be replaced soon, and then be revoked.
CREATE TABLE incidents (
    id bytea NOT NULL PRIMARY KEY,
    name text NOT NULL,
    selection text NOT NULL,            -- in words: what was asked for
    reason bigint,
    drill boolean NOT NULL,
    explanation text,                   -- the URL of a page for those who must replace certificates
    created bigint NOT NULL,
    revoke_at bigint,                   -- when the rest is revoked; NULL while that is not decided
    finished_by text,                   -- who decided that
    status text COLLATE "C" NOT NULL    -- open, finished, cancelled
);
CREATE INDEX due_incidents ON incidents (revoke_at) WHERE status = 'open' AND revoke_at IS NOT NULL;

CREATE TABLE incident_certificates (
    id bytea NOT NULL PRIMARY KEY,      -- the incident's, and the serial
    incident_id bytea NOT NULL,
    serial bytea NOT NULL,
    subject bytea NOT NULL,             -- a hash of account and names: the same in what replaces it
    replaced boolean NOT NULL,          -- by another certificate for the same
    done boolean NOT NULL               -- nothing more is to be done: the certificate was replaced and revoked, or has ended
);
CREATE INDEX incident_certificates_by_subject ON incident_certificates (incident_id, subject) WHERE NOT replaced;
CREATE INDEX incidents_of_certificate ON incident_certificates (serial);
CREATE INDEX incident_certificates_to_do ON incident_certificates (incident_id, serial) WHERE NOT done;

-- Which order replaces a certificate (RFC 9773 section 5): the one that claimed it last.
ALTER TABLE orders ADD COLUMN replaces bytea;               -- the issuer's key identifier in 20 octets, and the serial
CREATE TABLE replacements (
    serial bytea NOT NULL PRIMARY KEY,
    order_id bytea NOT NULL
) WITH (fillfactor = 90);

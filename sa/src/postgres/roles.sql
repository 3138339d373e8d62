-- Roles with no more rights than they need, for the database {database} whose owner is {owner}.
--
-- Run this in that database as its owner, or as a superuser where the roles are not there yet; and again after each
-- `cairn admin db migrate`, which may have made tables. Running it twice does no harm.
--
--   {owner}  makes and changes tables: `cairn admin db migrate`, and nothing that runs all the time.
--   {sa}  what servers use, with `migrate_at_start = false`. It can change nothing but what changes in the life of a
--       thing: no certificate, no intent, no key. Of what was issued or promised it can delete {deletable}.
--   {read}  looks: for reports and monitoring.
--
-- Passwords are not set here: ALTER ROLE … PASSWORD does that, or pg_hba.conf says how else they are known.

DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = {sa_text}) THEN CREATE ROLE {sa} LOGIN; END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = {read_text}) THEN CREATE ROLE {read} LOGIN; END IF;
END $$;

REVOKE ALL ON DATABASE {database} FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {sa}, {read};
GRANT CONNECT ON DATABASE {database} TO {owner}, {sa}, {read};
GRANT USAGE, CREATE ON SCHEMA public TO {owner};
GRANT USAGE ON SCHEMA public TO {sa}, {read};

GRANT SELECT ON ALL TABLES IN SCHEMA public TO {sa}, {read};
GRANT INSERT ON accounts, orders, authorizations, intents, certificates, blocked_keys, workers, ca_certificates, crl_shards, crls,
    crl_chunks, incidents, incident_certificates, replacements TO {sa};
GRANT UPDATE (contact, status) ON accounts TO {sa};
GRANT UPDATE (status, processing_since, worker, serial, problem) ON orders TO {sa};
GRANT UPDATE (status, challenge, at, worker, records, problem, expires) ON authorizations TO {sa};
GRANT UPDATE (revoked_at, revocation_reason, spki_sha256) ON certificates TO {sa};
GRANT UPDATE (sweep_until) ON blocked_keys TO {sa};
GRANT UPDATE (replace_by) ON ca_certificates TO {sa};
GRANT UPDATE (holder, held_until) ON crl_shards TO {sa};
GRANT UPDATE (revoke_at, finished_by, status) ON incidents TO {sa};
GRANT UPDATE (replaced, done) ON incident_certificates TO {sa};
GRANT UPDATE (order_id) ON replacements TO {sa};
GRANT UPDATE, DELETE ON workers TO {sa};
-- What is revoked is entered by a trigger with its owner's rights; servers only let go of what is long over.
GRANT DELETE ON revocations, crls, crl_chunks, replacements, incident_certificates TO {sa};
GRANT DELETE ON orders, authorizations{prunable} TO {sa};

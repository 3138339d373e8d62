-- The certificates of the CA's issuers and of the CAs above them, so that every front end can make chains, also of issuers that
-- were put to use while it runs, and of those that are not in use any more.
--
-- Programs that know only 0003 live with this.

CREATE TABLE ca_certificates (
    sha256 bytea NOT NULL PRIMARY KEY,  -- of der
    subject_key_id bytea,               -- NULL if it has not 20 octets
    der bytea NOT NULL,
    at bigint NOT NULL                  -- when it was recorded first
);

-- For reading the latest.
CREATE INDEX latest_ca_certificates ON ca_certificates (at);

-- Several registration authorities on one database. What is being worked on bears the id of the process that works on it,
-- and each process says now and then that it lives: so the others know what they must leave alone, and what was left.
--
-- Programs that know only 0001 live with this: they leave the new columns NULL, which means that nobody holds the row.

ALTER TABLE orders ADD COLUMN worker BLOB;          -- while processing
ALTER TABLE authorizations ADD COLUMN worker BLOB;  -- while validating

CREATE TABLE workers (
    id BLOB NOT NULL PRIMARY KEY,
    seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For letting old rows go.
CREATE INDEX seen_workers ON workers (seen);

-- Several registration authorities on one database. What is being worked on bears the id of the process that works on it,
-- and each process says now and then that it lives: so the others know what they must leave alone, and what was left.
--
-- Programs that know only 0001 live with this: they leave the new columns NULL, which means that nobody holds the row.

ALTER TABLE orders ADD COLUMN worker bytea;         -- while processing
ALTER TABLE authorizations ADD COLUMN worker bytea; -- while validating

-- A row is written every few seconds, and rows are few.
CREATE TABLE workers (
    id bytea NOT NULL PRIMARY KEY,
    seen bigint NOT NULL
) WITH (fillfactor = 50);

-- For letting old rows go.
CREATE INDEX seen_workers ON workers (seen);

-- For letting certificates go that ended long ago, where that is configured. What else is let go is found by its key, which begins
-- with the second in which it was made.
--
-- Programs that know only 0002 live with this. Making the index keeps certificates from being added for as long as it takes; where there
-- are many millions, make it before the migration with CREATE INDEX CONCURRENTLY, which does not.

CREATE INDEX IF NOT EXISTS expiring_certificates ON certificates (not_after);

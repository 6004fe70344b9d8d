-- One row for each stream key: who may publish what. Rows are never deleted, so that no number is given twice and a revoked key stays known.
-- All times are in milliseconds since 1970-01-01 UTC by the database's clock.
CREATE TABLE stream_key (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- The SHA-256 of the secret, which stands nowhere.
    fingerprint BLOB    NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    -- Compared byte by byte: names differ by case.
    stream      TEXT    NOT NULL,
    -- What people know it by.
    label       TEXT,
    created_ms  INTEGER NOT NULL,
    -- From when on it admits nobody; NULL for never.
    expires_ms  INTEGER CHECK (expires_ms > created_ms),
    revoked_ms  INTEGER,
    -- When it was last used, to a minute; NULL before the first.
    used_ms     INTEGER
) STRICT;

-- A revoked key does not come back, whatever a statement does.
CREATE TRIGGER stream_key_stays_revoked BEFORE UPDATE ON stream_key WHEN OLD.revoked_ms IS NOT NULL AND NEW.revoked_ms IS NULL
BEGIN
    SELECT RAISE(ABORT, 'a revoked stream key stays revoked');
END;

-- One row for each stream that a worker ever worked on. The row stays when a lease is released or over: its fence goes on counting.
CREATE TABLE lease (
    stream   TEXT    NOT NULL PRIMARY KEY,
    -- The number of the newest lease.
    fence    INTEGER NOT NULL CHECK (fence >= 1),
    -- Who has it; NULL where it was released.
    worker   TEXT,
    -- When its time is over, in milliseconds since 1970-01-01 UTC by the database's clock, and how long it was when it was last given.
    until_ms INTEGER CHECK ((until_ms IS NULL) = (worker IS NULL)),
    ttl_ms   INTEGER CHECK ((ttl_ms IS NULL) = (worker IS NULL) AND ttl_ms >= 1)
) STRICT, WITHOUT ROWID;

-- A fence is never given twice, whatever a statement does: it never goes down, a worker never gets another's or a released one, and no row is lost.
CREATE TRIGGER lease_goes_up BEFORE UPDATE ON lease
WHEN NEW.fence < OLD.fence
    OR (NEW.fence = OLD.fence AND NEW.worker IS NOT NULL AND NEW.worker IS NOT OLD.worker)
BEGIN
    SELECT RAISE(ABORT, 'a lease has its own fence, above all before it');
END;
CREATE TRIGGER lease_stays BEFORE DELETE ON lease
BEGIN
    SELECT RAISE(ABORT, 'a lease is released, and its row stays');
END;

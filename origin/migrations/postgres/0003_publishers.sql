-- One row for each stream key: who may publish what. Rows are never deleted, so that no number is given twice and a revoked key stays known.
-- All times are in milliseconds since 1970-01-01 UTC by the database's clock.
CREATE TABLE stream_key (
    -- A number of a key that could not be made after all is left out.
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The SHA-256 of the secret, which stands nowhere.
    fingerprint bytea NOT NULL UNIQUE CHECK (length(fingerprint) = 32),
    -- Compared byte by byte: names differ by case.
    stream      text COLLATE "C" NOT NULL,
    -- What people know it by.
    label       text,
    created_ms  bigint NOT NULL,
    -- From when on it admits nobody; NULL for never.
    expires_ms  bigint CHECK (expires_ms > created_ms),
    revoked_ms  bigint,
    -- When it was last used, to a minute; NULL before the first.
    used_ms     bigint
);

-- A revoked key does not come back, whatever a statement does.
CREATE FUNCTION stream_key_stays_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a revoked stream key stays revoked';
END $$;
CREATE TRIGGER stream_key_stays_revoked BEFORE UPDATE ON stream_key FOR EACH ROW
    WHEN (OLD.revoked_ms IS NOT NULL AND NEW.revoked_ms IS NULL)
    EXECUTE FUNCTION stream_key_stays_revoked();

-- One row for each stream that a worker ever worked on. The row stays when a lease is released or over: its fence goes on counting.
CREATE TABLE lease (
    stream   text COLLATE "C" NOT NULL PRIMARY KEY,
    -- The number of the newest lease.
    fence    bigint NOT NULL CHECK (fence >= 1),
    -- Who has it; NULL where it was released.
    worker   text COLLATE "C",
    -- When its time is over, by the database's clock, and how long it was when it was last given.
    until_ms bigint CHECK ((until_ms IS NULL) = (worker IS NULL)),
    ttl_ms   bigint CHECK ((ttl_ms IS NULL) = (worker IS NULL) AND ttl_ms >= 1)
);

-- A fence is never given twice, whatever a statement does: it never goes down, a worker never gets another's or a released one, and no row is lost.
CREATE FUNCTION lease_goes_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a lease has its own fence, above all before it';
END $$;
CREATE TRIGGER lease_goes_up BEFORE UPDATE ON lease FOR EACH ROW
    WHEN (NEW.fence < OLD.fence
        OR (NEW.fence = OLD.fence AND NEW.worker IS NOT NULL AND NEW.worker IS DISTINCT FROM OLD.worker))
    EXECUTE FUNCTION lease_goes_up();

CREATE FUNCTION lease_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a lease is released, and its row stays';
END $$;
CREATE TRIGGER lease_stays BEFORE DELETE ON lease FOR EACH ROW EXECUTE FUNCTION lease_stays();

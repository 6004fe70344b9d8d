-- The clock that everything is fenced by: this server's, in milliseconds since 1970-01-01 UTC. It goes on within a transaction, so
-- that who waited for a row reads the time at which it got it.
CREATE FUNCTION now_ms() RETURNS bigint
    LANGUAGE sql VOLATILE PARALLEL SAFE
    AS 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

-- One row for each asset name that a revision was ever begun for.
CREATE TABLE asset (
    -- Compared byte by byte, whatever the database's collation: names differ by case, and are listed in the order of their bytes.
    name         text COLLATE "C" NOT NULL PRIMARY KEY,
    -- The last revision number given out. Never goes down, so that no number is given twice.
    begun        bigint NOT NULL CHECK (begun >= 1),
    -- The revision that is served; NULL before the first.
    published    bigint CHECK (published BETWEEN 1 AND begun),
    -- When it was published.
    published_ms bigint CHECK ((published_ms IS NULL) = (published IS NULL))
);

-- One row for each asset name that a revision was ever begun for.
CREATE TABLE asset (
    -- Compared byte by byte: names differ by case.
    name         TEXT    NOT NULL PRIMARY KEY,
    -- The last revision number given out. Never goes down, so that no number is given twice.
    begun        INTEGER NOT NULL CHECK (begun >= 1),
    -- The revision that is served; NULL before the first.
    published    INTEGER CHECK (published BETWEEN 1 AND begun),
    -- When it was published, in milliseconds since 1970-01-01 UTC by the database's clock.
    published_ms INTEGER CHECK ((published_ms IS NULL) = (published IS NULL))
) STRICT, WITHOUT ROWID;

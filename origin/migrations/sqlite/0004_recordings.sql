-- One row for each show that anybody claimed the archive of. The row stays when the recording is forgotten: its fence goes on counting.
-- All times are in milliseconds since 1970-01-01 UTC by the database's clock.
CREATE TABLE recording (
    -- Compared byte by byte: names differ by case.
    stream        TEXT    NOT NULL,
    show          INTEGER NOT NULL CHECK (show >= 0),
    -- The number of the newest tenure.
    fence         INTEGER NOT NULL CHECK (fence >= 1),
    -- Who has it; NULL where nobody does, and where it is sealed.
    holder        TEXT    CHECK (holder IS NULL OR NOT is_sealed),
    -- When its time is over, and how long it was when it was last given.
    held_until_ms INTEGER CHECK ((held_until_ms IS NULL) = (holder IS NULL)),
    ttl_ms        INTEGER CHECK ((ttl_ms IS NULL) = (holder IS NULL) AND ttl_ms >= 1),
    -- The first page that is kept. The pages before until_page are written.
    first_page    INTEGER NOT NULL CHECK (first_page BETWEEN 0 AND until_page),
    until_page    INTEGER NOT NULL,
    -- Whether no page will follow.
    is_sealed     INTEGER NOT NULL DEFAULT 0 CHECK (is_sealed IN (0, 1)),
    -- Whether it is as if it had never been, but for its fence.
    is_forgotten  INTEGER NOT NULL DEFAULT 0 CHECK (is_forgotten = 0 OR (is_forgotten = 1 AND is_sealed AND first_page = until_page)),
    -- When it was last claimed, released, sealed or got a page.
    changed_ms    INTEGER NOT NULL,
    PRIMARY KEY (stream, show)
) STRICT, WITHOUT ROWID;

-- What somebody may have to see to.
CREATE INDEX recording_open ON recording (changed_ms) WHERE NOT is_sealed;

-- From which page on a recording was written under which fence. One that nothing was written under yet begins at until_page.
CREATE TABLE recording_span (
    stream    TEXT    NOT NULL,
    show      INTEGER NOT NULL,
    from_page INTEGER NOT NULL,
    fence     INTEGER NOT NULL,
    PRIMARY KEY (stream, show, from_page),
    FOREIGN KEY (stream, show) REFERENCES recording (stream, show)
) STRICT, WITHOUT ROWID;

-- Which pages are used by which revision of an asset, and so are kept.
CREATE TABLE recording_use (
    stream     TEXT    NOT NULL,
    show       INTEGER NOT NULL,
    first_page INTEGER NOT NULL,
    last_page  INTEGER NOT NULL CHECK (last_page >= first_page),
    asset      TEXT    NOT NULL,
    revision   TEXT    NOT NULL,
    PRIMARY KEY (stream, show, first_page, last_page, asset, revision),
    FOREIGN KEY (stream, show) REFERENCES recording (stream, show)
) STRICT, WITHOUT ROWID;

CREATE INDEX recording_use_of_asset ON recording_use (asset, revision);

-- What recordings are at the moment at which they are looked at. More than twice its time can only be left to a holder where the clock was
-- set back: then nobody waits for it.
CREATE VIEW recording_now AS
    SELECT stream, show, first_page, until_page, is_sealed, changed_ms,
        holder IS NOT NULL
            AND held_until_ms - CAST(round(unixepoch('subsec') * 1000) AS INTEGER) BETWEEN 1 AND 2 * ttl_ms AS is_held
    FROM recording WHERE NOT is_forgotten;

-- Who claims a recording begins a span where the last one ends. If nothing was written under the fence before, there is no span of it.
CREATE TRIGGER recording_begins AFTER INSERT ON recording
BEGIN
    INSERT INTO recording_span VALUES (NEW.stream, NEW.show, NEW.until_page, NEW.fence);
END;
CREATE TRIGGER recording_goes_on AFTER UPDATE ON recording WHEN NEW.fence <> OLD.fence
BEGIN
    INSERT INTO recording_span VALUES (NEW.stream, NEW.show, NEW.until_page, NEW.fence)
    ON CONFLICT (stream, show, from_page) DO UPDATE SET fence = excluded.fence;
END;

-- Whatever a statement does: fences and pages only go up, a fence has one holder, what is sealed stays as it is, and no row is lost.
CREATE TRIGGER recording_goes_up BEFORE UPDATE ON recording
WHEN NEW.fence < OLD.fence OR NEW.first_page < OLD.first_page OR NEW.until_page < OLD.until_page
    OR (NEW.fence = OLD.fence AND NEW.holder IS NOT NULL AND NEW.holder IS NOT OLD.holder)
    OR (OLD.is_sealed AND (NOT NEW.is_sealed OR NEW.fence <> OLD.fence OR NEW.until_page <> OLD.until_page))
    OR NEW.is_forgotten < OLD.is_forgotten
BEGIN
    SELECT RAISE(ABORT, 'a recording only goes on, and ends once');
END;
CREATE TRIGGER recording_stays BEFORE DELETE ON recording
BEGIN
    SELECT RAISE(ABORT, 'a recording is forgotten, and its row stays');
END;

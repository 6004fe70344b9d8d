-- One row for each show of a live stream. A show is a timeline; rows are never deleted, so that no number is given twice.
CREATE TABLE show (
    -- Compared byte by byte: names differ by case.
    stream     TEXT    NOT NULL,
    -- Counted from 1 for each stream.
    id         INTEGER NOT NULL CHECK (id >= 1),
    -- The show that had to end for this one; NULL where none was running.
    former     INTEGER CHECK (former BETWEEN 1 AND id - 1),
    -- The wall-clock time of media time zero. All times are in milliseconds since 1970-01-01 UTC.
    anchor_ms  INTEGER NOT NULL,
    -- The cadence: the length of a segment, and how many parts it should have.
    segment_ms INTEGER NOT NULL CHECK (segment_ms BETWEEN 1 AND 4294967295),
    parts      INTEGER NOT NULL CHECK (parts BETWEEN 1 AND 4294967295),
    -- When it was opened and when it was ended, by the database's clock, which may be set back in between.
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    -- The last segment that is complete; NULL before the first.
    last_msn   INTEGER CHECK (last_msn >= 0),
    PRIMARY KEY (stream, id)
) STRICT, WITHOUT ROWID;

-- Never two running shows of one stream, whatever a statement does.
CREATE UNIQUE INDEX show_running ON show (stream) WHERE ended_ms IS NULL;

-- Ending the former show and opening the next is one statement: nobody sees the moment between.
CREATE TRIGGER show_succeeds BEFORE INSERT ON show WHEN NEW.former IS NOT NULL
BEGIN
    UPDATE show SET ended_ms = NEW.started_ms
    WHERE stream = NEW.stream AND id = NEW.former AND ended_ms IS NULL;
END;

-- From which segment on a track is decoded with which init segment.
CREATE TABLE show_init (
    stream TEXT    NOT NULL,
    show   INTEGER NOT NULL,
    track  TEXT    NOT NULL,
    msn    INTEGER NOT NULL CHECK (msn >= 0),
    init   TEXT    NOT NULL CHECK (length(init) BETWEEN 1 AND 64 AND init NOT GLOB '*[^0-9a-z]*'),
    PRIMARY KEY (stream, show, track, msn),
    FOREIGN KEY (stream, show) REFERENCES show (stream, id)
) STRICT, WITHOUT ROWID;

-- One row for each show of a live stream. A show is a timeline; rows are never deleted, so that no number is given twice.
CREATE TABLE show (
    -- Compared byte by byte: names differ by case.
    stream     text COLLATE "C" NOT NULL,
    -- Counted from 1 for each stream.
    id         bigint NOT NULL CHECK (id >= 1),
    -- The wall-clock time of media time zero. All times are in milliseconds since 1970-01-01 UTC.
    anchor_ms  bigint NOT NULL,
    -- The cadence: the length of a segment, and how many parts it should have.
    segment_ms bigint NOT NULL CHECK (segment_ms BETWEEN 1 AND 4294967295),
    parts      bigint NOT NULL CHECK (parts BETWEEN 1 AND 4294967295),
    -- When it was opened and when it was ended, by the database's clock, which may be set back in between.
    started_ms bigint NOT NULL,
    ended_ms   bigint,
    -- The last segment that is complete; NULL before the first.
    last_msn   bigint CHECK (last_msn >= 0),
    PRIMARY KEY (stream, id)
);

-- Never two running shows of one stream, whatever a statement does.
CREATE UNIQUE INDEX show_running ON show (stream) WHERE ended_ms IS NULL;

-- From which segment on a track is decoded with which init segment.
CREATE TABLE show_init (
    stream text COLLATE "C" NOT NULL,
    show   bigint NOT NULL,
    track  text COLLATE "C" NOT NULL,
    msn    bigint NOT NULL CHECK (msn >= 0),
    init   text COLLATE "C" NOT NULL CHECK (init ~ '^[0-9a-z]{1,64}$'),
    PRIMARY KEY (stream, show, track, msn),
    FOREIGN KEY (stream, show) REFERENCES show (stream, id)
);

-- The running show of a stream; where none is running, or only `former`, the next one, opened now. No row where `former` was never
-- opened.
--
-- Who opens a show of a stream has the stream to itself until it is committed. In a function, each statement sees what was committed
-- before it began, so all of them see what those before us in the queue have done; in one statement, the snapshot would be older than
-- the lock. Streams whose hashes are the same wait for each other and lose nothing. Only this function inserts.
CREATE FUNCTION show_open(
    of_stream text, former bigint, is_epoch boolean, media_ms bigint, of_segment_ms bigint, of_parts bigint
) RETURNS SETOF show LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    newest bigint;
    now bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(of_stream, 7290001));
    SELECT coalesce(max(id), 0) INTO newest FROM show WHERE stream = of_stream;
    IF newest < coalesce(former, 0) OR former < 1 THEN
        RETURN;
    END IF;
    now := now_ms();
    UPDATE show SET ended_ms = now WHERE stream = of_stream AND id = former AND ended_ms IS NULL;
    RETURN QUERY SELECT * FROM show WHERE stream = of_stream AND ended_ms IS NULL;
    IF NOT FOUND THEN
        RETURN QUERY
            INSERT INTO show (stream, id, anchor_ms, segment_ms, parts, started_ms)
            VALUES (of_stream, newest + 1, CASE WHEN is_epoch THEN 0 ELSE now - media_ms END, of_segment_ms, of_parts, now)
            RETURNING *;
    END IF;
END $$;

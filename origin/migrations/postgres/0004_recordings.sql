-- One row for each show that anybody claimed the archive of. The row stays when the recording is forgotten: its fence goes on counting.
-- All times are in milliseconds since 1970-01-01 UTC by the database's clock.
CREATE TABLE recording (
    -- Compared byte by byte: names differ by case.
    stream        text COLLATE "C" NOT NULL,
    show          bigint NOT NULL CHECK (show >= 0),
    -- The number of the newest tenure.
    fence         bigint NOT NULL CHECK (fence >= 1),
    -- Who has it; NULL where nobody does, and where it is sealed.
    holder        text COLLATE "C" CHECK (holder IS NULL OR NOT is_sealed),
    -- When its time is over, and how long it was when it was last given.
    held_until_ms bigint CHECK ((held_until_ms IS NULL) = (holder IS NULL)),
    ttl_ms        bigint CHECK ((ttl_ms IS NULL) = (holder IS NULL) AND ttl_ms >= 1),
    -- The first page that is kept. The pages before until_page are written.
    first_page    bigint NOT NULL CHECK (first_page BETWEEN 0 AND until_page),
    until_page    bigint NOT NULL,
    -- Whether no page will follow.
    is_sealed     boolean NOT NULL DEFAULT false,
    -- Whether it is as if it had never been, but for its fence.
    is_forgotten  boolean NOT NULL DEFAULT false CHECK (NOT is_forgotten OR (is_sealed AND first_page = until_page)),
    -- When it was last claimed, released, sealed or got a page.
    changed_ms    bigint NOT NULL,
    PRIMARY KEY (stream, show)
);

-- What somebody may have to see to.
CREATE INDEX recording_open ON recording (changed_ms) WHERE NOT is_sealed;

-- From which page on a recording was written under which fence. One that nothing was written under yet begins at until_page.
CREATE TABLE recording_span (
    stream    text COLLATE "C" NOT NULL,
    show      bigint NOT NULL,
    from_page bigint NOT NULL,
    fence     bigint NOT NULL,
    PRIMARY KEY (stream, show, from_page),
    FOREIGN KEY (stream, show) REFERENCES recording (stream, show)
);

-- Which pages are used by which revision of an asset, and so are kept.
CREATE TABLE recording_use (
    stream     text COLLATE "C" NOT NULL,
    show       bigint NOT NULL,
    first_page bigint NOT NULL,
    last_page  bigint NOT NULL CHECK (last_page >= first_page),
    asset      text COLLATE "C" NOT NULL,
    revision   text COLLATE "C" NOT NULL,
    PRIMARY KEY (stream, show, first_page, last_page, asset, revision),
    FOREIGN KEY (stream, show) REFERENCES recording (stream, show)
);

CREATE INDEX recording_use_of_asset ON recording_use (asset, revision);

-- What recordings are at the moment at which they are looked at. More than twice its time can only be left to a holder where the clock was
-- set back: then nobody waits for it.
CREATE VIEW recording_now AS
    SELECT stream, show, first_page, until_page, is_sealed, changed_ms,
        holder IS NOT NULL AND held_until_ms - now_ms() BETWEEN 1 AND 2 * ttl_ms AS is_held
    FROM recording WHERE NOT is_forgotten;

-- Who claims a recording begins a span where the last one ends. If nothing was written under the fence before, there is no span of it.
CREATE FUNCTION recording_span() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO recording_span VALUES (NEW.stream, NEW.show, NEW.until_page, NEW.fence)
    ON CONFLICT (stream, show, from_page) DO UPDATE SET fence = excluded.fence;
    RETURN NULL;
END $$;
CREATE TRIGGER recording_begins AFTER INSERT ON recording FOR EACH ROW EXECUTE FUNCTION recording_span();
CREATE TRIGGER recording_goes_on AFTER UPDATE ON recording FOR EACH ROW WHEN (NEW.fence <> OLD.fence)
    EXECUTE FUNCTION recording_span();

-- Whatever a statement does: fences and pages only go up, a fence has one holder, what is sealed stays as it is, and no row is lost.
CREATE FUNCTION recording_goes_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a recording only goes on, and ends once';
END $$;
CREATE TRIGGER recording_goes_up BEFORE UPDATE ON recording FOR EACH ROW
    WHEN (NEW.fence < OLD.fence OR NEW.first_page < OLD.first_page OR NEW.until_page < OLD.until_page
        OR (NEW.fence = OLD.fence AND NEW.holder IS NOT NULL AND NEW.holder IS DISTINCT FROM OLD.holder)
        OR (OLD.is_sealed AND (NOT NEW.is_sealed OR NEW.fence <> OLD.fence OR NEW.until_page <> OLD.until_page))
        OR NEW.is_forgotten < OLD.is_forgotten)
    EXECUTE FUNCTION recording_goes_up();

CREATE FUNCTION recording_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a recording is forgotten, and its row stays';
END $$;
CREATE TRIGGER recording_stays BEFORE DELETE ON recording FOR EACH ROW EXECUTE FUNCTION recording_stays();

-- Gives pages up, and returns the first one that is kept now; no row where there is no such recording.
--
-- Who holds pages locks the row until that is committed (FOR SHARE), and so does this. In a function, each statement sees what was
-- committed before it began, so the second one sees all uses that were there when the row was had; in one statement, the snapshot
-- would be older than the lock.
CREATE FUNCTION recording_expire(of_stream text, of_show bigint, asked bigint) RETURNS SETOF bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM 1 FROM recording WHERE stream = of_stream AND show = of_show FOR UPDATE;
    RETURN QUERY
        UPDATE recording SET first_page = greatest(recording.first_page, least(asked, recording.until_page, (
            SELECT min(used.first_page) FROM recording_use AS used WHERE used.stream = of_stream AND used.show = of_show
        )))
        WHERE stream = of_stream AND show = of_show AND NOT is_forgotten
        RETURNING recording.first_page;
END $$;

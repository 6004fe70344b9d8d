//! The list of streams for people: a line for each show.

use serde::Deserialize;

use crate::cli::table::{Side, table};

/// What `GET /live` answers, as far as it is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Streams {
    pub(super) streams: Vec<Stream>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Stream {
    stream: String,
    senders: u64,
    waiting: u64,
    shows: Vec<Show>,
}

#[derive(Debug, Deserialize)]
struct Show {
    show: u64,
    ended: bool,
    bytes: u64,
    archive: Option<Archive>,
    tracks: Vec<Track>,
}

#[derive(Debug, Deserialize)]
struct Archive {
    behind_ms: u64,
    whole: bool,
    spool_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Track {
    listed_s: f64,
    behind_ms: Option<i64>,
}

type Row = [String; COLUMNS.len()];

/// The table, with its head, each line ended.
pub(super) fn of(list: &Streams) -> String {
    table(COLUMNS, list.streams.iter().flat_map(rows_of))
}

fn rows_of(stream: &Stream) -> Vec<Row> {
    let mut rows: Vec<Row> = stream.shows.iter().map(|show| row_of(stream, show)).collect();
    if rows.is_empty() {
        // Somebody sends, and has not said enough for a show.
        let [show, tracks, window, behind, memory, archive, spool] = [NONE; 7].map(str::to_owned);
        let (senders, waiting) = (stream.senders.to_string(), stream.waiting.to_string());
        rows.push([
            stream.stream.clone(),
            show,
            "opening".into(),
            senders,
            waiting,
            tracks,
            window,
            behind,
            memory,
            archive,
            spool,
        ]);
    }
    rows
}

fn row_of(stream: &Stream, show: &Show) -> Row {
    let running = !show.ended;
    let state = match (running, stream.senders) {
        (false, _) => "ended",
        (true, 0) => "silent",
        (true, _) => "running",
    };
    let of_stream = |number: u64| if running { number.to_string() } else { NONE.to_owned() };
    let window = show.tracks.iter().map(|track| track.listed_s).fold(0.0, f64::max);
    let behind = show.tracks.iter().filter_map(|track| track.behind_ms).max().filter(|_| running);
    [
        stream.stream.clone(),
        show.show.to_string(),
        state.to_owned(),
        of_stream(stream.senders),
        of_stream(stream.waiting),
        show.tracks.len().to_string(),
        format!("{window:.1} s"),
        behind.map_or_else(|| NONE.to_owned(), |millis| format!("{} ms", millis)),
        size(show.bytes),
        match &show.archive {
            None => NONE.to_owned(),
            Some(Archive { whole: true, .. }) => "whole".to_owned(),
            Some(Archive { behind_ms, .. }) => format!("{:.1} s", seconds(*behind_ms)),
        },
        show.archive.as_ref().map_or_else(|| NONE.to_owned(), |archive| size(archive.spool_bytes)),
    ]
}

/// Milliseconds as seconds.
fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}

/// Bytes in MiB with one decimal, as the configuration counts them.
fn size(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10 + MIB / 2) / MIB;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

const COLUMNS: [(&str, Side); 11] = [
    ("STREAM", Side::Left),
    ("SHOW", Side::Right),
    ("STATE", Side::Left),
    ("SENDERS", Side::Right),
    ("WAITING", Side::Right),
    ("TRACKS", Side::Right),
    ("WINDOW", Side::Right),
    ("BEHIND", Side::Right),
    ("MEMORY", Side::Right),
    ("ARCHIVE", Side::Right),
    ("SPOOL", Side::Right),
];
const NONE: &str = "-";
const MIB: u128 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_show_has_a_line_and_each_column_its_width() {
        let list = r#"{"streams":[
            {"stream":"gala","senders":3,"waiting":1250,"shows":[
                {"show":9,"ended":true,"anchor_ms":0,"bytes":1024,"archive":{"behind_ms":0,"writes":false,"whole":true,"spool_bytes":0},"tracks":[{"track":"a","codec":"","first":1,"open":2,"parts":0,"listed_s":2.0,"end_ms":1,"behind_ms":900000}]},
                {"show":10,"ended":false,"anchor_ms":0,"bytes":15204352,"archive":{"behind_ms":2040,"writes":true,"whole":false,"spool_bytes":3145728},"tracks":[
                    {"track":"audio","codec":"mp4a.40.2","first":1,"open":30,"parts":2,"listed_s":59.97,"end_ms":1,"behind_ms":412},
                    {"track":"video-360","codec":"avc1.64001e","first":1,"open":30,"parts":2,"listed_s":60.0,"end_ms":1,"behind_ms":389}]}]},
            {"stream":"morning-show","senders":0,"waiting":0,"shows":[{"show":1,"ended":false,"anchor_ms":0,"bytes":0,"tracks":[]}]},
            {"stream":"x","senders":1,"waiting":0,"shows":[]}]}"#;
        let table = of(&serde_json::from_str(list).unwrap());
        let expected = "\
STREAM        SHOW  STATE    SENDERS  WAITING  TRACKS  WINDOW  BEHIND    MEMORY  ARCHIVE    SPOOL
gala             9  ended          -        -       1   2.0 s       -   0.0 MiB    whole  0.0 MiB
gala            10  running        3     1250       2  60.0 s  412 ms  14.5 MiB    2.0 s  3.0 MiB
morning-show     1  silent         0        0       0   0.0 s       -   0.0 MiB        -        -
x                -  opening        1        0       -       -       -         -        -        -
";
        assert_eq!(table, expected);
    }
}

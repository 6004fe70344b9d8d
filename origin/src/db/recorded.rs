//! What the rows of recordings say, in either dialect.

use std::error::Error as StdError;

use packager::asset::{ShowId, StreamName};

use crate::catalog::{Recording, RecordingError, Span, Tenure, Use};

/// stream, show, first_page, until_page, whether it is sealed, changed_ms, whether it is held; and of one of its spans, or of none:
/// fence, from_page.
pub(super) type Row = (String, i64, i64, i64, bool, i64, bool, Option<i64>, Option<i64>);

/// asset, revision, first_page, last_page.
pub(super) type UseRow = (String, String, i64, i64);

/// The recordings of rows in which those of one recording follow each other, in the order of their spans.
pub(super) fn recordings(rows: Vec<Row>) -> Result<Vec<Recording>, RecordingError> {
    let mut recordings: Vec<Recording> = Vec::new();
    for row in rows {
        let (stream, show) = (row.0.clone(), row.1);
        let (recording, span) = parts(row).map_err(because(&stream, show))?;
        match recordings.last_mut() {
            Some(last) if last.stream == recording.stream && last.show == recording.show => {
                last.spans.extend(span);
            }
            _ => recordings.push(Recording { spans: span.into_iter().collect(), ..recording }),
        }
    }
    Ok(recordings)
}

/// A recording without its spans, and one of those.
fn parts(row: Row) -> Result<(Recording, Option<Span>), Cause> {
    let (stream, show, first, until, sealed, changed_ms, is_held, fence, from) = row;
    let (stream, show) = (stream.parse()?, ShowId(u64::try_from(show)?));
    let (first, until) = (u64::try_from(first)?, u64::try_from(until)?);
    let span = match fence.zip(from) {
        Some((fence, from)) => Some(Span { fence: u64::try_from(fence)?, from: u64::try_from(from)? }),
        None => None,
    };
    // The last one may be empty: then nothing was written under the newest fence.
    let (spans, span) = (Vec::new(), span.filter(|span| span.from < until));
    Ok((Recording { stream, show, spans, first, until, sealed, changed_ms, is_held }, span))
}

/// The tenure that was given, if one was: fence, until_page.
pub(super) fn tenure(
    stream: &StreamName,
    show: ShowId,
    rows: &[(i64, i64)],
) -> Result<Option<Tenure>, RecordingError> {
    let Some((fence, from)) = rows.first() else { return Ok(None) };
    let (fence, from) = (number(stream, show, *fence)?, number(stream, show, *from)?);
    Ok(Some(Tenure { stream: stream.clone(), show, fence, from }))
}

/// The first page that is kept, if there is such a recording.
pub(super) fn first(
    stream: &StreamName,
    show: ShowId,
    rows: &[(i64,)],
) -> Result<Option<u64>, RecordingError> {
    rows.first().map(|(first,)| number(stream, show, *first)).transpose()
}

/// The uses of a show.
pub(super) fn uses(stream: &StreamName, show: ShowId, rows: Vec<UseRow>) -> Result<Vec<Use>, RecordingError> {
    let used = |(asset, revision, first, last): UseRow| {
        let (asset, revision) = (asset.parse()?, revision.parse()?);
        Ok(Use { asset, revision, first: u64::try_from(first)?, last: u64::try_from(last)? })
    };
    rows.into_iter().map(|row| used(row).map_err(because(stream.as_str(), at_most(show.0)))).collect()
}

/// A number that may be beyond what a row can hold, and then is above all that rows hold.
pub(super) fn at_most(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(stream: &StreamName, show: ShowId, stored: i64) -> Result<u64, RecordingError> {
    u64::try_from(stored).map_err(|fault| because(stream.as_str(), at_most(show.0))(fault.into()))
}

fn because(stream: &str, show: i64) -> impl FnOnce(Cause) -> RecordingError {
    let stream = stream.to_owned();
    move |source| RecordingError::Corrupt { stream, show, source }
}

type Cause = Box<dyn StdError + Send + Sync>;

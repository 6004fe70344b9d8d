//! Whether the timelines of renditions change at the same places.

use super::{MediaPlaylist, Place, Remark};

/// What keeps `playlist` from being laid beside `reference`: discontinuities must stand at the same points of all
/// renditions (RFC 8216bis §6.2.4), for each says where a timeline begins that all of them share.
///
/// # Errors
/// A remark on the first discontinuity that is another.
pub fn agrees(
    (reference_name, reference): (&str, &MediaPlaylist),
    (name, playlist): (&str, &MediaPlaylist),
) -> Result<(), Remark> {
    let (theirs, ours) = (reference.periods(), playlist.periods());
    let fault = |what: String| Err(Remark::new(name, Place::Whole, what));
    if theirs.len() != ours.len() {
        let (expected, found) = (theirs.len().saturating_sub(2), ours.len().saturating_sub(2));
        return fault(format!("expected {expected} discontinuities as in {reference_name}, found {found}"));
    }
    // Sound is cut at frames, and a segment of it may begin before or after that of the pictures.
    let slack = reference.target.max(playlist.target);
    let inner = |times: &[crate::time::MediaTime]| times.split_last().map_or(Vec::new(), |(_, t)| t.to_vec());
    for (theirs, ours) in inner(&theirs).into_iter().zip(inner(&ours)) {
        let apart = if ours > theirs { ours.since(theirs) } else { theirs.since(ours) };
        if apart > slack {
            return fault(format!(
                "expected a discontinuity at {theirs} s as in {reference_name}, found it at {ours} s"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Playlist;

    fn playlist(lengths: &[&str]) -> MediaPlaylist {
        let mut text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"i\"\n".to_owned();
        for length in lengths {
            let (tag, length) = match length.strip_prefix('|') {
                Some(length) => ("#EXT-X-DISCONTINUITY\n", length),
                None => ("", *length),
            };
            text.push_str(&format!("{tag}#EXTINF:{length},\ns\n"));
        }
        Playlist::read_media("x", format!("{text}#EXT-X-ENDLIST\n").as_bytes()).unwrap()
    }

    #[test]
    fn discontinuities_stand_at_the_same_points() {
        let reference = playlist(&["|4", "4", "|4", "4"]);
        let judge = |lengths: &[&str]| agrees(("v", &reference), ("a", &playlist(lengths)));
        assert_eq!(judge(&["4.01", "3.98", "|8.02"]), Ok(()));
        assert_eq!(
            judge(&["4", "4", "4", "4"]).unwrap_err().to_string(),
            "a: expected 1 discontinuities as in v, found 0"
        );
        assert_eq!(
            judge(&["4", "|4", "4", "4"]).map_err(|e| e.to_string()),
            Ok(()),
            "a target duration apart is what cuts of sound may make"
        );
        assert_eq!(
            judge(&["1", "|4", "4"]).unwrap_err().to_string(),
            "a: expected a discontinuity at 8.000000 s as in v, found it at 1.000000 s"
        );
    }
}

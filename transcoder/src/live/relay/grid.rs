//! Whether a publisher's keyframes stay on the grid of segments, so that its pictures can be passed through.

/// Looks at the pictures of one run, in the order in which they are decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    segment_ms: i64,
    /// By how much a keyframe may be off: half a frame, as origins take it.
    slack_ms: i64,
    /// The last boundary at which a keyframe was.
    met: i64,
}

impl Grid {
    /// For a run that begins with a keyframe shown at `first_ms`. Where that is not at a boundary, the next one is the first
    /// that is looked at.
    pub(super) fn new(segment_ms: u32, frame_ms: i64, first_ms: i64) -> Self {
        let mut grid =
            Self { segment_ms: i64::from(segment_ms.max(1)), slack_ms: (frame_ms / 2).max(1), met: 0 };
        grid.met = grid.boundary_before(first_ms);
        grid
    }

    /// Takes a picture that is shown at `shown_ms`. False where it stands at a boundary, or after one, that has no keyframe.
    pub(super) fn goes_on(&mut self, is_key: bool, shown_ms: i64) -> bool {
        let boundary = self.boundary_before(shown_ms);
        if is_key && shown_ms.abs_diff(boundary) <= self.slack_ms.unsigned_abs() {
            self.met = self.met.max(boundary);
        }
        boundary <= self.met
    }

    /// The last boundary that a picture shown then stands at, or after.
    fn boundary_before(&self, shown_ms: i64) -> i64 {
        let begun = shown_ms.saturating_add(self.slack_ms);
        begun.saturating_sub(begun.rem_euclid(self.segment_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    /// After how many frames a source whose frames last so many microseconds and whose keyframes come every so many
    /// frames leaves the grid.
    fn leaves(frame_us: i64, gop: i64) -> Option<i64> {
        let mut grid = Grid::new(2_000, frame_us / 1_000, NOW);
        (1..20_000).find(|frame| !grid.goes_on(frame % gop == 0, NOW + frame * frame_us / 1_000))
    }

    #[test]
    fn a_gop_that_divides_the_segment_stays_on_the_grid() {
        assert_eq!(leaves(33_333, 60), None);
        assert_eq!(leaves(33_333, 30), None);
        assert_eq!(leaves(40_000, 25), None);
    }

    #[test]
    fn others_leave_it_with_the_first_boundary_that_is_not_met() {
        assert_eq!(leaves(33_333, 250), Some(60));
        assert_eq!(leaves(33_333, 45), Some(60));
        // 2.002 s: half a frame off after eight groups.
        assert!(leaves(33_366, 60).is_some_and(|frame| frame > 60 * 8));
    }

    #[test]
    fn a_run_that_begins_within_a_segment_is_looked_at_from_the_next_boundary_on() {
        let mut grid = Grid::new(2_000, 33, NOW + 1_000);
        assert!(grid.goes_on(true, NOW + 1_000) && grid.goes_on(false, NOW + 1_967));
        assert!(!grid.clone().goes_on(false, NOW + 2_000));
        assert!(grid.goes_on(true, NOW + 2_001) && grid.goes_on(false, NOW + 3_967));
    }
}

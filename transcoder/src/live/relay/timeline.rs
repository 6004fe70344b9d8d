//! Where on the timeline of the show a publisher's tags belong.
//!
//! The timeline is Unix time in milliseconds, so that every origin and every restart agrees on it without being told. A
//! publisher counts from whatever moment it likes; once anchored, its times are moved by a constant.
//!
//! ```text
//! publisher      0    33   67   100 …                          0    33 …       a new connection, or a jump
//!                │ moved by a constant                         │ moved by another
//! Unix time ─────┼──────────────────────────┼──────────────────┼─────────────────────▶
//!           a boundary                   a boundary       a boundary, after all that was
//! ```
//!
//! The rules, and why:
//!
//! 1. *The first keyframe is put on the newest segment boundary that is not after now.* A source whose GOP divides the
//!    segment then has a keyframe at each boundary, and can be passed through as it is. It is put into the past, by less
//!    than a segment, since origins refuse media of the future and viewers would wait for it.
//! 2. *A new publication is anchored anew*: its times have nothing to do with those of the one before. So is what follows
//!    other codec settings within one, since a segment has one header: it begins at a boundary.
//! 3. *So are times that jump*: by more than 10 s forward or 1 s back within one kind of media, or to more than 5 s ahead
//!    or 30 s behind the clock. Less is taken as it comes, since networks stall and clocks drift. That is done at the
//!    next keyframe, for pictures before it could not be decoded; what comes before is dropped.
//! 4. *What is anchored anew goes to the first boundary after all that was placed, and not before the newest boundary
//!    that has come*: positions never run back. What an origin has published cannot be taken back.
//! 5. *Within one anchor, tags that do not come after the one before of their kind are moved behind it* by a millisecond
//!    (a muxer refuses them otherwise), or dropped while the show was kept going without them (see [`Timeline::fill`]).

/// What a tag is, for the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A picture with which decoding can begin.
    Key,
    /// Any other picture.
    Picture,
    /// A frame of sound.
    Sound,
}

/// A tag as its publisher stamps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) role: Role,
    /// When it is decoded, in milliseconds of the publisher's own.
    pub(super) at_ms: i64,
    /// Presentation time less decoding time, in milliseconds; zero for sound.
    pub(super) offset_ms: i64,
}

/// Where a tag belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// To be decoded then, in milliseconds of Unix time.
    At(i64),
    /// The same, after the publisher's times were anchored anew: so many milliseconds after what was placed before.
    Anew(i64, i64),
    /// Nowhere: a keyframe is waited for.
    Dropped,
}

/// The timeline of one show.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    segment_ms: i64,
    /// What is added to the publisher's times.
    shift: Option<i64>,
    /// Whether pictures before the next keyframe cannot be decoded.
    awaits_key: bool,
    pictures: Course,
    sound: Course,
    /// The latest presentation of a picture.
    shown: Option<i64>,
}

/// One kind of media.
#[derive(Debug, Clone, Copy, Default)]
struct Course {
    /// The publisher's last time.
    source: Option<i64>,
    /// The last position on the timeline.
    placed: Option<i64>,
}

impl Timeline {
    /// A timeline without media, with segments of so many milliseconds.
    pub(super) fn new(segment_ms: u32) -> Self {
        Self {
            segment_ms: i64::from(segment_ms.max(1)),
            shift: None,
            awaits_key: true,
            pictures: Course::default(),
            sound: Course::default(),
            shown: None,
        }
    }

    /// What is before `end_ms` was published by somebody else.
    pub(super) fn begin_after(&mut self, end_ms: i64) {
        self.shown = self.shown.max(Some(end_ms.saturating_sub(1)));
        self.sound.placed = self.sound.placed.max(Some(end_ms.saturating_sub(1)));
    }

    /// Another publication begins.
    pub(super) fn publication(&mut self) {
        self.shift = None;
        self.awaits_key = true;
        self.pictures.source = None;
        self.sound.source = None;
    }

    /// The show was kept going up to this position by something else than the publisher's media. Pictures that are no
    /// keyframes cannot be decoded after that.
    pub(super) fn fill(&mut self, role: Role, at_ms: i64, offset_ms: i64) {
        self.advance(role, at_ms, offset_ms);
        self.awaits_key |= role != Role::Sound;
    }

    /// Places a tag that arrives at `now_ms`, milliseconds of Unix time.
    pub(super) fn place(&mut self, stamp: Stamp, now_ms: i64) -> Placed {
        let course = self.course(stamp.role);
        let jumps = course.source.is_some_and(|last| {
            let step = stamp.at_ms.saturating_sub(last);
            !(-LONGEST_STEP_BACK_MS..=LONGEST_STEP_MS).contains(&step)
        });
        course.source = Some(stamp.at_ms);
        if let Some(shift) = self.shift {
            let ahead = stamp.at_ms.saturating_add(shift).saturating_sub(now_ms);
            if jumps || !(-MOST_BEHIND_MS..=MOST_AHEAD_MS).contains(&ahead) {
                self.shift = None;
                self.awaits_key = true;
            }
        }
        let is_key = stamp.role == Role::Key;
        if !is_key && (self.shift.is_none() || (self.awaits_key && stamp.role == Role::Picture)) {
            return Placed::Dropped;
        }
        let end = self.end_for(stamp.offset_ms);
        if is_key && self.awaits_key {
            // A publisher that only paused goes on where it is, if nothing else has been put there.
            let goes_on = self.shift.map(|shift| stamp.at_ms.saturating_add(shift));
            let goes_on = goes_on.filter(|at| end.is_none_or(|end| *at >= end));
            let former = self.shown;
            let at = goes_on.unwrap_or_else(|| {
                let newest = self.boundary_from(now_ms.saturating_sub(self.segment_ms).saturating_add(1));
                let first = end.map_or(newest, |end| {
                    newest.max(self.boundary_from(end.saturating_add(stamp.offset_ms)))
                });
                first.saturating_sub(stamp.offset_ms)
            });
            self.shift = Some(at.saturating_sub(stamp.at_ms));
            self.awaits_key = false;
            self.advance(stamp.role, at, stamp.offset_ms);
            return match goes_on {
                Some(_) => Placed::At(at),
                None => {
                    let shown = at.saturating_add(stamp.offset_ms);
                    Placed::Anew(at, former.map_or(0, |former| shown.saturating_sub(former)))
                }
            };
        }
        let wanted = stamp.at_ms.saturating_add(self.shift.unwrap_or_default());
        let last = self.course(stamp.role).placed;
        let at = match last {
            // Sound that others were put in the place of, or that ran before the anchor, is over.
            Some(last) if stamp.role == Role::Sound && last.saturating_sub(wanted) > NEAR_MS => {
                return Placed::Dropped;
            }
            Some(last) => wanted.max(last.saturating_add(1)),
            None => wanted,
        };
        self.advance(stamp.role, at, stamp.offset_ms);
        Placed::At(at)
    }

    /// The first boundary that is not before `at_ms`.
    pub(super) fn boundary_from(&self, at_ms: i64) -> i64 {
        boundary_from(at_ms, self.segment_ms)
    }

    /// The last position of a kind of media.
    pub(super) fn last(&self, role: Role) -> Option<i64> {
        match role {
            Role::Sound => self.sound.placed,
            Role::Key | Role::Picture => self.pictures.placed,
        }
    }

    /// When the last picture is shown.
    pub(super) fn last_shown(&self) -> Option<i64> {
        self.shown
    }

    /// The earliest decode time of a picture with this offset that runs neither before what is decoded nor before what
    /// is shown.
    fn end_for(&self, offset_ms: i64) -> Option<i64> {
        let decoded = self.pictures.placed.map(|last| last.saturating_add(1));
        let shown = self.shown.map(|shown| shown.saturating_add(1).saturating_sub(offset_ms));
        decoded.max(shown)
    }

    fn advance(&mut self, role: Role, at_ms: i64, offset_ms: i64) {
        if role != Role::Sound {
            self.shown = self.shown.max(Some(at_ms.saturating_add(offset_ms)));
        }
        let course = self.course(role);
        course.placed = course.placed.max(Some(at_ms));
    }

    fn course(&mut self, role: Role) -> &mut Course {
        match role {
            Role::Sound => &mut self.sound,
            Role::Key | Role::Picture => &mut self.pictures,
        }
    }
}

/// The first whole multiple of a segment, at least 1 ms long, that is not before `at_ms`.
pub(super) fn boundary_from(at_ms: i64, segment_ms: i64) -> i64 {
    let into = at_ms.rem_euclid(segment_ms);
    if into == 0 { at_ms } else { at_ms.saturating_add(segment_ms.saturating_sub(into)) }
}

/// More than that forward is a jump.
const LONGEST_STEP_MS: i64 = 10_000;
/// More than that back is a jump.
const LONGEST_STEP_BACK_MS: i64 = 1_000;
/// How far before the clock times may be: what a publisher had ready when it came.
const MOST_AHEAD_MS: i64 = 5_000;
/// How far behind the clock they may be: what a publisher holds back on a bad network, and what clocks drift in a day.
const MOST_BEHIND_MS: i64 = 30_000;
/// By how much sound that runs back is moved rather than dropped: the rounding of times.
const NEAR_MS: i64 = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn key(at_ms: i64) -> Stamp {
        Stamp { role: Role::Key, at_ms, offset_ms: 0 }
    }

    fn picture(at_ms: i64) -> Stamp {
        Stamp { role: Role::Picture, at_ms, offset_ms: 0 }
    }

    fn sound(at_ms: i64) -> Stamp {
        Stamp { role: Role::Sound, at_ms, offset_ms: 0 }
    }

    #[test]
    fn the_first_keyframe_is_put_on_the_newest_boundary() {
        let mut timeline = Timeline::new(2_000);
        assert_eq!(timeline.place(sound(90), NOW + 500), Placed::Dropped);
        assert_eq!(timeline.place(picture(100), NOW + 500), Placed::Dropped);
        assert_eq!(timeline.place(key(133), NOW + 1_999), Placed::Anew(NOW, 0));
        assert_eq!(timeline.place(sound(140), NOW + 1_999), Placed::At(NOW + 7));
        assert_eq!(timeline.place(picture(167), NOW + 2_030), Placed::At(NOW + 34));
        let mut timeline = Timeline::new(2_000);
        assert_eq!(timeline.place(key(0), NOW), Placed::Anew(NOW, 0), "a boundary is not after itself");
    }

    #[test]
    fn a_keyframe_stands_where_it_is_shown() {
        let mut timeline = Timeline::new(2_000);
        let reordered = Stamp { role: Role::Key, at_ms: 0, offset_ms: 67 };
        assert_eq!(timeline.place(reordered, NOW), Placed::Anew(NOW - 67, 0));
    }

    #[test]
    fn another_publication_goes_on_after_all_that_was() {
        let mut timeline = Timeline::new(2_000);
        timeline.place(key(0), NOW);
        for at in 1..150 {
            timeline.place(picture(at * 33), NOW + at * 33);
        }
        timeline.publication();
        assert_eq!(timeline.place(picture(700), NOW + 5_000), Placed::Dropped);
        // The last picture is at 4.917 s: the boundary that has come, at 4 s, is taken.
        assert_eq!(timeline.place(key(733), NOW + 5_500), Placed::Anew(NOW + 6_000, 6_000 - 4_917));
        timeline.publication();
        assert_eq!(timeline.place(key(0), NOW + 60_100), Placed::Anew(NOW + 60_000, 54_000));
    }

    #[test]
    fn times_that_jump_are_anchored_anew_at_the_next_keyframe() {
        for jump in [10_034, -1_001, 3_000_000_000, -3_000_000_000] {
            let mut timeline = Timeline::new(2_000);
            timeline.place(key(0), NOW);
            timeline.place(picture(33), NOW + 33);
            assert_eq!(timeline.place(picture(33 + jump), NOW + 67), Placed::Dropped, "{jump}");
            assert_eq!(timeline.place(sound(40 + jump), NOW + 67), Placed::Dropped);
            assert_eq!(timeline.place(key(67 + jump), NOW + 100), Placed::Anew(NOW + 2_000, 1_967));
            assert_eq!(timeline.place(picture(100 + jump), NOW + 133), Placed::At(NOW + 2_033));
        }
    }

    #[test]
    fn times_that_leave_the_clock_are_anchored_anew() {
        let mut timeline = Timeline::new(2_000);
        timeline.place(key(0), NOW);
        for second in 1..=5 {
            assert_eq!(timeline.place(picture(second * 1_000), NOW), Placed::At(NOW + second * 1_000));
        }
        assert_eq!(timeline.place(picture(5_033), NOW), Placed::Dropped);
        let mut timeline = Timeline::new(2_000);
        timeline.place(key(0), NOW);
        assert_eq!(timeline.place(picture(1), NOW + 30_001), Placed::At(NOW + 1));
        assert_eq!(timeline.place(key(2), NOW + 30_003), Placed::Anew(NOW + 30_000, 29_999));
    }

    #[test]
    fn who_only_paused_goes_on_where_it_is() {
        let mut timeline = Timeline::new(2_000);
        timeline.place(key(0), NOW);
        timeline.fill(Role::Key, NOW + 1_000, 0);
        assert_eq!(timeline.place(picture(1_500), NOW + 1_500), Placed::Dropped);
        assert_eq!(timeline.place(key(2_000), NOW + 2_000), Placed::At(NOW + 2_000));
        // The other went on meanwhile: what was held back is shown after it.
        timeline.fill(Role::Key, NOW + 4_500, 0);
        assert_eq!(timeline.place(key(4_000), NOW + 4_600), Placed::Anew(NOW + 6_000, 1_500));
    }

    #[test]
    fn who_goes_on_with_a_show_begins_after_what_was_published() {
        let mut timeline = Timeline::new(2_000);
        timeline.begin_after(NOW + 2_100);
        assert_eq!(timeline.place(key(5), NOW + 3_000), Placed::Anew(NOW + 4_000, 1_901));
        assert_eq!(timeline.place(sound(5), NOW + 3_000), Placed::At(NOW + 4_000));
    }

    proptest! {
        #[test]
        fn whatever_comes_positions_run_on_and_anchors_are_boundaries(
            segment in 500_u32..10_000,
            tags in prop::collection::vec((0_u8..6, -12_000_i64..12_000, 0_i64..200, 0_i64..3_000), 1..200),
        ) {
            let mut timeline = Timeline::new(segment);
            let (mut now, mut at) = (NOW, 0_i64);
            let (mut pictures, mut sounds, mut shift) = (i64::MIN, i64::MIN, None);
            for (what, step, offset_ms, passes) in tags {
                now += passes;
                // Mostly small steps.
                at += if step.abs() > 11_000 { step } else { step.rem_euclid(50) };
                let role = match what {
                    0 | 1 => Role::Key,
                    2 | 3 => Role::Picture,
                    4 => Role::Sound,
                    _ => {
                        timeline.publication();
                        shift = None;
                        continue;
                    }
                };
                let offset_ms = if role == Role::Sound { 0 } else { offset_ms };
                let placed = match timeline.place(Stamp { role, at_ms: at, offset_ms }, now) {
                    Placed::Dropped => {
                        prop_assert_ne!(role, Role::Key);
                        continue;
                    }
                    Placed::Anew(placed, _) => {
                        prop_assert_eq!(role, Role::Key);
                        prop_assert_eq!((placed + offset_ms).rem_euclid(i64::from(segment)), 0);
                        prop_assert!(placed + offset_ms > now - i64::from(segment));
                        shift = Some(placed - at);
                        placed
                    }
                    Placed::At(placed) => placed,
                };
                prop_assert!(placed >= at + shift.unwrap());
                let last = if role == Role::Sound { &mut sounds } else { &mut pictures };
                prop_assert!(placed > *last);
                *last = placed;
            }
        }
    }
}

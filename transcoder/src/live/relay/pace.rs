//! Whether an encoder keeps up with its source.
//!
//! ffmpeg says a speed itself, but as the average since its start, which takes minutes to show that it has become slow,
//! and which falls when the source pauses. Here it is seen from what is there to be encoded and what comes out: the encoder is slow
//! where its delay grows.

use std::collections::VecDeque;

/// Looks at one run.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When it was looked, and how far what had come out was behind what was due; in milliseconds, oldest first.
    looks: VecDeque<(i64, i64)>,
}

impl Pace {
    /// Takes a look at `now_ms`: media is due up to `due_ms`, and has come out up to `made_ms`. True where the encoder
    /// made less than 97 % of what it had to for ten seconds, and is over a second behind.
    pub(super) fn look(&mut self, now_ms: i64, due_ms: i64, made_ms: i64) -> bool {
        let delay = due_ms.saturating_sub(made_ms);
        self.looks.push_back((now_ms, delay));
        let begin = now_ms.saturating_sub(SPAN_MS);
        while self.looks.get(1).is_some_and(|(at, _)| *at <= begin) {
            self.looks.pop_front();
        }
        let Some((at, before)) = self.looks.front() else { return false };
        let grown = delay.saturating_sub(*before);
        *at <= begin && delay > LATE_MS && grown > SPAN_MS * LOST_PERCENT / 100
    }
}

/// For how long it must be slow.
const SPAN_MS: i64 = 10_000;
/// Below this delay nobody needs less.
const LATE_MS: i64 = 1_000;
/// How much less than real time is slow.
const LOST_PERCENT: i64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many seconds an encoder of this many per cent of real time is found slow.
    fn found(percent: i64) -> Option<i64> {
        let mut pace = Pace::default();
        (0..60).find(|second| {
            let now = second * 1_000;
            pace.look(now, now, now * percent / 100 - 150)
        })
    }

    #[test]
    fn an_encoder_that_does_not_keep_up_is_found_after_ten_seconds() {
        assert_eq!(found(50), Some(10));
        assert_eq!(found(90), Some(10));
        assert_eq!(found(95), Some(18));
        assert_eq!(found(100), None);
        assert_eq!(found(98), None);
    }

    #[test]
    fn what_is_made_up_for_or_was_never_fed_is_not_slow() {
        let mut pace = Pace::default();
        for second in 0..60 {
            // Two seconds behind from the start, and less each second.
            assert!(!pace.look(second * 1_000, second * 1_000, second * 1_000 - 2_000 + second * 20));
        }
        let mut pace = Pace::default();
        for second in 0..60 {
            assert!(!pace.look(second * 1_000, 5_000, 3_000), "the source is silent");
        }
    }
}

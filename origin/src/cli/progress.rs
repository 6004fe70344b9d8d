//! Progress on standard error: a bar on a terminal, else a line now and then.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use transcoder::Progress;
use transcoder::job::Event;

use super::output::Output;

/// Draws what is done. Dropping it takes the bar away.
pub(super) struct Drawing<'o> {
    output: &'o Output,
    bar: Option<ProgressBar>,
    /// When a line was last written, and of which step.
    last: Option<(Instant, &'static str)>,
}

impl<'o> Drawing<'o> {
    /// Nothing yet.
    pub(super) fn new(output: &'o Output) -> Self {
        let bar = output.is_terminal().then(|| {
            let bar = ProgressBar::new(SCALE).with_style(style());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { output, bar, last: None }
    }

    /// Takes one event in.
    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Probing => self.quiet("reading"),
            Event::Fitted { source, ladder } => {
                let mut names: Vec<String> = ladder.rungs.iter().map(|rung| rung.name.to_string()).collect();
                names.extend(ladder.audio.iter().map(|rung| rung.name.to_string()));
                let (video, names) = (&source.video, names.join(" "));
                self.say(format!("{}x{} -> {names}", video.width, video.height));
            }
            Event::Encoding(progress) => self.step("encoding", share(progress), speed(progress)),
            Event::Verifying => self.step("checking", SCALE, String::new()),
            Event::Storing { done, total } => {
                self.part("storing", *done, *total, HumanBytes(*done).to_string());
            }
            Event::Publishing => self.step("publishing", SCALE, String::new()),
            // Steps that a later transcoder has: nothing is drawn for them.
            _ => {}
        }
    }

    /// A line that stays, above the bar.
    pub(super) fn say(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => self.output.note(line),
        }
    }

    /// A step that is only drawn: without a terminal a wrong input is to be told in one line, with none before it.
    pub(super) fn quiet(&mut self, step: &'static str) {
        if self.bar.is_some() {
            self.step(step, 0, String::new());
        }
    }

    /// A step of which a part is done.
    pub(super) fn part(&mut self, step: &'static str, done: u64, total: u64, message: String) {
        let share = done.saturating_mul(SCALE).checked_div(total).unwrap_or(SCALE).min(SCALE);
        self.step(step, share, message);
    }

    fn step(&mut self, step: &'static str, share: u64, message: String) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(step);
            bar.set_position(share);
            bar.set_message(message);
            return;
        }
        let due = self.last.is_none_or(|(at, last)| last != step || at.elapsed() >= INTERVAL);
        if due {
            self.last = Some((Instant::now(), step));
            match message.is_empty() {
                true => self.output.note(step),
                false => self.output.note(format_args!("{step} {}% {message}", share * 100 / SCALE)),
            }
        }
    }
}

impl Drop for Drawing<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How much of the encoding is done, in parts of [`SCALE`].
fn share(progress: &Progress) -> u64 {
    let micros = |time: packager::time::MediaTime| u64::try_from(time.as_micros()).unwrap_or(0);
    let (done, total) = (micros(progress.done), micros(progress.total));
    done.saturating_mul(SCALE).checked_div(total).unwrap_or(0).min(SCALE)
}

/// `3.20x, 0:42 left`.
fn speed(progress: &Progress) -> String {
    let speed = progress.speed.map(|speed| speed.to_string());
    let left = progress.eta.map(|eta| {
        // Rounded up: "0:00 left" would be a promise.
        let seconds = eta.as_millis().div_ceil(1000);
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        match minutes / 60 {
            0 => format!("{minutes}:{seconds:02} left"),
            hours => format!("{hours}:{:02}:{seconds:02} left", minutes % 60),
        }
    });
    speed.into_iter().chain(left).collect::<Vec<_>>().join(", ")
}

fn style() -> ProgressStyle {
    let plain = ProgressStyle::default_bar();
    let drawn = plain.clone().template("{prefix:>10} {wide_bar} {percent:>3}% {msg}");
    drawn.unwrap_or(plain)
}

/// The length of a full bar.
const SCALE: u64 = 1000;
/// How often a line is written where nothing can be drawn.
const INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use packager::time::MediaTime;
    use transcoder::Speed;

    use super::*;

    fn progress(done: i64, eta_ms: Option<u64>) -> Progress {
        Progress {
            done: MediaTime::from_millis(done),
            total: MediaTime::from_millis(10_000),
            frame: 0,
            speed: eta_ms.map(|_| Speed(3_200)),
            eta: eta_ms.map(Duration::from_millis),
        }
    }

    #[test]
    fn what_is_left_is_said_as_clocks_say_it() {
        assert_eq!(speed(&progress(0, None)), "");
        assert_eq!(speed(&progress(0, Some(1))), "3.20x, 0:01 left");
        assert_eq!(speed(&progress(0, Some(61_000))), "3.20x, 1:01 left");
        assert_eq!(speed(&progress(0, Some(3_723_000))), "3.20x, 1:02:03 left");
    }

    #[test]
    fn a_share_is_never_more_than_all() {
        assert_eq!(share(&progress(2_500, None)), 250);
        assert_eq!(share(&progress(12_000, None)), SCALE);
        let empty = Progress { total: MediaTime::from_millis(0), ..progress(0, None) };
        assert_eq!(share(&empty), 0);
    }
}

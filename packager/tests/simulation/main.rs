//! The live window held against the specification: random publishers and random viewers on a virtual clock.
//!
//! ```text
//! seed ─▶ Plot: what each sender sends, and when ─▶ Show ─▶ texts ─▶ reader ─▶ rules   of one playlist
//!           └──────▶ Truth: what must be listed ───────────────────────────▶ series  from one to the next
//!                                                                           together, of all tracks
//!                                                                           media, deltas, answers
//! ```
//!
//! Several windows of one show are held against each other too (`twins`).
//!
//! Nothing here uses the code under test to judge it: playlists are read as text, and what they must say is worked out
//! from what was sent. `FOREBAY_SHOWS=20` runs twenty times as many shows, `FOREBAY_SEED=7` that one alone and tells what
//! happens in it. Rules are cited as in RFC 8216bis; AS is Apple's authoring specification.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::print_stderr,
    clippy::unit_arg,
    clippy::disallowed_methods,
    reason = "a test counts small things"
)]

mod answers;
mod delta;
mod dice;
mod encode;
mod headers;
mod media;
mod page;
mod plot;
mod publish;
mod ranges;
mod reader;
mod regressions;
mod series;
mod splice;
mod time;
mod together;
mod truth;
mod twins;
mod viewer;
mod watch;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dice::Dice;
use headers::Headers;
use plot::Plot;
use watch::Watch;

#[test]
fn random_shows_keep_every_rule() {
    each_seed(0, 400, |headers, seed| {
        let mut dice = Dice::new(seed);
        let plot = publish::show(&mut dice, headers);
        let watch = Watch::new(&plot, dice);
        (plot.clone(), catch(|| watch.run()))
    });
}

#[test]
fn windows_that_are_fed_in_other_orders_and_pieces_list_the_same() {
    each_seed(1_000_000, 60, |headers, seed| {
        let mut dice = Dice::new(seed);
        let is_steady = dice.one_in(2);
        let plot = match is_steady {
            true => publish::steady(&mut dice, headers),
            false => publish::unchanging(&mut dice, headers),
        };
        let compared = catch(|| twins::shuffled(&plot, &mut dice, is_steady));
        (plot, compared.map(|_| ()))
    });
}

#[test]
fn windows_that_join_in_the_middle_list_the_same_as_those_that_were_there_before() {
    let compared = Cell::new(0);
    each_seed(2_000_000, 60, |headers, seed| {
        let mut dice = Dice::new(seed);
        let plot = publish::steady(&mut dice, headers);
        let found = catch(|| twins::joined(&plot, &mut dice));
        (plot, found.map(|count| compared.set(compared.get() + count)))
    });
    assert!(compared.get() > 0, "no playlist was compared");
}

/// Runs shows of as many seeds as `count` times `FOREBAY_SHOWS`, or of `FOREBAY_SEED` alone, and tells of those that fail.
fn each_seed(base: u64, count: u64, run: impl Fn(&Headers, u64) -> (Plot, reader::Check)) {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    let headers = Headers::new();
    let seeds = match number("FOREBAY_SEED") {
        Some(seed) => seed..seed + 1,
        None => base..base + count * number("FOREBAY_SHOWS").unwrap_or(1),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let (plot, fault) = run(&headers, seed);
        let Err(fault) = fault else { continue };
        if number("FOREBAY_SEED").is_some() {
            plot.acts.iter().for_each(|act| eprintln!("{}", plot.tell_act(act)));
            eprintln!("seed {seed}: {fault}\n{}", plot.tell());
        } else {
            eprintln!("seed {seed}: {}", fault.lines().next().unwrap_or_default());
        }
        failed.push(seed);
    }
    assert!(failed.is_empty(), "{} shows failed, run one with FOREBAY_SEED: {failed:?}", failed.len());
}

/// A panic is a fault like others.
fn catch<T>(run: impl FnOnce() -> reader::Check<T>) -> reader::Check<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text =
            panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(format!("a panic: {}", text.unwrap_or("of no text")))
    })
}

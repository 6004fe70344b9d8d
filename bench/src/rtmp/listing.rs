//! A media playlist, read for one thing: after how many pictures each of its parts ends.
//!
//! A segment is one group of pictures, and the first segment of a show begins with the first keyframe of its publisher. So
//! the place of a part and the durations of those before it in its segment tell which picture is its last.

use std::error::Error;

use super::{GOP, RATE};

/// What a playlist lists.
#[derive(Debug)]
pub struct Listing {
    /// The number of its first segment.
    pub first: u64,
    /// Its parts; those of older segments are not listed.
    pub parts: Vec<Part>,
    /// Segment and part of what comes next.
    pub next: (u64, u64),
}

/// A part.
#[derive(Debug)]
pub struct Part {
    /// Its segment, and its place in it.
    pub place: (u64, u64),
    /// How many pictures of the segment there are up to its end.
    pub pictures: u64,
    /// Where it is.
    pub uri: String,
}

impl Listing {
    /// Reads a whole playlist.
    ///
    /// # Errors
    /// One that is none, that leaves something out, or whose media does not go on without a break.
    pub fn read(text: &str) -> Result<Self, Box<dyn Error>> {
        let first = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"));
        let first = first.ok_or("expected a media playlist")?.trim().parse()?;
        let (mut parts, mut msn, mut part, mut seconds) = (Vec::new(), first, 0, 0.0);
        for line in text.lines() {
            if let Some(attributes) = line.strip_prefix("#EXT-X-PART:") {
                seconds +=
                    attribute(attributes, "DURATION").ok_or("a part without a duration")?.parse::<f64>()?;
                if attribute(attributes, "GAP").is_some() {
                    return Err(format!("expected media without a break, found {line}").into());
                }
                let uri = attribute(attributes, "URI").ok_or("a part without a URI")?.to_owned();
                let pictures = (seconds * RATE as f64).round() as u64;
                parts.push(Part { place: (msn, part), pictures, uri });
                part += 1;
            } else if line.split(':').next().is_some_and(|tag| BREAKS.contains(&tag)) {
                return Err(format!("expected media without a break, found {line}").into());
            } else if !line.is_empty() && !line.starts_with('#') {
                (msn, part, seconds) = (msn + 1, 0, 0.0);
            }
        }
        // A segment that is complete is not always closed yet.
        let is_over = (seconds * RATE as f64).round() as u64 >= GOP;
        let next = if is_over { (msn + 1, 0) } else { (msn, part) };
        Ok(Self { first, parts, next })
    }
}

/// The value of an attribute, without its quotes.
fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let start = attributes.match_indices(name).find(|(at, _)| {
        let before = attributes[..*at].chars().next_back();
        before.is_none_or(|before| before == ',') && attributes[at + name.len()..].starts_with('=')
    });
    let value = &attributes[start?.0 + name.len() + 1..];
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split(',').next(),
    }
}

const BREAKS: [&str; 3] = ["#EXT-X-GAP", "#EXT-X-DISCONTINUITY", "#EXT-X-SKIP"];

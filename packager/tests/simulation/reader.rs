//! A reader of live media playlists that takes nothing but what the specification allows (RFC 8216bis §4).

/// What a rule says of what was seen.
pub(crate) type Check<T = ()> = Result<T, String>;

/// Fails with a text where something does not hold.
macro_rules! hold {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!($($text)+));
        }
    };
}
pub(crate) use hold;

/// A media playlist. Times are microseconds, dates milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Page<'a> {
    pub(crate) version: u64,
    pub(crate) target: i64,
    pub(crate) control: &'a str,
    pub(crate) part_target: i64,
    pub(crate) sequence: u64,
    pub(crate) discontinuities: u64,
    pub(crate) is_event: bool,
    pub(crate) ranges: Vec<&'a str>,
    pub(crate) skip: Option<Skip<'a>>,
    pub(crate) segments: Vec<Listed<'a>>,
    /// The segment of which only parts are listed.
    pub(crate) open: Option<Listed<'a>>,
    pub(crate) part_hint: Option<&'a str>,
    pub(crate) map_hint: Option<&'a str>,
    pub(crate) reports: Vec<Report<'a>>,
    pub(crate) has_ended: bool,
}

/// `EXT-X-SKIP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Skip<'a> {
    pub(crate) segments: u64,
    pub(crate) removed: Option<&'a str>,
}

/// A segment, or the parts of one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Listed<'a> {
    pub(crate) msn: u64,
    pub(crate) is_discontinuous: bool,
    /// The init segment in force; `None` in an update that skipped it.
    pub(crate) map: Option<&'a str>,
    pub(crate) date: Option<i64>,
    pub(crate) is_gap: bool,
    pub(crate) parts: Vec<Piece<'a>>,
    pub(crate) length: i64,
    pub(crate) uri: &'a str,
}

/// `EXT-X-PART`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) uri: &'a str,
    pub(crate) length: i64,
    pub(crate) is_independent: bool,
    pub(crate) is_gap: bool,
}

/// `EXT-X-RENDITION-REPORT`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report<'a> {
    pub(crate) uri: &'a str,
    pub(crate) msn: u64,
    pub(crate) part: u64,
}

impl<'a> Page<'a> {
    pub(crate) fn read(text: &'a str) -> Check<Self> {
        let mut reader = Reader::default();
        hold!(text.ends_with('\n'), "§4.1: the last line has no end");
        for (number, line) in text.split_terminator('\n').enumerate() {
            reader.line(number, line).map_err(|fault| format!("line {} {line:?}: {fault}", number + 1))?;
        }
        reader.end()
    }

    /// Number of the first segment that is written out.
    pub(crate) fn first(&self) -> u64 {
        self.sequence + self.skip.map_or(0, |skip| skip.segments)
    }

    /// Number of the segment behind the last whole one.
    pub(crate) fn next(&self) -> u64 {
        self.first() + self.segments.len() as u64
    }

    pub(crate) fn listed(&self) -> impl Iterator<Item = &Listed<'a>> {
        self.segments.iter().chain(&self.open)
    }
}

impl Listed<'_> {
    pub(crate) fn parts_length(&self) -> i64 {
        self.parts.iter().map(|part| part.length).sum()
    }
}

/// The state between two lines.
#[derive(Default)]
struct Reader<'a> {
    page: Page<'a>,
    /// Tags that may stand once, as bits.
    seen: u32,
    next: Listed<'a>,
    has_extinf: bool,
    map: Option<&'a str>,
    has_media: bool,
}

impl<'a> Reader<'a> {
    fn line(&mut self, number: usize, line: &'a str) -> Check {
        hold!(!line.is_empty() && line.trim() == line, "§4.1: stray white space");
        // A tab separates the ids of EXT-X-SKIP, in a quoted string (§4.4.5.2).
        hold!(!line.bytes().any(|b| (b < 0x20 && b != 9) || b == 0x7f), "§4.1: a control character");
        hold!((number == 0) == (line == "#EXTM3U"), "§4.4.1.1: EXTM3U is the first line and no other");
        hold!(!self.page.has_ended, "a line behind EXT-X-ENDLIST");
        if number == 0 {
            return Ok(());
        }
        let Some(tag) = line.strip_prefix("#EXT") else { return self.uri(line) };
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        hold!(!self.has_extinf, "§4.4.4.1: EXTINF is followed by its segment");
        match name {
            "INF" => self.extinf(value),
            "-X-DISCONTINUITY" | "-X-MAP" | "-X-PROGRAM-DATE-TIME" | "-X-GAP" | "-X-PART" => {
                self.segment_tag(name, value)
            }
            "-X-DATERANGE" => {
                self.page.ranges.push(line);
                Ok(())
            }
            "-X-PRELOAD-HINT" => self.hint(value),
            "-X-RENDITION-REPORT" => self.report(value),
            _ => self.header_tag(name, value),
        }
    }

    fn header_tag(&mut self, name: &str, value: &'a str) -> Check {
        const ONCE: [&str; 9] = [
            "-X-VERSION",
            "-X-TARGETDURATION",
            "-X-SERVER-CONTROL",
            "-X-PART-INF",
            "-X-MEDIA-SEQUENCE",
            "-X-DISCONTINUITY-SEQUENCE",
            "-X-PLAYLIST-TYPE",
            "-X-SKIP",
            "-X-ENDLIST",
        ];
        let bit = ONCE.iter().position(|once| *once == name).ok_or("an unknown tag")?;
        hold!(self.seen & (1 << bit) == 0, "§4.4: found twice");
        self.seen |= 1 << bit;
        hold!(name == "-X-ENDLIST" || !self.has_media, "§4.4.3: stands behind a segment");
        let page = &mut self.page;
        match name {
            "-X-VERSION" => page.version = number(value)?,
            "-X-TARGETDURATION" => page.target = number(value)? as i64,
            "-X-SERVER-CONTROL" => page.control = value,
            "-X-PART-INF" => {
                attributes(value, |name, value| match name {
                    "PART-TARGET" => Ok(page.part_target = seconds(value)?),
                    _ => Err("an unknown attribute".to_owned()),
                })?;
            }
            "-X-MEDIA-SEQUENCE" => page.sequence = number(value)?,
            "-X-DISCONTINUITY-SEQUENCE" => page.discontinuities = number(value)?,
            "-X-PLAYLIST-TYPE" => {
                hold!(value == "EVENT", "§6.2.2: a live playlist has no type but EVENT");
                page.is_event = true;
            }
            "-X-SKIP" => {
                let mut skip = Skip { segments: 0, removed: None };
                attributes(value, |name, value| match name {
                    "SKIPPED-SEGMENTS" => Ok(skip.segments = number(value)?),
                    "RECENTLY-REMOVED-DATERANGES" => Ok(skip.removed = Some(quoted(value)?)),
                    _ => Err("an unknown attribute".to_owned()),
                })?;
                page.skip = Some(skip);
                self.has_media = true;
            }
            _ => page.has_ended = true,
        }
        Ok(())
    }

    fn segment_tag(&mut self, name: &str, value: &'a str) -> Check {
        self.has_media = true;
        let next = &mut self.next;
        hold!(
            name == "-X-PART" || name == "-X-GAP" || next.parts.is_empty(),
            "§4.4.4.9: stands behind a part"
        );
        match name {
            "-X-DISCONTINUITY" => {
                hold!(!std::mem::replace(&mut next.is_discontinuous, true), "found twice");
            }
            "-X-MAP" => {
                let mut uri = "";
                attributes(value, |name, value| match name {
                    "URI" => Ok(uri = quoted(value)?),
                    _ => Err("an unknown attribute".to_owned()),
                })?;
                hold!(self.map.replace(uri) != Some(uri), "the init segment that is in force already");
            }
            "-X-PROGRAM-DATE-TIME" => {
                hold!(next.date.replace(date(value)?).is_none(), "found twice");
            }
            "-X-GAP" => hold!(!std::mem::replace(&mut next.is_gap, true), "found twice"),
            _ => next.parts.push(part(value)?),
        }
        Ok(())
    }

    fn extinf(&mut self, value: &str) -> Check {
        let (length, title) = value.split_once(',').ok_or("§4.4.4.1: no comma")?;
        hold!(title.is_empty(), "a title");
        hold!(length.split_once('.').is_some_and(|(_, d)| d.len() >= 5), "§4.4.4.1: too coarse to be summed");
        self.next.length = seconds(length)?;
        self.has_extinf = true;
        self.has_media = true;
        Ok(())
    }

    fn uri(&mut self, line: &'a str) -> Check {
        hold!(!line.starts_with('#'), "a comment");
        hold!(std::mem::take(&mut self.has_extinf), "§4.4.4.1: a segment without EXTINF");
        hold!(self.page.part_hint.is_none() && self.page.reports.is_empty(), "a segment behind the hints");
        let mut segment = std::mem::take(&mut self.next);
        segment.uri = line;
        segment.map = self.map;
        segment.msn = self.page.next();
        self.page.segments.push(segment);
        Ok(())
    }

    fn hint(&mut self, value: &'a str) -> Check {
        let (mut kind, mut uri) = ("", "");
        attributes(value, |name, value| match name {
            "TYPE" => Ok(kind = value),
            "URI" => Ok(uri = quoted(value)?),
            _ => Err("an unknown attribute".to_owned()),
        })?;
        let place = match kind {
            "PART" => &mut self.page.part_hint,
            "MAP" => &mut self.page.map_hint,
            _ => return Err("§4.4.5.3: neither PART nor MAP".to_owned()),
        };
        hold!(place.replace(uri).is_none(), "§6.2.6: a second hint of its kind");
        Ok(())
    }

    fn report(&mut self, value: &'a str) -> Check {
        let mut report = Report::default();
        attributes(value, |name, value| match name {
            "URI" => Ok(report.uri = quoted(value)?),
            "LAST-MSN" => Ok(report.msn = number(value)?),
            "LAST-PART" => Ok(report.part = number(value)?),
            _ => Err("an unknown attribute".to_owned()),
        })?;
        hold!(!report.uri.is_empty() && !report.uri.contains(':'), "§4.4.5.4: the URI is relative");
        hold!(value.contains("LAST-PART="), "§4.4.5.4: LAST-PART is required where there are parts");
        self.page.reports.push(report);
        Ok(())
    }

    fn end(mut self) -> Check<Page<'a>> {
        hold!(!self.has_extinf, "§4.4.4.1: EXTINF without a segment");
        // Version, target duration, server control, part target and both sequences.
        hold!(self.seen & 0b11_1111 == 0b11_1111, "a tag is missing: {:b}", self.seen);
        let mut open = self.next;
        if open != Listed::default() {
            hold!(!open.parts.is_empty(), "§4.4.4: tags of a segment that is not there");
            hold!(!open.is_gap, "EXT-X-GAP without its segment");
            (open.msn, open.map) = (self.page.next(), self.map);
            self.page.open = Some(open);
        }
        Ok(self.page)
    }
}

fn part<'a>(value: &'a str) -> Check<Piece<'a>> {
    let mut part = Piece { length: -1, ..Piece::default() };
    attributes(value, |name, value| {
        match name {
            "URI" => part.uri = quoted(value)?,
            "DURATION" => part.length = seconds(value)?,
            "INDEPENDENT" if value == "YES" => part.is_independent = true,
            "GAP" if value == "YES" => part.is_gap = true,
            _ => return Err("an unknown attribute".to_owned()),
        }
        Ok(())
    })?;
    hold!(!part.uri.is_empty() && part.length >= 0, "§4.4.4.9: URI and DURATION are required");
    Ok(part)
}

/// Takes an attribute list apart (§4.2); values keep their quotes.
pub(crate) fn attributes<'a>(list: &'a str, mut each: impl FnMut(&'a str, &'a str) -> Check) -> Check {
    let mut names: [&str; 40] = [""; 40];
    let (mut count, mut rest) = (0, list);
    loop {
        let (name, value) = rest.split_once('=').ok_or("§4.2: an attribute without a value")?;
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        hold!(!name.is_empty() && name.bytes().all(plain), "§4.2: {name:?} is no name");
        hold!(!names[..count].contains(&name), "§4.2: {name} twice");
        names[count] = name;
        count += 1;
        let len = match value.strip_prefix('"') {
            Some(text) => text.find('"').ok_or("§4.2: a quoted string without end")? + 2,
            None => value.find(',').unwrap_or(value.len()),
        };
        let (value, behind) = value.split_at(len);
        hold!(value.starts_with('"') || !value.contains([' ', '\t', '"']), "§4.2: {value:?} is no value");
        each(name, value)?;
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None if behind.is_empty() => return Ok(()),
            None => return Err("§4.2: something behind a value".to_owned()),
        }
    }
}

pub(crate) fn quoted(value: &str) -> Check<&str> {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.ok_or_else(|| format!("§4.2: {value} is no quoted string"))
}

pub(crate) fn number(text: &str) -> Check<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| format!("§4.2: {text:?} is no integer"))
}

/// Decimal seconds as microseconds.
pub(crate) fn seconds(text: &str) -> Check<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    hold!(fraction.len() <= 6, "{text} is finer than expected");
    let mut micros = number(fraction)? as i64;
    for _ in fraction.len()..6 {
        micros *= 10;
    }
    Ok(number(whole)? as i64 * 1_000_000 + micros)
}

/// `2026-11-22T21:15:29.250Z` as milliseconds since 1970.
pub(crate) fn date(text: &str) -> Check<i64> {
    let bytes = text.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
    let sound = bytes.len() == 24 && marks.iter().all(|(at, mark)| bytes[*at] == *mark);
    hold!(sound, "§4.4.4.6: {text:?} is no date with milliseconds and zone");
    let field = |from: usize, to: usize| number(&text[from..to]).map(|n| n as i64);
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute) = (field(11, 13)?, field(14, 16)?);
    let second_ms = field(17, 19)? * 1000 + field(20, 23)?;
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    hold!((1..=12).contains(&month) && day >= 1 && day <= lengths[month as usize - 1], "{text:?} is no day");
    hold!(hour < 24 && minute < 60 && second_ms < 60_000, "{text:?} is no time of day");
    let leaps = |years: i64| years / 4 - years / 100 + years / 400;
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    let days = years + lengths[..month as usize - 1].iter().sum::<i64>() + day - 1;
    Ok(((days * 24 + hour) * 60 + minute) * 60_000 + second_ms)
}

#[test]
fn dates_are_read_as_the_calendar_has_them() {
    assert_eq!(date("1970-01-01T00:00:00.000Z"), Ok(0));
    assert_eq!(date("2000-03-01T00:00:00.001Z"), Ok(951_868_800_001));
    assert_eq!(date("2026-11-22T21:15:29.250Z"), Ok(1_795_382_129_250));
    assert!(date("2026-02-29T00:00:00.000Z").is_err() && date("2026-01-01T00:00:00Z").is_err());
}

#[test]
fn what_no_playlist_may_say_is_not_read() {
    let sound = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:HOLD-BACK=6.0\n\
        #EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n\
        #EXT-X-MAP:URI=\"i\"\n#EXTINF:2.00000,\n7\n#EXT-X-PART:DURATION=0.5,URI=\"8.0\"\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"8.1\"\n";
    let page = Page::read(sound).unwrap();
    assert_eq!((page.next(), page.segments[0].length, page.part_hint), (8, 2_000_000, Some("8.1")));
    assert_eq!(page.open.unwrap().parts_length(), 500_000);
    for (was, is) in [
        ("#EXT-X-VERSION:6\n", ""),
        ("#EXT-X-VERSION:6\n", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6\n"),
        ("\n7\n", "\n"),
        ("URI=\"8.0\"", "URI=\"8.0\",URI=\"8.0\""),
        ("TYPE=PART,", "TYPE=PART, "),
        ("2.00000", "2"),
        ("#EXT-X-MAP:URI=\"i\"\n", "#EXT-X-MAP:URI=\"i\"\n#EXT-X-KEY:METHOD=NONE\n"),
        ("#EXTM3U", "#EXTM3U "),
    ] {
        assert_ne!(sound.replace(was, is), sound);
        assert!(Page::read(&sound.replace(was, is)).is_err(), "{was:?} as {is:?}");
    }
}

//! A reader of the text exposition, strict where scrapers are lenient, and the rule for names.

use std::collections::BTreeMap;

/// The families of an exposition with the number of their samples, or what is wrong with a line.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, usize>, String> {
    if !text.ends_with('\n') {
        return Err("the last line is not ended".to_owned());
    }
    let mut families = BTreeMap::new();
    let mut current: Option<(String, String)> = None;
    let mut help: Option<String> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').ok_or_else(|| format!("no help: {line}"))?;
            if words.trim().is_empty() {
                return Err(format!("empty help: {line}"));
            }
            help = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| format!("no type: {line}"))?;
            if help.as_deref() != Some(name) {
                return Err(format!("type without its help: {line}"));
            }
            if families.insert(name.to_owned(), 0).is_some() {
                return Err(format!("family twice: {line}"));
            }
            current = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (family, kind) = current.as_ref().ok_or_else(|| format!("sample of no family: {line}"))?;
            sample(line, family, kind)?;
            *families.entry(family.clone()).or_default() += 1;
        }
    }
    Ok(families)
}

/// Whether a family's name is `forebay_<room>_<what>_<unit>` with a unit that may stand at the end.
pub(crate) fn name(name: &str) -> Result<(), String> {
    let parts: Vec<&str> = name.split('_').collect();
    let known =
        ["edge", "gate", "cache", "vod", "store", "catalog", "process", "live", "archive", "work", "rtmp"];
    let units = [
        "total",
        "bytes",
        "seconds",
        "requests",
        "entries",
        "info",
        "shows",
        "senders",
        "connections",
        "circuits",
        "disks",
    ];
    let fits = parts.len() >= 4 && parts[0] == "forebay";
    let sound = parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase()));
    match fits && sound && known.contains(&parts[1]) && units.contains(&parts[parts.len() - 1]) {
        true => Ok(()),
        false => Err(format!("not forebay_<room>_<what>_<unit>: {name}")),
    }
}

fn sample(line: &str, family: &str, kind: &str) -> Result<(), String> {
    let (series, value) = line.rsplit_once(' ').ok_or_else(|| format!("no value: {line}"))?;
    let number: f64 = value.parse().map_err(|_| format!("no number: {line}"))?;
    if kind == "counter" && (number < 0.0 || !family.ends_with("_total")) {
        return Err(format!("a counter is never negative and ends in _total: {line}"));
    }
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').ok_or_else(|| format!("open labels: {line}"))?),
        None => (series, ""),
    };
    let suffix = name.strip_prefix(family).ok_or_else(|| format!("sample outside {family}: {line}"))?;
    let allowed: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
    if !allowed.contains(&suffix) {
        return Err(format!("no sample of a {kind}: {line}"));
    }
    for label in labels.split(',').filter(|label| !label.is_empty()) {
        let (key, value) = label.split_once('=').ok_or_else(|| format!("no label: {line}"))?;
        let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
        if !quoted || !key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            return Err(format!("bad label {label}: {line}"));
        }
    }
    Ok(())
}

#[test]
fn the_lint_finds_what_it_is_for() {
    for bad in [
        "forebay_a 1",
        "forebay_a 1\n",
        "# HELP forebay_a words\n# TYPE forebay_a counter\nforebay_a 1\n",
        "# HELP a_total words\n# TYPE a_total counter\na_total -1\n",
        "# HELP a_total words\n# TYPE a_total counter\na_total one\n",
        "# HELP a_total words\n# TYPE a_total counter\nb_total 1\n",
        "# HELP a_total words\n# TYPE a_total counter\na_total{x=1} 1\n",
        "# HELP a_total words\n# TYPE a_total counter\na_total{x=\"1\" 1\n",
        "# HELP a words\n# TYPE a histogram\na 1\n",
        "# HELP b words\n# TYPE a gauge\na 1\n",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    for bad in
        ["forebay_requests_total", "forebay_edge_requests", "edge_sent_bytes_total", "forebay_x_y_total"]
    {
        assert!(name(bad).is_err(), "{bad}");
    }
}

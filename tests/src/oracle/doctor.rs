//! media-doctor, a validator of playlists that others wrote against the same draft.

use std::fs;

use serde_json::Value;

use crate::rig::tool;

/// What it finds wrong with media playlists, each finding with the number of its playlist.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn findings(texts: &[&str]) -> Vec<(usize, Value)> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index.m3u8");
    let mut findings = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        fs::write(&file, text).unwrap();
        let mut doctor = tool::installed_tool("media-doctor");
        let told = tool::bytes(doctor.args(["check-hls", "--json", "--input"]).arg(&file));
        let told: Value = serde_json::from_slice(&told).unwrap();
        let found = told["findings"].as_array().expect("a list of findings").iter();
        findings.extend(found.map(|finding| (number, finding.clone())));
    }
    findings
}

/// Checks that it finds nothing.
///
/// # Panics
/// When it does; the first such playlist is in the message.
#[track_caller]
pub fn finds_nothing(texts: &[&str]) {
    let findings = findings(texts);
    let first = findings.first().map_or("", |(number, _)| texts[*number]);
    assert!(findings.is_empty(), "media-doctor: {findings:?}; the first playlist:\n{first}");
}

//! The section `[log]`.

use super::read::Section;

/// `[log]`: what the process tells on its standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// For whom.
    pub format: LogFormat,
    /// How much: `error`, `warn`, `info`, `debug`, `trace`, or directives for parts of the program such as
    /// `info,forebay_origin=debug`.
    pub level: String,
}

/// For whom the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl Log {
    pub(super) fn read(section: &Section<'_, '_>) -> Self {
        let format = |text: &str| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            other => Err(format!("expected \"text\" or \"json\", found {other:?}")),
        };
        Self {
            format: section.text("format", format).unwrap_or_default(),
            level: section.text("level", level).unwrap_or(Self::default().level),
        }
    }
}

/// Levels, alone or after the path of a part of the program, with commas between them.
fn level(text: &str) -> Result<String, String> {
    let word = |word: &str| LEVELS.contains(&word);
    let path = |path: &str| {
        path.starts_with(|c: char| c.is_ascii_alphabetic())
            && path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))
    };
    let directive = |text: &str| match text.split_once('=') {
        Some((part, level)) => path(part) && word(level),
        None => word(text),
    };
    match text.split(',').all(directive) {
        true => Ok(text.to_owned()),
        false => {
            Err(format!("expected a level such as \"info\" or \"info,forebay_origin=debug\", found {text:?}"))
        }
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

//! The section `[log]`.

use tracing_subscriber::EnvFilter;

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

fn level(text: &str) -> Result<String, String> {
    // The filter takes any bare word for the name of a part of the program.
    let words = ["off", "error", "warn", "info", "debug", "trace"];
    let plain = text.split(',').all(|word| word.contains(['=', '[']) || words.contains(&word));
    match plain && EnvFilter::builder().parse(text).is_ok() {
        true => Ok(text.to_owned()),
        false => {
            Err(format!("expected a level such as \"info\" or \"info,forebay_origin=debug\", found {text:?}"))
        }
    }
}

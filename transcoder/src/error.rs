//! What can go wrong on the way from a file to a published revision.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use packager::import::Remark;

/// The cause of a failure in a catalogue that this crate does not know.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// Why a job did not publish. The variant says who is at fault; the text is one line for a person.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input cannot be transcoded: it is not there, not media, damaged, or lacks a video track.
    #[error("{file}: {what}")]
    Input {
        /// The input's file name, without its folder.
        file: String,
        /// What was expected, then what was found.
        what: String,
    },
    /// A presentation cannot be imported as it is.
    #[error("{}", faults(source_name, remarks))]
    Unimportable {
        /// The source's file name, without its folder.
        source_name: String,
        /// Everything that keeps it from being imported.
        remarks: Vec<Remark>,
    },
    /// A setting is out of its range.
    #[error("{name}: expected {expected}, found {found}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// Its range.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// A tool is missing, failed, or made something other than what it was told to make.
    #[error("{tool}: {what}")]
    Tool {
        /// `ffmpeg`, `ffprobe` or the tool that starts them.
        tool: String,
        /// What was expected, then what was found.
        what: String,
    },
    /// A made rendition did not pass verification.
    #[error("rendition {rendition}: {what}")]
    Rendition {
        /// The rendition's name.
        rendition: String,
        /// What was expected, then what was found.
        what: String,
    },
    /// The folder for temporary files is not usable, or full.
    #[error("temporary folder {folder}: {what}")]
    Scratch {
        /// The folder.
        folder: String,
        /// What was expected, then what was found.
        what: String,
    },
    /// The object store refused or failed.
    #[error("object {object}: expected the store to {action}, it failed: {source}")]
    Store {
        /// The object's path in the store.
        object: String,
        /// What it was asked to do.
        action: &'static str,
        /// What the store said.
        source: object_store::Error,
    },
    /// The catalogue refused or failed.
    #[error("catalogue: expected to {action}, it failed: {source}")]
    Catalogue {
        /// What it was asked to do.
        action: &'static str,
        /// What the catalogue said.
        source: Cause,
    },
    /// The job was told to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Whose fault an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The input file's, or a setting's: the same call will fail again.
    Input,
    /// A tool's: ffmpeg is missing, crashed, or made something wrong.
    Tool,
    /// The machine's: no space, no permission.
    Machine,
    /// The object store's.
    Store,
    /// The catalogue's.
    Catalogue,
    /// Nobody's: the job was told to stop.
    Cancelled,
}

impl Error {
    /// Whose fault it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Input { .. } | Self::Unimportable { .. } | Self::Setting { .. } => Kind::Input,
            Self::Tool { .. } | Self::Rendition { .. } => Kind::Tool,
            Self::Scratch { .. } => Kind::Machine,
            Self::Store { .. } => Kind::Store,
            Self::Catalogue { .. } => Kind::Catalogue,
            Self::Cancelled => Kind::Cancelled,
        }
    }

    /// A fault of the catalogue behind the ports of [`crate::publishing`], for their implementations.
    pub fn catalogue(action: &'static str, source: impl Into<Cause>) -> Self {
        Self::Catalogue { action, source: source.into() }
    }

    pub(crate) fn input(path: &Path, what: impl Into<String>) -> Self {
        Self::Input { file: file_name(path), what: what.into() }
    }

    pub(crate) fn tool(tool: &Path, what: impl Into<String>) -> Self {
        Self::Tool { tool: file_name(tool), what: what.into() }
    }

    pub(crate) fn rendition(rendition: impl ToString, what: impl Into<String>) -> Self {
        Self::Rendition { rendition: rendition.to_string(), what: what.into() }
    }

    pub(crate) fn scratch(folder: &Path, source: &io::Error) -> Self {
        let what = match source.kind() {
            io::ErrorKind::NotFound => "expected a folder, found nothing".to_owned(),
            io::ErrorKind::NotADirectory => "expected a folder, found a file".to_owned(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "expected to be allowed to write, permission denied".to_owned()
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "expected room for the renditions, no space left".to_owned()
            }
            _ => format!("expected to read and write, found {source}"),
        };
        Self::Scratch { folder: folder.display().to_string(), what }
    }
}

/// One fault as it is; of several, how many.
fn faults(source: &str, remarks: &[Remark]) -> String {
    match remarks {
        [only] => only.to_string(),
        _ => {
            format!("{source}: expected a presentation that can be imported, found {} faults", remarks.len())
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_machines_fault_and_says_so() {
        let error = Error::scratch(Path::new("spool"), &io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(error.kind(), Kind::Machine);
        assert_eq!(
            error.to_string(),
            "temporary folder spool: expected room for the renditions, no space left"
        );
    }

    #[test]
    fn an_input_is_named_without_its_folder() {
        let error = Error::input(Path::new("/home/ana/clip.mov"), "expected a video track, found none");
        assert_eq!(error.kind(), Kind::Input);
        assert_eq!(error.to_string(), "clip.mov: expected a video track, found none");
    }
}

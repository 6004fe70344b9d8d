//! From a video file to renditions that can be packaged: ladders, ffmpeg jobs, verification, publishing.
//!
//! A [`job::Job`] probes its input, fits a ladder to it, makes all renditions in one ffmpeg process, verifies every one
//! of them, puts them into an object store under a fresh revision, and publishes that revision by one guarded update.
//! Whatever goes wrong, the former revision keeps playing.
//!
//! What it refuses to do: it never upscales, never opens anything but the one local file it was given, never leaves
//! a tool running behind it, and never publishes what did not pass. It draws nothing and logs little: progress is
//! values on a channel.
//!
//! | Module | |
//! |---|---|
//! | [`source`] | what the input holds, and whether it is whole |
//! | [`ladder`] | which renditions it deserves |
//! | [`command`] | ffmpeg's argument vector, a pure function |
//! | [`verify`] | whether what was made is what was meant |
//! | [`publishing`] | the ports to the catalogue, implementations in memory, suites for all others |
//! | [`job`] | all of it in order, and the way back |
//! | `import` | HLS that others made, into the store as it is |
//! | [`clip`] | a clip to try things with |
//! | [`live`] | a publisher's tags to a ladder, and its tracks to every origin |
//! | [`camera`] | a test picture or a file that is published, to try things with |
//! | [`live::relay`] | a publisher's stream as a live show, sent to origins, with restarts that nobody sees |
//! | [`ingest`] | RTMP: where encoders send to |
//! | [`worker`] | publishers in, shows out |
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use forebay_transcoder::job::{Event, Job, Options};
//! use forebay_transcoder::publishing::MemoryPublishing;
//! use forebay_transcoder::{Cancel, Error};
//!
//! # async fn example() -> Result<(), Error> {
//! let job = Job {
//!     input: "holiday.mov".into(),
//!     asset: "holiday".parse().expect("a name of letters is one"),
//!     options: Options::new(std::env::temp_dir()),
//! };
//! let (events, mut seen) = tokio::sync::mpsc::channel(16);
//! tokio::spawn(async move {
//!     while let Some(event) = seen.recv().await {
//!         if let Event::Encoding(progress) = event {
//!             eprintln!("{} of {} s", progress.done, progress.total);
//!         }
//!     }
//! });
//! let store = Arc::new(object_store::memory::InMemory::new());
//! let outcome = job.run(store, &MemoryPublishing::new(), &events, &Cancel::new()).await?;
//! println!("revision {}", outcome.revision);
//! # Ok(())
//! # }
//! ```

mod arguments;
pub mod camera;
mod cancel;
pub mod clip;
pub mod command;
mod error;
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "import")]
pub mod import;
pub mod ingest;
pub mod job;
pub mod ladder;
pub mod live;
mod process;
mod progress;
pub mod publishing;
pub mod release;
pub mod source;
pub mod verify;
pub mod worker;

pub use cancel::Cancel;
pub use error::{Cause, Error, Kind};
pub use process::Tools;
pub use progress::{Progress, Speed};

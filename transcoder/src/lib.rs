//! ffmpeg jobs.

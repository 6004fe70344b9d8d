//! Media files for the stories: [`ours`] are made by ffmpeg commands written here, [`foreign`] by the tools of others.

pub mod foreign;
pub mod hls;
pub mod hostile;
pub mod live;
pub mod ours;

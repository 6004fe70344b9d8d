//! Readers that others wrote, and the rules of the specifications, applied to what forebay serves.
//!
//! [`fidelity`] compares packets and pictures with the source; [`hls`] follows a presentation from its entry; [`playlists`]
//! compares three foreign parsers with our reading; [`rules`] checks playlists and fragments against the specification,
//! [`live`] captured playlists of a running show; [`doctor`] is media-doctor; [`fragments`] is mp4box.js; [`media`] is
//! ffprobe and ffmpeg; [`listeners`] are ffmpeg and GStreamer on a running show.

pub mod doctor;
pub mod fidelity;
pub mod fragments;
pub mod hls;
pub mod listeners;
pub mod live;
pub mod media;
pub mod playlists;
pub mod rules;
pub mod tags;

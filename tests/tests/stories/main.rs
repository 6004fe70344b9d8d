//! Stories: what people do with forebay, end to end, against the real binary.

// A fault in a story must stop it at once, with a backtrace.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "this is test code"
)]

mod archive;
mod archive_kills;
mod bad_input;
mod browser;
mod check_cli;
mod clips;
mod database_away;
mod disk_faults;
mod embed;
mod export_cli;
mod foreign_inputs;
mod gate;
mod graceful_stop;
mod handbook;
mod hostile_clients;
mod http_semantics;
mod import_cli;
mod import_refusals;
mod keeping;
mod layering;
mod live_broken;
mod live_foreign_sender;
mod live_glass;
mod live_ingest;
mod live_kills;
mod live_origins;
mod live_players;
mod live_rehearsal;
mod live_waiting;
mod live_window;
mod object_storage;
mod on_air;
mod oracles;
mod package_equals_serve;
mod path_spellings;
mod peers;
mod players;
mod purge;
mod rtmp_fleet;
mod rtmp_obs;
mod rtmp_show;
mod serve_folder;
mod serve_registered;
mod several_nodes;
mod store_faults;
mod tls_http2;
mod token_cli;
mod transcode_cli;
mod views;
mod watching;

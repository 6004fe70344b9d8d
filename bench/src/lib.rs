//! What the benchmarks of forebay are measured with.
//!
//! `load` asks a server for a list of URLs over keep-alive connections and throws the bodies away; it reads in large
//! pieces, so that a server which writes in large pieces is not slowed down by its client. `playlist` measures what a
//! media playlist costs from the index. Everything else, servers and reports, is in `measure/`.
//!
//! For live shows: `held` sends a show and holds thousands of requests for its next part, `lag` sends many shows and
//! measures when each part can be read, and `window` measures what playlists of a live window cost and weigh. `rtmp`
//! publishes streams over RTMP, measures what they cost the processes of a server, and when each part can be read.

pub mod client;
pub mod live;
pub mod rtmp;

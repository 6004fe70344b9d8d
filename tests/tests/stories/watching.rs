//! What several stories do: follow a presentation through a server.

use forebay_tests::oracle::hls::Presentation;
use forebay_tests::rig::client::Connection;
use forebay_tests::rig::daemon::Daemon;

/// Fetches all of a presentation over one connection; every answer must be 200.
pub(crate) fn follow(daemon: &Daemon, entry: &str) -> Presentation {
    let mut connection = Connection::open(daemon.http());
    Presentation::follow(entry, |path| {
        let answer = connection.request("GET", path, &[]);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.body.to_vec()
    })
}

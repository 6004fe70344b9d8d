//! A server that is told to stop finishes what it began.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::ours::Clip;
use forebay_tests::rig::deadline::{until, within};
use forebay_tests::rig::site::Site;

/// A film whose first segment is far larger than what the sockets on the way hold.
fn heavy() -> std::path::PathBuf {
    let options = &["-g", "150", "-crf", "1", "-preset", "ultrafast", "-vf", "noise=alls=60:allf=t+u"];
    Clip { name: "heavy", seconds: 5, size: "1280x720", rate: "30", sound: 0, options }.make()
}

#[test]
fn a_download_that_has_begun_is_finished_and_new_ones_are_turned_away() {
    let site = Site::new().with("segments", "target", "\"6s\"").with("transcode", "gop", "\"2s\"");
    let site = site.with("limits", "grace", "\"60s\"");
    site.place("heavy", &[&heavy()]);
    let mut daemon = site.serve();
    let presentation = crate::watching::follow(&daemon, &site.entry("heavy"));
    let segment = &presentation.video()[0].segments[0];
    assert!(segment.bytes.len() > 12 << 20, "{} bytes fit into the sockets on the way", segment.bytes.len());

    let mut stream = TcpStream::connect(daemon.http()).unwrap();
    write!(stream, "GET {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", segment.path).unwrap();
    let mut received = vec![0; 64 << 10];
    stream.read_exact(&mut received).unwrap();
    daemon.signal("TERM");
    until("new connections to be turned away", || {
        let refused = TcpStream::connect_timeout(&daemon.http(), Duration::from_secs(5)).is_err();
        refused.then_some(())
    });
    assert!(daemon.runs(), "it went while a download was on its way");
    // A client of about 16 MB/s: a pause here is its pace, not a wait for anything.
    let mut piece = vec![0; 160 << 10];
    let start = Instant::now();
    loop {
        let length = stream.read(&mut piece).unwrap();
        if length == 0 {
            break;
        }
        received.extend_from_slice(&piece[..length]);
        thread::sleep(Duration::from_millis(10));
    }
    let head = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(received[head..] == segment.bytes, "{} of {} bytes", received.len() - head, segment.bytes.len());
    let status = daemon.ended(Duration::from_secs(60));
    assert!(status.success(), "{status}");
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "it stayed {:?} after the last download",
        start.elapsed()
    );
}

#[test]
fn an_idle_server_goes_at_once() {
    let site = Site::new();
    let mut daemon = site.serve();
    daemon.signal("TERM");
    assert!(daemon.ended(Duration::from_secs(10)).success());
}

#[test]
fn ctrl_c_ends_it_too() {
    let site = Site::new();
    let mut daemon = site.serve();
    daemon.signal("INT");
    within(Duration::from_secs(10), || (!daemon.runs()).then_some(())).expect("it ends on SIGINT");
}

//! What a client that waits costs, on the heap of this process.
#![cfg(feature = "pingora")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![allow(dead_code, reason = "the rig of another test does more")]

#[path = "../contract/rig.rs"]
mod rig;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use forebay_origin::config::Limits;
use forebay_origin::edge::pingora::{App, Listener};
use forebay_origin::shutdown::Shutdown;
use http::{Request, StatusCode};
use http_body_util::Full;
use peak_alloc::PeakAlloc;
use rig::Rig;
use tokio::sync::Mutex;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// One test at a time: all of them look at the same heap.
static ALONE: Mutex<()> = Mutex::const_new(());
/// How many wait at once.
const WAITING: usize = 500;
/// What each may cost.
const BUDGET: usize = 16 * 1024;

#[tokio::test]
async fn a_connection_that_waits_for_the_store_stays_within_its_budget() {
    let _alone = ALONE.lock().await;
    let rig = Rig::open().with_show().await;
    rig.shelf.close();
    let each = cost(&rig, "/vod/show/main.m3u8").await;
    assert!(each <= BUDGET, "{each} bytes each");
}

#[tokio::test]
async fn a_connection_that_waits_for_a_live_playlist_stays_within_its_budget() {
    let _alone = ALONE.lock().await;
    let rig = Rig::with(|config| {
        config.auth.required = false;
        // Longer than the fixture, so that its first segment is not whole; and who waits for it may wait for long.
        config.live.segment = "10s".parse().unwrap();
    });
    let sent = Full::new(Bytes::from(rig::fixture("live/cmaf-video.mp4")));
    let request = Request::post("/ingest/gala/video").body(sent).unwrap();
    assert_eq!(rig.origin.handle(request).await.status, StatusCode::OK);
    let each = cost(&rig, "/live/gala/1/video/index.m3u8?_HLS_msn=0").await;
    assert!(each <= BUDGET, "{each} bytes each");
}

/// Bytes on the heap for each of many connections that wait for the answer to a GET of `target`.
async fn cost(rig: &Rig, target: &str) -> usize {
    let listener = Listener::clear(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let (address, limits, shutdown) = (listener.address().unwrap(), Limits::default(), Shutdown::new());
    let app = App::public(rig.origin.clone(), &limits);
    let signal = shutdown.signal();
    let served = tokio::spawn(async move { listener.serve(app, &limits, signal).await });
    let ask = || {
        let mut client = TcpStream::connect(address).unwrap();
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36";
        let head = format!("GET {target} HTTP/1.1\r\nHost: media.example\r\nUser-Agent: {agent}\r\n");
        let rest = "Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nOrigin: https://www.example\r\n\r\n";
        client.write_all((head + rest).as_bytes()).unwrap();
        client
    };
    // The first one starts what all of them wait for, and is not counted.
    let mut clients = vec![ask()];
    waiting(rig, 1).await;
    let before = HEAP.current_usage();
    for n in 1..=WAITING {
        clients.push(ask());
        waiting(rig, n + 1).await;
    }
    let each = (HEAP.current_usage() - before) / WAITING;
    drop(clients);
    waiting(rig, 0).await;
    shutdown.stop();
    served.await.unwrap();
    each
}

/// Waits until so many requests are being answered.
async fn waiting(rig: &Rig, wanted: usize) {
    let reached = async {
        while rig.counter("forebay_edge_in_flight_requests ") != wanted as u64 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reached).await.unwrap();
}

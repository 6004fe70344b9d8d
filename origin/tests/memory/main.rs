//! What a client that waits costs, on the heap of this process.
#![cfg(feature = "pingora")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]
#![allow(dead_code, reason = "the rig of another test does more")]

#[path = "../contract/rig.rs"]
mod rig;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use forebay_origin::config::Limits;
use forebay_origin::edge::pingora::{App, Listener};
use forebay_origin::shutdown::Shutdown;
use peak_alloc::PeakAlloc;
use rig::Rig;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// How many wait at once.
const WAITING: usize = 500;
/// What each may cost.
const BUDGET: usize = 16 * 1024;

#[tokio::test]
async fn a_waiting_connection_stays_within_its_budget() {
    let rig = Rig::open().with_show().await;
    let listener = Listener::clear(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let (address, limits, shutdown) = (listener.address().unwrap(), Limits::default(), Shutdown::new());
    let app = App::public(rig.origin.clone(), &limits);
    let signal = shutdown.signal();
    let served = tokio::spawn(async move { listener.serve(app, &limits, signal).await });

    // Everybody waits for a store that does not answer.
    rig.shelf.close();
    let ask = || {
        let mut client = TcpStream::connect(address).unwrap();
        let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36";
        let head =
            format!("GET /vod/show/main.m3u8 HTTP/1.1\r\nHost: media.example\r\nUser-Agent: {agent}\r\n");
        let rest = "Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nOrigin: https://www.example\r\n\r\n";
        client.write_all((head + rest).as_bytes()).unwrap();
        client
    };
    // The first one starts the one load that all wait for, and is not counted.
    let mut clients = vec![ask()];
    waiting(&rig, 1).await;
    let before = HEAP.current_usage();
    for n in 1..=WAITING {
        clients.push(ask());
        waiting(&rig, n + 1).await;
    }
    let each = (HEAP.current_usage() - before) / WAITING;
    assert!(each <= BUDGET, "{each} bytes each");
    drop(clients);
    waiting(&rig, 0).await;
    shutdown.stop();
    served.await.unwrap();
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

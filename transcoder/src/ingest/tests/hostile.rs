//! Peers that do what they should not. None of it hinders a real publisher, and what they make us hold is bounded.

use super::*;

/// A real publisher gets in and is read.
async fn still_serves(server: &mut Server) {
    let mut client = server.client().await.on_air("key-two").await;
    let mut publication = server.publication().await;
    client.send(&sound(5, 10)).await.unwrap();
    assert_eq!(soon(publication.next()).await.unwrap().at_ms, 5);
    drop(client);
    assert_eq!(rest(&mut publication).await.1, Ending::Closed);
}

#[tokio::test]
async fn garbage_ends_a_connection_and_nothing_else() {
    let mut server = Server::start(calm()).await;
    let deep: Vec<u8> = [0x0a, 0, 0, 0, 1].repeat(2_000);
    let mut bomb = BytesMut::new();
    chunk::write(&mut bomb, 128, 3, kind::COMMAND, 0, &deep);
    let mut array = BytesMut::new();
    chunk::write(&mut array, 128, 3, kind::COMMAND, 0, &[0x0a, 0xff, 0xff, 0xff, 0xff, 5]);
    let mut sizes = BytesMut::new();
    chunk::write(&mut sizes, 128, 2, kind::SET_CHUNK_SIZE, 0, &[0xff; 4]);
    let long = BytesMut::from(&[3, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0][..]);
    let streams: Vec<u8> = (3..60).flat_map(|lane| [lane, 0, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 0]).collect();
    let greeted = |bytes: &[u8]| [&greeting()[..], bytes].concat();
    let garbage = [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00".to_vec(),
        greeted(&[0xff; 64]),
        greeted(&bomb),
        greeted(&array),
        greeted(&sizes),
        greeted(&long),
        greeted(&streams),
        greeted(&[connect(encoder()), connect(encoder())].concat()),
    ];
    let count = u64::try_from(garbage.len()).unwrap();
    for bytes in garbage {
        let mut client = server.client().await;
        // It may be closed before all is sent.
        let _sent = client.send(&bytes).await;
        let mut rest = Vec::new();
        let _until_the_end = soon(client.io.read_to_end(&mut rest)).await;
    }
    still_serves(&mut server).await;
    assert_eq!(server.ingest.counts().malformed, count);
    server.close().await;
}

#[tokio::test]
async fn a_thousand_half_open_connections_hinder_nobody() {
    let limits = Limits { pending: 200, per_address: 100, ..calm() };
    let bound = limits.pending * (limits.command + (32 << 10));
    let mut server = Server::start(limits).await;
    let mut crowd = Vec::new();
    for index in 0..1_000_usize {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // Some say nothing, some a little, some all but the last.
        let begun = &greeting()[..(index * 11) % 3_000];
        let _sent = stream.write_all(begun).await;
        crowd.push(stream);
        if index % 250 == 0 {
            still_serves(&mut server).await;
        }
    }
    still_serves(&mut server).await;
    let counts = server.ingest.counts();
    assert!(counts.pending <= 100, "one address has one address's share: {counts:?}");
    assert!(counts.held <= bound, "{counts:?}");
    drop(crowd);
    server.close().await;
}

#[tokio::test]
async fn what_is_announced_and_never_sent_is_not_held() {
    let mut server = Server::start(Limits { message: 0xff_ffff, ..calm() }).await;
    let mut client = server.client().await.on_air("key-one").await;
    let _publication = server.publication().await;
    let mut size = BytesMut::new();
    chunk::write(&mut size, 128, 2, kind::SET_CHUNK_SIZE, 0, &[0x7f, 0xff, 0xff, 0xff]);
    let announced = [6, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0];
    client.send(&[&size[..], &announced, &[7; 5_000]].concat()).await.unwrap();
    let mut held = 0;
    while held < 5_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        held = server.ingest.counts().held;
    }
    assert!(held <= 150_000, "{held}");
    still_serves(&mut server).await;
    drop(client);
    server.close().await;
}

#[tokio::test]
async fn an_aborted_message_is_gone() {
    let mut server = Server::start(calm()).await;
    let mut client = server.client().await.on_air("key-one").await;
    let mut publication = server.publication().await;
    let mut begun = vec![6, 0, 0, 0, 0, 4, 0, 9, 1, 0, 0, 0];
    begun.extend([7; 128]);
    let mut abort = BytesMut::new();
    chunk::write(&mut abort, 128, 2, kind::ABORT, 0, &6_u32.to_be_bytes());
    let mut whole = BytesMut::new();
    chunk::write(&mut whole, 128, 6, kind::VIDEO, 1, &[0x27, 1, 0, 0, 0, 9]);
    client.send(&[&begun[..], &abort, &whole].concat()).await.unwrap();
    drop(client);
    let (tags, _) = rest(&mut publication).await;
    assert_eq!(tags.len(), 1);
    assert_eq!(tags[0].data, [0x27, 1, 0, 0, 0, 9][..]);
    server.close().await;
}

#[tokio::test]
async fn times_that_leap_and_sound_without_pictures_are_passed_on() {
    let mut server = Server::start(calm()).await;
    let mut client = server.client().await.on_air("key-one").await;
    let mut publication = server.publication().await;
    let times = [0_u32, 3_600_000, 10, 0xff_fffe, 0xff_ffff, 0x7000_0000, 0xe000_0000, u32::MAX, 0, 5];
    for at in times {
        client.send(&sound(at, 20)).await.unwrap();
    }
    drop(client);
    let (tags, ending) = rest(&mut publication).await;
    let wrap = 1 << 32;
    let expected =
        [0, 3_600_000, 10, 0xff_fffe, 0xff_ffff, 0x7000_0000, 0xe000_0000, wrap - 1, wrap, wrap + 5];
    assert_eq!(tags.iter().map(|tag| tag.at_ms).collect::<Vec<_>>(), expected);
    assert_eq!(ending, Ending::Closed);
    server.close().await;
}

#[tokio::test]
async fn a_fault_in_a_show_ends_it_and_says_why() {
    let mut server = Server::start(calm()).await;
    let mut client = server.client().await.on_air("key-one").await;
    let mut publication = server.publication().await;
    client.send(&[&sound(0, 10)[..], &[0xbf; 8]].concat()).await.unwrap();
    let (tags, ending) = rest(&mut publication).await;
    assert_eq!(tags.len(), 1);
    let why = "chunk stream 63: expected type 0, found a header of type 2";
    assert_eq!(ending, Ending::Malformed(why.into()));
    assert_eq!(client.until("NetConnection.Connect.Closed").await, why);
    still_serves(&mut server).await;
    server.close().await;
}

#[tokio::test]
async fn who_does_not_read_what_we_say_is_let_go() {
    let (ingest, _publications) = Ingest::new(short(), Arc::new(keys()));
    let (ours, mut theirs) = duplex(4_000);
    let attended = tokio::spawn(async move {
        ingest.attend(ours, ([192, 0, 2, 1], 1).into(), &Cancel::new()).await;
        ingest.counts()
    });
    let mut ping = BytesMut::new();
    chunk::write(&mut ping, 128, 2, kind::USER_CONTROL, 0, &[0, 6, 1, 2, 3, 4]);
    let bytes = [&greeting()[..], &ping.repeat(5_000)].concat();
    let sent = soon(theirs.write_all(&bytes)).await;
    assert!(sent.is_err(), "the connection is closed");
    assert_eq!(soon(attended).await.unwrap().held, 0);
}

//! Several publishers, and readers that are slow.

use super::*;

#[tokio::test]
async fn the_newest_publisher_gets_the_stream_and_the_older_one_is_told() {
    let mut server = Server::start(calm()).await;
    let mut old = server.client().await.on_air("key-one").await;
    let mut first = server.publication().await;
    let _new = server.client().await.on_air("key-one").await;
    assert_eq!(rest(&mut first).await.1, Ending::TakenOver);
    let second = server.publication().await;
    assert_eq!(second.ending(), None);
    let description = old.until("NetStream.Publish.BadName").await;
    assert_eq!(description, "another publisher took the stream over");
    old.closed().await;
    let counts = server.ingest.counts();
    assert_eq!((counts.admitted, counts.taken_over), (2, 1));
    drop(second);
    server.close().await;
}

/// An encoder that comes back as soon as it is thrown out, until it is refused.
async fn insist(address: SocketAddr) {
    loop {
        let mut client = Client::new(TcpStream::connect(address).await.unwrap());
        client.publish("key-one", encoder()).await;
        while let Some((code, description)) = client.status().await {
            if code == "NetStream.Publish.BadName" && description == "the stream has another publisher" {
                return;
            }
        }
    }
}

#[tokio::test]
async fn five_encoders_with_one_key_come_to_rest() {
    let limits = Limits { silence: Duration::from_secs(60), ..calm() };
    let mut server = Server::start(limits).await;
    let mut encoders = tokio::task::JoinSet::new();
    for _ in 0..5 {
        encoders.spawn(insist(server.address));
    }
    // Four are refused at last, and one stays.
    let mut last = server.publication().await;
    while encoders.len() > 1 {
        tokio::select! {
            refused = soon(encoders.join_next()) => refused.unwrap().unwrap(),
            publication = server.publication() => {
                assert_eq!(rest(&mut last).await.1, Ending::TakenOver);
                last = publication;
            }
        }
    }
    let mut counts = server.ingest.counts();
    while (counts.connections, counts.pending) != (1, 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        counts = server.ingest.counts();
    }
    if last.ending().is_some() {
        last = server.publication().await;
    }
    assert_eq!(last.ending(), None);
    assert_eq!((counts.taken_over, counts.busy), (3, 4));
    assert!((1..=4).contains(&counts.admitted), "{counts:?}");
    encoders.abort_all();
    while encoders.join_next().await.is_some() {}
    assert_eq!(rest(&mut last).await.1, Ending::Closed);
    server.close().await;
}

#[tokio::test]
async fn one_that_is_not_heard_of_is_replaced_at_any_time() {
    let limits = Limits { takeovers: 0, silence: Duration::from_millis(50), ..calm() };
    let mut server = Server::start(limits).await;
    let _dead = server.client().await.on_air("key-one").await;
    let mut first = server.publication().await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let _alive = server.client().await.on_air("key-one").await;
    assert_eq!(rest(&mut first).await.1, Ending::TakenOver);
    server.close().await;
}

#[tokio::test]
async fn a_slow_reader_slows_the_publisher_and_loses_nothing() {
    let limits = Limits { queue: 100_000, ..calm() };
    let mut server = Server::start(limits).await;
    let mut client = server.client().await.on_air("key-one").await;
    let mut publication = server.publication().await;
    let message = sound(0, 5_000);
    let total = 5_000_u32;
    let sender = tokio::spawn(async move {
        for _ in 0..total {
            client.send(&message).await.unwrap();
        }
        // What we acknowledge is read: to close a socket with something in it would cut off what was sent.
        client.io.shutdown().await.unwrap();
        client.closed().await;
    });
    // 25 MB are more than all buffers of the kernel hold: the sender has to wait.
    let mut looks = 0;
    while looks < 50 {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let counts = server.ingest.counts();
        assert!(counts.waiting <= 100_000 && counts.held <= 300_000, "{counts:?}");
        looks += u32::from(counts.waiting > 90_000);
    }
    assert!(!sender.is_finished(), "it is slowed down");
    let (tags, ending) = rest(&mut publication).await;
    assert_eq!((tags.len(), ending), (5_000, Ending::Closed));
    soon(sender).await.unwrap();
    assert_eq!(server.ingest.counts().waiting, 0);
    server.close().await;
}

#[tokio::test]
async fn a_publisher_that_waits_for_its_reader_can_be_replaced() {
    let limits = Limits { queue: 1_000, ..calm() };
    let mut server = Server::start(limits).await;
    let mut full = server.client().await.on_air("key-one").await;
    let mut first = server.publication().await;
    for _ in 0..10 {
        full.send(&sound(0, 400)).await.unwrap();
    }
    let _new = server.client().await.on_air("key-one").await;
    let (tags, ending) = rest(&mut first).await;
    assert_eq!(ending, Ending::TakenOver);
    assert!(tags.len() < 10, "{}", tags.len());
    server.close().await;
}

#[tokio::test]
async fn wrong_keys_cost_more_and_more_time() {
    let mut server = Server::start(calm()).await;
    let began = std::time::Instant::now();
    for _ in 0..2 {
        let mut client = server.client().await;
        client.publish("wrong", encoder()).await;
        let description = client.until("NetStream.Publish.BadName").await;
        assert_eq!(description, "the stream key is not valid");
        client.closed().await;
    }
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    // All at once: they wait in line, and the line is short.
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut client = server.client().await;
        tries.spawn(async move {
            client.publish("wrong", encoder()).await;
            client.until("NetStream.Publish.BadName").await
        });
    }
    let mut penalties = 0;
    while penalties < 15 {
        let description = soon(tries.join_next()).await.unwrap().unwrap();
        penalties += usize::from(description == "too many wrong stream keys, wait a minute");
    }
    drop(tries);
    assert_eq!(server.ingest.counts().admitted, 0);
    // Another address is not concerned.
    let (ours, theirs) = duplex(10_000);
    let ingest = server.ingest.clone();
    let attended = tokio::spawn(async move {
        ingest.attend(ours, ([192, 0, 2, 1], 1).into(), &Cancel::new()).await;
    });
    let client = Client::new(theirs).on_air("key-one").await;
    assert_eq!(server.publication().await.stream.as_str(), "one");
    drop(client);
    soon(attended).await.unwrap();
    server.close().await;
}

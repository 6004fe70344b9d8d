use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc as std_mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use transcoder::camera::{Camera, Clock, Scene};
use transcoder::ladder::Preset;
use transcoder::publishing::{NewKey, StreamSecret};
use transcoder::{Cancel, Tools};

use super::super::daemon::Daemon as Running;
use super::super::tests::forebay;
use super::*;
use crate::config::{Config, DatabaseUrl, Listen, StoreUrl};
use crate::keyring::Keyring;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A daemon that is open to everybody, with a camera that publishes to it, until it is dropped.
struct Stage {
    http: SocketAddr,
    admin: SocketAddr,
    cancel: Cancel,
    work: Option<thread::JoinHandle<()>>,
}

impl Stage {
    fn open(folder: &Path) -> Self {
        let (tell, told) = std_mpsc::channel();
        let cancel = Cancel::new();
        let stop = cancel.clone();
        let mut config = Config::parse("[auth]\nrequired = false\n", "x.toml".as_ref()).unwrap();
        config.listen = Listen { http: LOOPBACK, https: None, admin: LOOPBACK };
        config.rtmp.listen = Some(LOOPBACK);
        (config.work.preset, config.work.max_height, config.work.pass) = (Preset::Ultrafast, 180, false);
        config.store.url = StoreUrl::File(folder.join("media"));
        config.database.url = DatabaseUrl::Sqlite(folder.join("forebay.db"));
        std::fs::create_dir(folder.join("media")).unwrap();
        let work = thread::spawn(move || {
            runtime().unwrap().block_on(async {
                let keys = Keyring::new(authz::KeySet::empty());
                let secret = StreamSecret::of([7; 20]);
                let new = NewKey { stream: "gala".parse().unwrap(), label: None, lifetime: None };
                let ports = crate::db::open(&config.database).await.unwrap();
                ports.stream_keys.create(&secret.fingerprint(), &new).await.unwrap();
                let daemon = Running::open(config, keys.into(), None).await.unwrap();
                let http = daemon.http().unwrap();
                tell.send((http, daemon.addresses().unwrap())).unwrap();
                let camera = camera(daemon.rtmp().unwrap(), &secret);
                let (events, _) = mpsc::channel(1);
                tokio::select! {
                    ended = daemon.serve() => drop(ended.unwrap()),
                    ended = camera.run(&events, &stop) => ended.unwrap(),
                }
            });
        });
        let (http, addresses) = told.recv().unwrap();
        let admin = addresses.rsplit_once("admin=").unwrap().1.parse().unwrap();
        Self { http, admin, cancel, work: Some(work) }
    }

    /// `forebay live …` against it.
    fn live(&self, arguments: &[&str]) -> (u8, String, String) {
        let admin = self.admin.to_string();
        forebay(&[&["live"], arguments, &["--admin", &admin]].concat())
    }

    /// Asks for the list until it is so.
    fn until(&self, is_so: impl Fn(&serde_json::Value) -> bool) {
        let began = Instant::now();
        loop {
            let (code, list, words) = self.live(&["list", "--json"]);
            assert_eq!((code, words.as_str()), (0, ""));
            if is_so(&serde_json::from_str(&list).unwrap()) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{list}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.cancel.cancel();
        let work = self.work.take().map(thread::JoinHandle::join);
        assert!(thread::panicking() || matches!(work, Some(Ok(()))));
    }
}

fn camera(rtmp: SocketAddr, secret: &StreamSecret) -> Camera {
    let clock = crate::clock::Clock::system();
    Camera {
        scene: Scene::test().unwrap(),
        preset: Preset::Ultrafast,
        tools: Tools::default(),
        clock: Clock::new(move || Duration::from_millis(clock.now_millis())),
        url: format!("rtmp://{rtmp}/live/{}", secret.reveal()),
    }
}

#[test]
fn a_show_is_listed_cut_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::open(folder.path());
    let tracks =
        |list: &serde_json::Value| list["streams"][0]["shows"][0]["tracks"].as_array().map_or(0, Vec::len);
    stage.until(|list| list["streams"][0]["senders"] == 2 && tracks(list) == 2);

    let (code, table, words) = stage.live(&["list"]);
    assert_eq!((code, words.as_str()), (0, ""));
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..6], ["STREAM", "SHOW", "STATE", "SENDERS", "WAITING", "TRACKS"]);
    assert_eq!(lines[1][..6], ["gala", "1", "running", "2", "0", "2"], "{table}");

    let (code, said, words) = stage.live(&["cut", "gala"]);
    // Who has left by the time they are counted is not counted.
    assert!(code == 0 && words.is_empty() && said.starts_with("gala: "), "{said} {words}");
    // They come back, to the same show.
    stage
        .until(|list| list["streams"][0]["senders"] == 2 && list["streams"][0]["shows"][0]["ended"] == false);

    assert_eq!(stage.live(&["end", "gala"]), (0, "gala: show 1 ended\n".into(), String::new()));
    stage.until(|list| {
        let shows = &list["streams"][0]["shows"];
        shows[0]["ended"] == true && shows[1]["show"] == 2 && shows[1]["ended"] == false
    });

    let absent =
        |stream| format!("forebay: {stream}: expected a stream with a show on this daemon, found none\n");
    for verb in ["end", "cut"] {
        assert_eq!(stage.live(&[verb, "other"]), (1, String::new(), absent("other")));
    }
    // The public listener is no admin listener.
    let http = stage.http.to_string();
    for arguments in [&["live", "list", "--admin", &http][..], &["live", "end", "gala", "--admin", &http]] {
        let (code, said, words) = forebay(arguments);
        assert_eq!((code, said.as_str()), (1, ""));
        assert!(
            words.starts_with(&format!("forebay: {http}: expected an answer of an admin listener, found 4")),
            "{words}"
        );
        assert_eq!(words.lines().count(), 1);
    }
}

#[test]
fn where_nobody_listens_is_said_in_one_line() {
    let free = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("forebay.toml");
    std::fs::write(&config, format!("[auth]\nrequired = false\n[listen]\nadmin = \"{free}\"\n")).unwrap();
    let (admin, config) = (free.to_string(), config.to_str().unwrap());
    for place in [["--admin", &admin], ["--config", config]] {
        let (code, said, words) = forebay(&[&["live", "list"][..], &place].concat());
        assert_eq!((code, said.as_str()), (1, ""));
        let expected =
            format!("forebay: {free}: expected a daemon that listens there, found none: Connection refused");
        assert!(words.starts_with(&expected) && words.lines().count() == 1, "{words}");
    }
    let (code, ..) = forebay(&["live", "list"]);
    assert_eq!(code, 2);
    let (code, _, words) = forebay(&["live", "end", "no/stream", "--admin", &admin]);
    assert_eq!(code, 2, "{words}");
}

#[test]
fn what_does_not_speak_http_is_said_in_one_line() {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let rude = thread::spawn(move || listener.accept().unwrap().0.write_all(b"SSH-2.0-x\r\n").unwrap());
    let (code, said, words) = forebay(&["live", "list", "--admin", &address]);
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(
        words.starts_with(&format!("forebay: {address}: expected an answer over HTTP, found none: ")),
        "{words}"
    );
    rude.join().unwrap();
}

use std::path::Path;
use std::time::Duration;

use http::StatusCode;

use super::super::ask::{Answer, Peer};
use super::super::tests::Buffer;
use super::*;

/// Runs `forebay demo --live` until `watch` is done with it.
async fn live(input: Option<PathBuf>, watch: impl AsyncFnOnce(&Watcher)) {
    let folder = tempfile::tempdir().unwrap();
    let (results, words) = (Buffer::default(), Buffer::default());
    let output = Output::buffers(results.clone(), words.clone());
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let args = Args { listen, input, live: true, dir: None, preset: Preset::Ultrafast };
    let config = in_folder(config(&args), folder.path());
    std::fs::create_dir(media(folder.path())).unwrap();
    let watched = async {
        while !results.text().contains("Ctrl-C") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        watch(&Watcher::new(&results.text())).await;
    };
    tokio::select! {
        ended = live::show(&args, config, &output) => panic!("{ended:?} {}", words.text()),
        watched = tokio::time::timeout(Duration::from_secs(60), watched) => watched.expect("it plays within a minute"),
    }
    assert_eq!(words.text(), "", "nothing was interrupted");
}

/// Somebody who read what the demo says.
struct Watcher {
    http: Peer,
    admin: Peer,
    link: String,
}

impl Watcher {
    fn new(said: &str) -> Self {
        let addresses = said.lines().next().unwrap().strip_prefix("forebay: listening http=").unwrap();
        let (http, others) = addresses.split_once(" rtmp=").unwrap();
        let (rtmp, admin) = others.split_once(" admin=").unwrap();
        assert!(said.contains(&format!("  Server       rtmp://{rtmp}/live\n  Stream Key   fb-")), "{said}");
        let page = format!("  watch it     http://{http}/\n");
        assert!(said.contains(&page), "{said}");
        let link = said.split_once("  signed link  http://").unwrap().1.split_once('\n').unwrap().0;
        let link = link.strip_prefix(http).unwrap().to_owned();
        Self { http: Peer::at(http.parse().unwrap()), admin: Peer::at(admin.parse().unwrap()), link }
    }

    async fn get(&self, path: &str) -> Answer {
        self.http.get(path).await.unwrap_or_else(|Failure(error)| panic!("{path}: {error}"))
    }

    /// A playlist beside the signed one.
    async fn playlist(&self, name: &str) -> String {
        let folder = self.link.rsplit_once('/').unwrap().0;
        let answer = self.get(&format!("{folder}/{name}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        answer.text
    }
}

#[tokio::test]
async fn the_live_demo_can_be_watched_as_soon_as_it_says_where() {
    live(None, async |watcher| {
        let page = watcher.get("/").await.text;
        assert!(page.contains("live.js") && page.contains("live.css"), "{page}");
        let story: serde_json::Value = serde_json::from_str(&watcher.get("/demo.json").await.text).unwrap();
        let now = Clock::system().now_millis();
        assert!(now.abs_diff(story["now_ms"].as_u64().unwrap()) < 5_000, "{story}");
        assert_eq!(story["title"], "forebay test picture");
        // The page's link is as good as the one that was said.
        for door in [story["playlist"].as_str().unwrap(), &watcher.link] {
            let main = watcher.get(door).await;
            assert_eq!(main.status, StatusCode::OK);
            for rung in ["RESOLUTION=640x360", "RESOLUTION=426x240", "TYPE=AUDIO"] {
                assert!(main.text.contains(rung), "{}", main.text);
            }
        }
        for track in ["video-360", "video-240", "audio"] {
            let playlist = watcher.playlist(&format!("1/{track}/index.m3u8")).await;
            for tag in
                ["#EXT-X-PART:", "#EXT-X-PRELOAD-HINT:TYPE=PART", "CAN-BLOCK-RELOAD=YES", "PART-HOLD-BACK="]
            {
                assert!(playlist.contains(tag), "{track}: {playlist}");
            }
        }
        // Nobody else may send, nor watch without the link.
        assert_eq!(watcher.get("/live/demo/main.m3u8").await.status, StatusCode::UNAUTHORIZED);
        let sent = watcher.http.post("/ingest/demo/video-360", "{}".to_owned()).await.unwrap();
        assert_eq!(sent.status, StatusCode::UNAUTHORIZED);
        assert!(watcher.admin.get("/live").await.unwrap().text.contains("\"senders\":3"));
    })
    .await;
}

#[tokio::test]
async fn a_file_without_sound_is_sent_live_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("silent.mp4");
    silent(&file).await;
    live(Some(file), async |watcher| {
        let story: serde_json::Value = serde_json::from_str(&watcher.get("/demo.json").await.text).unwrap();
        assert_eq!(story["title"], "silent.mp4");
        let main = watcher.get(&watcher.link).await.text;
        assert!(main.contains("RESOLUTION=180x320") && main.contains("TYPE=AUDIO"), "{main}");
    })
    .await;
}

#[tokio::test]
async fn a_file_that_cannot_be_shown_ends_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let input = Some(folder.path().join("gone.mp4"));
    let args = Args { listen, input, live: true, dir: None, preset: Preset::Ultrafast };
    let config = in_folder(config(&args), folder.path());
    std::fs::create_dir(media(folder.path())).unwrap();
    let output = Output::buffers(Buffer::default(), Buffer::default());
    let Failure(error) = live::show(&args, config, &output).await.unwrap_err();
    assert_eq!(error.to_string(), "gone.mp4: expected a file, found nothing: no such file");
}

/// An upright picture of a second.
async fn silent(to: &Path) {
    let made = tokio::process::Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=180x320:rate=24:duration=1",
            "-c:v",
            "libx264",
        ])
        .arg(to)
        .status();
    assert!(made.await.unwrap().success());
}

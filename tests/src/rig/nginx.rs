//! nginx as others run it: a proxy in front of an origin, and a server of classic HLS.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::deadline::until;
use super::fleet::free_address;
use super::tls::Certificate;

/// A running nginx; killed when dropped.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    http: SocketAddr,
    rtmp: SocketAddr,
    _dir: TempDir,
}

impl Nginx {
    /// A proxy that makes one site of an origin and of the pages of players. A CDN or load balancer is like it in what
    /// matters here: while an origin is dead, viewers see an answer that says so, and no refused connection.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn before(origin: SocketAddr, pages: SocketAddr) -> Self {
        Self::start(|http, _, _| {
            let head = "proxy_http_version 1.1; proxy_set_header Connection ''; proxy_buffering off; \
                        proxy_next_upstream off; proxy_read_timeout 30s";
            format!(
                "http {{ access_log off; {TEMPORARY}
                   upstream origin {{ server {origin} max_fails=0; keepalive 16; }}
                   server {{ listen {http}; {head};
                     location / {{ proxy_pass http://{pages}; }}
                     location /t/ {{ proxy_pass http://origin; }} }} }}"
            )
        })
    }

    /// An end of TLS for a server that speaks in clear. What it is asked for goes on as it is, with the name that it was asked by.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn tls_before(server: SocketAddr, certificate: &Certificate) -> Self {
        let (cert, key) = (certificate.cert.display(), certificate.key.display());
        Self::start(|http, _, _| {
            format!(
                "http {{ access_log off; {TEMPORARY} client_max_body_size 0;
                   server {{ listen {http} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
                     proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $http_host;
                     proxy_request_buffering off; proxy_buffering off;
                     location / {{ proxy_pass http://{server}; }} }} }}"
            )
        })
    }

    /// A server of the files of a folder, which knows nothing of media.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let root = folder.display();
        Self::start(|http, _, _| {
            format!(
                "http {{ access_log off; {TEMPORARY} types {{ video/mp4 mp4; text/html html; }}
                   server {{ listen {http}; root {root}; }} }}"
            )
        })
    }

    /// Debian's nginx-rtmp, with HLS of segments of 2 s and all else as it comes.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn classic() -> Self {
        Self::start(|http, rtmp, dir| {
            format!(
                "rtmp {{ server {{ listen {rtmp};
                   application live {{ live on; hls on; hls_path {dir}/hls; hls_fragment 2s; }} }} }}
                 http {{ access_log off; {TEMPORARY}
                   types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }}
                   server {{ listen {http}; root {dir};
                     location /hls/ {{ add_header Cache-Control no-cache; add_header Access-Control-Allow-Origin *; }} }} }}"
            )
        })
    }

    fn start(contexts: impl FnOnce(SocketAddr, SocketAddr, &str) -> String) -> Self {
        let dir = tempfile::Builder::new().prefix("forebay-nginx-").tempdir().unwrap();
        let folder = dir.path().to_str().unwrap();
        let (http, rtmp) = (free_address(), free_address());
        let contexts = contexts(http, rtmp, folder);
        let module = if contexts.starts_with("rtmp") { RTMP } else { "" };
        // One process, so that killing it leaves none behind.
        let text = format!(
            "{module}daemon off; master_process off; pid nginx.pid; error_log error.log;\nevents {{}}\n{contexts}\n"
        );
        fs::create_dir(dir.path().join("hls")).unwrap();
        fs::write(dir.path().join("nginx.conf"), text).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.args(["-p", folder, "-e", "error.log", "-c", "nginx.conf"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let child = command.spawn().expect("nginx is missing: run `make setup`");
        let mut nginx = Self { child, http, rtmp, _dir: dir };
        until("nginx to listen", || {
            let ended = nginx.child.try_wait().unwrap();
            assert!(ended.is_none(), "nginx ended: {}", ended.unwrap());
            std::net::TcpStream::connect(http).ok()
        });
        nginx
    }

    /// Where it is asked.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where it is published to, if it is [`Nginx::classic`].
    #[must_use]
    pub fn rtmp(&self) -> SocketAddr {
        self.rtmp
    }

    /// The address of `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const RTMP: &str = "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n";
/// Else it would write where only the system's own may.
const TEMPORARY: &str = "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; \
                         uwsgi_temp_path uwsgi; scgi_temp_path scgi;";

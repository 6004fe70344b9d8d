//! A WebDriver server (W3C WebDriver §6) for Chromium.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use super::deadline::PATIENCE;

/// A running chromedriver; killed when dropped.
#[derive(Debug)]
pub struct Chromedriver {
    child: Child,
    url: String,
}

impl Chromedriver {
    /// Starts one on a free port; it takes local connections only.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("chromedriver is missing: run `make setup`");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            // Read to the end: a full pipe would stop it.
            for line in lines.map_while(Result::ok) {
                let port =
                    line.rsplit_once("on port ").map(|(_, port)| port.trim_end_matches('.').to_owned());
                if let Some(port) = port.filter(|_| line.contains("successfully")) {
                    let _ = tell.send(port);
                }
            }
        });
        let port = told.recv_timeout(PATIENCE).expect("chromedriver did not start");
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

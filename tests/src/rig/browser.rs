//! Headless Chromium, driven over WebDriver.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fantoccini::actions::{
    InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction,
};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use super::binary::target_dir;
use super::chromedriver::Chromedriver;
use super::client::runtime;
use super::deadline::within;

/// One browser with one page. Closed when dropped. There is one at a time in a process: two starve each other on a small
/// machine, and a player that starves shows nothing about who feeds it.
#[derive(Debug)]
pub struct Browser {
    client: Option<Client>,
    _driver: Chromedriver,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts Chromium with a window of `width` by `height` pixels and `flags` beside the usual ones.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn open(width: u32, height: u32, flags: &[&str]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let driver = Chromedriver::start();
        let size = format!("--window-size={width},{height}");
        // Root needs --no-sandbox; a container's small /dev/shm needs the second; no page can be clicked first here.
        let usual = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--autoplay-policy=no-user-gesture-required",
            &size,
        ];
        let args: Vec<&str> = usual.iter().chain(flags).copied().collect();
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({"args": args}));
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({"browser": "ALL"}));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = runtime().block_on(builder.capabilities(capabilities).connect(driver.url())).unwrap();
        Self { client: Some(client), _driver: driver, _turn: turn }
    }

    /// Loads a page.
    ///
    /// # Panics
    /// When it does not load.
    pub fn go(&self, url: &str) {
        runtime().block_on(self.client().goto(url)).unwrap();
    }

    /// The value of a script's `return`.
    ///
    /// # Panics
    /// When the script throws.
    #[must_use]
    pub fn run(&self, script: &str) -> Value {
        runtime()
            .block_on(self.client().execute(script, Vec::new()))
            .unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// Runs `script` until `good` likes its value.
    ///
    /// # Panics
    /// When it never does within `limit`; the last value is in the message.
    pub fn until(&self, what: &str, limit: Duration, script: &str, good: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = within(limit, || {
            last = self.run(script);
            good(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("waited {limit:?} in vain for {what}; last: {last}"))
    }

    /// Moves the mouse to a place in the window, as `(x, y)` in pixels.
    ///
    /// # Panics
    /// When the browser does not do it.
    pub fn point(&self, (x, y): (f64, f64)) {
        let there = PointerAction::MoveTo { duration: Some(Duration::from_millis(50)), x, y };
        self.act(MouseActions::new("mouse".to_owned()).then(there));
    }

    /// Moves the mouse there and clicks.
    ///
    /// # Panics
    /// When the browser does not do it.
    pub fn click(&self, place: (f64, f64)) {
        self.point(place);
        let button = MOUSE_BUTTON_LEFT;
        let mouse = MouseActions::new("mouse".to_owned());
        self.act(mouse.then(PointerAction::Down { button }).then(PointerAction::Up { button }));
    }

    /// Presses a key and lets it go.
    ///
    /// # Panics
    /// When the browser does not do it.
    pub fn press(&self, value: char) {
        let keys = KeyActions::new("keys".to_owned());
        self.act(keys.then(KeyAction::Down { value }).then(KeyAction::Up { value }));
    }

    /// Keeps a picture of the page as `target/screenshots/NAME.png`.
    ///
    /// # Panics
    /// When it cannot be taken or written.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let picture = runtime().block_on(self.client().screenshot()).unwrap();
        let folder = target_dir().join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        fs::write(&file, picture).unwrap();
        file
    }

    /// Warnings and errors of the page's console since the last call, as `LEVEL: message`.
    ///
    /// # Panics
    /// When the driver does not tell.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let log = runtime().block_on(self.client().issue_cmd(ConsoleLog)).unwrap();
        let entries = log.as_array().cloned().unwrap_or_default();
        let grave =
            entries.iter().filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        grave.map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    fn act(&self, actions: impl Into<fantoccini::actions::ActionSequence>) {
        runtime().block_on(self.client().perform_actions(actions)).unwrap();
    }

    fn client(&self) -> &Client {
        self.client.as_ref().unwrap()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = runtime().block_on(client.close());
        }
    }
}

static TURN: Mutex<()> = Mutex::new(());

/// Chromium's console, a command of its own driver.
#[derive(Debug)]
struct ConsoleLog;

impl fantoccini::wd::WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base_url: &url::Url, session_id: Option<&str>) -> Result<url::Url, url::ParseError> {
        base_url.join(&format!("session/{}/se/log", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}

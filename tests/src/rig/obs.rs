//! OBS Studio as a publisher, on a display that nobody sees.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::command::signal;
use super::deadline::until;

/// A running OBS that streams a picture of one colour, 640 by 360, with its own defaults for all that a creator may leave
/// alone. Killed when dropped, its display with it.
#[derive(Debug)]
pub struct Obs {
    obs: Child,
    display: Child,
    home: TempDir,
}

impl Obs {
    /// Starts it, streaming with a stream key to `rtmp://ADDRESS/live`.
    ///
    /// # Panics
    /// When it or its display does not start.
    #[must_use]
    pub fn publish(to: SocketAddr, key: &str) -> Self {
        let home = tempfile::Builder::new().prefix("forebay-obs-").tempdir().unwrap();
        let config = home.path().join("obs-studio");
        let service = format!(
            r#"{{"settings":{{"key":"{key}","server":"rtmp://{to}/live","use_auth":false}},"type":"rtmp_custom"}}"#
        );
        for (name, text) in [
            ("global.ini", GLOBAL),
            ("basic/profiles/story/basic.ini", PROFILE),
            ("basic/profiles/story/service.json", &service),
            ("basic/scenes/story.json", SCENE),
        ] {
            let path = config.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut display = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1024x768x24"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is missing: run `make setup`");
        let mut number = String::new();
        BufReader::new(display.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let log = fs::File::create(log(home.path())).unwrap();
        let obs = Command::new("obs")
            .args(["--startstreaming", "--multi", "--profile", "story", "--collection", "story"])
            .envs([("HOME", home.path()), ("XDG_CONFIG_HOME", home.path()), ("XDG_RUNTIME_DIR", home.path())])
            .envs([("LIBGL_ALWAYS_SOFTWARE", "1"), ("QT_QPA_PLATFORM", "xcb")])
            .env("DISPLAY", format!(":{}", number.trim()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("OBS is missing: run `make setup`");
        Self { obs, display, home }
    }

    /// Waits until its log has said this so many times.
    ///
    /// # Panics
    /// When it does not.
    pub fn says(&self, words: &str, times: usize) {
        until(&format!("OBS to say {words:?} {times} times"), || {
            let log = fs::read_to_string(log(self.home.path())).unwrap_or_default();
            (log.matches(words).count() >= times).then_some(())
        });
    }
}

impl Drop for Obs {
    fn drop(&mut self) {
        signal(self.obs.id(), "KILL");
        signal(self.display.id(), "KILL");
        let _ = self.obs.wait();
        let _ = self.display.wait();
    }
}

fn log(home: &Path) -> PathBuf {
    home.join("obs.log")
}

/// No wizard, no questions, no looking for news.
const GLOBAL: &str = "\
[General]
FirstRun=true
LastVersion=486539266
EnableAutoUpdates=false

[Basic]
Profile=story
ProfileDir=story
SceneCollection=story
SceneCollectionFile=story
";
const PROFILE: &str = "\
[General]
Name=story

[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSType=0
FPSCommon=30

[Output]
Mode=Simple

[SimpleOutput]
VBitrate=1000
ABitrate=96
StreamEncoder=x264
Preset=ultrafast
";
const SCENE: &str = r#"{"current_program_scene":"Scene","current_scene":"Scene","name":"story","scene_order":[{"name":"Scene"}],
"sources":[{"id":"scene","name":"Scene","settings":{"id_counter":1,"items":[{"name":"Colour","id":1,"visible":true,
"pos":{"x":0.0,"y":0.0},"scale":{"x":1.0,"y":1.0}}]}},
{"id":"color_source_v3","versioned_id":"color_source_v3","name":"Colour","settings":{"color":4290012672,"width":640,"height":360}}]}
"#;

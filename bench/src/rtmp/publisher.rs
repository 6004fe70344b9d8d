//! A publisher: a thread that sends a film at the pace of the clock and notes when each picture left.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Film, Kind, Wire};

/// What is published, and where.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// The server.
    pub address: SocketAddr,
    /// The application of its URL.
    pub app: String,
    /// The stream's name, or its key.
    pub name: String,
    /// What is sent.
    pub film: Arc<Film>,
    /// How long it waits before it connects.
    pub delay: Duration,
}

/// A publisher that runs until it is stopped.
#[derive(Debug)]
pub struct Publishing {
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// For each picture, when it was to be sent and when it was.
    sent: Mutex<Vec<(Instant, Instant)>>,
    /// Why it ended before its time.
    fault: Mutex<Option<String>>,
}

impl Publisher {
    /// Begins to publish.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start(self) -> Result<Publishing, Box<dyn Error>> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let publish = move || {
            if let Err(error) = self.run(&own) {
                *own.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
        };
        let thread = std::thread::Builder::new().name("publisher".to_owned()).spawn(publish)?;
        Ok(Publishing { thread, shared })
    }

    fn run(self, shared: &Shared) -> std::io::Result<()> {
        let stops = || shared.stop.load(Ordering::Relaxed);
        let begin = Instant::now() + self.delay;
        while !stops() && Instant::now() < begin {
            std::thread::sleep(LOOK.min(begin.saturating_duration_since(Instant::now())));
        }
        if stops() {
            return Ok(());
        }
        let mut wire = Wire::publish(self.address, &self.app, &self.name)?;
        for (kind, body) in self.film.heads() {
            wire.send(*kind, Duration::ZERO, body)?;
        }
        let begin = Instant::now();
        let (mut picture, mut sound) = (0, 0);
        while !stops() {
            let (shown, heard) = (Film::picture_at(picture), Film::sound_at(sound));
            let due = begin + shown.min(heard);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if heard < shown {
                wire.send(Kind::Audio, heard, self.film.sound(sound))?;
                sound += 1;
                continue;
            }
            let at = wire.send(Kind::Video, shown, self.film.picture(picture))?;
            shared.sent.lock().unwrap_or_else(PoisonError::into_inner).push((due, at));
            picture += 1;
            if picture % super::RATE == 0 {
                wire.attend()?;
            }
        }
        Ok(())
    }
}

impl Publishing {
    /// How many pictures it has sent.
    pub fn pictures(&self) -> usize {
        self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Why it has ended before its time, if it has.
    pub fn fault(&self) -> Option<String> {
        self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets it end, and goes on.
    pub fn end(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Stops; gives for each picture when it was to be sent and when it was.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn stop(self) -> Result<Vec<(Instant, Instant)>, Box<dyn Error>> {
        self.end();
        self.thread.join().map_err(|_| "a publisher panicked")?;
        if let Some(fault) = self.shared.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(fault.into());
        }
        Ok(std::mem::take(&mut self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// How often a publisher that waits looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

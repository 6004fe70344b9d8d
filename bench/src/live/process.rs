//! What a process uses, from /proc.

use std::error::Error;
use std::path::PathBuf;

/// A process by its number.
#[derive(Debug, Clone)]
pub struct Process(PathBuf);

/// Seconds of CPU.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    /// In its own code.
    pub user: f64,
    /// In the kernel for it.
    pub system: f64,
}

impl Process {
    /// The process with this number.
    pub fn new(pid: u32) -> Self {
        Self(PathBuf::from(format!("/proc/{pid}")))
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// Where it is gone.
    pub fn cpu(&self) -> Result<Cpu, Box<dyn Error>> {
        let text = std::fs::read_to_string(self.0.join("stat"))?;
        // The name before may hold spaces; what follows it begins with field 3 (proc_pid_stat(5)).
        let (_, fields) = text.rsplit_once(") ").ok_or("no name")?;
        let mut times = fields.split(' ').skip(14 - 3).map(str::parse::<u64>);
        let mut next =
            || -> Result<f64, Box<dyn Error>> { Ok(times.next().ok_or("no times")?? as f64 / TICKS) };
        Ok(Cpu { user: next()?, system: next()? })
    }

    /// The processes that it has started, by number, with what each has used.
    ///
    /// # Errors
    /// Those of the system.
    pub fn children_cpu(&self) -> Result<Vec<(u32, Cpu)>, Box<dyn Error>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let process = Self::new(pid);
            // One that is gone meanwhile is none.
            let Ok(parent) = process.parent() else { continue };
            if self.0 == Self::new(parent).0
                && let Ok(cpu) = process.cpu()
            {
                found.push((pid, cpu));
            }
        }
        Ok(found)
    }

    fn parent(&self) -> Result<u32, Box<dyn Error>> {
        let text = std::fs::read_to_string(self.0.join("stat"))?;
        let (_, fields) = text.rsplit_once(") ").ok_or("no name")?;
        Ok(fields.split(' ').nth(4 - 3).ok_or("no parent")?.parse()?)
    }

    /// Bytes of it that are in memory.
    ///
    /// # Errors
    /// Where it is gone.
    pub fn resident(&self) -> Result<u64, Box<dyn Error>> {
        let text = std::fs::read_to_string(self.0.join("status"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
    }
}

impl Cpu {
    /// What was used since `before`.
    pub fn since(self, before: Self) -> Self {
        Self { user: self.user - before.user, system: self.system - before.system }
    }

    /// Both together.
    pub fn all(self) -> f64 {
        self.user + self.system
    }
}

/// USER_HZ, which is 100 wherever Linux runs that has a /proc (time(7)).
const TICKS: f64 = 100.0;

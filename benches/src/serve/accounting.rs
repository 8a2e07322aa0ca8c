//! Processor time and memory of a program and all that it started, from `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The kernel's unit of a process's times, which is 100 a second wherever Linux shows them.
const TICK: Duration = Duration::from_millis(10);

/// Threads of sdd-server that decode, infer and compare; all others are there for HTTP.
const WORKERS: &str = "inference-";

/// Processor time since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of all threads, also those that have ended, to 10 ms a process.
    pub total: Duration,
    /// Of the living threads that decode and infer in sdd-server, to the nanosecond.
    pub workers: Duration,
    /// Of the other living threads, to the nanosecond.
    pub others: Duration,
}

impl Usage {
    /// What was used between `earlier` and this.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            total: self.total.saturating_sub(earlier.total),
            workers: self.workers.saturating_sub(earlier.workers),
            others: self.others.saturating_sub(earlier.others),
        }
    }
}

/// Resident memory in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// As `ps` shows it: what processes share counts for each.
    pub resident: u64,
    /// What processes share counts once, in parts.
    pub proportional: u64,
}

/// Processor time of a process and its descendants.
///
/// # Errors
/// When the process is gone.
pub fn usage(process: u32) -> Result<Usage> {
    let mut usage = Usage::default();
    for id in descendants(process)? {
        usage.total += process_time(id)?;
        for entry in fs::read_dir(format!("/proc/{id}/task"))? {
            let task = entry?.path();
            // A thread that ends meanwhile is in the total only.
            let (Ok(name), Ok(time)) = (fs::read_to_string(task.join("comm")), thread_time(&task))
            else {
                continue;
            };
            if name.starts_with(WORKERS) {
                usage.workers += time;
            } else {
                usage.others += time;
            }
        }
    }
    Ok(usage)
}

/// Processor time of the calling thread.
///
/// # Errors
/// When the kernel does not say.
pub fn own_thread() -> Result<Duration> {
    thread_time(Path::new("/proc/thread-self"))
}

/// Resident memory of a process and its descendants.
///
/// # Errors
/// When the process is gone.
pub fn memory(process: u32) -> Result<Memory> {
    let mut memory = Memory::default();
    for id in descendants(process)? {
        let path = format!("/proc/{id}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        memory.resident += kibibytes(&text, "Rss:").with_context(|| path.clone())? << 10;
        memory.proportional += kibibytes(&text, "Pss:").with_context(|| path.clone())? << 10;
    }
    Ok(memory)
}

/// The process and all that it started and that they started.
fn descendants(process: u32) -> Result<Vec<u32>> {
    let mut found = vec![process];
    let mut next = 0;
    while let Some(&id) = found.get(next) {
        next += 1;
        let tasks = fs::read_dir(format!("/proc/{id}/task"))
            .with_context(|| format!("process {id} has ended"))?;
        for task in tasks {
            let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
    }
    Ok(found)
}

/// utime + stime of `/proc/ID/stat`, fields 14 and 15; the second field may have spaces in it.
fn process_time(id: u32) -> Result<Duration> {
    let path = format!("/proc/{id}/stat");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let ticks = ticks(&text).with_context(|| format!("{path}: {text}"))?;
    Ok(TICK * ticks)
}

fn ticks(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let [user, system] = [fields.next()?, fields.next()?];
    user.parse::<u32>().ok()?.checked_add(system.parse().ok()?)
}

/// The first field of a task's `schedstat`, in nanoseconds.
fn thread_time(task: &Path) -> Result<Duration> {
    let path = task.join("schedstat");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let nanoseconds = text.split_whitespace().next().and_then(|first| first.parse().ok());
    let nanoseconds = nanoseconds.with_context(|| format!("{}: {text:?}", path.display()))?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_after_a_name_with_spaces_and_brackets() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 250 17 0 0 20 0 1 0 9 1 2";
        assert_eq!(ticks(stat), Some(267));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_is_found_with_its_time_and_memory() {
        let id = std::process::id();
        let before = usage(id).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let began = own_thread().unwrap();
        while own_thread().unwrap() < began + Duration::from_millis(30) {
            std::hint::black_box(began);
        }
        assert!(descendants(id).unwrap().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        let used = usage(id).unwrap().since(&before);
        assert!(used.others >= Duration::from_millis(30), "{used:?}");
        assert_eq!(used.workers, Duration::ZERO);
        let memory = memory(id).unwrap();
        assert!(memory.proportional > 1 << 20 && memory.resident >= memory.proportional);
    }
}

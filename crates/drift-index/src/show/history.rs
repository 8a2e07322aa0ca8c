//! The generations of a store.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use sdd_drift::reference::score_and_calibration;
use sdd_index::{Change, FileStore, Generation};
use serde::Serialize;

use crate::answer::{Answer, count};
use crate::describe::CalibrationInfo;
use crate::exit::ExitStatus;
use crate::revision::change_text;

/// The whole history of the store in this folder.
pub fn answer(store: &Path) -> Result<Answer> {
    let history = FileStore::history(store)?;
    if !history.iter().any(|generation| generation.is_current) {
        let opened = FileStore::open(store).map(drop);
        let why = opened.err().map_or_else(String::new, |error| error.to_string());
        eprintln!("warning: none of these is the current one: {why}");
    }
    let generations = history.into_iter().map(|kept| Entry::new(store, kept)).collect();
    let store = store.display().to_string();
    Answer::new(ExitStatus::Success, &History { store, generations })
}

#[derive(Serialize)]
struct History {
    store: String,
    generations: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    generation: u64,
    current: bool,
    created_at: String,
    #[serde(flatten)]
    change: Change,
    note: Option<String>,
    images: usize,
    calibration: Option<CalibrationInfo>,
    checksum: String,
    problem: Option<String>,
}

impl Entry {
    fn new(store: &Path, generation: Generation) -> Self {
        let Generation { manifest, is_current, .. } = generation;
        let opened = FileStore::open_generation(store, manifest.generation)
            .map_err(sdd_drift::Error::from)
            .and_then(|store| score_and_calibration(&store));
        let (calibration, problem) = match opened {
            Ok((_, calibration)) => (calibration.as_ref().map(CalibrationInfo::from), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let mut change = manifest.change;
        Self {
            generation: manifest.generation,
            current: is_current,
            created_at: manifest.created_at,
            note: change.note.take(),
            change,
            images: manifest.count,
            calibration,
            checksum: manifest.checksum,
            problem,
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.store)?;
        self.generations.iter().try_for_each(|entry| entry.fmt(f))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.current { '*' } else { ' ' };
        let (command, change) = (&self.change.command, change_text(&self.change));
        writeln!(f, "{mark} {:>4}  {}  {command}: {change}", self.generation, self.created_at)?;
        write!(f, "        {}", count(self.images, "image"))?;
        match &self.calibration {
            Some(calibration) => write!(f, ", {}", calibration.short())?,
            None if self.problem.is_none() => write!(f, ", no calibration")?,
            None => {}
        }
        writeln!(f, ", checksum {}", &self.checksum[..12])?;
        if let Some(note) = &self.note {
            writeln!(f, "        {note}")?;
        }
        if let Some(problem) = &self.problem {
            writeln!(f, "        cannot be brought back: {problem}")?;
        }
        Ok(())
    }
}

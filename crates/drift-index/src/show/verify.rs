//! Whether a store is sound, all of it.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use sdd_drift::{CalibrationImages, Reference};
use sdd_index::{FileStore, Verification};
use serde::Serialize;

use crate::answer::{Answer, count, line};
use crate::describe::StoreInfo;
use crate::exit::ExitStatus;
use crate::held_out::HeldOut;
use crate::sides::Sides;
use crate::store_argument::StoreArgument;

#[derive(Serialize)]
struct Verified {
    #[serde(flatten)]
    info: StoreInfo,
    bytes: u64,
    min_norm: f64,
    max_norm: f64,
    zero_rows: usize,
    on_both_sides: usize,
    earlier_generations: Vec<u64>,
    damaged_generations: Vec<Damaged>,
}

/// A generation that is kept and cannot be brought back. Nobody is served from it.
#[derive(Serialize)]
struct Damaged {
    generation: u64,
    problem: String,
}

/// A generation all of which could be read, and the held-out images that it keeps.
fn open(store: &Path, generation: u64) -> Result<(Reference, Option<CalibrationImages>)> {
    let reference = Reference::from_store(FileStore::open_generation(store, generation)?)?;
    let images = CalibrationImages::from_store(reference.store())?;
    Ok((reference, images))
}

/// Of one generation, or of all that the store keeps.
pub fn answer(argument: &StoreArgument) -> Result<Answer> {
    let store = &argument.path;
    let not_sound = || format!("{} is not sound", store.display());
    let (generation, earlier) = if let Some(generation) = argument.generation {
        (generation, Vec::new())
    } else {
        let history = FileStore::history(store).with_context(not_sound)?;
        let opened = FileStore::open(store).with_context(not_sound)?;
        (opened.manifest().generation, history)
    };
    let (reference, images) = open(store, generation).with_context(not_sound)?;
    let (mut earlier_generations, mut damaged_generations) = (Vec::new(), Vec::new());
    for kept in earlier.into_iter().filter(|kept| !kept.is_current) {
        let generation = kept.manifest.generation;
        match open(store, generation) {
            Ok(_) => earlier_generations.push(generation),
            Err(error) => {
                damaged_generations.push(Damaged { generation, problem: format!("{error:#}") });
            }
        }
    }
    let held_out = HeldOut::of_store(images.as_ref(), reference.calibration());
    let on_both = |held_out: &HeldOut| {
        Sides::of_store(reference.store()).with_held_out(held_out).on_both().count()
    };
    let found = Verification::of(reference.store());
    let verified = Verified {
        info: StoreInfo::of_reference(store, &reference),
        bytes: found.bytes,
        min_norm: found.min_norm,
        max_norm: found.max_norm,
        zero_rows: found.zero_rows,
        on_both_sides: held_out.as_ref().map_or(0, on_both),
        earlier_generations,
        damaged_generations,
    };
    // Nothing is wrong with what is served where an earlier generation alone is damaged.
    let status = ExitStatus::done(!verified.damaged_generations.is_empty());
    Answer::new(status, &verified)
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)?;
        line(f, "norms", format_args!("{:.4} to {:.4}", self.min_norm, self.max_norm))?;
        let zeros = match self.zero_rows {
            0 => String::new(),
            rows => {
                format!("; {rows} zero vectors, which speak for a broken model if there are many")
            }
        };
        line(f, "sound", format_args!("{} bytes checked{zeros}", self.bytes))?;
        if self.on_both_sides > 0 {
            let images = count(self.on_both_sides, "held-out image");
            let mend = "`drift-index update STORE --calibrate` leaves them out";
            line(f, "both sides", format_args!("{images} in the reference, too: {mend}"))?;
        }
        if !self.earlier_generations.is_empty() {
            let kept = count(self.earlier_generations.len(), "generation");
            line(f, "earlier", format_args!("{kept} checked, too"))?;
        }
        for Damaged { generation, problem } in &self.damaged_generations {
            let dead = "is not served and cannot be brought back";
            line(f, "damaged", format_args!("generation {generation} {dead}: {problem}"))?;
        }
        if !self.damaged_generations.is_empty() {
            line(
                f,
                "",
                "what is served is sound: only who wants back what is damaged has to do something",
            )?;
        }
        Ok(())
    }
}

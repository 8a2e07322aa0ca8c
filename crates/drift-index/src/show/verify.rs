//! Whether a store is sound, all of it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

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

/// The number of the current generation.
fn current(store: &Path) -> Result<u64> {
    let opened =
        FileStore::open(store).with_context(|| format!("{} is not sound", store.display()))?;
    Ok(opened.manifest().generation)
}

fn earlier(store: &Path) -> Result<Vec<u64>> {
    let history =
        FileStore::history(store).with_context(|| format!("{} is not sound", store.display()))?;
    let earlier = history.into_iter().filter(|kept| !kept.is_current);
    Ok(earlier.map(|kept| kept.manifest.generation).collect())
}

/// A generation all of which could be read.
struct Sound {
    store: Arc<FileStore>,
    reference: Reference,
    images: Option<CalibrationImages>,
}

impl Sound {
    fn open(store: &Path, generation: u64) -> Result<Self> {
        let store = Arc::new(FileStore::open_generation(store, generation)?);
        let reference = Reference::from_store(Arc::clone(&store))?;
        let images = CalibrationImages::from_store(reference.store())?;
        Ok(Self { store, reference, images })
    }

    /// How many held-out images are in the reference, too.
    fn on_both_sides(&self) -> usize {
        let held_out = self.images.as_ref().zip(self.reference.calibration());
        held_out.map_or(0, |(images, calibration)| {
            let held_out = HeldOut::of_store(images, calibration);
            Sides::of_store(&self.store).with_held_out(&held_out).on_both().count()
        })
    }
}

/// Of one generation, or of all that the store keeps.
pub fn answer(argument: &StoreArgument) -> Result<Answer> {
    let store = &argument.path;
    let (generation, earlier) = if let Some(generation) = argument.generation {
        (generation, Vec::new())
    } else {
        let earlier = earlier(store)?;
        (current(store)?, earlier)
    };
    let sound = Sound::open(store, generation)
        .with_context(|| format!("{} is not sound", store.display()))?;
    let (mut earlier_generations, mut damaged_generations) = (Vec::new(), Vec::new());
    for generation in earlier {
        match Sound::open(store, generation) {
            Ok(_) => earlier_generations.push(generation),
            Err(error) => {
                damaged_generations.push(Damaged { generation, problem: format!("{error:#}") });
            }
        }
    }
    let found = Verification::of(&sound.store);
    let verified = Verified {
        info: StoreInfo::new(store, &sound.reference),
        bytes: found.bytes,
        min_norm: found.min_norm,
        max_norm: found.max_norm,
        zero_rows: found.zero_rows,
        on_both_sides: sound.on_both_sides(),
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
        match self.earlier_generations.len() {
            0 => {}
            kept => {
                line(f, "earlier", format_args!("{} checked, too", count(kept, "generation")))?;
            }
        }
        for Damaged { generation, problem } in &self.damaged_generations {
            let dead = "is not served and cannot be brought back";
            line(f, "damaged", format_args!("generation {generation} {dead}: {problem}"))?;
        }
        Ok(())
    }
}

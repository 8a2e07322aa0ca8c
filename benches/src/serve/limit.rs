//! What no server on this machine can exceed: decoding, preprocessing and inference alone, through
//! the same library and the same model, without HTTP, queues or threads between.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sdd_core::{Classifier, ClassifierOptions, InputReader};

use super::accounting::own_thread;
use crate::samples::Quartiles;

/// A model for each core, ready to be measured with.
pub struct Bare {
    workers: Vec<Worker>,
}

struct Worker {
    classifier: Classifier,
    reader: InputReader,
    tensor: Vec<f32>,
}

/// What one image costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Processor time, in seconds.
    pub cpu_s: f64,
    /// Median time by the clock, in seconds.
    pub wall_s: f64,
    /// The share of `wall_s` that decoding takes, and that preprocessing takes.
    pub shares: [f64; 2],
}

/// The cost of one image in two situations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// One thread works, the other cores idle.
    pub alone: Cost,
    /// All cores work at once, as in a server under load: they share caches, memory and clock rate.
    pub together: Cost,
    /// Number of cores that worked together.
    pub cores: usize,
}

impl Limit {
    /// Images a second with every core as fast as one alone: the stricter measure.
    pub fn strict(&self) -> f64 {
        self.cores as f64 / self.alone.cpu_s
    }

    /// Images a second with every core as fast as they are together.
    pub fn loaded(&self) -> f64 {
        self.cores as f64 / self.together.cpu_s
    }
}

impl Bare {
    /// Loads a model once a core and runs it once each.
    ///
    /// # Errors
    /// When the model cannot be loaded.
    pub fn open(model: &Path, cores: usize) -> Result<Self> {
        let first = Classifier::open(model, &ClassifierOptions::default())?;
        let mut classifiers =
            (1..cores).map(|_| first.fork()).collect::<sdd_core::Result<Vec<_>>>()?;
        classifiers.push(first);
        let workers = classifiers.into_iter().map(|mut classifier| {
            classifier.warm_up(1)?;
            let reader = classifier.input_reader();
            let tensor = vec![0.0; reader.tensor_len()];
            Ok(Worker { classifier, reader, tensor })
        });
        Ok(Self { workers: workers.collect::<sdd_core::Result<_>>()? })
    }

    /// Measures for `duration` alone, then for `duration` together.
    ///
    /// # Errors
    /// When an image cannot be classified.
    pub fn measure(&mut self, files: &[Vec<u8>], duration: Duration) -> Result<Limit> {
        let cores = self.workers.len();
        let alone = Cost::of(&[self.workers[0].work(files, duration)?])?;
        let together = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .workers
                .iter_mut()
                .map(|worker| scope.spawn(move || worker.work(files, duration)))
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect::<Result<Vec<_>>>()
        })?;
        Ok(Limit { alone, together: Cost::of(&together)?, cores })
    }
}

struct Work {
    cpu: Duration,
    /// Decoding, preprocessing and all of each image.
    times: Vec<[f64; 3]>,
}

impl Worker {
    fn work(&mut self, files: &[Vec<u8>], duration: Duration) -> Result<Work> {
        let mut times = Vec::new();
        let (began, cpu) = (Instant::now(), own_thread()?);
        for file in files.iter().cycle() {
            let start = Instant::now();
            if start - began >= duration && !times.is_empty() {
                break;
            }
            let read = self.reader.read(file, &mut self.tensor)?;
            let answers = self.classifier.run(&self.tensor);
            ensure!(answers.iter().all(Result::is_ok), "{answers:?}");
            let all = start.elapsed().as_secs_f64();
            times.push([read.times.decode.as_secs_f64(), read.times.preprocess.as_secs_f64(), all]);
        }
        Ok(Work { cpu: own_thread()?.saturating_sub(cpu), times })
    }
}

impl Cost {
    fn of(works: &[Work]) -> Result<Self> {
        let times = || works.iter().flat_map(|work| &work.times);
        let images = times().count() as f64;
        ensure!(images > 0.0, "no image was measured");
        let total = |step: usize| times().map(|time| time[step]).sum::<f64>();
        let cpu = works.iter().map(|work| work.cpu.as_secs_f64()).sum::<f64>();
        Ok(Self {
            cpu_s: cpu / images,
            wall_s: Quartiles::of(times().map(|time| time[2]).collect()).median,
            shares: [total(0) / total(2), total(1) / total(2)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_an_average_over_all_threads() {
        let work = |cpu_ms, all: &[f64]| Work {
            cpu: Duration::from_millis(cpu_ms),
            times: all.iter().map(|all| [all / 4.0, all / 8.0, *all]).collect(),
        };
        let cost = Cost::of(&[work(30, &[0.01, 0.03]), work(30, &[0.01])]).unwrap();
        assert!((cost.cpu_s - 0.02).abs() < 1e-12);
        assert!((cost.wall_s - 0.01).abs() < 1e-12);
        assert!((cost.shares[0] - 0.25).abs() < 1e-12 && (cost.shares[1] - 0.125).abs() < 1e-12);
        assert!(Cost::of(&[work(0, &[])]).is_err());
        let limit = Limit { alone: cost, together: Cost { cpu_s: 0.025, ..cost }, cores: 2 };
        assert!((limit.strict() - 100.0).abs() < 1e-9 && (limit.loaded() - 80.0).abs() < 1e-9);
    }
}

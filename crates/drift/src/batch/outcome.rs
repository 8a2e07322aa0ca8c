//! The tests of appearance on the two sides of a comparison.

use fastrand::Rng;
use ndarray::{Array2, s};
use sdd_index::Normalization;

use super::images::{Batch, HeldOut};
use super::options::{MAX_CLASS_IMAGES, Test};
use crate::error::{Error, Result};
use sdd_stats::two_sample::component_ks::{self, ComponentKs, Method};
use sdd_stats::two_sample::divisions::{Exchange, Stratified};
use sdd_stats::two_sample::grouped_ks;
use sdd_stats::two_sample::groups::Groups;
use sdd_stats::two_sample::kolmogorov_smirnov::KolmogorovSmirnov;
use sdd_stats::two_sample::mmd::Bandwidth;
use sdd_stats::two_sample::multiple_testing::bonferroni;
use sdd_stats::two_sample::stratified_mmd::stratified;
use sdd_stats::two_sample::{Comparison, Stratum};

/// What is compared with what.
pub(super) struct Compared<'a> {
    pub(super) held_out: &'a HeldOut<'a>,
    pub(super) batch: &'a Batch,
    pub(super) groups: Option<&'a Groups>,
    /// The drift score of each image of the batch.
    pub(super) scores: &'a [Option<f64>],
    pub(super) permutations: usize,
    pub(super) normalization: Normalization,
}

/// What a test found.
pub(super) struct Outcome {
    pub(super) p_value: f64,
    /// How, in words.
    pub(super) method: &'static str,
    /// One a stratum, adjusted for their number.
    pub(super) by_stratum: Vec<f64>,
    pub(super) components: Vec<component_ks::ComponentShift>,
}

impl Compared<'_> {
    /// The smallest p-value that so few groups can give; `None` where images are exchanged.
    pub(super) fn smallest_p_value(&self) -> Option<f64> {
        self.groups.map(|groups| groups.smallest_p_value(self.permutations))
    }

    /// Why nothing can be exchanged: not images, as they have groups, and not groups, as they are not known.
    pub(super) fn unknown_groups(&self) -> Option<&'static str> {
        let is_one_sided = self.groups.is_none() && self.held_out.have_groups();
        is_one_sided.then_some(
            "the images that the batch is compared with count by groups, and those of the batch are not known",
        )
    }

    /// The one asked for, or the best that the store allows.
    pub(super) fn deciding_test(&self, asked_for: Option<Test>) -> Result<Test> {
        let test = asked_for.unwrap_or_else(|| {
            if self.held_out.embeddings().is_some() { Test::Mmd } else { Test::Score }
        });
        match self.missing(test) {
            Some(missing) => Err(Error::TestUnavailable { test: test.name(), missing }),
            None => Ok(test),
        }
    }

    /// What the test needs and is not there.
    pub(super) fn missing(&self, test: Test) -> Option<String> {
        let rebuild = "build the store again with held-out images";
        let keeps_embeddings = self.held_out.embeddings().is_some();
        let exchanges_groups = test == Test::Mmd || (test == Test::Score && !keeps_embeddings);
        if self.groups.is_some() && !exchanges_groups {
            return Some("it takes images for independent, and those of one group are not".into());
        }
        match test {
            Test::Mmd | Test::Ks => (!keeps_embeddings).then(|| {
                format!("the store keeps the scores of its calibration images, not their embeddings; {rebuild}")
            }),
            Test::Bbsd => match (self.held_out.probabilities(), &self.batch.probabilities) {
                (None, _) => Some(format!(
                    "the store does not keep the probabilities of its held-out images; {rebuild}"
                )),
                (_, None) => Some("the probabilities of the batch are not known".into()),
                (Some(held_out), Some(batch)) if held_out.ncols() != batch.ncols() => Some(format!(
                    "the batch has probabilities of {} classes, the held-out images of {}",
                    batch.ncols(),
                    held_out.ncols()
                )),
                _ => None,
            },
            Test::Score => {
                if self.held_out.scores().is_empty() {
                    Some("the store has no calibration scores".into())
                } else {
                    let known = self.scores.iter().all(Option::is_some);
                    (!known).then(|| "some images of the batch have no score".into())
                }
            }
        }
    }

    pub(super) fn outcome(
        &self,
        test: Test,
        strata: &[Stratum],
        random: &mut Rng,
    ) -> Result<Outcome> {
        match test {
            Test::Mmd => self.mmd(strata, random),
            Test::Ks => {
                let (held_out, batch) = self.embeddings();
                let strata = &thin_out(strata, random);
                let samples = self.comparison(&held_out, &batch, strata);
                Ok(of_components(component_ks::test(&samples, random)?, strata.len()))
            }
            Test::Bbsd => {
                let held_out = self.held_out.probabilities().unwrap_or_default();
                let batch = self.batch.probabilities.clone().unwrap_or_default();
                // Of two classes one is tested, as their probabilities sum to 1.
                let tested = if batch.ncols() == 2 { 1 } else { batch.ncols() };
                let reference = held_out.slice(s![.., ..tested]);
                let current = batch.slice(s![.., ..tested]);
                let samples =
                    Comparison { reference, current, ..self.comparison(&held_out, &batch, strata) };
                Ok(of_components(component_ks::test(&samples, random)?, strata.len()))
            }
            Test::Score => match self.groups {
                Some(groups) => self.of_scores_of_groups(strata, groups, random),
                None => self.of_scores(strata),
            },
        }
    }

    fn comparison<'b>(
        &self,
        reference: &'b Array2<f32>,
        current: &'b Array2<f32>,
        strata: &'b [Stratum],
    ) -> Comparison<'b> {
        let (reference, current) = (reference.view(), current.view());
        Comparison { reference, current, strata, permutations: self.permutations }
    }

    /// Both sides as they are compared: unit vectors where the store normalizes.
    fn embeddings(&self) -> (Array2<f32>, Array2<f32>) {
        let prepare = |rows: Array2<f32>| match self.normalization {
            Normalization::L2 => unit_rows(rows),
            Normalization::None => rows,
        };
        let held_out = self.held_out.embeddings().map(|rows| rows.to_owned());
        (prepare(held_out.unwrap_or_default()), prepare(self.batch.embeddings.clone()))
    }

    fn mmd(&self, strata: &[Stratum], random: &mut Rng) -> Result<Outcome> {
        let (held_out, batch) = self.embeddings();
        let strata = match self.groups {
            Some(_) => strata.iter().map(|stratum| thin_out_together(stratum, random)).collect(),
            None => thin_out(strata, random),
        };
        let exchange = self.groups.map_or(Exchange::Images, Exchange::Groups);
        let samples = self.comparison(&held_out, &batch, &strata);
        let found = stratified(&samples, exchange, Bandwidth::PooledMedian, random)?;
        let method = self.groups.map_or("permutations within classes", |of| self.divisions(of));
        Ok(of_strata(&found, method))
    }

    /// Which divisions of the groups are compared, in words.
    fn divisions(&self, groups: &Groups) -> &'static str {
        if groups.are_all_compared(self.permutations) {
            "all divisions of whole groups"
        } else {
            "permutations of whole groups"
        }
    }

    /// Scores alone are kept, so that they are in the order of the strata's rows.
    fn of_scores_of_groups(
        &self,
        strata: &[Stratum],
        groups: &Groups,
        random: &mut Rng,
    ) -> Result<Outcome> {
        let batch: Vec<f64> = self.scores.iter().flatten().copied().collect();
        let samples = (&*self.held_out.scores(), &*batch);
        let found = grouped_ks::test(samples, strata, groups, self.permutations, random)?;
        Ok(of_strata(&found, self.divisions(groups)))
    }

    fn of_scores(&self, strata: &[Stratum]) -> Result<Outcome> {
        let held_out = self.held_out.scores();
        let classes = self.held_out.classes_of_scores();
        let batch: Vec<f64> = self.scores.iter().flatten().copied().collect();
        let test = |stratum: &Stratum| {
            // The scores have an order of their own.
            let is_of = |row: usize| match (&stratum.class, &classes) {
                (Some(class), Some(classes)) => classes[row] == class,
                _ => true,
            };
            let x: Vec<f64> =
                (0..held_out.len()).filter(|&row| is_of(row)).map(|row| held_out[row]).collect();
            let y: Vec<f64> = stratum.current.iter().map(|&row| batch[row]).collect();
            KolmogorovSmirnov::new(&x, &y)
        };
        let tests = strata.iter().map(test).collect::<sdd_stats::Result<Vec<_>>>()?;
        let p_values: Vec<f64> = tests.iter().map(KolmogorovSmirnov::p_value).collect();
        let by_stratum = bonferroni(&p_values);
        Ok(Outcome {
            p_value: by_stratum.iter().copied().fold(1.0, f64::min),
            method: if tests.iter().all(KolmogorovSmirnov::is_exact) {
                "exact given the ties, Bonferroni over the classes"
            } else {
                "limit for large samples, Bonferroni over the classes"
            },
            by_stratum,
            components: Vec::new(),
        })
    }
}

fn of_strata(found: &Stratified, method: &'static str) -> Outcome {
    let (p_value, by_stratum) = (found.p_value, bonferroni(&found.by_stratum));
    Outcome { p_value, method, by_stratum, components: Vec::new() }
}

fn of_components(found: ComponentKs, strata: usize) -> Outcome {
    let mut by_stratum = vec![1.0_f64; strata];
    for shift in &found.components {
        by_stratum[shift.stratum] = by_stratum[shift.stratum].min(shift.p_value);
    }
    Outcome {
        p_value: found.p_value,
        method: match found.method {
            Method::Exact => "exact given the ties, Bonferroni",
            Method::Permutations => "permutations within classes, largest statistic",
        },
        by_stratum,
        components: found.components,
    }
}

/// At most [`MAX_CLASS_IMAGES`] of each class and side, drawn without a look at them.
fn thin_out(strata: &[Stratum], random: &mut Rng) -> Vec<Stratum> {
    let mut thin = |rows: &[usize]| {
        let mut rows = rows.to_vec();
        if rows.len() > MAX_CLASS_IMAGES {
            random.shuffle(&mut rows);
            rows.truncate(MAX_CLASS_IMAGES);
        }
        rows
    };
    let stratum = |stratum: &Stratum| Stratum {
        class: stratum.class.clone(),
        reference: thin(&stratum.reference),
        current: thin(&stratum.current),
    };
    strata.iter().map(stratum).collect()
}

/// At most twice [`MAX_CLASS_IMAGES`] of each class, drawn without a look at their side: where groups are exchanged, one
/// that lost more of its images than others must not be known by that.
fn thin_out_together(stratum: &Stratum, random: &mut Rng) -> Stratum {
    let (n, pooled) = (stratum.reference.len(), stratum.reference.len() + stratum.current.len());
    let mut rows: Vec<usize> = (0..pooled).collect();
    if rows.len() > 2 * MAX_CLASS_IMAGES {
        random.shuffle(&mut rows);
        rows.truncate(2 * MAX_CLASS_IMAGES);
        rows.sort_unstable();
    }
    let (reference, current): (Vec<usize>, Vec<usize>) = rows.into_iter().partition(|&row| row < n);
    Stratum {
        class: stratum.class.clone(),
        reference: reference.into_iter().map(|row| stratum.reference[row]).collect(),
        current: current.into_iter().map(|row| stratum.current[row - n]).collect(),
    }
}

/// Each row divided by its length; a row of zeros stays.
#[expect(clippy::cast_possible_truncation, reason = "unit vectors are compared as float32")]
fn unit_rows(mut unit: Array2<f32>) -> Array2<f32> {
    for mut row in unit.rows_mut() {
        let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        if norm > 0.0 {
            row.mapv_inplace(|v| (f64::from(v) / norm) as f32);
        }
    }
    unit
}

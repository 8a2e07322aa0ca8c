//! Do the images of each class look as they did?

use fastrand::Rng;
use ndarray::Array2;
use sdd_index::Normalization;

use super::images::{Batch, HeldOut};
use super::report::{Appearance, ClassAppearance, Component, TestResult, Verdict, method_text};
use super::{MAX_CLASS_IMAGES, MIN_CLASS_IMAGES, MIN_IMAGES, Test, too_few_groups};
use crate::conformal::required_calibration_images;
use crate::error::{Error, Result};
use crate::two_sample::component_ks::{self, ComponentKs};
use crate::two_sample::kolmogorov_smirnov::KolmogorovSmirnov;
use crate::two_sample::mmd::Bandwidth;
use crate::two_sample::multiple_testing::bonferroni;
use crate::two_sample::stratified_mmd::{Exchange, Groups, stratified};
use crate::two_sample::{Stratum, bbsd};

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
struct Outcome {
    p_value: f64,
    method: &'static str,
    /// One a stratum, adjusted for their number.
    by_stratum: Vec<f64>,
    components: Vec<component_ks::ComponentShift>,
}

pub(super) fn judge(
    compared: &Compared<'_>,
    asked_for: Option<Test>,
    alpha: f64,
    random: &mut Rng,
) -> Result<Appearance> {
    let decides = compared.deciding_test(asked_for)?;
    let (held_out, batch) = (compared.held_out.classes(), compared.batch.classes());
    let (all, within_classes) =
        strata(held_out, batch, compared.held_out.len(), compared.batch.len());
    let (tested, untested): (Vec<Stratum>, Vec<Stratum>) = all.into_iter().partition(is_enough);
    let classes = |by_stratum: Option<&[f64]>| {
        let tested = tested.iter().enumerate();
        let tested =
            tested.map(|(i, stratum)| describe(stratum, by_stratum.map(|p| p[i]), alpha, true));
        let untested = untested.iter().map(|stratum| describe(stratum, None, alpha, false));
        let mut classes: Vec<ClassAppearance> = tested.chain(untested).collect();
        classes.sort_by(|a, b| a.class.cmp(&b.class));
        classes
    };
    let mut appearance = Appearance {
        verdict: Verdict::InsufficientData,
        reason: String::new(),
        test: decides,
        p_value: None,
        alpha,
        images_needed: 0,
        groups: compared.groups.map(Groups::counts),
        within_classes,
        classes: classes(None),
        tests: Vec::new(),
        components: Vec::new(),
    };
    let shortage =
        shortage(&tested, &untested).or_else(|| shortage_of_groups(compared.groups?, alpha));
    if let Some((reason, needed)) = shortage {
        appearance.reason = reason;
        appearance.images_needed = needed;
        return Ok(appearance);
    }
    let deciding = compared.outcome(decides, &tested, random)?;
    appearance.classes = classes(Some(&deciding.by_stratum));
    appearance.p_value = Some(deciding.p_value);
    appearance.verdict =
        if deciding.p_value <= alpha { Verdict::Drifting } else { Verdict::Stable };
    let mut outcomes = vec![(decides, deciding)];
    for test in Test::ALL {
        if test != decides && compared.missing(test).is_none() {
            outcomes.push((test, compared.outcome(test, &tested, random)?));
        }
    }
    for (test, outcome) in outcomes {
        let Outcome { p_value, method, components, .. } = outcome;
        appearance.tests.push(TestResult { test, p_value, method });
        if test == Test::Ks {
            let changed = components.iter().filter(|shift| shift.p_value <= alpha);
            appearance.components = changed
                .map(|shift| Component {
                    component: shift.component,
                    class: tested[shift.stratum].class.clone(),
                    statistic: shift.statistic,
                    p_value: shift.p_value,
                })
                .collect();
        }
    }
    appearance.reason = reason(&appearance);
    Ok(appearance)
}

/// The rows of both sides by class, where both know theirs.
fn strata(
    held_out: Option<Vec<&str>>,
    batch: Option<Vec<&str>>,
    n: usize,
    m: usize,
) -> (Vec<Stratum>, bool) {
    match (held_out, batch) {
        (Some(held_out), Some(batch)) => (Stratum::by_class(&held_out, &batch), true),
        _ => (vec![Stratum::all(n, m)], false),
    }
}

fn is_enough(stratum: &Stratum) -> bool {
    stratum.reference.len().min(stratum.current.len()) >= MIN_CLASS_IMAGES
}

fn describe(stratum: &Stratum, p_value: Option<f64>, alpha: f64, tested: bool) -> ClassAppearance {
    ClassAppearance {
        class: stratum.class.clone(),
        held_out_images: stratum.reference.len(),
        images: stratum.current.len(),
        tested,
        p_value,
        stands_out: p_value.is_some_and(|p| p <= alpha),
    }
}

/// Why the images are too few, and how many more it takes; `None` if they are enough.
fn shortage(tested: &[Stratum], untested: &[Stratum]) -> Option<(String, usize)> {
    let sum = |strata: &[Stratum], of: fn(&Stratum) -> usize| strata.iter().map(of).sum::<usize>();
    let (held_out, current) = (|s: &Stratum| s.reference.len(), |s: &Stratum| s.current.len());
    let all = |of| sum(tested, of) + sum(untested, of);
    if all(held_out) < MIN_IMAGES {
        let reason = format!(
            "the store has {} held-out images: at least {MIN_IMAGES} are needed to compare with; build it \
             again with more",
            all(held_out)
        );
        return Some((reason, 0));
    }
    if all(current) < MIN_IMAGES {
        let found = all(current);
        let needed = MIN_IMAGES - found;
        let reason = format!(
            "the batch has {found} images: at least {MIN_IMAGES} are needed, {needed} more"
        );
        return Some((reason, needed));
    }
    if sum(tested, current).min(sum(tested, held_out)) < MIN_IMAGES {
        let needed = MIN_IMAGES.saturating_sub(sum(tested, current));
        let reason = format!(
            "a class is compared from {MIN_CLASS_IMAGES} held-out images and {MIN_CLASS_IMAGES} of the batch \
             on, and {MIN_IMAGES} of each are needed in such classes: there are {} and {}",
            sum(tested, held_out),
            sum(tested, current),
        );
        return Some((reason, needed));
    }
    None
}

/// The same for groups: in how many ways they can be divided bounds the p-value.
fn shortage_of_groups(groups: &Groups, alpha: f64) -> Option<(String, usize)> {
    let [held_out, batch] = groups.counts();
    if !too_few_groups(held_out, batch, alpha) {
        return None;
    }
    // C(a + b, b) is a + b at least, so that 1/α groups are enough.
    let most = required_calibration_images(alpha) + 1;
    let mut more = batch..most;
    let needed = more.find(|&more| !too_few_groups(held_out, more, alpha)).unwrap_or(most);
    let reason = format!(
        "the batch is of {batch} and the held-out images of {held_out} groups: of at least {needed} the batch \
         must be for an alarm to be possible",
    );
    Some((reason, 0))
}

fn reason(appearance: &Appearance) -> String {
    let (test, alpha) = (appearance.test, appearance.alpha);
    let p_value = appearance.p_value.unwrap_or(1.0);
    if appearance.verdict != Verdict::Drifting {
        return format!(
            "no difference that these images could show ({test}, p {p_value:.4} > {alpha})"
        );
    }
    let among: Vec<&str> = appearance
        .classes
        .iter()
        .filter(|class| class.stands_out)
        .filter_map(|class| class.class.as_deref())
        .collect();
    let among =
        if among.is_empty() { String::new() } else { format!(" of {}", among.join(" and of ")) };
    let within = if appearance.within_classes { "of the same class" } else { "of any class" };
    format!(
        "the images{among} differ from the held-out ones {within} ({test}, p {p_value:.4} ≤ {alpha})"
    )
}

impl Compared<'_> {
    fn deciding_test(&self, asked_for: Option<Test>) -> Result<Test> {
        let test = asked_for.unwrap_or_else(|| {
            if self.held_out.embeddings().is_some() { Test::Mmd } else { Test::Score }
        });
        match self.missing(test) {
            Some(missing) => Err(Error::TestUnavailable { test: test.name(), missing }),
            None => Ok(test),
        }
    }

    /// What the test needs and is not there.
    fn missing(&self, test: Test) -> Option<String> {
        let rebuild = "build the store again with its calibration images";
        if test != Test::Mmd && self.groups.is_some() {
            return Some("it takes images for independent, and those of one group are not".into());
        }
        match test {
            Test::Mmd | Test::Ks => self.held_out.embeddings().is_none().then(|| {
                format!("the store keeps the scores of its held-out images, not their embeddings; {rebuild}")
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

    fn outcome(&self, test: Test, strata: &[Stratum], random: &mut Rng) -> Result<Outcome> {
        match test {
            Test::Mmd => self.mmd(strata, random),
            Test::Ks => {
                let (held_out, batch) = self.embeddings();
                let views = (held_out.view(), batch.view());
                let found =
                    component_ks::test(views.0, views.1, strata, self.permutations, random)?;
                Ok(of_components(found, strata.len()))
            }
            Test::Bbsd => {
                let held_out = self.held_out.probabilities().unwrap_or_default();
                let batch = self.batch.probabilities.clone().unwrap_or_default();
                let views = (held_out.view(), batch.view());
                let found = bbsd::test(views.0, views.1, strata, self.permutations, random)?;
                Ok(of_components(found, strata.len()))
            }
            Test::Score => self.of_scores(strata),
        }
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
        let strata: Vec<Stratum> = strata.iter().map(|stratum| thin_out(stratum, random)).collect();
        let exchange = self.groups.map_or(Exchange::Images, Exchange::Groups);
        let found = stratified(
            held_out.view(),
            batch.view(),
            &strata,
            exchange,
            Bandwidth::PooledMedian,
            self.permutations,
            random,
        )?;
        let p_values: Vec<f64> = found.strata.iter().map(|stratum| stratum.p_value).collect();
        Ok(Outcome {
            p_value: found.p_value,
            method: match exchange {
                Exchange::Images => "permutations within classes",
                Exchange::Groups(_) => "permutations of whole groups",
            },
            by_stratum: bonferroni(&p_values),
            components: Vec::new(),
        })
    }

    fn of_scores(&self, strata: &[Stratum]) -> Result<Outcome> {
        let held_out = self.held_out.scores();
        let classes = self.held_out.classes_of_scores();
        let batch: Vec<f64> = self.scores.iter().flatten().copied().collect();
        let p_value = |stratum: &Stratum| {
            // The scores have an order of their own.
            let is_of = |row: usize| match (&stratum.class, &classes) {
                (Some(class), Some(classes)) => classes[row] == class,
                _ => true,
            };
            let x: Vec<f64> =
                (0..held_out.len()).filter(|&row| is_of(row)).map(|row| held_out[row]).collect();
            let y: Vec<f64> = stratum.current.iter().map(|&row| batch[row]).collect();
            Ok(KolmogorovSmirnov::new(&x, &y)?.p_value())
        };
        let p_values = strata.iter().map(p_value).collect::<Result<Vec<f64>>>()?;
        let by_stratum = bonferroni(&p_values);
        Ok(Outcome {
            p_value: by_stratum.iter().copied().fold(1.0, f64::min),
            method: "exact given the ties, Bonferroni over the classes",
            by_stratum,
            components: Vec::new(),
        })
    }
}

fn of_components(found: ComponentKs, strata: usize) -> Outcome {
    let mut by_stratum = vec![1.0_f64; strata];
    for shift in &found.components {
        by_stratum[shift.stratum] = by_stratum[shift.stratum].min(shift.p_value);
    }
    Outcome {
        p_value: found.p_value,
        method: method_text(found.method),
        by_stratum,
        components: found.components,
    }
}

/// At most [`MAX_CLASS_IMAGES`] of each side, drawn without a look at them.
fn thin_out(stratum: &Stratum, random: &mut Rng) -> Stratum {
    let mut thin = |rows: &[usize]| {
        let mut rows = rows.to_vec();
        if rows.len() > MAX_CLASS_IMAGES {
            random.shuffle(&mut rows);
            rows.truncate(MAX_CLASS_IMAGES);
        }
        rows
    };
    Stratum {
        class: stratum.class.clone(),
        reference: thin(&stratum.reference),
        current: thin(&stratum.current),
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

//! Figure 4: the alarms of `drift-index check` over drawn batches, with and without drift.

mod classifier;
mod embeddings;
mod parts;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use sdd_drift::batch::{Batch, BatchReport, Options, Status, Test, check};
use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, CalibrationEntry, CalibrationSource};
use sdd_drift::calibration_images::{CalibrationImage, CalibrationImages};
use sdd_drift::score::SCORE_ATTACHMENT;
use sdd_drift::{Calibration, Query, Reference, Score};
use sdd_index::{FileStore, Normalization, Record, StoreContents};
use sdd_stats::two_sample::divisions::Exchange;
use sdd_stats::two_sample::mmd::Bandwidth;
use sdd_stats::two_sample::stratified_mmd::stratified;
use sdd_stats::two_sample::{Comparison, Stratum};

use self::embeddings::{Change, DIMENSION, Network};
use super::Section;
use super::parallel::{Estimate, simulate};

const SEED: u64 = 4;
const ALPHA: f64 = 0.05;
/// Of the reference, of the held-out images and of a batch.
const IMAGES: usize = 100;
/// The share of them with a defect, where nothing is changed.
const DEFECTS: f64 = 0.2;
const NULL_TRIALS: u64 = 2000;
const TRIALS: u64 = 400;

/// Measures, and judges by the bounds that are promised.
pub fn measure() -> Result<Section> {
    let mut section = Section::new("4. A batch against the held-out images");
    let network = Network::new(SEED);
    section.paragraph(&format!(
        "`drift-index check` with its defaults (α = 5 %, 999 permutations). Each trial draws a reference, held-out \
         images and a batch of {IMAGES} images each, 20 % of them with a defect on average, and builds a store. An \
         embedding is {DIMENSION} features behind a rectifier of 12 normal factors and noise, half of all values 0; \
         the classes differ in all factors; the model takes 2 % of the images for the other class. The drift moves \
         three factors by the given share of their standard deviation, or widens all; the classifier looks at two of the three, which favors `bbsd`."
    ));
    alarms(&mut section, &network)?;
    parts::alarms(&mut section, &network)?;
    power(&mut section, &network)?;
    classifier_against_mmd(&mut section, &network)?;
    Ok(section)
}

/// Without drift, and where the mix alone is another.
fn alarms(section: &mut Section, network: &Network) -> Result<()> {
    let mut rows = Vec::new();
    for (name, defects, trials) in [
        ("none", DEFECTS, NULL_TRIALS),
        ("mix: 50 % defects", 0.5, NULL_TRIALS / 2),
        ("mix: 80 % defects", 0.8, NULL_TRIALS / 2),
    ] {
        let reports = reports(network, defects, Change::default(), trials)?;
        let [all, appearance, mix] = shares(&reports);
        let met = if name == "none" {
            section.at_most("alarms without drift", all.mean, 0.06)
        } else {
            section.at_most(
                "alarms on the appearance where the mix alone changed",
                appearance.mean,
                0.05,
            )
        };
        rows.push([
            name.to_owned(),
            percent(all),
            percent(appearance),
            percent(mix),
            met.to_owned(),
        ]);
    }
    let header = [
        "drift",
        "alarm",
        "appearance",
        "class mix",
        "at most 6 % without drift, 5 % on appearance",
    ];
    section.table(header, &rows);
    Ok(())
}

/// Where the images of all classes look another way.
fn power(section: &mut Section, network: &Network) -> Result<()> {
    section.paragraph(&format!(
        "Alarms by the test that decides on the appearance, at α/2 as in `check`, which leaves the other half to the \
         mix; {TRIALS} trials. `mmd` is the default."
    ));
    let shift = |shift| Change { shift, ..Change::default() };
    let changes = [
        ("no", Change::default()),
        ("shift by 0.25", shift(0.25)),
        ("shift by 0.5", shift(0.5)),
        ("shift by 0.75", shift(0.75)),
        ("shift by 1", shift(1.0)),
        ("30 % wider", Change { spread: 0.3, ..Change::default() }),
    ];
    let mut rows = Vec::new();
    for (name, change) in changes {
        let reports = reports(network, DEFECTS, change, TRIALS)?;
        let found = |test: Test| {
            let detects = |report: &BatchReport| {
                let results = report.appearance.tests.iter();
                results.filter(|result| result.test == test).any(|r| r.p_value <= ALPHA / 2.0)
            };
            share(&reports, detects)
        };
        if change.shift > 0.99 {
            section.at_least(
                "alarms at a shift by one standard deviation",
                found(Test::Mmd).mean,
                0.95,
            );
        }
        let [mmd, ks, bbsd, score] = Test::ALL.map(|test| percent(found(test)));
        rows.push([name.to_owned(), mmd, ks, bbsd, score]);
    }
    section.table(["drift", "mmd", "ks", "bbsd", "score"], &rows);
    Ok(())
}

/// Whether the classifier two-sample test would earn its place.
fn classifier_against_mmd(section: &mut Section, network: &Network) -> Result<()> {
    section.paragraph(
        "Why there is no classifier two-sample test: a ridge classifier trained on half of the images and tested on \
         the other half, against `mmd` on the same images of one class, both at 5 %.",
    );
    let mut rows = Vec::new();
    for shift in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let trial = |random: &mut Rng| -> sdd_drift::Result<[bool; 2]> {
            let mut good =
                |shift| network.draw(random, IMAGES, 0.0, Change { shift, spread: 0.0 }).embeddings;
            let (held_out, batch) = (good(0.0), good(shift));
            let (reference, current) = (held_out.view(), batch.view());
            let all = [Stratum::all(IMAGES, IMAGES)];
            let samples = Comparison { reference, current, strata: &all, permutations: 199 };
            let mmd = stratified(&samples, Exchange::Images, Bandwidth::PooledMedian, random)?;
            let classifier = classifier::p_value(reference, current, 199, random);
            Ok([mmd.p_value <= ALPHA, classifier <= ALPHA])
        };
        let found =
            simulate(SEED, TRIALS, trial).into_iter().collect::<sdd_drift::Result<Vec<_>>>()?;
        let of = |test: usize| Estimate::of_share(found.iter().map(|alarm| alarm[test]));
        rows.push([format!("{shift}"), percent(of(0)), percent(of(1))]);
    }
    section.table(["shift", "mmd", "classifier"], &rows);
    Ok(())
}

/// The reports of this many trials.
fn reports(
    network: &Network,
    defects: f64,
    change: Change,
    trials: u64,
) -> Result<Vec<BatchReport>> {
    let trial = |random: &mut Rng| {
        let reference = reference(network, random)?;
        let batch = network.draw(random, IMAGES, defects, change);
        let options = Options { seed: random.u64(..), strangest: 0, ..Options::default() };
        Ok(check(&reference, &batch, &options)?)
    };
    simulate(SEED, trials, trial).into_iter().collect()
}

/// A store as `drift-index build` makes it: a reference, and held-out images with their scores.
fn reference(network: &Network, random: &mut Rng) -> Result<Reference> {
    let held_out = network.draw(random, IMAGES, DEFECTS, Change::default());
    reference_with(network, held_out, random)
}

fn reference_with(network: &Network, held_out: Batch, random: &mut Rng) -> Result<Reference> {
    let known = network.draw(random, IMAGES, DEFECTS, Change::default());
    let folder = tempfile::tempdir()?;
    let score = Score::default();
    let classes = known.predicted_classes.unwrap_or_default().into_iter().enumerate();
    let record = |(row, class): (usize, String)| Record { id: row.to_string(), label: Some(class) };
    let mut contents = StoreContents {
        model: None,
        normalization: Normalization::L2,
        records: classes.map(record).collect(),
        embeddings: known.embeddings,
        attachments: BTreeMap::from([(SCORE_ATTACHMENT.to_owned(), score.to_json())]),
    };
    FileStore::write(folder.path(), &contents)?;
    let uncalibrated = Reference::uncalibrated(FileStore::open(folder.path())?, score)?;
    let (entries, images) = calibrate(&uncalibrated, held_out)?;
    let source = CalibrationSource::Embeddings;
    let calibration = Calibration::new(score, ALPHA, entries, None, source)?;
    contents.attachments.insert(CALIBRATION_ATTACHMENT.to_owned(), calibration.to_json());
    for (name, bytes) in images.to_attachments() {
        contents.attachments.insert(name.to_owned(), bytes);
    }
    FileStore::write(folder.path(), &contents)?;
    Ok(Reference::from_store(FileStore::open(folder.path())?)?)
}

fn calibrate(
    reference: &Reference,
    held_out: Batch,
) -> Result<(Vec<CalibrationEntry>, CalibrationImages)> {
    let Batch { embeddings, predicted_classes, probabilities, .. } = held_out;
    let probabilities = probabilities.context("drawn with probabilities")?;
    let (mut entries, mut images) = (Vec::new(), Vec::new());
    for (row, class) in predicted_classes.unwrap_or_default().into_iter().enumerate() {
        let embedding = embeddings.row(row).to_vec();
        let score = reference.assess(&Query::new(&embedding).of_class(&class), 0)?.score;
        let predicted_class = Some(class);
        entries.push(CalibrationEntry {
            score,
            predicted_class: predicted_class.clone(),
            ..CalibrationEntry::default()
        });
        images.push(CalibrationImage {
            id: row.to_string(),
            predicted_class,
            label: None,
            probabilities: Some(probabilities.row(row).to_vec()),
            ..CalibrationImage::default()
        });
    }
    let classes = vec!["defect".to_owned(), "good".to_owned()];
    Ok((entries, CalibrationImages::new(embeddings, classes, images)?))
}

/// The shares of any alarm, of one on the appearance, and of one on the mix.
fn shares(reports: &[BatchReport]) -> [Estimate; 3] {
    [
        share(reports, |report| report.verdict == Status::Drifting),
        share(reports, |report| report.appearance.verdict == Status::Drifting),
        share(reports, |report| report.class_mix.verdict == Status::Drifting),
    ]
}

fn share(reports: &[BatchReport], of: impl Fn(&BatchReport) -> bool) -> Estimate {
    Estimate::of_share(reports.iter().map(of))
}

fn percent(estimate: Estimate) -> String {
    format!("{:.1} ± {:.1} %", 100.0 * estimate.mean, 100.0 * estimate.standard_error)
}

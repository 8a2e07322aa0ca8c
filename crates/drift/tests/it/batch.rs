//! How often a batch raises an alarm, over many drawn batches: without drift, with a changed mix alone, and
//! with a changed appearance.

use ndarray::Array2;
use sdd_drift::batch::{Batch, BatchGroups, BatchReport, Options, Status, Test, check};
use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, CalibrationEntry, CalibrationSource};
use sdd_drift::calibration_images::{CalibrationImage, CalibrationImages};
use sdd_drift::{Calibration, Reference, Score};
use sdd_index::{FileStore, Normalization, Record, StoreContents};

use crate::support::{Random, folder, store};

const DIMENSION: usize = 12;

/// As after a rectifier: half of the values of class `a` are 0, fewer of class `b`. One image in fifty is taken for
/// the other class.
struct Images {
    embeddings: Array2<f32>,
    predicted: Vec<String>,
}

fn draw(random: &mut Random, a: usize, b: usize, shift: f32) -> Images {
    let mut embeddings = random.normal_matrix(a + b, DIMENSION);
    let mut predicted = Vec::new();
    for (row, mut values) in embeddings.rows_mut().into_iter().enumerate() {
        let is_b = row >= a;
        for (component, value) in values.iter_mut().enumerate() {
            let class = if is_b && component % 2 == 0 { 1.5 } else { 0.0 };
            let moved = if component < 3 { shift } else { 0.0 };
            *value = (*value + class + moved).max(0.0);
        }
        let mistaken = random.uniform() < 0.02;
        predicted.push(if is_b == mistaken { "a" } else { "b" }.to_owned());
    }
    Images { embeddings, predicted }
}

/// A new store and a new batch.
fn trial(random: &mut Random, a: usize, b: usize, shift: f32, seed: u64) -> BatchReport {
    let held_out = draw(random, 40, 20, 0.0);
    let image = |(row, class): (usize, &String)| CalibrationImage {
        id: row.to_string(),
        predicted_class: Some(class.clone()),
        label: None,
        probabilities: None,
        ..CalibrationImage::default()
    };
    let images = held_out.predicted.iter().enumerate().map(image).collect();
    let images = CalibrationImages::new(held_out.embeddings, Vec::new(), images).unwrap();
    let folder = folder();
    let rows = draw(random, 40, 20, 0.0).embeddings;
    let at = folder.path();
    let [embeddings, document] = images.to_attachments();
    let entry = |(row, image): (usize, &CalibrationImage)| CalibrationEntry {
        score: row as f64,
        predicted_class: image.predicted_class.clone(),
        ..CalibrationEntry::default()
    };
    let entries = images.images().iter().enumerate().map(entry).collect();
    let score = Score::default();
    let calibration =
        Calibration::new(score, 0.05, entries, None, CalibrationSource::Embeddings).unwrap();
    let attachments = [embeddings, document, (CALIBRATION_ATTACHMENT, calibration.to_json())];
    let store = store(at, rows, Normalization::L2, &[], &attachments);
    let reference = Reference::from_store(Box::new(store)).unwrap();
    let Images { embeddings, predicted } = draw(random, a, b, shift);
    let batch = Batch {
        names: None,
        embeddings,
        predicted_classes: Some(predicted),
        probabilities: None,
        groups: None,
    };
    let options = Options { permutations: 199, seed, ..Options::default() };
    check(&reference, &batch, &options).unwrap()
}

fn count(trials: u64, a: usize, b: usize, shift: f32, alarm: fn(&BatchReport) -> bool) -> usize {
    let mut random = Random::new(31);
    (0..trials).filter(|&seed| alarm(&trial(&mut random, a, b, shift, seed))).count()
}

/// The default is 5 % at most: of 200, 10 are to be expected, and more than 20 come by chance once in 700.
#[test]
fn false_alarms_are_as_rare_as_asked_for() {
    let alarms = count(200, 40, 20, 0.0, |report| report.verdict == Status::Drifting);
    assert!((1..=20).contains(&alarms), "{alarms} of 200");
}

#[test]
fn a_changed_mix_alone_is_seen_as_that_and_not_as_a_changed_appearance() {
    let of_mix = |report: &BatchReport| report.class_mix.verdict == Status::Drifting;
    assert!(count(20, 10, 50, 0.0, of_mix) >= 19);
    // At half the level: of 200, 5 are to be expected.
    let of_appearance = |report: &BatchReport| report.appearance.verdict == Status::Drifting;
    let alarms = count(200, 10, 50, 0.0, of_appearance);
    assert!(alarms <= 13, "{alarms} of 200");
}

/// Of unit vectors all components change when some do; those that were moved change most.
#[test]
fn a_changed_appearance_is_found_with_the_components_that_changed() {
    let found = |report: &BatchReport| {
        report.appearance.verdict == Status::Drifting
            && report.appearance.components.first().is_some_and(|shift| shift.component < 3)
    };
    assert!(count(20, 40, 20, 1.5, found) >= 18);
}

const PARTS: usize = 20;
const IMAGES_OF_A_PART: usize = 6;

/// Parts that are held out, and the others as the batch. Of 20 parts 12 are of a common class, and two each of four
/// rare ones.
fn trial_of_parts(random: &mut Random, seed: u64) -> BatchReport {
    let mut parts: Vec<usize> = (0..PARTS).collect();
    for last in (1..PARTS).rev() {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        parts.swap(last, (random.uniform() * (last as f64 + 1.0)) as usize);
    }
    let class = |part: usize| if part < 12 { "common" } else { ["a", "b", "c", "d"][part % 4] };
    let mut draw = |parts: &[usize]| {
        let mut rows = random.normal_matrix(parts.len() * IMAGES_OF_A_PART, 4);
        let levels = random.normal_matrix(parts.len(), 4);
        for (row, mut values) in rows.rows_mut().into_iter().enumerate() {
            // Parts differ by more than the images of one.
            values.scaled_add(3.0, &levels.row(row / IMAGES_OF_A_PART));
        }
        let of_rows = parts.iter().flat_map(|part| [*part; IMAGES_OF_A_PART]);
        let classes = of_rows.clone().map(|part| class(part).to_owned()).collect::<Vec<_>>();
        (rows, classes, of_rows.map(|part| part.to_string()).collect::<Vec<_>>())
    };
    let (held_out, now) = parts.split_at(PARTS / 2);
    let ((rows, classes, held_out), (embeddings, predicted, now)) = (draw(held_out), draw(now));
    let image = |(row, class): (usize, String)| CalibrationImage {
        id: row.to_string(),
        predicted_class: Some(class),
        label: None,
        probabilities: None,
        ..CalibrationImage::default()
    };
    let images = classes.into_iter().enumerate().map(image).collect();
    let images = CalibrationImages::new(rows, Vec::new(), images).unwrap().to_attachments();
    let store = FileStore::in_memory(&StoreContents {
        model: None,
        normalization: Normalization::None,
        embeddings: Array2::zeros((1, 4)),
        records: vec![Record { id: "x".into(), label: None }],
        attachments: images.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect(),
    });
    let reference = Reference::from_store(Box::new(store.unwrap())).unwrap();
    let batch = Batch {
        names: None,
        embeddings,
        predicted_classes: Some(predicted),
        probabilities: None,
        groups: Some(BatchGroups { held_out, batch: now }),
    };
    let options =
        Options { permutations: 99, seed, class_mix: false, strangest: 0, ..Options::default() };
    check(&reference, &batch, &options).unwrap()
}

/// Where classes were chosen by their images on either side, a rare class whose two parts are on two sides counted in
/// the observed division and seldom in others: 18 % alarms at 5 %.
#[test]
fn classes_of_few_parts_raise_no_more_alarms_than_asked_for() {
    let mut random = Random::new(17);
    let mut alarm =
        |seed: &u64| trial_of_parts(&mut random, *seed).appearance.verdict == Status::Drifting;
    let alarms = (0..400).filter(|seed| alarm(seed)).count();
    // Of 400, 20 at most are to be expected, with a standard deviation of 4.4.
    assert!((2..=36).contains(&alarms), "{alarms} of 400");
}

/// Probabilities of two classes sum to 1: to test both would be to adjust for a test that says the same once more.
#[test]
fn of_two_probabilities_one_is_tested() {
    let image = |row: u8| CalibrationImage {
        id: row.to_string(),
        predicted_class: Some("a".into()),
        probabilities: Some(vec![f32::from(row) / 100.0, 1.0 - f32::from(row) / 100.0]),
        ..CalibrationImage::default()
    };
    let (held_out, now): (Vec<_>, Vec<_>) =
        ((0..20).map(image).collect(), (60..80).map(image).collect());
    let classes = vec!["a".into(), "b".into()];
    let rows = Random::new(3).normal_matrix(20, 4);
    let images = CalibrationImages::new(rows.clone(), classes, held_out).unwrap();
    let folder = folder();
    let attachments = images.to_attachments();
    let store = store(folder.path(), rows.clone(), Normalization::None, &[], &attachments);
    let probabilities: Vec<f32> =
        now.iter().flat_map(|image| image.probabilities.clone().unwrap()).collect();
    let batch = Batch {
        names: None,
        embeddings: rows,
        predicted_classes: Some(vec!["a".into(); 20]),
        probabilities: Some(Array2::from_shape_vec((20, 2), probabilities).unwrap()),
        groups: None,
    };
    let options = Options { test: Some(Test::Bbsd), permutations: 99, ..Options::default() };
    let report = check(&Reference::from_store(Box::new(store)).unwrap(), &batch, &options).unwrap();
    // 2 of the C(40, 20) arrangements are apart altogether.
    let expected = 2.0 / 137_846_528_820.0;
    assert!((report.appearance.p_value.unwrap() / expected - 1.0).abs() < 1e-9, "{report:?}");
}

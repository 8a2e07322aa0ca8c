//! The promise: of good images, a share alpha at most is called out of distribution.

use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, CalibrationEntry, CalibrationSource};
use sdd_drift::{Calibration, PValueKind, PValueWithin, Query};
use sdd_drift::{Reference, Score, ScoreMethod, VerdictRule};
use sdd_index::Normalization;
use sdd_stats::conformal::PValues;

use crate::support::{Random, folder, store};

const DIMENSION: usize = 8;
const REFERENCES: u64 = 4;
const CALIBRATIONS: usize = 150;
const HELD_OUT: usize = 99;
const QUERIES: usize = 50;

fn scores(reference: &Reference, random: &mut Random, count: usize) -> Vec<f64> {
    let queries = random.normal_matrix(count, DIMENSION);
    let score = |row: ndarray::ArrayView1<'_, f32>| {
        reference.assess(&Query::new(&row.to_vec()), 0).unwrap().score
    };
    queries.rows().into_iter().map(score).collect()
}

#[test]
fn the_share_of_false_alarms_is_alpha() {
    let alphas = [0.01, 0.05, 0.10];
    for method in [ScoreMethod::Knn, ScoreMethod::MeanL1] {
        let mut alarms = [0_u32; 3];
        for seed in 0..REFERENCES {
            let mut random = Random::new(seed);
            let folder = folder();
            let rows = random.normal_matrix(60, DIMENSION);
            let store = store(folder.path(), rows, Normalization::L2, &[], &[]);
            let score = Score::new(method, 5).unwrap();
            let reference = Reference::uncalibrated(Box::new(store), score).unwrap();
            for _ in 0..CALIBRATIONS {
                let held_out = scores(&reference, &mut random, HELD_OUT);
                let calibration = PValues::of_images(held_out, PValueKind::Marginal).unwrap();
                for score in scores(&reference, &mut random, QUERIES) {
                    let p_value = calibration.p_value(score);
                    for (alarms, alpha) in alarms.iter_mut().zip(alphas) {
                        *alarms += u32::from(p_value <= alpha);
                    }
                }
            }
        }
        let trials = f64::from(u32::try_from(CALIBRATIONS).unwrap()) * REFERENCES as f64;
        for (alarms, alpha) in alarms.into_iter().zip(alphas) {
            let share = f64::from(alarms) / (trials * QUERIES as f64);
            // With n + 1 = 100 the expectation is alpha itself. Within one calibration the rate has
            // the variance of Beta(alpha·100, 100 − alpha·100).
            let spread = alpha * (1.0 - alpha);
            let variance = spread / (HELD_OUT as f64 + 2.0) + spread / QUERIES as f64;
            let error = (variance / trials).sqrt();
            assert!((share - alpha).abs() < 4.0 * error, "{method} {alpha}: {share} ± {error}");
        }
    }
}

#[test]
fn each_class_has_its_own_share_of_false_alarms() {
    // The rare class is far stranger: judged by all images it would alarm nearly always.
    let mut random = Random::new(12);
    let rule = VerdictRule { within: PValueWithin::PredictedClass, ..VerdictRule::marginal(0.05) };
    let mut draw = |class: &str| random.uniform() + if class == "rare" { 10.0 } else { 0.0 };
    let (mut alarms, mut asked) = (0, 0);
    for _ in 0..200 {
        let entries = (0..300).map(|i| {
            let class = if i % 10 == 0 { "rare" } else { "common" };
            CalibrationEntry {
                score: draw(class),
                predicted_class: Some(class.into()),
                ..CalibrationEntry::default()
            }
        });
        let (entries, source) = (entries.collect(), CalibrationSource::Embeddings);
        let calibration =
            Calibration::with_rule(Score::default(), rule, entries, None, source).unwrap();
        for _ in 0..50 {
            let verdict = calibration.judge(draw("rare"), Some("rare")).unwrap();
            alarms += u32::from(verdict.out_of_distribution);
            asked += 1;
        }
    }
    // 30 images of the class: ⌊0.05 · 31⌋/31 = 1/31 of false alarms, Beta(1, 30) from set to set.
    let (share, expected) = (f64::from(alarms) / f64::from(asked), 1.0_f64 / 31.0);
    let spread = expected * (1.0 - expected);
    let error = ((spread / 32.0 + spread / 50.0) / 200.0).sqrt();
    assert!((share - expected).abs() < 4.0 * error, "{share}");
}

#[test]
fn another_distribution_is_found_through_the_store() {
    let mut random = Random::new(1);
    let folder = folder();
    let rows = random.normal_matrix(60, DIMENSION);
    let score = Score::default();
    let reference = {
        let store = store(folder.path(), rows.clone(), Normalization::None, &[], &[]);
        Reference::uncalibrated(Box::new(store), score).unwrap()
    };
    let entry = |score| CalibrationEntry { score, ..CalibrationEntry::default() };
    let entries = scores(&reference, &mut random, 199).into_iter().map(entry).collect();
    let calibration =
        Calibration::new(score, 0.05, entries, None, CalibrationSource::Embeddings).unwrap();
    let attachment = (CALIBRATION_ATTACHMENT, calibration.to_json());
    let store = store(folder.path(), rows, Normalization::None, &[], &[attachment]);
    let reference = Reference::from_store(Box::new(store)).unwrap();

    let mut share_out = |shift: f32| {
        let queries = random.normal_matrix(200, DIMENSION) + shift;
        let is_out = |row: ndarray::ArrayView1<'_, f32>| {
            reference.assess(&Query::new(&row.to_vec()), 0).unwrap().out_of_distribution.unwrap()
        };
        queries.rows().into_iter().filter(|row| is_out(row.view())).count() as f64 / 200.0
    };
    assert!(share_out(0.0) < 0.12);
    assert!(share_out(2.0) > 0.9);
}

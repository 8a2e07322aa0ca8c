//! `Reference` over stores on disk.

use std::sync::Arc;

use ndarray::{Array2, array};
use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, CalibrationEntry, CalibrationSource};
use sdd_drift::score::SCORE_ATTACHMENT;
use sdd_drift::{Calibration, Error, Query, Reference, Score, ScoreMethod};
use sdd_drift::{PValueKind, PValueWithin, Unavailable, VerdictRule};
use sdd_index::{FileStore, ModelIdentity, Normalization, Record, StoreContents};

use crate::support::{Random, folder, store};

fn six() -> Array2<f32> {
    array![[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 10.0], [1.0, 10.0], [5.0, 10.0]]
}

const CLASSES: [&str; 6] = ["low", "low", "low", "high", "high", "high"];

fn reference(method: ScoreMethod, k: usize) -> Reference {
    let folder = folder();
    let store = store(folder.path(), six(), Normalization::None, &CLASSES, &[]);
    Reference::uncalibrated(Box::new(store), Score::new(method, k).unwrap()).unwrap()
}

fn query<'a>(embedding: &'a [f32], class: &'a str) -> Query<'a> {
    Query::new(embedding).of_class(class)
}

fn score_of(method: ScoreMethod, k: usize, embedding: [f32; 2], class: &str) -> f64 {
    reference(method, k).assess(&query(&embedding, class), 0).unwrap().score
}

#[test]
fn it_can_be_shared_between_threads() {
    fn assert_shareable<T: Send + Sync + 'static>() {}
    assert_shareable::<Reference>();
}

#[test]
fn each_score_is_what_it_says() {
    let low = [0.0, 0.0];
    assert_eq!(score_of(ScoreMethod::Knn, 1, low, "high"), 0.0);
    assert_eq!(score_of(ScoreMethod::Knn, 3, low, "high"), 2.0);
    assert_eq!(score_of(ScoreMethod::KnnSameClass, 1, low, "high"), 10.0);
    assert_eq!(score_of(ScoreMethod::KnnSameClass, 1, low, "low"), 0.0);
    assert_eq!(score_of(ScoreMethod::MeanL1, 1, low, "high"), (3.0 + 36.0) / 6.0);
    assert_eq!(score_of(ScoreMethod::MeanL1SameClass, 1, low, "high"), 12.0);
    assert_eq!(score_of(ScoreMethod::MeanL1SameClass, 1, low, "low"), 1.0);
}

/// Enough rows and queries that they are searched together.
#[test]
fn scores_of_many_are_those_of_each() {
    let folder = folder();
    let mut random = Random::new(5);
    let rows = random.normal_matrix(3000, 64);
    let classes: Vec<&str> = (0..3000).map(|row| ["a", "b", "c"][row / 1400]).collect();
    let store = Arc::new(store(folder.path(), rows, Normalization::L2, &classes, &[]));
    let embeddings = random.normal_matrix(100, 64);
    let mut queries: Vec<Query> = embeddings
        .outer_iter()
        .enumerate()
        .map(|(row, values)| query(values.to_slice().unwrap(), ["a", "b", "nowhere"][row % 3]))
        .collect();
    let (nan, short) = ([f32::NAN; 64], [1.0; 3]);
    let (shorter, longer) = ([1.0; 63], [1.0; 65]);
    for method in ScoreMethod::ALL {
        let score = Score::new(method, 3).unwrap();
        let reference = Reference::uncalibrated(Arc::clone(&store), score).unwrap();
        let compare = |queries: &[Query]| {
            let alone = queries.iter().map(|query| {
                reference.assess(query, 0).map(|it| it.score).map_err(|error| error.to_string())
            });
            let together = reference.scores(queries).into_iter();
            let together = together.map(|score| score.map_err(|error| error.to_string()));
            assert_eq!(together.collect::<Vec<_>>(), alone.collect::<Vec<_>>(), "{method}");
            for neighbors in [0, 1, 7] {
                let words = |assessed: sdd_drift::Result<_>| assessed.map_err(|e| e.to_string());
                let alone = queries.iter().map(|query| words(reference.assess(query, neighbors)));
                let together = reference.assess_each(queries, neighbors).into_iter().map(words);
                assert_eq!(together.collect::<Vec<_>>(), alone.collect::<Vec<_>>(), "{method}");
            }
        };
        compare(&queries);
        queries.extend([query(&shorter, "a"), query(&longer, "a")]);
        compare(&queries);
        queries.truncate(100);
        queries.push(query(&nan, "a"));
        queries.push(query(&short, "a"));
        queries.push(Query::new(&nan[..0]));
        compare(&queries);
        queries.truncate(100);
    }
}

/// A list of generations, and all commands that make another one, have no use for a covariance.
#[test]
fn what_is_attached_is_read_without_fitting_anything() {
    let folder = folder();
    let score = Score::new(ScoreMethod::Mahalanobis, 1).unwrap();
    let attached = [(SCORE_ATTACHMENT, score.to_json())];
    let store = store(folder.path(), six(), Normalization::None, &["low"; 6], &attached);
    assert_eq!(sdd_drift::reference::score_and_calibration(&store).unwrap(), (score, None));
    let fitted = Reference::from_store(Box::new(store)).unwrap_err();
    assert!(matches!(fitted, Error::TooFewClasses { .. }), "{fitted}");
}

#[test]
fn k_is_at_most_the_number_of_images() {
    let farthest = score_of(ScoreMethod::Knn, 6, [0.0, 0.0], "low");
    assert_eq!(score_of(ScoreMethod::Knn, 1000, [0.0, 0.0], "low"), farthest);
    assert_eq!(score_of(ScoreMethod::KnnSameClass, usize::MAX, [0.0, 0.0], "low"), 2.0);
}

#[test]
fn neighbors_are_of_any_class_and_as_many_as_asked_for() {
    for method in ScoreMethod::ALL {
        let reference = reference(method, 2);
        let found = reference.assess(&query(&[0.0, 9.0], "low"), 2).unwrap();
        let described: Vec<_> = found
            .neighbors
            .iter()
            .map(|image| (&*image.id, image.label.as_deref(), image.distance))
            .collect();
        assert_eq!(described[0], ("3", Some("high"), 1.0), "{method}");
        assert_eq!(described[1], ("4", Some("high"), 2.0_f64.sqrt()), "{method}");
        assert_eq!(described.len(), 2);
        assert_eq!(reference.assess(&query(&[0.0, 9.0], "low"), 0).unwrap().neighbors, []);
        assert_eq!(
            reference.assess(&query(&[0.0, 9.0], "low"), usize::MAX).unwrap().neighbors.len(),
            6
        );
    }
}

#[test]
fn without_a_calibration_there_is_a_score_and_no_verdict() {
    let found = reference(ScoreMethod::Knn, 1).assess(&query(&[0.0, 0.0], "low"), 1).unwrap();
    assert_eq!((found.p_value, found.threshold, found.out_of_distribution), (None, None, None));
    assert_eq!(found.unavailable, Some(Unavailable::NoCalibration));
}

#[test]
fn what_cannot_be_compared_is_refused() {
    for method in ScoreMethod::ALL {
        let reference = reference(method, 1);
        let code =
            |embedding: &[f32]| reference.assess(&query(embedding, "low"), 1).unwrap_err().code();
        assert_eq!(code(&[]), "wrong_dimension");
        assert_eq!(code(&[1.0, 2.0, 3.0]), "wrong_dimension");
        assert_eq!(code(&[1.0, f32::NAN]), "not_finite");
        assert_eq!(code(&[f32::NEG_INFINITY, 1.0]), "not_finite");
    }
    let code = |method| {
        reference(method, 1)
            .assess(&query(&[f32::MAX, f32::MAX], "low"), 1)
            .map_err(|error| error.code())
    };
    assert_eq!(code(ScoreMethod::Knn), Err("reference_store"));
}

#[test]
fn class_wise_scores_need_a_class_that_the_reference_has() {
    for method in [ScoreMethod::KnnSameClass, ScoreMethod::MeanL1SameClass] {
        let reference = reference(method, 1);
        let error = reference.assess(&query(&[0.0, 0.0], "middle"), 1).unwrap_err();
        assert!(matches!(error, Error::ClassWithoutReference { .. }));
        let message = error.to_string();
        assert!(message.contains("`middle`") && message.contains("high"), "{message}");
        let error = reference.assess(&Query::new(&[0.0, 0.0]), 1).unwrap_err();
        assert!(matches!(error, Error::ClassRequired { .. }));
    }
    let knn = reference(ScoreMethod::Knn, 1);
    assert!(knn.assess(&query(&[0.0, 0.0], "middle"), 1).is_ok());
    assert!(knn.assess(&Query::new(&[0.0, 0.0]), 1).is_ok());
}

#[test]
fn a_zero_embedding_has_a_score() {
    let folder = folder();
    let store = store(folder.path(), six(), Normalization::L2, &CLASSES, &[]);
    let reference = Reference::uncalibrated(Box::new(store), Score::default()).unwrap();
    let found = reference.assess(&query(&[0.0, 0.0], "low"), 6).unwrap();
    assert_eq!(found.score, 1.0);
    assert_eq!(found.neighbors[0].distance, 0.0);
}

#[test]
fn the_mahalanobis_distance_needs_two_classes() {
    let folder = folder();
    let open = |labels: &[&str]| {
        let store = store(folder.path(), six(), Normalization::L2, labels, &[]);
        let score = Score::new(ScoreMethod::Mahalanobis, 1).unwrap();
        Reference::uncalibrated(Box::new(store), score).map(drop).map_err(|error| error.code())
    };
    assert_eq!(open(&[]), Err("too_few_classes"));
    assert_eq!(open(&["low"; 6]), Err("too_few_classes"));
    assert_eq!(open(&CLASSES), Ok(()));
    // The images without a class are left out.
    assert_eq!(open(&CLASSES[..4]), Ok(()));
}

#[test]
fn within_the_predicted_class_each_has_its_threshold_or_none() {
    let folder = folder();
    let score = Score::new(ScoreMethod::Knn, 1).unwrap();
    let entry = |i: u32| CalibrationEntry {
        score: f64::from(i),
        predicted_class: Some(if i <= 19 { "low" } else { "high" }.into()),
        ..CalibrationEntry::default()
    };
    let rule = VerdictRule {
        alpha: 0.05,
        p_value: PValueKind::Marginal,
        within: PValueWithin::PredictedClass,
    };
    let entries = (1..=25).map(entry).collect();
    let calibration =
        Calibration::with_rule(score, rule, entries, None, CalibrationSource::Directory).unwrap();
    let attachment = (CALIBRATION_ATTACHMENT, calibration.to_json());
    store(folder.path(), six(), Normalization::None, &CLASSES, &[attachment]);
    let reference = Reference::open(folder.path()).unwrap();

    let judged = reference.assess(&query(&[-19.5, 0.0], "low"), 0).unwrap();
    assert_eq!((judged.p_value, judged.threshold), (Some(0.05), Some(19.0)));
    assert_eq!((judged.out_of_distribution, judged.unavailable), (Some(true), None));
    let unknown = reference.assess(&query(&[-19.5, 0.0], "high"), 0).unwrap();
    assert_eq!(unknown.score, judged.score);
    let verdict = (unknown.p_value, unknown.threshold, unknown.out_of_distribution);
    assert_eq!(verdict, (None, None, None));
    let too_few =
        Unavailable::NotEnoughCalibrationImages { class: "high".into(), images: 6, required: 19 };
    assert_eq!(unknown.unavailable, Some(too_few));
    let unknown = reference.assess(&Query::new(&[0.0, 0.0]), 0).unwrap();
    assert_eq!(unknown.unavailable, Some(Unavailable::ClassNotGiven));
}

#[test]
fn the_shipped_store_opens_and_is_marginal() {
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/reference");
    let reference = Reference::open(&shipped).unwrap();
    let calibration = reference.calibration().unwrap();
    assert_eq!(*calibration.rule(), VerdictRule::marginal(0.05));
    let stored = reference.store().attachment(CALIBRATION_ATTACHMENT).unwrap();
    assert_eq!(calibration.to_json(), stored, "written again, the very same bytes");
}

fn calibration(score: Score) -> Calibration {
    let entry = |i: u32| CalibrationEntry {
        score: f64::from(i),
        label: Some("low".into()),
        ..CalibrationEntry::default()
    };
    let entries = (1..=19).map(entry).collect();
    Calibration::new(score, 0.05, entries, None, CalibrationSource::Directory).unwrap()
}

#[test]
fn the_verdict_follows_the_calibration() {
    let folder = folder();
    let score = Score::new(ScoreMethod::Knn, 1).unwrap();
    let attachment = (CALIBRATION_ATTACHMENT, calibration(score).to_json());
    store(folder.path(), six(), Normalization::None, &CLASSES, &[attachment]);
    let reference = Reference::open(folder.path()).unwrap();
    assert_eq!(reference.score(), score);
    // The nearest image is at distance 19, the largest calibration score, and then just beyond.
    let inside = reference.assess(&query(&[-19.0, 0.0], "low"), 0).unwrap();
    assert_eq!((inside.score, inside.p_value), (19.0, Some(0.1)));
    assert_eq!((inside.threshold, inside.out_of_distribution), (Some(19.0), Some(false)));
    let outside = reference.assess(&query(&[-19.5, 0.0], "low"), 0).unwrap();
    assert_eq!((outside.p_value, outside.out_of_distribution), (Some(0.05), Some(true)));
}

#[test]
fn score_and_calibration_of_a_store_must_agree() {
    let open = |attachments: &[(&str, Vec<u8>)]| {
        let folder = folder();
        let store = store(folder.path(), six(), Normalization::None, &CLASSES, attachments);
        Reference::from_store(Box::new(store))
    };
    let (three, four) =
        (Score::new(ScoreMethod::Knn, 3).unwrap(), Score::new(ScoreMethod::Knn, 4).unwrap());
    let stated = (SCORE_ATTACHMENT, three.to_json());
    let matching = (CALIBRATION_ATTACHMENT, calibration(three).to_json());
    let other = (CALIBRATION_ATTACHMENT, calibration(four).to_json());
    assert_eq!(open(&[]).unwrap().score(), Score::default());
    assert_eq!(open(std::slice::from_ref(&stated)).unwrap().score(), three);
    assert!(open(&[stated.clone(), matching]).unwrap().calibration().is_some());
    let message = open(&[stated, other]).unwrap_err().to_string();
    assert!(message.contains("k = 3") && message.contains("k = 4"), "{message}");
    let garbage = (CALIBRATION_ATTACHMENT, b"{}".to_vec());
    assert_eq!(open(&[garbage]).unwrap_err().code(), "unreadable_attachment");
}

fn identity(name: &str, version: &str, digits: &str) -> ModelIdentity {
    let sha256 = digits.repeat(64 / digits.len());
    ModelIdentity { name: name.into(), version: version.into(), sha256 }
}

#[test]
fn another_model_is_refused_and_both_are_named() {
    let folder = folder();
    let contents = StoreContents {
        model: Some(identity("lite", "1.0", "ab")),
        normalization: Normalization::L2,
        embeddings: array![[1.0, 2.0]],
        records: vec![Record { id: "a".into(), label: None }],
        attachments: std::collections::BTreeMap::default(),
    };
    FileStore::write(folder.path(), &contents).unwrap();
    let reference = Reference::open(folder.path()).unwrap();
    assert!(reference.check_model(&identity("renamed", "2.0", "AB"), 2).is_ok());
    let error = reference.check_model(&identity("vgg", "2.0", "cd"), 512).unwrap_err();
    assert_eq!(error.code(), "model_mismatch");
    let message = error.to_string();
    let (built_with, in_use) = ("ab".repeat(32), "cd".repeat(32));
    for part in ["`lite` 1.0", &built_with, "`vgg` 2.0", &in_use, "512", "drift-index build"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let error = reference.check_model(&identity("lite", "1.0", "ab"), 3).unwrap_err();
    assert_eq!(error.code(), "wrong_dimension");
}

#[test]
fn a_store_without_a_model_takes_any_of_its_dimension() {
    let reference = reference(ScoreMethod::Knn, 1);
    assert_eq!(reference.model(), None);
    let any = identity("any", "1", "0");
    assert!(reference.check_model(&any, 2).is_ok());
    assert_eq!(reference.check_model(&any, 3).unwrap_err().code(), "wrong_dimension");
}

#[test]
fn a_folder_without_a_store_is_an_error() {
    assert_eq!(Reference::open(folder().path()).unwrap_err().code(), "reference_store");
}

//! Reference stores of the small model.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;
use sdd_core::{Classifier, ClassifierOptions};
use sdd_drift::calibration::{CalibrationEntry, CalibrationSource};
use sdd_drift::{Calibration, PValueWithin, Query, Reference, Score, VerdictRule};
use sdd_index::{FileStore, ModelIdentity, Normalization, Record, StoreContents};

use crate::monitor::varied;
use crate::server::{data, picture};

/// What the reference holds: with a label that is not the file's own name.
pub const IMAGES: [(&str, &str); 6] = [
    ("png_rgb.png", "non_defect"),
    ("jpeg_rgb_444.jpg", "non_defect"),
    ("jpeg_gray.jpg", "non_defect"),
    ("bmp_rgb.bmp", "defect"),
    ("tiff_rgb.tiff", "defect"),
    ("webp_lossless.webp", "defect"),
];

const CALIBRATION: [&str; 4] = ["bmp_gray.bmp", "png_gray.png", "tiff_gray.tiff", "png_rgba.png"];

/// Pictures that are nearly one of these, of each of them.
const NEARLY: u64 = 10;

/// Writes a calibrated store of the small model's embeddings; `sha256` names another model.
pub fn write(directory: &Path, sha256: Option<&str>) {
    write_with(directory, &data("tiny.onnx"), sha256, VerdictRule::marginal(0.25));
}

/// Writes a store that is calibrated with 40 images, enough for a verdict over time.
pub fn write_for_monitor(directory: &Path) {
    let like = |name: &&'static str| {
        let name = *name;
        (0..NEARLY).map(move |seed| varied(&picture(name), 1 << 40 | seed))
    };
    let calibration: Vec<Vec<u8>> = CALIBRATION.iter().flat_map(like).collect();
    let rule = VerdictRule::marginal(0.05);
    write_calibrated(directory, &data("tiny.onnx"), None, rule, &calibration);
}

/// Writes a calibrated store of a model's embeddings.
pub fn write_for(directory: &Path, model: &Path) {
    write_with(directory, model, None, VerdictRule::marginal(0.25));
}

/// Writes a store that judges each predicted class by its own images, of which `defect` alone has any.
pub fn write_by_class(directory: &Path) {
    let within = PValueWithin::PredictedClass;
    let rule = VerdictRule { within, ..VerdictRule::marginal(0.25) };
    write_with(directory, &data("tiny.onnx"), None, rule);
}

fn write_with(directory: &Path, model: &Path, sha256: Option<&str>, rule: VerdictRule) {
    let calibration = CALIBRATION.map(picture);
    write_calibrated(directory, model, sha256, rule, &calibration);
}

fn write_calibrated(
    directory: &Path,
    model: &Path,
    sha256: Option<&str>,
    rule: VerdictRule,
    calibration: &[Vec<u8>],
) {
    let mut classifier = Classifier::open(model, &ClassifierOptions::default()).unwrap();
    let identity = ModelIdentity {
        name: "tiny-of-the-store".into(),
        version: "7".into(),
        sha256: sha256.unwrap_or(classifier.sha256()).into(),
    };
    let mut embed = |image: &[u8]| classifier.classify(image).unwrap().embedding;
    let rows: Vec<f32> = IMAGES.iter().flat_map(|(name, _)| embed(&picture(name))).collect();
    let record =
        |(id, label): &(&str, &str)| Record { id: (*id).into(), label: Some((*label).into()) };
    let mut contents = StoreContents {
        model: Some(identity),
        normalization: Normalization::L2,
        embeddings: Array2::from_shape_vec((IMAGES.len(), 16), rows).unwrap(),
        records: IMAGES.iter().map(record).collect(),
        attachments: BTreeMap::new(),
    };
    FileStore::write(directory, &contents).unwrap();

    let store = FileStore::open(directory).unwrap();
    let reference = Reference::uncalibrated(store, Score::default()).unwrap();
    let entry = |image: &Vec<u8>| CalibrationEntry {
        score: reference.assess(&Query::new(&embed(image)), 0).unwrap().score,
        predicted_class: Some("defect".into()),
        label: Some("defect".into()),
        ..CalibrationEntry::default()
    };
    let entries = calibration.iter().map(entry).collect();
    let source = CalibrationSource::Directory;
    let calibration =
        Calibration::with_rule(Score::default(), rule, entries, None, source).unwrap();
    contents.attachments.insert("calibration.json".into(), calibration.to_json());
    FileStore::write(directory, &contents).unwrap();
}

//! Drawn images, drawn numbers, stores and the program itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use ndarray::{Array2, ArrayView1, Axis};
use sdd_index::{FileStore, Filter, Normalization, Record, ReferenceStore, StoreContents};
use serde_json::Value;
use tempfile::TempDir;

/// The tiny model of sdd-core's tests: input 24 x 32, embeddings of 16 values, labels `defect` and
/// `non_defect`, random weights.
pub fn tiny_model() -> PathBuf {
    model("tiny.onnx")
}

pub fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data").join(name)
}

/// What the program said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| {
            panic!("{error}\nstdout: {}\nstderr: {}", self.out, self.err);
        })
    }

    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the program ends by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drift-index"));
    command.current_dir(folder).env_remove("SDD_LOG");
    command
}

/// Runs the program in `folder` with `arguments` separated by spaces; `MODEL` is the tiny model.
pub fn run(folder: &Path, arguments: &str) -> Said {
    let model = tiny_model();
    let arguments = arguments.split_whitespace();
    let arguments = arguments.map(|argument| match argument {
        "MODEL" => model.as_os_str(),
        other => other.as_ref(),
    });
    command(folder).args(arguments).output().unwrap().into()
}

/// A folder that is gone after the test.
pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A gray, grainy surface; every seed draws another one.
pub fn surface(seed: u64) -> RgbImage {
    let mut random = Random::new(seed);
    let light = 110.0 + 30.0 * random.uniform();
    RgbImage::from_fn(48, 64, |x, _| {
        let value = light + 0.3 * f64::from(x) + 12.0 * random.uniform();
        Rgb([gray(value); 3])
    })
}

/// The same in less light.
pub fn dark_surface(seed: u64) -> RgbImage {
    let mut image = surface(seed);
    image.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value / 2));
    image
}

/// Something else entirely.
pub fn stripes(seed: u64) -> RgbImage {
    let width = 3 + u32::try_from(seed % 5).unwrap();
    let colors = [[255, 30, 0], [0, 80, 255]];
    RgbImage::from_fn(48, 64, |x, y| Rgb(colors[usize::from((x + y) / width % 2 == 0)]))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn gray(value: f64) -> u8 {
    value as u8
}

/// Writes `image` where no folder need be yet.
pub fn save(image: &RgbImage, path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// `count` surfaces in each of `classes`, in `folder/parts`; of class c and number n in `c/n.png`.
pub fn parts(folder: &Path, classes: &[&str], count: u64) {
    for class in classes {
        let first = 10_000 * class.bytes().map(u64::from).sum::<u64>();
        for number in 0..count {
            let path = folder.join("parts").join(class).join(format!("{number:03}.png"));
            save(&surface(first + number), &path);
        }
    }
}

/// A store of `rows` with ids `0`, `1`, … and these labels, or none if there are no labels.
pub fn store(
    folder: &Path,
    rows: Array2<f32>,
    normalization: Normalization,
    labels: &[&str],
    attachments: &[(&str, Vec<u8>)],
) -> FileStore {
    let record = |row: usize| Record {
        id: row.to_string(),
        label: labels.get(row).map(|&label| label.to_owned()),
    };
    let attachments = attachments.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone()));
    let contents = StoreContents {
        model: None,
        normalization,
        records: (0..rows.nrows()).map(record).collect(),
        embeddings: rows,
        attachments: attachments.collect::<BTreeMap<_, _>>(),
    };
    FileStore::write(folder, &contents).unwrap();
    FileStore::open(folder).unwrap()
}

/// What a store was written from, with those of its attachments that `keep` names.
pub fn contents_of(store: &FileStore, keep: impl Fn(&str) -> bool) -> StoreContents {
    let rows = store.embeddings(Filter::All).unwrap();
    let label = |row: ArrayView1<'_, f32>| {
        let found = store.search(row.insert_axis(Axis(0)), 1, Filter::All).unwrap();
        found[0][0].label.as_deref().map(str::to_owned)
    };
    let record = |(row, values)| Record { id: format!("{row}"), label: label(values) };
    let manifest = store.manifest();
    let names = manifest.attachments.keys().filter(|name| keep(name));
    let attachment = |name: &String| (name.clone(), store.attachment(name).unwrap().to_vec());
    StoreContents {
        model: manifest.model.clone(),
        normalization: manifest.normalization,
        records: rows.rows().into_iter().enumerate().map(record).collect(),
        attachments: names.map(attachment).collect(),
        embeddings: rows,
    }
}

/// Writes `values` as `numpy.save` does.
pub fn save_npy(values: &Array2<f32>, path: &Path) {
    let shape = values.dim();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape:?}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}

/// `SplitMix64`: the same numbers for a seed for ever, which a crate does not promise.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform in [0, 1).
    #[allow(clippy::cast_precision_loss)]
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    #[allow(clippy::cast_possible_truncation)]
    pub fn normal_matrix(&mut self, rows: usize, columns: usize) -> Array2<f32> {
        Array2::from_shape_simple_fn((rows, columns), || self.normal() as f32)
    }
}

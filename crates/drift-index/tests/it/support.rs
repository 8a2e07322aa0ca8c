//! Drawn images, matrices, stores and the program itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{Rgb, RgbImage};
use ndarray::{Array2, ArrayView1, Axis};
use sdd_index::{FileStore, Filter, Record, StoreContents};
use serde_json::Value;

#[path = "../../../drift/tests/it/support.rs"]
mod library;
pub use library::{Random, folder, store};

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

/// Surfaces of a part are alike, and those of no two parts.
pub fn images_of_parts(folder: &Path, name: &str, parts: std::ops::Range<u64>) {
    for part in parts {
        let light = u8::try_from(20 * (part % 7)).unwrap();
        for number in 0..6 {
            let mut image = surface(100 * part + number);
            image.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|v| v.saturating_sub(light)));
            save(&image, &folder.join(format!("{name}/part{part}_{number}.png")));
        }
    }
}

/// What a store was written from, with those of its attachments that `keep` names.
pub fn contents_of(store: &FileStore, keep: impl Fn(&str) -> bool) -> StoreContents {
    let rows = store.embeddings(Filter::All);
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

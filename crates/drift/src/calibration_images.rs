//! What a reference store remembers of its held-out images beyond their scores: the embeddings, predicted
//! classes and probabilities that a batch of new images is compared with.
//!
//! A batch must not be compared with the reference itself: the embeddings of images that a network was
//! trained on lie closer together than those of any new image, and every batch would differ from them.
//!
//! Two attachments hold them: a matrix that `numpy.load` reads, and a JSON document with a line for each
//! of its rows. A store without held-out images has neither.

use ndarray::{Array2, ArrayView2};
use sdd_index::FileStore;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::npy;
use crate::properties::Properties;

/// Name of the store's attachment with the embeddings: float32, n x D, as the model made them.
pub const CALIBRATION_EMBEDDINGS_ATTACHMENT: &str = "calibration-embeddings.npy";

/// Name of the store's attachment with what is known of each row.
pub const CALIBRATION_IMAGES_ATTACHMENT: &str = "calibration-images.json";

const FORMAT_VERSION: u32 = 1;

/// The held-out images of a store.
///
/// A value of this type is consistent: as many rows as images, finite values, and probabilities for every
/// image, one for each of `classes`, or for none.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationImages {
    embeddings: Array2<f32>,
    classes: Vec<String>,
    images: Vec<CalibrationImage>,
}

/// One held-out image.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CalibrationImage {
    /// Its id, for images their path.
    pub id: String,
    /// The class that the model predicted, where there was a model.
    pub predicted_class: Option<String>,
    /// The class that it is of by its folder.
    pub label: Option<String>,
    /// The probability of each of the model's classes, where there was a model.
    pub probabilities: Option<Vec<f32>>,
    /// What its picture is like, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Properties>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format_version: u32,
    dimension: usize,
    classes: Vec<String>,
    images: Vec<CalibrationImage>,
}

impl CalibrationImages {
    /// `embeddings` is n x D as the model made them, `images` says what each row is, and `classes` names
    /// the probabilities, where there are any.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCalibration`] for what is not consistent.
    pub fn new(
        embeddings: Array2<f32>,
        classes: Vec<String>,
        images: Vec<CalibrationImage>,
    ) -> Result<Self> {
        if embeddings.nrows() != images.len() || images.is_empty() {
            let expected = format!("{} images, one a row, and at least one,", embeddings.nrows());
            return Err(contradiction("images".into(), expected, images.len().to_string()));
        }
        if let Some(position) = embeddings.iter().position(|value| !value.is_finite()) {
            let row = position / embeddings.ncols();
            let field = format!("embeddings[{row}]");
            return Err(contradiction(field, "finite numbers".into(), "another".into()));
        }
        let with_probabilities = images[0].probabilities.is_some();
        for (row, image) in images.iter().enumerate() {
            let field = || format!("images[{row}].probabilities");
            match &image.probabilities {
                Some(found) if with_probabilities => {
                    let shares = found.iter().all(|p| (0.0..=1.0).contains(p));
                    if found.len() != classes.len() || !shares {
                        let expected = format!("{} numbers of 0 to 1", classes.len());
                        return Err(contradiction(field(), expected, format!("{found:?}")));
                    }
                }
                None if !with_probabilities => {}
                _ => {
                    let expected = "probabilities of all images or of none".into();
                    return Err(contradiction(field(), expected, "some".into()));
                }
            }
        }
        // Row after row, as they are written; nothing is copied where they are so already.
        let embeddings = if embeddings.is_standard_layout() {
            embeddings
        } else {
            embeddings.as_standard_layout().into_owned()
        };
        Ok(Self { embeddings, classes, images })
    }

    /// The embeddings, n x D, as the model made them.
    #[must_use]
    pub fn embeddings(&self) -> ArrayView2<'_, f32> {
        self.embeddings.view()
    }

    /// What each row is.
    #[must_use]
    pub fn images(&self) -> &[CalibrationImage] {
        &self.images
    }

    /// The classes that [`CalibrationImage::probabilities`] are of, in that order.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The probabilities, n x C, where there are any.
    #[must_use]
    pub fn probabilities(&self) -> Option<Array2<f32>> {
        let values: Option<Vec<&[f32]>> =
            self.images.iter().map(|image| image.probabilities.as_deref()).collect();
        Array2::from_shape_vec((self.images.len(), self.classes.len()), values?.concat()).ok()
    }

    /// As attachments of a store, with their names.
    #[must_use]
    pub fn to_attachments(&self) -> [(&'static str, Vec<u8>); 2] {
        let mut matrix = npy::header_of_rows(self.embeddings.dim());
        matrix.extend(self.embeddings.iter().flat_map(|value| value.to_le_bytes()));
        let document = crate::document::write(&Document {
            format_version: FORMAT_VERSION,
            dimension: self.embeddings.ncols(),
            classes: self.classes.clone(),
            images: self.images.clone(),
        });
        [(CALIBRATION_EMBEDDINGS_ATTACHMENT, matrix), (CALIBRATION_IMAGES_ATTACHMENT, document)]
    }

    /// The held-out images of a store; `None` for a store that keeps none.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableAttachment`], [`Error::UnsupportedVersion`], and [`Error::InvalidCalibration`]
    /// for anything that contradicts the rest.
    pub fn from_store(store: &FileStore) -> Result<Option<Self>> {
        let matrix = store.attachment(CALIBRATION_EMBEDDINGS_ATTACHMENT);
        let Some(json) = store.attachment(CALIBRATION_IMAGES_ATTACHMENT) else { return Ok(None) };
        let document: Document =
            crate::document::read(json, CALIBRATION_IMAGES_ATTACHMENT, FORMAT_VERSION)?;
        let Document { dimension, classes, images, .. } = document;
        if dimension != store.dimension() {
            let expected = format!("{}, the dimension of the store,", store.dimension());
            return Err(contradiction("dimension".into(), expected, dimension.to_string()));
        }
        let embeddings = read_matrix(matrix.unwrap_or_default(), (images.len(), dimension))?;
        Self::new(embeddings, classes, images).map(Some)
    }
}

/// The matrix of this shape, which the file must be of: its header is compared, not interpreted.
fn read_matrix(file: &[u8], shape: (usize, usize)) -> Result<Array2<f32>> {
    let refuse = |expected: String| {
        let found = format!("a file of {} bytes", file.len());
        contradiction(CALIBRATION_EMBEDDINGS_ATTACHMENT.into(), expected, found)
    };
    let described = || format!("a float32 matrix of {} x {}", shape.0, shape.1);
    let values =
        file.strip_prefix(&*npy::header_of_rows(shape)).ok_or_else(|| refuse(described()))?;
    let (numbers, rest) = values.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(refuse(described()));
    }
    let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    Array2::from_shape_vec(shape, numbers).map_err(|_| refuse(described()))
}

fn contradiction(field: String, expected: String, found: String) -> Error {
    Error::InvalidCalibration { field, expected, found }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::array;
    use sdd_index::{Normalization, Record, StoreContents};

    use super::*;

    fn image(id: &str, probabilities: Option<Vec<f32>>) -> CalibrationImage {
        let predicted_class = Some("good".into());
        CalibrationImage {
            id: id.into(),
            predicted_class,
            probabilities,
            ..CalibrationImage::default()
        }
    }

    fn images() -> CalibrationImages {
        let rows = array![[1.0, -0.1], [0.3, 4e-9]];
        let rows_of = [image("a.png", Some(vec![0.1, 0.9])), image("b.png", Some(vec![0.7, 0.3]))];
        CalibrationImages::new(rows, vec!["bad".into(), "good".into()], rows_of.into()).unwrap()
    }

    fn read(attachments: &[(&str, Vec<u8>)]) -> Result<Option<CalibrationImages>> {
        let folder = tempfile::tempdir().unwrap();
        let attachments = attachments.iter().map(|(name, bytes)| ((*name).into(), bytes.clone()));
        let contents = StoreContents {
            model: None,
            normalization: Normalization::L2,
            embeddings: array![[1.0, 0.0]],
            records: vec![Record { id: "x".into(), label: None }],
            attachments: attachments.collect::<BTreeMap<_, _>>(),
        };
        let path = folder.path().join("store");
        FileStore::write(&path, &contents).unwrap();
        CalibrationImages::from_store(&FileStore::open(&path).unwrap())
    }

    #[test]
    fn every_bit_is_read_back() {
        assert_eq!(read(&images().to_attachments()).unwrap(), Some(images()));
        assert_eq!(images().probabilities().unwrap(), array![[0.1, 0.9], [0.7, 0.3]]);
        assert_eq!(read(&[]).unwrap(), None);
    }

    #[test]
    fn what_is_cut_or_does_not_fit_is_an_error_and_never_a_panic() {
        let [(matrix_name, matrix), (images_name, json)] = images().to_attachments();
        for end in 0..matrix.len() {
            let cut = [(matrix_name, matrix[..end].to_vec()), (images_name, json.clone())];
            assert_eq!(read(&cut).unwrap_err().code(), "invalid_calibration", "{end} bytes");
        }
        for end in (0..json.len() - 2).step_by(7) {
            let cut = [(matrix_name, matrix.clone()), (images_name, json[..end].to_vec())];
            assert_eq!(read(&cut).unwrap_err().code(), "unreadable_attachment", "{end} bytes");
        }
        assert_eq!(read(&[(images_name, json)]).unwrap_err().code(), "invalid_calibration");
    }

    #[test]
    fn contradictions_are_refused() {
        let refused = |rows: Array2<f32>, images: Vec<CalibrationImage>| {
            let classes = vec!["bad".into(), "good".into()];
            CalibrationImages::new(rows, classes, images).unwrap_err().to_string()
        };
        let rows = array![[1.0], [2.0]];
        let both = |a, b| vec![image("a", a), image("b", b)];
        let half = Some(vec![0.5, 0.5]);
        assert!(refused(rows.clone(), vec![image("a", None)]).contains("`images`"));
        assert!(refused(rows.clone(), both(half.clone(), None)).contains("images[1]"));
        assert!(refused(rows.clone(), both(Some(vec![1.0]), half.clone())).contains("images[0]"));
        assert!(refused(rows, both(half, Some(vec![2.0, 0.0]))).contains("images[1]"));
        assert!(refused(array![[1.0], [f32::NAN]], both(None, None)).contains("embeddings[1]"));
        assert!(refused(Array2::zeros((0, 1)), Vec::new()).contains("at least one"));
    }
}

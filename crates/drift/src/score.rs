//! The drift scores by name: how far is an embedding from the reference? Larger is stranger.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Name of the store's attachment that says which score the reference is for.
pub const SCORE_ATTACHMENT: &str = "score.json";

const FORMAT_VERSION: u32 = 1;

/// How an embedding is compared with the reference.
///
/// With `φ` the query's embedding and `x_1 … x_N` the reference's:
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = DriftMethod))]
#[serde(rename_all = "kebab-case")]
pub enum ScoreMethod {
    /// `knn`: `‖z − z_(k)‖₂`, the Euclidean distance to the k-th nearest reference embedding. On a
    /// store that normalizes, `z = φ/‖φ‖₂`: Sun, Ming, Zhu, Li, “Out-of-distribution detection with
    /// deep nearest neighbors”, ICML 2022.
    #[default]
    Knn,
    /// `knn-same-class`: the same among the reference embeddings of the predicted class.
    KnnSameClass,
    /// `mean-l1`: `(1/N) Σ_i Σ_j |φ_j − x_ij|`, the mean L1 distance to all reference embeddings, on
    /// raw embeddings whatever the store normalizes.
    MeanL1,
    /// `mean-l1-same-class`: the same over the reference embeddings of the predicted class.
    MeanL1SameClass,
    /// `mahalanobis`: the relative Mahalanobis distance to the classes of the reference, on raw
    /// embeddings whatever the store normalizes. It may be negative.
    Mahalanobis,
}

impl ScoreMethod {
    /// Every method.
    pub const ALL: [Self; 5] =
        [Self::Knn, Self::KnnSameClass, Self::MeanL1, Self::MeanL1SameClass, Self::Mahalanobis];

    /// The name by which people and files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Knn => "knn",
            Self::KnnSameClass => "knn-same-class",
            Self::MeanL1 => "mean-l1",
            Self::MeanL1SameClass => "mean-l1-same-class",
            Self::Mahalanobis => "mahalanobis",
        }
    }

    /// Whether it depends on the predicted class.
    #[must_use]
    pub fn is_class_wise(self) -> bool {
        matches!(self, Self::KnnSameClass | Self::MeanL1SameClass)
    }

    /// Whether it has a number of neighbors `k`.
    pub(crate) fn has_neighbors(self) -> bool {
        matches!(self, Self::Knn | Self::KnnSameClass)
    }

    /// Refuses a score that cannot leave a group out, see [`leave_one_group_out`](crate::leave_one_group_out).
    ///
    /// # Errors
    ///
    /// [`Error::NoGroupLeftOut`] for the Mahalanobis distance.
    pub fn check_group_left_out(self) -> Result<()> {
        match self {
            Self::Mahalanobis => Err(Error::NoGroupLeftOut { method: self.name() }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for ScoreMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ScoreMethod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|method| method.name() == text);
        found.ok_or_else(|| Error::UnknownScore {
            found: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// A score with its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Score {
    method: ScoreMethod,
    k: Option<usize>,
}

impl Default for Score {
    /// `knn` with `k` = [`Score::DEFAULT_K`].
    fn default() -> Self {
        Self { method: ScoreMethod::Knn, k: Some(Self::DEFAULT_K) }
    }
}

impl Score {
    /// The number of neighbors unless another is asked for.
    pub const DEFAULT_K: usize = 5;

    /// `k` is dropped where the method has none. A `k` above the number of reference images is
    /// lowered to it when a score is computed.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroNeighbors`].
    pub fn new(method: ScoreMethod, k: usize) -> Result<Self> {
        if k == 0 {
            return Err(Error::ZeroNeighbors);
        }
        Ok(Self { method, k: method.has_neighbors().then_some(k) })
    }

    /// The score with `k` lowered to the number of reference images, where it is above it.
    #[must_use]
    pub fn at_most(self, rows: usize) -> Self {
        Self { k: self.k.map(|k| k.min(rows.max(1))), ..self }
    }

    /// The method.
    #[must_use]
    pub fn method(self) -> ScoreMethod {
        self.method
    }

    /// The number of neighbors, for the methods that have one.
    #[must_use]
    pub fn k(self) -> Option<usize> {
        self.k
    }

    /// As an attachment of a store, see [`SCORE_ATTACHMENT`].
    #[must_use]
    pub fn to_json(self) -> Vec<u8> {
        let document = Document { format_version: FORMAT_VERSION, method: self.method, k: self.k };
        crate::document::write(&document)
    }

    /// The reverse of [`Score::to_json`].
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableAttachment`], [`Error::UnsupportedVersion`], [`Error::InvalidCalibration`].
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let document: Document = crate::document::read(json, SCORE_ATTACHMENT, FORMAT_VERSION)?;
        Self::from_parts(document.method, document.k)
    }

    /// `method` and `k` as they stand in a document.
    pub(crate) fn from_parts(method: ScoreMethod, k: Option<usize>) -> Result<Self> {
        let expected = match (method.has_neighbors(), k) {
            (true, Some(1..)) | (false, None) => return Ok(Self { method, k }),
            (true, _) => "a number of at least 1",
            (false, _) => "null",
        };
        Err(Error::InvalidCalibration {
            field: "k".into(),
            expected: format!("{expected} for the score `{method}`"),
            found: k.map_or_else(|| "null".into(), |k| k.to_string()),
        })
    }
}

/// `knn (k = 5)`, `mean-l1`.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.k {
            Some(k) => write!(f, "{} (k = {k})", self.method),
            None => write!(f, "{}", self.method),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    format_version: u32,
    method: ScoreMethod,
    k: Option<usize>,
}

/// Refuses an embedding that no score is defined for.
pub(crate) fn check_embedding(embedding: &[f32], dimension: usize) -> Result<()> {
    if embedding.len() != dimension {
        return Err(Error::WrongDimension { expected: dimension, found: embedding.len() });
    }
    match embedding.iter().position(|value| !value.is_finite()) {
        Some(position) => Err(Error::NotFinite {
            vector: "the embedding".into(),
            position,
            value: embedding[position],
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for method in ScoreMethod::ALL {
            assert_eq!(method.to_string().parse::<ScoreMethod>().unwrap(), method);
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
        }
        let message = "knm".parse::<ScoreMethod>().unwrap_err().to_string();
        assert!(message.contains("`knm`") && message.contains("mean-l1-same-class"), "{message}");
    }

    #[test]
    fn only_neighbor_scores_keep_k() {
        assert_eq!(Score::new(ScoreMethod::Knn, 7).unwrap().k(), Some(7));
        assert_eq!(Score::new(ScoreMethod::MeanL1, 7).unwrap().k(), None);
        assert!(matches!(Score::new(ScoreMethod::MeanL1, 0), Err(Error::ZeroNeighbors)));
    }

    #[test]
    fn documents_are_read_back_and_checked() {
        for method in ScoreMethod::ALL {
            let score = Score::new(method, 3).unwrap();
            assert_eq!(Score::from_json(&score.to_json()).unwrap(), score);
        }
        let code = |json: &str| Score::from_json(json.as_bytes()).unwrap_err().code();
        assert_eq!(code(r#"{"format_version":1,"method":"knn","k":0}"#), "invalid_calibration");
        assert_eq!(code(r#"{"format_version":1,"method":"knn","k":null}"#), "invalid_calibration");
        assert_eq!(code(r#"{"format_version":1,"method":"mean-l1","k":2}"#), "invalid_calibration");
        assert_eq!(code(r#"{"format_version":2}"#), "unsupported_version");
        assert_eq!(code(r#"{"format_version":1,"method":"knm","k":2}"#), "unreadable_attachment");
        assert_eq!(code(""), "unreadable_attachment");
        assert_eq!(code("[]"), "unreadable_attachment");
    }
}

//! A reference to compare with: a store of embeddings, the score it is for, and its calibration.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use sdd_index::{FileStore, Filter, Manifest, ModelIdentity, Neighbor};
use serde::Serialize;

use crate::calibration::{CALIBRATION_ATTACHMENT, Calibration};
use crate::error::{Error, Result};
use crate::fitted::Fitted;
use crate::grouping::Grouping;
use crate::properties::Properties;
use crate::query::Query;
use crate::score::{SCORE_ATTACHMENT, Score, ScoreMethod, check_embedding};
use crate::verdict::{Unavailable, Verdict};

/// So many embeddings searched together share the reading of the reference among them.
pub const ROWS_AT_A_TIME: usize = 128;

/// Embeddings of known images, and how strange a new one is among them.
///
/// It never changes once opened and is `Send + Sync`: share one behind an `Arc`.
pub struct Reference {
    store: Arc<FileStore>,
    score: Score,
    calibration: Option<Calibration>,
    /// How a name tells which group an image is of, where the calibration's do.
    grouping: Option<Grouping>,
    fitted: Fitted,
}

/// How an image compares with what the model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Drift))]
pub struct Assessment {
    /// How the score was computed.
    pub method: ScoreMethod,
    /// The distance from the reference; larger is stranger. `mahalanobis` may be negative.
    pub score: f64,
    /// The share of calibration images that were at least as strange (with what the guarantee adds to it), in (0, 1];
    /// null where `unavailable` says why.
    #[cfg_attr(feature = "openapi", schema(required = true, exclusive_minimum = 0, maximum = 1))]
    pub p_value: Option<f64>,
    /// Scores above it are out of distribution; null where `unavailable` says why.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub threshold: Option<f64>,
    /// Whether the image does not look like the training images; null where `unavailable` says why.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub out_of_distribution: Option<bool>,
    /// Why there is no p-value, threshold and verdict; null where there are.
    #[cfg_attr(
        feature = "openapi",
        schema(required = true, value_type = Option<crate::verdict::Document>)
    )]
    pub unavailable: Option<Unavailable>,
    /// What the picture is like, whatever it shows; null where that was not looked at.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub properties: Option<Properties>,
    /// The nearest reference images of any class, nearest first.
    pub neighbors: Vec<NearestImage>,
}

/// One of the nearest reference images.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Neighbor))]
pub struct NearestImage {
    /// Its id in the store, for images their path.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: Arc<str>,
    /// Its class, where it has one.
    #[cfg_attr(feature = "openapi", schema(required = true, value_type = Option<String>))]
    pub label: Option<Arc<str>>,
    /// The Euclidean distance (not squared), of unit vectors where the store normalizes.
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub distance: f64,
}

impl From<&Neighbor> for NearestImage {
    fn from(neighbor: &Neighbor) -> Self {
        Self {
            id: neighbor.id.clone(),
            label: neighbor.label.clone(),
            distance: euclidean(neighbor),
        }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference")
            .field("images", &self.store.len())
            .field("dimension", &self.store.dimension())
            .field("score", &self.score)
            .field("calibrated_with", &self.calibration.as_ref().map(Calibration::images))
            .finish_non_exhaustive()
    }
}

impl Reference {
    /// Opens a store on disk.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if there is none or it is damaged, and as [`Reference::from_store`].
    pub fn open(directory: &Path) -> Result<Self> {
        Self::from_store(FileStore::open(directory)?)
    }

    /// Takes the score and the calibration from the store's attachments. A store without them is
    /// scored by [`Score::default`], without p-values.
    ///
    /// # Errors
    ///
    /// As [`Reference::uncalibrated`]; what [`Score::from_json`] and [`Calibration::from_json`] refuse;
    /// [`Error::InvalidCalibration`] if the two name different scores.
    pub fn from_store(store: impl Into<Arc<FileStore>>) -> Result<Self> {
        let store = store.into();
        let (score, calibration) = score_and_calibration(&store)?;
        let group_by = calibration.as_ref().and_then(Calibration::group_by);
        let grouping = group_by.map(Grouping::new).transpose()?.flatten();
        Ok(Self { calibration, grouping, ..Self::uncalibrated(store, score)? })
    }

    /// Scores by `score`, without p-values and whatever the store's attachments say: this is how
    /// calibration images are scored.
    ///
    /// What a score needs beforehand is computed here: sorted columns for the mean-L1 scores, covariances
    /// for the Mahalanobis distance.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyReference`]; [`Error::TooFewClasses`] and [`Error::NoSpread`] for a reference
    /// without what the Mahalanobis distance needs.
    pub fn uncalibrated(store: impl Into<Arc<FileStore>>, score: Score) -> Result<Self> {
        let store = store.into();
        if store.is_empty() {
            return Err(Error::EmptyReference);
        }
        let fitted = Fitted::for_method(&store, score.method())?;
        Ok(Self { store, score, calibration: None, grouping: None, fitted })
    }

    /// The embeddings with their ids and labels.
    #[must_use]
    pub fn store(&self) -> &FileStore {
        &self.store
    }

    /// The score, and with how many neighbors.
    #[must_use]
    pub fn score(&self) -> Score {
        self.score
    }

    /// The calibration, where the store has one.
    #[must_use]
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// The group of an image by its name, where those of the calibration are told by their names and this one tells it,
    /// too.
    #[must_use]
    pub fn group_of(&self, name: &str) -> Option<String> {
        self.grouping.as_ref()?.group_of(name)
    }

    /// The model that made the embeddings, where the store names it.
    #[must_use]
    pub fn model(&self) -> Option<&ModelIdentity> {
        self.store.manifest().model.as_ref()
    }

    /// As [`check_model`] with this reference's store.
    ///
    /// # Errors
    ///
    /// [`Error::ModelMismatch`], [`Error::WrongDimension`].
    pub fn check_model(&self, model: &ModelIdentity, dimension: usize) -> Result<()> {
        check_model(self.store.manifest(), model, dimension)
    }

    /// Compares one image, as a model saw it, with the reference.
    ///
    /// `neighbors` is how many of the nearest images to name, of any class; 0 is allowed.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDimension`], [`Error::NotFinite`]; [`Error::ClassRequired`] and
    /// [`Error::ClassWithoutReference`] for a class-wise score; [`Error::Store`] for a vector too long to
    /// have finite distances.
    pub fn assess(&self, query: &Query<'_>, neighbors: usize) -> Result<Assessment> {
        check_embedding(query.embedding, self.store.dimension())?;
        let neighbors = neighbors.min(self.store.len());
        let (score, nearest) = if self.score.method() == ScoreMethod::Knn {
            // One search for both.
            let k = self.k();
            let mut found = self.search(query.embedding, k.max(neighbors), Filter::All)?;
            let score = found.get(k - 1).or(found.last()).map(euclidean);
            found.truncate(neighbors);
            (score.ok_or(Error::EmptyReference)?, found)
        } else {
            let score = self.score_of(query)?;
            (score, self.search(query.embedding, neighbors, Filter::All)?)
        };
        let nearest = nearest.iter().map(NearestImage::from).collect();
        Ok(self.judge(score, query.predicted_class, nearest))
    }

    /// The scores of many images, each as [`assess`](Self::assess) gives it, in their order.
    ///
    /// Nearest neighbors of many are searched together, which takes a fraction of the time.
    pub fn scores(&self, queries: &[Query<'_>]) -> Vec<Result<f64>> {
        let one = |query: &Query<'_>| {
            check_embedding(query.embedding, self.store.dimension())?;
            self.score_of(query)
        };
        let mut by_filter: HashMap<Filter<'_>, Vec<usize>> = HashMap::new();
        for (position, query) in queries.iter().enumerate() {
            if let Ok(Some(filter)) = self.filter_for(query) {
                by_filter.entry(filter).or_default().push(position);
            }
        }
        let mut together = HashMap::new();
        for (filter, positions) in by_filter {
            let embeddings = positions.iter().map(|&position| queries[position].embedding);
            // Where one of them cannot be searched, each gets an answer of its own.
            if let Some(scores) = self.neighbor_scores(embeddings, filter) {
                together.extend(positions.into_iter().zip(scores));
            }
        }
        let score = |(position, query)| together.remove(&position).map_or_else(|| one(query), Ok);
        queries.iter().enumerate().map(score).collect()
    }

    /// What [`assess`](Self::assess) says of each of many, in their order, searched together.
    pub fn assess_each(&self, queries: &[Query<'_>], neighbors: usize) -> Vec<Result<Assessment>> {
        let neighbors = neighbors.min(self.store.len());
        let scores = self.scores(queries);
        let scored = queries.iter().zip(&scores).filter(|(_, score)| score.is_ok());
        let scored: Vec<&[f32]> = scored.map(|(query, _)| query.embedding).collect();
        let together = self.search_together(scored.into_iter(), neighbors, Filter::All);
        let mut together = together.map(Vec::into_iter);
        let assess = |(query, score): (&Query<'_>, Result<f64>)| {
            let score = score?;
            let nearest = match together.as_mut().and_then(Iterator::next) {
                Some(nearest) => nearest,
                None => self.search(query.embedding, neighbors, Filter::All)?,
            };
            let nearest = nearest.iter().map(NearestImage::from).collect();
            Ok(self.judge(score, query.predicted_class, nearest))
        };
        queries.iter().zip(scores).map(assess).collect()
    }

    /// The distances to the k-th nearest rows; `None` where there is not one for every embedding.
    fn neighbor_scores<'a>(
        &self,
        embeddings: impl ExactSizeIterator<Item = &'a [f32]>,
        filter: Filter<'_>,
    ) -> Option<Vec<f64>> {
        let found = self.search_together(embeddings, self.k(), filter)?;
        found.iter().map(|found| found.last().map(euclidean)).collect()
    }

    /// The nearest rows of many embeddings; `None` where one of them cannot be searched.
    fn search_together<'a>(
        &self,
        embeddings: impl ExactSizeIterator<Item = &'a [f32]>,
        k: usize,
        filter: Filter<'_>,
    ) -> Option<Vec<Vec<Neighbor>>> {
        let shape = (embeddings.len(), self.store.dimension());
        let mut values = Vec::with_capacity(shape.0 * shape.1);
        for embedding in embeddings {
            // One too short and one too long would make a matrix, too.
            if embedding.len() != shape.1 {
                return None;
            }
            values.extend_from_slice(embedding);
        }
        let matrix = Array2::from_shape_vec(shape, values).ok()?;
        self.store.search(matrix.view(), k, filter).ok()
    }

    fn score_of(&self, query: &Query<'_>) -> Result<f64> {
        let Some(filter) = self.filter_for(query)? else { return self.fitted_score(query) };
        let found = self.search(query.embedding, self.k(), filter)?;
        found.last().map(euclidean).ok_or_else(|| match filter {
            Filter::Label(class) => self.no_images_of(class),
            Filter::All => Error::EmptyReference,
        })
    }

    /// Among which rows a neighbor score looks; `None` for the scores that look at all of them beforehand.
    fn filter_for<'a>(&self, query: &Query<'a>) -> Result<Option<Filter<'a>>> {
        let method = self.score.method();
        if !method.has_neighbors() {
            return Ok(None);
        }
        Ok(Some(if method.is_class_wise() {
            Filter::Label(self.require_class(query)?)
        } else {
            Filter::All
        }))
    }

    fn judge(&self, score: f64, class: Option<&str>, neighbors: Vec<NearestImage>) -> Assessment {
        let verdict = match &self.calibration {
            Some(calibration) => calibration.judge(score, class),
            None => Err(Unavailable::NoCalibration),
        };
        let (verdict, unavailable): (Option<Verdict>, _) = match verdict {
            Ok(verdict) => (Some(verdict), None),
            Err(unavailable) => (None, Some(unavailable)),
        };
        Assessment {
            method: self.score.method(),
            score,
            p_value: verdict.map(|verdict| verdict.p_value),
            threshold: verdict.map(|verdict| verdict.threshold),
            out_of_distribution: verdict.map(|verdict| verdict.out_of_distribution),
            unavailable,
            properties: None,
            neighbors,
        }
    }

    /// `k`, at most the number of reference images and at least 1.
    pub(crate) fn k(&self) -> usize {
        self.score.k().unwrap_or(1).clamp(1, self.store.len())
    }

    /// The `k` nearest rows of one embedding; none for `k` = 0.
    fn search(&self, embedding: &[f32], k: usize, filter: Filter<'_>) -> Result<Vec<Neighbor>> {
        if k == 0 {
            return Ok(Vec::new());
        }
        let query = ArrayView2::from_shape((1, embedding.len()), embedding).map_err(|_| {
            Error::WrongDimension { expected: self.store.dimension(), found: embedding.len() }
        })?;
        Ok(self.store.search(query, k, filter)?.pop().unwrap_or_default())
    }

    pub(crate) fn fitted_score(&self, query: &Query<'_>) -> Result<f64> {
        match &self.fitted {
            Fitted::Nothing => Err(Error::EmptyReference),
            Fitted::MeanL1(table) => table.score(query.embedding),
            Fitted::MeanL1ByClass(tables) => {
                let class = self.require_class(query)?;
                let table = tables.get(class).ok_or_else(|| self.no_images_of(class))?;
                table.score(query.embedding)
            }
            Fitted::Mahalanobis(gaussians) => gaussians.score(query.embedding),
        }
    }

    fn require_class<'a>(&self, query: &Query<'a>) -> Result<&'a str> {
        query.predicted_class.ok_or(Error::ClassRequired { method: self.score.method().name() })
    }

    pub(crate) fn no_images_of(&self, class: &str) -> Error {
        let known: Vec<String> =
            self.store.labels().into_iter().filter_map(|entry| entry.label).collect();
        Error::ClassWithoutReference {
            class: class.to_owned(),
            method: self.score.method().name(),
            known: if known.is_empty() { "no classes at all".into() } else { known.join(", ") },
        }
    }
}

/// The score that a store is for and its calibration, as its attachments have them; nothing is fitted to the rows.
///
/// # Errors
///
/// What [`Score::from_json`] and [`Calibration::from_json`] refuse; [`Error::InvalidCalibration`] if the two name
/// different scores.
pub fn score_and_calibration(store: &FileStore) -> Result<(Score, Option<Calibration>)> {
    let stated = store.attachment(SCORE_ATTACHMENT).map(Score::from_json).transpose()?;
    let calibration =
        store.attachment(CALIBRATION_ATTACHMENT).map(Calibration::from_json).transpose()?;
    let calibrated = calibration.as_ref().map(Calibration::score);
    if let (Some(stated), Some(calibrated)) = (stated, calibrated)
        && stated != calibrated
    {
        return Err(Error::InvalidCalibration {
            field: "method".into(),
            expected: format!("{stated}, the score of the store,"),
            found: calibrated.to_string(),
        });
    }
    Ok((stated.or(calibrated).unwrap_or_default(), calibration))
}

pub(crate) fn euclidean(neighbor: &Neighbor) -> f64 {
    f64::from(neighbor.distance_squared).sqrt()
}

/// Checks that embeddings of a model, of that many values, can be compared with those of a store. Models are the same
/// if their files are, by `sha256`, whatever they are called; a store that names no model accepts any of its dimension.
///
/// # Errors
///
/// [`Error::ModelMismatch`] naming both models, [`Error::WrongDimension`].
pub fn check_model(store: &Manifest, model: &ModelIdentity, dimension: usize) -> Result<()> {
    let expected = store.dimension;
    match &store.model {
        Some(known) if !known.sha256.eq_ignore_ascii_case(&model.sha256) => {
            Err(Error::ModelMismatch {
                reference: describe(known, expected),
                model: describe(model, dimension),
            })
        }
        _ if dimension != expected => Err(Error::WrongDimension { expected, found: dimension }),
        _ => Ok(()),
    }
}

fn describe(model: &ModelIdentity, dimension: usize) -> String {
    let ModelIdentity { name, version, sha256 } = model;
    format!("`{name}` {version} (SHA-256 {sha256}, embeddings of {dimension})")
}

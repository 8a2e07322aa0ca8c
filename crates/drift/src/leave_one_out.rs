//! The scores of the reference's own images, each against the others.

use ndarray::{Array2, Axis};
use sdd_index::Filter;

use crate::error::Result;
use crate::query::Query;
use crate::reference::Reference;
use crate::score::ScoreMethod;

impl Reference {
    /// Scores of the reference's own images, of `most` evenly spaced ones at most, each as if it were not in the
    /// reference. They lie lower than those of new images that are as good: the model was trained on them.
    ///
    /// `None` for the Mahalanobis distance, which one image is not easily taken out of, and of fewer than two images.
    ///
    /// # Errors
    ///
    /// As [`Reference::assess`].
    pub fn leave_one_out_scores(&self, most: usize) -> Result<Option<Vec<f64>>> {
        if self.store().len() < 2 || most == 0 {
            return Ok(None);
        }
        match self.score().method() {
            ScoreMethod::Knn => self.nearest_others(Filter::All, most).map(Some),
            ScoreMethod::KnnSameClass => {
                self.of_each_class(most, |filter, share| self.nearest_others(filter, share))
            }
            ScoreMethod::MeanL1 => self.mean_l1_of_others(None, most).map(Some),
            ScoreMethod::MeanL1SameClass => self.of_each_class(most, |filter, share| {
                let Filter::Label(class) = filter else { return Ok(Vec::new()) };
                self.mean_l1_of_others(Some(class), share)
            }),
            ScoreMethod::Mahalanobis => Ok(None),
        }
    }

    /// The distance to the k-th nearest other image.
    ///
    /// An image is its own nearest one, so that is the k + 1st of all, whichever of equal images comes first.
    fn nearest_others(&self, filter: Filter<'_>, most: usize) -> Result<Vec<f64>> {
        let (rows, of) = self.some_rows(filter, most);
        if of < 2 {
            return Ok(Vec::new());
        }
        let k = self.k().min(of - 1) + 1;
        let found = self.store().search(rows.view(), k, filter)?;
        let last = |near: Vec<sdd_index::Neighbor>| near.last().map(crate::reference::euclidean);
        Ok(found.into_iter().filter_map(last).collect())
    }

    /// The distance of an image to itself is 0, and one of the n that the mean is over.
    fn mean_l1_of_others(&self, class: Option<&str>, most: usize) -> Result<Vec<f64>> {
        let (rows, of) = self.some_rows(class.map_or(Filter::All, Filter::Label), most);
        if of < 2 {
            return Ok(Vec::new());
        }
        let others = of as f64 / (of as f64 - 1.0);
        let score = |row: ndarray::ArrayView1<'_, f32>| {
            let row = row.to_vec();
            let query = Query { predicted_class: class, ..Query::new(&row) };
            Ok(others * self.assess(&query, 0)?.score)
        };
        rows.rows().into_iter().map(score).collect()
    }

    fn of_each_class(
        &self,
        most: usize,
        scores: impl Fn(Filter<'_>, usize) -> Result<Vec<f64>>,
    ) -> Result<Option<Vec<f64>>> {
        let images = self.store().len();
        let mut all = Vec::new();
        for class in self.store().labels() {
            let Some(label) = &class.label else { continue };
            let share = (most * class.count).div_ceil(images);
            all.extend(scores(Filter::Label(label), share)?);
        }
        Ok(Some(all).filter(|all| !all.is_empty()))
    }

    /// Evenly spaced rows, and of how many.
    fn some_rows(&self, filter: Filter<'_>, most: usize) -> (Array2<f32>, usize) {
        let rows = self.store().embeddings(filter);
        let step = rows.nrows().div_ceil(most).max(1);
        let chosen: Vec<usize> = (0..rows.nrows()).step_by(step).collect();
        (rows.select(Axis(0), &chosen), rows.nrows())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ndarray::array;
    use sdd_index::{FileStore, Normalization, Record, StoreContents};

    use super::*;
    use crate::score::Score;

    fn reference(method: ScoreMethod, folder: &std::path::Path) -> Reference {
        let record =
            |(i, label): (usize, &str)| Record { id: format!("{i}"), label: Some(label.into()) };
        let contents = StoreContents {
            model: None,
            normalization: Normalization::None,
            // The last two are the same image twice.
            embeddings: array![[0.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.0, 3.0]],
            records: ["a", "a", "b", "b"].into_iter().enumerate().map(record).collect(),
            attachments: BTreeMap::new(),
        };
        FileStore::write(folder, &contents).unwrap();
        let store = Box::new(FileStore::open(folder).unwrap());
        Reference::uncalibrated(store, Score::new(method, 1).unwrap()).unwrap()
    }

    #[test]
    fn an_image_is_compared_with_the_others_alone() {
        let cases = [
            (ScoreMethod::Knn, Some(vec![1.0, 1.0, 0.0, 0.0])),
            (ScoreMethod::KnnSameClass, Some(vec![1.0, 1.0, 0.0, 0.0])),
            (ScoreMethod::MeanL1, Some(vec![7.0 / 3.0, 3.0, 7.0 / 3.0, 7.0 / 3.0])),
            (ScoreMethod::MeanL1SameClass, Some(vec![1.0, 1.0, 0.0, 0.0])),
        ];
        for (method, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let reference = reference(method, folder.path());
            let found = reference.leave_one_out_scores(100).unwrap();
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
            match (&found, &expected) {
                (Some(found), Some(expected)) => {
                    assert_eq!(found.len(), expected.len());
                    assert!(found.iter().zip(expected).all(close), "{method:?}: {found:?}");
                }
                _ => assert_eq!(found, expected, "{method:?}"),
            }
            if expected.is_some() {
                assert_eq!(reference.leave_one_out_scores(2).unwrap().unwrap().len(), 2);
            }
        }
    }
}

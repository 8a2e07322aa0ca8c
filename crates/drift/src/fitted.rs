//! What a score computes of the reference beforehand.

use std::collections::HashMap;

use sdd_index::{FileStore, Filter};

use crate::error::Result;
use crate::mahalanobis::RelativeMahalanobis;
use crate::mean_l1::MeanL1;
use crate::score::ScoreMethod;

#[derive(Debug)]
pub(crate) enum Fitted {
    /// For the scores that ask the store itself.
    Nothing,
    MeanL1(MeanL1),
    /// Rows without a label are in none of them.
    MeanL1ByClass(HashMap<String, MeanL1>),
    Mahalanobis(RelativeMahalanobis),
}

impl Fitted {
    pub(crate) fn for_method(store: &FileStore, method: ScoreMethod) -> Result<Self> {
        match method {
            ScoreMethod::Knn | ScoreMethod::KnnSameClass => Ok(Self::Nothing),
            ScoreMethod::MeanL1 => Ok(Self::MeanL1(MeanL1::new(&store.embeddings(Filter::All))?)),
            ScoreMethod::MeanL1SameClass => {
                let classes = store.labels().into_iter().filter_map(|entry| entry.label);
                let tables = classes.map(|class| {
                    let rows = store.embeddings(Filter::Label(&class));
                    Ok((class, MeanL1::new(&rows)?))
                });
                Ok(Self::MeanL1ByClass(tables.collect::<Result<_>>()?))
            }
            ScoreMethod::Mahalanobis => {
                Ok(Self::Mahalanobis(RelativeMahalanobis::of_store(store)?))
            }
        }
    }
}

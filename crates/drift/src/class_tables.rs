//! The mean-L1 tables that a score needs: none, one, or one a class.

use std::collections::HashMap;

use sdd_index::{Filter, ReferenceStore};

use crate::error::Result;
use crate::mean_l1::MeanL1;
use crate::score::ScoreMethod;

#[derive(Debug)]
pub(crate) enum ClassTables {
    /// For the scores that ask the store itself.
    None,
    All(MeanL1),
    /// Rows without a label are in none of them.
    ByClass(HashMap<String, MeanL1>),
}

impl ClassTables {
    pub(crate) fn for_method(store: &dyn ReferenceStore, method: ScoreMethod) -> Result<Self> {
        match method {
            ScoreMethod::Knn | ScoreMethod::KnnSameClass => Ok(Self::None),
            ScoreMethod::MeanL1 => Ok(Self::All(MeanL1::new(&store.embeddings(Filter::All)?)?)),
            ScoreMethod::MeanL1SameClass => {
                let classes = store.labels().into_iter().filter_map(|entry| entry.label);
                let tables = classes.map(|class| {
                    let rows = store.embeddings(Filter::Label(&class))?;
                    Ok((class, MeanL1::new(&rows)?))
                });
                Ok(Self::ByClass(tables.collect::<Result<_>>()?))
            }
        }
    }
}

//! The reference's own images, each scored among those of all other groups.
//!
//! So every group calibrates and none has to be held out. A new image is scored among all rows, and compared with these
//! scores ([`conformal`](sdd_stats::conformal)). For nearest-neighbor scores that p-value is never
//! below the one of the jackknife+ (the new image without group g beside the scores of group g), which is valid up to a
//! factor of 2 in the worst case and close to the level in practice.
//!
//! One search a row: for as many neighbors as its own group may take away more. Of the mean L1 distances the own
//! group's are subtracted.
//!
//! Source: Barber, Candès, Ramdas, Tibshirani, “Predictive inference with the jackknife+”, Annals of Statistics 49(1),
//! 2021, with whole groups left out.

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array2, Axis};
use sdd_index::{Filter, LabelCount, Neighbor};

use crate::error::{Error, Result};
use crate::mean_l1::MeanL1;
use crate::query::Query;
use crate::reference::{ROWS_AT_A_TIME, Reference, euclidean};

/// What is known of a row of the reference beside its embedding.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// What the store calls it.
    pub id: &'a str,
    /// Its class in the store, where it has one.
    pub label: Option<&'a str>,
    /// The class that the model decided for, where there was a model: as a query has it.
    pub predicted_class: Option<&'a str>,
    /// What it belongs together with.
    pub group: &'a str,
}

/// The rows of a reference on their way to a score each, in blocks that can be scored at the same time.
pub struct LeaveOneGroupOut<'a> {
    reference: &'a Reference,
    /// As they were given to the store, in its order.
    embeddings: Array2<f32>,
    rows: Vec<Row<'a>>,
    group_of_id: HashMap<&'a str, &'a str>,
    own: RowsOf<'a>,
    blocks: Vec<Block<'a>>,
}

/// Rows by the class that they are of, where the score looks at it, and by group.
type RowsOf<'a> = BTreeMap<(Option<&'a str>, &'a str), Vec<usize>>;

/// Rows that are scored together.
struct Block<'a> {
    rows: Vec<usize>,
    /// The class whose rows they are compared with; `None` for a score that looks at no class.
    class: Option<&'a str>,
    /// Rows among these of the group that has most: as many may be left out.
    own: usize,
}

impl Reference {
    /// Prepares the scores of all rows; `rows` says what is known of each, in the order of the store's embeddings.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroupLeftOut`] for the Mahalanobis distance, [`Error::OneGroup`],
    /// [`Error::UnequalBatch`] for another number of rows, [`Error::Store`].
    pub fn leave_one_group_out<'a>(&'a self, rows: Vec<Row<'a>>) -> Result<LeaveOneGroupOut<'a>> {
        LeaveOneGroupOut::new(self, rows)
    }
}

impl<'a> LeaveOneGroupOut<'a> {
    fn new(reference: &'a Reference, rows: Vec<Row<'a>>) -> Result<Self> {
        let method = reference.score().method();
        method.check_group_left_out()?;
        if rows.len() != reference.store().len() {
            let (found, what) = (rows.len(), "groups");
            return Err(Error::UnequalBatch { rows: reference.store().len(), what, found });
        }
        if let Some(first) = rows.first()
            && rows.iter().all(|row| row.group == first.group)
        {
            return Err(one_group(first.group, None));
        }
        let (mut asking, mut own) = (RowsOf::new(), RowsOf::new());
        for (position, row) in rows.iter().enumerate() {
            let [asks, is] = [row.predicted_class, row.label]
                .map(|class| class.filter(|_| method.is_class_wise()));
            asking.entry((asks, row.group)).or_default().push(position);
            own.entry((is, row.group)).or_default().push(position);
        }
        let block = |((class, group), rows)| {
            let own = own.get(&(class, group)).map_or(0, Vec::len);
            Block { rows, class, own }
        };
        let of_one_group = asking.into_iter().map(block).collect();
        Ok(Self {
            reference,
            embeddings: reference.store().embeddings(Filter::All),
            group_of_id: rows.iter().map(|row| (row.id, row.group)).collect(),
            rows,
            blocks: if method.has_neighbors() { joined(of_one_group) } else { of_one_group },
            own,
        })
    }

    /// How many blocks there are.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The position of each row of a block, and its score among the rows of all other groups.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]. A row has an error of its own where there is nothing to compare it with:
    /// [`Error::ClassRequired`], [`Error::ClassWithoutReference`], [`Error::OneGroup`].
    ///
    /// # Panics
    ///
    /// If there is no such block.
    pub fn scores(&self, block: usize) -> Result<Vec<(usize, Result<f64>)>> {
        let block = &self.blocks[block];
        let method = self.reference.score().method();
        let scores: Vec<Result<f64>> = if method.is_class_wise() && block.class.is_none() {
            let error = || Err(Error::ClassRequired { method: method.name() });
            block.rows.iter().map(|_| error()).collect()
        } else if method.has_neighbors() {
            self.neighbor_scores(block)?
        } else {
            self.mean_scores(block)?
        };
        Ok(block.rows.iter().copied().zip(scores).collect())
    }

    /// The distance to the k-th neighbor of another group, or to the last where there are fewer.
    fn neighbor_scores(&self, block: &Block<'_>) -> Result<Vec<Result<f64>>> {
        let k = self.reference.k();
        let queries = self.embeddings.select(Axis(0), &block.rows);
        let filter = block.class.map_or(Filter::All, Filter::Label);
        let found = self.reference.store().search(queries.view(), k + block.own, filter)?;
        let score = |(&row, found): (&usize, Vec<Neighbor>)| {
            let group = self.rows[row].group;
            let is_other =
                |near: &&Neighbor| self.group_of_id.get(&*near.id).is_none_or(|of| *of != group);
            let kth = found.iter().filter(is_other).take(k).last();
            kth.map(euclidean).ok_or_else(|| self.nothing_else(row, block, found.is_empty()))
        };
        Ok(block.rows.iter().zip(found).map(score).collect())
    }

    /// All distances less those within the group. The block is of one group.
    fn mean_scores(&self, block: &Block<'_>) -> Result<Vec<Result<f64>>> {
        let Some(&first) = block.rows.first() else { return Ok(Vec::new()) };
        let is_meant = |known: &LabelCount| {
            block.class.is_none_or(|class| known.label.as_deref() == Some(class))
        };
        let labels = self.reference.store().labels().into_iter();
        let among: usize = labels.filter(is_meant).map(|known| known.count).sum();
        if among <= block.own {
            let error = |&row: &usize| Err(self.nothing_else(row, block, among == 0));
            return Ok(block.rows.iter().map(error).collect());
        }
        // None of the group's rows may be of the class that the model takes some for.
        let own = self.own.get(&(block.class, self.rows[first].group));
        let own = own.map(|own| MeanL1::new(&self.embeddings.select(Axis(0), own))).transpose()?;
        let (all, left_out) = (among as f64, block.own as f64);
        let score = |&row: &usize| {
            let values = self.embeddings.row(row).to_vec();
            let query = Query { predicted_class: block.class, ..Query::new(&values) };
            let mean = self.reference.fitted_score(&query)?;
            let within = match &own {
                Some(own) => own.score(&values)?,
                None => 0.0,
            };
            Ok(((all * mean - left_out * within) / (all - left_out)).max(0.0))
        };
        Ok(block.rows.iter().map(score).collect())
    }

    fn nothing_else(&self, row: usize, block: &Block<'_>, is_empty: bool) -> Error {
        match block.class {
            Some(class) if is_empty => self.reference.no_images_of(class),
            class => one_group(self.rows[row].group, class),
        }
    }
}

/// Blocks of a size to be searched together, of rows whose groups are of like size: all rows of a block are asked for
/// as many neighbors as the one that needs most.
fn joined(mut of_one_group: Vec<Block<'_>>) -> Vec<Block<'_>> {
    of_one_group.sort_by_key(|block| (block.class, block.own));
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for part in of_one_group {
        for rows in part.rows.chunks(ROWS_AT_A_TIME) {
            match blocks.last_mut() {
                Some(last)
                    if last.class == part.class
                        && last.rows.len() + rows.len() <= ROWS_AT_A_TIME =>
                {
                    last.rows.extend(rows);
                    last.own = part.own;
                }
                _ => blocks.push(Block { rows: rows.to_vec(), ..part }),
            }
        }
    }
    blocks
}

fn one_group(group: &str, class: Option<&str>) -> Error {
    let images = class.map_or_else(|| "images".to_owned(), |class| format!("images of `{class}`"));
    Error::OneGroup { group: group.to_owned(), images }
}

//! What is exported, column by column.

use std::fs::File;
use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use ndarray::Array2;
use sdd_index::Filter;

use crate::revision::Base;

/// Embeddings, and what is known of each row.
pub struct Table {
    pub columns: Vec<(String, Column)>,
    pub embeddings: Array2<f32>,
}

/// One value a row.
pub enum Column {
    Text(Vec<Option<String>>),
    Double(Vec<f64>),
    Float(Vec<f32>),
}

impl Column {
    fn cell(&self, row: usize) -> String {
        match self {
            Self::Text(values) => values[row].clone().unwrap_or_default(),
            // The shortest digits that are read back as the same number.
            Self::Double(values) => values[row].to_string(),
            Self::Float(values) => values[row].to_string(),
        }
    }
}

impl Table {
    pub fn of_reference(base: &Base) -> Self {
        let embeddings = base.store.embeddings(Filter::All);
        let known = base.store.norms();
        let norms = if known.is_empty() { norms(&embeddings) } else { known.to_vec() };
        let records = base.store.records(Filter::All).into_iter();
        let (ids, labels) = records.map(|record| (Some(record.id), record.label)).unzip();
        let columns = vec![
            ("id".to_owned(), Column::Text(ids)),
            ("label".to_owned(), Column::Text(labels)),
            ("norm".to_owned(), Column::Double(norms)),
        ];
        Self { columns, embeddings }
    }

    pub fn of_calibration(base: &Base) -> Result<Self> {
        let images = base.images.as_ref().context("the store keeps no held-out images")?;
        let embeddings = images.embeddings().to_owned();
        let all = images.images().iter();
        let (ids, labels) = all.clone().map(|i| (Some(i.id.clone()), i.label.clone())).unzip();
        let predicted = all.map(|image| image.predicted_class.clone()).collect();
        let mut columns = vec![
            ("id".to_owned(), Column::Text(ids)),
            ("label".to_owned(), Column::Text(labels)),
            ("predicted_class".to_owned(), Column::Text(predicted)),
            ("norm".to_owned(), Column::Double(norms(&embeddings))),
        ];
        if let Some(probabilities) = images.probabilities() {
            let classes = images.classes().iter().zip(probabilities.columns());
            columns.extend(
                classes.map(|(class, p)| (format!("p_{class}"), Column::Float(p.to_vec()))),
            );
        }
        Ok(Self { columns, embeddings })
    }

    /// With the embeddings in columns of their own, or without.
    pub fn write_csv(&self, file: &File, with_embeddings: bool) -> Result<()> {
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        let width = if with_embeddings { self.embeddings.ncols() } else { 0 };
        let header = self.columns.iter().map(|(name, _)| name.clone());
        writer.write_record(header.chain((0..width).map(|column| format!("e{column}"))))?;
        for (row, values) in self.embeddings.outer_iter().enumerate() {
            let cells = self.columns.iter().map(|(_, column)| column.cell(row));
            writer.write_record(cells.chain(values.iter().take(width).map(f32::to_string)))?;
        }
        writer.into_inner().map_err(csv::IntoInnerError::into_error)?.flush()?;
        Ok(())
    }
}

fn norms(embeddings: &Array2<f32>) -> Vec<f64> {
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    embeddings.outer_iter().map(|row| row.iter().map(square).sum::<f64>().sqrt()).collect()
}

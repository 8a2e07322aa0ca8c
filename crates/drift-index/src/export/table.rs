//! What is exported, row by row.

use std::fs::File;
use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use ndarray::Array2;
use sdd_index::Filter;

use crate::revision::Base;

/// Embeddings, and what is known of each. Numbers have the shortest digits that are read back as the same number.
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    pub embeddings: Array2<f32>,
}

impl Table {
    pub fn of_reference(base: &Base) -> Self {
        let embeddings = base.store.embeddings(Filter::All);
        let known = base.store.norms();
        let norms = if known.is_empty() { norms(&embeddings) } else { known.to_vec() };
        let records = base.store.records(Filter::All).into_iter().zip(norms);
        let rows = records.map(|(record, norm)| {
            vec![record.id, record.label.unwrap_or_default(), norm.to_string()]
        });
        let rows = rows.collect();
        Self { header: ["id", "label", "norm"].map(str::to_owned).into(), rows, embeddings }
    }

    pub fn of_calibration(base: &Base) -> Result<Self> {
        let images = base.images.as_ref().context("the store keeps no held-out images")?;
        let embeddings = images.embeddings().to_owned();
        let mut header: Vec<_> =
            ["id", "label", "predicted_class", "norm"].map(str::to_owned).into();
        // Of all images or of none.
        if images.probabilities().is_some() {
            header.extend(images.classes().iter().map(|class| format!("p_{class}")));
        }
        let rows = images.images().iter().zip(norms(&embeddings)).map(|(image, norm)| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let (label, predicted) = (text(&image.label), text(&image.predicted_class));
            let mut row = vec![image.id.clone(), label, predicted, norm.to_string()];
            row.extend(image.probabilities.iter().flatten().map(f32::to_string));
            row
        });
        Ok(Self { header, rows: rows.collect(), embeddings })
    }

    /// With the embeddings in columns of their own, or without.
    pub fn write_csv(&self, file: &File, with_embeddings: bool) -> Result<()> {
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        let width = if with_embeddings { self.embeddings.ncols() } else { 0 };
        let columns = (0..width).map(|column| format!("e{column}"));
        writer.write_record(self.header.iter().cloned().chain(columns))?;
        for (row, values) in self.rows.iter().zip(self.embeddings.outer_iter()) {
            let values = values.iter().take(width).map(f32::to_string);
            writer.write_record(row.iter().cloned().chain(values))?;
        }
        writer.into_inner().map_err(csv::IntoInnerError::into_error)?.flush()?;
        Ok(())
    }
}

fn norms(embeddings: &Array2<f32>) -> Vec<f64> {
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    embeddings.outer_iter().map(|row| row.iter().map(square).sum::<f64>().sqrt()).collect()
}

//! A table as a Parquet file: one row group, not compressed, the embedding as a list of floats.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result};
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::table::{Column, Table};

pub fn write(table: &Table, file: &File) -> Result<()> {
    let schema = Arc::new(schema(table)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema, properties)?;
    let mut rows = writer.next_row_group()?;
    for (_, column) in &table.columns {
        write_column(&mut rows, column)?;
    }
    write_embeddings(&mut rows, table)?;
    rows.close()?;
    writer.close()?;
    Ok(())
}

fn schema(table: &Table) -> Result<Type> {
    let mut fields: Vec<TypePtr> = Vec::new();
    for (name, column) in &table.columns {
        let field = match column {
            Column::Text(_) => Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::String))
                .with_converted_type(ConvertedType::UTF8),
            Column::Double(_) => Type::primitive_type_builder(name, Physical::DOUBLE)
                .with_repetition(Repetition::REQUIRED),
            Column::Float(_) => Type::primitive_type_builder(name, Physical::FLOAT)
                .with_repetition(Repetition::REQUIRED),
        };
        fields.push(Arc::new(field.build()?));
    }
    let element = Type::primitive_type_builder("element", Physical::FLOAT)
        .with_repetition(Repetition::REQUIRED)
        .build()?;
    let list = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![Arc::new(element)])
        .build()?;
    let embedding = Type::group_type_builder("embedding")
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::List))
        .with_converted_type(ConvertedType::LIST)
        .with_fields(vec![Arc::new(list)])
        .build()?;
    fields.push(Arc::new(embedding));
    Ok(Type::group_type_builder("schema").with_fields(fields).build()?)
}

fn write_column<W: Write + Send>(
    rows: &mut SerializedRowGroupWriter<'_, W>,
    column: &Column,
) -> Result<()> {
    let mut writer = rows.next_column()?.context("the table has a column too many")?;
    match column {
        Column::Text(values) => {
            let present: Vec<ByteArray> =
                values.iter().flatten().map(|text| text.as_str().into()).collect();
            let levels: Vec<i16> = values.iter().map(|text| i16::from(text.is_some())).collect();
            writer.typed::<ByteArrayType>().write_batch(&present, Some(&levels), None)?;
        }
        Column::Double(values) => {
            writer.typed::<DoubleType>().write_batch(values, None, None)?;
        }
        Column::Float(values) => {
            writer.typed::<FloatType>().write_batch(values, None, None)?;
        }
    }
    writer.close()?;
    Ok(())
}

/// Row after row; a value that begins a row has repetition level 0, the others 1.
fn write_embeddings<W: Write + Send>(
    rows: &mut SerializedRowGroupWriter<'_, W>,
    table: &Table,
) -> Result<()> {
    let mut writer = rows.next_column()?.context("the table has a column too many")?;
    let width = table.embeddings.ncols();
    let begins: Vec<i16> = (0..width).map(|column| i16::from(column > 0)).collect();
    let present = vec![1; width];
    for row in table.embeddings.outer_iter() {
        let values = row.to_vec();
        let writer = writer.typed::<FloatType>();
        writer.write_batch(&values, Some(&present), Some(&begins))?;
    }
    writer.close()?;
    Ok(())
}

//! Matrices as `numpy.save` writes them, <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.
//!
//! An own reader, because the file's header is not to be believed: the crate `ndarray-npy` allocates
//! what the header claims before it has seen a byte of it. Here the file's length decides.

mod header;

use std::io::{BufReader, Read};

use ndarray::{Array2, ShapeBuilder};

pub use self::header::NpyError;
use self::header::{Element, Header};

/// The bytes before the first number of a float32 matrix of that many rows and columns, row after row.
#[must_use]
pub fn header_of_rows(shape: (usize, usize)) -> Vec<u8> {
    Header::of_rows(shape)
}

/// Reads a matrix of float32 or float64 numbers, all of them finite, with at least one row and one
/// column, out of a file of `length` bytes.
///
/// # Errors
///
/// [`NpyError`]: the file cannot be read, is none of these, or is not as long as it says.
pub fn read(file: impl Read, length: u64) -> Result<Array2<f32>, NpyError> {
    let mut reader = BufReader::new(file);
    let (header, header_bytes) = Header::read(&mut reader)?;
    let values = header.check_length(length, header_bytes)?;

    let data = read_values(&mut reader, header.element, values)?;
    let shape = (header.rows, header.columns).set_f(header.column_major);
    let matrix = Array2::from_shape_vec(shape, data)
        .map_err(|error| NpyError::new(error.to_string()))?
        .as_standard_layout()
        .into_owned();
    for (row, values) in matrix.rows().into_iter().enumerate() {
        if let Some(column) = values.iter().position(|value| !value.is_finite()) {
            return Err(NpyError::new(format!(
                "row {row} (counted from 0) has {} in column {column}: expected finite numbers that fit float32",
                values[column],
            )));
        }
    }
    Ok(matrix)
}

fn read_values(
    reader: &mut impl Read,
    element: Element,
    count: usize,
) -> Result<Vec<f32>, NpyError> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| NpyError::new("it does not fit into memory"))?;
    let mut four = [0; 4];
    let mut eight = [0; 8];
    for _ in 0..count {
        values.push(match element {
            Element::Float32 => {
                reader.read_exact(&mut four)?;
                f32::from_le_bytes(four)
            }
            Element::Float64 => {
                reader.read_exact(&mut eight)?;
                narrow(f64::from_le_bytes(eight))
            }
        });
    }
    Ok(values)
}

/// What does not fit becomes infinite, and is then refused with its row.
#[expect(clippy::cast_possible_truncation, reason = "embeddings are compared as float32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// A file of version 1.0 with this header and these bytes behind it.
    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Result<Array2<f32>, NpyError> {
        read(bytes, bytes.len() as u64)
    }

    fn failure(bytes: &[u8]) -> String {
        read_bytes(bytes).unwrap_err().to_string()
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    const SIX: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

    #[test]
    fn rows_and_columns_are_told_apart() {
        let c = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
        let matrix = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        assert_eq!(read_bytes(&npy(c, &floats(&SIX))).unwrap(), matrix);
        let fortran = "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }\n";
        let read = read_bytes(&npy(fortran, &floats(&SIX))).unwrap();
        assert_eq!(read, matrix.t());
        assert!(read.is_standard_layout());
    }

    #[test]
    fn doubles_are_rounded_to_floats() {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)}";
        let data: Vec<u8> = [0.1_f64, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(read_bytes(&npy(header, &data)).unwrap(), array![[0.1_f32, -2.0]]);
    }

    #[test]
    fn versions_two_and_three_have_a_longer_length() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }";
        for version in [2, 3] {
            let mut bytes = b"\x93NUMPY".to_vec();
            bytes.extend([version, 0]);
            bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
            bytes.extend(header.as_bytes());
            bytes.extend(7.0_f32.to_le_bytes());
            assert_eq!(read_bytes(&bytes).unwrap(), array![[7.0]]);
        }
    }

    #[test]
    fn a_header_that_claims_more_than_the_file_holds_allocates_nothing() {
        for shape in ["(1152921504606846976, 4)", "(4611686018427387904, 4)", "(3, 3)", "(1, 5)"] {
            let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
            let message = failure(&npy(&header, &floats(&SIX)));
            assert!(message.contains("bytes"), "{shape}: {message}");
        }
        let mut huge_header = b"\x93NUMPY\x02\x00".to_vec();
        huge_header.extend(u32::MAX.to_le_bytes());
        assert!(failure(&huge_header).contains("header"), "{}", failure(&huge_header));
    }

    #[test]
    fn numbers_that_are_not_finite_are_named_by_row() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let message = failure(&npy(header, &floats(&[1.0, 2.0, 3.0, 4.0, f32::NAN, 6.0])));
        assert!(message.contains("row 1 (counted from 0) has NaN in column 1"), "{message}");
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }";
        assert!(failure(&npy(header, &1e300_f64.to_le_bytes())).contains("row 0"));
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let whole = npy(header, &floats(&SIX));
        for length in 0..whole.len() {
            assert!(read_bytes(&whole[..length]).is_err(), "{length} bytes");
        }
        let longer: Vec<u8> = whole.iter().copied().chain([0]).collect();
        assert!(read_bytes(&longer).is_err());
    }
}

//! The header of a `.npy` file: a Python dictionary of three entries, written as text.

use std::io::Read;

/// Why a file is not read as a matrix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NpyError(String);

impl NpyError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl From<std::io::Error> for NpyError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

type Result<T, E = NpyError> = std::result::Result<T, E>;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// `numpy.load` itself reads headers of at most 10,000 bytes.
const MAX_HEADER_BYTES: usize = 10_000;

/// What the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    Float32,
    Float64,
}

/// What the file says of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    pub element: Element,
    /// Fortran's order.
    pub column_major: bool,
    pub rows: usize,
    pub columns: usize,
}

impl Header {
    /// Reads up to the first number, and says how many bytes that were.
    pub fn read(reader: &mut impl Read) -> Result<(Self, u64)> {
        let mut start = [0; 8];
        let too_short = |_| NpyError::new("it is too short for a .npy file");
        reader.read_exact(&mut start).map_err(too_short)?;
        if !start.starts_with(MAGIC) {
            return Err(NpyError::new("it is not a .npy file: numpy.save writes one"));
        }
        let cut = |_| NpyError::new("its header is cut short");
        let (length, length_bytes) = match start[6] {
            1 => {
                let mut length = [0; 2];
                reader.read_exact(&mut length).map_err(cut)?;
                (usize::from(u16::from_le_bytes(length)), 2)
            }
            2 | 3 => {
                let mut length = [0; 4];
                reader.read_exact(&mut length).map_err(cut)?;
                (usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX), 4)
            }
            version => {
                let found = format!("it has format version {version}: expected 1, 2 or 3");
                return Err(NpyError::new(found));
            }
        };
        if length > MAX_HEADER_BYTES {
            return Err(NpyError::new(format!(
                "its header claims {length} bytes: expected at most {MAX_HEADER_BYTES}"
            )));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).map_err(cut)?;
        let text = str::from_utf8(&text).map_err(|_| NpyError::new("its header is not text"))?;
        let header = Self::parse(text).map_err(|reason| {
            NpyError::new(format!("its header is {:?}: {reason}", text.trim()))
        })?;
        Ok((header, (8 + length_bytes + length) as u64))
    }

    /// The bytes before the first number of a float32 matrix of that many rows and columns, row
    /// after row; padded as `numpy.save` does, so that numbers begin at a multiple of 64 bytes.
    pub fn of_rows((rows, columns): (usize, usize)) -> Vec<u8> {
        let text =
            format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
        let unpadded = MAGIC.len() + 4 + text.len() + 1;
        let length = text.len() + unpadded.next_multiple_of(64) - unpadded + 1;
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        // Two numbers of at most 20 digits each: a header of at most 118 bytes.
        bytes.extend([length.to_le_bytes()[0], 0]);
        bytes.extend(format!("{text:<width$}\n", width = length - 1).bytes());
        bytes
    }

    /// The number of values, if that many follow the header in a file of `file_bytes`.
    pub fn check_length(&self, file_bytes: u64, header_bytes: u64) -> Result<usize> {
        let size = match self.element {
            Element::Float32 => 4,
            Element::Float64 => 8,
        };
        let values = self.rows.checked_mul(self.columns);
        let expected = values.and_then(|values| u64::try_from(values).ok()?.checked_mul(size));
        let found = file_bytes.saturating_sub(header_bytes);
        match values {
            Some(values) if expected == Some(found) => Ok(values),
            _ => Err(NpyError::new(format!(
                "its header claims {} x {} numbers of {size} bytes, and {found} bytes follow: \
                 it is cut short or damaged",
                self.rows, self.columns,
            ))),
        }
    }

    /// The entries are looked for by their names, in any order: the length of the file decides whether it is believed.
    fn parse(text: &str) -> Result<Self> {
        let numbers = entry(text, "shape")?.strip_prefix('(').and_then(|list| list.split_once(')'));
        let (numbers, _) = numbers.ok_or_else(|| NpyError::new("`shape` is no list"))?;
        let number = |text: &str| {
            let found = || NpyError::new(format!("expected a number that fits, found {text:?}"));
            text.parse::<usize>().map_err(|_| found())
        };
        let numbers = numbers.split(',').map(str::trim).filter(|number| !number.is_empty());
        let shape = numbers.map(number).collect::<Result<Vec<_>>>()?;
        let [rows, columns] = shape[..] else {
            return fault(format!(
                "it has {} dimensions: expected a matrix, rows x values",
                shape.len()
            ));
        };
        if rows == 0 || columns == 0 {
            return fault(format!("it is empty: {rows} x {columns}"));
        }
        let element = match entry(text, "descr")?.split(['\'', '"']).nth(1) {
            Some("<f4") => Element::Float32,
            Some("<f8") => Element::Float64,
            other => {
                return fault(format!(
                    "its numbers are of type `{}`: expected `<f4` or `<f8`, as .astype('<f4') makes",
                    other.unwrap_or_default()
                ));
            }
        };
        let order = entry(text, "fortran_order")?;
        let column_major = order.starts_with("True");
        if !column_major && !order.starts_with("False") {
            return fault("`fortran_order` is neither `True` nor `False`");
        }
        Ok(Self { element, column_major, rows, columns })
    }
}

/// What stands behind the name of an entry.
fn entry<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    let names = [format!("'{name}'"), format!("\"{name}\"")];
    let found = names.iter().find_map(|name| Some(text.split_once(name.as_str())?.1.trim_start()));
    let value = found.and_then(|found| Some(found.strip_prefix(':')?.trim_start()));
    value.ok_or_else(|| NpyError::new(format!("`{name}` is missing")))
}

fn fault<T>(reason: impl Into<String>) -> Result<T> {
    Err(NpyError::new(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_spaces_and_quotes_do_not_matter() {
        let expected =
            Header { element: Element::Float64, column_major: true, rows: 10, columns: 3 };
        for text in [
            "{'descr': '<f8', 'fortran_order': True, 'shape': (10, 3), }   \n",
            "{\"shape\":(10,3,),'fortran_order':True,\"descr\":\"<f8\"}",
        ] {
            assert_eq!(Header::parse(text).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_not_expected_is_explained() {
        let whole = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }";
        for (from, to, expected) in [
            (whole, "", "`shape` is missing"),
            ("'descr'", "'names'", "`descr` is missing"),
            ("'fortran_order'", "", "`fortran_order` is missing"),
            ("'<f4'", "'>f4'", "`>f4`"),
            ("'<f4'", "'<i8'", "`<i8`"),
            ("'<f4'", "[('a', '<f4')]", "`a`"),
            ("'<f4', 'fortran_order': False, 'shape': (1, 1), }", "", "`shape` is missing"),
            ("(1, 1)", "()", "0 dimensions"),
            ("(1, 1)", "(3,)", "1 dimensions"),
            ("(1, 1)", "(1, 2, 3)", "3 dimensions"),
            ("(1, 1)", "(0, 3)", "empty"),
            ("(1, 1)", "(-1, 3)", "expected a number"),
            ("(1, 1)", "(99999999999999999999, 3)", "expected a number"),
            ("(1, 1), }", "(1, 3", "no list"),
            ("False", "1", "`False`"),
        ] {
            let text = whole.replace(from, to);
            let error = Header::parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

//! The header of a `.npy` file: a Python dictionary of three entries, written as text.

use std::io::Read;

use super::error::NpyError;

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

    fn parse(text: &str) -> Result<Self> {
        let mut cursor = Cursor(text);
        let (mut element, mut column_major, mut shape) = (None, None, None);
        cursor.expect("{")?;
        while !cursor.accept("}") {
            match cursor.string()? {
                "descr" => element = Some(element_of(cursor.after(":")?.string()?)?),
                "fortran_order" => column_major = Some(cursor.after(":")?.boolean()?),
                "shape" => shape = Some(cursor.after(":")?.tuple()?),
                other => return fault(format!("`{other}` is not an entry that was expected")),
            }
            if !cursor.accept(",") {
                cursor.expect("}")?;
                break;
            }
        }
        if !cursor.0.trim().is_empty() {
            return fault("something follows the closing brace");
        }
        let missing = |entry| NpyError::new(format!("`{entry}` is missing"));
        let shape = shape.ok_or_else(|| missing("shape"))?;
        let [rows, columns] = shape[..] else {
            return fault(format!(
                "it has {} dimensions: expected a matrix, rows x values",
                shape.len()
            ));
        };
        if rows == 0 || columns == 0 {
            return fault(format!("it is empty: {rows} x {columns}"));
        }
        Ok(Self {
            element: element.ok_or_else(|| missing("descr"))?,
            column_major: column_major.ok_or_else(|| missing("fortran_order"))?,
            rows,
            columns,
        })
    }
}

fn element_of(descr: &str) -> Result<Element> {
    match descr {
        "<f4" => Ok(Element::Float32),
        "<f8" => Ok(Element::Float64),
        _ => fault(format!(
            "its numbers are of type `{descr}`: expected `<f4` or `<f8`, as .astype('<f4') makes"
        )),
    }
}

fn fault<T>(reason: impl Into<String>) -> Result<T> {
    Err(NpyError::new(reason))
}

/// The rest of the text.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn accept(&mut self, token: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(token);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.accept(token) {
            return Ok(());
        }
        fault(format!("expected `{token}` before {:?}", self.0))
    }

    fn after(&mut self, token: &str) -> Result<&mut Self> {
        self.expect(token)?;
        Ok(self)
    }

    fn string(&mut self) -> Result<&'a str> {
        let quote = if self.accept("\"") { '"' } else { '\'' };
        if quote == '\'' {
            self.expect("'")?;
        }
        let (text, rest) =
            self.0.split_once(quote).ok_or_else(|| NpyError::new("a string does not end"))?;
        self.0 = rest;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool> {
        if self.accept("True") {
            return Ok(true);
        }
        self.expect("False")?;
        Ok(false)
    }

    fn tuple(&mut self) -> Result<Vec<usize>> {
        let mut numbers = Vec::new();
        self.expect("(")?;
        while !self.accept(")") {
            numbers.push(self.number()?);
            if !self.accept(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(numbers)
    }

    fn number(&mut self) -> Result<usize> {
        let text = self.0.trim_start();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        self.0 = rest;
        digits
            .parse()
            .map_err(|_| NpyError::new(format!("expected a number that fits, found {digits:?}")))
    }
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
        for (text, expected) in [
            ("", "`{`"),
            ("{}", "`shape` is missing"),
            ("{'shape': (1, 1)}", "`descr` is missing"),
            ("{'descr': '<f4', 'shape': (1, 1)}", "`fortran_order` is missing"),
            ("{'descr': '>f4', }", "`>f4`"),
            ("{'descr': '<i8', }", "`<i8`"),
            ("{'descr': [('a', '<f4')], }", "expected `'`"),
            ("{'shape': (), }", "0 dimensions"),
            ("{'shape': (3,), }", "1 dimensions"),
            ("{'shape': (1, 2, 3), }", "3 dimensions"),
            ("{'shape': (0, 3), }", "empty"),
            ("{'shape': (-1, 3), }", "expected a number"),
            ("{'shape': (99999999999999999999, 3), }", "expected a number"),
            ("{'shape': (1, 3", "`)`"),
            ("{'fortran_order': 1}", "`False`"),
            ("{'shape", "does not end"),
            ("{'names': 1}", "`names`"),
            ("{'shape': (1, 1)} x", "follows"),
        ] {
            let error = Header::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}

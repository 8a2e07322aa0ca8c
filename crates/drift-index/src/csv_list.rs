//! Lists that people make: CSV files with names of columns in their first line.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use csv::{Reader, ReaderBuilder, StringRecord, Trim};

use crate::text_file;

/// A list that was read.
pub struct CsvList {
    path: PathBuf,
    header: StringRecord,
    reader: Reader<Cursor<String>>,
}

impl CsvList {
    pub fn open(path: &Path) -> Result<Self> {
        Self::parse(path, text_file::read_text(path)?)
    }

    /// The list that stands in the file at `path`, without a byte order mark. The white space around names and values is
    /// nobody's: a class with a space behind it would be another class.
    pub fn parse(path: &Path, text: String) -> Result<Self> {
        if let Some(line) = unclosed_quote(&text) {
            bail!("line {line} of {} opens a quote that is not closed", path.display());
        }
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(Cursor::new(text));
        let header = reader.headers().with_context(|| format!("cannot read {}", path.display()));
        let header = header?.clone();
        if let Some(separator) = other_separator(&header) {
            bail!(
                "the columns of {} are separated by {separator}: save it as CSV in UTF-8 with commas",
                path.display()
            );
        }
        Ok(Self { path: path.to_owned(), header, reader })
    }

    pub fn header(&self) -> &StringRecord {
        &self.header
    }

    /// Where the column of this name is, if it is there. Of two nobody knows which is meant.
    pub fn find(&self, column: &str) -> Result<Option<usize>> {
        let mut found = (0..self.header.len()).filter(|&place| &self.header[place] == column);
        let first = found.next();
        ensure!(found.next().is_none(), "{} has two columns `{column}`", self.path.display());
        Ok(first)
    }

    pub fn column(&self, column: &str) -> Result<usize> {
        self.find(column)?.with_context(|| {
            let names = self.header.iter().collect::<Vec<_>>().join(", ");
            format!("{} has no column `{column}`; it has {names}", self.path.display())
        })
    }

    pub fn rows(&mut self) -> impl Iterator<Item = Result<StringRecord>> {
        let path = &self.path;
        let read = move || format!("cannot read {}", path.display());
        self.reader.records().map(move |row| row.with_context(read))
    }
}

/// A header that is one name to us and several to somebody else, as spreadsheets write it where commas are decimal.
fn other_separator(header: &StringRecord) -> Option<&'static str> {
    let only = header.get(0).filter(|_| header.len() == 1)?;
    let separators = [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")];
    separators.into_iter().find(|(sign, _)| only.contains(*sign)).map(|(_, name)| name)
}

/// The line of the first value that begins with a quote and does not end with one. Such a value goes on to the next
/// quote, in another row, or to the end of the file, and takes all in between for text.
fn unclosed_quote(text: &str) -> Option<usize> {
    let (mut line, mut begins) = (1, true);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        if character != '"' || !begins {
            line += usize::from(ends_line(character, rest.peek()));
            begins = matches!(character, ',' | '\r' | '\n');
            continue;
        }
        let first = line;
        loop {
            match rest.next() {
                None => return Some(first),
                Some('"') if rest.next_if_eq(&'"').is_none() => break,
                Some(inside) => line += usize::from(ends_line(inside, rest.peek())),
            }
        }
        while rest.next_if(|after| matches!(after, ' ' | '\t')).is_some() {}
        if !matches!(rest.peek(), None | Some(',' | '\r' | '\n')) {
            return Some(first);
        }
        begins = false;
    }
    None
}

/// Lines end with a line feed, a carriage return, or both.
fn ends_line(character: char, next: Option<&char>) -> bool {
    character == '\n' || (character == '\r' && next != Some(&'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_that_is_not_closed_is_an_error_of_its_line() {
        let head = "image,label\n";
        for (rows, line) in [
            ("a.png,\"good\nb.png,bad\n", Some(2)),
            ("a.png,good\nb.png,\"bad", Some(3)),
            ("a.png,\"go\nod\"\n\"b.png,bad\n", Some(4)),
            // Closed by the quote that another row opens.
            ("a.png,\"good\nb.png,\"bad\"\n", Some(2)),
            ("a.png,\"5\"\" \" \r\n\"b.png\",\"\"\n", None),
            ("a.png,5\" tube\n", None),
            // Lines as old spreadsheets end them.
            ("a.png,\"good\"\r\"b.png\",bad\r", None),
            ("a.png,\"good\"\rb.png,\"bad\r", Some(3)),
            ("a.png,\"go\r\nod\"\r\n\"b.png,bad\r\n", Some(4)),
        ] {
            let list = CsvList::parse(Path::new("a.csv"), format!("{head}{rows}"));
            let expected = line.map(|line| format!("line {line} of a.csv opens a quote"));
            let error = list.err().map(|error| error.to_string());
            assert_eq!(error.is_some(), expected.is_some(), "{rows}: {error:?}");
            assert!(error.unwrap_or_default().starts_with(&expected.unwrap_or_default()), "{rows}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "\u{feff}image,label\n").unwrap();
        let list = CsvList::open(&path).unwrap();
        let found = ["image", "label", "item"].map(|name| list.find(name).unwrap());
        assert_eq!(found, [Some(0), Some(1), None]);
    }

    #[test]
    fn white_space_is_no_part_of_names_and_values() {
        let text = "image , label\na.png,\tgood \nb.png,\" bad\"\n";
        let mut list = CsvList::parse(Path::new("a.csv"), text.into()).unwrap();
        let label = list.column("label").unwrap();
        let labels: Vec<_> = list.rows().map(|row| row.unwrap()[label].to_owned()).collect();
        assert_eq!(labels, ["good", "bad"]);
    }

    #[test]
    fn another_separator_is_named() {
        for (text, expected) in [
            ("image;label;item\na;b;c\n", "separated by semicolons"),
            ("image;label\n", "separated by semicolons"),
            ("image\tlabel\n", "separated by tabs"),
        ] {
            let error = CsvList::parse(Path::new("a.csv"), text.into()).err().unwrap().to_string();
            assert!(error.contains(expected) && error.contains("with commas"), "{error}");
        }
        assert!(CsvList::parse(Path::new("a.csv"), "image\na;b.png\n".into()).is_ok());
    }
}

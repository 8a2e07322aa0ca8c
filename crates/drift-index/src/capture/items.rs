//! The list of physical parts in a data set, as `make train` reads it.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::labels::LabeledImage;
use crate::csv_list::CsvList;
use crate::text_file::BYTE_ORDER_MARK;
use crate::whole_file;

/// Its name in the data set's folder.
pub const ITEMS: &str = "items.csv";
const HEADER: [&str; 3] = ["image", "label", "item"];

/// The list as it is to be.
pub struct Items {
    path: PathBuf,
    text: String,
    /// How many rows are new.
    pub rows: usize,
    /// A last row that somebody had begun to write and that is left out.
    pub unfinished: Option<String>,
}

impl Items {
    /// The list of a data set with these images in it; `None` where the data set has none.
    pub fn with(dataset: &Path, images: &[LabeledImage]) -> Result<Option<Self>> {
        let path = dataset.join(ITEMS);
        if !path.is_file() {
            return Ok(None);
        }
        let place = || format!("cannot use {}", path.display());
        let text = fs::read_to_string(&path).with_context(place)?;
        let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let rows = images.iter().map(|image| Ok((image.file(), row(image, line_end)?)));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let (mut text, unfinished) = whole_lines(text, line_end, &rows);
        let listed = listed(&path, &text).with_context(place)?;
        let new: Vec<&str> = rows
            .iter()
            .filter(|(file, _)| !listed.contains(file))
            .map(|(_, row)| row.as_str())
            .collect();
        text.push_str(&new.concat());
        Ok(Some(Self { path, text, rows: new.len(), unfinished }))
    }

    /// Replaces the list, whole or not at all.
    pub fn write(&self) -> Result<()> {
        if self.rows == 0 && self.unfinished.is_none() {
            return Ok(());
        }
        whole_file::write_with(&self.path, |file| {
            file.write_all(self.text.as_bytes())?;
            Ok(file.set_permissions(fs::metadata(&self.path)?.permissions())?)
        })
    }
}

fn row(image: &LabeledImage, line_end: &str) -> Result<String> {
    let file = image.file();
    let sha256 = file.rsplit('/').next().unwrap_or_default().get(..16).unwrap_or_default();
    let item = image.item.clone().unwrap_or_else(|| format!("captured-{sha256}"));
    let mut writer = csv::WriterBuilder::new()
        .terminator(match line_end {
            "\n" => csv::Terminator::Any(b'\n'),
            _ => csv::Terminator::CRLF,
        })
        .from_writer(Vec::new());
    writer.write_record([file.as_str(), &image.label, &item])?;
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// The text up to its last whole row, with an end to it, and what follows where that is the beginning of a row.
///
/// People's editors may leave out the last line's end. A row that a program had begun to write when it was killed has
/// too few columns, or is the beginning of the very row that is wanted now.
fn whole_lines(
    mut text: String,
    line_end: &str,
    rows: &[(String, String)],
) -> (String, Option<String>) {
    let Some(end) = text.rfind('\n') else {
        text.push_str(line_end);
        return (text, None);
    };
    let last = &text[end + 1..];
    if last.is_empty() {
        return (text, None);
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(last.as_bytes());
    let columns = reader.records().next().and_then(Result::ok).map_or(0, |row| row.len());
    let is_beginning = rows.iter().any(|(_, row)| row.starts_with(last) && row.trim_end() != last);
    if columns == HEADER.len() && !is_beginning {
        text.push_str(line_end);
        return (text, None);
    }
    let unfinished = text.split_off(end + 1);
    (text, Some(unfinished))
}

/// The images in the list.
fn listed(path: &Path, text: &str) -> Result<HashSet<String>> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut list = CsvList::parse(path, text.to_owned())?;
    ensure!(
        list.header().iter().eq(HEADER),
        "{} has other columns than image, label, item",
        path.display()
    );
    list.rows().map(|row| Ok(row?.get(0).unwrap_or_default().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(digit: &str) -> LabeledImage {
        let path = format!("images/{0}{0}/{1}.png", digit, digit.repeat(64));
        LabeledImage { path, label: "good".into(), item: None }
    }

    /// The list that is made of this one for images 1 and 2, where `{1}` and `{2}` are their rows without their ends.
    #[track_caller]
    fn becomes(before: &str, after: &str, rows: usize, unfinished: Option<&str>) {
        let fill = |text: &str| {
            let row = |digit: &str| row(&image(digit), "").unwrap().trim_end().to_owned();
            text.replace("{1}", &row("1")).replace("{2}", &row("2"))
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ITEMS);
        fs::write(&path, fill(before)).unwrap();
        let images = [image("1"), image("2")];
        let items = Items::with(folder.path(), &images).unwrap().unwrap();
        assert_eq!((items.rows, items.unfinished.as_deref()), (rows, unfinished), "{before}");
        items.write().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), fill(after));
        let again = Items::with(folder.path(), &images).unwrap().unwrap();
        assert_eq!((again.rows, again.unfinished), (0, None), "{before}");
    }

    #[test]
    fn rows_are_appended_to_whatever_was_left_there() {
        let head = "image,label,item\n";
        let both = format!("{head}{{1}}\n{{2}}\n");
        becomes(head, &both, 2, None);
        becomes(head.trim_end(), &both, 2, None);
        becomes(&format!("\u{feff}{head}"), &format!("\u{feff}{both}"), 2, None);
        becomes(&format!("{head}{{2}}"), &format!("{head}{{2}}\n{{1}}\n"), 1, None);
        let x = "x.png,good,1";
        becomes(&format!("{head}{x}"), &format!("{head}{x}\n{{1}}\n{{2}}\n"), 2, None);
        becomes(&format!("{head}{x}\r\n"), &format!("{head}{x}\r\n{{1}}\r\n{{2}}\r\n"), 2, None);
    }

    #[test]
    fn an_unfinished_row_is_left_out() {
        let head = "image,label,item\n";
        let both = format!("{head}{{1}}\n{{2}}\n");
        becomes(&format!("{head}good/11"), &both, 2, Some("good/11"));
        becomes(&format!("{head}x.png,goo"), &both, 2, Some("x.png,goo"));
        // With as many columns as a row, and cut in the last one.
        let cut = format!("good/{}.png,good,captured-11", "1".repeat(64));
        becomes(&format!("{head}{cut}"), &both, 2, Some(&cut));
        becomes(&format!("{head}{{1}}\n\"x"), &both, 1, Some("\"x"));
    }

    #[test]
    fn another_list_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |text: &str| {
            fs::write(folder.path().join(ITEMS), text).unwrap();
            let error = Items::with(folder.path(), &[image("1")]).err().unwrap();
            assert_eq!(fs::read_to_string(folder.path().join(ITEMS)).unwrap(), text);
            format!("{error:#}")
        };
        assert!(refused("image,item\n").contains("other columns"));
        assert!(refused("image,label,item\na,b\nc,d,e\n").contains("cannot read"));
        assert!(Items::with(&folder.path().join("none"), &[]).unwrap().is_none());
    }
}

//! Groups by a column of a CSV file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail, ensure};

use crate::csv_list::CsvList;

/// A file and the name of one of its columns, written `FILE.csv:COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvColumn {
    pub file: PathBuf,
    pub column: String,
}

impl FromStr for CsvColumn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            Some((file, column)) if !file.is_empty() && !column.is_empty() => {
                Ok(Self { file: file.into(), column: column.to_owned() })
            }
            _ => Err("expected a file and a column, for example items.csv:item".into()),
        }
    }
}

impl CsvColumn {
    /// Image to group; the empty one is none.
    pub fn read(&self) -> Result<HashMap<String, String>> {
        let place = self.file.display();
        ensure!(self.file.is_file(), "{place} (of --group-csv) is not a file");
        let mut list = CsvList::open(&self.file)?;
        let first = list.header().get(0).unwrap_or_default();
        ensure!(
            first == "image",
            "the first column of {place} is called `{first}`: expected `image`, with paths relative to the folder"
        );
        let column = list.column(&self.column)?;
        let mut groups = HashMap::new();
        for record in list.rows() {
            let record = record?;
            let field = |position| record.get(position).unwrap_or_default();
            let (image, group) = (normal_path(field(0)), field(column).to_owned());
            if group.is_empty() {
                groups.entry(image).or_default();
                continue;
            }
            if let Some(other) = groups.insert(image, group.clone())
                && !other.is_empty()
                && other != group
            {
                bail!("{place} puts {} into the groups `{other}` and `{group}`", field(0));
            }
        }
        Ok(groups)
    }
}

/// `./a\b.png` as `a/b.png`.
fn normal_path(text: &str) -> String {
    let text = text.replace('\\', "/");
    text.strip_prefix("./").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(content: &str) -> Result<HashMap<String, String>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("items.csv");
        fs::write(&file, content).unwrap();
        CsvColumn { file, column: "item".into() }.read()
    }

    #[test]
    fn a_csv_names_groups_by_image() {
        let groups = read("image,label,item\nok/1.png,ok,7\n.\\ok\\2.png,ok,8\nx,ok,\n").unwrap();
        let found = ["ok/1.png", "ok/2.png", "x"].map(|image| groups.get(image));
        assert_eq!(found.map(|group| group.map(String::as_str)), [Some("7"), Some("8"), Some("")]);
    }

    #[test]
    fn a_csv_that_does_not_fit_is_explained() {
        for (content, expected) in [
            ("file,item\n", "first column"),
            ("image,part\n", "no column `item`; it has image, part"),
            ("image,item\na,1\na,2\n", "groups `1` and `2`"),
            ("image,item\na\n", "cannot read"),
            ("image,item,item\na,1,2\n", "two columns `item`"),
            ("", "first column"),
        ] {
            let error = read(content).err().unwrap();
            assert!(format!("{error:#}").contains(expected), "{content:?}: {error:#}");
        }
    }

    #[test]
    fn a_column_is_what_follows_the_last_colon() {
        let column: CsvColumn = "C:/a.csv:item".parse().unwrap();
        assert_eq!((column.file.to_str(), column.column.as_str()), (Some("C:/a.csv"), "item"));
        assert!("a.csv".parse::<CsvColumn>().is_err());
        assert!("a.csv:".parse::<CsvColumn>().is_err());
    }
}

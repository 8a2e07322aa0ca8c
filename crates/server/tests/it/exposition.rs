//! A strict reader of Prometheus's text format 0.0.4: what it does not know is a failure.

use std::collections::{BTreeMap, BTreeSet};

use crate::server::Server;

/// What was read.
#[derive(Debug)]
pub struct Exposition {
    /// The type of each family.
    pub families: BTreeMap<String, String>,
    samples: BTreeMap<Series, f64>,
}

/// A name and its labels, sorted.
type Series = (String, BTreeMap<String, String>);

impl Exposition {
    pub fn of(server: &Server) -> Self {
        let answer = server.get("/metrics");
        assert_eq!(answer.status, 200);
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(answer.header("content-type"), Some(kind));
        Self::parse(answer.text())
    }

    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'));
        let mut read = Self { families: BTreeMap::new(), samples: BTreeMap::new() };
        let (mut helped, mut current) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, said) = help.split_once(' ').unwrap();
                assert!(said.len() > 5, "{line}");
                name.clone_into(&mut helped);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, helped, "help before type");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(read.families.insert(name.into(), kind.into()).is_none(), "twice: {line}");
                name.clone_into(&mut current);
            } else {
                let (series, value) = sample(line);
                let family = read.families.get(&current).unwrap();
                let suffix = series.0.strip_prefix(&current).unwrap();
                let parts = ["_bucket", "_sum", "_count"];
                assert_eq!(family == "histogram", parts.contains(&suffix), "{line}");
                assert!(read.samples.insert(series, value).is_none(), "twice: {line}");
            }
        }
        read
    }

    /// The value of the only series that has these labels and no others.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let series = (name.to_owned(), labels.iter().map(owned).collect());
        self.samples.get(&series).copied()
    }

    /// The value of the only series of a family that counts things.
    pub fn number(&self, name: &str) -> usize {
        let value = self.value(name, &[]).unwrap_or_else(|| panic!("no {name}"));
        value.to_string().parse().unwrap()
    }

    /// The labels of the only series of a family.
    pub fn labels(&self, name: &str) -> &BTreeMap<String, String> {
        let mut found = self.samples.keys().filter(|(known, _)| known == name);
        let (_, labels) = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none(), "{name} more than once");
        labels
    }

    /// Every histogram rises from bucket to bucket, and the last has all.
    pub fn check_histograms(&self) {
        let mut buckets: BTreeMap<Series, Vec<(f64, f64)>> = BTreeMap::new();
        for ((name, labels), value) in &self.samples {
            if let Some(family) = name.strip_suffix("_bucket") {
                let mut labels = labels.clone();
                let bound = labels.remove("le").unwrap().replace("+Inf", "inf");
                let series = (family.to_owned(), labels);
                buckets.entry(series).or_default().push((bound.parse().unwrap(), *value));
            }
        }
        assert!(buckets.len() > 5);
        for ((family, labels), mut buckets) in buckets {
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{family}: {buckets:?}");
            let last = buckets.last().unwrap();
            assert!(last.0.is_infinite());
            let count = self.samples.get(&(format!("{family}_count"), labels.clone())).unwrap();
            assert_eq!(last.1.to_bits(), count.to_bits(), "{family} {labels:?}");
            assert!(self.samples.contains_key(&(format!("{family}_sum"), labels)));
        }
    }

    /// Names of all samples.
    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|(name, _)| name.as_str()).collect()
    }
}

/// `name{label="value",…} 1.5`
fn sample(line: &str) -> (Series, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert_name(name);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert_name(label);
            let (value, after) = quoted(after);
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line}");
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap().parse().unwrap();
    ((name.to_owned(), labels), value)
}

/// A value up to its closing quote, and what follows that.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match letters.next().unwrap().1 {
                'n' => value.push('\n'),
                escaped @ ('"' | '\\') => value.push(escaped),
                other => panic!("\\{other} in {text}"),
            },
            letter => value.push(letter),
        }
    }
    panic!("no closing quote in {text}")
}

fn assert_name(name: &str) {
    let first = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    assert!(name.starts_with(first), "{name}");
    assert!(name.chars().all(|letter| first(letter) || letter.is_ascii_digit()), "{name}");
}

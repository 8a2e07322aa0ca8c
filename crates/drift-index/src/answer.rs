//! What a command answers: the same content as text and as one JSON document.

use std::fmt::{self, Display};
use std::io::{self, Write};

use anyhow::{Context, Result};
use sdd_index::WayBack;
use serde::Serialize;
use serde_json::json;

use crate::exit::ExitStatus;
use crate::images::file::Unreadable;
use crate::interrupt::Interrupted;

/// The code of an image whose file cannot be read.
pub const UNREADABLE_IMAGE: &str = "unreadable_image";

/// How many images are named in an error.
const NAMED: usize = 5;

/// How many are listed in text.
const LISTED: usize = 10;

/// Why there is no answer for one image or row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub code: &'static str,
    pub message: String,
}

impl From<&anyhow::Error> for Failure {
    fn from(error: &anyhow::Error) -> Self {
        Self { code: code(error), message: message(error) }
    }
}

impl From<&sdd_drift::Error> for Failure {
    fn from(error: &sdd_drift::Error) -> Self {
        Self { code: error.code(), message: error.to_string() }
    }
}

/// What went wrong, and the command that helps where there is one: the libraries know of no programs.
fn message(error: &anyhow::Error) -> String {
    let message = format!("{error:#}");
    let store_error = |cause: &(dyn std::error::Error + 'static)| {
        let error = match cause.downcast_ref() {
            Some(sdd_drift::Error::Store(error)) => Some(error),
            _ => cause.downcast_ref::<sdd_index::Error>(),
        };
        error.and_then(sdd_index::Error::way_back).cloned()
    };
    let model_help = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref()? {
        sdd_core::Error::Runtime { .. } => Some("`make setup` puts it in place"),
        sdd_core::Error::Device { .. } => Some("`--device cpu` does without it"),
        _ => None,
    };
    if let Some(help) = error.chain().find_map(model_help) {
        return format!("{message}: {help}");
    }
    let Some(way_back) = error.chain().find_map(store_error) else { return message };
    let WayBack { store, generation, folder_in_the_way } = way_back;
    let command = format!("`drift-index rollback {}@{generation}`", store.display());
    let help =
        if folder_in_the_way { format!("{command} once the folder is away") } else { command };
    format!("{message}: {help}")
}

/// The answer of a command.
pub struct Answer {
    status: ExitStatus,
    text: String,
    json: String,
}

#[derive(Serialize)]
struct Document<'a, T> {
    status: &'static str,
    #[serde(flatten)]
    content: &'a T,
}

impl Answer {
    /// `content` is the text by its `Display` and the document by its `Serialize`, where it gets
    /// the key `status` in front.
    pub fn new(status: ExitStatus, content: &(impl Display + Serialize)) -> Result<Self> {
        let document = Document { status: status.name(), content };
        let json = serde_json::to_string_pretty(&document).context("cannot write JSON")?;
        Ok(Self { status, text: content.to_string(), json })
    }

    /// Prints to standard output and hands back the exit status.
    pub fn print(&self, json: bool) -> Result<ExitStatus> {
        print(if json { &self.json } else { &self.text })?;
        Ok(self.status)
    }
}

/// Says on standard error what went wrong, and on standard output too where a program reads it.
pub fn report_failure(error: &anyhow::Error, json: bool) -> ExitStatus {
    eprintln!("error: {}", message(error));
    let status = match error.downcast_ref() {
        Some(sdd_drift::Error::NoHeldOutImages) => ExitStatus::TooFew,
        _ if error.is::<Interrupted>() => ExitStatus::Interrupted,
        _ => ExitStatus::Error,
    };
    if json {
        print_failure(status, &Failure::from(error));
    }
    status
}

/// The same of arguments that are none, where nobody has read yet whether JSON is wanted; or what `--help` asks for.
pub fn report_usage(error: &clap::Error) -> ExitStatus {
    // Where that fails nobody reads it.
    drop(error.print());
    if !error.use_stderr() {
        return ExitStatus::Success;
    }
    let status = ExitStatus::Error;
    if std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json")
    {
        let text = error.to_string();
        let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned();
        print_failure(status, &Failure { code: "wrong_usage", message });
    }
    status
}

fn print_failure(status: ExitStatus, failure: &Failure) {
    let failure = json!({ "status": status.name(), "error": failure });
    if let Err(error) = print(&format!("{failure:#}")) {
        eprintln!("error: {error:#}");
    }
}

/// A short name of the error that does not change with its wording.
fn code(error: &anyhow::Error) -> &'static str {
    if error.is::<Unreadable>() {
        return UNREADABLE_IMAGE;
    }
    let of_cause = |cause: &(dyn std::error::Error + 'static)| {
        if let Some(error) = cause.downcast_ref::<sdd_drift::Error>() {
            return Some(error.code());
        }
        match cause.downcast_ref::<sdd_core::Error>() {
            Some(sdd_core::Error::Image(error)) => Some(error.code()),
            Some(_) => Some("model"),
            None => cause.is::<sdd_index::Error>().then_some("reference_store"),
        }
    };
    error.chain().find_map(of_cause).unwrap_or("invalid_input")
}

/// A reader that has seen enough and closed the pipe is no error.
fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// One line of a summary: a name and what it is.
pub fn line(f: &mut fmt::Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "  {name:<12}{value}")
}

/// The first of these, a line each, and how many more there are; JSON has all.
pub fn listed(f: &mut fmt::Formatter<'_>, items: &[impl Display]) -> fmt::Result {
    items.iter().take(LISTED).try_for_each(|item| writeln!(f, "    {item}"))?;
    match items.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => writeln!(f, "    and {more} more"),
    }
}

/// `1 image`, `2 images`.
pub fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// `1 image is`, `2 images are`.
pub fn are(number: usize, one: &str) -> String {
    format!("{} {}", count(number, one), if number == 1 { "is" } else { "are" })
}

/// The first of these, for an error.
pub fn some_of(ids: &[&str]) -> String {
    ids[..ids.len().min(NAMED)].join(", ")
}

//! The figures that drift detection promises, measured anew; `make verify-drift` builds and runs this.
//!
//! Prints each figure, and unless `--dry-run` writes it into `docs/drift-figures.md`, between its markers. Exits
//! with 1 when a figure misses its bound. All randomness is seeded: two runs find the same, but for times.

#![allow(clippy::print_stdout, reason = "the figures are this program's result")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Parser;
use sdd_benches::publish;
use sdd_benches::verify::{FIGURES, Figure};

/// Measures what drift detection promises.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only the figure of this number; may be given several times
    #[arg(long)]
    figure: Vec<u8>,
    /// Only print the figures
    #[arg(long)]
    dry_run: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/drift-figures.md");

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let document = Path::new(DOCUMENT);
    let figures = chosen(&arguments.figure)?;
    if !arguments.dry_run {
        // Known before minutes of simulation rather than after.
        figures.iter().try_for_each(|figure| publish::check_place(document, figure.place))?;
    }
    let mut misses = Vec::new();
    for figure in figures {
        let begin = Instant::now();
        let section = (figure.measure)()?;
        println!("{}", section.markdown());
        eprintln!("Figure {} took {:.1} s.\n", figure.number, begin.elapsed().as_secs_f64());
        if !arguments.dry_run {
            publish::publish(document, figure.place, &section.markdown())?;
        }
        misses.extend(
            section.misses().iter().map(|miss| format!("figure {}: {miss}", figure.number)),
        );
    }
    for miss in &misses {
        eprintln!("missed: {miss}");
    }
    Ok(if misses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The figures of these numbers, all where none is given.
fn chosen(numbers: &[u8]) -> Result<Vec<Figure>> {
    if let Some(unknown) = numbers.iter().find(|n| FIGURES.iter().all(|f| f.number != **n)) {
        let known: Vec<String> = FIGURES.iter().map(|f| f.number.to_string()).collect();
        bail!("there is no figure {unknown}: expected one of {}", known.join(", "));
    }
    let wanted = |figure: &&Figure| numbers.is_empty() || numbers.contains(&figure.number);
    Ok(FIGURES.iter().filter(wanted).copied().collect())
}

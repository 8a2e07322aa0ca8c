//! The report of what a server has recorded.

use anyhow::{Context, Result, ensure};
use sdd_drift::Reference;
use sdd_monitor::{Baseline, Location, Monitor, MonitorSettings, PairId, PairSummary, Recorded};
use sdd_report::Report;

/// Of the monitor's file or database. What counts as drift is what the server stated that wrote it.
pub fn report(
    monitor: &str,
    model_sha256: Option<&str>,
    reference: &Reference,
    now_ms: i64,
) -> Result<Report> {
    let location = Location::parse(monitor)?.with_password_of(|name| std::env::var_os(name));
    if let Location::File(file) = &location {
        ensure!(file.is_file(), "{location} is not a file: --monitor names that of a server");
    }
    let mut store = location.open_to_read()?;
    let pair = choose(store.pairs()?, model_sha256, reference)
        .with_context(|| format!("{location} has nothing to report"))?;
    let monitor =
        Monitor::new(MonitorSettings::default(), reference.calibration().map(Baseline::of))?;
    Ok(Report::of(Recorded::read(&mut *store, &pair, &monitor)?, reference, now_ms)?)
}

/// The latest pair of this store, and of this model where one is named.
fn choose(
    pairs: Vec<PairSummary>,
    model_sha256: Option<&str>,
    reference: &Reference,
) -> Result<PairId> {
    let of = PairId::of("", reference).reference_sha256;
    let known: Vec<String> = pairs.iter().map(|summary| summary.pair.to_string()).collect();
    let beginning = model_sha256.unwrap_or_default().to_ascii_lowercase();
    let is_meant =
        |pair: &PairId| pair.reference_sha256 == of && pair.model_sha256.starts_with(&beginning);
    let found = pairs.into_iter().map(|summary| summary.pair).find(is_meant);
    found.with_context(|| {
        let known = if known.is_empty() { "no pair".to_owned() } else { known.join(", ") };
        let model = model_sha256.map_or(String::new(), |model| format!(" by the model {model}"));
        format!(
            "no image was compared with this store (reference {}){model}: there is {known} (model/reference)",
            of.chars().take(12).collect::<String>()
        )
    })
}

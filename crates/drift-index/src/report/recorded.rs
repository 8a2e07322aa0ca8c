//! The report of what a server has recorded.

use anyhow::{Context, Result, bail, ensure};
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
    let mut of_store = pairs.into_iter().filter(|summary| summary.pair.reference_sha256 == of);
    let found = match model_sha256 {
        None => of_store.next(),
        Some(beginning) => {
            let beginning = beginning.to_ascii_lowercase();
            of_store.find(|summary| summary.pair.model_sha256.starts_with(&beginning))
        }
    };
    let Some(found) = found else {
        let known = if known.is_empty() { "no pair".to_owned() } else { known.join(", ") };
        let model = model_sha256.map_or(String::new(), |model| format!(" by the model {model}"));
        bail!(
            "no image was compared with this store (reference {}){model}: there is {known} (model/reference)",
            of.chars().take(12).collect::<String>()
        );
    };
    Ok(found.pair)
}

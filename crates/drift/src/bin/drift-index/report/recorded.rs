//! The report of what a server has recorded.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sdd_drift::Reference;
use sdd_drift::monitor::{
    Baseline, Monitor, MonitorSettings, MonitorStore, PairId, PairSummary, SqliteMonitorStore,
};
use sdd_drift::report::{Report, Subject};

/// Nothing is written, so nothing is removed either.
const KEEP_ALL: u64 = u64::MAX;

pub fn report(
    file: &Path,
    model_sha256: Option<&str>,
    reference: &Reference,
    now_ms: i64,
) -> Result<Report> {
    // Opening makes the file where there is none: right for a server, and wrong for a reader.
    ensure!(file.is_file(), "{} is not a file: --monitor names that of a server", file.display());
    let mut store = SqliteMonitorStore::open(file, KEEP_ALL)?;
    let pair = choose(store.pairs()?, model_sha256, reference)
        .with_context(|| format!("{} has nothing to report", file.display()))?;
    let baseline = || reference.calibration().map(Baseline::of);
    let any = Monitor::new(MonitorSettings::default(), baseline())?;
    // As the server judged, by what it stated.
    let stated = store.state(&pair, &any)?.settings().cloned();
    let monitor = stated.map_or(Ok(any), |settings| Monitor::new(settings, baseline()))?;
    let subject = Subject { reference, pair: &pair, monitor: &monitor };
    Ok(Report::gather(&mut store, subject, now_ms)?)
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

//! The target of what a monitor's database holds.

use std::sync::LazyLock;

use sdd_monitor::{
    Baseline, CalibratedImage, Monitor, MonitorSettings, MonitorState, Observation, StoredState,
};

static MONITOR: LazyLock<Monitor> = LazyLock::new(|| {
    let image = |i: u32| CalibratedImage {
        group: Some((i / 4).to_string()),
        class: if i.is_multiple_of(5) { "defect" } else { "good" }.into(),
        score: f64::from(i * 37 % 100),
        properties: None,
    };
    let baseline = Baseline::new(0.05, (0..100).map(image).collect());
    Monitor::new(MonitorSettings { window: 20, ..MonitorSettings::default() }, Some(baseline))
        .expect("settings that hold")
});

/// Reads the input as a state, goes on with it for more than a window, and says what it has seen. The first line is the
/// head, and each of the others a part, whose key is the number of the lines before it.
pub fn monitor_state(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut lines = (0..).zip(text.lines().map(str::to_owned));
    let Some((_, head)) = lines.next() else { return };
    let Ok(mut state) = MonitorState::read(&StoredState { head, parts: lines.collect() }) else {
        return;
    };
    let _ = MONITOR.report(&state);
    for image in 0..25 {
        let observation = Observation {
            time_ms: 1000 * image,
            predicted_class: if image % 3 == 0 { "defect" } else { "good" }.into(),
            score: 0.5,
            p_value: Some(0.5),
            out_of_distribution: Some(image % 2 == 0),
            ..Observation::default()
        };
        // An error leaves the state as it was; what counts is that it is one.
        if state.observe(&MONITOR, &observation).is_err() {
            return;
        }
    }
    let report = MONITOR.report(&state);
    if report.is_ok() {
        let StoredState { head, parts } =
            state.store().expect("a state that is reported can be stored");
        let mut known: std::collections::BTreeMap<_, _> =
            (0..).zip(text.lines().map(str::to_owned)).collect();
        known.extend(parts);
        MonitorState::read(&StoredState { head, parts: known }).expect("and read again");
    }
}

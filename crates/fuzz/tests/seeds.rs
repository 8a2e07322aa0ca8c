//! Each input that is kept, through its target.

use std::fs;
use std::path::Path;

use sdd_monitor::{MonitorState, StoredState};

#[test]
fn kept_inputs_break_nothing() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, target) in sdd_fuzz::TARGETS {
        let folder = seeds.join(name);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut count = 0;
        for file in files {
            let path = file.expect("an entry").path();
            println!("{}", path.display());
            target(&fs::read(&path).expect("a seed"));
            count += 1;
        }
        assert!(count > 1, "{name} has seeds");
    }
}

/// A seed of a state that is refused at once keeps nothing.
#[test]
fn the_state_that_is_kept_is_one() {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/monitor_state/two_streams");
    let text = fs::read_to_string(seed).expect("a seed");
    let mut lines = (0..).zip(text.lines().map(str::to_owned));
    let (_, head) = lines.next().expect("a head");
    MonitorState::read(&StoredState { head, parts: lines.collect() }).expect("a state");
}

#[test]
fn each_target_has_a_program() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
    let mut programs: Vec<_> = fs::read_dir(targets)
        .expect("the programs")
        .map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_owned())
        .collect();
    programs.sort();
    assert_eq!(programs, sdd_fuzz::TARGETS.map(|(name, _)| name));
}

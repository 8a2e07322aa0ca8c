//! Numbers from independent implementations, a file a subject. `SDD_GOLDEN_DIR` names another folder with all of them.

mod box_plot;
mod conformal;
mod contingency;
mod group_ratio;
mod groups;
mod interval;
mod ks;
mod martingale;
mod mmd;
mod numbers;

use std::path::PathBuf;

use serde_json::Value;

pub use self::numbers::*;

pub fn golden(name: &str) -> Value {
    let shipped = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folder = std::env::var_os("SDD_GOLDEN_DIR").map_or_else(shipped, PathBuf::from);
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

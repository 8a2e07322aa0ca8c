//! Numbers from independent implementations, a file a subject: `knn.json` of sdd-index's tests, the others of
//! these. Files in the folder that `SDD_GOLDEN_DIR` names go before them.

mod leave_one_group_out;
mod mahalanobis;
mod nearest;
#[path = "../../../../stats/tests/it/golden/numbers.rs"]
mod numbers;

use std::path::PathBuf;

use serde_json::Value;

pub use self::numbers::*;

pub fn golden(name: &str) -> Value {
    let place = if name == "knn.json" { "../index/tests/golden" } else { "tests/golden" };
    let shipped = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(place).join(name);
    let other = std::env::var_os("SDD_GOLDEN_DIR").map(|folder| PathBuf::from(folder).join(name));
    let path = other.filter(|path| path.is_file()).unwrap_or_else(shipped);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

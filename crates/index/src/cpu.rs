//! Whether this processor can run the FAISS that was linked in.

use crate::error::{Error, Result};

/// Checks that this processor has the instructions FAISS was compiled for.
///
/// The workspace compiles FAISS with `-march=x86-64-v3` on x86-64, and FAISS 1.12 does not choose
/// its code at run time: on an older processor the first search would die of an illegal
/// instruction. Programs call this first in `main`. On other architectures there is nothing to
/// check.
///
/// ```
/// sdd_index::check_cpu()?;
/// # Ok::<(), sdd_index::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::UnsupportedCpu`] names the missing instruction sets.
pub fn check_cpu() -> Result<()> {
    let missing = missing_features();
    if missing.is_empty() { Ok(()) } else { Err(Error::UnsupportedCpu { missing }) }
}

#[cfg(target_arch = "x86_64")]
fn missing_features() -> Vec<&'static str> {
    let found = [
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("bmi1", is_x86_feature_detected!("bmi1")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("fma", is_x86_feature_detected!("fma")),
        ("lzcnt", is_x86_feature_detected!("lzcnt")),
        ("movbe", is_x86_feature_detected!("movbe")),
    ];
    found.into_iter().filter(|(_, present)| !present).map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn missing_features() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_what_is_missing_and_what_to_do() {
        let message = Error::UnsupportedCpu { missing: vec!["avx2", "fma"] }.to_string();
        assert!(message.contains("lacks avx2, fma"), "{message}");
        assert!(message.contains("rebuild"), "{message}");
    }

    #[test]
    fn a_machine_that_runs_these_tests_passes() {
        assert!(check_cpu().is_ok());
    }
}

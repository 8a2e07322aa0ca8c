//! Whether this processor can run the FAISS that was linked in.

use crate::error::{Error, Result};

/// Checks that this processor has the instructions FAISS was compiled for.
///
/// FAISS 1.12 does not choose its code at run time: on a processor without the instructions that its compiler was
/// allowed to use, the first search would die of an illegal instruction. Which ones these are the build script asks
/// of the flags that FAISS was compiled with. Programs call this first in `main`. On other architectures than x86-64
/// there is nothing to check.
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
    let missing = missing_features(FAISS_MACROS, &features());
    if missing.is_empty() { Ok(()) } else { Err(Error::UnsupportedCpu { missing }) }
}

/// What the compiler of FAISS defined by itself, one a line: `__AVX2__` where it might use AVX2.
const FAISS_MACROS: &str = include_str!(concat!(env!("OUT_DIR"), "/faiss_macros.txt"));

/// An instruction set: the compiler's macro for it, Rust's name, and whether this processor has it.
type Feature = (&'static str, &'static str, bool);

fn missing_features(macros: &str, features: &[Feature]) -> Vec<&'static str> {
    let is_used = |name: &str| macros.lines().any(|line| line == name);
    let missing = features.iter().filter(|(name, _, present)| !present && is_used(name));
    missing.map(|(_, feature, _)| *feature).collect()
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<Feature> {
    macro_rules! features {
        ($($name:literal = $feature:tt),* $(,)?) => {
            vec![$(($name, $feature, is_x86_feature_detected!($feature))),*]
        };
    }
    // Every instruction set beyond the first x86-64 that a compiler uses unasked.
    features![
        "__SSE3__" = "sse3",
        "__SSSE3__" = "ssse3",
        "__SSE4_1__" = "sse4.1",
        "__SSE4_2__" = "sse4.2",
        "__SSE4A__" = "sse4a",
        "__POPCNT__" = "popcnt",
        "__AVX__" = "avx",
        "__AVX2__" = "avx2",
        "__AVXVNNI__" = "avxvnni",
        "__BMI__" = "bmi1",
        "__BMI2__" = "bmi2",
        "__F16C__" = "f16c",
        "__FMA__" = "fma",
        "__LZCNT__" = "lzcnt",
        "__MOVBE__" = "movbe",
        "__ADX__" = "adx",
        "__AES__" = "aes",
        "__PCLMUL__" = "pclmulqdq",
        "__SHA__" = "sha",
        "__GFNI__" = "gfni",
        "__VAES__" = "vaes",
        "__VPCLMULQDQ__" = "vpclmulqdq",
        "__AVX512F__" = "avx512f",
        "__AVX512BW__" = "avx512bw",
        "__AVX512CD__" = "avx512cd",
        "__AVX512DQ__" = "avx512dq",
        "__AVX512VL__" = "avx512vl",
        "__AVX512IFMA__" = "avx512ifma",
        "__AVX512VBMI__" = "avx512vbmi",
        "__AVX512VBMI2__" = "avx512vbmi2",
        "__AVX512VNNI__" = "avx512vnni",
        "__AVX512BITALG__" = "avx512bitalg",
        "__AVX512VPOPCNTDQ__" = "avx512vpopcntdq",
        "__AVX512BF16__" = "avx512bf16",
        "__AVX512FP16__" = "avx512fp16",
        "__AVX512VP2INTERSECT__" = "avx512vp2intersect",
    ]
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<Feature> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of the oldest x86-64 processor.
    fn no_features() -> Vec<Feature> {
        features().into_iter().map(|(name, feature, _)| (name, feature, false)).collect()
    }

    #[test]
    fn the_message_names_what_is_missing_and_what_to_do() {
        let message = Error::UnsupportedCpu { missing: vec!["avx2", "fma"] }.to_string();
        assert!(message.contains("lacks avx2, fma"), "{message}");
        assert!(message.contains("cargo clean --release -p faiss-sys"), "{message}");
    }

    #[test]
    fn a_machine_that_runs_these_tests_passes() {
        assert!(check_cpu().is_ok());
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn an_old_processor_lacks_what_faiss_was_compiled_for_and_nothing_else() {
        // As the advice has it: compiled without a flag, it runs anywhere.
        let plain = "__SSE__\n__SSE2__\n__MMX__\n__x86_64__";
        assert_eq!(missing_features(plain, &no_features()), [""; 0]);
        let some = format!("{plain}\n__AVX512F__\n__AVX__");
        assert_eq!(missing_features(&some, &no_features()), ["avx", "avx512f"]);
        // The very flags of this build, unless somebody chose others.
        if env!("FAISS_MARCH") == "-march=x86-64-v3" {
            let ours = missing_features(FAISS_MACROS, &no_features());
            assert!(ours.contains(&"avx2") && !ours.contains(&"avx512f"), "{ours:?}");
        }
    }
}

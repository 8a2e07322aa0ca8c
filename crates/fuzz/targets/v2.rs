//! The fuzz target `v2`, see [`sdd_fuzz::v2`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sdd_fuzz::v2(input));

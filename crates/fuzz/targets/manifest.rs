//! The fuzz target `manifest`, see [`sdd_fuzz::manifest`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sdd_fuzz::manifest(input));

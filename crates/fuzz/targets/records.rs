//! The fuzz target `records`, see [`sdd_fuzz::records`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sdd_fuzz::records(input));

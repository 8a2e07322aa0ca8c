//! The fuzz target `npy`, see [`sdd_fuzz::npy`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sdd_fuzz::npy(input));

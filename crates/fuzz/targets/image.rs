//! The fuzz target `image`, see [`sdd_fuzz::image`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sdd_fuzz::image(input));

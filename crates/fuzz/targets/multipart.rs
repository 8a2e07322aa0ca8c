//! The fuzz target `multipart`, see [`sdd_fuzz::multipart`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sdd_fuzz::multipart(input));

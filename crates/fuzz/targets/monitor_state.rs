//! The fuzz target `monitor_state`, see [`sdd_fuzz::monitor_state`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sdd_fuzz::monitor_state(input));

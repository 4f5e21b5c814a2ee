//! Breaks its promise with every input: a run of it must fail, or no run could.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| panic!("{} bytes", bytes.len()));

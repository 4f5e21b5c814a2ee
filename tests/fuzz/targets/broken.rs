//! This target fails with every input. It shows that a run can fail.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| panic!("{} bytes", bytes.len()));

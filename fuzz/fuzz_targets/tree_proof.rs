#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mledger_fuzz::tree_proof::check(data));

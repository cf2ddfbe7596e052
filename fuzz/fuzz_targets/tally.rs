#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mledger_fuzz::tally::check(data));

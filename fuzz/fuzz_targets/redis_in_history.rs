#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cogency_state::fuzzing::redis_in_history(data));

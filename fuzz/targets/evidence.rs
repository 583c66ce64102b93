#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/evidence.rs"]
mod evidence;

fuzz_target!(|data: &[u8]| evidence::check(data));

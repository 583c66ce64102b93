#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/schedule.rs"]
mod schedule;

fuzz_target!(|data: &[u8]| schedule::check(&String::from_utf8_lossy(data)));

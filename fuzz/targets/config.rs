#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/config.rs"]
mod config;

fuzz_target!(|data: &[u8]| config::check(&String::from_utf8_lossy(data)));

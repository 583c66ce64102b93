#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/smtp.rs"]
mod smtp;

fuzz_target!(|data: &[u8]| smtp::check(data));

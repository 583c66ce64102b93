#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../checks/signal_url.rs"]
mod signal_url;

fuzz_target!(|data: &[u8]| signal_url::check(&String::from_utf8_lossy(data)));

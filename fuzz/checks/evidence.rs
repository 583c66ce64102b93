//! What holds for every output of a job. The first byte of the input says how it is cut into chunks, how the job
//! ended and whether a part is missing; the rest is the output.

use nightbeat_evidence::{
    LINE_SHOWN_CHARS_MAX, Outcome, Reader, Reading, Stream, TelltaleKind, Tool, limits, read,
};

/// Fails where an output is read wrongly.
pub(crate) fn check(input: &[u8]) {
    let Some((&how, output)) = input.split_first() else {
        return;
    };
    let exit_code = (how & 0x80 != 0).then_some(i32::from(how & 0x03));
    let whole = read(output, exit_code);
    within_bounds(&whole);
    judged_as_it_says(&whole, exit_code);
    stored_and_read_again(&whole);
    let chunk_bytes = 1 + usize::from(how & 0x7f);
    assert_eq!(
        in_chunks(output, chunk_bytes, exit_code),
        whole,
        "in chunks of {chunk_bytes}"
    );
    let _ = on_two_streams_with_a_part_missing(output, chunk_bytes, exit_code);
}

fn in_chunks(output: &[u8], chunk_bytes: usize, exit_code: Option<i32>) -> Reading {
    let mut reader = Reader::new();
    for chunk in output.chunks(chunk_bytes) {
        reader.push(Stream::Output, chunk);
    }
    reader.finish(exit_code)
}

fn on_two_streams_with_a_part_missing(
    output: &[u8],
    chunk_bytes: usize,
    exit_code: Option<i32>,
) -> Reading {
    let mut reader = Reader::new();
    for (number, chunk) in output.chunks(chunk_bytes).enumerate() {
        match number % 5 {
            4 => reader.cut(),
            2 => reader.push(Stream::Errors, chunk),
            _ => reader.push(Stream::Output, chunk),
        }
    }
    reader.finish(exit_code)
}

fn within_bounds(reading: &Reading) {
    assert!(reading.evidence.len() <= limits::EVIDENCES_MAX + Tool::ALL.len());
    let kinds = TelltaleKind::Skipping as usize + 1;
    assert!(reading.telltales.len() <= limits::TELLTALES_MAX + kinds);
    let evidence = reading.evidence.iter().map(|one| &one.line);
    let telltales = reading.telltales.iter().map(|one| &one.line);
    for line in evidence.chain(telltales) {
        assert!(line.chars().count() <= LINE_SHOWN_CHARS_MAX, "{line}");
        assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line:?}");
    }
    for one in &reading.evidence {
        assert!(
            one.duration
                .is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0),
            "{one:?}"
        );
        assert!(
            one.metrics.iter().all(|metric| metric.value.is_finite()),
            "{one:?}"
        );
    }
}

/// The outcome is the worst of all that is said, and what is not ok has a reason.
fn judged_as_it_says(reading: &Reading, exit_code: Option<i32>) {
    let evidence = reading.evidence.iter().map(|one| one.outcome);
    let telltales = reading.telltales.iter().map(|one| one.outcome);
    let worst = evidence.chain(telltales).max().unwrap_or_default();
    match exit_code {
        None | Some(0) => assert_eq!(reading.outcome, worst),
        Some(_) => assert!(reading.outcome >= worst.max(Outcome::Warning)),
    }
    assert_eq!(
        reading.why.is_some(),
        reading.outcome != Outcome::Ok,
        "{reading:?}"
    );
    assert_eq!(reading.sum().is_some(), !reading.evidence.is_empty());
}

fn stored_and_read_again(reading: &Reading) {
    let json = serde_json::to_string(reading).expect("a reading is JSON");
    let stored: Reading = serde_json::from_str(&json).expect("what was stored can be read");
    assert_eq!(&stored, reading);
}

//! What holds for any bytes.

use crate::support::samples;
use nightbeat_evidence::{Reader, Reading, Stream, limits, read};
use proptest::prelude::*;

/// Lines that readers look at, and pieces that break them.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "Number of files: 16 (reg: 13, dir: 2)\n",
        "total size is 312,013  speedup is 1.00\n",
        "rsync error: some files (code 23) at main.c(1) [sender=3.2.7]\n",
        "{\"message_type\":\"summary\",\"total_files_processed\":13}\n",
        "{\"message_type\":\"error\",\"error\":{\"Err\":13}}\n",
        "{\n",
        "    \"archive\": {\"stats\": {\"nfiles\": 13}}\n",
        "}\n",
        "[\r\n",
        "Archive name: a\n",
        "Number of files: 13\n",
        "This archive:  312.50 kB  312.51 kB  480 B\n",
        "2026/11/22 11:19:51 INFO  : \n",
        "Transferred:   \t 3 KiB / 3 KiB, 100%, 0 B/s, ETA -\n",
        "Elapsed time:         0.1s\n",
        "--------------[ Backup Statistics ]--------------\nSourceFiles 16\nErrors 1\n",
        "-- PostgreSQL database dump\n",
        "-- PostgreSQL database dump complete\n",
        "tar: x: file changed as we read it\n",
        "size\t12\n",
        "sh: 1: x: not found\n",
        "cp: x: No space left on device\n",
        "[Errno ",
        "Errors:   ",
        "\u{1b}[31m",
        "\n",
        "\r",
        "é",
    ];
    prop_oneof![
        6 => prop::sample::select(known.map(|text| text.as_bytes().to_vec()).to_vec()),
        2 => prop::collection::vec(any::<u8>(), 0..40),
        1 => "[0-9.,:/(){}\\[\" a-zA-Z\t-]{0,60}\n".prop_map(String::into_bytes),
        1 => (1_usize..3).prop_map(|times| vec![b'x'; times * limits::LINE_BYTES_MAX - 7]),
    ]
}

fn output() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..30).prop_map(|pieces| pieces.concat())
}

fn in_chunks(bytes: &[u8], lengths: &[usize]) -> Reading {
    let mut reader = Reader::new();
    let mut rest = bytes;
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at((*length).min(rest.len()));
        reader.push(Stream::Output, chunk);
        rest = after;
    }
    reader.finish(None)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_reads_the_same(bytes in output(), lengths in prop::collection::vec(1_usize..200, 1..8)) {
        prop_assert_eq!(in_chunks(&bytes, &lengths), read(&bytes, None));
    }

    #[test]
    fn any_bytes_are_read_within_bounds_and_can_be_stored(bytes in output(), code in any::<Option<i32>>()) {
        let reading = read(&bytes, code);
        prop_assert!(reading.evidence.len() <= limits::EVIDENCES_MAX + 15);
        prop_assert!(reading.telltales.len() <= limits::TELLTALES_MAX + 17);
        let json = serde_json::to_string(&reading).unwrap();
        let stored: Reading = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(stored, reading);
    }

    #[test]
    fn both_streams_may_be_cut_anywhere(bytes in output(), at in any::<prop::sample::Index>()) {
        let mut reader = Reader::new();
        let (head, tail) = bytes.split_at(at.index(bytes.len() + 1));
        reader.push(Stream::Output, head);
        reader.push(Stream::Errors, tail);
        reader.cut();
        reader.push(Stream::Output, tail);
        reader.push(Stream::Errors, head);
        let _ = reader.finish(Some(1));
    }

    #[test]
    fn samples_with_bytes_lost_are_read_without_a_panic(
        which in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        length in 0_usize..50,
    ) {
        let samples = samples();
        let sample = which.get(&samples);
        let mut bytes = [&sample.output[..], &sample.errors[..]].concat();
        let from = from.index(bytes.len() + 1);
        let to = (from + length).min(bytes.len());
        bytes.drain(from..to);
        let _ = read(&bytes, Some(sample.exit_code));
    }
}

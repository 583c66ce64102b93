//! How fast outputs are read: `cargo bench -p nightbeat-evidence`. The aim is more than 300 MB/s for what jobs print
//! all night long, on one core.
//!
//! The second group holds what no job prints, but somebody might send: each line must be looked at closely, or goes
//! over what was read before. There the figure is lower; it must not fall with the length, so each shape is read in
//! two lengths.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nightbeat_evidence::{Reader, Stream};

/// As much as a pipe gives at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Lines until there are so many bytes.
fn lines(bytes: usize, line: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes + CHUNK_BYTES);
    let mut number = 0;
    while text.len() < bytes {
        text.extend_from_slice(line(number).as_bytes());
        number += 1;
    }
    text
}

fn read(output: &[u8]) -> usize {
    let mut reader = Reader::new();
    for chunk in output.chunks(CHUNK_BYTES) {
        reader.push(Stream::Output, black_box(chunk));
    }
    let reading = reader.finish(Some(0));
    reading.evidence.len() + reading.telltales.len()
}

type Shape = (&'static str, fn(usize) -> String);

const ORDINARY: [Shape; 6] = [
    ("names of files", |n| {
        format!("home/ana/photos/2024/holiday/IMG_{n:06}.jpg\n")
    }),
    ("rclone -v", |n| {
        format!("2026/11/22 11:19:51 INFO  : photos/2024/f{n}.bin: Copied (new)\n")
    }),
    ("restic --json", |n| {
        format!(
            "{{\"message_type\":\"status\",\"percent_done\":0.5,\"total_files\":123456,\"files_done\":{n},\
             \"current_files\":[\"/home/ana/photos/2024/IMG_{n}.jpg\"]}}\n"
        )
    }),
    ("rows of a dump", |n| {
        format!("{n}\tSome text in a row of a table\t2026-11-22 11:19:51\tt\t\\N\n")
    }),
    ("a progress bar", |n| {
        format!("\r  {n},768 100%   31.25MB/s    0:00:00 (xfr#{n}, to-chk=0/16)")
    }),
    ("no end of line", |n| format!("{n} and on and on ")),
];

const HOSTILE: [Shape; 6] = [
    ("an error each line", |n| {
        format!("find: ‘/proc/{n}/task’: Permission denied\n")
    }),
    ("JSON each line", |n| {
        format!(
            "{{\"message_type\":\"error\",\"error\":{{\"message\":\"open /x{n}: permission denied\"}}}}\n"
        )
    }),
    ("small documents", |n| format!("{{\n  \"a\": {n}\n}}\n")),
    ("documents that never end", |n| {
        format!("{{\n  \"a\": [{n}\n")
    }),
    ("a run each line", |n| {
        format!("processed {n} files, 1 B in 0:01\n")
    }),
    ("tar: tar: tar:", |_| "tar: ".to_owned()),
];

fn ordinary(criterion: &mut Criterion) {
    measure(criterion, "ordinary", &ORDINARY, &[16 << 20]);
}

fn hostile(criterion: &mut Criterion) {
    measure(criterion, "hostile", &HOSTILE, &[1 << 20, 16 << 20]);
}

fn measure(criterion: &mut Criterion, name: &str, shapes: &[Shape], lengths: &[usize]) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    for (shape, line) in shapes {
        for &bytes in lengths {
            let output = lines(bytes, line);
            group.throughput(Throughput::Bytes(output.len() as u64));
            let id = BenchmarkId::new(*shape, format!("{} MiB", bytes >> 20));
            group.bench_function(id, |bencher| bencher.iter(|| read(&output)));
        }
    }
    group.finish();
}

criterion_group!(benches, ordinary, hostile);
criterion_main!(benches);

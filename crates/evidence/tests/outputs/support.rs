//! Recorded outputs, and evidence in one line.

use std::fs;
use std::path::Path;

use nightbeat_evidence::{Evidence, Reader, Reading, Stream};

/// What a real run printed, and how it ended.
#[derive(Debug)]
pub struct Sample {
    pub name: String,
    pub exit_code: i32,
    pub output: Vec<u8>,
    pub errors: Vec<u8>,
}

/// All recorded outputs, in the order of their names.
pub fn samples() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    paths.iter().map(|path| sample(path)).collect()
}

fn sample(path: &Path) -> Sample {
    let text = fs::read_to_string(path).unwrap();
    let exit_code = header(&text, "# exit code: ").parse().unwrap();
    let (_, rest) = text.split_once("# --- stdout ---\n").unwrap();
    let (output, rest) = rest.split_once("# --- stderr ---\n").unwrap();
    // What the file was that the run left behind may follow.
    let errors = rest.split("# --- ").next().unwrap();
    Sample {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        exit_code,
        output: output.as_bytes().to_vec(),
        errors: errors.as_bytes().to_vec(),
    }
}

fn header<'a>(text: &'a str, label: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(label)).unwrap();
    &line[label.len()..]
}

impl Sample {
    /// As the wrapper reads it: each stream apart.
    pub fn read(&self) -> Reading {
        let mut reader = Reader::new();
        reader.push(Stream::Output, &self.output);
        reader.push(Stream::Errors, &self.errors);
        reader.finish(Some(self.exit_code))
    }
}

/// Evidence in one line: `rsync files=13 changed=13 bytes=312013`.
fn said(evidence: &Evidence) -> String {
    let mut said = vec![evidence.tool.name().to_owned()];
    let numbers = [
        ("files", evidence.files_total),
        ("changed", evidence.files_changed),
        ("bytes", evidence.bytes_total),
        ("added", evidence.bytes_added),
        ("deletes", evidence.deletes),
        ("errors", evidence.errors),
        ("warnings", evidence.warnings),
    ];
    let known = numbers
        .iter()
        .filter_map(|(name, number)| Some(format!("{name}={}", (*number)?)));
    said.extend(known);
    said.extend(evidence.dry_run.map(|dry_run| format!("dry={dry_run}")));
    said.extend(evidence.duration.map(|duration| format!("s={duration:.2}")));
    said.extend(
        evidence
            .snapshot
            .iter()
            .map(|snapshot| format!("id={snapshot}")),
    );
    said.extend(evidence.version.iter().map(|version| format!("v{version}")));
    said.join(" ")
}

/// All evidence of a reading, and its telltales.
pub fn facts(reading: &Reading) -> Vec<String> {
    let evidence = reading.evidence.iter().map(said);
    let telltales = reading.telltales.iter().map(|telltale| {
        let program = telltale.program.as_deref().unwrap_or("-");
        format!("! {} {program} {}", telltale.kind.name(), telltale.times)
    });
    evidence.chain(telltales).collect()
}

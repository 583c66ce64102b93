//! Whether a dump is whole: its compressed stream ends where it should, and the tool that wrote it has said
//! its last word.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use memchr::memmem;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

use super::{Bytes, archive, contents};

/// How much of the beginning of a dump is looked at, in bytes.
const HEAD_BYTES: usize = 8 * 1024;

/// How much of its end is looked at, in bytes. `pg_dump` writes `\unrestrict` and a long random text behind
/// its trailer.
const TAIL_BYTES: usize = 8 * 1024;

/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// The most memory that a `.xz` may ask for, in KiB: more than the largest preset of `xz` wants.
const XZ_MEMORY_KIB: u32 = 256 * 1024;

/// File systems round times: a file written right after the start may seem to be older, by up to this.
const ROUNDING: Duration = Duration::from_secs(2);

/// What begins like this must end like that: the texts of `pg_dumpall` and `pg_dump` (plain), mysqldump and
/// mariadb-dump, `sqlite3 .dump`.
const TRAILERS: [(&str, &str); 5] = [
    (
        "-- PostgreSQL database cluster dump",
        "-- PostgreSQL database cluster dump complete",
    ),
    (
        "-- PostgreSQL database dump",
        "-- PostgreSQL database dump complete",
    ),
    ("-- MySQL dump", "-- Dump completed"),
    ("-- MariaDB dump", "-- Dump completed"),
    ("PRAGMA foreign_keys=OFF;", "COMMIT;"),
];

/// A dump that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dump {
    /// Its bytes on the disk.
    pub(super) bytes: u64,
    /// The bytes in it.
    pub(super) content_bytes: u64,
}

/// Looks at a dump, or at the newest file in a folder of dumps. `Err` says in a sentence what is wrong.
pub(super) fn check(path: &Path, began: SystemTime) -> Result<Dump, String> {
    let in_folder = path.is_dir().then(|| contents::newest_in(path));
    let path = match &in_folder {
        Some(None) => return Err(format!("there is no dump in {}", path.display())),
        Some(Some(newest)) => newest.as_path(),
        None => path,
    };
    let shown = path.display();
    let found = path
        .metadata()
        .map_err(|error| format!("the dump {shown} is not there: {error}"))?;
    // The time of change: a moved file keeps its time of writing.
    let changed = Duration::from_secs(u64::try_from(found.ctime()).unwrap_or_default());
    if SystemTime::UNIX_EPOCH + changed + ROUNDING < began {
        return Err(format!("the dump {shown} was not written by this run"));
    }
    if found.len() == 0 {
        return Err(format!("the dump {shown} is empty"));
    }
    let broken = |error: io::Error| format!("the dump {shown} is not whole: {error}");
    let file = File::open(path).map_err(broken)?;
    let seen = see(BufReader::with_capacity(CHUNK_BYTES, file)).map_err(broken)?;
    let bytes = Bytes(found.len());
    if seen.total == 0 {
        return Err(format!("the dump {shown} ({bytes}) holds nothing"));
    }
    if let Err(problem) = seen.is_complete() {
        return Err(format!("the dump {shown} ({bytes}) {problem}"));
    }
    Ok(Dump {
        bytes: found.len(),
        content_bytes: seen.total,
    })
}

/// What was seen of a dump's content.
#[derive(Default)]
struct Seen {
    head: Vec<u8>,
    tail: Vec<u8>,
    total: u64,
}

/// Reads all of a file, and what is in it where it is compressed.
fn see(mut file: BufReader<File>) -> io::Result<Seen> {
    let mut seen = Seen::default();
    let begin = file.fill_buf()?;
    if begin.starts_with(b"\x1f\x8b") {
        seen.read(MultiGzDecoder::new(file))?;
    } else if begin.starts_with(b"\xfd7zXZ\0") {
        seen.read(XzReader::new_mem_limit(file, true, XZ_MEMORY_KIB))?;
    } else if is_zstd(begin) {
        see_zstd(file, &mut seen)?;
    } else {
        seen.read(file)?;
    }
    Ok(seen)
}

/// A frame, or a frame to be skipped (pzstd begins with one). RFC 8878.
fn is_zstd(begin: &[u8]) -> bool {
    begin.starts_with(b"\x28\xb5\x2f\xfd")
        || (begin.len() > 4 && begin[0] & 0xf0 == 0x50 && begin[1..4] == *b"\x2a\x4d\x18")
}

/// Frame after frame, each with its checksum.
fn see_zstd(mut file: BufReader<File>, seen: &mut Seen) -> io::Result<()> {
    while !file.fill_buf()?.is_empty() {
        let opened = StreamingDecoder::new(&mut file);
        if let Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
            length,
            ..
        })) = opened
        {
            let skipped = io::copy(&mut file.by_ref().take(length.into()), &mut io::sink())?;
            if skipped < u64::from(length) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            continue;
        }
        let mut frame = opened.map_err(io::Error::other)?;
        seen.read(&mut frame)?;
        let decoder = &frame.decoder;
        if let (Some(said), Some(counted)) = (
            decoder.get_checksum_from_data(),
            decoder.get_calculated_checksum(),
        ) && said != counted
        {
            return Err(io::Error::other("its checksum is wrong"));
        }
    }
    Ok(())
}

impl Seen {
    fn read(&mut self, mut content: impl Read) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = match content.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let data = &chunk[..read];
            self.total += read as u64;
            let room = HEAD_BYTES.saturating_sub(self.head.len());
            self.head.extend_from_slice(&data[..room.min(read)]);
            self.tail
                .extend_from_slice(&data[read.saturating_sub(TAIL_BYTES)..]);
            let excess = self.tail.len().saturating_sub(TAIL_BYTES);
            self.tail.drain(..excess);
        }
    }

    /// `Err`: what it lacks, as in `is not whole: …`. A content that nobody here knows is complete.
    fn is_complete(&self) -> Result<(), String> {
        let begins =
            |(head, _): &&(&str, &str)| memmem::find(&self.head, head.as_bytes()).is_some();
        if let Some((_, trailer)) = TRAILERS.iter().find(begins) {
            return match memmem::find(&self.tail, trailer.as_bytes()) {
                Some(_) => Ok(()),
                None => Err(format!("is not whole: it does not end with `{trailer}`")),
            };
        }
        match archive::problem(&self.head, &self.tail, self.total) {
            Some(problem) => Err(problem.to_owned()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use tempfile::TempDir;

    use super::*;

    /// As `pg_dump` 15.20 begins and ends.
    const POSTGRES: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict x\nCREATE TABLE t (a int);\n\
        --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n\n";

    fn packed(folder: &TempDir, tool: &str, text: &[u8]) -> std::path::PathBuf {
        let path = folder.path().join(format!("dump.{tool}"));
        let mut command = Command::new(tool);
        let mut child = command
            .arg("-c")
            .stdin(Stdio::piped())
            .stdout(File::create(&path).unwrap())
            .spawn()
            .unwrap();
        io::Write::write_all(&mut child.stdin.take().unwrap(), text).unwrap();
        assert!(child.wait().unwrap().success(), "{tool}");
        path
    }

    fn judged(path: &Path) -> Result<u64, String> {
        check(path, SystemTime::UNIX_EPOCH).map(|dump| dump.content_bytes)
    }

    #[test]
    fn a_whole_stream_is_told_from_a_cut_one() {
        let folder = TempDir::new().unwrap();
        let body = "INSERT INTO t VALUES (1);\n".repeat(50_000);
        let text = POSTGRES.replace("CREATE", &format!("{body}CREATE"));
        for tool in ["gzip", "zstd", "xz"] {
            let path = packed(&folder, tool, text.as_bytes());
            assert_eq!(judged(&path), Ok(text.len() as u64), "{tool}");
            let whole = std::fs::read(&path).unwrap();
            for cut in [whole.len() - 1, whole.len() / 2, 30] {
                std::fs::write(&path, &whole[..cut]).unwrap();
                let problem = judged(&path).unwrap_err();
                assert!(
                    problem.contains("is not whole: "),
                    "{tool} {cut}: {problem}"
                );
            }
            // Two streams one after the other are one file to these tools.
            std::fs::write(&path, [&whole[..], &whole[..]].concat()).unwrap();
            assert_eq!(judged(&path), Ok(2 * text.len() as u64), "{tool}");
            let mut flipped = whole.clone();
            flipped[whole.len() / 2] ^= 0x55;
            std::fs::write(&path, &flipped).unwrap();
            assert!(judged(&path).is_err(), "{tool}");
        }
    }

    #[test]
    fn a_dump_without_its_last_line_is_not_whole() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("shop.sql");
        std::fs::write(&path, POSTGRES).unwrap();
        assert!(judged(&path).is_ok());
        let begun = POSTGRES
            .split("--\n-- PostgreSQL database dump complete")
            .next()
            .unwrap();
        std::fs::write(&path, begun).unwrap();
        let problem = judged(&path).unwrap_err();
        assert!(
            problem.ends_with("it does not end with `-- PostgreSQL database dump complete`"),
            "{problem}"
        );
    }

    #[test]
    fn what_a_pipe_writes_when_the_dump_failed_holds_nothing() {
        let folder = TempDir::new().unwrap();
        let path = packed(&folder, "gzip", b"");
        let problem = judged(&path).unwrap_err();
        assert!(
            problem.ends_with("dump.gzip (20 B) holds nothing"),
            "{problem}"
        );
        std::fs::write(&path, "").unwrap();
        assert!(judged(&path).unwrap_err().ends_with("is empty"));
    }

    #[test]
    fn a_tar_archive_has_an_end_mark() {
        let folder = TempDir::new().unwrap();
        let source = folder.path().join("file");
        std::fs::write(&source, vec![7; 30_000]).unwrap();
        let path = folder.path().join("x.tar");
        let made = Command::new("tar")
            .arg("cf")
            .args([&path, &source])
            .status();
        assert!(made.unwrap().success());
        assert!(judged(&path).is_ok());
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..20_000]).unwrap();
        assert!(judged(&path).unwrap_err().contains("end mark"));
    }

    #[test]
    fn an_archive_of_empty_folders_is_no_backup() {
        let folder = TempDir::new().unwrap();
        let archived = |format: &str| {
            let path = folder.path().join("x.tar");
            let mut tar = Command::new("tar");
            tar.arg("-cf").arg(&path).arg(format);
            let made = tar.arg("-C").arg(folder.path()).arg("source").status();
            assert!(made.unwrap().success());
            judged(&path)
        };
        let long = "a-long-name-".repeat(15);
        let deep = folder.path().join("source").join(&long);
        std::fs::create_dir_all(&deep).unwrap();
        for format in ["--format=gnu", "--format=pax", "--format=ustar"] {
            if format == "--format=ustar" {
                std::fs::remove_dir(&deep).unwrap();
            }
            let problem = archived(format).unwrap_err();
            assert!(problem.contains("without a file"), "{format}: {problem}");
        }
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("file"), "").unwrap();
        for format in ["--format=gnu", "--format=pax"] {
            assert_eq!(archived(format), Ok(10_240), "{format}");
        }
        std::fs::write(folder.path().join("zeros"), [0; 10_240]).unwrap();
        let zeros = judged(&folder.path().join("zeros"));
        assert!(zeros.unwrap_err().contains("without a file"));
    }

    #[test]
    fn yesterdays_dump_is_not_todays() {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("old.sql"), POSTGRES).unwrap();
        let tomorrow = SystemTime::from(crate::clock::wall()) + Duration::from_secs(86_400);
        let problem = check(folder.path(), tomorrow).unwrap_err();
        assert!(
            problem.ends_with("old.sql was not written by this run"),
            "{problem}"
        );
        let empty = TempDir::new().unwrap();
        assert!(
            check(empty.path(), tomorrow)
                .unwrap_err()
                .starts_with("there is no dump in")
        );
    }
}

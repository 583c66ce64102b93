//! Bodies of signals: the first part and the last part are kept, and nothing about a body can refuse a
//! signal.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use nightbeat_evidence::{Reader, Reading, Stream, wrapper};

use crate::budget::{Budget, Held};

/// How much room the note in the middle may take.
const NOTE_BYTES_MAX: usize = 64;

/// A text that is there as a whole is read in such pieces, so that little of it is held twice.
const PIECE_BYTES: usize = 16 * 1024;

/// How much of a body is kept, read and waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// How much is kept: the first tenth of it and the last nine.
    pub(super) kept_bytes: usize,
    /// How much is read at all.
    pub(super) read_bytes: u64,
    /// How long it may take.
    pub(super) time: Duration,
}

/// A body as it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SignalBody {
    /// What is kept; `None` where there was no body.
    pub(super) kept: Option<Vec<u8>>,
    /// How long it was. More than `kept` holds: it was cut.
    pub(super) bytes: u64,
    /// It did not come to its end: the connection cannot be used again.
    pub(super) unfinished: bool,
    /// What all of it says of the job's work, also the part that is not kept; `None`: it is no run's output,
    /// or was cut off.
    pub(super) reading: Option<Box<Reading>>,
}

impl SignalBody {
    /// A message that came in a URL in place of a body: it is no output of a run, and nothing is read from it.
    pub(super) fn of_message(message: Option<String>, kept_bytes: usize) -> Self {
        let Some(message) = message else {
            return Self::default();
        };
        let mut kept = message.into_bytes();
        let bytes = kept.len() as u64;
        kept.truncate(kept_bytes);
        Self {
            kept: Some(kept),
            bytes,
            ..Self::default()
        }
    }
}

/// Whether a body is the output of a run that ended, and with which exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyOf {
    /// The end of a run.
    End {
        /// The job's exit code, where it was told.
        exit_code: Option<u8>,
    },
    /// Anything else: it says nothing of a run's work.
    Note,
}

/// Reads a body until it ends, breaks off, grows too long or takes too long. What does not fit `budget` any
/// more is not kept.
pub(super) async fn read<B>(
    mut body: B,
    of: BodyOf,
    limits: BodyLimits,
    budget: &Budget,
) -> SignalBody
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return SignalBody::default();
    }
    let announced = body.size_hint().exact();
    let mut kept = Kept::new(limits.kept_bytes, budget);
    let mut reader = matches!(of, BodyOf::End { .. }).then(Reader::new);
    let taking = async {
        while kept.total < limits.read_bytes {
            match body.frame().await {
                None => return true,
                // The client went away in the middle. Its URL was complete, so the signal counts.
                Some(Err(_)) => return false,
                Some(Ok(frame)) => {
                    let data = frame.data_ref().map_or(&[][..], |data| data);
                    if let Some(reader) = &mut reader {
                        reader.push(Stream::Output, data);
                    }
                    kept.push(data);
                }
            }
        }
        body.is_end_stream()
    };
    let finished = tokio::time::timeout(limits.time, taking)
        .await
        .unwrap_or(false);
    // What was cut off may have been just what a rule misses.
    let said = reader.filter(|_| finished).map(|reader| said(reader, of));
    let mut taken = kept.finish(finished, announced);
    taken.reading = said.map(|said| Box::new(of_wrapper(&mut taken).unwrap_or(said)));
    taken
}

/// The same of a text that is there as a whole. It takes as long as the text.
pub(super) fn whole(text: &[u8], of: BodyOf, kept_bytes: usize, budget: &Budget) -> SignalBody {
    if text.is_empty() {
        return SignalBody::default();
    }
    let mut kept = Kept::new(kept_bytes, budget);
    let mut reader = matches!(of, BodyOf::End { .. }).then(Reader::new);
    for piece in text.chunks(PIECE_BYTES) {
        if let Some(reader) = &mut reader {
            reader.push(Stream::Output, piece);
        }
        kept.push(piece);
    }
    let said = reader.map(|reader| said(reader, of));
    let mut taken = kept.finish(true, None);
    taken.reading = said.map(|said| Box::new(of_wrapper(&mut taken).unwrap_or(said)));
    taken
}

/// What `nightbeat run` read, where the body comes from it: that was the whole output.
fn of_wrapper(taken: &mut SignalBody) -> Option<Reading> {
    let body = taken.kept.as_mut()?;
    let whole = body.len();
    let reading = wrapper::take_reading(body);
    taken.bytes -= (whole - body.len()) as u64;
    reading
}

fn said(reader: Reader, of: BodyOf) -> Reading {
    let exit_code = match of {
        BodyOf::End { exit_code } => exit_code.map(i32::from),
        BodyOf::Note => None,
    };
    reader.finish(exit_code)
}

/// The first tenth of the limit and the newest bytes, in one buffer.
struct Kept<'b> {
    bytes: Vec<u8>,
    total: u64,
    limit: usize,
    budget: &'b Budget,
    held: Held,
    /// How many bytes are held.
    room: usize,
    /// The budget is used up: nothing more is kept.
    starved: bool,
}

impl<'b> Kept<'b> {
    fn new(limit: usize, budget: &'b Budget) -> Self {
        Self {
            bytes: Vec::new(),
            total: 0,
            limit,
            budget,
            held: Held::default(),
            room: 0,
            starved: false,
        }
    }

    fn push(&mut self, data: &[u8]) {
        self.total += data.len() as u64;
        // What is taken out again for the tail leaves its room to the next.
        let more = (self.bytes.len() + data.len()).saturating_sub(self.room);
        self.starved = self.starved || !self.budget.take(&mut self.held, more);
        if self.starved {
            return;
        }
        self.room += more;
        self.bytes.extend_from_slice(data);
        // Twice the limit before the middle is taken out: each byte is moved once on average.
        if self.bytes.len() > 2 * self.limit {
            let excess = self.bytes.len() - self.limit;
            self.bytes.drain(self.head()..self.head() + excess);
        }
    }

    fn head(&self) -> usize {
        self.limit / 10
    }

    fn finish(mut self, finished: bool, announced: Option<u64>) -> SignalBody {
        let held = self.total;
        // An unfinished body had at least one byte more: that marks it as cut.
        let bytes = if finished {
            held
        } else {
            announced.unwrap_or(0).max(held + 1)
        };
        if self.starved {
            // The beginning; `bytes` says that there was more.
            self.bytes.truncate(self.limit);
        } else if held > self.limit as u64 {
            let tail = self.limit - self.head() - NOTE_BYTES_MAX;
            let cut = held - (self.head() + tail) as u64;
            let note = format!("\n[… {cut} bytes cut …]\n");
            let tail_at = self.bytes.len() - tail;
            self.bytes.splice(self.head()..tail_at, note.into_bytes());
        }
        let kept = (bytes > 0).then_some(self.bytes);
        SignalBody {
            kept,
            bytes,
            unfinished: !finished,
            reading: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use std::convert::Infallible;

    const LIMITS: BodyLimits = BodyLimits {
        kept_bytes: 1_000,
        read_bytes: 50_000,
        time: Duration::from_secs(3_600),
    };

    async fn read<B: Body<Data = Bytes> + Unpin>(body: B, limits: BodyLimits) -> SignalBody {
        super::read(body, BodyOf::Note, limits, &Budget::new(1_000_000)).await
    }

    fn chunks(chunks: Vec<Vec<u8>>) -> impl Body<Data = Bytes> + Unpin {
        let frames = chunks
            .into_iter()
            .map(|chunk| Ok::<_, Infallible>(Frame::data(Bytes::from(chunk))));
        StreamBody::new(stream::iter(frames.collect::<Vec<_>>()))
    }

    #[tokio::test]
    async fn no_body_and_an_empty_body_are_none() {
        assert_eq!(
            read(Full::new(Bytes::new()), LIMITS).await,
            SignalBody::default()
        );
        assert_eq!(read(chunks(vec![]), LIMITS).await, SignalBody::default());
        assert_eq!(
            read(chunks(vec![vec![]]), LIMITS).await,
            SignalBody::default()
        );
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_kept_as_it_is() {
        let body = read(chunks(vec![b"a\0\xff".to_vec(), vec![b'x'; 997]]), LIMITS).await;
        assert_eq!(body.bytes, 1_000);
        assert_eq!(
            body.kept.unwrap(),
            [b"a\0\xff".as_slice(), &[b'x'; 997]].concat()
        );
        assert!(!body.unfinished);
    }

    #[tokio::test]
    async fn of_a_longer_body_head_and_tail_are_kept_with_a_note() {
        for chunk in [1, 7, 999, 1_001, 20_000] {
            let whole: Vec<u8> = (0..20_000_u32)
                .flat_map(|n| format!("{n:05}").into_bytes())
                .take(20_000)
                .collect();
            let body = read(
                chunks(whole.chunks(chunk).map(<[u8]>::to_vec).collect()),
                LIMITS,
            )
            .await;
            let kept = String::from_utf8(body.kept.unwrap()).unwrap();
            let (head, rest) = kept.split_once("\n[… ").unwrap();
            let (note, tail) = rest.split_once(" bytes cut …]\n").unwrap();
            assert_eq!(head.as_bytes(), &whole[..100], "{chunk}");
            assert!(whole.ends_with(tail.as_bytes()), "{chunk}");
            assert_eq!(
                note.parse::<usize>().unwrap() + head.len() + tail.len(),
                20_000,
                "{chunk}"
            );
            assert!(
                kept.len() <= LIMITS.kept_bytes && kept.len() > 900,
                "{chunk}: {}",
                kept.len()
            );
            assert_eq!(body.bytes, 20_000);
            assert!(!body.unfinished);
        }
    }

    #[tokio::test]
    async fn past_the_hard_limit_reading_stops_and_the_body_is_cut() {
        let endless = stream::repeat_with(|| {
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 4_096])))
        });
        let body = read(StreamBody::new(endless), LIMITS).await;
        assert!(body.unfinished);
        assert_eq!(
            body.bytes, 53_249,
            "13 chunks of 4,096 and at least one byte more"
        );
        assert!(body.kept.unwrap().len() <= LIMITS.kept_bytes);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_counts_with_what_came() {
        let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err("reset")];
        let body = read(StreamBody::new(stream::iter(frames)), LIMITS).await;
        assert_eq!(
            body,
            SignalBody {
                kept: Some(b"half".to_vec()),
                bytes: 5,
                unfinished: true,
                reading: None,
            }
        );
    }

    #[tokio::test]
    async fn a_body_that_takes_too_long_counts_with_what_came() {
        let hanging =
            stream::once(async { Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"half"))) });
        let hanging = futures_util::StreamExt::chain(hanging, stream::pending());
        let limits = BodyLimits {
            time: Duration::from_millis(20),
            ..LIMITS
        };
        let body = read(StreamBody::new(Box::pin(hanging)), limits).await;
        assert_eq!(
            body,
            SignalBody {
                kept: Some(b"half".to_vec()),
                bytes: 5,
                unfinished: true,
                reading: None,
            }
        );
    }

    #[tokio::test]
    async fn without_memory_for_it_a_body_counts_with_what_fitted() {
        let budget = Budget::new(2_500);
        let hog = {
            let mut hog = Held::default();
            assert!(budget.take(&mut hog, 2_000));
            hog
        };
        let body = vec![vec![b'a'; 400], vec![b'b'; 400], vec![b'c'; 400]];
        let cut = super::read(chunks(body.clone()), BodyOf::Note, LIMITS, &budget).await;
        let expected = SignalBody {
            kept: Some(vec![b'a'; 400]),
            bytes: 1_200,
            unfinished: false,
            reading: None,
        };
        assert_eq!(cut, expected);
        drop(hog);
        let whole = super::read(chunks(body), BodyOf::Note, LIMITS, &budget).await;
        assert!(whole.kept.unwrap().ends_with(b"ccc"), "the room came back");
    }

    #[tokio::test]
    async fn a_long_body_holds_no_more_than_it_keeps() {
        let budget = Budget::new(2 * LIMITS.kept_bytes + 400);
        let body = chunks(vec![vec![b'x'; 400]; 100]);
        let body = super::read(body, BodyOf::Note, LIMITS, &budget).await;
        assert_eq!(body.bytes, 40_000);
        let kept = String::from_utf8(body.kept.unwrap()).unwrap();
        assert!(kept.contains("bytes cut") && kept.ends_with('x'), "{kept}");
    }

    #[tokio::test]
    async fn the_output_of_a_run_is_read_as_a_whole_however_little_of_it_is_kept() {
        let mut body =
            vec![b"processed 12 files, 3.000 MiB in 0:01\nsnapshot de13ad41 saved\n".to_vec()];
        body.extend(std::iter::repeat_n(b"a line of the script\n".repeat(50), 5));
        let end = BodyOf::End { exit_code: Some(0) };
        let budget = Budget::new(1_000_000);
        let read = super::read(chunks(body), end, LIMITS, &budget).await;
        assert!(
            read.kept
                .is_some_and(|kept| kept.len() <= LIMITS.kept_bytes)
        );
        let reading = read.reading.unwrap();
        assert_eq!(reading.evidence[0].files_total, Some(12));
    }

    #[tokio::test]
    async fn a_text_that_is_there_as_a_whole_is_read_as_one_that_comes_in_pieces() {
        let budget = Budget::new(1_000_000);
        for length in [1, 900, 20_000, 100_000] {
            let mut text =
                b"processed 12 files, 3.000 MiB in 0:01\nsnapshot de13ad41 saved\n".to_vec();
            text.extend(std::iter::repeat_n(b'x', length));
            for of in [BodyOf::Note, BodyOf::End { exit_code: Some(3) }] {
                let limits = BodyLimits {
                    read_bytes: u64::MAX,
                    ..LIMITS
                };
                let pieces = chunks(text.chunks(100).map(<[u8]>::to_vec).collect());
                let read = super::read(pieces, of, limits, &budget).await;
                assert_eq!(whole(&text, of, LIMITS.kept_bytes, &budget), read);
            }
        }
        let none = whole(b"", BodyOf::Note, LIMITS.kept_bytes, &budget);
        assert_eq!(none, SignalBody::default());
    }

    #[tokio::test]
    async fn what_the_wrapper_read_is_believed_and_not_kept_as_output() {
        let body = b"processed 1 files, 1.000 MiB in 0:01\n\
            [nightbeat] reading {\"evidence\":[{\"tool\":\"restic\",\"files_total\":12,\"outcome\":\"ok\",\
            \"line\":\"l\"}],\"outcome\":\"ok\"}\n";
        let end = BodyOf::End { exit_code: Some(0) };
        let budget = Budget::new(1_000_000);
        let read = super::read(chunks(vec![body.to_vec()]), end, LIMITS, &budget).await;
        assert_eq!(read.reading.unwrap().evidence[0].files_total, Some(12));
        assert_eq!(
            read.kept.unwrap(),
            b"processed 1 files, 1.000 MiB in 0:01\n"
        );
        assert_eq!(read.bytes, 37);
    }
}

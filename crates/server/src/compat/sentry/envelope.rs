//! Sentry's envelopes: a line of JSON, then items, each a line of JSON and its payload. Pure.

use std::io::Read as _;

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::StatusCode;
use serde::Deserialize;

use crate::api::Problem;

/// The most items that are looked at.
const ITEMS_MAX: usize = 1_000;

/// An envelope, taken apart.
#[derive(Debug, PartialEq)]
pub(super) struct Envelope<'a> {
    /// The key of the DSN that its header names.
    pub(super) key: Option<String>,
    /// What its header calls the event.
    pub(super) event_id: Option<String>,
    items: Vec<(String, &'a [u8])>,
}

#[derive(Deserialize)]
struct Header {
    dsn: Option<String>,
    event_id: Option<String>,
}

#[derive(Deserialize)]
struct ItemHeader {
    #[serde(rename = "type")]
    kind: String,
    length: Option<usize>,
}

impl<'a> Envelope<'a> {
    /// The payloads of one type.
    pub(super) fn items_of(&self, kind: &str) -> impl Iterator<Item = &'a [u8]> {
        let items = self.items.iter().filter(move |(known, _)| known == kind);
        items.map(|(_, payload)| *payload)
    }
}

/// Takes an envelope apart.
pub(super) fn read(bytes: &[u8]) -> Result<Envelope<'_>, Problem> {
    let (line, mut rest) = first_line(bytes);
    let header: Header = serde_json::from_slice(line).map_err(|_| malformed("its first line"))?;
    let mut items = Vec::new();
    while !rest.is_empty() {
        let (line, after) = first_line(rest);
        rest = after;
        if line.is_empty() {
            continue;
        }
        let item: ItemHeader =
            serde_json::from_slice(line).map_err(|_| malformed("the header of an item"))?;
        let payload;
        (payload, rest) = match item.length {
            None => first_line(rest),
            Some(length) if length <= rest.len() => rest.split_at(length),
            Some(_) => return Err(malformed("the length of an item")),
        };
        if items.len() == ITEMS_MAX {
            return Err(malformed("the number of its items"));
        }
        items.push((item.kind, payload));
    }
    Ok(Envelope {
        key: header.dsn.as_deref().and_then(key_of_dsn),
        event_id: header.event_id,
        items,
    })
}

/// `https://KEY[:SECRET]@HOST/NUMBER`.
fn key_of_dsn(dsn: &str) -> Option<String> {
    let (_, rest) = dsn.split_once("://")?;
    let (user, _) = rest.split_once('@')?;
    let key = user.split(':').next().unwrap_or(user);
    Some(key.to_owned())
}

fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}

/// A body without its packing, which may unpack to `bytes_max`.
pub(super) fn unpacked(encoding: &str, bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let limit = bytes_max as u64 + 1;
    let mut whole = Vec::new();
    let read = match encoding {
        "identity" | "" => {
            whole.extend_from_slice(bytes);
            Ok(0)
        }
        "gzip" => MultiGzDecoder::new(bytes)
            .take(limit)
            .read_to_end(&mut whole),
        "deflate" => ZlibDecoder::new(bytes).take(limit).read_to_end(&mut whole),
        _ => {
            let text = "the body is packed in a way that is not known here: use gzip, or none";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
    };
    if read.is_err() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "the body cannot be unpacked",
        ));
    }
    if whole.len() > bytes_max {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is larger than 1 MB",
        ));
    }
    Ok(whole)
}

fn malformed(what: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        format!("this is no envelope: {what} cannot be read"),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    #[test]
    fn items_are_told_apart_by_length_or_by_line() {
        let text = "{\"dsn\":\"https://k3y:s@h/1\",\"event_id\":\"e\"}\n\
            {\"type\":\"check_in\",\"length\":9}\n{\"a\":\n\"b\"}\n\
            {\"type\":\"event\"}\n{}\n\n{\"type\":\"check_in\"}\n{\"c\":1}";
        let text = text.replace("\"length\":9", "\"length\":10");
        let envelope = read(text.as_bytes()).unwrap();
        assert_eq!(envelope.key.as_deref(), Some("k3y"));
        assert_eq!(envelope.event_id.as_deref(), Some("e"));
        let found: Vec<&[u8]> = envelope.items_of("check_in").collect();
        assert_eq!(found, [&b"{\"a\":\n\"b\"}"[..], b"{\"c\":1}"]);
    }

    #[test]
    fn what_is_no_envelope_is_refused_and_never_panics() {
        for text in [
            "",
            "x",
            "{}\nx",
            "{}\n{\"type\":\"check_in\",\"length\":5}\n{}",
            "{}\n{\"length\":0}\n",
            "{}\n{\"type\":\"a\",\"length\":-1}\n",
            "{\"dsn\":1}",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"{}").unwrap().items_of("check_in").next().is_none());
        assert_eq!(read(b"{\"dsn\":\"x\"}").unwrap().key, None);
    }

    #[test]
    fn a_packed_body_is_unpacked_up_to_its_limit() {
        let text = vec![b'a'; 1_000];
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&text).unwrap();
        let gzip = gzip.finish().unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&text).unwrap();
        let zlib = zlib.finish().unwrap();
        for (encoding, bytes) in [("identity", &text), ("gzip", &gzip), ("deflate", &zlib)] {
            assert_eq!(
                unpacked(encoding, bytes, 1_000).as_ref(),
                Ok(&text),
                "{encoding}"
            );
            let cut = unpacked(encoding, bytes, 999).unwrap_err();
            assert_eq!(cut.status(), 413, "{encoding}");
        }
        assert_eq!(unpacked("gzip", b"no", 9).unwrap_err().status(), 400);
        assert_eq!(unpacked("br", b"no", 9).unwrap_err().status(), 415);
    }
}

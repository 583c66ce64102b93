//! Files that never change while the server runs: each is served under a name that holds its hash, and
//! compressed once. They are the same for everybody and hold no secret, so compressing tells nobody anything.

use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, StatusCode};
use nightbeat_domain::Status;
use sha2::{Digest, Sha256};

/// Where they are.
pub(super) const ASSETS_ROUTE: &str = "/assets/{file}";

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The style sheet of all pages.
pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style", "css", CSS, include_bytes!("style.css")));
/// Our own script.
pub(super) static APP: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("app", "js", SCRIPT, include_bytes!("app.js")));
/// The script that uses passkeys.
pub(super) static PASSKEYS: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("passkeys", "js", SCRIPT, include_bytes!("passkeys.js")));
/// htmx, see `vendor/README.md`.
pub(super) static HTMX: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("vendor/htmx-4.0.1.min.js");
    Asset::new("htmx", "js", SCRIPT, bytes)
});
/// The mark in a browser's tab while all is well, …
static ICON_UP: LazyLock<Asset> = LazyLock::new(|| Asset::icon(include_bytes!("icons/up.svg")));
/// … where something is to be looked at, …
static ICON_WATCH: LazyLock<Asset> =
    LazyLock::new(|| Asset::icon(include_bytes!("icons/watch.svg")));
/// … where we cannot be sure, …
static ICON_UNVERIFIED: LazyLock<Asset> =
    LazyLock::new(|| Asset::icon(include_bytes!("icons/unverified.svg")));
/// … and where something is down.
static ICON_DOWN: LazyLock<Asset> = LazyLock::new(|| Asset::icon(include_bytes!("icons/down.svg")));

/// A file that never changes.
#[derive(Debug)]
pub(super) struct Asset {
    /// Its name, with its hash.
    file: String,
    media_type: &'static str,
    bytes: &'static [u8],
    gzip: Vec<u8>,
}

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let short = hash
            .iter()
            .take(8)
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Self {
            file: format!("{name}.{short:016x}.{extension}"),
            media_type,
            bytes,
            gzip: gzip(bytes, Compression::best()),
        }
    }

    fn icon(bytes: &'static [u8]) -> Self {
        Self::new("icon", "svg", SVG, bytes)
    }

    /// Its path below the public URL's own.
    pub(super) fn path(&self) -> String {
        format!("/assets/{}", self.file)
    }
}

/// The mark that the worst of several statuses gives the browser's tab.
pub(super) fn icon(worst: Option<Status>) -> &'static Asset {
    match worst {
        Some(Status::Down) => &ICON_DOWN,
        Some(Status::Unverified) => &ICON_UNVERIFIED,
        Some(Status::Warning | Status::Late) => &ICON_WATCH,
        Some(Status::New | Status::Up | Status::Paused) | None => &ICON_UP,
    }
}

fn all() -> [&'static Asset; 8] {
    [
        &STYLE,
        &APP,
        &PASSKEYS,
        &HTMX,
        &ICON_UP,
        &ICON_WATCH,
        &ICON_UNVERIFIED,
        &ICON_DOWN,
    ]
}

pub(super) async fn serve(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = all().into_iter().find(|asset| asset.file == file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let common = [
        (CONTENT_TYPE, asset.media_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (VARY, "accept-encoding"),
    ];
    if takes_gzip(&headers) {
        let encoded = [(CONTENT_ENCODING, "gzip")];
        return (common, encoded, asset.gzip.as_slice()).into_response();
    }
    (common, asset.bytes).into_response()
}

/// Whether a browser takes gzip. One that says `q=0` does not.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).into_iter();
    let mut codings = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && weight.parse().unwrap_or(0.0) > 0.0_f32
    })
}

/// `bytes`, compressed.
pub(super) fn gzip(bytes: &[u8], level: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), level);
    // Writing to memory cannot fail; were it to, an empty file is noticed by every test.
    if encoder.write_all(bytes).is_err() {
        return Vec::new();
    }
    encoder.finish().unwrap_or_default()
}

/// Nothing here is for search engines; a signal URL least of all.
pub(super) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn files_of_others_are_what_their_hashes_say() {
        let table = include_str!("vendor/README.md");
        let hash = Sha256::digest(HTMX.bytes);
        let hash = hash
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let line = table.lines().find(|line| line.contains(&hash));
        let line = line.expect("the hash of htmx stands in vendor/README.md");
        let text = std::str::from_utf8(HTMX.bytes).unwrap();
        assert!(text.contains("this.version=\"4.0.1\"") && line.contains("| 4.0.1 |"));
    }

    #[test]
    fn each_file_has_its_own_name_and_unpacks_to_itself() {
        let mut names: Vec<&str> = all().iter().map(|asset| asset.file.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
        for asset in all() {
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(asset.gzip.as_slice());
            decoder.read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, asset.bytes, "{}", asset.file);
        }
    }

    #[test]
    fn gzip_is_for_browsers_that_take_it() {
        for (header, expected) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            let headers =
                HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_str(header).unwrap())]);
            assert_eq!(takes_gzip(&headers), expected, "{header}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}

//! The links of badges: how they are written, signed and read. Pure.

use hmac::{Hmac, KeyInit as _, Mac as _};
use nightbeat_domain::{HeartbeatId, ProjectId};
use sha2::Sha256;

/// How many bytes of a signature stand in a link: nobody tries 2^128 of them.
const SIGNATURE_BYTES: usize = 16;

/// What a badge is about. `H` says which heartbeat: by id where it is signed, by slug where it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About<H> {
    /// All heartbeats of the project.
    All,
    /// Those with this tag.
    Tag(String),
    /// One.
    Heartbeat(H),
}

/// Which states a badge tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum States {
    /// Up and down.
    Two,
    /// Late, too.
    Three,
}

/// How a badge is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A picture.
    Svg,
    /// JSON with numbers.
    Json,
    /// What shields.io asks of an endpoint.
    Shields,
}

/// What the end of a link says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) about: About<String>,
    pub(super) states: States,
    pub(super) format: Format,
}

/// Writes the links of a project.
#[derive(Debug, Clone)]
pub(crate) struct Links<'a> {
    /// The public URL, without a slash at its end.
    pub(crate) public_url: &'a str,
    /// The project.
    pub(crate) project: ProjectId,
    /// Its secret.
    pub(crate) secret: &'a str,
}

impl Links<'_> {
    /// The link of a badge; `slug` is that of the heartbeat, where it is about one.
    pub(crate) fn link(
        &self,
        about: &About<HeartbeatId>,
        slug: &str,
        states: States,
        format: Format,
    ) -> String {
        let signature = signature(self.secret, about);
        let which = match about {
            About::All => "all".to_owned(),
            About::Tag(tag) => {
                let tag: String = form_urlencoded::byte_serialize(tag.as_bytes()).collect();
                // In a path, unlike in a form, a plus is a plus.
                format!("tag/{}", tag.replace('+', "%20"))
            }
            About::Heartbeat(_) => format!("heartbeat/{slug}"),
        };
        let states = match states {
            States::Two => 2,
            States::Three => 3,
        };
        let format = match format {
            Format::Svg => "svg",
            Format::Json => "json",
            Format::Shields => "shields",
        };
        let Self {
            public_url,
            project,
            ..
        } = self;
        format!("{public_url}/badges/{project}/{signature}/{states}/{which}.{format}")
    }
}

/// Reads the end of a link, without its escapes: `3/tag/web.svg`.
pub(super) fn parse(text: &str) -> Option<Wanted> {
    let (states, rest) = text.split_once('/')?;
    let states = match states {
        "2" => States::Two,
        "3" => States::Three,
        _ => return None,
    };
    let (rest, format) = rest.rsplit_once('.')?;
    let format = match format {
        "svg" => Format::Svg,
        "json" => Format::Json,
        "shields" => Format::Shields,
        _ => return None,
    };
    let about = match rest.split_once('/') {
        None if rest == "all" => About::All,
        Some(("tag", tag)) if !tag.contains(char::is_control) => About::Tag(tag.to_owned()),
        Some(("heartbeat", slug)) if nightbeat_store::control::is_slug(slug) => {
            About::Heartbeat(slug.to_owned())
        }
        _ => return None,
    };
    Some(Wanted {
        about,
        states,
        format,
    })
}

/// Whether a signature is that of what a badge is about.
pub(super) fn check(secret: &str, about: &About<HeartbeatId>, signature: &str) -> Option<()> {
    let bytes: Option<Vec<u8>> = (signature.len() == 2 * SIGNATURE_BYTES).then(|| {
        let digits = signature.as_bytes().chunks(2);
        digits
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>()
    })?;
    mac(secret, about).verify_truncated_left(&bytes?).ok()
}

fn signature(secret: &str, about: &About<HeartbeatId>) -> String {
    let whole = mac(secret, about).finalize().into_bytes();
    let mut text = String::new();
    for byte in &whole[..SIGNATURE_BYTES] {
        use std::fmt::Write as _;
        // A String takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn mac(secret: &str, about: &About<HeartbeatId>) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    // What comes first tells them apart: no tag is a heartbeat.
    match about {
        About::All => mac.update(b"all"),
        About::Tag(tag) => {
            mac.update(b"tag:");
            mac.update(tag.as_bytes());
        }
        About::Heartbeat(id) => {
            mac.update(b"heartbeat:");
            mac.update(id.0.as_bytes());
        }
    }
    mac
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ID: HeartbeatId = HeartbeatId(Uuid::from_u128(7));

    fn abouts() -> Vec<About<HeartbeatId>> {
        vec![
            About::All,
            About::Tag("web".to_owned()),
            About::Tag("all".to_owned()),
            About::Tag("é/ü +.svg".to_owned()),
            About::Heartbeat(ID),
            About::Heartbeat(HeartbeatId(Uuid::from_u128(8))),
        ]
    }

    #[test]
    fn a_signature_opens_one_badge_of_one_secret() {
        for (a, about) in abouts().iter().enumerate() {
            let signature = signature("secret", about);
            for (b, other) in abouts().iter().enumerate() {
                assert_eq!(
                    check("secret", other, &signature).is_some(),
                    a == b,
                    "{a} {b}"
                );
            }
            assert_eq!(check("another", about, &signature), None);
            assert_eq!(check("secret", about, &signature[2..]), None);
            assert_eq!(check("secret", about, ""), None);
            assert_eq!(check("secret", about, &"é".repeat(16)), None);
        }
    }

    #[test]
    fn a_link_is_read_as_it_was_written() {
        let links = Links {
            public_url: "https://h",
            project: ProjectId(Uuid::from_u128(1)),
            secret: "secret",
        };
        for about in abouts() {
            for (states, format) in [
                (States::Two, Format::Svg),
                (States::Three, Format::Json),
                (States::Two, Format::Shields),
            ] {
                let link = links.link(&about, "backup_1", states, format);
                assert!(link.bytes().all(|byte| byte.is_ascii_graphic()), "{link}");
                let end: Vec<&str> = link.splitn(7, '/').collect();
                let pair = format!("x={}", end[6].replace('+', "%2B"));
                let (_, end) = form_urlencoded::parse(pair.as_bytes()).next().unwrap();
                let expected = match &about {
                    About::All => About::All,
                    About::Tag(tag) => About::Tag(tag.clone()),
                    About::Heartbeat(_) => About::Heartbeat("backup_1".to_owned()),
                };
                let found = parse(&end).unwrap();
                assert_eq!(
                    (found.about, found.states, found.format),
                    (expected, states, format)
                );
            }
        }
    }

    #[test]
    fn what_is_no_badge_is_none() {
        for text in [
            "",
            "all.svg",
            "4/all.svg",
            "2/all",
            "2/all.png",
            "2/some.svg",
            "2/tag.svg",
            "2/heartbeat/Upper.svg",
            "2/heartbeat/.svg",
            "2/tag/a\u{0}.svg",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

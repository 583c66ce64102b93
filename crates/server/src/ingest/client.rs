//! Who sent a request: the client's address, its name for itself, and whether it only looks at links.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{CONTENT_TYPE, USER_AGENT};
use nightbeat_store::Arrival;

use crate::config::TrustedProxies;

/// How far a list of forwarded addresses is walked.
const HOPS_MAX: usize = 20;
/// How much of a user agent is searched for the name of a previewer.
const USER_AGENT_SEARCHED_BYTES: usize = 512;

/// Programs that fetch links to show or check them, by a part of their user agent in lower case.
const PREVIEWERS: [&str; 40] = [
    "applebot",
    "barracuda",
    "bingbot",
    "bingpreview",
    "bitlybot",
    "bsky.social",
    "cardyb",
    "discordbot",
    "duckduckbot",
    "embedly",
    "facebookexternalhit",
    "facebot",
    "googlebot",
    "google-safety",
    "googleimageproxy",
    "iframely",
    "kakaotalk-scrap",
    "linkedinbot",
    "mastodon",
    "mattermost",
    "meta-externalagent",
    "meta-externalfetcher",
    "microsoftpreview",
    "mimecast",
    "nextcloud server crawler",
    "pinterestbot",
    "proofpoint",
    "redditbot",
    "rocket.chat",
    "signal-desktop",
    "skypeuripreview",
    "slack-imgproxy",
    "slackbot",
    "synapse (bot",
    "telegrambot",
    "twitterbot",
    "viber",
    "whatsapp",
    "yandexbot",
    "zulipurlpreview",
];

/// What browsers and `curl -d` call the body of a form.
const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// Whether a body is said to be a form.
pub(super) fn sends_a_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.as_bytes().get(..FORM.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(FORM))
}

/// The client's address. A forwarded one counts only as far as every hop behind it is trusted; what is
/// not an address ends the walk.
pub fn address(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    trusted: &TrustedProxies,
) -> Option<IpAddr> {
    let mut client = peer.map(|peer| peer.to_canonical());
    if !is_trusted(peer, trusted) {
        return client;
    }
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.rsplit(','));
    for hop in hops.take(HOPS_MAX) {
        let Some(address) = parse_hop(hop.trim()) else {
            break;
        };
        client = Some(address);
        if !is_trusted(Some(address), trusted) {
            break;
        }
    }
    client
}

/// Whether what this peer says of others is believed. `None`: it came over a Unix socket.
pub fn is_trusted(peer: Option<IpAddr>, trusted: &TrustedProxies) -> bool {
    peer.map_or(trusted.unix, |peer| {
        let peer = peer.to_canonical();
        let mut networks = trusted.networks.iter();
        networks.any(|network| network.contains(peer))
    })
}

/// `10.0.0.1`, `10.0.0.1:443`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:443`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    address
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

/// The client's name for itself, as much of it as is kept. What is not text becomes U+FFFD.
pub(super) fn user_agent(headers: &HeaderMap) -> String {
    let Some(value) = headers.get(USER_AGENT) else {
        return String::new();
    };
    let text = String::from_utf8_lossy(value.as_bytes());
    match text.char_indices().nth(Arrival::USER_AGENT_CHARS_MAX) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.into_owned(),
    }
}

/// Whether a GET or HEAD only looks at a link: a known previewer, or a browser that fetches ahead.
pub(super) fn is_previewer(headers: &HeaderMap) -> bool {
    let says = |header: &str, words: &[&str]| {
        let value = headers
            .get(header)
            .map(http::HeaderValue::as_bytes)
            .unwrap_or_default();
        let value = value.to_ascii_lowercase();
        words.iter().any(|word| contains(&value, word))
    };
    if says("sec-purpose", &["prefetch", "prerender"])
        || says("purpose", &["prefetch", "preview"])
        || says("x-purpose", &["preview"])
        || says("x-moz", &["prefetch"])
    {
        return true;
    }
    let agent = headers
        .get(USER_AGENT)
        .map(http::HeaderValue::as_bytes)
        .unwrap_or_default();
    if agent.starts_with(b"curl/") || agent.starts_with(b"Wget/") {
        return false;
    }
    let agent = agent[..agent.len().min(USER_AGENT_SEARCHED_BYTES)].to_ascii_lowercase();
    PREVIEWERS.iter().any(|name| contains(&agent, name))
}

fn contains(text: &[u8], word: &str) -> bool {
    text.windows(word.len())
        .any(|window| window == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    fn trusted(networks: &[&str], unix: bool) -> TrustedProxies {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        TrustedProxies { networks, unix }
    }

    #[test]
    fn forwarded_addresses_count_from_the_right_as_far_as_they_are_trusted() {
        let proxies = ["10.0.0.0/8", "fd00::/8"];
        for (peer, forwarded, expected) in [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
            (
                "10.0.0.1",
                "1.2.3.4, 198.51.100.1, 10.0.0.2",
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                "1.2.3.4,198.51.100.1 , 10.0.0.2:8080",
                "198.51.100.1",
            ),
            ("::ffff:10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
            ("fd00::1", "[2001:db8::1]", "2001:db8::1"),
            ("10.0.0.1", "unknown", "10.0.0.1"),
            ("10.0.0.1", "1.2.3.4, unknown", "10.0.0.1"),
            ("10.0.0.1", "1.2.3.4, unknown, 10.0.0.3", "10.0.0.3"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", ",,,", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.9", "10.0.0.9"),
            ("10.0.0.1", "1.2.3.4.5", "10.0.0.1"),
        ] {
            let found = address(
                Some(peer.parse().unwrap()),
                &headers(&[("x-forwarded-for", forwarded.as_bytes())]),
                &trusted(&proxies, false),
            );
            assert_eq!(found, Some(expected.parse().unwrap()), "{peer} {forwarded}");
        }
    }

    #[test]
    fn several_header_lines_are_one_list() {
        let lines = headers(&[
            ("x-forwarded-for", b"1.2.3.4"),
            ("x-forwarded-for", b"198.51.100.1, 10.0.0.2"),
        ]);
        let found = address(
            Some("10.0.0.1".parse().unwrap()),
            &lines,
            &trusted(&["10.0.0.0/8"], false),
        );
        assert_eq!(found, Some("198.51.100.1".parse().unwrap()));
    }

    #[test]
    fn a_unix_socket_has_no_address_unless_it_is_trusted_to_tell_one() {
        let forwarded = headers(&[("x-forwarded-for", b"198.51.100.1")]);
        assert_eq!(address(None, &forwarded, &trusted(&[], false)), None);
        assert_eq!(
            address(None, &forwarded, &trusted(&[], true)),
            Some("198.51.100.1".parse().unwrap())
        );
        assert_eq!(
            address(
                None,
                &headers(&[("x-forwarded-for", b"\xff")]),
                &trusted(&[], true)
            ),
            None
        );
    }

    #[test]
    fn a_user_agent_is_cut_and_made_text() {
        let long = "é".repeat(5_000);
        let cut = user_agent(&headers(&[("user-agent", long.as_bytes())]));
        assert_eq!(cut.chars().count(), Arrival::USER_AGENT_CHARS_MAX);
        assert_eq!(
            user_agent(&headers(&[("user-agent", b"a\xff")])),
            "a\u{fffd}"
        );
        assert_eq!(user_agent(&HeaderMap::new()), "");
    }

    #[test]
    fn previewers_are_known_by_their_name() {
        for agent in [
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "Slack-ImgProxy (+https://api.slack.com/robots)",
            "TelegramBot (like TwitterBot)",
            "WhatsApp/2.23.20.0",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "facebookexternalhit/1.1",
            "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Synapse (bot; +https://github.com/matrix-org/synapse)",
            "Mattermost-Bot/1.1",
        ] {
            assert!(
                is_previewer(&headers(&[("user-agent", agent.as_bytes())])),
                "{agent}"
            );
        }
    }

    #[test]
    fn jobs_are_not_previewers() {
        for agent in [
            "",
            "curl/8.5.0",
            "Wget/1.21.3",
            "Wget",
            "python-requests/2.31.0",
            "Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.19041",
            "runitor/1.4.1 (+https://github.com/bdd/runitor)",
            "resticprofile/0.29",
            "Go-http-client/1.1",
            "borgmatic/2.1",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        ] {
            assert!(
                !is_previewer(&headers(&[("user-agent", agent.as_bytes())])),
                "{agent}"
            );
        }
    }

    #[test]
    fn browsers_that_fetch_ahead_say_so() {
        for (header, value) in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "Prefetch"),
            ("purpose", "preview"),
            ("x-purpose", "preview"),
            ("x-moz", "prefetch"),
        ] {
            assert!(
                is_previewer(&headers(&[(header, value.as_bytes())])),
                "{header}: {value}"
            );
        }
        assert!(!is_previewer(&headers(&[
            ("purpose", b"backup"),
            ("x-moz", b"")
        ])));
    }
}

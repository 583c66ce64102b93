//! Mail addresses that are signals: whom a mail is for and what it says. Pure.
//!
//! ```text
//! UUID[+ENDING]@DOMAIN    PING-KEY+SLUG[+ENDING]@DOMAIN    ENDING = start, fail, log, 0 to 255
//! ```

use nightbeat_domain::{HeartbeatId, SignalKind};

use crate::config::MailDomain;
use crate::ingest::url::{UrlTarget, check_slug, is_ping_key, parse_action, uuid};

/// What a mail address says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAddress {
    /// Whom the mail is for.
    pub target: UrlTarget,
    /// What it says, where its words do not.
    pub kind: SignalKind,
    /// The exit code, where the address told one.
    pub exit_code: Option<u8>,
}

/// Why an address is no signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// It has no domain.
    #[error("write the address with its domain")]
    NoDomain,
    /// Its domain is none of ours.
    #[error("this server takes no mail for that domain, and passes none on")]
    Elsewhere,
    /// It names nothing that can exist.
    #[error("no heartbeat has this address")]
    Unknown,
    /// What stands behind the heartbeat is none of the endings.
    #[error("behind the heartbeat may stand +start, +fail, +log or an exit code, +0 to +255")]
    Ending,
}

impl MailAddress {
    /// Reads an address that is for one of `domains`. Only a ping key is read as it is written: programs
    /// that handle mail are free with capitals.
    pub fn parse(address: &str, domains: &[MailDomain]) -> Result<Self, AddressProblem> {
        let (local, domain) = address.rsplit_once('@').ok_or(AddressProblem::NoDomain)?;
        if !domains.iter().any(|ours| ours.is(domain)) {
            return Err(AddressProblem::Elsewhere);
        }
        let mut parts = local.split('+');
        let first = parts.next().unwrap_or_default();
        let target = if let Some(id) = uuid(first) {
            UrlTarget::Id(HeartbeatId(id))
        } else {
            let slug = parts.next().ok_or(AddressProblem::Unknown)?;
            let slug = slug.to_ascii_lowercase();
            if !is_ping_key(first) || check_slug(&slug).is_err() {
                return Err(AddressProblem::Unknown);
            }
            let ping_key = first.to_owned();
            UrlTarget::Slug { ping_key, slug }
        };
        let (kind, exit_code) = match parts.next() {
            None => (SignalKind::Success, None),
            Some(ending) => {
                parse_action(&ending.to_ascii_lowercase()).map_err(|_| AddressProblem::Ending)?
            }
        };
        if parts.next().is_some() {
            return Err(AddressProblem::Ending);
        }
        Ok(Self {
            target,
            kind,
            exit_code,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4c1e0a52-7f36-4b2e-9d7c-2f6b1c9e8a10";

    /// What an address says, in short.
    fn said(address: &str) -> String {
        let domains = ["beats.example.org", "127.0.0.1"].map(|text| text.parse().unwrap());
        let found = match MailAddress::parse(address, &domains) {
            Ok(found) => found,
            Err(problem) => return format!("{problem:?}"),
        };
        let target = match found.target {
            UrlTarget::Id(id) if id.to_string() == ID => "id".to_owned(),
            UrlTarget::Id(_) => "another id".to_owned(),
            UrlTarget::Slug { ping_key, slug } => format!("{ping_key}/{slug}"),
        };
        match found.exit_code {
            None => format!("{target} {}", found.kind.as_str()),
            Some(code) => format!("{target} {} {code}", found.kind.as_str()),
        }
    }

    #[test]
    fn an_address_says_whom_it_is_for_and_what() {
        for (address, expected) in [
            (format!("{ID}@beats.example.org"), "id success"),
            (format!("{ID}@BEATS.example.org."), "id success"),
            (format!("{ID}@[127.0.0.1]"), "id success"),
            (
                format!("{}@beats.example.org", ID.to_uppercase()),
                "id success",
            ),
            (format!("{ID}+start@beats.example.org"), "id start"),
            (format!("{ID}+Fail@beats.example.org"), "id fail"),
            (format!("{ID}+log@beats.example.org"), "id log"),
            (format!("{ID}+0@beats.example.org"), "id success 0"),
            (format!("{ID}+255@beats.example.org"), "id fail 255"),
            (
                "Key_1+job@beats.example.org".to_owned(),
                "Key_1/job success",
            ),
            (
                "Key_1+Job+24@beats.example.org".to_owned(),
                "Key_1/job fail 24",
            ),
            ("k+start@beats.example.org".to_owned(), "k/start success"),
            (
                "k+start+start@beats.example.org".to_owned(),
                "k/start start",
            ),
            (
                format!("k+{ID}@beats.example.org"),
                &format!("k/{ID} success"),
            ),
        ] {
            assert_eq!(said(&address), expected, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_of_ours_says_why() {
        let undashed = ID.replace('-', "");
        for (address, expected) in [
            ("", "NoDomain"),
            (ID, "NoDomain"),
            (&format!("{ID}@example.org"), "Elsewhere"),
            (&format!("{ID}@beats.example.org@example.org"), "Elsewhere"),
            (&format!("{ID}@beats.example.org.evil.example"), "Elsewhere"),
            (&format!("{ID}@"), "Elsewhere"),
            ("@beats.example.org", "Unknown"),
            ("postmaster@beats.example.org", "Unknown"),
            (&format!("{undashed}@beats.example.org"), "Unknown"),
            (&format!("{ID}x@beats.example.org"), "Unknown"),
            ("k+@beats.example.org", "Unknown"),
            ("k+a.b@beats.example.org", "Unknown"),
            ("k y+job@beats.example.org", "Unknown"),
            (
                &format!("k+{}@beats.example.org", "s".repeat(101)),
                "Unknown",
            ),
            (&format!("{ID}+@beats.example.org"), "Ending"),
            (&format!("{ID}+256@beats.example.org"), "Ending"),
            (&format!("{ID}+-1@beats.example.org"), "Ending"),
            (&format!("{ID}+done@beats.example.org"), "Ending"),
            (&format!("{ID}+start+fail@beats.example.org"), "Ending"),
            ("k+job+fail+1@beats.example.org", "Ending"),
        ] {
            assert_eq!(said(address), expected, "{address}");
        }
    }
}

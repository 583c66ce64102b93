//! The second step of a sign-in: the secret that an app makes codes from, and recovery codes.

use nightbeat_domain::UnixMicros;
use nightbeat_store::Result;
use nightbeat_store::control::second_step;
use nightbeat_store::sql::Sql;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Totp};
use uuid::Uuid;

use super::key_hash;
use crate::random;

/// What apps show beside the account.
const ISSUER: &str = "Nightbeat";
/// How many recovery codes a person gets.
const RECOVERY_CODES: usize = 10;
/// The length of a secret that RFC 4226 recommends (section 4).
const SECRET_BYTES: usize = 20;

/// A new secret.
pub fn new_secret() -> Vec<u8> {
    random::bytes::<SECRET_BYTES>().to_vec()
}

/// What a person's app needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForApp {
    /// The secret in base 32, in groups of four.
    pub text: String,
    /// The QR code with all of it, as a `data:` URL of an SVG.
    pub qr: String,
}

/// How an app learns the secret of the account with this address; `None` where it cannot be written down, which no
/// secret of ours is.
pub fn for_app(secret: &[u8], email: &str) -> Option<ForApp> {
    let totp = totp(secret, email)?;
    let url = totp.to_url().ok()?;
    let code = QrCode::new(url.as_bytes()).ok()?;
    let svg = code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .build();
    let text = totp.secret().to_base32();
    let groups = text.as_bytes().chunks(4).map(String::from_utf8_lossy);
    Some(ForApp {
        text: groups.collect::<Vec<_>>().join(" "),
        qr: format!(
            "data:image/svg+xml,{}",
            utf8_percent_encode(&svg, NON_ALPHANUMERIC)
        ),
    })
}

/// Six digits, 30 seconds, SHA-1: what every app knows. A code counts half a minute longer and earlier, for clocks
/// that differ (RFC 6238, section 5.2).
fn totp(secret: &[u8], email: &str) -> Option<Totp> {
    Builder::new()
        .with_secret(secret.to_vec())
        .with_issuer(Some(ISSUER))
        .with_account_name(email.replace(':', " "))
        .build()
        .ok()
}

/// The time step whose code this is, if it is one of about now.
fn step_of(secret: &[u8], code: &str, now: UnixMicros) -> Option<i64> {
    let seconds = u64::try_from(now.0 / 1_000_000).ok()?;
    let step = totp(secret, "")?.check(code, seconds)?;
    i64::try_from(step).ok()
}

/// Whether an account asks for a second step.
pub fn is_asked_for(sql: &mut dyn Sql, account: Uuid) -> Result<bool> {
    let totp = second_step::get(sql, account)?;
    Ok(totp.is_some_and(|totp| totp.confirmed_at.is_some()))
}

/// Takes what a person typed: a code of their app, or a recovery code. Each is taken once.
pub fn take(sql: &mut dyn Sql, account: Uuid, typed: &str, now: UnixMicros) -> Result<bool> {
    let typed = plain(typed);
    let Some(totp) = second_step::get(sql, account)? else {
        return Ok(false);
    };
    if let Some(step) = step_of(&totp.secret, &typed, now) {
        return second_step::take_step(sql, account, step);
    }
    second_step::take_recovery_code(sql, account, &key_hash(&typed))
}

/// The first code of an app proves that it has the secret: from now on codes are asked for. The recovery codes, or
/// `None` where the code is wrong or nothing was begun.
pub fn confirm(
    sql: &mut dyn Sql,
    account: Uuid,
    typed: &str,
    now: UnixMicros,
) -> Result<Option<Vec<String>>> {
    let totp = second_step::get(sql, account)?;
    let Some(totp) = totp.filter(|totp| totp.confirmed_at.is_none()) else {
        return Ok(None);
    };
    let Some(step) = step_of(&totp.secret, &plain(typed), now) else {
        return Ok(None);
    };
    second_step::take_step(sql, account, step)?;
    second_step::confirm(sql, account, now)?;
    new_recovery_codes(sql, account).map(Some)
}

/// Other recovery codes in place of those before: shown once, stored as hashes.
pub fn new_recovery_codes(sql: &mut dyn Sql, account: Uuid) -> Result<Vec<String>> {
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| random::code()).collect();
    let hashes: Vec<[u8; 32]> = codes.iter().map(|code| key_hash(&plain(code))).collect();
    second_step::set_recovery_codes(sql, account, &hashes)?;
    Ok(codes)
}

/// What was typed without the spaces and hyphens that make it readable.
fn plain(typed: &str) -> String {
    let kept = typed.chars().filter(|c| !c.is_whitespace() && *c != '-');
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, for SHA-1, cut to the six digits that apps show.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let at = UnixMicros::from_seconds(seconds);
            assert_eq!(step_of(secret, code, at), Some(seconds / 30), "{code}");
            let late = UnixMicros::from_seconds(seconds + 30);
            assert_eq!(step_of(secret, code, late), Some(seconds / 30));
            let too_late = UnixMicros::from_seconds(seconds + 90);
            assert_eq!(step_of(secret, code, too_late), None);
        }
        for wrong in ["", "28708", "2870822", "28708a", "x4k29mfpt7qz"] {
            assert_eq!(step_of(secret, wrong, UnixMicros::from_seconds(59)), None);
        }
    }

    #[test]
    fn an_app_reads_the_secret_as_text_or_from_the_picture() {
        let shown = for_app(b"12345678901234567890", "a:na@example.org").unwrap();
        assert_eq!(shown.text, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert!(
            shown.qr.starts_with("data:image/svg+xml,%3C%3Fxml"),
            "{}",
            shown.qr
        );
        assert!(!shown.qr.contains('"'));
    }

    #[test]
    fn what_is_typed_is_read_leniently() {
        assert_eq!(plain(" X4K2-9mfp-T7QZ "), "x4k29mfpt7qz");
        assert_eq!(plain("123 456"), "123456");
    }
}

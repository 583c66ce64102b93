//! Signals that come by mail: from an address and a letter to the same record as a request.

pub mod address;
pub mod letter;

use std::net::IpAddr;

use futures_util::future::join_all;
use nightbeat_domain::{Signal, SignalKind, UnixMicros};
use nightbeat_store::{Arrival, Mail};

use super::body::{self, BodyOf, SignalBody};
use super::{Ingest, body_of, reading, whom};
use crate::node::Answer;
use address::MailAddress;
use letter::Letter;

/// How much of a subject stands above the text, in characters.
const SUBJECT_SHOWN_CHARS: usize = 200;

/// Who brought a mail.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// As whom it was sent; empty for a mail that nobody wants to hear back about.
    pub(crate) from: String,
    /// From where.
    pub(crate) client: Option<IpAddr>,
}

impl Ingest {
    /// What a mail says to each of these addresses. It is a stranger's text, and long perhaps: not for a thread
    /// that serves others.
    pub(crate) fn arrivals(
        &self,
        letter: &Letter,
        to: &[MailAddress],
        sender: &Sender,
    ) -> Vec<Arrival> {
        let mut bodies: Vec<(BodyOf, SignalBody)> = Vec::new();
        let arrivals = to.iter().map(|address| {
            let of = body_of(address.kind, address.exit_code);
            let known = bodies.iter().find(|(known, _)| *known == of);
            let body = if let Some((_, body)) = known {
                body.clone()
            } else {
                let body = self.body_of_mail(letter, of);
                bodies.push((of, body.clone()));
                body
            };
            self.arrival_of(letter, address, sender, body)
        });
        arrivals.collect()
    }

    /// Records what a mail says; returns when it is durable, or will not be. It arrives now: whatever date it
    /// bears, it may have waited anywhere.
    pub(crate) async fn mail(&self, arrivals: Vec<Arrival>) -> Vec<Answer> {
        let began = tokio::time::Instant::now();
        let recording = arrivals.into_iter().map(|it| self.node.signal(it));
        let answers = join_all(recording).await;
        for answer in &answers {
            let (_, outcome) = self.answers.of(*answer);
            self.count(outcome);
            let waited = began.elapsed().as_secs_f64();
            self.metrics.signal_seconds.observe(waited);
        }
        answers
    }

    fn arrival_of(
        &self,
        letter: &Letter,
        address: &MailAddress,
        sender: &Sender,
        body: SignalBody,
    ) -> Arrival {
        let MailAddress {
            target,
            kind,
            exit_code,
        } = address.clone();
        let user_agent = format!("Email from {}", sender.from);
        let client = sender.client.map(|client| client.to_string());
        let nonce = letter
            .mark
            .as_ref()
            .map(|mark| nonce(mark, kind, exit_code));
        Arrival {
            target: whom(target, None),
            signal: Signal {
                exit_code,
                reading: reading(kind, body.kept.as_deref(), body.reading),
                // The node stamps it.
                ..Signal::new(kind, UnixMicros::MIN)
            },
            nonce,
            method: Arrival::BY_MAIL,
            source: client.unwrap_or_default(),
            user_agent: first_chars(&user_agent, Arrival::USER_AGENT_CHARS_MAX).to_owned(),
            body: body.kept,
            body_bytes: body.bytes,
            mail: Some(Box::new(Mail {
                subject: letter.subject.clone(),
                text: ends(&letter.text, &letter.beside, self.limits.kept_bytes),
            })),
        }
    }

    /// The subject, an empty line, and what is kept of the text. Only the text is read as the job's output.
    fn body_of_mail(&self, letter: &Letter, of: BodyOf) -> SignalBody {
        let head = match first_chars(&letter.subject, SUBJECT_SHOWN_CHARS) {
            "" => String::new(),
            subject if letter.text.is_empty() => format!("Subject: {subject}\n"),
            subject => format!("Subject: {subject}\n\n"),
        };
        let kept_bytes = self.limits.kept_bytes - head.len();
        let mut body = body::whole(letter.text.as_bytes(), of, kept_bytes, &self.bodies);
        if !head.is_empty() {
            body.bytes += head.len() as u64;
            let text = body.kept.take().unwrap_or_default();
            body.kept = Some([head.into_bytes(), text].concat());
        }
        body
    }
}

/// The mark of what a mail says to one address: to `+start` and to `+fail` it is two signals.
fn nonce(mark: &str, kind: SignalKind, exit_code: Option<u8>) -> String {
    match exit_code {
        Some(code) => format!("mail {mark} {code}"),
        None => format!("mail {mark} {}", kind.as_str()),
    }
}

fn first_chars(text: &str, most: usize) -> &str {
    match text.char_indices().nth(most) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// What of two texts words are looked for in: of long ones the beginning and the end, as they are kept.
fn ends(text: &str, beside: &str, most: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    for text in [text, beside].map(str::as_bytes) {
        if text.is_empty() {
            continue;
        }
        if text.len() <= most {
            kept.extend_from_slice(text);
        } else {
            let head = most / 10;
            kept.extend_from_slice(&text[..head]);
            // No word is made of both.
            kept.push(b'\n');
            kept.extend_from_slice(&text[text.len() - (most - head)..]);
        }
        kept.push(b'\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_looked_for_in_both_ends_of_both_texts() {
        assert_eq!(ends("one", "", 100), b"one\n");
        assert_eq!(ends("one", "two", 100), b"one\ntwo\n");
        let long = "a".repeat(50) + &"b".repeat(50);
        let kept = ends(&long, "", 20);
        assert_eq!(kept, b"aa\nbbbbbbbbbbbbbbbbbb\n");
        assert_eq!(ends("", "", 20), b"");
    }

    #[test]
    fn a_mail_has_a_mark_for_each_of_its_endings() {
        let mark = "0".repeat(40);
        let all = [
            nonce(&mark, SignalKind::Success, None),
            nonce(&mark, SignalKind::Start, None),
            nonce(&mark, SignalKind::Fail, None),
            nonce(&mark, SignalKind::Fail, Some(255)),
            nonce(&mark, SignalKind::Success, Some(0)),
        ];
        for (at, nonce) in all.iter().enumerate() {
            assert!(nonce.len() <= Arrival::NONCE_CHARS_MAX);
            assert!(!all[..at].contains(nonce));
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(first_chars("äöü", 2), "äö");
        assert_eq!(first_chars("äöü", 3), "äöü");
    }
}

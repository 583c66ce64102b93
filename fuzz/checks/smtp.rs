//! What holds for every conversation with the mail server. The input is what a client sends.

use nightbeat_server::smtp::reply::Reply;
use nightbeat_server::smtp::session::{
    Envelope, Found, House, Next, Outcome, RECIPIENTS_MAX, Session,
};
use nightbeat_server::smtp::wire::{Inbox, Text, TextProblem};

/// The longest line of a reply (RFC 5321, 4.5.3.1.5).
const REPLY_BYTES_MAX: usize = 512;
const MAIL_BYTES: usize = 10_000;

/// Fails where a conversation goes wrong.
pub(crate) fn check(input: &[u8]) {
    let found = converse(input, input.len().max(1));
    for piece in [1, 2, 7] {
        let again = converse(input, piece);
        assert_eq!(again, found, "in pieces of {piece} it says another thing");
    }
    for line in found.said.split_inclusive(|byte| *byte == b'\n') {
        let content = line.strip_suffix(b"\r\n").expect("a line ends with CR LF");
        assert!(line.len() <= REPLY_BYTES_MAX);
        assert!(content.iter().all(|byte| (b' '..=b'~').contains(byte)));
        assert!(content.len() > 3 && content[..3].iter().all(u8::is_ascii_digit));
    }
    for (envelope, text) in &found.mails {
        assert!((1..=RECIPIENTS_MAX).contains(&envelope.to.len()));
        assert!(!envelope.from.contains(char::is_control));
        if let Ok(text) = text {
            assert!(text.len() <= MAIL_BYTES);
            let alone = text.iter().enumerate().any(|(at, byte)| match byte {
                b'\n' => at == 0 || text[at - 1] != b'\r',
                b'\r' => text.get(at + 1) != Some(&b'\n'),
                _ => false,
            });
            assert!(!alone, "a CR or LF stands alone");
        }
    }
}

/// What was said, and which mails were sent.
#[derive(Debug, Default, PartialEq)]
struct Conversation {
    said: Vec<u8>,
    mails: Vec<(Envelope, Result<Vec<u8>, TextProblem>)>,
}

/// A conversation with a client whose bytes come in pieces of this size, up to its end or to encryption. Every
/// heartbeat is found, and every mail that may be is taken.
fn converse(input: &[u8], piece: usize) -> Conversation {
    let house = House {
        domains: vec!["beats.example.org".parse().expect("a domain")],
        mail_bytes: MAIL_BYTES,
        tls: true,
    };
    let mut session = Session::new(&house);
    let mut all = Conversation::default();
    let mut inbox = Inbox::default();
    let mut reading: Option<(Envelope, Text)> = None;
    let say = |reply: &Reply, all: &mut Conversation| reply.write(&mut all.said);
    say(&session.greeting(), &mut all);
    for piece in input.chunks(piece) {
        inbox.push(piece);
        loop {
            let next = if let Some((envelope, mut text)) = reading.take() {
                if !inbox.text(&mut text) {
                    reading = Some((envelope, text));
                    break;
                }
                let text = text.finish();
                let outcome = match &text {
                    Ok(_) => Outcome::Taken,
                    Err(TextProblem::Bare) => Outcome::Bare,
                    Err(TextProblem::TooLarge) => Outcome::TooLarge,
                };
                all.mails.push((envelope, text));
                session.told(outcome)
            } else {
                let Some(line) = inbox.line() else { break };
                session.line(line.as_deref().map_err(|problem| *problem))
            };
            let next = match next {
                Next::LookUp(address) => session.looked_up(address, Found::One),
                other => other,
            };
            match next {
                Next::Say(reply) => say(&reply, &mut all),
                Next::Text(reply) => {
                    say(&reply, &mut all);
                    let envelope = session.envelope().expect("a mail was begun");
                    reading = Some((envelope, Text::new(MAIL_BYTES)));
                }
                Next::Close(reply) | Next::StartTls(reply) => {
                    say(&reply, &mut all);
                    return all;
                }
                Next::LookUp(_) => unreachable!("it was looked up"),
            }
        }
    }
    all
}

//! Real TLS with a test authority: whom we believe, whom not, and that mail is never sent in the clear.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use nightbeat_domain::{DeliveryId, UnixMicros};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Roots, install_crypto_provider};
use crate::{
    Catalogue, Content, Message, Notifier, Outgoing, SendError, Sent, SmtpSettings, SmtpTls,
};

const AUTHORITY: &[u8] = include_bytes!("../testdata/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../testdata/server.pem");
const KEY: &[u8] = include_bytes!("../testdata/server.key.pem");

fn our_authority() -> Roots {
    Roots::Machine(vec![CertificateDer::from_pem_slice(AUTHORITY).unwrap()])
}

fn over_tls(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}

/// Serves one connection in a thread of its own; what it saw comes out of the channel, or nothing.
fn serve(conversation: fn(TcpStream) -> std::io::Result<String>) -> (u16, mpsc::Receiver<String>) {
    install_crypto_provider();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        if let Ok(text) = conversation(stream) {
            seen.send(text).unwrap();
        }
    });
    (port, receiver)
}

fn https(stream: TcpStream) -> std::io::Result<String> {
    let mut stream = BufReader::new(over_tls(stream));
    let mut request_line = String::new();
    stream.read_line(&mut request_line)?;
    stream
        .get_mut()
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
    Ok(request_line)
}

fn smtps(stream: TcpStream) -> std::io::Result<String> {
    let mut stream = BufReader::new(over_tls(stream));
    say(&mut stream, "220 ready")?;
    converse(&mut stream, "250 mail.example")
}

fn smtp_with_starttls(stream: TcpStream) -> std::io::Result<String> {
    let mut plain = BufReader::new(stream);
    say(&mut plain, "220 ready")?;
    converse(&mut plain, "250-mail.example\r\n250 STARTTLS")?;
    let mut stream = BufReader::new(over_tls(plain.into_inner()));
    converse(&mut stream, "250 mail.example")
}

/// Answers every command; ends with the mail's subject, or when STARTTLS was asked for.
fn converse<S: Read + Write>(stream: &mut BufReader<S>, hello: &str) -> std::io::Result<String> {
    let mut subject = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.get(..4).unwrap_or("") {
            "EHLO" => say(stream, hello)?,
            "STAR" => {
                say(stream, "220 go on")?;
                return Ok(String::new());
            }
            "MAIL" | "RCPT" => say(stream, "250 ok")?,
            "DATA" => say(stream, "354 go on")?,
            "QUIT" => {
                say(stream, "221 bye")?;
                return Ok(subject);
            }
            "Subj" => line.trim_end().clone_into(&mut subject),
            _ if line == ".\r\n" => say(stream, "250 queued")?,
            _ => {}
        }
    }
}

fn say<S: Read + Write>(stream: &mut BufReader<S>, line: &str) -> std::io::Result<()> {
    stream
        .get_mut()
        .write_all(format!("{line}\r\n").as_bytes())?;
    stream.get_mut().flush()
}

async fn send(
    kind: &str,
    field: (&str, String),
    smtp: Option<SmtpSettings>,
    roots: Roots,
) -> Result<Sent, SendError> {
    let outgoing = Outgoing {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..Outgoing::default()
    };
    let catalogue = Arc::new(Catalogue::load(None).unwrap());
    let notifier = Notifier::with_roots(catalogue, &outgoing, smtp.as_ref(), &roots).unwrap();
    let fields = BTreeMap::from([(field.0.to_owned(), field.1)]);
    let message = Message {
        delivery_id: "dcec5cdb-73af-520a-8c3b-ffb752795d5d"
            .parse::<DeliveryId>()
            .unwrap(),
        sent_at: UnixMicros::from_seconds(1_795_316_641),
        base_url: "https://beats.example.org".to_owned(),
        content: Content::Test {
            project_name: "home".to_owned(),
            channel_name: "ops".to_owned(),
        },
    };
    notifier.send(kind, &fields, &message).await
}

async fn mail(host: &str, port: u16, tls: SmtpTls, roots: Roots) -> Result<Sent, SendError> {
    let settings = SmtpSettings {
        host: host.to_owned(),
        port: Some(port),
        tls,
        username: None,
        password: None,
        from: "alerts@example.org".to_owned(),
        helo: Some("example.org".to_owned()),
    };
    send(
        "email",
        ("to", "me@example.org".to_owned()),
        Some(settings),
        roots,
    )
    .await
}

#[tokio::test]
async fn https_is_sent_to_a_server_whose_authority_the_machine_knows() {
    let (port, seen) = serve(https);
    let url = format!("https://localhost:{port}/hook");
    let sent = send("webhook", ("url", url), None, our_authority())
        .await
        .unwrap();
    assert_eq!(sent.detail, "answered 204 No Content");
    assert_eq!(seen.recv().unwrap(), "POST /hook HTTP/1.1\r\n");
}

#[tokio::test]
async fn https_to_a_server_of_an_unknown_authority_fails_and_says_what_to_set() {
    let (port, seen) = serve(https);
    let url = format!("https://localhost:{port}/hook");
    let error = send("webhook", ("url", url), None, Roots::BuiltIn)
        .await
        .unwrap_err();
    assert!(
        error.detail.contains("UnknownIssuer") && error.detail.contains("SSL_CERT_FILE"),
        "{error}"
    );
    assert!(seen.recv().is_err(), "a request was sent");
}

#[tokio::test]
async fn https_to_a_server_with_another_name_fails() {
    let (port, seen) = serve(https);
    // The certificate is for `localhost`.
    let url = format!("https://127.0.0.1:{port}/hook");
    let error = send("webhook", ("url", url), None, our_authority())
        .await
        .unwrap_err();
    assert!(error.detail.contains("not valid for name"), "{error}");
    assert!(seen.recv().is_err(), "a request was sent");
}

#[tokio::test]
async fn mail_travels_over_implicit_tls_and_over_starttls() {
    for (conversation, tls) in [
        (
            smtps as fn(TcpStream) -> std::io::Result<String>,
            SmtpTls::Implicit,
        ),
        (smtp_with_starttls, SmtpTls::Starttls),
    ] {
        let (port, seen) = serve(conversation);
        mail("localhost", port, tls, our_authority()).await.unwrap();
        assert_eq!(seen.recv().unwrap(), "Subject: TEST: ops", "{tls:?}");
    }
}

#[tokio::test]
async fn mail_to_a_server_of_an_unknown_authority_is_not_sent() {
    for (conversation, tls) in [
        (
            smtps as fn(TcpStream) -> std::io::Result<String>,
            SmtpTls::Implicit,
        ),
        (smtp_with_starttls, SmtpTls::Starttls),
    ] {
        let (port, seen) = serve(conversation);
        let error = mail("localhost", port, tls, Roots::BuiltIn)
            .await
            .unwrap_err();
        assert!(error.detail.contains("UnknownIssuer"), "{tls:?}: {error}");
        assert!(seen.recv().is_err(), "{tls:?}: a mail was sent");
    }
}

#[test]
fn this_machines_list_or_the_built_in_one_makes_a_configuration() {
    for roots in [Roots::load(), Roots::BuiltIn] {
        roots.https().unwrap();
        roots.smtp("mail.example.org").unwrap();
    }
}

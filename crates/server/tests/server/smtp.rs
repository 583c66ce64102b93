//! Signals by mail, over real sockets: the conversations of `smtp.toml`, and what becomes of mails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nightbeat_domain::{HeartbeatId, IgnoredBecause, SignalKind};
use nightbeat_server::Server;
use nightbeat_server::config::{Config, Database};
use nightbeat_testkit::{SmallDisk, is_root, postgres, until};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Fixture, HANGING, start};

const SHORT: Duration = Duration::from_secs(1);

fn takes_mail(config: &mut Config) {
    config.mail_in.listen = vec!["127.0.0.1:0".parse().unwrap()];
    config.mail_in.domains = vec!["beats.example.org".parse().unwrap()];
}

async fn with_mail() -> Fixture {
    start(takes_mail).await
}

fn mail_address(server: &Server) -> SocketAddr {
    server.mail_addresses()[0]
}

/// A client that says what it is told.
struct Talk<S> {
    stream: S,
    heard: Vec<u8>,
}

impl Talk<TcpStream> {
    async fn with(server: &Server) -> Self {
        let stream = TcpStream::connect(mail_address(server)).await.unwrap();
        Self {
            stream,
            heard: Vec::new(),
        }
    }

    /// The same, greeted.
    async fn greeted(server: &Server) -> Self {
        let mut talk = Self::with(server).await;
        assert!(talk.reply().await.starts_with("220 "));
        assert!(talk.say("EHLO nas.lan").await.starts_with("250"));
        talk
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The last line of the next reply; empty where the connection is closed.
    async fn reply(&mut self) -> String {
        loop {
            while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap();
                assert!(line.ends_with("\r\n"), "{line:?}");
                if line.as_bytes()[3] == b' ' {
                    return line;
                }
                assert_eq!(line.as_bytes()[3], b'-', "{line:?}");
            }
            let mut piece = [0; 4_096];
            let reading = self.stream.read(&mut piece);
            let read = tokio::time::timeout(HANGING, reading).await;
            // A reset is an end, too.
            match read.expect("a reply").unwrap_or(0) {
                0 => return String::new(),
                count => self.heard.extend_from_slice(&piece[..count]),
            }
        }
    }

    async fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.reply().await
    }

    /// Sends a mail to these addresses; the last reply.
    async fn mail(&mut self, to: &[String], text: &str) -> String {
        let reply = self.say("MAIL FROM:<root@nas.lan>").await;
        if !reply.starts_with("250") {
            return reply;
        }
        for to in to {
            let reply = self.say(&format!("RCPT TO:<{to}>")).await;
            if !reply.starts_with("250") {
                return reply;
            }
        }
        let reply = self.say("DATA").await;
        assert!(reply.starts_with("354"), "{reply}");
        let text = text.replace('\n', "\r\n");
        self.send(format!("{text}\r\n.\r\n")).await;
        self.reply().await
    }
}

/// Asks the API with the project's key.
async fn api(nightbeat: &Fixture, ask: &str, body: &str) -> String {
    let key = &nightbeat.keys.api_key;
    let length = body.len();
    let head = format!("X-Api-Key: {key}\r\nContent-Length: {length}\r\nConnection: close");
    let kind = "Content-Type: application/json";
    let request = format!("{ask} HTTP/1.1\r\nHost: x\r\n{kind}\r\n{head}\r\n\r\n{body}");
    let answer = nightbeat.talk(request).await;
    assert_eq!(answer.status, 200, "{ask}: {}", answer.body);
    answer.body
}

fn to(id: HeartbeatId, ending: &str) -> [String; 1] {
    [format!("{id}{ending}@beats.example.org")]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    story: Vec<Story>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    name: String,
    signals: Vec<String>,
    talk: String,
}

/// The bytes of an `R: ` line.
fn raw(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let (byte, length) = match &behind[..1] {
            "r" => (b'\r', 1),
            "n" => (b'\n', 1),
            "0" => (0, 1),
            "x" => (u8::from_str_radix(&behind[1..3], 16).unwrap(), 3),
            other => panic!("\\{other}"),
        };
        bytes.push(byte);
        rest = &behind[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

async fn tell(story: &Story) {
    let nightbeat = with_mail().await;
    let id = nightbeat.heartbeat("backup").await;
    let mut talk = Talk::with(&nightbeat.server).await;
    for (number, line) in story.talk.lines().enumerate() {
        let line = line.replace("{id}", &id.to_string());
        let line = line.replace("{ping}", &nightbeat.keys.ping_key);
        match line.split_at(3) {
            ("C: ", said) => talk.send(format!("{said}\r\n")).await,
            ("R: ", said) => talk.send(raw(said)).await,
            ("S: ", "-") => assert_eq!(talk.reply().await, "", "{}", story.name),
            ("S: ", expected) => {
                let reply = talk.reply().await;
                let place = format!("{}, line {}", story.name, number + 1);
                assert!(
                    reply.starts_with(expected),
                    "{place}: {reply:?} for {line:?}"
                );
            }
            _ => panic!("{line:?}"),
        }
    }
    // Who still listens is waited for.
    drop(talk);
    let mut told: Vec<&str> = Vec::new();
    let signals = nightbeat.signals(id).await;
    // The first one created it.
    for signal in signals.iter().rev().skip(1) {
        assert_eq!(signal.ignored, None);
        told.push(signal.kind.as_str());
    }
    assert_eq!(told, story.signals, "{}", story.name);
    nightbeat.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_go_as_the_table_says() {
    let table: Table = toml::from_str(include_str!("smtp.toml")).unwrap();
    assert!(table.story.len() >= 14);
    for story in &table.story {
        tell(story).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_kept_as_subject_and_text_and_its_output_is_read() {
    let nightbeat = with_mail().await;
    let id = nightbeat.heartbeat("backup").await;
    let mut talk = Talk::greeted(&nightbeat.server).await;
    let mail = "From: Cron Daemon <root@nas.lan>\nTo: you\nSubject: Cron <root@nas>\n /usr/local/bin/backup.sh\n\
                Auto-Submitted: auto-generated\nContent-Type: text/plain; charset=UTF-8\n\n\
                processed 12 files, 3.000 MiB in 0:01\nsnapshot de13ad41 saved\n..dot";
    let reply = talk.mail(&to(id, "+0"), mail).await;
    assert_eq!(reply, "250 2.0.0 recorded\r\n");
    let stored = nightbeat.newest(id).await;
    let body = "Subject: Cron <root@nas> /usr/local/bin/backup.sh\n\n\
                processed 12 files, 3.000 MiB in 0:01\nsnapshot de13ad41 saved\n.dot\n";
    assert_eq!(
        stored.body.as_deref().map(String::from_utf8_lossy),
        Some(body.into())
    );
    assert_eq!(stored.body_bytes, Some(body.len() as u64));
    assert_eq!(
        (stored.kind, stored.exit_code),
        (SignalKind::Success, Some(0))
    );
    assert_eq!(stored.method, "MAIL");
    assert_eq!(stored.user_agent, "Email from root@nas.lan");
    assert_eq!(stored.source, "127.0.0.1");
    let answer = api(&nightbeat, "GET /api/v1/heartbeats/backup/runs", "").await;
    assert!(answer.contains(r#""tool":"restic""#), "{answer}");
    let answer = api(&nightbeat, &format!("GET /api/v3/checks/{id}/pings/"), "").await;
    assert!(answer.contains(r#""scheme":"email""#), "{answer}");
    assert!(
        answer.contains(r#""ua":"Email from root@nas.lan""#),
        "{answer}"
    );
    let metrics = nightbeat.get("/metrics").await.body;
    for line in [
        "nightbeat_mails_total{outcome=\"taken\"} 1",
        "nightbeat_signals_total{outcome=\"counted\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_cut_as_other_bodies_are_and_a_larger_mail_is_refused() {
    let nightbeat = start(|config| {
        takes_mail(config);
        config.limits.body_bytes = 10_000;
        config.limits.mail_bytes = 100_000;
    })
    .await;
    let id = nightbeat.heartbeat("backup").await;
    let mut talk = Talk::greeted(&nightbeat.server).await;
    let text = format!("Subject: s\n\nfirst\n{}last", "a line\n".repeat(10_000));
    assert!(talk.mail(&to(id, ""), &text).await.starts_with("250"));
    let stored = nightbeat.newest(id).await;
    let body = String::from_utf8(stored.body.unwrap()).unwrap();
    assert!(body.starts_with("Subject: s\n\nfirst\n") && body.ends_with("last\n"));
    assert!(body.contains("bytes cut") && body.len() <= 10_000);
    assert!(stored.body_bytes.unwrap() > 70_000);
    let text = format!("Subject: s\n\n{}", "a line\n".repeat(20_000));
    let reply = talk.mail(&to(id, "+fail"), &text).await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    assert!(talk.mail(&to(id, "+log"), "small").await.starts_with("250"));
    let endless = "x".repeat(500_000);
    let reply = talk.mail(&to(id, "+fail"), &endless).await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    assert_eq!(talk.reply().await, "", "it is closed");
    let kinds: Vec<_> = nightbeat
        .signals(id)
        .await
        .into_iter()
        .map(|it| it.kind)
        .collect();
    assert_eq!(
        kinds,
        [SignalKind::Log, SignalKind::Success, SignalKind::Success]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn words_in_subject_and_text_decide_and_the_method_does_not() {
    let nightbeat = with_mail().await;
    let id = nightbeat.heartbeat("backup").await;
    let edit = r#"{"post_only": true, "keywords": {"start": ["begins"], "success": ["SUCCESS"],
                   "failure": ["FAILED"], "in": ["mail_subject", "mail_body"], "otherwise": "ignore"}}"#;
    api(&nightbeat, "PATCH /api/v1/heartbeats/backup", edit).await;
    let mut talk = Talk::greeted(&nightbeat.server).await;
    let html = "Subject: report\nContent-Type: multipart/alternative; boundary=b\n\n\
                --b\nContent-Type: text/plain\n\nyour program shows no HTML\n\
                --b\nContent-Type: text/html\n\n<b>FAILED</b>\n--b--";
    let ignored = Some(IgnoredBecause::Keywords);
    for (ending, mail, kind, why) in [
        ("", "Subject: backup begins\n\nx", SignalKind::Start, None),
        (
            "+fail",
            "Subject: =?utf-8?q?SUC?=\n =?utf-8?q?CESS?=\n\nx",
            SignalKind::Success,
            None,
        ),
        (
            "",
            "Subject: SUCCESS\n\nbut one FAILED",
            SignalKind::Fail,
            None,
        ),
        ("", "Subject: x\n\nSUCCESS", SignalKind::Success, None),
        ("", html, SignalKind::Fail, None),
        ("+fail", "Subject: x\n\ny", SignalKind::Fail, ignored),
    ] {
        assert!(
            talk.mail(&to(id, ending), mail).await.starts_with("250"),
            "{mail}"
        );
        let stored = nightbeat.newest(id).await;
        assert_eq!((stored.kind, stored.ignored), (kind, why), "{mail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_to_several_is_a_signal_to_each() {
    let nightbeat = with_mail().await;
    let mut to = Vec::new();
    let mut ids = Vec::new();
    for number in 0..20 {
        let id = nightbeat.heartbeat(&format!("job-{number}")).await;
        to.push(format!("{id}+fail@beats.example.org"));
        ids.push(id);
    }
    let mut talk = Talk::greeted(&nightbeat.server).await;
    assert!(talk.mail(&to, "Subject: all\n\nx").await.starts_with("250"));
    for id in ids {
        let stored = nightbeat.newest(id).await;
        assert_eq!(stored.kind, SignalKind::Fail);
    }
}

fn encrypts(config: &mut Config) {
    takes_mail(config);
    let file = |name: &str| Some(format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR")).into());
    config.mail_in.certificate = file("mail.pem");
    config.mail_in.key = file("mail.key.pem");
}

async fn encrypted(stream: TcpStream) -> tokio_rustls::client::TlsStream<TcpStream> {
    let authority = include_bytes!("../../testdata/ca.pem");
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(authority).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    connecting.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_encrypted_and_what_was_added_before_is_dropped() {
    let nightbeat = start(encrypts).await;
    let id = nightbeat.heartbeat("backup").await;
    let mut talk = Talk::greeted(&nightbeat.server).await;
    // Somebody on the way adds commands, to be taken for the client's own.
    let reply = talk
        .say("STARTTLS\r\nMAIL FROM:<x@evil.example>\r\nRCPT TO:<x>")
        .await;
    assert!(reply.starts_with("220 2.0.0"), "{reply}");
    let mut talk = Talk {
        stream: encrypted(talk.stream).await,
        heard: Vec::new(),
    };
    assert!(
        talk.say("MAIL FROM:<root@nas.lan>")
            .await
            .starts_with("503")
    );
    assert!(talk.say("EHLO nas.lan").await.starts_with("250"));
    assert!(talk.say("STARTTLS").await.starts_with("503"));
    assert!(
        talk.mail(&to(id, "+fail"), "Subject: s\n\nx")
            .await
            .starts_with("250")
    );
    assert!(talk.say("QUIT").await.starts_with("221"));
    assert_eq!(talk.reply().await, "");
    assert_eq!(nightbeat.newest(id).await.kind, SignalKind::Fail);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_silent_and_the_slow_have_to_leave() {
    let nightbeat = start(|config| {
        takes_mail(config);
        config.limits.mail_timeout = SHORT;
    })
    .await;
    let id = nightbeat.heartbeat("backup").await;
    for said in ["", "EHL", "EHLO x\r\n"] {
        let mut talk = Talk::with(&nightbeat.server).await;
        talk.send(said).await;
        let mut last = talk.reply().await;
        while !last.starts_with("421") {
            last = talk.reply().await;
            assert_ne!(last, "", "closed without a word");
        }
        assert!(last.starts_with("421 4.4.2"), "{last}");
        assert_eq!(talk.reply().await, "");
    }
    let mut talk = Talk::with(&nightbeat.server).await;
    let lines = format!(
        "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<{id}@beats.example.org>\r\nDATA\r\nSubject: half of it\r\n"
    );
    talk.send(lines).await;
    for expected in ["220", "250", "250", "250", "354", "421 4.4.2", ""] {
        let reply = talk.reply().await;
        assert!(reply.starts_with(expected), "{reply:?}");
    }
    assert_eq!(nightbeat.signals(id).await.len(), 1, "half a mail is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_so_many() {
    let nightbeat = start(|config| {
        takes_mail(config);
        config.limits.mail_connections = 1;
    })
    .await;
    let mut first = Talk::greeted(&nightbeat.server).await;
    let mut second = Talk::with(&nightbeat.server).await;
    let reply = second.reply().await;
    assert_eq!(reply, "421 4.3.2 too many connections, try again\r\n");
    assert_eq!(second.reply().await, "");
    assert!(first.say("QUIT").await.starts_with("221"));
    let metrics = nightbeat.get("/metrics").await.body;
    let line = "nightbeat_refused_connections_total{reason=\"mail_connections\"} 1";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_signals_too_fast_is_told_to_come_again() {
    let nightbeat = start(|config| {
        takes_mail(config);
        config.limits.signals_per_second_per_heartbeat = Some(1);
    })
    .await;
    let id = nightbeat.heartbeat("backup").await;
    let mut talk = Talk::greeted(&nightbeat.server).await;
    // Two signals at once, unless a second begins between them.
    let both = [to(id, "+log"), to(id, "+fail")].concat();
    until("one of them is too fast", async || {
        let reply = talk.mail(&both, "x").await;
        reply.starts_with("451 4.7.1").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so() {
    let nightbeat = with_mail().await;
    let id = nightbeat.heartbeat("backup").await;
    let mut idle = Talk::greeted(&nightbeat.server).await;
    let mut busy = Talk::greeted(&nightbeat.server).await;
    let lines = format!("MAIL FROM:<>\r\nRCPT TO:<{id}+fail@beats.example.org>\r\nDATA\r\n");
    busy.send(lines).await;
    for expected in ["250", "250", "354"] {
        assert!(busy.reply().await.starts_with(expected));
    }
    let stopping = tokio::spawn(nightbeat.server.stop());
    assert!(idle.reply().await.starts_with("421 4.3.2"));
    assert_eq!(idle.reply().await, "");
    // A mail that is on its way is taken.
    busy.send("the end\r\n.\r\n").await;
    let reply = busy.reply().await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert!(busy.reply().await.starts_with("421 4.3.2"));
    stopping.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_makes_the_sender_come_again_and_the_mail_counts_once() {
    if !is_root() {
        return;
    }
    let disk = SmallDisk::mount(16 * 1024);
    let nightbeat = start(|config| {
        takes_mail(config);
        config.database = Database::Sqlite(disk.path().join("nightbeat.db"));
    })
    .await;
    let id = nightbeat.heartbeat("backup").await;
    let mut talk = Talk::greeted(&nightbeat.server).await;
    let mail = |number: usize| {
        let text = "x".repeat(20_000);
        format!("Message-ID: <{number}@nas>\nSubject: backup\n\n{text}")
    };
    disk.fill();
    // What is allocated already may take a few more.
    let mut number = 0;
    let refused = loop {
        number += 1;
        assert!(number < 1_000, "the disk is not full");
        let reply = talk.mail(&to(id, ""), &mail(number)).await;
        if !reply.starts_with("250") {
            break reply;
        }
    };
    assert!(refused.starts_with("451 4.3.0"), "{refused}");
    disk.free();
    // It comes again, as senders do, and once more because an answer was lost.
    for _ in 0..2 {
        until("the mail is taken", async || {
            let mut talk = Talk::greeted(&nightbeat.server).await;
            let reply = talk.mail(&to(id, ""), &mail(number)).await;
            assert!(
                reply.starts_with("250") || reply.starts_with("451"),
                "{reply}"
            );
            reply.starts_with("250").then_some(())
        })
        .await;
    }
    let stored = nightbeat.signals(id).await.len();
    assert_eq!(
        stored,
        1 + number,
        "each mail once, and the one that created it"
    );
    nightbeat.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_it_is_the_same() {
    let database = postgres::database();
    let nightbeat = start(|config| {
        takes_mail(config);
        config.database = database.url().parse().unwrap();
    })
    .await;
    until("the node has joined", async || {
        (nightbeat.get("/readyz").await.status == 200).then_some(())
    })
    .await;
    let id = nightbeat.heartbeat("backup").await;
    let mut talk = Talk::greeted(&nightbeat.server).await;
    let mail = "Message-ID: <1@nas>\nSubject: a\0b\n\nx\0y";
    for _ in 0..2 {
        let reply = talk.mail(&to(id, "+fail"), mail).await;
        assert!(reply.starts_with("250"), "{reply}");
    }
    let reply = talk
        .mail(
            &[format!(
                "{}+other@beats.example.org",
                nightbeat.keys.ping_key
            )],
            "x",
        )
        .await;
    assert!(reply.starts_with("550 5.1.1"), "{reply}");
    let kinds: Vec<_> = nightbeat
        .signals(id)
        .await
        .into_iter()
        .map(|it| it.kind)
        .collect();
    assert_eq!(kinds, [SignalKind::Fail, SignalKind::Success]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_domain_the_host_of_the_public_url_is_it() {
    let nightbeat = start(|config| {
        takes_mail(config);
        config.mail_in.domains.clear();
        config.public_url = "http://127.0.0.1:8787".parse().unwrap();
    })
    .await;
    let id = nightbeat.heartbeat("backup").await;
    let mut talk = Talk::greeted(&nightbeat.server).await;
    let reply = talk.mail(&[format!("{id}@[127.0.0.1]")], "x").await;
    assert!(reply.starts_with("250"), "{reply}");
    let reply = talk.mail(&to(id, ""), "x").await;
    assert!(reply.starts_with("550 5.7.1"), "{reply}");
}

//! A mail server that keeps what it is given.

use std::sync::{Arc, Mutex};

use nightbeat_notify::SmtpTls;
use nightbeat_server::config::Config;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::HANGING;

pub(crate) struct Mailbox {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    came: Arc<Notify>,
}

impl Mailbox {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mailbox = Self {
            port: listener.local_addr().unwrap().port(),
            mails: Arc::default(),
            came: Arc::default(),
        };
        let (mails, came) = (Arc::clone(&mailbox.mails), Arc::clone(&mailbox.came));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(mail) = take(stream).await {
                    mails.lock().unwrap().push(mail);
                    came.notify_one();
                }
            }
        });
        mailbox
    }

    /// Lets a server send its mails here.
    pub(crate) fn configure(&self, config: &mut Config) {
        config.smtp.host = Some("127.0.0.1".to_owned());
        config.smtp.port = Some(self.port);
        config.smtp.tls = Some(SmtpTls::None);
        config.smtp.from = Some("nightbeat@example.org".to_owned());
    }

    /// The oldest mail that was not looked at yet, as soon as there is one.
    pub(crate) async fn next(&self) -> String {
        let waiting = async {
            loop {
                let came = self.came.notified();
                let first = {
                    let mut mails = self.mails.lock().unwrap();
                    (!mails.is_empty()).then(|| mails.remove(0))
                };
                match first {
                    Some(mail) => break mail,
                    None => came.await,
                }
            }
        };
        tokio::time::timeout(HANGING, waiting)
            .await
            .expect("a mail")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mails.lock().unwrap().is_empty()
    }
}

/// One mail, its lines joined where they were wrapped (quoted-printable).
async fn take(mut stream: TcpStream) -> Option<String> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 mailbox\r\n").await.ok()?;
    let mut mail = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer: &[u8] = match line.split_whitespace().next().unwrap_or_default() {
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.ok()?;
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    match line.strip_suffix('=') {
                        Some(wrapped) => mail.push_str(wrapped),
                        None => mail.push_str(&(line + "\n")),
                    }
                }
                b"250 taken\r\n"
            }
            "RCPT" => {
                mail.push_str(&(line + "\n"));
                b"250 fine\r\n"
            }
            "QUIT" => {
                // The client may be gone.
                let _ = writer.write_all(b"221 bye\r\n").await;
                break;
            }
            _ => b"250 fine\r\n",
        };
        writer.write_all(answer).await.ok()?;
    }
    (!mail.is_empty()).then(|| mail.replace("=3D", "="))
}

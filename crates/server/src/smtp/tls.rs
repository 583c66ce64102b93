//! The certificate for STARTTLS.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::MailIn;

/// The certificate in force. Its files are read again when they change: they are renewed every few weeks.
#[derive(Debug)]
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    // A std mutex: held to look at two files, never across an await.
    current: Mutex<Current>,
}

struct Current {
    changed: Changed,
    config: Arc<ServerConfig>,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

/// When the two files were changed last.
type Changed = [Option<SystemTime>; 2];

/// The certificate that the configuration names; `None`: it names none.
pub(crate) fn of(mail_in: &MailIn) -> anyhow::Result<Option<Tls>> {
    let (Some(certificate), Some(key)) = (&mail_in.certificate, &mail_in.key) else {
        return Ok(None);
    };
    let current = Current {
        changed: changed(certificate, key),
        config: read(certificate, key)?,
    };
    Ok(Some(Tls {
        certificate: certificate.clone(),
        key: key.clone(),
        current: Mutex::new(current),
    }))
}

impl Tls {
    /// What encrypts one connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = changed(&self.certificate, &self.key);
        if changed != current.changed {
            // Looked at once for each change: a half-written pair is complete at the next one.
            current.changed = changed;
            match read(&self.certificate, &self.key) {
                Ok(config) => current.config = config,
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the old certificate is kept");
                }
            }
        }
        TlsAcceptor::from(Arc::clone(&current.config))
    }
}

fn changed(certificate: &Path, key: &Path) -> Changed {
    [certificate, key].map(|path| path.metadata().and_then(|file| file.modified()).ok())
}

fn read(certificate: &Path, key: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("smtp_certificate: cannot read {}", certificate.display()))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "smtp_certificate: {} holds no certificate in PEM",
        certificate.display()
    );
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("smtp_key: cannot read {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(chain, private)
        })
        .context("smtp_certificate: it and smtp_key do not go together")?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = include_str!("../../testdata/mail.pem");
    const KEY: &str = include_str!("../../testdata/mail.key.pem");

    fn written(folder: &Path, certificate: &str, key: &str) -> MailIn {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        MailIn {
            certificate: file("certificate", certificate),
            key: file("key", key),
            ..MailIn::default()
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_the_name_of_its_key() {
        let folder = tempfile::tempdir().unwrap();
        assert!(of(&MailIn::default()).unwrap().is_none());
        assert!(
            of(&written(folder.path(), CERTIFICATE, KEY))
                .unwrap()
                .is_some()
        );
        for (certificate, key, problem) in [
            ("", KEY, "smtp_certificate: "),
            ("what", KEY, "smtp_certificate: "),
            (CERTIFICATE, "", "smtp_key: "),
            (CERTIFICATE, CERTIFICATE, "smtp_key: "),
        ] {
            let error = of(&written(folder.path(), certificate, key)).unwrap_err();
            assert!(error.to_string().starts_with(problem), "{error:#}");
        }
        let missing = MailIn {
            certificate: Some(folder.path().join("missing")),
            ..written(folder.path(), CERTIFICATE, KEY)
        };
        let error = of(&missing).unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
    }

    #[test]
    fn a_certificate_that_is_renewed_is_used_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mail_in = written(folder.path(), CERTIFICATE, KEY);
        let tls = of(&mail_in).unwrap().unwrap();
        let config = |tls: &Tls| Arc::clone(tls.acceptor().config());
        let first = config(&tls);
        assert!(Arc::ptr_eq(&first, &config(&tls)), "nothing changed");
        let touch = |text: &str, seconds: u64| {
            let path = mail_in.certificate.as_ref().unwrap();
            std::fs::write(path, text).unwrap();
            let file = std::fs::File::options().append(true).open(path).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(at).unwrap();
        };
        touch("half", 1_000);
        assert!(Arc::ptr_eq(&first, &config(&tls)), "the old one is kept");
        touch(CERTIFICATE, 2_000);
        assert!(!Arc::ptr_eq(&first, &config(&tls)), "it was read again");
    }
}

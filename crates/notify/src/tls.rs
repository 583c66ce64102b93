//! TLS: the cryptography and the certificates that every outgoing connection uses.

use std::sync::Arc;

use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// Chooses `ring` as the process's cryptography. Call it first thing in `main`; calling it again does
/// nothing.
pub fn install_crypto_provider() {
    // An error says only that a provider is installed already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Whom we believe to sign certificates.
#[derive(Debug, Clone)]
pub(crate) enum Roots {
    /// The machine's own list, or `SSL_CERT_FILE`: this is where a company's own authority stands.
    Machine(Vec<CertificateDer<'static>>),
    /// Mozilla's list as built into the program, for a machine that has none (an empty container).
    BuiltIn,
}

impl Roots {
    /// Reads the machine's list. Certificates that cannot be read are left out and logged.
    pub(crate) fn load() -> Self {
        let mut found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "cannot read some of this machine's CA certificates");
        }
        found
            .certs
            .retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        if found.certs.is_empty() {
            tracing::warn!(
                "this machine has no CA certificates; using the list built into Nightbeat. If your \
                 servers have certificates of your own authority, install the ca-certificates package \
                 or set SSL_CERT_FILE"
            );
            return Self::BuiltIn;
        }
        Self::Machine(found.certs)
    }

    /// The configuration for HTTPS, with HTTP/2 offered.
    pub(crate) fn https(&self) -> Result<ClientConfig, rustls::Error> {
        let mut roots = RootCertStore::empty();
        match self {
            Self::Machine(certificates) => {
                roots.add_parsable_certificates(certificates.iter().cloned());
            }
            Self::BuiltIn => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The parameters for mail to `host`.
    pub(crate) fn smtp(&self, host: &str) -> Result<TlsParameters, lettre::transport::smtp::Error> {
        let mut builder = TlsParameters::builder(host.to_owned());
        match self {
            Self::Machine(certificates) => {
                builder = builder.certificate_store(CertificateStore::None);
                for certificate in certificates {
                    builder =
                        builder.add_root_certificate(Certificate::from_der(certificate.to_vec())?);
                }
            }
            Self::BuiltIn => builder = builder.certificate_store(CertificateStore::WebpkiRoots),
        }
        builder.build()
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;

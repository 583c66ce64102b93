//! What is wrong with a configuration beyond its single values.

use super::{Config, Database, Loaded, Roles};
use crate::smtp::tls;

/// Values that cannot be meant together. Reads nothing but its argument.
pub(super) fn contradictions(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    let mut refuse = |problem: &str| problems.push(problem.to_owned());
    if config.listen.is_empty() {
        refuse("listen: name at least one address");
    }
    if matches!(config.database, Database::Sqlite(_)) && config.roles != Roles::ALL {
        refuse(
            "roles: a server on SQLite is alone and does everything; name roles on PostgreSQL only",
        );
    }
    let trusted = &config.trusted_proxies;
    if config.sign_in_header.is_some() && trusted.networks.is_empty() && !trusted.unix {
        refuse(
            "sign_in_header: name the proxy that sends it in trusted_proxies; nobody else is believed",
        );
    }
    let oidc = &config.oidc;
    if oidc.issuer.is_some() != oidc.client_id.is_some() {
        refuse("oidc.issuer: it and oidc.client_id go together; set both or neither");
    }
    if oidc.client_secret.is_some() && oidc.client_secret_file.is_some() {
        refuse("oidc.client_secret: set either it or oidc.client_secret_file, not both");
    }
    let smtp = &config.smtp;
    if smtp.host.is_some() {
        if smtp.tls.is_none() {
            refuse(
                "smtp.tls: say `implicit` (port 465), `starttls` (port 587) or `none`; it is never guessed",
            );
        }
        if smtp.from.is_none() {
            refuse("smtp.from: say who the mails are from, as `nightbeat@example.org`");
        }
    }
    if smtp.password.is_some() && smtp.password_file.is_some() {
        refuse("smtp.password: set either it or smtp.password_file, not both");
    }
    if smtp.username.is_some() != (smtp.password.is_some() || smtp.password_file.is_some()) {
        refuse("smtp.username: it and a password go together; set both or neither");
    }
    let mail_in = &config.mail_in;
    if mail_in.certificate.is_some() != mail_in.key.is_some() {
        refuse("smtp_certificate: it and smtp_key go together; set both or neither");
    }
    if !mail_in.listen.is_empty() && config.mail_domains().is_empty() {
        refuse(
            "smtp_domain: the host of public_url is none that mail can be sent to; name a domain",
        );
    }
    if config.limits.body_hard_bytes < config.limits.body_bytes as u64 {
        refuse("limits.body_hard_bytes: it must not be smaller than limits.body_bytes");
    }
    problems
}

impl Loaded {
    /// What the machine says against this configuration: files that are missing, folders that are not
    /// there. Empty when all is well.
    pub fn check(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Err(error) = self.config.smtp.password() {
            problems.push(format!("smtp.password_file: cannot be read: {error}"));
        }
        if let Err(error) = self.config.oidc.client_secret() {
            problems.push(format!("oidc.client_secret_file: cannot be read: {error}"));
        }
        if let Err(error) = tls::of(&self.config.mail_in) {
            problems.push(format!("{error:#}"));
        }
        if let Some(folder) = &self.config.channels.folder
            && !folder.is_dir()
        {
            problems.push(format!(
                "channels.folder: {} is not a folder",
                folder.display()
            ));
        }
        if let Database::Sqlite(path) = &self.config.database
            && path.is_dir()
        {
            problems.push(format!(
                "database: {} is a folder; name a file in it",
                path.display()
            ));
        }
        problems
    }
}

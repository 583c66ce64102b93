//! All kinds of channels: the built-in ones and the operator's own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::check;
use crate::http;
use crate::kind::{Kind, Transport};

/// The built-in kinds, by name. A test holds this against the folder.
const BUILT_IN: &[(&str, &str)] = &[
    ("email", include_str!("../../../channels/email.toml")),
    ("ntfy", include_str!("../../../channels/ntfy.toml")),
    ("webhook", include_str!("../../../channels/webhook.toml")),
];

/// The lane of every mail: they all go through the one server that the operator configured.
const MAIL_LANE: &str = "smtp";

/// All kinds of channels, by name.
#[derive(Debug, Clone)]
pub struct Catalogue {
    kinds: BTreeMap<String, Kind>,
}

/// Why a catalogue could not be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The folder or a file in it cannot be read.
    #[error("channels: cannot read {}: {source}", path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not a channel's.
    #[error("channels: {}: {problem}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What to change in it.
        problem: String,
    },
}

/// What is wrong with a value that a person filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FieldError {
    /// The field's name; empty where the kind itself is unknown.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)
    }
}

impl Catalogue {
    /// The built-in kinds and those of `extra_folder` (`*.toml`, one a kind). A kind there that has
    /// the name of a built-in one replaces it.
    pub fn load(extra_folder: Option<&Path>) -> Result<Self, CatalogueError> {
        let mut catalogue = Self {
            kinds: BTreeMap::new(),
        };
        for (name, toml) in BUILT_IN {
            let path = PathBuf::from(format!("channels/{name}.toml"));
            catalogue.add(name, toml, path)?;
        }
        if let Some(folder) = extra_folder {
            catalogue.add_folder(folder)?;
        }
        Ok(catalogue)
    }

    fn add(&mut self, name: &str, toml: &str, path: PathBuf) -> Result<(), CatalogueError> {
        let kind =
            Kind::read(name, toml).map_err(|problem| CatalogueError::Wrong { path, problem })?;
        self.kinds.insert(name.to_owned(), kind);
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), CatalogueError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| CatalogueError::Unreadable { path, source }
        };
        for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
            let path = entry.map_err(unreadable(folder))?.path();
            let name = path.file_stem().and_then(|stem| stem.to_str());
            if let (Some(name), Some("toml")) = (name, path.extension().and_then(|e| e.to_str())) {
                let toml = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
                self.add(name, &toml, path.clone())?;
            }
        }
        Ok(())
    }

    /// All kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values()
    }

    /// The kind called `name`.
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.get(name)
    }

    /// Checks what a person filled in for a channel of `kind`, and answers what to store: values
    /// tidied, defaults filled in, empty ones left out.
    pub fn check(
        &self,
        kind: &str,
        fields: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, FieldError> {
        let Some(known) = self.kind(kind) else {
            let names = self.kinds.keys().map(String::as_str);
            let problem = format!(
                "{kind:?} is no kind of channel; {}",
                check::nearest(kind, names)
            );
            return Err(FieldError {
                field: String::new(),
                problem,
            });
        };
        check::check(known, fields)
    }

    /// Where messages of a channel go, as a key for whoever limits how many are on their way at once:
    /// `https://hooks.example:443`, or `smtp`.
    pub fn lane(&self, kind: &str, fields: &BTreeMap<String, String>) -> String {
        match self.kind(kind) {
            Some(known) => lane(known, fields),
            None => kind.to_owned(),
        }
    }

    /// The shortest time between two messages to one channel of `kind`, in seconds. 0: every event at
    /// once. Also 0 for an unknown kind, whose every delivery fails at once and says why.
    pub fn digest_seconds(&self, kind: &str) -> u32 {
        self.kind(kind).map_or(0, |kind| kind.digest_seconds)
    }

    /// The names of the fields of `kind` that are never shown again.
    pub fn secret_fields(&self, kind: &str) -> Vec<&str> {
        let fields = self.kind(kind).map_or(&[][..], |kind| &kind.fields);
        let secret = fields.iter().filter(|field| field.secret);
        secret.map(|field| field.name.as_str()).collect()
    }
}

/// See [`Catalogue::lane`]. The kind's name where no URL can be made of `fields`.
pub(crate) fn lane(kind: &Kind, fields: &BTreeMap<String, String>) -> String {
    match &kind.transport {
        Transport::Mail(_) => MAIL_LANE.to_owned(),
        Transport::Http(http) => http::origin(http, fields).unwrap_or_else(|| kind.name.clone()),
    }
}

//! What stands around every page.

use nightbeat_domain::{ProjectId, Status};

use super::viewer::{Member, Theme, Viewer};
use super::{Web, assets};

/// What the frame around every page needs.
#[derive(Debug)]
pub(super) struct Frame {
    /// What stands before every link.
    pub(super) base: String,
    pub(super) style: String,
    pub(super) script: String,
    pub(super) htmx: String,
    pub(super) icon: String,
    /// `system`, `light` or `dark`.
    pub(super) theme: &'static str,
    /// The IANA name of the reader's time zone; empty: the browser's.
    pub(super) zone: String,
    /// The server's clock as the page was made, in milliseconds since 1970.
    pub(super) now_ms: i64,
    /// What every form must send back; empty where nobody is signed in.
    pub(super) csrf: String,
    /// Someone is signed in.
    pub(super) signed_in: bool,
    /// Whose account it is; `None`: the browser has shown an API key.
    pub(super) email: Option<String>,
    /// The project that the page belongs to.
    pub(super) nav: Option<Nav>,
}

/// The way about a project.
#[derive(Debug)]
pub(super) struct Nav {
    /// `/projects/…`, below the public URL's path.
    pub(super) path: String,
    pub(super) name: String,
    pub(super) here: Here,
    pub(super) may_manage: bool,
}

/// Where in a project a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Heartbeats,
    Incidents,
    Channels,
    Maintenance,
    Settings,
}

impl Nav {
    /// `page` where this is the page, for `aria-current`.
    pub(super) fn is(&self, name: &str) -> bool {
        let here = match self.here {
            Here::Heartbeats => "heartbeats",
            Here::Incidents => "incidents",
            Here::Channels => "channels",
            Here::Maintenance => "maintenance",
            Here::Settings => "settings",
        };
        here == name
    }
}

impl Web {
    /// The frame of a page for nobody in particular.
    pub(super) fn frame(&self) -> Frame {
        let below = |asset: &assets::Asset| format!("{}{}", self.base, asset.path());
        Frame {
            base: self.base.to_string(),
            style: below(&assets::STYLE),
            script: below(&assets::APP),
            htmx: below(&assets::HTMX),
            icon: below(assets::icon(None)),
            theme: Theme::System.as_str(),
            zone: String::new(),
            now_ms: self.node.now().0 / 1_000,
            csrf: String::new(),
            signed_in: false,
            email: None,
            nav: None,
        }
    }

    /// The frame of a page for someone.
    pub(super) fn frame_for(&self, viewer: &Viewer) -> Frame {
        Frame {
            theme: viewer.theme.as_str(),
            zone: viewer.time_zone.clone().unwrap_or_default(),
            csrf: viewer.csrf.clone(),
            signed_in: true,
            email: viewer.account.as_ref().map(|account| account.email.clone()),
            ..self.frame()
        }
    }

    /// The frame of a page of a project.
    pub(super) fn frame_at(&self, member: &Member, here: Here) -> Frame {
        Frame {
            nav: Some(Nav {
                path: project_path(member.project.id),
                name: member.project.name.clone(),
                here,
                may_manage: member.may_manage(),
            }),
            ..self.frame_for(&member.viewer)
        }
    }

    /// The path of the mark for the worst of several statuses.
    pub(super) fn icon(&self, worst: Option<Status>) -> String {
        format!("{}{}", self.base, assets::icon(worst).path())
    }
}

/// Where a project is, below the public URL's path.
pub(super) fn project_path(project: ProjectId) -> String {
    format!("/projects/{project}")
}

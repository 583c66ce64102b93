//! Who is in a project: roles, invitations, leaving, giving it away.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use nightbeat_domain::UnixMicros;
use nightbeat_store::StoreError;
use nightbeat_store::control::accounts::{self, Role};
use nightbeat_store::control::audit;
use nightbeat_store::control::invitations::{self, INVITATION_TIME, INVITATIONS_MAX, Invitation};
use nightbeat_store::sql::Sql;
use serde::Deserialize;
use uuid::Uuid;

use super::Web;
use super::forms::Posted;
use super::pages::{Frame, page, unavailable};
use super::profile::Nothing;
use super::time::{Reader, When};
use super::viewer::{Member, Target};
use crate::accounts::members::Acting;
use crate::accounts::{email_problem, key_hash};
use crate::config::SignUp;
use crate::random;

/// What the secrets of invitations begin with that are shown to whoever invites.
const SHOWN_PREFIX: &str = "nb_i_";
/// What those begin with that are told to nobody but the mailbox: whoever has one has read the mail.
const MAILED_PREFIX: &str = "nb_m_";

/// Whether the secret of an invitation for an address was told to the mailbox alone.
pub(super) fn is_proof_of_address(secret: &str) -> bool {
    secret.starts_with(MAILED_PREFIX)
}

#[derive(Template)]
#[template(path = "members.html")]
#[expect(clippy::struct_excessive_bools, reason = "what a template asks")]
struct MembersPage<'a> {
    frame: Frame,
    problem: Option<&'a str>,
    project: &'a str,
    project_id: String,
    members: Vec<MemberLine>,
    invitations: Vec<InvitationLine>,
    may_manage: bool,
    is_owner: bool,
    /// Signed in as a person.
    is_person: bool,
    /// Who has no account cannot make one here.
    sign_up_closed: bool,
    /// An invitation that was just made.
    made: Option<Made>,
}

struct MemberLine {
    id: String,
    email: String,
    /// Whether they have shown that the address is theirs.
    confirmed: bool,
    role: &'static str,
    is_viewer: bool,
    /// The viewer may change the role.
    may_touch: bool,
}

struct InvitationLine {
    id: String,
    email: String,
    role: &'static str,
    invited_by: String,
    expires: When,
}

/// Where its link is to be had.
enum Made {
    /// In the mail to this address, and nowhere else.
    Mailed(String),
    /// Here; and why it was not mailed, where that is to be said.
    Shown(String, String),
}

#[derive(Deserialize)]
pub(super) struct Invite {
    #[serde(default)]
    email: String,
    role: Role,
}

#[derive(Deserialize)]
pub(super) struct NewRole {
    role: Role,
}

/// For people only: a key that was given to a wall screen does not tell who works here.
pub(super) async fn show(State(web): State<Web>, member: Member) -> Response {
    if member.viewer.account.is_none() {
        return member.may_not(&web, "Sign in as yourself to see who is in the project.");
    }
    tell(&web, &member, StatusCode::OK, None, None).await
}

async fn tell(
    web: &Web,
    member: &Member,
    status: StatusCode,
    problem: Option<&str>,
    made: Option<Made>,
) -> Response {
    let (id, now) = (member.project.id, web.node.now());
    let manages = member.may_manage();
    let reading = web.store.read(move |sql| {
        let open = if manages {
            invitations::list(sql, id, now)?
        } else {
            Vec::new()
        };
        Ok((accounts::members(sql, id)?, open))
    });
    let (found, open) = match reading.await {
        Ok(found) => found,
        Err(error) => return unavailable(web, &error),
    };
    let me = member.viewer.account.as_ref().map(|account| account.id);
    let reader = web.reader(&member.viewer);
    let template = MembersPage {
        frame: web.settings_frame(member),
        problem,
        project: &member.project.name,
        project_id: id.to_string(),
        members: found
            .into_iter()
            .map(|(account, role)| MemberLine {
                id: account.id.to_string(),
                email: account.email,
                confirmed: account.verified_at.is_some(),
                role: role.as_str(),
                is_viewer: me == Some(account.id),
                may_touch: manages && (member.is_owner() || role != Role::Owner),
            })
            .collect(),
        invitations: open
            .into_iter()
            .map(|one| invitation_line(one, &reader))
            .collect(),
        may_manage: manages,
        is_owner: member.is_owner(),
        is_person: me.is_some(),
        sign_up_closed: web.sign_up == SignUp::Closed,
        made,
    };
    page(status, &template)
}

fn invitation_line(invitation: Invitation, reader: &Reader) -> InvitationLine {
    InvitationLine {
        id: invitation.id.to_string(),
        email: invitation.email.unwrap_or_default(),
        role: invitation.role.as_str(),
        invited_by: invitation.invited_by,
        expires: reader.when(invitation.expires_at),
    }
}

/// Makes an invitation. Where there is an address and a mail server the link is mailed, and only mailed: whoever
/// opens it has shown that the address is theirs. Else it is shown, once.
pub(super) async fn invite(
    State(web): State<Web>,
    member: Member,
    Posted(wish): Posted<Invite>,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    let email = accounts::email_key(&wish.email);
    let email = (!email.is_empty()).then_some(email);
    let problem = email.as_deref().and_then(email_problem);
    let problem = problem.or((wish.role == Role::Owner).then_some(
        "Invite as a manager, a member or read-only; an owner can make a member an owner.",
    ));
    if problem.is_some() {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return tell(&web, &member, status, problem, None).await;
    }
    let mailed = email.as_deref().filter(|_| web.notifier.sends_mail());
    let made = if let Some(to) = mailed {
        web.invite_by_mail(&member, to, wish.role).await
    } else {
        let why = if email.is_some() {
            "No mail server is configured: give the link to them yourself."
        } else {
            ""
        };
        let made = web.invite_by_link(&member, email.clone(), wish.role, SHOWN_PREFIX);
        made.await
            .map(|(_, link)| Made::Shown(link, why.to_owned()))
    };
    match made {
        Ok(made) => tell(&web, &member, StatusCode::CREATED, None, Some(made)).await,
        Err(error) => web.refused(&error),
    }
}

impl Web {
    /// Makes an invitation; its id and its link.
    async fn invite_by_link(
        &self,
        member: &Member,
        email: Option<String>,
        role: Role,
        prefix: &str,
    ) -> nightbeat_store::Result<(Uuid, String)> {
        let (project, now) = (member.project.id, self.node.now());
        let secret = random::key(prefix);
        let whom = email.as_deref().unwrap_or("whoever has the link");
        let about = format!("{whom}, as {}", role.as_str());
        let entry = member.viewer.entry(Some(project), "invited", about, now);
        let invitation = Invitation {
            id: random::uuid(),
            project,
            role,
            invited_by: member.who(),
            created_at: now,
            expires_at: now + INVITATION_TIME,
            email,
        };
        let (id, hash) = (invitation.id, key_hash(&secret));
        let made = self.change(move |sql| {
            Acting::has_room(project, sql)?;
            if invitations::list(sql, project, now)?.len() as i64 >= INVITATIONS_MAX {
                let problem = "A hundred invitations are open: take some back first.";
                return Err(StoreError::Conflict(problem.to_owned()));
            }
            invitations::insert(sql, &invitation, &hash)?;
            audit::note(sql, &entry)
        });
        made.await?;
        Ok((id, format!("{}/invitations/{secret}", self.public_url)))
    }

    /// The same by mail. Where that fails, another link takes its place, which is shown.
    async fn invite_by_mail(
        &self,
        member: &Member,
        to: &str,
        role: Role,
    ) -> nightbeat_store::Result<Made> {
        let email = || Some(to.to_owned());
        let making = self.invite_by_link(member, email(), role, MAILED_PREFIX);
        let (id, link) = making.await?;
        let (name, who) = (&member.project.name, member.who());
        let title = format!("{who} invites you to {name}");
        let text = format!(
            "{who} invites you to the project {name} on Nightbeat, which tells people when a backup or \
             another job did not run. The link works once, for seven days. If you expect no invitation, ignore \
             this mail."
        );
        let Err(error) = self.mail(to, title, text, &link).await else {
            return Ok(Made::Mailed(to.to_owned()));
        };
        tracing::warn!(%error, "an invitation could not be mailed");
        let project = member.project.id;
        self.change(move |sql| invitations::delete(sql, project, id))
            .await?;
        let making = self.invite_by_link(member, email(), role, SHOWN_PREFIX);
        let (_, link) = making.await?;
        let why = format!("It could not be mailed to {to}: give the link to them yourself.");
        Ok(Made::Shown(link, why))
    }
}

impl Member {
    /// Who acts, in words.
    fn who(&self) -> String {
        let account = self.viewer.account.as_ref();
        account.map_or_else(|| "an API key".to_owned(), |account| account.email.clone())
    }

    fn path(&self) -> String {
        format!("/projects/{}/settings/members", self.project.id)
    }
}

/// What a step of a person does; `None`: the target is no member.
type Step = fn(Acting, &mut dyn Sql, Uuid, Option<Role>) -> nightbeat_store::Result<Option<()>>;

/// Takes a step that concerns another member, and writes it down with their address.
async fn step(
    web: &Web,
    member: &Member,
    target: Uuid,
    (action, role): (&'static str, Option<Role>),
    take: Step,
) -> Result<(), Response> {
    let Some(account) = &member.viewer.account else {
        return Err(member.may_not(web, "An API key is no person."));
    };
    let acting = Acting {
        project: member.project.id,
        account: account.id,
    };
    let now = web.node.now();
    let viewer = member.viewer.clone();
    let done = web.change(move |sql| {
        let Some(found) = accounts::get(sql, target)? else {
            return Ok(None);
        };
        let done = take(acting, sql, target, role)?;
        if done.is_some() {
            let about = match role {
                Some(role) => format!("{}: {}", found.email, role.as_str()),
                None => found.email,
            };
            let entry = viewer.entry(Some(acting.project), action, about, now);
            audit::note(sql, &entry)?;
        }
        Ok(done)
    });
    match done.await {
        Ok(Some(())) => Ok(()),
        Ok(None) => Err(web.no_such_page()),
        Err(error) => Err(web.refused(&error)),
    }
}

pub(super) async fn change_role(
    State(web): State<Web>,
    member: Member,
    Target(target): Target,
    Posted(wish): Posted<NewRole>,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    // To make an owner is to give the project away in part.
    if wish.role == Role::Owner
        && let Some(ask) = web.must_be_confirmed(&member.viewer, &member.path())
    {
        return ask;
    }
    let what = ("changed the role", Some(wish.role));
    let take: Step = |acting, sql, target, role| {
        let role = role.unwrap_or(Role::ReadOnly);
        Ok(acting.change_role(sql, target, role)?.map(drop))
    };
    match step(&web, &member, target, what, take).await {
        Ok(()) => web.go_to(&member.path()),
        Err(refused) => refused,
    }
}

pub(super) async fn remove(
    State(web): State<Web>,
    member: Member,
    Target(target): Target,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    let take: Step = |acting, sql, target, _| Ok(acting.remove(sql, target)?.map(drop));
    match step(&web, &member, target, ("removed", None), take).await {
        Ok(()) => web.go_to(&member.path()),
        Err(refused) => refused,
    }
}

pub(super) async fn transfer(
    State(web): State<Web>,
    member: Member,
    Target(target): Target,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if !member.is_owner() {
        return member.may_not(&web, "Only an owner may.");
    }
    if let Some(ask) = web.must_be_confirmed(&member.viewer, &member.path()) {
        return ask;
    }
    let take: Step = |acting, sql, target, _| acting.transfer(sql, target);
    let what = ("gave the project away to", None);
    match step(&web, &member, target, what, take).await {
        Ok(()) => web.go_to(&member.path()),
        Err(refused) => refused,
    }
}

pub(super) async fn leave(
    State(web): State<Web>,
    member: Member,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    let Some(account) = &member.viewer.account else {
        return member.may_not(&web, "An API key is no person.");
    };
    let take: Step = |acting, sql, _, _| Ok(acting.leave(sql)?.map(drop));
    match step(&web, &member, account.id, ("left", None), take).await {
        Ok(()) => web.go_to("/"),
        Err(refused) => refused,
    }
}

/// Takes an invitation back.
pub(super) async fn revoke(
    State(web): State<Web>,
    member: Member,
    Target(invitation): Target,
    Posted(Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(refused) = member.must_manage(&web) {
        return refused;
    }
    let id = member.project.id;
    let now: UnixMicros = web.node.now();
    let entry = member
        .viewer
        .entry(Some(id), "took an invitation back", "", now);
    let done = web.change(move |sql| {
        let done = invitations::delete(sql, id, invitation)?;
        if done {
            audit::note(sql, &entry)?;
        }
        Ok(done)
    });
    match done.await {
        Ok(true) => web.go_to(&member.path()),
        Ok(false) => web.no_such_page(),
        Err(error) => unavailable(&web, &error),
    }
}

//! Who may change whose membership. The rules, over the store's verbs: each is one transaction.
//!
//! Owners may do everything. Managers manage everybody but owners, and make nobody an owner. A project always
//! has an owner. What is refused is a [`Conflict`](StoreError::Conflict) in a person's words; who is no member
//! is `Ok(None)`, or a stranger could learn who is one.

use nightbeat_domain::ProjectId;
use nightbeat_store::control::accounts::{self, Role};
use nightbeat_store::sql::Sql;
use nightbeat_store::{Result, StoreError};
use uuid::Uuid;

/// The most members of one project.
const MEMBERS_MAX: usize = 500;

/// Who acts in which project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acting {
    /// The project.
    pub project: ProjectId,
    /// The account that acts.
    pub account: Uuid,
}

impl Acting {
    /// Gives a member another role; the one before.
    pub fn change_role(self, sql: &mut dyn Sql, target: Uuid, role: Role) -> Result<Option<Role>> {
        let Some((mine, theirs)) = self.roles(sql, target)? else {
            return Ok(None);
        };
        if mine != Role::Owner && role == Role::Owner {
            return refuse("Only an owner may make somebody an owner.");
        }
        self.may_touch(sql, mine, theirs, role == Role::Owner)?;
        accounts::set_member(sql, self.project, target, role)?;
        Ok(Some(theirs))
    }

    /// Ends the membership of another; the role they had.
    pub fn remove(self, sql: &mut dyn Sql, target: Uuid) -> Result<Option<Role>> {
        let Some((mine, theirs)) = self.roles(sql, target)? else {
            return Ok(None);
        };
        self.may_touch(sql, mine, theirs, false)?;
        accounts::remove_member(sql, self.project, target)?;
        Ok(Some(theirs))
    }

    /// Ends one's own membership.
    pub fn leave(self, sql: &mut dyn Sql) -> Result<Option<Role>> {
        let Some(mine) = accounts::role(sql, self.project, self.account)? else {
            return Ok(None);
        };
        if mine == Role::Owner {
            self.keeps_an_owner(sql)?;
        }
        accounts::remove_member(sql, self.project, self.account)?;
        Ok(Some(mine))
    }

    /// Makes another member the owner, and oneself a manager.
    pub fn transfer(self, sql: &mut dyn Sql, target: Uuid) -> Result<Option<()>> {
        let Some((mine, _)) = self.roles(sql, target)? else {
            return Ok(None);
        };
        if mine != Role::Owner {
            return refuse("Only an owner may give the project away.");
        }
        if target == self.account {
            return refuse("It is yours already.");
        }
        accounts::set_member(sql, self.project, target, Role::Owner)?;
        accounts::set_member(sql, self.project, self.account, Role::Manager)?;
        Ok(Some(()))
    }

    /// Refuses an invitation, or its acceptance, where nobody more may join.
    pub fn has_room(project: ProjectId, sql: &mut dyn Sql) -> Result<()> {
        if accounts::members(sql, project)?.len() < MEMBERS_MAX {
            return Ok(());
        }
        refuse("This project has 500 members, and no more may join.")
    }

    /// What the one who acts and the one acted on may do; `None`: one of them is no member.
    fn roles(self, sql: &mut dyn Sql, target: Uuid) -> Result<Option<(Role, Role)>> {
        let mine = accounts::role(sql, self.project, self.account)?;
        let theirs = accounts::role(sql, self.project, target)?;
        Ok(mine.zip(theirs))
    }

    fn may_touch(
        self,
        sql: &mut dyn Sql,
        mine: Role,
        theirs: Role,
        stays_owner: bool,
    ) -> Result<()> {
        match (mine, theirs) {
            (Role::Owner, Role::Owner) if !stays_owner => self.keeps_an_owner(sql),
            (Role::Manager, Role::Owner) => refuse("Only an owner may change another owner."),
            (Role::Owner | Role::Manager, _) => Ok(()),
            (Role::Member | Role::ReadOnly, _) => {
                refuse("Only owners and managers may change members.")
            }
        }
    }

    fn keeps_an_owner(self, sql: &mut dyn Sql) -> Result<()> {
        if accounts::owners(sql, self.project)? > 1 {
            return Ok(());
        }
        refuse("A project needs an owner: make somebody else the owner first.")
    }
}

fn refuse<T>(why: &str) -> Result<T> {
    Err(StoreError::Conflict(why.to_owned()))
}

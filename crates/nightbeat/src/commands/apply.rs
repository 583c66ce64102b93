//! `nightbeat apply`

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::delete::agree;
use crate::code::{Asked, File, Plan, Present, Problems, Unknown, carry_out, plan};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::session::{Session, block_on, hint, note};

/// The largest file, in bytes: ten thousand heartbeats fit many times.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  nightbeat export > beats.toml                 (what is there, to begin with)
  nightbeat apply beats.toml --dry-run          (what would change; nothing does)
  nightbeat apply beats.toml --check            (the same for CI: exits with 6 when something would change)
  nightbeat apply beats.toml
  nightbeat apply beats.toml --prune --yes      (and remove what is not in the file)

docs/config-as-code.md says what may stand in the file.";

/// Make the project as a file says
///
/// Says first what changes: + create, ~ change, - remove, = unchanged. All of the file is checked before anything is
/// changed; where it breaks off, the same command goes on.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Apply {
    /// A TOML file; `-` is stdin
    file: PathBuf,
    /// Remove what is not in the file. Things of which the file has no table at all are left alone
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    look: Look,
    /// Do not ask before something is removed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Whether nothing is to be changed.
#[derive(Debug, Args)]
struct Look {
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Only say what would change, and exit with 6 when something would
    #[arg(long)]
    check: bool,
}

impl Apply {
    pub(super) fn run(self, session: &Session) -> Result<String, Failure> {
        let name = self.file.display().to_string();
        let text = text_of(&self.file)?;
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let looks = self.look.dry_run || self.look.check;
        let unknown = if looks {
            Unknown::Passed
        } else {
            Unknown::Refused
        };
        let mut problems = Problems::new(&name, &text);
        let file = File::read(&text, folder, unknown, &mut problems)?;
        problems.finish()?;
        file.notes.iter().for_each(|it| note(it));
        let client = self.connection.client()?;
        block_on(async {
            let present = Present::load(&client).await?;
            if !present.writable {
                note(
                    "this key is read-only: what it is not shown (ids, secrets, where channels lead) is not compared",
                );
            }
            let asked = Asked {
                client: &client,
                prune: self.prune,
                view: &session.view,
            };
            let plan = plan(&file.wanted, &present, &asked, &mut problems).await?;
            problems.finish()?;
            let shown = plan.show(session.view.colour);
            if looks {
                return self.looked(&plan, shown, &name);
            }
            // It is data also where the question is answered with no.
            crate::print(&shown)?;
            if plan.removals() > 0 {
                agree(session, self.yes, &removed(&plan))?;
            }
            let done = carry_out(&client, &plan, present.channel_ids(), false).await?;
            note(&done.summary());
            if !done.new.is_empty() {
                hint("`nightbeat show SLUG` prints the URL of a new heartbeat");
            }
            Ok(String::new())
        })
    }

    fn looked(&self, plan: &Plan, shown: String, name: &str) -> Result<String, Failure> {
        if !self.look.check || plan.steps.is_empty() {
            return Ok(shown);
        }
        crate::print(&shown)?;
        let differs = Failure::new(Exit::Differs, format!("the project is not as {name} says"));
        Err(differs.hint(format!("nightbeat apply {name}")))
    }
}

fn removed(plan: &Plan) -> String {
    match plan.removals() {
        1 => "what is not in the file".to_owned(),
        count => format!("{count} things that are not in the file"),
    }
}

/// The text of a file; `-` is stdin.
pub(super) fn text_of(file: &Path) -> Result<String, Failure> {
    let bad = |why: String| Failure::config(format!("cannot read {}: {why}", file.display()));
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(FILE_BYTES_MAX)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    match read {
        Ok(bytes) if bytes as u64 == FILE_BYTES_MAX => {
            Err(bad(format!("it is longer than {FILE_BYTES_MAX} bytes")))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(bad(error.to_string())),
    }
}

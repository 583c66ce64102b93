//! Which node this is: the same after each restart of its machine or container, and never the same twice at
//! a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nightbeat_domain::nodes::NodeId;
use nightbeat_store::NodeFacts;
use uuid::Uuid;

use crate::random;

/// The file in the data folder; a second process on the same folder takes `node-id-2`.
const FILE: &str = "node-id";

/// How many processes of one data folder are told apart.
const PROCESSES_MAX: u32 = 16;

/// Which node this is. As long as this lives, no other process of the same data folder is the same.
#[derive(Debug)]
pub struct Identity {
    pub(super) facts: NodeFacts,
    /// Locked; the kernel frees it with the process, however that ends.
    _file: Option<File>,
}

impl Identity {
    /// The identity that is kept in `folder`, or a new one. Where it cannot be kept, the node is a new one
    /// after each restart: it works, but what it leaves behind is told by its lease alone.
    pub fn kept_in(folder: Option<&Path>) -> Self {
        let name = host_name();
        let Some(folder) = folder else {
            tracing::warn!("no data_folder: this is a new node after each restart");
            return Self::new(NodeId(random::uuid()), name, None);
        };
        match kept(folder, &name) {
            Ok((id, file)) => Self::new(id, name, Some(file)),
            Err(error) => {
                tracing::warn!(
                    folder = %folder.display(),
                    %error,
                    "cannot keep which node this is: it is a new one after each restart"
                );
                Self::new(NodeId(random::uuid()), name, None)
            }
        }
    }

    fn new(id: NodeId, name: String, file: Option<File>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let facts = NodeFacts { id, name, version };
        Self { facts, _file: file }
    }
}

fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// The first file in `folder` that no other process holds.
fn kept(folder: &Path, host: &str) -> io::Result<(NodeId, File)> {
    fs::create_dir_all(folder)?;
    for number in 1..=PROCESSES_MAX {
        let path = match number {
            1 => folder.join(FILE),
            number => folder.join(format!("{FILE}-{number}")),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => return Ok((read_or_write(&mut file, host)?, file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    let text = format!("{PROCESSES_MAX} processes use it");
    Err(io::Error::other(text))
}

/// The id in the file. It is worth nothing on another host: a disk was copied, and the node that it belongs
/// to may be running there.
fn read_or_write(file: &mut File, host: &str) -> io::Result<NodeId> {
    let mut text = String::new();
    // What is no text is no id.
    let _ = file.read_to_string(&mut text);
    let mut lines = text.lines();
    let id = lines.next().and_then(|line| line.parse::<Uuid>().ok());
    if let (Some(id), Some(known)) = (id, lines.next())
        && known == host
    {
        return Ok(NodeId(id));
    }
    let id = random::uuid();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{id}\n{host}\n").as_bytes())?;
    file.sync_all()?;
    Ok(NodeId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(identity: &Identity) -> NodeId {
        identity.facts.id
    }

    #[test]
    fn a_node_is_the_same_after_a_restart_and_never_the_same_twice() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join("new/folder");
        let first = Identity::kept_in(Some(&folder));
        let second = Identity::kept_in(Some(&folder));
        let (one, two) = (id(&first), id(&second));
        assert_ne!(one, two);
        assert!(!first.facts.name.is_empty());
        drop(first);
        assert_eq!(id(&Identity::kept_in(Some(&folder))), one);
        drop(second);
        let again = [(); 2].map(|()| Identity::kept_in(Some(&folder)));
        assert_eq!([id(&again[0]), id(&again[1])], [one, two]);
    }

    #[test]
    fn a_copied_disk_is_another_node_and_a_broken_file_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let one = id(&Identity::kept_in(Some(folder.path())));
        let path = folder.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{}elsewhere\n", &text[..37])).unwrap();
        let copied = id(&Identity::kept_in(Some(folder.path())));
        assert_ne!(copied, one);
        fs::write(&path, [0xff, 0x00, 0x0a]).unwrap();
        let fresh = id(&Identity::kept_in(Some(folder.path())));
        assert_ne!(fresh, copied);
        assert_eq!(id(&Identity::kept_in(Some(folder.path()))), fresh);
    }

    #[test]
    fn where_nothing_can_be_kept_it_is_a_new_node() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let inside = file.path().join("folder");
        let first = Identity::kept_in(Some(&inside));
        assert_ne!(id(&first), id(&Identity::kept_in(Some(&inside))));
        assert_ne!(id(&first), id(&Identity::kept_in(None)));
    }
}

//! Sockets to listen on.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpSocket, UnixListener};

use crate::config::Listen;

/// How many connections the kernel keeps for us until they are accepted: what comes at the full hour.
const BACKLOG_CONNECTIONS: u32 = 4_096;
/// Who may connect to a Unix socket: owner and group.
const SOCKET_MODE: u32 = 0o660;

/// A socket that listens.
#[derive(Debug)]
pub enum Bound {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket; its file goes when this is dropped.
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the socket could not be removed");
        }
    }
}

impl Bound {
    /// The TCP address that was bound (the port where 0 was asked for).
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }
}

/// Listens on `listen`. Needs a tokio runtime.
pub fn bind(listen: &Listen) -> io::Result<Bound> {
    match listen {
        Listen::Tcp(address) => {
            let socket = if address.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            socket.set_reuseaddr(true)?;
            socket.bind(*address)?;
            socket.listen(BACKLOG_CONNECTIONS).map(Bound::Tcp)
        }
        Listen::Unix(path) => {
            remove_stale(path)?;
            let listener = UnixListener::bind(path)?;
            let file = SocketFile(path.clone());
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
            Ok(Bound::Unix(listener, file))
        }
    }
}

/// Removes a socket that nobody listens on any more; leaves everything else alone.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err_and(refused) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

//! The address of administration, apart from the one for everybody.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::listener::{self, Listening};
use crate::settings::AdminAddress;

/// Operators who may wait to be let in.
const BACKLOG: i32 = 16;

/// Who may use the socket in the file system: its owner.
const SOCKET_MODE: u32 = 0o600;

/// Listens, and gives the file of a socket. With `take_over` another server may listen already.
pub fn bind(
    address: &AdminAddress,
    take_over: bool,
) -> io::Result<(Listening, Option<SocketFile>)> {
    match address {
        AdminAddress::Port(address) => {
            let listener = listener::bind_address(*address, take_over)?;
            tracing::info!("administration is at http://{}", listener.local_addr()?);
            Ok((Listening::Port(listener), None))
        }
        AdminAddress::Socket(path) => {
            let listener = bind_socket(path, take_over)?;
            let file = SocketFile { path: path.clone(), inode: inode(path)? };
            tracing::info!("administration is at {address}");
            Ok((Listening::Socket(listener), Some(file)))
        }
    }
}

/// The file of a socket, which is removed with this, unless another server has put its own there.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and number.
    inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|found| found == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn bind_socket(path: &Path, take_over: bool) -> io::Result<UnixListener> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    // A server that was killed leaves its socket behind, and nobody listens there.
    let is_left_behind = || {
        UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if is_socket && (take_over || is_left_behind()) {
        fs::remove_file(path)?;
    }
    // Before the file is there: it is made with the mode of its socket.
    let socket: OwnedFd = Socket::new(Domain::UNIX, Type::STREAM, None)?.into();
    let socket = File::from(socket);
    socket.set_permissions(Permissions::from_mode(SOCKET_MODE))?;
    let socket = Socket::from(OwnedFd::from(socket));
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    Ok(OwnedFd::from(socket).into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    use super::{SOCKET_MODE, bind};
    use crate::settings::AdminAddress;

    #[test]
    fn a_socket_is_its_owners_and_outlives_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let address = AdminAddress::Socket(path.clone());
        let first = bind(&address, false).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        UnixStream::connect(&path).unwrap();
        assert!(bind(&address, false).is_err(), "it is in use");

        let second = bind(&address, true).unwrap();
        drop(first);
        UnixStream::connect(&path).expect("the first does not remove the second's");
        // As after a kill.
        let (listening, file) = second;
        drop(listening);
        std::mem::forget(file);
        assert!(path.exists());
        drop(bind(&address, false).unwrap());
        assert!(!path.exists());

        std::fs::write(&path, "a file").unwrap();
        assert!(bind(&address, true).is_err(), "files are nobody's to remove");
        assert!(path.exists());
    }
}

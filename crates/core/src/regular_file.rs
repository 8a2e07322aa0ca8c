//! Opening what must be a file, and not a folder, a pipe or a device.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a regular file; gives its length in bytes, too.
///
/// Looks at what was opened and not at the path before: whatever is put under that name in between, this neither waits
/// for the other end of a pipe nor reads from a device.
///
/// # Errors
/// What the operating system says, and [`io::ErrorKind::InvalidInput`] for what is not a file.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    // Reading from a regular file is the same with this flag; opening a pipe does not wait.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        // A socket.
        Some(libc::ENXIO) => not_a_file(),
        _ => error,
    })?;
    let found = file.metadata()?;
    if found.is_file() { Ok((file, found.len())) } else { Err(not_a_file()) }
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_files_are_opened_and_nothing_is_waited_for() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "abc")?;
        std::os::unix::fs::symlink("file", at("link"))?;
        for name in ["file", "link"] {
            assert_eq!(open(&at(name))?.1, 3, "{name}");
        }
        // Nobody writes into it: opening it in the usual way would wait for ever.
        assert!(Command::new("mkfifo").arg(at("pipe")).status()?.success());
        let _listener = UnixListener::bind(at("socket"))?;
        for path in [at("pipe"), at("socket"), folder.path().to_owned(), "/dev/null".into()] {
            let refused = open(&path).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{}", path.display());
        }
        assert_eq!(open(&at("nothing")).unwrap_err().kind(), io::ErrorKind::NotFound);
        Ok(())
    }

    /// What stands under the name changes all the time, between any look and any opening.
    #[test]
    fn a_pipe_that_is_swapped_in_is_not_waited_for() -> io::Result<()> {
        use std::sync::atomic::{AtomicBool, Ordering};

        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let done = AtomicBool::new(false);
        fs::write(at("name"), "abc")?;
        assert!(Command::new("mkfifo").arg(at("pipe")).status()?.success());
        std::thread::scope(|scope| {
            let swapper = scope.spawn(|| -> io::Result<()> {
                while !done.load(Ordering::Relaxed) {
                    fs::hard_link(at("pipe"), at("next"))?;
                    fs::rename(at("next"), at("name"))?;
                    fs::write(at("next"), "abc")?;
                    fs::rename(at("next"), at("name"))?;
                }
                Ok(())
            });
            let (mut files, mut pipes) = (0, 0);
            while (files < 1000 || pipes < 1000) && !swapper.is_finished() {
                match open(&at("name")) {
                    Ok((_, 3)) => files += 1,
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => pipes += 1,
                    other => panic!("{other:?}"),
                }
            }
            done.store(true, Ordering::Relaxed);
            swapper.join().expect("the swapper ends")
        })
    }
}

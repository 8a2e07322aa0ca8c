//! The identity of a file, whatever its name.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

/// Tells a file from another one that stands under its name later.
///
/// The number alone would not do: file systems give it to another file once the first one is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    inode: u64,
    /// Since 1970; 0 where the file system does not know.
    created_ns: u128,
}

impl FileIdentity {
    pub(super) fn of(found: &Metadata) -> Self {
        let created = found.created().ok();
        let since_1970 = created.and_then(|created| created.duration_since(UNIX_EPOCH).ok());
        Self {
            inode: found.ino(),
            created_ns: since_1970.map_or(0, |duration| duration.as_nanos()),
        }
    }
}

impl fmt::Display for FileIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.inode, self.created_ns)
    }
}

impl FromStr for FileIdentity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (inode, created_ns) = text.split_once('-').ok_or(())?;
        let inode = inode.parse().map_err(drop)?;
        Ok(Self { inode, created_ns: created_ns.parse().map_err(drop)? })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn another_file_under_the_name_is_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let look = || FileIdentity::of(&fs::symlink_metadata(&path).unwrap());
        fs::write(&path, "ours").unwrap();
        let ours = look();
        assert_eq!(ours.to_string().parse(), Ok(ours));
        fs::write(&path, "ours, and longer").unwrap();
        assert_eq!(look(), ours);
        fs::write(folder.path().join("other"), "another").unwrap();
        fs::rename(folder.path().join("other"), &path).unwrap();
        assert_ne!(look(), ours);
        assert!("7".parse::<FileIdentity>().is_err() && "a-b".parse::<FileIdentity>().is_err());
    }
}

//! Graphs that ONNX Runtime has optimized, kept in a folder for the next start.
//!
//! An optimized graph is of one runtime on one processor, so its name is made of all that it depends
//! on. What is read is checked against a checksum, which finds damage, not malice: the folder must
//! be one that only the operator writes to.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

use crate::error::Error;
use crate::regular_file;

/// How many times as long as the model an optimized one may be. They are about as long.
const MAX_GROWTH: u64 = 4;

/// Hexadecimal digits of a SHA-256, and a line end.
const CHECKSUM_BYTES: usize = 65;

/// The place of one model's optimized graph.
pub(super) struct Cache {
    folder: PathBuf,
    /// What the graph depends on, as 64 hexadecimal digits.
    key: String,
    file: PathBuf,
    max_bytes: u64,
}

impl Cache {
    /// `None` where it cannot be told which processor this is.
    pub(super) fn new(folder: &Path, model: &[u8], sha256: &str, runtime: &str) -> Option<Self> {
        let processor = processor(&fs::read_to_string("/proc/cpuinfo").ok()?)?;
        let mut key = Sha256::new();
        for part in [sha256, runtime, std::env::consts::ARCH, &processor] {
            key.update(part.len().to_le_bytes());
            key.update(part);
        }
        let key = format!("{:x}", key.finalize());
        Some(Self {
            folder: folder.to_owned(),
            file: folder.join(format!("{key}.optimized")),
            key,
            max_bytes: (model.len() as u64).saturating_mul(MAX_GROWTH).saturating_add(1 << 20),
        })
    }

    /// The optimized graph, where there is a sound one.
    pub(super) fn load(&self) -> Option<Vec<u8>> {
        match self.read() {
            Ok(graph) => Some(graph),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!("{} is not used: {error}", self.file.display());
                None
            }
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let damaged = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
        let (file, length) = regular_file::open(&self.file)?;
        if length > self.max_bytes {
            return Err(damaged("it is too long"));
        }
        let mut content = Vec::new();
        file.take(self.max_bytes).read_to_end(&mut content)?;
        let (checksum, graph) =
            content.split_at_checked(CHECKSUM_BYTES).ok_or_else(|| damaged("it is truncated"))?;
        if checksum != self.checksum_line(graph).as_bytes() {
            return Err(damaged("its checksum is another"));
        }
        content.drain(..CHECKSUM_BYTES);
        Ok(content)
    }

    /// Lets `write` put the optimized graph at a path, and keeps it. `Err` is why it is not kept.
    pub(super) fn store<T>(&self, write: impl FnOnce(&Path) -> Result<T, Error>) -> io::Result<T> {
        fs::create_dir_all(&self.folder)?;
        // Beside the file, so that renaming is possible; both are gone if this process is killed
        // or the disk is full, or at the worst they are left over and never read.
        let scratch = TempDir::new_in(&self.folder)?;
        let path = scratch.path().join("graph.onnx");
        let session = write(&path).map_err(io::Error::other)?;
        let keep = || {
            let graph = fs::read(&path)?;
            let mut file = NamedTempFile::new_in(&self.folder)?;
            file.write_all(self.checksum_line(&graph).as_bytes())?;
            file.write_all(&graph)?;
            file.as_file().sync_all()?;
            file.persist(&self.file)?;
            io::Result::Ok(())
        };
        if let Err(error) = keep() {
            tracing::warn!("the optimized model is not kept in {}: {error}", self.folder.display());
        }
        Ok(session)
    }

    /// The checksum is of the key, too, so that a renamed file is none of this model's.
    fn checksum_line(&self, graph: &[u8]) -> String {
        format!("{:x}\n", Sha256::new().chain_update(&self.key).chain_update(graph).finalize())
    }
}

/// The model and the features of the first processor that `/proc/cpuinfo` describes.
fn processor(cpuinfo: &str) -> Option<String> {
    let first = cpuinfo.split("\n\n").next()?;
    let told = ["model name", "flags", "CPU part", "Features"];
    let lines: Vec<&str> =
        first.lines().filter(|line| told.iter().any(|field| line.starts_with(field))).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Cache, processor};

    #[test]
    fn only_what_was_stored_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path(), b"model", "1", "runtime").unwrap();
        assert_eq!(cache.load(), None);
        cache
            .store(|path| {
                fs::write(path, "graph").unwrap();
                Ok(())
            })
            .unwrap();
        assert_eq!(cache.load().unwrap(), b"graph");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
        for (sha256, runtime) in [("2", "runtime"), ("1", "other"), ("1r", "untime")] {
            assert_eq!(Cache::new(folder.path(), b"", sha256, runtime).unwrap().load(), None);
        }
        let whole = fs::read(&cache.file).unwrap();
        let other = Cache::new(folder.path(), b"", "2", "runtime").unwrap();
        fs::write(&other.file, &whole).unwrap();
        assert_eq!(other.load(), None, "renamed");
        for length in 0..whole.len() {
            fs::write(&cache.file, &whole[..length]).unwrap();
            assert_eq!(cache.load(), None, "cut to {length}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&cache.file, &damaged).unwrap();
            assert_eq!(cache.load(), None, "damaged at {at}");
        }
        fs::write(&cache.file, vec![0; 3 << 20]).unwrap();
        assert_eq!(cache.load(), None, "too long");
    }

    #[test]
    fn a_processor_is_its_name_and_its_features() {
        let of = |name: &str, flags: &str, speed: u32| {
            processor(&format!("model name\t: {name}\ncpu MHz\t: {speed}\nflags\t: {flags}\n\nx"))
        };
        assert_eq!(of("a", "sse avx", 1), of("a", "sse avx", 2));
        assert_ne!(of("a", "sse avx", 1), of("b", "sse avx", 1));
        assert_ne!(of("a", "sse avx", 1), of("a", "sse", 1));
        assert_eq!(processor("nothing known"), None);
    }
}

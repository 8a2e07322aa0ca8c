//! Where ONNX Runtime's shared library is.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Environment variables that name the library, the first one set wins.
const LIBRARY_VARIABLES: [&str; 2] = ["SDD_ONNXRUNTIME", "ORT_DYLIB_PATH"];

const LIBRARY: &str =
    if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };

/// Where the library stands in a checkout of this repository.
const SETUP_FOLDER: &str = ".native/onnxruntime";

/// Keeps ONNX Runtime's library from reporting to its makers that it was loaded.
const NO_TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// Sees to it that ONNX Runtime writes and sends nothing about this machine: its library makes an event when it is
/// loaded, with a file of its own in the user's home, before a program can ask it not to. Only the environment that the
/// process began with keeps it from that, so a program that was started without is started once more, as the same
/// process; where that is not possible it goes on as it is. To be called first of all.
pub fn without_telemetry() {
    if env::var_os(NO_TELEMETRY).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let failed = command.args(arguments).env(NO_TELEMETRY, "1").exec();
    tracing::debug!("not started without telemetry: {failed}");
}

/// The library named by the environment, else the first that is there: beside the program, in `lib`
/// beside the program's folder, or in a checkout that the program is in.
///
/// `Err` says where it was looked for.
pub(crate) fn find_library() -> Result<PathBuf, String> {
    for variable in LIBRARY_VARIABLES {
        if let Some(named) = env::var_os(variable).filter(|value| !value.is_empty()) {
            let path = PathBuf::from(named);
            return if path.is_file() {
                Ok(path)
            } else {
                Err(format!("{variable} names {}, which is not a file", path.display()))
            };
        }
    }
    let program = env::current_exe()
        .and_then(|program| program.canonicalize())
        .map_err(|error| format!("cannot tell where this program is: {error}"))?;
    let candidates = candidates(&program);
    candidates.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let folders: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        format!("not found at any of {}", folders.join(", "))
    })
}

fn candidates(program: &Path) -> Vec<PathBuf> {
    let mut candidates = Vec::new();
    if let Some(folder) = program.parent() {
        candidates.push(folder.join(LIBRARY));
        candidates.push(folder.join("../lib").join(LIBRARY));
        // target/release/PROGRAM and target/release/deps/TEST: the workspace is two or three up.
        for workspace in folder.ancestors().skip(1).take(3) {
            candidates.push(workspace.join(SETUP_FOLDER).join(LIBRARY));
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::candidates;

    #[test]
    fn looked_for_beside_the_program_and_in_its_workspace() {
        let found: Vec<_> = candidates(Path::new("/w/target/release/deps/test"))
            .iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        assert!(found[0].starts_with("/w/target/release/deps/libonnxruntime."));
        assert!(found.iter().any(|path| path.starts_with("/w/.native/onnxruntime/lib")));
        assert!(!found.iter().any(|path| path.starts_with("/.native")));
    }
}

//! Finds out which instructions FAISS was compiled for, so that `check_cpu` looks for these and no others.
//!
//! What counts are the flags of that compilation, which `CMake` wrote down, and not those of this one: Cargo does not
//! compile FAISS anew when a flag in the environment changes. The compiler itself says what the flags mean.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let root = env::var_os("DEP_FAISS_C_ROOT").expect("faiss-sys says where FAISS was compiled");
    let cache = Path::new(&root).join("build/CMakeCache.txt");
    println!("cargo:rerun-if-changed={}", cache.display());
    let text = fs::read_to_string(&cache).unwrap_or_else(|error| {
        panic!(
            "how FAISS was compiled cannot be read from {}: {error}; compile it anew: cargo clean --release -p faiss-sys",
            cache.display()
        )
    });
    let entry = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once('=')).map(|(_, value)| value);
        value.unwrap_or_else(|| panic!("{} has no {name}", cache.display())).to_owned()
    };
    let flags = entry("CMAKE_CXX_FLAGS:");
    let macros = predefined_macros(Path::new(&entry("CMAKE_CXX_COMPILER:")), &flags);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR"));
    fs::write(out.join("faiss_macros.txt"), macros.join("\n")).expect("OUT_DIR can be written");
    // For the message: what has to be set otherwise, and to what it was set. The last -march is the one that counts.
    let target = env::var("TARGET").expect("Cargo sets TARGET").replace('-', "_");
    let march = flags.split_whitespace().rfind(|flag| flag.starts_with("-march="));
    println!("cargo:rustc-env=FAISS_CXXFLAGS_NAME=CXXFLAGS_{target}");
    println!("cargo:rustc-env=FAISS_MARCH={}", march.unwrap_or("the compiler's default"));
}

/// The names of the macros that the compiler defines by itself under these flags, as `__AVX2__`.
fn predefined_macros(compiler: &Path, flags: &str) -> Vec<String> {
    let output = Command::new(compiler)
        .args(flags.split_whitespace())
        .args(["-dM", "-E", "-x", "c++", "/dev/null"])
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", compiler.display()));
    assert!(
        output.status.success(),
        "{} {flags} says no macros: {}",
        compiler.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.strip_prefix("#define ")?.split(' ').next());
    names.map(str::to_owned).collect()
}

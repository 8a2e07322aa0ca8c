//! Ctrl-C while a store is built, or a matrix of embeddings made.
#![cfg(unix)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use image::{Rgb, RgbImage};

use crate::support::{command, folder, parts, run, save, tiny_model};

/// Images that take the one thread a few seconds. They differ in what follows the picture only, so
/// that drawing them does not take as long.
fn large_images(folder: &Path) {
    let path = folder.join("large/0.png");
    save(&RgbImage::from_pixel(4000, 4000, Rgb([9, 0, 0])), &path);
    let png = fs::read(path).unwrap();
    for number in 1..100_u8 {
        let bytes = [png.as_slice(), &[number]].concat();
        fs::write(folder.join(format!("large/{number}.png")), bytes).unwrap();
    }
}

/// Starts to work on the large images, and sends a signal in the middle of it.
fn interrupt(subcommand: &str, out: &str, folder: &Path, signal: &str) -> std::process::Output {
    let child = command(folder)
        .args([subcommand, "large", "--out", out, "--threads", "1", "--model"])
        .arg(tiny_model())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(700));
    // The shell's own: the program `kill` is not on every machine.
    let kill = format!("kill {signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

fn was_ended(output: &std::process::Output) -> bool {
    // On a machine so busy that the program has not begun to listen, the signal itself ends it.
    output.status.code() == Some(130) || output.status.signal().is_some()
}

#[test]
fn leaves_no_half_matrix() {
    let folder = folder();
    large_images(folder.path());
    fs::write(folder.path().join("e.npy"), "what was there").unwrap();
    for signal in ["-INT", "-TERM"] {
        let output = interrupt("embed", "e.npy", folder.path(), signal);
        assert!(was_ended(&output), "{output:?}");
        assert_eq!(fs::read(folder.path().join("e.npy")).unwrap(), b"what was there");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

#[test]
fn leaves_the_store_as_it_was() {
    let folder = folder();
    large_images(folder.path());
    for signal in ["-INT", "-TERM"] {
        let output = interrupt("build", "store", folder.path(), signal);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(was_ended(&output), "{:?} {said}", output.status);
        assert!(!folder.path().join("store").exists());
    }
    parts(folder.path(), &["a"], 3);
    run(folder.path(), "build --model MODEL parts --out store").expect_code(0);
    interrupt("build", "store", folder.path(), "-INT");
    let info = run(folder.path(), "show store --verify --json").expect_code(0).json();
    assert_eq!((info["images"].as_u64(), info["generation"].as_u64()), (Some(3), Some(1)));
}

//! What goes wrong, and that requests do not hear of it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::{entries, images, records, sha256, start, variants};
use crate::client::Client;
use crate::eventually::eventually;
use crate::server::{Server, command, picture, refusal};

/// A limit on the length of a file answers writes as a full disk does: with less than was asked
/// for, then with an error. It holds for root, too.
#[test]
fn a_write_that_fails_turns_it_off_and_requests_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let program = command();
    let mut limited = Command::new("sh");
    // 4 KiB, in blocks of 512 bytes. The signal would end the program.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""]);
    limited.arg(program.get_program()).arg("--capture").arg(folder.path());
    limited.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(program.get_current_dir().unwrap());
    limited.stdout(Stdio::null()).stderr(Stdio::piped()).stdin(Stdio::null());
    let server = Server::start_command(&mut limited);

    // Small images fit, their records together do not.
    let small = picture("jpeg_gray.jpg");
    for _ in 0..20 {
        assert_eq!(server.predict(&small).status, 200);
    }
    let warning = server.wait_for("capture is off");
    assert!(warning.contains(folder.path().to_str().unwrap()), "{warning}");
    assert!(warning.contains("predictions-"), "{warning}");
    // A large one would not, but nothing is tried any more.
    for image in variants(20) {
        assert_eq!(server.predict(&image).status, 200);
    }
    let log = server.stop();
    assert!(!log.iter().any(|line| line.contains("capture is off")), "one warning: {log:#?}");
    let records = records(folder.path());
    assert!((1..20).contains(&records.len()), "whole lines and no more: {}", records.len());
    assert_eq!(images(folder.path()).len(), 1);
}

#[test]
fn a_folder_that_goes_away_turns_it_off_and_on_again_when_it_is_back() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, away) = (temporary.path().join("capture"), temporary.path().join("away"));
    let server = start(&folder, &["--capture-retry", "1s"]);
    let variants = variants(10);
    assert_eq!(server.predict(&variants[0]).status, 200);
    eventually("the first record", || records(&folder).len() == 1);
    fs::rename(&folder, &away).unwrap();
    fs::write(&folder, "in its place").unwrap();
    for image in &variants[1..9] {
        assert_eq!(server.predict(image).status, 200);
    }
    server.wait_for("capture is off");
    fs::remove_file(&folder).unwrap();
    // Not there: it may be on a disk that is not, either, and is not made anew.
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!folder.exists());
    fs::rename(&away, &folder).unwrap();
    server.wait_for("is on again");
    assert_eq!(server.predict(&variants[9]).status, 200);
    server.stop();
    let images = images(&folder);
    assert_eq!(records(&folder).len(), images.len());
    let kept = |number: usize| images.contains_key(&sha256(&variants[number]));
    assert!(kept(0) && kept(1) && kept(9), "the first, the one that failed, and the last");
}

#[test]
fn a_kill_leaves_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let variants = variants(200);
    let mut before = 0;
    for round in 0..4 {
        let server = start(folder.path(), &[]);
        let address = server.address();
        std::thread::scope(|scope| {
            let posts = scope.spawn(|| {
                let mut client = Client::new(&address);
                for image in &variants[round * 50..][..50] {
                    // The last of them meets nobody.
                    if client.predict(image).is_err() {
                        return;
                    }
                }
            });
            let enough = before + 5 * (round + 1);
            let lines = || {
                let all = entries(folder.path()).into_iter();
                let days = all.filter(|path| path.extension().is_some());
                days.map(|path| fs::read_to_string(path).unwrap().lines().count()).sum::<usize>()
            };
            eventually("enough records", || lines() >= enough);
            server.signal("-KILL");
            posts.join().unwrap();
        });
        drop(server);
        // What a kill between two parts of a write leaves behind, which is rare.
        let name = format!("images/00/.{}.png.tmp", "00".repeat(32));
        fs::create_dir_all(folder.path().join("images/00")).unwrap();
        fs::write(folder.path().join(&name), "the beginning").unwrap();
        let days = entries(folder.path()).into_iter();
        let day = days.filter(|path| path.extension().is_some_and(|e| e == "jsonl")).max().unwrap();
        let whole = fs::read(&day).unwrap();
        fs::write(&day, [&whole, b"{\"format_version\":1,\"ti".as_slice()].concat()).unwrap();

        let server = start(folder.path(), &[]);
        assert_eq!(server.predict(&variants[0]).status, 200);
        server.stop();
        assert!(!folder.path().join(&name).exists());
        let records = records(folder.path());
        let images = images(folder.path());
        let all_there =
            |record: &Value| images.contains_key(record["image"]["sha256"].as_str().unwrap());
        assert!(records.iter().all(all_there), "no record without its image");
        assert!(images.len() <= (round + 1) * 50);
        before = records.len();
    }
}

#[test]
fn two_servers_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let server = start(folder.path(), &[]);
    let (code, said) = refusal(&["--capture", path]);
    assert_eq!(code, Some(2));
    assert!(said.contains(path) && said.contains("another server"), "{said}");
    drop(server);
    start(folder.path(), &[]).stop();
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    fs::create_dir(folder.path().join("d")).unwrap();
    fs::write(folder.path().join("d/images"), "").unwrap();
    for path in [file.clone(), file.join("below"), folder.path().join("d")] {
        let path = path.to_str().unwrap();
        let (code, said) = refusal(&["--capture", path]);
        assert_eq!(code, Some(2), "{path}");
        assert!(said.contains(path), "{said}");
    }
}

#[test]
fn what_does_not_fit_into_the_queue_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--capture-queue-bytes", "2000"]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    assert_eq!(server.predict(&picture("jpeg_gray.jpg")).status, 200);
    server.stop();
    let kept: Vec<String> = images(folder.path()).into_keys().collect();
    assert_eq!(kept, [sha256(&picture("jpeg_gray.jpg"))]);
}

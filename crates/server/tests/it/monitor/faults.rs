//! What goes wrong with the file, and that requests do not hear of it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use super::{Watched, drift, images_ever, send};
use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::server::{Server, command, picture, refusal};

#[test]
fn a_lock_costs_no_request_and_no_observation() {
    let watched = Watched::new();
    let server = watched.serve(&[]);
    let image = picture("png_rgb.png");
    send(&server, &image, 1);
    let lock = Connection::open(watched.file()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..10 {
        assert_eq!(server.predict(&image).status, 200);
    }
    let said = server.wait_for("not recorded for now");
    assert!(said.contains("locked") && said.contains("monitor.sqlite"), "{said}");
    let report = drift(&server);
    assert_eq!(
        (&report["images_ever"], &report["recording"]["available"]),
        (&json!(1), &json!(false))
    );
    assert!(report["recording"]["reason"].as_str().unwrap().contains("locked"));
    assert_eq!(Exposition::of(&server).number("sdd_drift_recording"), 0);
    assert_eq!(server.predict(&image).status, 200);
    lock.execute_batch("COMMIT").unwrap();
    eventually("what waited is written", || images_ever(&server) == 12);
    eventually("recording again", || drift(&server)["recording"]["available"] == true);
    assert_eq!(drift(&server)["recording"]["unrecorded_images"], 0);
}

#[test]
fn a_file_that_is_locked_when_the_server_starts_is_waited_for() {
    let watched = Watched::new();
    watched.serve(&[]).stop();
    let lock = Connection::open(watched.file()).unwrap();
    lock.execute_batch("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE; SELECT 1").unwrap();
    let server = watched.serve(&[]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    drop(lock);
    eventually("what waited is written", || {
        server.get("/drift").status == 200 && images_ever(&server) == 1
    });
}

#[test]
fn a_file_that_is_moved_or_removed_is_told_and_recording_goes_on_in_another() {
    let watched = Watched::new();
    let server = watched.serve(&[]);
    let image = picture("png_rgb.png");
    let (file, moved) = (watched.file(), watched.file().with_file_name("moved.sqlite"));
    send(&server, &image, 20);
    for round in 0..3 {
        assert_eq!(images_ever(&server), 20, "{round}");
        if round == 0 {
            fs::rename(&file, &moved).unwrap();
        } else {
            // With the log beside it, or the file alone.
            let ending = if round == 1 { "-wal" } else { "" };
            fs::remove_file(&file).unwrap();
            let _ = fs::remove_file(file.with_file_name(format!("monitor.sqlite{ending}")));
        }
        if round == 2 {
            // Whoever asks finds out, too, and before any image.
            eventually("a new beginning", || images_ever(&server) == 0);
            let needed = || {
                let metrics = Exposition::of(&server);
                metrics.value("sdd_drift_verdict", &[("verdict", "insufficient_data")])
            };
            eventually("the same in the metrics", || needed() == Some(1.0));
        }
        send(&server, &image, 20);
        let said = server.wait_for("not recorded for now");
        assert!(said.contains("moved, removed or replaced"), "{said}");
        server.wait_for("recorded again");
        eventually("recording again", || drift(&server)["recording"]["available"] == true);
        eventually("all that came since", || images_ever(&server) == 20);
        assert_eq!(drift(&server)["recording"]["unrecorded_images"], 0);
        assert_eq!(Exposition::of(&server).number("sdd_drift_recording"), 1);
        assert!(file.exists());
    }
    server.stop();
    // What was there before the move is in the file that was moved.
    let rows = Connection::open(&moved).unwrap();
    let rows: i64 =
        rows.query_row("SELECT count(*) FROM observation", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 20);
}

#[test]
fn a_file_that_is_damaged_while_it_is_in_use_is_told_by_the_metrics_as_well() {
    let watched = Watched::new();
    let server = watched.serve(&[]);
    send(&server, &picture("png_rgb.png"), 20);
    assert_eq!(images_ever(&server), 20);
    let database = Connection::open(watched.file()).unwrap();
    let moved = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    eventually("all of it in the file", || {
        database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], moved).unwrap() == 0
    });
    drop(database);
    let whole = fs::read(watched.file()).unwrap();
    fs::write(watched.file(), [&whole[..100], &vec![0x5a; whole.len() - 100]].concat()).unwrap();
    let recording = || Exposition::of(&server).number("sdd_drift_recording");
    eventually("the damage", || {
        let answer = server.get("/drift");
        (answer.status, answer.code()) == (503, "monitor_unavailable")
    });
    // Before whoever writes would look by itself, after 10 s without an image.
    let start = Instant::now();
    eventually("the same in the metrics", || recording() == 0);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // And it stays so while the file does.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((server.get("/drift").status, recording()), (503, 0));
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    fs::write(watched.file(), whole).unwrap();
    eventually("recording again", || recording() == 1);
    eventually("what came meanwhile", || images_ever(&server) == 21);
}

/// A limit on the length of a file answers writes as a full disk does. It holds for root, too.
#[test]
fn a_file_that_cannot_grow_turns_recording_off_and_requests_go_on() {
    let watched = Watched::new();
    watched.serve(&[]).stop();
    let program = command();
    let mut limited = Command::new("sh");
    // 64 KiB, in blocks of 512 bytes. The signal would end the program.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\""]);
    limited.arg(program.get_program()).args(watched.arguments());
    limited.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.current_dir(program.get_current_dir().unwrap());
    limited.stdout(Stdio::null()).stderr(Stdio::piped()).stdin(Stdio::null());
    let server = Server::start_command(&mut limited);
    send(&server, &picture("png_rgb.png"), 500);
    server.wait_for("not recorded for now");
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    let report = drift(&server);
    assert_eq!(report["recording"]["available"], false);
    let before = report["images_ever"].as_u64().unwrap();
    assert!((1..500).contains(&before), "{before}");
    // What was recorded before is there, and the file is whole.
    let server = watched.serve(&[]);
    assert!(images_ever(&server) >= before);
}

#[test]
fn files_that_are_not_to_be_written_to_are_named_and_left_alone() {
    let watched = Watched::new();
    watched.serve(&[]).stop();
    let own = watched.arguments();
    let arguments: Vec<&str> = own.iter().map(String::as_str).collect();
    let refused = |hint: &str| {
        let before = fs::read(watched.file()).unwrap();
        let (code, said) = refusal(&arguments);
        assert_eq!(code, Some(2), "{said}");
        for hint in [hint, "monitor.sqlite", "--monitor"] {
            assert!(said.contains(hint), "{hint}: {said}");
        }
        assert_eq!(fs::read(watched.file()).unwrap(), before);
    };
    let database = Connection::open(watched.file()).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    database.pragma_update(None, "journal_mode", "delete").unwrap();
    drop(database);
    refused("schema version 99");
    fs::write(watched.file(), "a file of someone's").unwrap();
    refused("no SQLite database");
    fs::write(watched.file(), [b"SQLite format 3\0".as_slice(), &[0x5a; 9000]].concat()).unwrap();
    refused("damaged");
    let (code, said) = refusal(&[arguments.as_slice(), &["--drift-window", "5"]].concat());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("window"), "{said}");
}

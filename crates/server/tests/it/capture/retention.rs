//! For how long files are kept.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use super::{entries, images, records, sha256, start, variants};
use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::server::picture;

#[test]
fn the_oldest_images_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 60_000;
    let server = start(folder.path(), &["--capture-max-bytes", &limit.to_string()]);
    let variants = variants(40);
    for image in &variants {
        assert_eq!(server.predict(image).status, 200);
    }
    server.stop();
    let images = images(folder.path());
    assert!((2..12).contains(&images.len()), "{}", images.len());
    assert!(images.contains_key(&sha256(&variants[39])), "the youngest stays");
    assert!(!images.contains_key(&sha256(&variants[0])), "the oldest goes");
    assert_eq!(records(folder.path()).len(), 40, "the records take less and are younger");
    let files = images.values().cloned().chain(entries(folder.path()));
    let bytes: u64 = files
        .map(|path| fs::metadata(path).unwrap())
        .filter(fs::Metadata::is_file)
        .map(|m| m.len())
        .sum();
    assert!(bytes <= limit, "{bytes}");
}

#[test]
fn a_short_age_is_kept_to() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--capture-max-age", "1s"]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    let metrics = || Exposition::of(&server);
    eventually("the record", || metrics().number("sdd_capture_records_total") == 1);
    // The image and the record.
    eventually("the end of both", || metrics().number("sdd_capture_removed_files_total") == 2);
    assert!(images(folder.path()).is_empty() && records(folder.path()).is_empty());
}

#[test]
fn what_is_too_old_goes_and_what_others_wrote_stays() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let old_image = format!("images/ab/{}.jpg", "ab".repeat(32));
    let half_written = format!("images/ab/.{}.jpg.tmp", "ab".repeat(32));
    let link = format!("images/ab/{}.png", "ab".repeat(32));
    let (old_records, notes) = ("predictions-2020-01-01.jsonl", "images/ab/notes.txt");
    fs::create_dir_all(folder.join("images/ab")).unwrap();
    for name in [&old_image, &half_written, old_records, notes, "my.jsonl"] {
        fs::write(folder.join(name), "{}\n").unwrap();
        let file = File::options().append(true).open(folder.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(24 * 9)).unwrap();
    }
    symlink(folder.join(notes), folder.join(&link)).unwrap();

    let keep_all = start(folder, &[]);
    eventually("the first look", || !folder.join(&half_written).exists());
    keep_all.stop();
    assert!(folder.join(&old_image).exists() && folder.join(old_records).exists());

    // As a server leaves it that has been at work for days: a clock that nobody has seen before may be wrong.
    let hours_ago = |hours: u64| SystemTime::now() - Duration::from_hours(hours);
    let moment =
        |hours| hours_ago(hours).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    fs::write(folder.join(".sweeps"), format!("{}\n{}\n", moment(24), moment(20))).unwrap();
    let server = start(folder, &["--capture-max-age", "7d"]);
    let gone = || !folder.join(&old_image).exists() && !folder.join(old_records).exists();
    eventually("the end of the old", gone);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    server.stop();
    for name in [notes, "my.jsonl", &link] {
        assert!(folder.join(name).symlink_metadata().is_ok(), "{name}");
    }
    assert!(folder.join(format!("images/{}", &sha256(&picture("png_rgb.png"))[..2])).exists());
}

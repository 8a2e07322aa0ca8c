//! Which predictions are kept.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::{entries, images, reasons, records, sha256, start, variants};
use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::server::{Server, data};
use crate::store;

/// Every picture that the server answers, with its answer.
fn answers(server: &Server) -> Vec<(Vec<u8>, Value)> {
    let pictures = entries(&data("images")).into_iter().map(|path| fs::read(path).unwrap());
    let answers = pictures.map(|image| (server.predict(&image), image));
    let answered = answers.filter(|(answer, _)| answer.status == 200);
    answered.map(|(answer, image)| (image, answer.json())).collect()
}

#[test]
fn what_is_strange_or_doubtful_is_kept_without_a_share() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, reference) = (temporary.path().join("capture"), temporary.path().join("r"));
    store::write(&reference, None);
    let options = ["--reference", reference.to_str().unwrap(), "--capture-share", "0"];
    let (strange, low) = ("--capture-always-ood", "--capture-below-confidence");
    for (always_ood, below) in [(true, 0.0), (false, 0.6), (true, 0.6), (false, 0.0)] {
        let (flag, limit) = (always_ood.to_string(), below.to_string());
        let server = start(&folder, &[options.as_slice(), &[strange, &flag, low, &limit]].concat());
        let answers = answers(&server);
        server.stop();
        let reasons_of = |answer: &Value| {
            let is_strange = always_ood && answer["drift"]["out_of_distribution"] == true;
            let is_doubtful = answer["confidence"].as_f64().unwrap() < below;
            let all = [(is_strange, "out_of_distribution"), (is_doubtful, "low_confidence")];
            all.into_iter()
                .filter(|(holds, _)| *holds)
                .map(|(_, reason)| reason)
                .collect::<Vec<_>>()
        };
        let all = answers.iter().map(|(image, answer)| (sha256(image), reasons_of(answer)));
        let expected: BTreeMap<String, Vec<&str>> =
            all.filter(|(_, reasons)| !reasons.is_empty()).collect();
        // Otherwise the test would say little.
        assert!(
            expected.len() < answers.len() && expected.is_empty() == (!always_ood && below == 0.0)
        );
        let records = records(&folder);
        let sha256_of = |record: &Value| record["image"]["sha256"].as_str().unwrap().to_owned();
        let kept = records.iter().map(|record| (sha256_of(record), reasons(record))).collect();
        assert_eq!(expected, kept);
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn a_share_is_the_same_images_for_every_server() {
    let kept = |share| {
        let folder = tempfile::tempdir().unwrap();
        let options =
            ["--capture-share", share, "--capture-below-confidence", "0", "--workers", "1"];
        let server = start(folder.path(), &options);
        for image in variants(40) {
            assert_eq!(server.predict(&image).status, 200);
        }
        server.stop();
        assert!(records(folder.path()).iter().all(|record| reasons(record) == ["sample"]));
        images(folder.path()).into_keys().collect::<Vec<_>>()
    };
    let half = kept("0.5");
    assert!((8..32).contains(&half.len()), "{}", half.len());
    assert_eq!(half, kept("0.5"));
    assert!(kept("0.75").iter().filter(|image| half.contains(image)).count() == half.len());
}

#[test]
fn what_was_not_to_be_kept_is_not_counted_as_lost() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, away) = (temporary.path().join("capture"), temporary.path().join("away"));
    let options = ["--capture-share", "0.5", "--capture-below-confidence", "0"];
    let predict_all = |server: &Server| {
        for image in variants(40) {
            assert_eq!(server.predict(&image).status, 200);
        }
    };
    let server = start(&folder, &options);
    predict_all(&server);
    server.stop();
    let sampled = records(&folder).len();

    let server = start(&folder, &[options.as_slice(), &["--capture-retry", "1d"]].concat());
    // It has looked through the folder, and so what fails is a write.
    eventually("the first look", || {
        Exposition::of(&server).value("sdd_capture_stored_bytes", &[]) > Some(0.0)
    });
    fs::rename(&folder, &away).unwrap();
    predict_all(&server);
    // All but the first one, which is tried again.
    let dropped = || Exposition::of(&server).number("sdd_capture_dropped_total");
    eventually("the losses", || dropped() == sampled - 1);
    assert_eq!(Exposition::of(&server).number("sdd_capture_failures_total"), 1);
    server.wait_for("capture is off");
}

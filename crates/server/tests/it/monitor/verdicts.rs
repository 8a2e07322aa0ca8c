//! What is said of a stream.

use serde_json::json;

use super::{Watched, drift, images_ever, observations, send, send_like, strange_and_familiar};
use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::server::Server;

#[test]
fn a_familiar_stream_is_stable_and_a_strange_one_drifts_with_reasons_until_a_reset() {
    let (watched, other) = (Watched::new(), Watched::new());
    let (strange, familiar) = strange_and_familiar(&other.serve(&[]));
    let server = watched.serve(&[]);
    send_like(&server, &familiar, 1);
    let report = drift(&server);
    let needed = report["groups_needed"].as_u64().unwrap();
    assert_eq!(report["verdict"], "insufficient_data");
    assert!((1..10).contains(&needed), "{report:#}");

    send_like(&server, &familiar, 149);
    let report = drift(&server);
    assert_eq!(
        (&report["verdict"], &report["reasons"]),
        (&json!("stable"), &json!([])),
        "{report:#}"
    );
    assert_eq!(report["retrain_recommended"], false);
    let numbers = Exposition::of(&server);
    assert_eq!(numbers.value("sdd_drift_verdict", &[("verdict", "stable")]), Some(1.0));
    assert_eq!(numbers.value("sdd_drift_share", &[]), Some(0.0));
    let expected = &report["expected_accuracy"];
    let seen = observations(&server, 150);
    let probabilities = seen.iter().map(|one| one["confidence"].as_f64().unwrap());
    let mean = probabilities.sum::<f64>() / seen.len() as f64;
    let (value, interval) = (&expected["accuracy"]["value"], &expected["accuracy"]["interval"]);
    assert!((value.as_f64().unwrap() - mean).abs() < 1e-9, "{mean} {expected:#}");
    assert!(
        interval["low"].as_f64() <= value.as_f64() && value.as_f64() <= interval["high"].as_f64()
    );
    assert_eq!((&expected["images"], &expected["unavailable"]), (&json!(150), &json!(null)));
    assert_eq!(expected["share_in_distribution"], 1.0);
    assert_eq!(&report["streams"][0]["expected_accuracy"]["accuracy"], &expected["accuracy"]);
    assert_eq!(numbers.value("sdd_drift_expected_accuracy", &[]), value.as_f64());

    send_like(&server, &strange, 150);
    let report = drift(&server);
    assert_eq!(
        (&report["verdict"], &report["appearance"]),
        (&json!("drifting"), &json!("drifting"))
    );
    assert_eq!(report["retrain_recommended"], true, "{report:#}");
    let expected = &report["expected_accuracy"];
    assert_eq!(
        (&expected["accuracy"]["value"], &expected["unavailable"]),
        (&json!(null), &json!("drifting"))
    );
    assert_eq!(Exposition::of(&server).value("sdd_drift_expected_accuracy", &[]), None);
    let reasons = report["reasons"].as_array().unwrap();
    assert_eq!((reasons.len(), &reasons[0]["test"]), (1, &json!("appearance")), "{reasons:#?}");
    let since = &reasons[0]["since"];
    assert_eq!((&since["group"], &report["evidence"]["alarm"]), (&since["sequence"], since));
    assert!((151..=180).contains(&since["group"].as_u64().unwrap()), "{since}");
    let evidence = &report["evidence"];
    assert!(evidence["largest"].as_f64() >= evidence["alarm_at"].as_f64(), "{evidence}");
    let recent = &report["window"]["recent"];
    assert_eq!((&recent["images"], &recent["out_of_distribution"]), (&json!(300), &json!(150)));
    let interval = &recent["interval"];
    assert!(interval["low"].as_f64() < Some(0.5) && interval["high"].as_f64() > Some(0.5));
    let strangest = report["strangest"].as_array().unwrap();
    assert_eq!(strangest.len(), 12, "{strangest:#?}");
    for image in strangest {
        assert_eq!(image["out_of_distribution"], true);
        assert_eq!(image["neighbors"].as_array().unwrap().len(), 3);
    }
    let numbers = Exposition::of(&server);
    numbers.check_histograms();
    assert_eq!(numbers.value("sdd_drift_verdict", &[("verdict", "drifting")]), Some(1.0));
    assert_eq!(numbers.value("sdd_drift_verdict", &[("verdict", "stable")]), Some(0.0));
    assert_eq!(numbers.number("sdd_drift_p_value_count"), 300);
    assert!(numbers.value("sdd_reference_age_seconds", &[]) > Some(0.0));

    let reset = server.administer("/admin/drift/reset");
    assert_eq!((reset.status, reset.json()["epoch"]["number"].clone()), (200, json!(2)));
    let report = drift(&server);
    assert_eq!(
        (&report["verdict"], &report["epoch"]["because"]),
        (&json!("insufficient_data"), &json!("reset"))
    );
    assert_eq!((&report["images_ever"], &report["epoch"]["images"]), (&json!(300), &json!(0)));
    eventually("the reset in the metrics", || {
        let label = [("verdict", "insufficient_data")];
        Exposition::of(&server).value("sdd_drift_verdict", &label) == Some(1.0)
    });
}

#[test]
fn each_pair_has_a_state_of_its_own_and_finds_it_again() {
    let (watched, other) = (Watched::new(), Watched::new());
    let server = watched.serve(&[]);
    let image = crate::server::picture("png_rgb.png");
    send(&server, &image, 3);
    let first = drift(&server)["pair"].clone();

    // Another reference in its place: written once more, it is another generation.
    crate::store::write(&other.reference(), None);
    let away = watched.folder.path().join("away");
    std::fs::rename(watched.reference(), &away).unwrap();
    std::fs::rename(other.reference(), watched.reference()).unwrap();
    assert_eq!(server.administer("/admin/reload").status, 200);
    let report = drift(&server);
    assert_eq!(report["pair"]["model_sha256"], first["model_sha256"]);
    assert_ne!(report["pair"]["reference_sha256"], first["reference_sha256"]);
    assert_eq!(report["images_ever"], 0);
    send(&server, &image, 2);
    assert_eq!(images_ever(&server), 2);

    std::fs::remove_dir_all(watched.reference()).unwrap();
    std::fs::rename(&away, watched.reference()).unwrap();
    assert_eq!(server.administer("/admin/reload").status, 200);
    assert_eq!(drift(&server)["pair"], first);
    send(&server, &image, 1);
    assert_eq!(images_ever(&server), 4);
}

#[test]
fn where_nothing_is_watched_it_says_so() {
    let watched = Watched::new();
    let reference = watched.reference();
    let without_file = Server::start(&["--reference", reference.to_str().unwrap()]);
    let file = watched.file();
    let without_reference = Server::start(&["--monitor", file.to_str().unwrap()]);
    for (server, hint) in [(&without_file, "--monitor"), (&without_reference, "--reference")] {
        for answer in [server.get("/drift"), server.get("/drift/observations")] {
            assert_eq!((answer.status, answer.code()), (404, "no_monitor"));
            assert!(answer.text().contains(hint), "{}", answer.text());
        }
        assert_eq!(server.administer("/admin/drift/reset").code(), "no_monitor");
    }
}

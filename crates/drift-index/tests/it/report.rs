//! `drift-index report` over a folder of images and over a monitor's file.

use std::fs;
use std::path::Path;

use sdd_drift::Reference;
use sdd_monitor::{
    Baseline, Monitor, MonitorSettings, MonitorStore, Observation, PairId, SqliteMonitorStore,
};

use crate::support::{Said, command, dark_surface, folder, parts, run, save, surface};

/// 20 parts in two classes and 24 held-out ones as `store`; 30 new ones in familiar and 30 in darker light.
fn build(folder: &Path) {
    parts(folder, &["defect", "non_defect"], 10);
    for number in 0..24 {
        save(&surface(5000 + number), &folder.join(format!("held-out/{number:03}.png")));
    }
    for number in 0..30 {
        save(&surface(6000 + number), &folder.join(format!("familiar/{number:03}.png")));
        save(&dark_surface(7000 + number), &folder.join(format!("dark/{number:03}.png")));
    }
    run(folder, "build --model MODEL parts --calibrate held-out --out store").expect_code(0);
}

#[test]
fn a_folder_of_images_is_watched_and_its_page_has_their_pictures() {
    let folder = folder();
    let at = folder.path();
    build(at);
    let arguments = "--model MODEL --reference-images parts";
    let familiar = run(at, &format!("report store --images familiar {arguments} --json"));
    let familiar = familiar.expect_code(0).json();
    assert_eq!(
        (&familiar["status"], &familiar["drift"]["verdict"]),
        (&"ok".into(), &"stable".into())
    );
    assert_eq!((&familiar["format"], &familiar["html"]), (&"sdd-drift-report".into(), &().into()));

    let outputs = "--out out.html --box-plot plot.svg";
    let dark = run(at, &format!("report store --images dark {arguments} {outputs}")).expect_code(1);
    assert!(dark.out.contains("drifting") && dark.out.contains("what to do"), "{}", dark.out);
    let page = fs::read_to_string(at.join("out.html")).unwrap();
    // Of each of the strangest, and of what it is nearest to.
    assert!(page.contains("What comes in has changed"));
    assert!(page.matches("data:image/jpeg;base64").count() >= 24 && !page.contains("no picture"));
    assert!(fs::read_to_string(at.join("plot.svg")).unwrap().starts_with("<svg"));
}

#[test]
fn what_a_server_recorded_is_judged_by_what_it_stated() {
    let folder = folder();
    let at = folder.path();
    build(at);
    let reference = Reference::open(&at.join("store")).unwrap();
    let settings = MonitorSettings { tolerance: 0.25, window: 10, ..MonitorSettings::default() };
    let monitor = Monitor::new(settings, reference.calibration().map(Baseline::of)).unwrap();
    let strange = Observation {
        predicted_class: "non_defect".into(),
        p_value: Some(0.04),
        out_of_distribution: Some(true),
        ..Observation::default()
    };
    let mut store = SqliteMonitorStore::open(&at.join("monitor.sqlite"), 1000).unwrap();
    for (model, images) in [("aa", 2), ("bb", 60)] {
        let pair = PairId::of(&model.repeat(32), &reference);
        store.apply(&pair, &monitor, &vec![strange.clone(); images]).unwrap();
    }
    drop(store);
    let report = |arguments: &str, code| {
        run(at, &format!("report {arguments} --monitor monitor.sqlite --json"))
            .expect_code(code)
            .json()
    };
    let of_b = report("store --model-sha256 BB", 1);
    assert_eq!(of_b["drift"]["settings"]["tolerance"], 0.25);
    assert_eq!(of_b["drift"]["images_ever"], 60);
    let of_environment = || {
        let mut command = command(at);
        command.args(["report", "store", "--json"]).env("SDD_MONITOR", "monitor.sqlite");
        Said::from(command.output().unwrap()).expect_code(1).json()
    };
    assert_eq!(of_environment()["pair"], of_b["pair"]);
    let of_a = report("store --model-sha256 aa", 4);
    assert_eq!(of_a["drift"]["verdict"], "insufficient_data");
    assert!(of_a["drift"]["groups_needed"].as_u64() > Some(0));

    // Another store, and another model, have nothing in there.
    run(at, "build --model MODEL familiar --out other").expect_code(0);
    for arguments in ["other", "store --model-sha256 cc"] {
        let refused = report(arguments, 2);
        let message = refused["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("no image was compared with this store"), "{message}");
    }
}

#[test]
fn what_cannot_be_reported_is_said_before_the_work() {
    let folder = folder();
    let at = folder.path();
    build(at);
    fs::write(at.join("notes.txt"), "not a monitor").unwrap();
    fs::create_dir(at.join("page.html")).unwrap();
    for (arguments, expected) in [
        ("--monitor none.sqlite", "none.sqlite is not a file"),
        ("--monitor notes.txt", "no SQLite database"),
        ("--images nowhere", "nowhere"),
        ("--images familiar --out page.txt", ".html"),
        ("--images familiar --out page.html", "not a file"),
        ("--images familiar --out absent/p.html", "cannot write into"),
        ("--images familiar --box-plot plot.jpg", ".svg"),
        ("--images familiar --captured notes.txt", "notes.txt is not a folder"),
        ("--images familiar --monitor notes.txt", "cannot be used with"),
        ("", "--monitor (or SDD_MONITOR), or --images"),
    ] {
        let said = run(at, &format!("report store {arguments}")).expect_code(2);
        assert!(said.err.contains(expected), "{arguments}: {}", said.err);
    }
    assert!(!at.join("none.sqlite").exists());
}

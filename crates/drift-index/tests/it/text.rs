//! What people read: help and results, as snapshots. `INSTA_UPDATE=always` writes them anew.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;

use crate::support::{dark_surface, folder, parts, run, save, stripes, surface};

/// Runs `check` with everything replaced that differs from machine to machine.
pub fn redacted(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"in \d+\.\d s\b", "in [time]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT[\d:]+Z", "[date]");
    settings.add_filter(r"[0-9a-f]{64}", "[sha256]");
    settings.add_filter(r"checksum [0-9a-f]{12}", "checksum [begin]");
    settings.add_filter(r"\d+\.\d{4,}", "[number]");
    settings.add_filter(r"\d+\.\d %", "[percent]");
    settings.add_filter(r"\d+ bytes checked", "[bytes] checked");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(check);
}

#[test]
fn help() {
    let folder = folder();
    let help = |arguments: &str| run(folder.path(), arguments).expect_code(0).out;
    redacted(|| {
        assert_snapshot!("help", help("--help"));
        assert_snapshot!("help_check", help("check --help"));
        assert_snapshot!("help_build", help("build --help"));
        assert_snapshot!("help_embed", help("embed --help"));
        assert_snapshot!("help_query", help("query --help"));
        assert_snapshot!("help_report", help("report --help"));
        assert_snapshot!("help_info", help("info --help"));
        for command in [
            "calibrate",
            "add",
            "remove",
            "merge",
            "history",
            "rollback",
            "diff",
            "export",
            "captured",
            "label",
        ] {
            assert_snapshot!(format!("help_{command}"), help(&format!("{command} --help")));
        }
        assert_snapshot!("help_verify", help("verify --help"));
    });
}

fn draw(folder: &Path) {
    parts(folder, &["defect", "non_defect"], 10);
    for number in 0..21 {
        save(&surface(5000 + number), &folder.join(format!("held-out/{number:03}.png")));
    }
    save(&stripes(0), &folder.join("stripes.png"));
    for number in 0..24 {
        save(&dark_surface(7000 + number), &folder.join(format!("today/{number:03}.png")));
    }
    save(&surface(7000), &folder.join("few/000.png"));
}

#[test]
fn results() {
    let folder = folder();
    draw(folder.path());
    let said = |arguments: &str| run(folder.path(), arguments);
    redacted(|| {
        let build = "build --model MODEL --images parts --calibration held-out --out store";
        assert_snapshot!("build", said(build).expect_code(0).out);
        assert_snapshot!("info", said("info store").expect_code(0).out);
        assert_snapshot!("verify", said("verify store").expect_code(0).out);
        let query = "query store parts/defect/003.png stripes.png nowhere.png --model MODEL -k 1";
        assert_snapshot!("query", said(query).expect_code(2).out);
        assert_snapshot!("query_json", said(&format!("{query} --json")).expect_code(2).out);
        let check = "check store today --model MODEL -k 1 --strangest 2";
        assert_snapshot!("check", said(check).expect_code(1).out);
        let few = "check store few --model MODEL --strangest 0 --json";
        assert_snapshot!("check_few_json", said(few).expect_code(0).out);
        let embed = "embed stripes.png nowhere.png parts/defect/003.png --model MODEL --out e.npy";
        assert_snapshot!("embed", said(embed).expect_code(3).out);
        assert_snapshot!("embed_json", said(&format!("{embed} --json")).expect_code(3).out);
    });
}

#[test]
fn remarks() {
    let folder = folder();
    draw(folder.path());
    let at = |name: &str| folder.path().join(name);
    fs::write(at("parts/defect/broken.png"), "this is no image").unwrap();
    fs::write(at("parts/readme.txt"), "").unwrap();
    fs::write(at("parts/.cache"), "").unwrap();
    fs::copy(at("parts/defect/001.png"), at("parts/non_defect/1.png")).unwrap();
    fs::copy(at("parts/defect/002.png"), at("held-out/2.png")).unwrap();
    redacted(|| {
        let build = "build --model MODEL --images parts --calibration held-out --out store";
        let said = run(folder.path(), build);
        assert_snapshot!("build_remarks", said.expect_code(3).out);
        let build = "build --model MODEL --images parts --out uncalibrated --score mean-l1";
        run(folder.path(), build).expect_code(3);
        let query = "query uncalibrated stripes.png --model MODEL -k 0";
        let said = run(folder.path(), query).expect_code(0);
        assert_snapshot!("query_uncalibrated", said.out);
    });
}

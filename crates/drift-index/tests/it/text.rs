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
        for command in [
            "build",
            "update",
            "rollback",
            "show",
            "check",
            "report",
            "embed",
            "export",
            "capture",
            "capture list",
            "capture label",
        ] {
            let name = format!("help_{}", command.replace(' ', "_"));
            assert_snapshot!(name, help(&format!("{command} --help")));
        }
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
    save(&surface(7001), &folder.join("few/001.png"));
}

#[test]
fn results() {
    let folder = folder();
    draw(folder.path());
    let said = |arguments: &str| run(folder.path(), arguments);
    redacted(|| {
        let build = "build --model MODEL parts --calibrate held-out --out store";
        assert_snapshot!("build", said(build).expect_code(0).out);
        assert_snapshot!("show", said("show store").expect_code(0).out);
        assert_snapshot!("show_verify", said("show store --verify").expect_code(0).out);
        let one = "check store stripes.png nowhere.png --model MODEL --neighbors 1";
        assert_snapshot!("check_one", said(one).expect_code(1).out);
        assert_snapshot!("check_one_json", said(&format!("{one} --json")).expect_code(1).out);
        let each =
            "check store parts/defect/003.png stripes.png --each --model MODEL --strangest 0";
        assert_snapshot!("check_each", said(each).expect_code(4).out);
        let check = "check store today --model MODEL --neighbors 1 --strangest 2";
        assert_snapshot!("check", said(check).expect_code(1).out);
        let few = "check store few --model MODEL --strangest 0 --json";
        assert_snapshot!("check_few_json", said(few).expect_code(4).out);
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
        let build = "build --model MODEL parts --calibrate held-out --out store";
        let said = run(folder.path(), build);
        assert_snapshot!("build_remarks", said.expect_code(3).out);
        let build = "build --model MODEL parts --out uncalibrated --score mean-l1";
        run(folder.path(), build).expect_code(3);
        let check = "check uncalibrated stripes.png --model MODEL --neighbors 0";
        let said = run(folder.path(), check).expect_code(4);
        assert_snapshot!("check_uncalibrated", said.out);
    });
}

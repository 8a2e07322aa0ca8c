//! Servers that share a memory and were given different settings.

use serde_json::json;

use super::{Watched, drift, send};
use crate::eventually::eventually;
use crate::postgres;
use crate::server::picture;

#[test]
fn the_server_that_started_or_reloaded_last_decides_what_is_tested() {
    let database = postgres::shared().database();
    for watched in [Watched::new(), Watched::on(database.url())] {
        let image = picture("png_rgb.png");
        let first = watched.serve(&["--drift-window", "100"]);
        send(&first, &image, 30);
        let second = watched.serve(&["--drift-window", "20", "--drift-tolerance", "0.1"]);
        eventually("the new settings", || drift(&second)["epoch"]["number"] == 2);
        for _ in 0..3 {
            for server in [&first, &second] {
                send(server, &image, 5);
            }
        }
        for server in [&first, &second] {
            let report = drift(server);
            assert_eq!(report["settings"]["window"], 20, "{report:#}");
            assert_eq!(report["settings"]["tolerance"], 0.1);
            let epoch = &report["epoch"];
            assert_eq!(
                (&epoch["number"], &epoch["images"], &epoch["because"]),
                (&json!(2), &json!(30), &json!("settings"))
            );
            assert_eq!(report["recording"]["available"], true);
        }
        let said = first.wait_for("another server that shares the drift monitor");
        assert!(said.contains("window: 20"), "{said}");

        assert_eq!(first.administer("/admin/reload").status, 200);
        eventually("the first one's settings", || drift(&second)["settings"]["window"] == 100);
        assert_eq!(drift(&second)["epoch"]["number"], 3);
        // Once, and not with each image.
        let log = first.stop();
        assert!(!log.iter().any(|line| line.contains("another server that shares")), "{log:#?}");
        // A restart with the settings that are in force is no new epoch.
        let again = watched.serve(&["--drift-window", "100"]);
        send(&again, &image, 5);
        assert_eq!(drift(&again)["epoch"]["number"], 3);
    }
}

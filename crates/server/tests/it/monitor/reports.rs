//! Reports, over HTTP and in a real browser.

use super::{Watched, send, send_like, strange_and_familiar};
use crate::browser::{Tab, WORST_CONTRAST};
use crate::page::origin;
use crate::server::{Server, data, picture};

/// Forty familiar images and then strange ones, captured.
fn drifting() -> (Watched, Server) {
    let (watched, other) = (Watched::new(), Watched::new());
    let (strange, familiar) = strange_and_familiar(&other.serve(&[]));
    let captured = watched.folder.path().join("captured");
    // What the store's ids are paths in.
    let images = data("images");
    let server = watched.serve(&[
        "--drift-window",
        "40",
        "--capture",
        captured.to_str().unwrap(),
        "--reference-images",
        images.to_str().unwrap(),
    ]);
    send_like(&server, &familiar, 40);
    send_like(&server, &strange, 160);
    (watched, server)
}

#[test]
fn a_report_is_one_page_one_document_and_one_drawing() {
    let (_watched, server) = drifting();
    let page = server.get("/drift/report");
    assert_eq!(
        (page.status, page.header("content-type").unwrap()),
        (200, "text/html; charset=utf-8")
    );
    assert_eq!(page.header("cache-control").unwrap(), "no-store");
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert!(html.contains("What comes in has changed") && html.contains("What to do"), "{html}");
    assert!(html.contains("data:image/jpeg;base64,"), "{html}");
    assert!(html.len() < 2_000_000 && !html.contains("<script"));

    let json = server.get("/drift/report.json").json();
    assert_eq!((&json["format"], &json["format_version"]), (&"sdd-drift-report".into(), &2.into()));
    assert_eq!(json["drift"]["verdict"], "drifting");
    let strangest = json["strangest"].as_array().unwrap();
    assert_eq!((strangest.len(), &strangest[0]["times"]), (12, &1.into()), "{strangest:?}");
    // One picture again and again is shown once.
    send(&server, &picture("png_rgb.png"), 40);
    let json = server.get("/drift/report.json").json();
    assert_eq!(json["strangest"][0]["times"], 40, "{json:#}");
    let html = String::from_utf8(server.get("/drift/report").body).unwrap();
    assert!(html.contains("39 times the very same image"), "{html}");
    assert!(html.contains("The same picture comes again and again"), "{html}");

    let svg = server.get("/drift/box-plot.svg");
    assert_eq!((svg.status, svg.header("content-type").unwrap()), (200, "image/svg+xml"));
    assert!(svg.body.starts_with(b"<svg"));

    let without = Server::start(&["--reference", "none"]);
    assert_eq!(without.get("/drift/report").status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_read_by_everyone_and_asks_nobody() {
    let (watched, server) = drifting();
    let tab = Tab::open().await;
    tab.goto(&format!("{}/drift/report", origin(&server))).await;
    assert_eq!(tab.text("#verdict").await, "What comes in has changed");
    let steps = tab.value("document.querySelectorAll('#todo + ol li').length").await;
    assert!(steps.as_u64().unwrap() >= 3, "{steps}");
    // Pictures of what came in and of what it is near to, and they are pictures.
    let shown = "[...document.images].filter((image) => image.naturalWidth > 0).length";
    let images = tab.value("document.images.length").await.as_u64().unwrap();
    assert!(images >= 2, "{images}");
    assert_eq!(tab.value(shown).await, images);
    assert_eq!(tab.value("document.querySelectorAll('.drawing svg').length").await, 4);
    assert_eq!(tab.complaints(), [""; 0]);
    assert_eq!(tab.requests_beyond(&origin(&server)), [""; 0]);

    // The same from a file, as it is sent to somebody.
    let file = watched.folder.path().join("report.html");
    std::fs::write(&file, server.get("/drift/report").body).unwrap();
    drop(server);
    tab.goto(&format!("file://{}", file.display())).await;
    for scheme in ["light", "dark"] {
        tab.prefer(scheme).await;
        let worst = tab.value(WORST_CONTRAST).await;
        assert!(worst[0].as_f64().unwrap() >= 4.5, "{scheme}: {worst}");
        for width in [1280, 320] {
            tab.resize(width, 800).await;
            let beyond = "document.documentElement.scrollWidth - window.innerWidth";
            tab.wait_until(&format!("{beyond} <= 0")).await;
        }
    }
    assert_eq!(tab.value(shown).await, images);
}

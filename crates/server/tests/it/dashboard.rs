//! The page that watches for drift, in a real browser.

use crate::browser::{Tab, WORST_CONTRAST};
use crate::monitor::{Watched, send_like, strange_and_familiar};
use crate::page::origin;
use crate::server::Server;

const SHOWN: &str = "!document.querySelector('#verdict').hidden";

async fn opened(server: &Server) -> Tab {
    let tab = Tab::open().await;
    tab.goto(&format!("{}/dashboard", origin(server))).await;
    tab
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_the_stream_and_says_what_happened() {
    let (watched, other) = (Watched::new(), Watched::new());
    let (strange, familiar) = strange_and_familiar(&other.serve(&[]));
    let server = watched.serve(&["--drift-window", "40"]);
    let tab = opened(&server).await;
    tab.wait_until(SHOWN).await;
    assert_eq!(tab.text("#verdict-title").await, "Too early to say");

    send_like(&server, &familiar, 40);
    tab.wait_until("document.querySelector('#verdict-title').textContent.includes('Nothing')")
        .await;
    tab.wait_until("document.querySelectorAll('#share .point').length == 40").await;
    send_like(&server, &strange, 160);
    tab.wait_until("document.querySelector('#verdict').innerText.includes('Appearance')").await;
    let verdict = tab.text("#verdict").await;
    for part in ["Appearance", "out of distribution", "new model or reference"] {
        assert!(verdict.contains(part), "{verdict}");
    }
    tab.wait_until("document.querySelectorAll('#evidence .beyond').length > 0").await;
    assert_eq!(tab.value("document.querySelectorAll('#strangest tbody tr').length").await, 12);
    let classes = tab.text("#classes tbody").await;
    assert!(classes.contains("non defect"), "{classes}");
    assert!(tab.text("#share figcaption").await.contains("last 40 images"));
    assert_eq!(tab.complaints(), [""; 0]);
    assert_eq!(tab.requests_beyond(&origin(&server)), [""; 0]);

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

    // What is shown is old once nobody answers, and the page says so.
    drop(server);
    tab.wait_until("document.querySelector('#notice').textContent.includes('from before')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_monitor_it_says_why() {
    let server = Server::start(&["--reference", "none", "--monitor", "none"]);
    let tab = opened(&server).await;
    tab.wait_until("!document.querySelector('#notice').hidden").await;
    let notice = tab.text("#notice").await;
    assert!(notice.contains("--monitor"), "{notice}");
    assert_eq!(tab.value(SHOWN).await, false);
}

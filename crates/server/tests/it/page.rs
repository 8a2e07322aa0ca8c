//! The page for people, in a real browser.

use std::path::PathBuf;

use chromiumoxide::cdp::browser_protocol::input::{
    DispatchDragEventParams, DispatchDragEventType, DragData, DragDataItem,
};
use chromiumoxide::cdp::browser_protocol::page::{
    EventFileChooserOpened, SetInterceptFileChooserDialogParams,
};
use futures_util::StreamExt;

use crate::browser::{Tab, WORST_CONTRAST};
use crate::server::{Server, data};
use crate::store;

pub fn image(name: &str) -> PathBuf {
    // Chromium does not take a path with `..` in it.
    data("images").join(name).canonicalize().unwrap()
}

pub fn origin(server: &Server) -> String {
    format!("http://{}", server.address())
}

/// A server with a reference, and its page.
struct Opened {
    server: Server,
    tab: Tab,
    _folder: tempfile::TempDir,
}

impl Opened {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reference = folder.path().join("reference");
        store::write(&reference, None);
        let server = Server::start(&["--reference", reference.to_str().unwrap()]);
        let tab = Tab::open().await;
        tab.goto(&origin(&server)).await;
        tab.wait_until("document.querySelectorAll('#facts dd').length >= 4").await;
        Self { server, tab, _folder: folder }
    }
}

pub const ALL_DONE: &str =
    "document.querySelector('.card') && !document.querySelector('[data-state=waiting]')";

#[tokio::test(flavor = "multi_thread")]
async fn images_become_cards_with_class_drift_and_neighbors() {
    let Opened { server, tab, _folder } = Opened::new().await;
    let facts = tab.text("#facts").await;
    assert!(facts.contains("sdd-tiny 0.1.0") && facts.contains("6 training images"), "{facts}");

    let names = ["png_rgb.png", "jpeg_gray.jpg", "bmp_rgb.bmp", "webp_lossy.webp", "tiff_rgb.tiff"];
    let files = names.map(image);
    tab.choose(&files.each_ref().map(PathBuf::as_path)).await;
    tab.wait_until(&format!("document.querySelectorAll('.card').length == 5 && {ALL_DONE}")).await;

    for (number, file) in files.iter().enumerate() {
        let card = format!(".card:nth-child({})", number + 1);
        let answer = server.predict(&std::fs::read(file).unwrap()).json();
        let shown = tab.text(&format!("{card} .class")).await;
        assert_eq!(shown, answer["class"].as_str().unwrap().replace('_', " "));
        assert_eq!(tab.text(&format!("{card} h3")).await, names[number]);
        let verdict = if answer["drift"]["out_of_distribution"] == true {
            "Unusual"
        } else {
            "Looks like training"
        };
        assert_eq!(tab.text(&format!("{card} .verdict-title")).await, verdict);
        let nearest = tab.text(&format!("{card} .neighbors tbody tr")).await;
        assert!(nearest.contains(answer["drift"]["neighbors"][0]["id"].as_str().unwrap()));
        let numbers = tab.text(&format!("{card} .verdict .numbers")).await;
        for part in ["Score", "threshold", "p-value"] {
            assert!(numbers.contains(part), "{numbers}");
        }
        assert!(tab.text(&format!("{card} summary")).await.starts_with("Answered in"));
    }
    tab.wait_until("document.querySelector('#announcer').textContent.includes('5')").await;

    // What a person drops and pastes goes the same way.
    tab.value("document.querySelector('#clear').click()").await;
    drop_files(&tab, &[image("png_gray.png")]).await;
    tab.wait_until(&format!("document.querySelectorAll('.card').length == 1 && {ALL_DONE}")).await;
    let paste = "fetch('ui/icon.svg').then(() => { const held = new DataTransfer(); \
                 held.items.add(new File([new Uint8Array(3)], 'pasted.png')); \
                 document.body.dispatchEvent(new ClipboardEvent('paste', \
                 { clipboardData: held, bubbles: true })); })";
    assert_eq!(tab.complaints(), [""; 0]);
    tab.value(paste).await;
    tab.wait_until("document.querySelectorAll('.card[data-state=failed]').length == 1").await;
    assert_eq!(tab.requests_beyond(&origin(&server)), [""; 0]);
}

async fn drop_files(tab: &Tab, files: &[PathBuf]) {
    let files: Vec<_> = files.iter().map(|file| file.to_str().unwrap().to_owned()).collect();
    for kind in [
        DispatchDragEventType::DragEnter,
        DispatchDragEventType::DragOver,
        DispatchDragEventType::Drop,
    ] {
        // The protocol wants at least one item beside the files.
        let items = vec![DragDataItem::new("text/plain", "")];
        let held = DragData { items, files: Some(files.clone()), drag_operations_mask: 1 };
        let event = DispatchDragEventParams::new(kind, 200.0, 200.0, held);
        tab.page.execute(event).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_file_is_said_and_names_are_only_text() {
    let Opened { server, tab, _folder } = Opened::new().await;
    let folder = tempfile::tempdir().unwrap();
    let hostile = "<img src=x onerror=document.title='stolen'>.png";
    let (broken, text) = (folder.path().join(hostile), folder.path().join("notes.txt"));
    let bytes = std::fs::read(image("png_rgb.png")).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(&text, "not an image").unwrap();
    let fine = image("png_rgb.png");
    tab.choose(&[&broken, &text, &fine]).await;
    tab.wait_until(&format!("document.querySelectorAll('.card').length == 3 && {ALL_DONE}")).await;
    assert_eq!(tab.text(".card:nth-child(1) h3").await, hostile);
    assert_eq!(tab.text(".card:nth-child(1) .error-code").await, "damaged_image");
    assert!(tab.text(".card:nth-child(1) .error-text").await.contains("damaged"));
    assert_eq!(tab.text(".card:nth-child(2) .error-code").await, "unsupported_media_type");
    assert_eq!(tab.text(".card:nth-child(3) .class").await, "non defect");
    assert_eq!(tab.value("document.querySelectorAll('img[src=x]').length").await, 0);
    assert_eq!(tab.value("document.title").await, "Image check");

    // An error can be tried again, and a server that went away is one.
    drop(server);
    tab.value("document.querySelector('.card:nth-child(1) button').click()").await;
    tab.wait_until(
        "document.querySelector('.card:nth-child(1) .error-code')?.textContent == 'unreachable'",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_with_the_keyboard() {
    let Opened { server: _server, tab, _folder } = Opened::new().await;
    tab.page.execute(SetInterceptFileChooserDialogParams::new(true)).await.unwrap();
    let mut dialogs = tab.page.event_listener::<EventFileChooserOpened>().await.unwrap();
    tab.press("Tab").await;
    tab.wait_until("document.activeElement.id == 'drop'").await;
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(tab.value(outline).await, "solid", "the focus can be seen");
    for key in ["Enter", " "] {
        tab.press(key).await;
        let dialog = tokio::time::timeout(std::time::Duration::from_mins(1), dialogs.next()).await;
        assert!(dialog.unwrap().is_some(), "`{key}` opens the dialog");
    }
    tab.choose(&[&image("png_rgb.png")]).await;
    tab.wait_until(ALL_DONE).await;
    tab.wait_until("document.querySelector('#announcer').textContent.includes('non defect')").await;
    tab.press("Tab").await;
    tab.wait_until("document.activeElement.id == 'clear'").await;
    tab.press("Tab").await;
    tab.wait_until("document.activeElement.tagName == 'SUMMARY'").await;
    tab.press("Enter").await;
    tab.wait_until("document.querySelector('details').open").await;
    assert!(tab.text("details dl").await.contains("sdd-tiny"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fits_narrow_windows_large_text_and_both_color_schemes() {
    let Opened { server: _server, tab, _folder } = Opened::new().await;
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join(format!("{}.png", "a_long_name".repeat(15)));
    std::fs::copy(image("png_gray16.png"), &long).unwrap();
    let damaged = folder.path().join("damaged.png");
    std::fs::write(&damaged, b"\x89PNG\r\n\x1a\n damaged").unwrap();
    tab.choose(&[&image("png_rgb.png"), &image("tiff_rgb.tiff"), &long, &damaged]).await;
    tab.wait_until(&format!("document.querySelectorAll('.card').length == 4 && {ALL_DONE}")).await;
    assert_eq!(tab.value("document.querySelectorAll('[data-state=done]').length").await, 3);
    tab.value("document.querySelectorAll('details').forEach((it) => { it.open = true; })").await;
    for scheme in ["light", "dark"] {
        tab.prefer(scheme).await;
        let worst = tab.value(WORST_CONTRAST).await;
        assert!(worst[0].as_f64().unwrap() >= 4.5, "{scheme}: {worst}");
        for (width, font_size) in [(1280, "100%"), (768, "100%"), (320, "100%"), (320, "200%")] {
            tab.resize(width, 800).await;
            tab.value(&format!("document.documentElement.style.fontSize = {font_size:?}")).await;
            let beyond = "document.documentElement.scrollWidth - window.innerWidth";
            let beyond = tab.value(beyond).await.as_i64().unwrap();
            assert!(beyond <= 0, "{width} px, {font_size}: {beyond} px too wide");
        }
    }
    let shown = tab.value("getComputedStyle(document.documentElement).backgroundColor").await;
    assert_eq!(shown, "rgb(23, 23, 21)", "dark");
}

/// A server that asks for a key and is busy at first, as far as the page can tell.
const KEY_AND_BUSY: &str = "(() => {
    const real = window.fetch;
    let busy = 1;
    window.fetch = async (path, options) => {
        const say = (status, code, headers) =>
            new Response(JSON.stringify({ error: { code, message: code } }), { status, headers });
        if (options.headers['x-api-key'] !== 'right') return say(401, 'unauthorized', {});
        if (path === 'predict' && busy-- > 0) return say(503, 'overloaded', { 'retry-after': '1' });
        return real(path, options);
    };
})()";

#[tokio::test(flavor = "multi_thread")]
async fn it_asks_for_a_key_when_one_is_needed_and_comes_back_when_the_server_is_busy() {
    let server = Server::start(&[]);
    let tab = Tab::open().await;
    tab.page.evaluate_on_new_document(KEY_AND_BUSY).await.unwrap();
    tab.goto(&origin(&server)).await;
    for key in ["wrong", "right"] {
        tab.wait_until("document.activeElement.id == 'key'").await;
        let field = tab.page.find_element("#key").await.unwrap();
        field.type_str(key).await.unwrap().press_key("Enter").await.unwrap();
        tab.wait_until(if key == "wrong" {
            "document.querySelector('#key-hint').textContent.includes('does not know')"
        } else {
            "document.querySelector('#key-form').hidden"
        })
        .await;
    }
    tab.wait_until("document.querySelector('#facts').innerText.includes('no reference')").await;
    assert_eq!(tab.value("sessionStorage.getItem('api-key')").await, "right");
    assert_eq!(tab.value("localStorage.length").await, 0);

    tab.choose(&[&image("png_rgb.png")]).await;
    tab.wait_until("document.querySelector('.waiting')?.innerText.includes('busy')").await;
    tab.wait_until(ALL_DONE).await;
    assert_eq!(tab.text(".class").await, "non defect");
    assert_eq!(tab.text(".verdict-title").await, "Not compared");
}

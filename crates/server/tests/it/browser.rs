//! A headless Chromium, and what the pages in it do.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::dom::SetFileInputFilesParams;
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetFocusEmulationEnabledParams,
};
use chromiumoxide::cdp::browser_protocol::log::EventEntryAdded;
use chromiumoxide::cdp::browser_protocol::network::EventRequestWillBeSent;
use chromiumoxide::cdp::js_protocol::runtime::{
    EvaluateParams, EventConsoleApiCalled, EventExceptionThrown,
};
use chromiumoxide::{Browser, BrowserConfig, Page};
use futures_util::StreamExt;
use serde_json::Value;
use tempfile::TempDir;

/// The smallest contrast between a text and what is behind it, and that text.
pub const WORST_CONTRAST: &str = "(() => {
    const parse = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parse(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
        throw new Error('no background');
    };
    let worst = [21, ''];
    for (const element of document.body.querySelectorAll('*')) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!own || !element.checkVisibility()) continue;
        const pair = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
        if (contrast < worst[0]) worst = [contrast, element.outerHTML.slice(0, 200)];
    }
    return worst;
})()";

/// A page in a browser of its own, which ends with it.
pub struct Tab {
    pub page: Page,
    requests: Arc<Mutex<Vec<String>>>,
    complaints: Arc<Mutex<Vec<String>>>,
    browser: Browser,
    _profile: TempDir,
}

impl Tab {
    /// An empty page.
    pub async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// An empty page of a browser with further arguments.
    pub async fn open_with(arguments: &[&str]) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let configuration = configuration(profile.path(), arguments);
        let (browser, mut handler) = Browser::launch(configuration).await.unwrap();
        tokio::spawn(async move { while handler.next().await.is_some() {} });
        let page = browser.new_page("about:blank").await.unwrap();
        page.enable_log().await.unwrap();
        // As if it were the window that a person looks at.
        page.execute(SetFocusEmulationEnabledParams::new(true)).await.unwrap();
        let tab = Self {
            requests: Arc::default(),
            complaints: Arc::default(),
            browser,
            _profile: profile,
            page,
        };
        tab.record().await;
        tab
    }

    /// Collects the requests, and what the console says of errors.
    async fn record(&self) {
        let mut sent = self.page.event_listener::<EventRequestWillBeSent>().await.unwrap();
        let requests = Arc::clone(&self.requests);
        tokio::spawn(async move {
            while let Some(event) = sent.next().await {
                requests.lock().unwrap().push(event.request.url.clone());
            }
        });
        let mut entries = self.page.event_listener::<EventEntryAdded>().await.unwrap();
        let mut calls = self.page.event_listener::<EventConsoleApiCalled>().await.unwrap();
        let mut thrown = self.page.event_listener::<EventExceptionThrown>().await.unwrap();
        let complaints = Arc::clone(&self.complaints);
        tokio::spawn(async move {
            loop {
                let complaint = tokio::select! {
                    Some(entry) = entries.next() => format!("{:?}", entry.entry),
                    Some(call) = calls.next() => format!("{call:?}"),
                    Some(exception) = thrown.next() => format!("{exception:?}"),
                    else => return,
                };
                complaints.lock().unwrap().push(complaint);
            }
        });
    }

    pub async fn goto(&self, url: &str) {
        self.page.goto(url).await.unwrap();
    }

    /// The value of an expression.
    pub async fn value(&self, expression: &str) -> Value {
        let parameters = EvaluateParams::builder()
            .expression(expression)
            .await_promise(true)
            .return_by_value(true)
            .build()
            .unwrap();
        let result = self.page.evaluate_expression(parameters).await.unwrap();
        result.value().cloned().unwrap_or(Value::Null)
    }

    /// The text of the first element of a selector, as people see it.
    pub async fn text(&self, selector: &str) -> String {
        let found = self.value(&format!("document.querySelector({selector:?})?.innerText")).await;
        let Some(text) = found.as_str() else {
            let body = self.value("document.body.innerText").await;
            panic!("nothing is {selector}: {body:#}\n{:#?}", self.complaints());
        };
        text.to_owned()
    }

    /// Waits until an expression is true.
    pub async fn wait_until(&self, expression: &str) {
        let start = Instant::now();
        while self.value(&format!("!!({expression})")).await != true {
            if start.elapsed() > Duration::from_mins(1) {
                let body = self.text("body").await;
                panic!("never: {expression}\n{body}\n{:#?}", self.complaints());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Chooses files as a person does in the dialog.
    pub async fn choose(&self, files: &[&Path]) {
        let input = self.page.find_element("input[type=file]").await.unwrap();
        let files = files.iter().map(|file| file.to_str().unwrap());
        let parameters = SetFileInputFilesParams::builder()
            .files(files)
            .backend_node_id(input.backend_node_id)
            .build();
        self.page.execute(parameters.unwrap()).await.unwrap();
    }

    /// Presses a key where the focus is.
    pub async fn press(&self, key: &str) {
        self.page.find_element("body").await.unwrap().press_key(key).await.unwrap();
    }

    /// Sets the size of the window.
    pub async fn resize(&self, width: i64, height: i64) {
        let size = SetDeviceMetricsOverrideParams::new(width, height, 1.0, false);
        self.page.execute(size).await.unwrap();
    }

    /// `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        let feature = MediaFeature::new("prefers-color-scheme", scheme);
        self.page.emulate_media_features(vec![feature]).await.unwrap();
    }

    /// Errors and messages in the console.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    /// Requests that went anywhere but to `origin`.
    pub fn requests_beyond(&self, origin: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        assert!(requests.iter().any(|url| url.starts_with(origin)), "nothing was recorded");
        let own = |url: &&String| {
            !url.starts_with(&format!("{origin}/"))
                && !url.starts_with(&format!("blob:{origin}/"))
                && !url.starts_with("data:")
                && *url != "about:blank"
        };
        requests.iter().filter(own).cloned().collect()
    }
}

/// A browser that is only killed leaves processes and its profile behind.
impl Drop for Tab {
    fn drop(&mut self) {
        let end = async {
            let closed = async { (self.browser.close().await, self.browser.wait().await) };
            if tokio::time::timeout(Duration::from_secs(10), closed).await.is_err() {
                self.browser.kill().await;
            }
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(end));
    }
}

fn configuration(profile: &Path, arguments: &[&str]) -> BrowserConfig {
    let builder = BrowserConfig::builder()
        .user_data_dir(profile)
        .new_headless_mode()
        // Its sandbox does not run for root, as in containers; it sees no page but ours.
        .no_sandbox()
        .launch_timeout(Duration::from_mins(1))
        .args(["disable-gpu", "disable-quic", "disable-component-update", "disable-extensions"])
        .args(arguments.iter().copied());
    let builder = match std::env::var_os("CHROMIUM") {
        Some(executable) => builder.chrome_executable(executable),
        None => builder,
    };
    builder.build().expect("Chromium: `scripts/setup/run browser` installs it, CHROMIUM names it")
}

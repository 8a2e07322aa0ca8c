//! A hostile page in a real browser.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use crate::browser::Tab;
use crate::exposition::Exposition;
use crate::server::Server;

/// Answers every request with a page that does nothing by itself. Gives its port.
fn serve_page() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        // Browsers open connections that they may never use.
        for connection in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer_with_page(connection));
        }
    });
    port
}

fn answer_with_page(connection: TcpStream) -> std::io::Result<()> {
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    while connection.read_line(&mut line)? > 2 {
        line.clear();
    }
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close";
    write!(connection.get_mut(), "{head}\r\n\r\n<html>")
}

/// Posts a picture that the page has drawn, in a form, and tells whether the browser let it read the answer.
fn post_form(url: &str) -> String {
    format!(
        "(async () => {{
            const canvas = Object.assign(document.createElement('canvas'), {{ width: 64, height: 64 }});
            const image = await new Promise((done) => canvas.toBlob(done));
            const body = new FormData();
            body.append('file', image, 'a.png');
            try {{
                const answer = await fetch('{url}', {{ method: 'POST', mode: 'no-cors', body }});
                return answer.status;
            }} catch (error) {{
                return String(error);
            }}
        }})()"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_reads_nothing_and_changes_nothing() {
    let server = Server::start(&[]);
    let other = serve_page();
    // What a page does that makes its name lead to this machine.
    let tab = Tab::open_with(&["host-resolver-rules=MAP *.example 127.0.0.1"]).await;
    let rebound = format!("http://evil.example:{}", server.port);
    tab.goto(&format!("{rebound}/")).await;
    assert!(tab.text("body").await.contains("host_not_allowed"));
    for path in ["/v1/model", "/drift/report", "/drift", "/metrics", "/openapi.json"] {
        let status = tab.value(&format!("fetch('{path}').then((answer) => answer.status)")).await;
        assert_eq!(status, json!(403), "{path}");
    }
    assert_eq!(tab.value(&post_form(&format!("{rebound}/predict"))).await, json!(403));

    // Another site, and another program of this machine.
    for page in [format!("http://evil.example:{other}/"), format!("http://127.0.0.1:{other}/")] {
        tab.goto(&page).await;
        for path in ["/predict", "/admin/reload"] {
            let url = format!("http://127.0.0.1:{}{path}", server.port);
            // Opaque: the page is not told what became of it.
            assert_eq!(tab.value(&post_form(&url)).await, json!(0));
            server.wait_for("cross_site_request");
        }
    }
    assert_eq!(Exposition::of(&server).number("sdd_batch_images_sum"), 0, "in the model");

    // The server's own page, by a name of this machine.
    tab.goto(&format!("http://localhost:{}/", server.port)).await;
    assert_eq!(tab.value(&post_form("/predict")).await, json!(200));
}

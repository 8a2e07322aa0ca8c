//! Keys, the rights of web pages, and the limit for each client.

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::answer::Answer;
use crate::client::Client;
use crate::exposition::Exposition;
use crate::server::{FORM, Server, command, refusal};
use crate::socket::{answer_to, predict_head};
use crate::tls::Files;

/// A key and its hash, made by the program.
pub fn new_key() -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sdd-server")).arg("key").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let value = |line: usize| text.lines().nth(line).unwrap().split_whitespace().nth(1).unwrap();
    assert!(value(0).starts_with("sdd_") && value(1).len() == 64, "{text}");
    (value(0).to_owned(), value(1).to_owned())
}

fn model_with(server: &Server, name: &str, value: &str) -> (u16, String) {
    let answer = server.get_with("/v1/model", &[(name, value)]);
    (answer.status, answer.code().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

const LET_IN: u16 = 200;

#[test]
fn keys_open_what_they_are_for() {
    let ((client, client_hash), (admin, admin_hash)) = (new_key(), new_key());
    let ((other, other_hash), (both, both_hash)) = (new_key(), new_key());
    let upper = other_hash.to_uppercase();
    let server = Server::start(&[
        "--api-key-hashes",
        &format!("line-3={client_hash}, {upper},{both_hash}"),
        "--admin-key-hashes",
        &format!("{admin_hash},{both_hash}"),
    ]);
    for (key, status) in [(other.as_str(), LET_IN), (&both, LET_IN), (&client[1..], 401)] {
        assert_eq!(model_with(&server, "x-api-key", key).0, status);
    }
    let answer = server.get("/v1/model");
    assert_eq!((answer.status, answer.code()), (401, "unauthorized"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(model_with(&server, "x-api-key", &client).0, LET_IN);
    assert_eq!(model_with(&server, "authorization", &format!("Bearer {client}")).0, LET_IN);
    assert_eq!(model_with(&server, "x-api-key", &client_hash), refused(401, "unauthorized"));
    assert_eq!(model_with(&server, "x-api-key", &admin), refused(403, "forbidden"));
    let reload = |key: &str| {
        let answer = server.post("/admin/reload", &[("x-api-key", key)], b"");
        (answer.status, answer.code().to_owned())
    };
    assert_eq!(reload("none"), refused(401, "unauthorized"));
    assert_eq!(reload(&client), refused(403, "forbidden"));
    assert_eq!((reload(&admin).0, reload(&both).0), (LET_IN, LET_IN));
    for path in ["/livez", "/readyz", "/healthz", "/", "/docs/swagger-ui.css"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    for path in ["/metrics", "/nowhere", "//livez", "/livez/", "/LIVEZ", "/docsx", "/v2"] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    // Any key is enough to watch the server.
    for key in [&client, &admin] {
        assert_eq!(server.get_with("/metrics", &[("x-api-key", key)]).status, 200);
    }
    let (lower, spaced) = (format!("bearer {client}"), format!("Bearer  {client}"));
    for (value, status) in [
        (lower.as_str(), LET_IN),
        (&spaced, LET_IN),
        (&format!("Basic {client}"), 401),
        (&format!("Bearer{client}"), 401),
        ("Bearer", 401),
        ("", 401),
    ] {
        assert_eq!(model_with(&server, "authorization", value).0, status);
    }

    let log = server.stop().join("\n");
    assert!(log.contains("line-3"), "the name of the key is logged: {log}");
    assert!(log.contains(&format!("\"key\":\"{}\"", &other_hash[..8])), "or its beginning: {log}");
    assert!(!log.contains(&client) && !log.contains(&admin), "no key is: {log}");
}

#[test]
fn a_request_without_a_key_is_refused_before_its_body_has_come() {
    let server = Server::start(&["--api-key-hashes", &new_key().1]);
    let answer = answer_to(&server, predict_head("Content-Length: 20000000\r\n").as_bytes());
    assert_eq!(answer.status, 401);
    // And one that sends it all sees the answer, too.
    let body = vec![0; 10_000_000];
    assert_eq!(server.post_form("/predict", &body).code(), "unauthorized");
}

#[test]
fn a_key_is_taken_back_by_a_reload() {
    let ((first, first_hash), (second, second_hash)) = (new_key(), new_key());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    std::fs::write(&path, format!("# of line 3\n\nline-3={first_hash}\r\n")).unwrap();
    let server = Server::start(&["--api-keys-file", path.to_str().unwrap()]);
    assert_eq!(model_with(&server, "x-api-key", &first).0, LET_IN);

    for bad in ["nonsense\n", "# nothing\n"] {
        std::fs::write(&path, bad).unwrap();
        let answer = server.administer("/admin/reload");
        assert_eq!((answer.status, answer.code()), (422, "reload_failed"));
        assert!(answer.text().contains("keys"), "{answer:?}");
    }
    assert_eq!(model_with(&server, "x-api-key", &first).0, LET_IN, "the old ones stay");

    std::fs::write(&path, &second_hash).unwrap();
    assert_eq!(server.administer("/admin/reload").status, 200);
    assert_eq!(model_with(&server, "x-api-key", &first).0, 401);
    assert_eq!(model_with(&server, "x-api-key", &second).0, LET_IN);
}

#[test]
fn a_key_is_taken_back_whatever_is_wrong_with_the_certificate() {
    let ((first, first_hash), (second, second_hash)) = (new_key(), new_key());
    let (folder, files) = (tempfile::tempdir().unwrap(), Files::new());
    let keys = folder.path().join("keys");
    std::fs::write(&keys, &first_hash).unwrap();
    let server = Server::start_command(
        command().args(files.arguments()).args(["--api-keys-file", keys.to_str().unwrap()]),
    );
    let trust = files.client(b"http/1.1");
    let ask = |key: &str| {
        let mut client = Client::encrypted(&server.address(), Arc::clone(&trust));
        client.request("GET", "/v1/model", &[("x-api-key", key)], b"").unwrap().status
    };
    assert_eq!(ask(&first), LET_IN);

    std::fs::write(&keys, &second_hash).unwrap();
    files.spoil_certificate();
    let answer = server.administer("/admin/reload");
    assert_eq!((answer.status, answer.code()), (422, "reload_failed"));
    assert!(answer.text().contains("certificate"), "{answer:?}");
    assert_eq!((ask(&first), ask(&second)), (401, LET_IN));
}

#[test]
fn keys_that_cannot_be_used_stop_the_start_and_are_not_repeated() {
    let (key, hash) = new_key();
    for flag in ["--api-key-hashes", "--admin-key-hashes"] {
        let long = format!("{}={hash}", "n".repeat(65));
        for bad in [&key, "a=b", &format!("two words={hash}"), &format!("={hash}"), &long] {
            let (code, said) = refusal(&[flag, &format!("{hash},{bad}")]);
            assert_eq!(code, Some(2));
            assert!(said.contains(flag) && said.contains("entry 2"), "{said}");
            assert!(!said.contains(bad), "{said}");
        }
        let (code, said) = refusal(&[flag, ""]);
        assert!(code == Some(2) && said.contains(flag), "{said}");
    }
    let (code, said) = refusal(&["--api-keys-file", "/nowhere/keys"]);
    assert!(code == Some(2) && said.contains("/nowhere/keys"), "{said}");
}

#[test]
fn administration_has_an_address_of_its_own_or_a_key() {
    let server = Server::start(&[]);
    let disabled = refused(403, "admin_disabled");
    let reload = |path: &str, headers: &[(&str, &str)]| {
        let answer = server.post(path, headers, b"");
        (answer.status, answer.code().to_owned())
    };
    // The same path, written so that a comparison of texts would not see it.
    for path in ["/admin/reload", "/%61dmin/reload", "/admin/nothing"] {
        assert_eq!(reload(path, &[]), disabled, "{path}");
    }
    for path in ["/admin%2Freload", "//admin/reload"] {
        assert_ne!(reload(path, &[]).0, 200, "{path}");
    }
    assert_eq!(server.administer("/admin/reload").status, 200);
    let mut operator = Client::new(&server.admin_address());
    for path in ["/predict", "/v1/model", "/"] {
        assert_eq!(operator.get(path).unwrap().code(), "not_found", "nothing else is there");
    }
    // Nor is it for pages, of whatever name.
    let mut post = |headers: &[(&str, &str)]| {
        let answer = operator.post("/admin/reload", headers, b"").unwrap();
        (answer.status, answer.code().to_owned())
    };
    let evil = "https://evil.example";
    assert_eq!(post(&[("origin", evil)]), refused(403, "cross_site_request"));
    assert_eq!(post(&[("host", "evil.example")]), refused(403, "host_not_allowed"));
    assert_eq!(post(&[("host", "localhost")]).0, LET_IN);
    drop(server);

    let (key, hash) = new_key();
    let server =
        Server::start_command(command().args(["--host", "0.0.0.0", "--admin-key-hashes", &hash]));
    server.wait_for("keys come in clear text");
    assert_eq!(server.post("/admin/reload", &[("x-api-key", &key)], b"").status, 200);
    assert_eq!(server.administer("/admin/reload").code(), "unauthorized", "it is needed at both");

    let server = Server::start_command(command().env_remove("SDD_ADMIN_ADDRESS"));
    assert_eq!(server.post("/admin/reload", &[], b"").code(), "admin_disabled");
    assert!(server.get_with("/metrics", &[]).status == 200);
}

#[test]
fn administration_may_be_a_socket_in_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let address = format!("unix:{}", path.display());
    let server = Server::start(&["--admin-address", &address]);
    let mut socket = UnixStream::connect(&path).unwrap();
    let request = "POST /admin/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut BufReader::new(socket)).unwrap().status, 200);
    server.stop();
    assert!(!path.exists());

    let (code, said) = refusal(&["--admin-address", "0.0.0.0:8001"]);
    assert!(code == Some(2) && said.contains("of this machine alone"), "{said}");
    let nowhere = "unix:/nowhere/admin.sock";
    let (code, said) = refusal(&["--admin-address", nowhere]);
    assert!(code == Some(2) && said.contains(nowhere), "{said}");
}

#[test]
fn the_server_is_asked_by_names_that_no_page_can_have() {
    let ask = |server: &Server, host: &str| {
        let answer = server.get_with("/v1/model", &[("host", host)]);
        (answer.status, answer.code().to_owned())
    };
    let not_allowed = refused(403, "host_not_allowed");
    let server = Server::start(&[]);
    let own = [
        "localhost:1",
        "127.0.0.1",
        "[::1]:8000",
        "[fe80::1]",
        "::1",
        "192.168.0.7:80",
        "upstream",
        "LOCALHOST:8000",
        "sdd.localhost.",
        "",
    ];
    for host in own {
        assert_eq!(ask(&server, host).0, LET_IN, "{host}");
    }
    let others = ["evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example:80"];
    for host in others {
        assert_eq!(ask(&server, host), not_allowed, "{host}");
    }
    let answer = server.get_with("/v1/model", &[("host", "evil.example")]);
    assert!(answer.text().contains("--allowed-hosts"), "{answer:?}");
    let absolute = b"GET http://evil.example/v1/model HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(answer_to(&server, absolute).code(), "host_not_allowed");
    for path in ["/", "/docs/", "/drift/report"] {
        assert_eq!(server.get_with(path, &[("host", "evil.example")]).status, 403, "{path}");
    }
    for path in ["/livez", "/readyz", "/healthz", "/v2/health/live", "/v2/health/ready"] {
        let probe = server.get_with(path, &[("host", "sdd.factory.example")]);
        assert_eq!(probe.status, 200, "{path}");
    }
    let infer = server.post("/v2/models/m/infer", &[("host", "evil.example")], b"");
    assert!(infer.status == 403 && infer.json()["error"].is_string(), "{infer:?}");

    let server = Server::start(&["--allowed-hosts", "SDD.example,*.lab.example"]);
    for host in
        ["sdd.example", "Sdd.Example.", "a.lab.example:8000", "a.b.lab.example", "localhost"]
    {
        assert_eq!(ask(&server, host).0, LET_IN, "{host}");
    }
    for host in [
        "evil.example",
        "a.sdd.example",
        "lab.example",
        "evillab.example",
        "sdd.example.evil.example",
    ] {
        assert_eq!(ask(&server, host), not_allowed, "{host}");
    }
    let server = Server::start(&["--allowed-hosts", "a.example,*"]);
    assert_eq!(ask(&server, "evil.example").0, LET_IN);
    // A page has no key, and who listens elsewhere has a name that is not known here.
    let (key, hash) = new_key();
    let server = Server::start(&["--api-key-hashes", &hash]);
    let headers = [("host", "sdd.example"), ("x-api-key", key.as_str())];
    assert_eq!(server.get_with("/v1/model", &headers).status, LET_IN);
    let server = Server::start_command(command().args(["--host", "0.0.0.0"]));
    server.wait_for("--api-key-hashes asks for keys");
    assert_eq!(ask(&server, "sdd.example").0, LET_IN);
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let evil = "https://evil.example";
    let body = crate::socket::small_upload();
    let predict = |server: &Server, headers: &[(&str, &str)]| {
        let answer = server.post("/predict", &[&[("content-type", FORM)], headers].concat(), &body);
        (answer.status, answer.code().to_owned())
    };
    let server = Server::start(&[]);
    let own = format!("http://{}", server.address());
    assert_eq!(predict(&server, &[("origin", &own)]).0, 200);
    // Behind a proxy that asks by a name of its own.
    let proxied = [("origin", "https://sdd.example"), ("sec-fetch-site", "same-origin")];
    assert_eq!(predict(&server, &proxied).0, 200);
    assert_eq!(predict(&server, &[("sec-fetch-site", "none")]).0, 200);
    let cross_site = refused(403, "cross_site_request");
    // A proxy may leave out the port.
    for (host, is_own) in [("upstream", true), ("upstream:8080", true), ("upstream:80", false)] {
        let asked = predict(&server, &[("host", host), ("origin", "http://upstream:8080")]);
        assert_eq!(asked.0 == 200, is_own, "{host}");
    }
    for headers in [
        &[("origin", evil)][..],
        &[("origin", "null")],
        &[("origin", evil), ("sec-fetch-site", "cross-site")],
        &[("origin", "http://127.0.0.1:1"), ("sec-fetch-site", "same-site")],
        &[("origin", "http://127.0.0.1:1")],
        &[("origin", "http://127.0.0.1")],
        &[("origin", "")],
        &[("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(predict(&server, headers), cross_site, "{headers:?}");
    }
    assert_eq!(server.get_with("/v1/model", &[("origin", evil)]).status, 200, "not readable there");
    assert_eq!(Exposition::of(&server).number("sdd_batch_images_sum"), 5, "in the model");

    let server = Server::start(&["--cors-origins", evil]);
    assert_eq!(predict(&server, &[("origin", "https://EVIL.example")]).0, 200);
    assert_eq!(predict(&server, &[("origin", "https://other.example")]), cross_site);
    let (key, hash) = new_key();
    let server = Server::start(&["--api-key-hashes", &hash]);
    assert_eq!(predict(&server, &[("origin", evil), ("x-api-key", &key)]).0, 200);
    assert_eq!(predict(&server, &[("origin", evil)]), refused(401, "unauthorized"));
}

#[test]
fn pages_of_other_sites_may_read_answers_only_where_that_is_set() {
    let preflight = |server: &Server, origin: &str| {
        let request = format!(
            "OPTIONS /predict HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: content-type,x-api-key,x-request-timeout-ms,\
             content-encoding,traceparent,inference-header-content-length\r\n\r\n"
        );
        answer_to(server, request.as_bytes())
    };
    let lab = "https://lab.example";
    let server = Server::start(&[]);
    assert_eq!(preflight(&server, lab).header("access-control-allow-origin"), None);
    assert_eq!(preflight(&server, lab).status, 405);

    let hash = new_key().1;
    let server = Server::start(&["--cors-origins", lab, "--api-key-hashes", &hash]);
    // Browsers ask without the key.
    let answer = preflight(&server, lab);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(lab)));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("x-api-key"));
    let other = preflight(&server, "https://evil.example");
    assert_eq!(other.header("access-control-allow-origin"), None);
    // Scripts can read errors, too.
    let answer = server.get_with("/v1/model", &[("origin", lab)]);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, Some(lab)));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for name in ["x-request-id", "server-timing", "retry-after", "inference-header-content-length"]
    {
        assert!(exposed.contains(name), "{exposed}");
    }
    // Also those that are found before keys are looked at.
    for path in ["/v1/model", "/v2/models/m/infer"] {
        let answer = server.get_with(path, &[("origin", lab), ("x-request-timeout-ms", "soon")]);
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!((answer.status, allowed), (400, Some(lab)), "{path}");
    }

    let server = Server::start(&["--cors-origins", "*"]);
    let answer = server.get_with("/v1/model", &[("origin", "https://any.example")]);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let (code, said) = refusal(&["--cors-origins", "lab.example/path"]);
    assert!(code == Some(2) && said.contains("lab.example/path"), "{said}");
}

#[test]
fn each_client_has_its_own_rate() {
    let ((first, first_hash), (second, second_hash)) = (new_key(), new_key());
    let server = Server::start(&[
        "--rate-limit",
        "1",
        "--rate-limit-burst",
        "5",
        "--api-key-hashes",
        &format!("{first_hash},{second_hash}"),
    ]);
    let began = Instant::now();
    let answers: Vec<_> =
        (0..30).map(|_| server.get_with("/v1/model", &[("x-api-key", &first)])).collect();
    let let_in = answers.iter().filter(|answer| answer.status == LET_IN).count();
    let limited: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!(let_in + limited.len(), 30);
    assert!(answers[..5].iter().all(|answer| answer.status == LET_IN), "{answers:?}");
    // And one for each second since.
    assert!(let_in as u64 <= 6 + began.elapsed().as_secs() && !limited.is_empty(), "{let_in}");
    for answer in limited {
        assert_eq!(answer.code(), "rate_limited");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    // Another one has all of its own allowance, and this one something again when it was told to return.
    assert!((0..5).all(|_| model_with(&server, "x-api-key", &second).0 == LET_IN));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(model_with(&server, "x-api-key", &first).0, LET_IN);
    // Guessing is limited, health checks are not.
    let guesses: Vec<_> = (0..30).map(|_| model_with(&server, "x-api-key", "guess").0).collect();
    assert!(guesses[..5].iter().all(|status| *status == 401), "{guesses:?}");
    assert!(guesses.contains(&429), "{guesses:?}");
    assert!((0..30).all(|_| server.get("/livez").status == 200));
}

#[test]
fn clients_behind_a_trusted_proxy_are_told_apart() {
    let limit = ["--rate-limit", "1", "--trusted-proxies", "127.0.0.0/8"];
    let server = Server::start(&limit);
    let ask = |client: &str| model_with(&server, "x-forwarded-for", client).0;
    assert!((0..30).any(|_| ask("1.1.1.1") == 429));
    assert_eq!(ask("1.1.1.2"), LET_IN);

    let server = Server::start(&limit[..2]);
    let ask = |client: u8| model_with(&server, "x-forwarded-for", &format!("1.1.1.{client}")).0;
    assert!((0..30).any(|client| ask(client) == 429), "what others say does not count");
}

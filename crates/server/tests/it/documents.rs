//! The OpenAPI document, and Swagger UI in a real browser.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::browser::Tab;
use crate::hold::{Hold, slow_batch, slow_picture};
use crate::proxy;
use crate::security::new_key;
use crate::server::{Server, multipart, picture};
use crate::store;
use crate::v2;

/// A validator of a schema of the document.
fn schema(document: &Value, of: &Value) -> Validator {
    let mut schema = of.clone();
    schema["components"] = document["components"].clone();
    jsonschema::validator_for(&schema).unwrap()
}

/// The schema of the JSON that an operation answers with.
fn answer_schema(document: &Value, method: &str, path: &str, status: u16) -> Validator {
    let responses = &document["paths"][path][method]["responses"];
    let content = &responses[status.to_string()]["content"]["application/json"];
    assert!(content.is_object(), "{method} {path} {status} is documented");
    schema(document, &content["schema"])
}

fn assert_valid(validator: &Validator, body: &Value) {
    let faults: Vec<_> = validator.iter_errors(body).map(|error| error.to_string()).collect();
    assert_eq!(faults, [""; 0], "{body}");
}

#[test]
fn answers_are_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    store::write(&reference, None);
    let monitor = folder.path().join("monitor.sqlite");
    let server = Server::start(&[
        "--reference",
        reference.to_str().unwrap(),
        "--monitor",
        monitor.to_str().unwrap(),
    ]);
    let document = server.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");

    let image = picture("png_rgb.png");
    let bodies =
        [multipart(&[("file", Some("image/png"), &image)]), multipart(&[("other", None, b"x")])];
    for (path, statuses) in [("/predict", [200, 422]), ("/predict/batch", [200, 422])] {
        for (body, status) in bodies.iter().zip(statuses) {
            let answer = server.post_form(path, body);
            assert_eq!(answer.status, status);
            assert_valid(&answer_schema(&document, "post", path, status), &answer.json());
        }
    }
    let with_one_broken = multipart(&[("file", None, &image), ("file", None, b"no image")]);
    let answer = server.post_form("/predict/batch", &with_one_broken);
    assert_eq!(answer.json()["predictions"][1]["error"]["code"], "not_an_image");
    assert_valid(&answer_schema(&document, "post", "/predict/batch", 200), &answer.json());
    let answer = server.post_form("/embed", &bodies[0]);
    assert_valid(&answer_schema(&document, "post", "/embed", 200), &answer.json());
    let answer = server.administer("/admin/reload");
    assert_valid(&answer_schema(&document, "post", "/admin/reload", 200), &answer.json());
    for path in
        ["/v1/model", "/livez", "/healthz", "/readyz", "/drift", "/drift/observations?limit=2"]
    {
        let answer = server.get(path);
        let path = path.split('?').next().unwrap();
        assert_valid(&answer_schema(&document, "get", path, 200), &answer.json());
    }
    let answer = server.administer("/admin/drift/reset");
    assert_valid(&answer_schema(&document, "post", "/admin/drift/reset", 200), &answer.json());
    let damaged = server.predict(&image[..image.len() / 2]);
    assert_valid(&answer_schema(&document, "post", "/predict", 400), &damaged.json());

    // The schemas do refuse something.
    let predictions = answer_schema(&document, "post", "/predict", 200);
    let other = json!({"class": 1, "confidence": 2, "probabilities": {}, "model": {}});
    assert!(predictions.iter_errors(&other).count() >= 4);
    let errors = answer_schema(&document, "post", "/predict", 400);
    assert!(!errors.is_valid(&json!({"error": {"code": "unheard_of", "message": ""}})));
}

/// That a refusal has this status and code, and a body and headers as documented.
fn assert_refused(document: &Value, path: &str, answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
    assert_valid(&answer_schema(document, "post", path, status), &answer.json());
    let headers = &document["paths"][path]["post"]["responses"][status.to_string()]["headers"];
    assert_eq!(headers["retry-after"].is_object(), answer.header("retry-after").is_some());
    if let Some(seconds) = answer.header("retry-after") {
        let seconds: u64 = seconds.parse().unwrap();
        assert_valid(&schema(document, &headers["retry-after"]["schema"]), &seconds.into());
    }
}

#[test]
fn refusals_are_as_documented() {
    let ((client, client_hash), (_, admin_hash)) = (new_key(), new_key());
    let server = Server::start(&[
        "--workers",
        "1",
        "--queue",
        "31",
        "--max-bytes",
        "200000",
        "--api-key-hashes",
        &client_hash,
        "--admin-key-hashes",
        &admin_hash,
    ]);
    let document = server.get_with("/openapi.json", &[("x-api-key", &client)]).json();
    let post = |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        server.post(path, &[&[("x-api-key", client.as_str())], headers].concat(), body)
    };
    let (png, text) = (("content-type", "image/png"), ("content-type", "text/plain"));
    assert_refused(
        &document,
        "/predict",
        &server.post("/predict", &[png], b""),
        401,
        "unauthorized",
    );
    assert_refused(&document, "/admin/reload", &post("/admin/reload", &[], b""), 403, "forbidden");
    assert_refused(
        &document,
        "/predict",
        &post("/predict", &[png], &vec![0; 200_001]),
        413,
        "too_large",
    );
    assert_refused(
        &document,
        "/predict",
        &post("/predict", &[text], b"text"),
        415,
        "unsupported_media_type",
    );
    let soon = [png, ("x-request-timeout-ms", "5")];
    assert_refused(
        &document,
        "/predict",
        &post("/predict", &soon, slow_picture()),
        504,
        "deadline_exceeded",
    );
}

#[test]
fn refusals_of_what_is_too_much_are_as_documented() {
    let server = Server::start(&["--workers", "1", "--queue", "31"]);
    let document = server.get("/openapi.json").json();
    let hold = Hold::start(&server, 32);
    let overloaded = server.post_form("/predict/batch", &slow_batch(32));
    assert_refused(&document, "/predict/batch", &overloaded, 503, "overloaded");
    assert!(!hold.is_answered());
    let server = Server::start(&["--rate-limit", "1"]);
    let mut answers = (0..50).map(|_| server.post_form("/predict", b""));
    let limited = answers.find(|answer| answer.status == 429).unwrap();
    assert_refused(&document, "/predict", &limited, 429, "rate_limited");
}

#[test]
fn answers_of_the_inference_protocol_are_as_documented() {
    let server = Server::start(&[]);
    let document = server.get("/openapi.json").json();
    let fill = |path: &str| path.replace("{name}", "sdd-tiny").replace("{version}", "0.1.0");
    for path in [
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/{name}",
        "/v2/models/{name}/ready",
        "/v2/models/{name}/config",
        "/v2/models/{name}/versions/{version}/config",
    ] {
        let answer = server.get(&fill(path));
        assert_valid(&answer_schema(&document, "get", path, 200), &answer.json());
    }
    let index = server.post_form("/v2/repository/index", b"");
    assert_valid(&answer_schema(&document, "post", "/v2/repository/index", 200), &index.json());

    let mut request = v2::images(&["png_rgb.png"]);
    request["id"] = "some".into();
    request["outputs"] = json!([
        {"name": "class"},
        {"name": "probability", "parameters": {"classification": 1}},
    ]);
    for path in ["/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer"] {
        let content = &document["paths"][path]["post"]["requestBody"]["content"];
        let requests = schema(&document, &content["application/json"]["schema"]);
        assert_valid(&requests, &request);
        assert!(!requests.is_valid(&json!({"inputs": [{"name": "image"}]})));
        let answer = server.post(&fill(path), &[], request.to_string().as_bytes());
        assert_valid(&answer_schema(&document, "post", path, 200), &answer.json());
        let refused = server.post(&fill(path), &[], b"{}");
        let errors = answer_schema(&document, "post", path, refused.status);
        assert_valid(&errors, &refused.json());
        assert!(!errors.is_valid(&json!({"error": {"code": "internal", "message": ""}})));
    }
}

#[test]
fn every_documented_path_is_answered() {
    let server = Server::start(&[]);
    let document = server.get("/openapi.json").json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{name}", "sdd-tiny").replace("{version}", "0.1.0");
        let answer = if item.get("get").is_some() {
            server.get(&path)
        } else {
            server.post_form(&path, b"")
        };
        let is_there = answer.status != 404 || answer.code() == "no_monitor";
        assert!(is_there && answer.status != 405, "{path}: {answer:?}");
        let operation = item.get("get").or(item.get("post")).unwrap();
        assert!(operation["responses"].get(answer.status.to_string()).is_some(), "{path}");
    }
}

#[test]
fn documents_are_sent_once_and_pages_load_nothing_from_elsewhere() {
    let server = Server::start(&[]);
    for path in ["/", "/ui/main.js", "/ui/style.css", "/docs/", "/docs/swagger-ui-bundle.js"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        let tag = answer.header("etag").unwrap();
        let again = server.get_with(path, &[("if-none-match", tag)]);
        assert_eq!((again.status, again.header("etag")), (304, Some(tag)));
        assert_eq!(server.get_with(path, &[("if-none-match", "\"other\"")]).status, 200);
    }
    for path in ["/ui/nowhere.js", "/ui/..%2fCargo.toml", "/docs/nowhere"] {
        assert_eq!(server.get(path).code(), "not_found", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn swagger_ui_shows_the_operations_and_tries_them_out() {
    let server = Server::start(&[]);
    let origin = format!("http://{}", server.address());
    let tab = Tab::open().await;
    // Without the slash at the end, as people type it.
    tab.goto(&format!("{origin}/docs")).await;
    let document = server.get("/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    let operations = "document.querySelectorAll('.opblock').length";
    tab.wait_until(&format!("{operations} == {}", paths.len())).await;
    let shown = tab.text("#swagger-ui").await;
    for path in paths.keys() {
        let unbroken = shown.replace('\u{200b}', "");
        assert!(unbroken.contains(path.as_str()), "{path}: {unbroken}");
    }
    let first = tab.text(".opblock-summary-path").await;
    assert_eq!(first.replace('\u{200b}', ""), "/predict");
    assert_eq!(
        tab.value("document.querySelectorAll('.authorization__btn, .authorize').length").await,
        0
    );
    try_out(&tab, "-livez", "\"status\": \"ok\"").await;
    // Without anything filled in: the server's own model, and a picture.
    try_out(&tab, "-infer", "\"model_name\": \"sdd-tiny\"").await;
    assert_eq!(tab.complaints(), [""; 0]);
    assert_eq!(tab.requests_beyond(&origin), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_tried_out_behind_a_proxy_that_adds_a_path() {
    let server = Server::start(&[]);
    let origin = format!("http://127.0.0.1:{}", proxy::below_a_path(&server));
    let tab = Tab::open().await;
    tab.goto(&format!("{origin}/sdd/docs/")).await;
    tab.wait_until("document.querySelector('.opblock')").await;
    try_out(&tab, "-model", "\"name\": \"sdd-tiny\"").await;
    try_out(&tab, "-infer", "\"model_name\": \"sdd-tiny\"").await;
    assert_eq!(tab.complaints(), [""; 0]);
    assert_eq!(tab.requests_beyond(&format!("{origin}/sdd")), [""; 0]);
}

/// Opens an operation and sends its request as it stands there, until the answer has `expected`.
async fn try_out(tab: &Tab, operation: &str, expected: &str) {
    let block = format!("document.querySelector('.opblock[id$={operation}]')");
    let answer = format!("{block}.querySelector('.live-responses-table .response')?.innerText");
    let steps = [
        (".opblock-summary-control", format!("{block}.querySelector('.execute')")),
        (".execute", format!("{answer}?.includes('{expected}')")),
    ];
    for (button, reached) in steps {
        // A button that is being drawn anew loses a click: a person clicks again.
        let click = format!("{block}.querySelector('{button}')?.click()");
        let again = format!(
            "Date.now() - (window.clicked ?? 0) > 5000 && {{ at: window.clicked = Date.now(), it: {click} }}"
        );
        tab.wait_until(&format!("({reached}) || (({again}) && false)")).await;
        tab.value("window.clicked = 0").await;
    }
}

#[test]
fn the_document_is_that_of_the_server() {
    let security = |server: &Server, path: &str, method: &str| {
        server.get("/openapi.json").json()["paths"][path][method]["security"].clone()
    };
    let open = Server::start(&[]);
    let document = open.get("/openapi.json").json();
    // Wherever a proxy puts it.
    assert_eq!(document["servers"][0]["url"], "./");
    assert!(document["components"]["securitySchemes"].is_null() && document["security"].is_null());
    let infer = &document["paths"]["/v2/models/{name}/infer"]["post"];
    for path in ["/predict", "/predict/batch", "/v2/models/{name}/infer"] {
        let parameters = document["paths"][path]["post"]["parameters"].as_array().unwrap();
        let headers =
            parameters.iter().filter(|it| it["in"] == "header" && it["required"] == false);
        let names: Vec<_> = headers.map(|it| it["name"].as_str().unwrap()).collect();
        assert!(names.starts_with(&["x-group", "x-stream"]), "{path}: {names:?}");
    }
    let name = infer["parameters"].as_array().unwrap().iter().find(|it| it["name"] == "name");
    assert_eq!(name.unwrap()["example"], open.get("/v1/model").json()["name"]);
    let example = infer["requestBody"]["content"]["application/json"]["example"].to_string();
    let answer = open.post("/v2/models/sdd-tiny/infer", &[], example.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");

    let keyed = Server::start(&["--api-key-hashes", &new_key().1]);
    let either = json!([{"api_key": []}, {"bearer": []}]);
    for (path, method, expected) in [
        ("/predict", "post", &either),
        ("/metrics", "get", &either),
        ("/livez", "get", &Value::Null),
        ("/docs/", "get", &Value::Null),
        ("/admin/reload", "post", &Value::Null),
    ] {
        assert_eq!(security(&keyed, path, method), *expected, "{path}");
    }
    let administered = Server::start(&["--admin-key-hashes", &new_key().1]);
    assert_eq!(security(&administered, "/admin/reload", "post"), either);
    assert_eq!(security(&administered, "/predict", "post"), Value::Null);
}

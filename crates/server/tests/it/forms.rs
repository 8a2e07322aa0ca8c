//! Forms as clients write them.

use std::io::{BufReader, Write};

use crate::answer::Answer;
use crate::server::{FORM, Server, multipart, picture};
use crate::socket::{answer, connect};

/// A form with one picture.
fn form(delimiter: &[u8], disposition: &[u8], image: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 8] = [
        delimiter,
        b"\r\nContent-Disposition: ",
        disposition,
        b"\r\nContent-Type: image/png\r\n\r\n",
        image,
        b"\r\n",
        delimiter.trim_ascii_end(),
        b"--\r\n",
    ];
    parts.concat()
}

fn post(server: &Server, path: &str, content_type: &str, body: &[u8]) -> Answer {
    server.post(path, &[("content-type", content_type)], body)
}

#[test]
fn forms_are_taken_as_clients_write_them() {
    let server = Server::start(&[]);
    let image = picture("png_rgb.png");
    let plain = &br#"form-data; name="file"; filename="a.png""#[..];
    let named = |file_name: &[u8]| {
        let disposition =
            [&br#"form-data; name="file"; filename=""#[..], file_name, b"\""].concat();
        post(
            &server,
            "/predict/batch",
            "multipart/form-data; boundary=X",
            &form(b"--X", &disposition, &image),
        )
    };
    for (sent, kept) in [
        (&b"a.png"[..], "a.png"),
        (b"Pr\xfcf.png", "Prüf.png"),
        ("Prüf€.png".as_bytes(), "Prüf€.png"),
        (br"C:\cam\", r"C:\cam\"),
        (br"C:\cam\1.png", r"C:\cam\1.png"),
        (br#"a \"b\".png"#, r#"a "b".png"#),
        (br#"a"b.png"#, r#"a"b.png"#),
        (b"a; name=x.png", "a; name=x.png"),
        (b"a\x01.png", "a\u{fffd}.png"),
        (b"x\"; filename*=\"UTF-8''%e2%82%ac.png", "€.png"),
        (b"x\"; filename*=\"iso-8859-1'de'Pr%FCf.png", "Prüf.png"),
    ] {
        let answer = named(sent);
        assert_eq!(answer.status, 200, "{kept}: {answer:?}");
        assert_eq!(answer.json()["predictions"][0]["file"], kept);
    }
    // As the head of a part may be written, too.
    for (disposition, kept) in [
        (&br#"form-data; filename="C:\cam\"; name="file""#[..], r"C:\cam\"),
        (b"form-data; name=file; filename=a.png", "a.png"),
        (b"attachment ;NAME = \"file\" ; FileName = a b.png ;", "a b.png"),
        (b"form-data; name=\"file\"; filename=\"never ends.png", "never ends.png"),
        (b"form-data; name=\"file\"; name=file;\r\n\tfilename=a.png", "a.png"),
        (b"form-data; name=\"file\"; filename=a.png\r\nX-Other: 1\r\nContent-Length: 3", "a.png"),
    ] {
        let form = form(b"--X", disposition, &image);
        let answer = post(&server, "/predict/batch", "multipart/form-data; boundary=X", &form);
        assert_eq!(answer.status, 200, "{kept}: {answer:?}");
        assert_eq!(answer.json()["predictions"][0]["file"], kept);
    }
    for (content_type, delimiter) in [
        ("multipart/form-data; boundary=----=_Part_1_2.3", &b"------=_Part_1_2.3"[..]),
        ("multipart/form-data; boundary=X", b"--X \t"),
        ("Multipart/Form-Data; charset=utf-8; Boundary=\"X Y\"", b"--X Y"),
    ] {
        let answer = post(&server, "/predict", content_type, &form(delimiter, plain, &image));
        assert_eq!(answer.status, 200, "{content_type}: {answer:?}");
    }
}

#[test]
fn what_is_wrong_with_a_form_is_said_and_what_to_do() {
    let server = Server::start(&["--max-bytes", "1048576"]);
    let image = picture("png_rgb.png");
    let part = ("file", Some("image/png"), &image[..]);
    let said = |path: &str, content_type: &str, body: &[u8]| {
        let answer = post(&server, path, content_type, body);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        (answer.status, answer.code().to_owned(), message)
    };
    let assert_said = |found: (u16, String, String), status: u16, code: &str, words: &str| {
        assert_eq!((found.0, found.1.as_str()), (status, code), "{}", found.2);
        assert!(found.2.contains(words), "{}", found.2);
    };
    let whole = multipart(&[part]);
    let no_boundary = said("/predict", "multipart/form-data", &whole);
    assert_said(no_boundary, 400, "malformed_multipart", "do not set Content-Type");
    let other_boundary = said("/predict", "multipart/form-data; boundary=X", &whole);
    assert_said(other_boundary, 400, "malformed_multipart", "leave Content-Type to your client");
    let half = said("/predict", FORM, &whole[..whole.len() / 2]);
    assert_said(half, 400, "malformed_multipart", "ends before its last boundary");
    for (disposition, words) in [
        (&b"form-data; filename=x"[..], "no `name`"),
        (b"form-data; name=a; name=b", "twice"),
        (b"form-data; name=file\r\nno header", "no header"),
    ] {
        let form = form(b"--X", disposition, &image);
        let bad = said("/predict", "multipart/form-data; boundary=X", &form);
        assert_said(bad, 400, "malformed_multipart", words);
    }
    for (preamble, padding, status) in [(16_384, 256, 200), (16_385, 0, 400), (0, 257, 400)] {
        let delimiter = ["--X".to_owned(), " ".repeat(padding)].concat();
        let mut parts = form(delimiter.as_bytes(), br#"form-data; name="file""#, &image);
        parts.truncate(parts.len() - 2);
        parts.extend([" ".repeat(padding).as_bytes(), b"\r\n"].concat());
        let form = [&vec![b'a'; preamble][..], b"\r\n", &parts].concat();
        let answer = post(&server, "/predict", "multipart/form-data; boundary=X", &form);
        assert_eq!(answer.status, status, "{preamble} {padding}: {answer:?}");
        assert!(status == 200 || answer.text().contains("is not in the body"), "{answer:?}");
    }
    let urlencoded = said("/predict", "application/x-www-form-urlencoded", b"file=a.png");
    assert_said(urlencoded, 415, "unsupported_media_type", "-F \"file=@part.jpg\"");
    let large = said("/predict", "image/png", &vec![0; (1 << 20) + 1]);
    assert_said(large, 413, "too_large", "limit of 1 MiB");
    let two = said("/predict", FORM, &multipart(&[part, part]));
    assert_said(two, 422, "too_many_files", "/predict/batch");
    let many = said("/predict/batch", FORM, &multipart(&[part; 33]));
    assert!(!many.2.contains("/predict/batch"), "{}", many.2);
    assert_said(many, 422, "too_many_files", "32 times at most");
    let texts: Vec<_> = std::iter::repeat_n(("text", None, &b"x"[..]), 17).collect();
    let fields = said("/predict", FORM, &multipart(&[&texts[..], &[part]].concat()));
    assert_said(fields, 422, "too_many_fields", "more than 16 fields");
    let sixteen = multipart(&[&texts[..16], &[part]].concat());
    assert_eq!(post(&server, "/predict", FORM, &sixteen).status, 200);
}

#[test]
fn the_limit_of_a_parts_head_does_not_depend_on_how_it_comes() {
    let server = Server::start(&[]);
    let image = picture("png_rgb.png");
    let lines = "Content-Disposition: form-data; name=\"file\"\r\nX-Other: ";
    for (head_bytes, expected) in [(16_384, (200, "none")), (16_385, (400, "malformed_multipart"))]
    {
        let rest = "a".repeat(head_bytes - lines.len() - 2);
        let part_head = format!("--X\r\n{lines}{rest}\r\n\r\n");
        let form = [part_head.as_bytes(), &image, b"\r\n--X--"].concat();
        let length = form.len();
        let head = format!(
            "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        for piece in [length, 1, 16_383, 16_389, 16_391, 4099] {
            let mut connection = connect(&server);
            connection.write_all(head.as_bytes()).unwrap();
            form.chunks(piece).for_each(|piece| connection.write_all(piece).unwrap());
            let answer = answer(&mut BufReader::new(connection));
            let found = (answer.status, answer.code());
            assert_eq!(found, expected, "{head_bytes} in pieces of {piece}: {}", answer.text());
        }
    }
}

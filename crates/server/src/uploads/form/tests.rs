use actix_multipart::Multipart;
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{PlainForm, boundary};

/// Name, name of the file, and content of each part.
type Parts = Vec<(String, Option<String>, Vec<u8>)>;

/// Through the library's parser, with the body in pieces of `size`.
async fn read_in_pieces(body: &[u8], of: &str, size: usize) -> Result<Parts, String> {
    let pieces: Vec<_> = body.chunks(size).map(Bytes::copy_from_slice).collect();
    let form = PlainForm::new(stream::iter(pieces).map(Ok::<_, PayloadError>), of.as_bytes());
    let mut multipart = Multipart::new(&form.headers(), form);
    let mut parts = Vec::new();
    while let Some(mut part) = multipart.try_next().await.map_err(|error| format!("{error:?}"))? {
        let mut content = Vec::new();
        while let Some(bytes) = part.try_next().await.map_err(|error| format!("{error:?}"))? {
            content.extend(bytes);
        }
        let file_name = part.content_disposition().and_then(|it| it.get_filename());
        parts.push((part.name().unwrap_or_default().into(), file_name.map(Into::into), content));
    }
    Ok(parts)
}

/// The same, however the body comes.
fn read(body: &[u8], of: &str) -> Result<Parts, String> {
    actix_web::rt::System::new().block_on(async {
        let whole = read_in_pieces(body, of, body.len().max(1)).await;
        for size in [1, 2, 3, 7, 64] {
            let pieces = read_in_pieces(body, of, size).await;
            assert_eq!(pieces, whole, "in pieces of {size}");
        }
        whole
    })
}

fn file(content: &[u8]) -> (String, Option<String>, Vec<u8>) {
    ("file".into(), Some("a.jpg".into()), content.to_vec())
}

const HEAD: &str =
    "Content-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg";

#[test]
fn forms_are_read_as_clients_write_them() {
    let plain = format!("--X\r\n{HEAD}\r\n\r\nDATA\r\n--X--\r\n");
    let cases = [
        plain.clone(),
        // White space after a boundary.
        plain.replace("--X\r\n", "--X \t \r\n"),
        plain.replace("--X--\r\n", "--X-- \r\n"),
        // With a preamble and an epilogue, without the last line break.
        format!("\r\n{plain}"),
        format!("This is a form.\r\n--Xylophone\r\n{plain}--X\r\nnot a part\r\n"),
        plain.trim_end().to_owned(),
        format!("{}\r", plain.trim_end()),
        // Line feeds alone, everywhere or before a boundary.
        plain.replace('\r', ""),
        plain.replace("DATA\r\n", "DATA\n"),
        // A length that is wrong.
        plain.replace(HEAD, &format!("Content-Length: 2\r\n{HEAD}")),
        plain.replace(HEAD, &format!("Content-Length: nonsense\r\n{HEAD}")),
    ];
    for body in cases {
        assert_eq!(read(body.as_bytes(), "X").as_deref(), Ok(&[file(b"DATA")][..]), "{body:?}");
    }
}

#[test]
fn content_is_what_stands_between_lines_with_the_boundary() {
    let contents: [&[u8]; 9] = [
        b"",
        b"\r\n",
        b"\r",
        b"\r\n--Xylophone\r\n",
        b"\r--X\r\n",
        b"a\r\n--X-\r\n--X- -\r\n--X--b",
        b"a\r\n-\r\n--\r\n--\r\n",
        b"--X--X--X--X\r\n \r\n\n\n",
        b"\r\n\r\n\r\n--",
    ];
    let part =
        |content: &[u8]| [format!("--X\r\n{HEAD}\r\n\r\n").as_bytes(), content, b"\r\n"].concat();
    let mut body: Vec<_> = contents.into_iter().flat_map(part).collect();
    body.extend(b"--X--");
    assert_eq!(read(&body, "X"), Ok(contents.map(file).to_vec()));
    // A carriage return is content where lines end without.
    let body = format!("--X\n{HEAD}\n\nDATA\r\n--X\n{HEAD}\n\n\n--X--\n");
    assert_eq!(read(body.as_bytes(), "X"), Ok(vec![file(b"DATA\r"), file(b"")]));
    // A part may have neither content nor a line break.
    let body = format!("--X\r\n{HEAD}\r\n\r\n--X--\r\n");
    assert_eq!(read(body.as_bytes(), "X"), Ok(vec![file(b"")]));
    assert_eq!(read(b"--X--\r\n", "X"), Ok(vec![]));
}

#[test]
fn what_is_no_form_is_told() {
    let whole = format!("--X\r\n{HEAD}\r\n\r\nDATA\r\n--X--");
    for end in 0..whole.len() {
        let reason = read(&whole.as_bytes()[..end], "X").unwrap_err();
        assert!(
            reason.contains("it ends before") || reason.contains("not in the body"),
            "{reason}"
        );
    }
    let reason = read(whole.as_bytes(), "Y").unwrap_err();
    assert!(reason.contains("its boundary, `Y`, is not in the body"), "{reason}");
    assert!(read(b"--X\r\n\r\nDATA\r\n--X--", "X").unwrap_err().contains("no Content-Disposition"));
    let long = [&b"--X\r\n"[..], &vec![b'a'; 17 << 10]].concat();
    assert!(read(&long, "X").unwrap_err().contains("the head of a part has more than"));
    let long = [&vec![b'a'; 17 << 10], whole.as_bytes()].concat();
    assert!(read(&long, "X").unwrap_err().contains("not in the body"));
}

#[test]
fn a_boundary_may_stand_without_quotation_marks() {
    let named = |content_type: &str| boundary(content_type.as_bytes());
    for (content_type, expected) in [
        ("multipart/form-data; boundary=----=_Part_1_2.3", "----=_Part_1_2.3"),
        ("multipart/form-data; boundary=\"----=_Part_1_2.3\"; charset=utf-8", "----=_Part_1_2.3"),
        ("multipart/form-data;charset=utf-8;BOUNDARY=a:b/c?d(e)", "a:b/c?d(e)"),
        ("multipart/form-data; boundary=\"with a space\" ", "with a space"),
        ("multipart/form-data; boundary=X; boundary=X", "X"),
    ] {
        assert_eq!(named(content_type), Ok(expected.into()), "{content_type}");
    }
    for bad in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
    ] {
        assert!(named(bad).unwrap_err().contains("do not set Content-Type"), "{bad}");
    }
    assert!(named("multipart/form-data; boundary=X; boundary=Y").unwrap_err().contains("twice"));
    assert!(named(&format!("multipart/form-data; boundary={}", "X".repeat(300))).is_err());
}

//! Uploads, put together before anything is measured.

const BOUNDARY: &str = "------------------------d74496d66958873e";

/// The whole request that uploads an image to `/predict`, as curl's `-F file=@image.jpg` does.
pub fn request(image: &[u8]) -> Vec<u8> {
    let opening = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"image.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    );
    let closing = format!("\r\n--{BOUNDARY}--\r\n");
    let length = opening.len() + image.len() + closing.len();
    let head = format!(
        "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench-serve\r\nAccept: */*\r\n\
         Content-Length: {length}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    );
    [head.as_bytes(), opening.as_bytes(), image, closing.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announced_length_is_that_of_the_body() {
        let request = request(b"\xFF\xD8 an image \xFF\xD9");
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut parsed = httparse::Request::new(&mut headers);
        let head = parsed.parse(&request).unwrap().unwrap();
        let length = parsed.headers.iter().find(|h| h.name == "Content-Length").unwrap();
        let length: usize = std::str::from_utf8(length.value).unwrap().parse().unwrap();
        assert_eq!(request.len() - head, length);
    }
}

//! More than the server can do: some requests are refused at once, and all others answered in time.

use std::io::Cursor;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use image::{DynamicImage, GrayImage, ImageFormat};

use crate::client::Client;
use crate::server::Server;

/// A picture whose decoding takes long enough for a queue to form.
fn large_picture() -> Vec<u8> {
    let mut picture = Cursor::new(Vec::new());
    let large = GrayImage::from_fn(2000, 2000, |x, y| image::Luma([(x ^ y).to_le_bytes()[0]]));
    DynamicImage::from(large).write_to(&mut picture, ImageFormat::Jpeg).unwrap();
    picture.into_inner()
}

/// Status, code and time of every answer that `clients` clients at once got in `rounds` requests.
fn load(
    server: &Server,
    clients: usize,
    rounds: usize,
    headers: &str,
) -> Vec<(u16, String, Duration)> {
    let (picture, address) = (large_picture(), server.address());
    let answers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = Client::new(&address);
                for _ in 0..rounds {
                    let start = Instant::now();
                    let answer = client
                        .post(
                            "/predict",
                            &format!("Content-Type: image/jpeg\r\n{headers}"),
                            &picture,
                        )
                        .unwrap();
                    if answer.status == 503 {
                        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
                    }
                    let code = answer.body["error"]["code"].as_str().unwrap_or_default().to_owned();
                    answers.lock().unwrap().push((answer.status, code, start.elapsed()));
                }
            });
        }
    });
    answers.into_inner().unwrap()
}

#[test]
fn beyond_its_capacity_it_refuses_some_and_answers_the_rest() {
    let server = Server::start(&["--workers", "1", "--queue", "2"]);
    let answers = load(&server, 12, 10, "");
    assert_eq!(answers.len(), 120);
    let refused = answers.iter().filter(|(status, ..)| *status == 503);
    assert!(refused.clone().all(|(_, code, _)| code == "overloaded"));
    let answered = answers.iter().filter(|(status, ..)| *status == 200).count();
    assert_eq!(answered + refused.clone().count(), 120, "{answers:?}");
    assert!(answered >= 10 && refused.count() > 0, "{answered} of 120 were answered");
}

#[test]
fn requests_with_a_deadline_are_answered_in_time_or_refused() {
    let server = Server::start(&["--workers", "1", "--queue", "64"]);
    // So that it knows how long an image takes.
    assert!(load(&server, 1, 3, "").iter().all(|(status, ..)| *status == 200));
    let answers = load(&server, 32, 4, "X-Request-Timeout-Ms: 200\r\n");
    for (status, code, time) in &answers {
        match status {
            // The clients' own threads compete for the same cores: the server's part is less.
            200 => assert!(*time < Duration::from_secs(2), "{time:?}"),
            503 => assert_eq!(code, "overloaded"),
            504 => assert_eq!(code, "deadline_exceeded"),
            other => panic!("{other} {code}"),
        }
    }
    let count = |wanted: u16| answers.iter().filter(|(status, ..)| *status == wanted).count();
    assert!(count(200) > 0 && count(503) > 0, "{answers:?}");
    assert_eq!(server.get("/readyz").status, 200);
}

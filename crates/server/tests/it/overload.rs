//! More than the server can do: some requests are refused at once, and all others answered in time.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use crate::answer::Answer;
use crate::client::Client;
use crate::hold::{Hold, slow_batch, slow_picture};
use crate::server::{Server, multipart, picture};
use crate::socket::{answer, answer_to, connect};

/// With one worker.
const QUEUE: usize = 8;
const CAPACITY: usize = 1 + QUEUE;

const MEBIBYTE: usize = 1 << 20;

fn start() -> Server {
    Server::start(&["--workers", "1", "--queue", &QUEUE.to_string()])
}

/// The time from a request's head to its answer as the server says it, in milliseconds.
fn total_ms(answer: &Answer) -> f64 {
    let timing = answer.header("server-timing").unwrap();
    let total = timing.split(", ").find_map(|stage| stage.strip_prefix("total;dur="));
    total.unwrap().parse().unwrap()
}

/// All answers that three times as many clients as the server has room for get until 30 of their
/// images are classified.
fn crowd(server: &Server, headers: &[(&str, &str)]) -> Vec<Answer> {
    let (address, answers) = (server.address(), Mutex::new(Vec::<Answer>::new()));
    let is_over = || {
        let answers = answers.lock().unwrap();
        answers.iter().filter(|answer| answer.status == 200).count() >= 30
    };
    let headers = [&[("content-type", "image/png")], headers].concat();
    std::thread::scope(|scope| {
        for _ in 0..3 * CAPACITY {
            scope.spawn(|| {
                let mut client = Client::new(&address);
                while !is_over() {
                    let answer = client.post("/predict", &headers, slow_picture()).unwrap();
                    let is_refused = answer.status != 200;
                    answers.lock().unwrap().push(answer);
                    if is_refused {
                        // The cores are the server's as well.
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
    });
    answers.into_inner().unwrap()
}

fn assert_overloaded(answer: &Answer) {
    assert_eq!((answer.status, answer.code()), (503, "overloaded"), "{answer:?}");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds >= 1);
}

#[test]
fn at_three_times_its_capacity_it_refuses_some_and_answers_the_rest() {
    let server = start();
    let answers = crowd(&server, &[]);
    let (answered, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert!(answered.len() >= 30 && !refused.is_empty());
    refused.into_iter().for_each(assert_overloaded);
}

/// The whole queue takes nearly twice the deadline.
#[test]
fn at_three_times_its_capacity_no_answer_is_late() {
    let server = start();
    let alone: Vec<f64> = (0..3)
        .map(|_| {
            let answer = server.post("/predict", &[("content-type", "image/png")], slow_picture());
            assert_eq!(answer.status, 200, "{answer:?}");
            total_ms(&answer)
        })
        .collect();
    let one_ms = alone.into_iter().reduce(f64::max).unwrap();
    let deadline_ms = 5.0 * one_ms;
    let timeout = format!("{deadline_ms:.0}");
    let answers = crowd(&server, &[("x-request-timeout-ms", &timeout)]);
    for answer in &answers {
        match answer.status {
            200 => {
                let total_ms = total_ms(answer);
                assert!(total_ms < deadline_ms + one_ms, "{total_ms} of {deadline_ms} ms");
            }
            504 => assert_eq!(answer.code(), "deadline_exceeded"),
            _ => assert_overloaded(answer),
        }
    }
    assert!(answers.iter().any(|answer| answer.status != 200));
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
}

/// By how fast images have gone, and how many wait.
#[test]
fn a_full_queue_says_when_it_is_likely_to_be_done() {
    let server = Server::start(&["--workers", "1", "--queue", "31"]);
    let alone = server.post("/predict", &[("content-type", "image/png")], slow_picture());
    assert_eq!(alone.status, 200, "{alone:?}");
    let as_many = slow_batch(32);
    let hold = Hold::start(&server, 32);
    // Refused for as long as a single one of the others is not done.
    let refused = server.post_form("/predict/batch", &as_many);
    assert_overloaded(&refused);
    let seconds: f64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(!hold.is_answered());
    let all = 32.0 * total_ms(&alone) * 1e-3;
    assert!(seconds > 1.0 && seconds > all / 8.0 && seconds < all * 8.0, "{seconds} of {all} s");
}

/// Nothing of the body is sent: a client with a large one would hear of it only after that.
#[test]
fn what_would_come_too_late_is_refused_before_its_body() {
    let server = Server::start(&["--workers", "1", "--queue", "64"]);
    let image = [("content-type", "image/png")];
    assert_eq!(server.post("/predict", &image, slow_picture()).status, 200);
    let _hold = Hold::start(&server, 32);
    let length = 15 * MEBIBYTE;
    let head = |path| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\n\
             content-length: {length}\r\nx-request-timeout-ms: 500\r\n\r\n"
        )
    };
    for path in ["/predict", "/predict/batch", "/embed", "/v2/models/sdd-tiny/infer"] {
        let answer = answer_to(&server, head(path).as_bytes());
        assert_eq!(answer.status, 503, "{path}: {answer:?}");
        assert!(answer.text().contains("too late"), "{path}: {answer:?}");
        assert!(answer.header("retry-after").is_some());
    }
}

/// The queue fills up while the body is on its way; then nobody finds out what is in it.
#[test]
fn the_inference_protocol_needs_room_before_it_decompresses() {
    let server = Server::start(&["--workers", "1", "--queue", "31"]);
    let head = "POST /v2/models/sdd-tiny/infer HTTP/1.1\r\nhost: localhost\r\n\
                content-encoding: gzip\r\ncontent-length: 20\r\n\r\n";
    let begin = || {
        let mut connection = connect(&server);
        connection.write_all(&[head.as_bytes(), b"no gzip"].concat()).unwrap();
        BufReader::new(connection)
    };
    let end = |mut connection: BufReader<TcpStream>| {
        connection.get_mut().write_all(b", not at all.").unwrap();
        answer(&mut connection)
    };
    assert_eq!(end(begin()).status, 400);
    let begun = begin();
    server.wait_until_in_flight(1);
    let hold = Hold::start(&server, 32);
    assert_eq!(end(begun).status, 503);
    assert!(!hold.is_answered());
}

#[test]
fn other_fields_do_not_count_against_the_image() {
    let image = picture("png_rgb.png");
    let server = Server::start(&["--max-bytes", &image.len().to_string()]);
    let long = vec![b'x'; MEBIBYTE];
    let file = ("file", Some("image/png"), image.as_slice());
    let post = |fields: &[_]| server.post_form("/predict", &multipart(fields));
    assert_eq!(post(&[("note", None, &long[..10_000]), file]).status, 200);
    assert_eq!(post(&[file, ("note", None, &long[..60_000])]).status, 200);
    let answer = post(&[file, ("note", None, &long[..70_000])]);
    assert_eq!((answer.status, answer.code()), (413, "too_large"));
    assert!(answer.text().contains("beside `file`"), "{answer:?}");
    // The image under another name.
    let answer = post(&[("image", Some("image/png"), &long[..70_000])]);
    assert_eq!((answer.status, answer.code()), (422, "missing_file"));
}

#[test]
fn a_refusal_does_not_wait_for_the_work_before_it() {
    let server = Server::start(&["--workers", "1", "--queue", "31"]);
    let hold = Hold::start(&server, 32);
    let as_many = slow_batch(32);
    for _ in 0..10 {
        // Refused for as long as a single one of the others is not done.
        assert_overloaded(&server.post_form("/predict/batch", &as_many));
    }
    assert!(!hold.is_answered(), "the refusals came after all the work");
}

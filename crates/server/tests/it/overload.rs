//! More than the server can do: some requests are refused at once, and all others answered in time.

use std::sync::Mutex;
use std::time::Duration;

use crate::answer::Answer;
use crate::client::Client;
use crate::hold::{Hold, slow_batch, slow_picture};
use crate::server::{Server, picture};

/// With one worker.
const QUEUE: usize = 8;
const CAPACITY: usize = 1 + QUEUE;

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

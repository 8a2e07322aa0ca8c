//! A closed loop of clients: each has a kept-alive connection and sends its next request when the
//! answer to the last one has come.
//!
//! It runs on the cores that it measures, so it does as little as it can: one thread, non-blocking
//! sockets, requests that were put together beforehand, answers of which only status and length are
//! looked at.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mio::{Events, Interest, Poll, Token};

use super::client::{Client, Progress};

/// Time between two clients' first requests, at most. A server of several processes on one socket
/// must get each into work before the next connection comes, or one process takes them all.
const MAX_STEP: Duration = Duration::from_millis(20);

/// How long answers may be waited for after the last request.
const DRAIN: Duration = Duration::from_mins(1);

/// How long a number of requests may take in all, and how long one wait for the sockets.
const ALL: Duration = Duration::from_hours(1);
const WAIT: Duration = Duration::from_secs(10);

/// What is sent, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// Whole requests, head and body, taken in turn.
    pub requests: &'a [Vec<u8>],
    /// Connections, each with one request at a time.
    pub clients: usize,
    /// When to stop.
    pub extent: Extent,
}

/// When a load ends.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// After `measured`, which begins `warm_up` after the first request.
    Time {
        /// Not counted; the clients' connections are spread over its first half.
        warm_up: Duration,
        /// Counted.
        measured: Duration,
    },
    /// After this many requests, all of them counted.
    Requests(usize),
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Outcome<T> {
    /// From the beginning of what is counted to its end.
    pub elapsed: Duration,
    /// Of each answer with status 200, ascending.
    pub latencies: Vec<Duration>,
    /// Answers with another status, and connections that broke.
    pub failed: usize,
    /// What the meter said at the beginning of what is counted and at its end.
    pub meter: [T; 2],
}

impl<T> Outcome<T> {
    /// Answers with status 200 a second.
    pub fn throughput(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that the share `quantile` of the answers does not exceed (nearest rank); `None`
    /// without answers.
    pub fn latency(&self, quantile: f64) -> Option<Duration> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank lies within the number of answers"
        )]
        let rank = (quantile * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(rank.saturating_sub(1)).copied()
    }
}

/// Sends a load to `address`; asks `meter` when counting begins and when it ends.
///
/// # Errors
/// When there is nothing to send, no connection can be made, every connection broke, an answer is no
/// HTTP, or the meter fails.
pub fn run<T>(
    address: SocketAddr,
    load: &Load<'_>,
    mut meter: impl FnMut() -> Result<T>,
) -> Result<Outcome<T>> {
    if load.requests.is_empty() || load.clients == 0 {
        bail!("a load needs a request and a client");
    }
    let mut drive = Drive::start(address, load)?;
    let (warm_up, measured) = match load.extent {
        Extent::Time { warm_up, measured } => (warm_up, measured),
        Extent::Requests(_) => (Duration::ZERO, ALL),
    };
    drive.until(Instant::now() + warm_up)?;
    let before = meter()?;
    drive.counted = Counted::default();
    let began = Instant::now();
    match load.extent {
        Extent::Time { .. } => drive.until(began + measured)?,
        Extent::Requests(count) => {
            drive.left = Some(count);
            drive.until_idle(measured)?;
        }
    }
    let elapsed = began.elapsed();
    let after = meter()?;
    let Counted { mut latencies, failed } = std::mem::take(&mut drive.counted);
    // What is still on its way would otherwise be the next measurement's burden.
    drive.left = Some(0);
    drive.until_idle(DRAIN)?;
    latencies.sort_unstable();
    Ok(Outcome { elapsed, latencies, failed, meter: [before, after] })
}

#[derive(Debug, Default)]
struct Counted {
    latencies: Vec<Duration>,
    failed: usize,
}

struct Drive<'a> {
    poll: Poll,
    address: SocketAddr,
    requests: &'a [Vec<u8>],
    /// In the order of their tokens; `None` once the connection broke.
    clients: Vec<Option<Client>>,
    wanted: usize,
    step: Duration,
    next_client: Instant,
    sent: usize,
    /// Requests that may still be sent, where their number is limited.
    left: Option<usize>,
    counted: Counted,
}

impl<'a> Drive<'a> {
    fn start(address: SocketAddr, load: &Load<'a>) -> Result<Self> {
        let (step, left) = match load.extent {
            Extent::Time { warm_up, .. } => {
                let clients = u32::try_from(load.clients).context("too many clients")?;
                ((warm_up / 2 / clients).min(MAX_STEP), None)
            }
            Extent::Requests(count) => (Duration::ZERO, Some(count)),
        };
        Ok(Self {
            poll: Poll::new()?,
            address,
            requests: load.requests,
            clients: Vec::with_capacity(load.clients),
            wanted: load.clients,
            step,
            next_client: Instant::now(),
            sent: 0,
            left,
            counted: Counted::default(),
        })
    }

    fn until(&mut self, deadline: Instant) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let now = Instant::now();
            if now >= deadline {
                return Ok(());
            }
            self.turn(&mut events, deadline - now)?;
        }
    }

    /// Waits for the answers to all that was sent; those that take longer than `limit` are given up.
    fn until_idle(&mut self, limit: Duration) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let began = Instant::now();
        while self.left != Some(0) || self.clients.iter().flatten().any(Client::is_waiting) {
            let Some(rest) = limit.checked_sub(began.elapsed()) else {
                bail!("answers did not come within {} s", limit.as_secs());
            };
            self.turn(&mut events, rest)?;
        }
        Ok(())
    }

    /// Waits for something to happen, `limit` at most, and lets the clients concerned go on.
    fn turn(&mut self, events: &mut Events, limit: Duration) -> Result<()> {
        let mut limit = limit.min(WAIT);
        if self.clients.len() < self.wanted {
            let now = Instant::now();
            if now >= self.next_client {
                self.add_client()?;
                self.next_client = now + self.step;
            }
            limit = limit.min(self.next_client.saturating_duration_since(Instant::now()));
        }
        match self.poll.poll(events, Some(limit)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for event in events.iter() {
            self.advance(event.token().0)?;
        }
        if self.clients.len() == self.wanted && self.clients.iter().all(Option::is_none) {
            bail!("{}: every connection broke", self.address);
        }
        Ok(())
    }

    fn add_client(&mut self) -> Result<()> {
        let mut client = Client::connect(self.address)
            .with_context(|| format!("cannot connect to {}", self.address))?;
        let token = Token(self.clients.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(client.stream(), token, interest)?;
        self.clients.push(Some(client));
        Ok(())
    }

    /// Lets a client send and receive until it would have to wait.
    fn advance(&mut self, token: usize) -> Result<()> {
        let Some(client) = &mut self.clients[token] else {
            return Ok(());
        };
        loop {
            if !client.is_waiting() {
                if self.left == Some(0) {
                    return Ok(());
                }
                self.left = self.left.map(|left| left - 1);
                client.begin(self.sent % self.requests.len());
                self.sent += 1;
            }
            match client.advance(self.requests)? {
                Progress::Pending => return Ok(()),
                Progress::Answered { status: 200, latency } => self.counted.latencies.push(latency),
                Progress::Answered { .. } => self.counted.failed += 1,
                Progress::Broken => {
                    self.counted.failed += 1;
                    self.clients[token] = None;
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    const ANSWERS: [&str; 2] = ["200 OK", "503 Service Unavailable"];

    /// A server that answers each connection's requests, which are of `length` bytes, in turn with
    /// 200 and 503; it ends a connection after `answers` of them.
    fn serve(length: usize, answers: usize) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let talk = move |mut stream: TcpStream| {
            let mut request = vec![0; length];
            for turn in 0..answers {
                if stream.read_exact(&mut request).is_err() {
                    return;
                }
                let status = ANSWERS[turn % 2];
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || talk(stream.unwrap()));
            }
        });
        address
    }

    #[test]
    fn a_number_of_requests_is_sent_exactly_and_other_statuses_are_failures() {
        // More than a socket takes at once.
        let requests = vec![vec![b'x'; 3 << 20]; 2];
        let address = serve(3 << 20, usize::MAX);
        let load = Load { requests: &requests, clients: 4, extent: Extent::Requests(41) };
        let mut looks = 0..;
        let outcome = run(address, &load, || Ok(looks.next())).unwrap();
        assert_eq!(outcome.latencies.len() + outcome.failed, 41);
        // Each connection's second, fourth... answer is a 503.
        assert!((19..=20).contains(&outcome.failed), "{}", outcome.failed);
        assert!(outcome.latencies.is_sorted());
        assert_eq!(outcome.meter, [Some(0), Some(1)]);
    }

    #[test]
    fn for_a_time_only_what_is_answered_within_it_counts() {
        let requests = [vec![b'x'; 100]];
        let address = serve(100, usize::MAX);
        let extent = Extent::Time {
            warm_up: Duration::from_millis(50),
            measured: Duration::from_millis(100),
        };
        let load = Load { requests: &requests, clients: 3, extent };
        let outcome = run(address, &load, || Ok(())).unwrap();
        assert!(outcome.elapsed >= Duration::from_millis(100));
        let expected = outcome.latencies.len() as f64 / outcome.elapsed.as_secs_f64();
        assert!(expected > 0.0 && (outcome.throughput() - expected).abs() < 1e-9);
        let [half, all] = [0.5, 1.0].map(|quantile| outcome.latency(quantile).unwrap());
        assert!(half <= all && Some(&all) == outcome.latencies.last());
    }

    #[test]
    fn connections_that_break_are_failures_and_all_of_them_an_error() {
        let requests = [vec![b'x'; 100]];
        let address = serve(100, 3);
        let load = Load { requests: &requests, clients: 2, extent: Extent::Requests(7) };
        let outcome = run(address, &load, || Ok(())).unwrap();
        // Three answers for one of them, one of which is a 503, before its connection ends.
        assert_eq!(outcome.latencies.len() + outcome.failed, 7);
        let load = Load { requests: &requests, clients: 2, extent: Extent::Requests(9) };
        let error = run(address, &load, || Ok(())).unwrap_err();
        assert!(error.to_string().contains("every connection broke"), "{error}");
    }

    #[test]
    fn nothing_to_send_or_nobody_to_send_it_to_is_an_error() {
        let extent = Extent::Requests(1);
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let none = Load { requests: &[], clients: 1, extent };
        assert!(run(nobody, &none, || Ok(())).is_err());
        let requests = [vec![b'x']];
        let load = Load { requests: &requests, clients: 1, extent };
        assert!(run(nobody, &load, || Ok(())).is_err());
    }
}

//! Clients that ask without a pause while something is done to the server, and lose no request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::client::Client;
use crate::eventually::eventually;
use crate::server::picture;

const CLIENTS: usize = 3;

/// How many requests have been answered so far.
pub struct Answered<'a>(&'a AtomicUsize);

impl Answered<'_> {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub fn wait_for_more(&self, count: usize) {
        let enough = self.count() + count;
        eventually("more answers", || self.count() >= enough);
    }
}

/// Does `work` while clients send images, each on a connection that it keeps for as long as the
/// server does. Every one of their requests is answered 200.
pub fn under_load<T>(
    new_client: impl Fn() -> Client + Sync,
    work: impl FnOnce(&Answered) -> T,
) -> T {
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let (mut client, image) = (new_client(), picture("png_rgb.png"));
                while !done.load(Ordering::Relaxed) {
                    let answer = client.predict(&image).unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&done);
        work(&Answered(&answered))
    })
}

/// Says that something is over, also when the test fails before its end: the clients would go on for
/// ever.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

//! Several servers on one memory: one stream, one verdict.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::{Watched, drift, images_ever, observations, send_like, strange_and_familiar};
use crate::client::Client;
use crate::eventually::eventually;
use crate::postgres;
use crate::server::{Server, picture};

/// Sends an image over and over, under names of its own, until told to stop or the server is gone; gives the names
/// that were answered.
fn ask(
    address: &str,
    name: &str,
    image: &[u8],
    stop: &AtomicBool,
    count: &AtomicUsize,
) -> Vec<String> {
    let (mut client, mut ids) = (Client::new(address), Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let id = format!("{name}-{}", ids.len());
        let headers = [("content-type", "image/png"), ("x-request-id", id.as_str())];
        match client.post("/predict", &headers, image) {
            Ok(answer) => assert_eq!(answer.status, 200, "{answer:?}"),
            Err(_) => break,
        }
        ids.push(id);
        count.fetch_add(1, Ordering::Relaxed);
    }
    ids
}

#[test]
fn what_two_servers_answered_is_one_stream_though_one_of_them_is_killed() {
    let database = postgres::shared().database();
    let watched = Watched::on(database.url());
    let (stays, image) = (watched.serve(&[]), picture("png_rgb.png"));
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut answered = BTreeSet::new();
    std::thread::scope(|scope| {
        let ask_at = |server: &Server, name: String| {
            let (address, image, stop, count) = (server.address(), &image, &stop, &count);
            scope.spawn(move || ask(&address, &name, image, stop, count))
        };
        let mut clients: Vec<_> = (0..2).map(|i| ask_at(&stays, format!("stays{i}"))).collect();
        for round in 0..3 {
            let killed = watched.serve(&[]);
            let before = count.load(Ordering::Relaxed);
            clients.extend((0..2).map(|i| ask_at(&killed, format!("killed{round}{i}"))));
            eventually("some answers", || count.load(Ordering::Relaxed) > before + 80);
            killed.signal("-KILL");
            drop(killed);
        }
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            answered.extend(client.join().unwrap());
        }
    });
    let second = watched.serve(&[]);
    let all = observations(&second, 500);
    let ids: BTreeSet<String> =
        all.iter().map(|one| one["request_id"].as_str().unwrap().to_owned()).collect();
    let lost: Vec<_> = answered.difference(&ids).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(ids.len(), all.len(), "each once");
    assert!(ids.len() - answered.len() <= 3 * 2, "{} {}", ids.len(), answered.len());
    let sequences: Vec<u64> = all.iter().map(|one| one["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.iter().rev().copied().eq(1..=all.len() as u64));
    assert_eq!((images_ever(&stays), images_ever(&second)), (all.len() as u64, all.len() as u64));
    assert_eq!(drift(&stays)["recording"]["unrecorded_images"], 0);
}

#[test]
fn the_verdict_is_over_what_came_to_any_of_them() {
    let database = postgres::shared().database();
    let watched = Watched::on(database.url());
    let other = Watched::new();
    let (strange, familiar) = strange_and_familiar(&other.serve(&[]));
    let [first, second] = [(); 2].map(|()| watched.serve(&[]));
    for server in [&first, &second] {
        send_like(server, &familiar, 1);
    }
    let needed = drift(&second)["groups_needed"].as_u64().unwrap();
    send_like(&first, &familiar, 1);
    assert_eq!(drift(&second)["groups_needed"], needed - 1);
    send_like(&first, &familiar, 73);
    send_like(&second, &familiar, 74);
    for server in [&first, &second] {
        let report = drift(server);
        assert_eq!((&report["groups_needed"], &report["images_ever"]), (&json!(0), &json!(150)));
    }
    for server in [&first, &second] {
        assert_eq!(drift(server)["verdict"], "stable");
    }
    for server in [&first, &second] {
        send_like(server, &strange, 75);
    }
    for server in [&first, &second] {
        let report = drift(server);
        assert_eq!((&report["verdict"], &report["images_ever"]), (&json!("drifting"), &json!(300)));
        assert_eq!(report["window"]["recent"]["out_of_distribution"], 150);
    }
    // What the one resets, the other begins anew, too.
    assert_eq!(second.administer("/admin/drift/reset").status, 200);
    assert_eq!(drift(&first)["epoch"]["number"], 2);
    // The numbers of one that gets no images are the others', too, after a while.
    send_like(&first, &familiar, 3);
    eventually("the reset in the metrics of the idle one", || {
        let label = [("verdict", "insufficient_data")];
        let numbers = crate::exposition::Exposition::of(&second);
        numbers.value("sdd_drift_verdict", &label) == Some(1.0)
    });
}

//! What goes wrong with a database, and that requests do not hear of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Watched, drift, images_ever, observations, send};
use crate::client::Client;
use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::postgres::{self, Cluster, PASSWORD};
use crate::server::{command, picture, refusal};

#[test]
fn a_database_that_stops_or_crashes_costs_no_request_and_no_observation() {
    let cluster = Cluster::start("-c fsync=on");
    let database = cluster.database();
    let watched = Watched::on(database.url());
    let server = watched.serve(&[]);
    let image = picture("png_rgb.png");
    send(&server, &image, 10);
    let mut expected = 10;
    for mode in ["fast", "immediate"] {
        cluster.stop(mode);
        let mut client = Client::new(&server.address());
        for _ in 0..30 {
            let asked = Instant::now();
            assert_eq!(client.predict(&image).unwrap().status, 200);
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        }
        expected += 30;
        server.wait_for("not recorded for now");
        let answer = server.get("/drift");
        assert_eq!((answer.status, answer.code()), (503, "monitor_unavailable"));
        assert_eq!(Exposition::of(&server).number("sdd_drift_recording"), 0);
        cluster.resume();
        eventually("what waited is written", || {
            server.get("/drift").status == 200 && images_ever(&server) == expected
        });
        eventually("recording again", || drift(&server)["recording"]["available"] == true);
    }
    let all = observations(&server, 100);
    assert_eq!(all.len() as u64, expected);
    assert_eq!(drift(&server)["recording"]["unrecorded_images"], 0);
}

#[test]
fn a_database_that_hangs_holds_up_no_answer() {
    let cluster = Cluster::start("-c fsync=off");
    let database = cluster.database();
    let watched = Watched::on(database.url());
    let server = watched.serve(&[]);
    let image = picture("png_rgb.png");
    send(&server, &image, 10);
    cluster.signal("-STOP");
    let mut client = Client::new(&server.address());
    for _ in 0..20 {
        let asked = Instant::now();
        assert_eq!(client.predict(&image).unwrap().status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    let said = server.wait_for("not recorded for now");
    assert!(said.contains("does not answer in time"), "{said}");
    cluster.signal("-CONT");
    eventually("what waited is written", || {
        server.get("/drift").status == 200 && images_ever(&server) == 30
    });
    assert_eq!(observations(&server, 100).len(), 30);
}

/// Nobody who asks for anything else waits for the dashboards that do.
#[test]
fn a_database_that_is_locked_behind_many_dashboards_holds_up_nothing_else() {
    let cluster = Cluster::start("-c fsync=off");
    let database = cluster.database();
    let server = Watched::on(database.url()).serve(&[]);
    let image = picture("png_rgb.png");
    send(&server, &image, 10);
    let done = AtomicBool::new(false);
    let (told, unavailable) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let lock =
                "BEGIN; LOCK TABLE sdd_monitor.pair, sdd_monitor.observation; SELECT pg_sleep(8)";
            database.sql(lock);
        });
        eventually("the lock", || {
            let held =
                "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted";
            database.sql(held) != "0"
        });
        for i in 0..80 {
            let (told, unavailable, done) = (&told, &unavailable, &done);
            let address = server.address();
            scope.spawn(move || {
                let mut client = Client::new(&address);
                let begin = Instant::now();
                while !done.load(Ordering::SeqCst) && begin.elapsed() < Duration::from_secs(30) {
                    let path = ["/drift", "/drift/history", "/drift/observations"][i % 3];
                    let answer = client.get(path).unwrap();
                    match (answer.status, answer.code()) {
                        (503, "overloaded") => {
                            assert_eq!(answer.header("retry-after"), Some("1"));
                            told.fetch_add(1, Ordering::SeqCst);
                        }
                        (503, "monitor_unavailable") => {
                            unavailable.fetch_add(1, Ordering::SeqCst);
                        }
                        // The lock has gone meanwhile.
                        (200, _) => {}
                        other => panic!("{other:?}"),
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
        eventually("a full queue", || told.load(Ordering::SeqCst) > 0);
        let mut client = Client::new(&server.address());
        for _ in 0..10 {
            for path in ["/metrics", "/readyz", "/v2"] {
                let asked = Instant::now();
                assert_eq!(client.get(path).unwrap().status, 200, "{path}");
                assert!(asked.elapsed() < Duration::from_secs(2), "{path} {:?}", asked.elapsed());
            }
            let asked = Instant::now();
            assert_eq!(client.predict(&image).unwrap().status, 200);
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        }
        eventually("an answer that there is none", || unavailable.load(Ordering::SeqCst) > 0);
        done.store(true, Ordering::SeqCst);
    });
    eventually("what waited is written", || {
        server.get("/drift").status == 200 && images_ever(&server) == 20
    });
}

#[test]
fn a_database_that_is_away_when_the_server_starts_is_waited_for() {
    let cluster = Cluster::start("-c fsync=off");
    let database = cluster.database();
    let watched = Watched::on(database.url());
    cluster.stop("fast");
    let server = watched.serve(&[]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    cluster.resume();
    eventually("what waited is written", || {
        server.get("/drift").status == 200 && images_ever(&server) == 1
    });
}

#[test]
fn a_database_that_refuses_keeps_the_server_from_starting_and_no_password_is_said() {
    let cluster = postgres::shared();
    let database = cluster.database();
    database.sql("CREATE ROLE sdd_without_rights LOGIN PASSWORD 'open-sesame'");
    let newer = cluster.database();
    newer.sql("CREATE SCHEMA sdd_monitor; CREATE TABLE sdd_monitor.version AS SELECT 99::bigint AS version");
    for (url, hint) in [
        (database.url_of("postgres", "wrong-sesame"), "user and password"),
        (database.url().replace(database.name(), "not_there"), "create the database"),
        (
            database.url_of("sdd_without_rights", PASSWORD),
            "CREATE SCHEMA sdd_monitor AUTHORIZATION",
        ),
        (newer.url(), "version 99"),
        ("postgres://postgres:sesame@127.0.0.1:port/d".into(), "expected postgres://"),
        ("postgres://postgres:sesame@127.0.0.1/d?sslmode=maybe".into(), "expected sslmode"),
    ] {
        let own = Watched::on(url).arguments();
        let (code, said) = refusal(&own.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(hint) && said.contains("--monitor"), "{said}");
        assert!(!said.contains("sesame"), "{said}");
    }
    let mut help = command();
    help.arg("--help").env("SDD_MONITOR", database.url()).stdout(std::process::Stdio::piped());
    let help = help.output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("SDD_MONITOR") && !help.contains(PASSWORD), "{help}");
    // Nor in a log.
    let log = Watched::on(database.url()).serve(&[]).stop();
    assert!(log.iter().all(|line| !line.contains(PASSWORD)), "{log:#?}");
    assert!(!log.is_empty());
}

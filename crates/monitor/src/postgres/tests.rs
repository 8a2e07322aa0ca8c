#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use super::*;
use crate::error::Error;
use crate::laws::cluster::{self, Cluster, PASSWORD};
use crate::laws::{monitor, observations, pair};

fn open(url: &str) -> Result<PostgresMonitorStore> {
    PostgresMonitorStore::open(&url.parse().unwrap(), 1000)
}

fn refused(url: &str) -> Error {
    open(url).unwrap_err()
}

fn images(store: &mut PostgresMonitorStore) -> u64 {
    store.state(&pair("a"), &monitor()).unwrap().sequence()
}

#[test]
fn who_may_not_is_told_what_to_do_and_never_the_password() {
    let cluster = cluster::shared();
    let database = cluster.database();
    database.sql("CREATE ROLE sdd_reader LOGIN PASSWORD 'sesame'");
    let own = format!("{}/{}", cluster.port(), database.name());
    for (url, hint) in [
        (database.url_of("postgres", "wrong-password"), "user and password"),
        (database.url_of("nobody-here", "wrong-password"), "user and password"),
        (format!("postgres://postgres@127.0.0.1:{own}"), "password"),
        (database.url().replace(database.name(), "not_there"), "create the database"),
        (database.url_of("sdd_reader", "sesame"), "CREATE SCHEMA sdd_monitor AUTHORIZATION"),
        (format!("{}?sslmode=require", database.url()), "sslmode"),
        (format!("{}?sslmode=verify-full&sslrootcert=/not/there", database.url()), "sslrootcert"),
    ] {
        let error = refused(&url);
        assert_eq!(error.code(), "monitor_database_refuses", "{error:?}");
        let said = format!("{error} {error:?}");
        assert!(said.contains(hint) && said.contains("127.0.0.1"), "{said}");
        assert!(!said.contains("wrong-password") && !said.contains("sesame@"), "{said}");
    }
    assert_eq!(
        database.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'sdd_monitor'"),
        "0"
    );
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refused(&database.url_at("postgres", PASSWORD, nobody));
    assert_eq!(error.code(), "monitor_database_unavailable", "{error:?}");
}

/// As docs/drift.md has it.
#[test]
fn a_schema_that_an_administrator_has_made_is_all_that_an_ordinary_user_needs() {
    let database = cluster::shared().database();
    database.sql(&format!(
        "CREATE ROLE sdd LOGIN PASSWORD 'sesame'; REVOKE ALL ON DATABASE {} FROM PUBLIC; \
         GRANT CONNECT ON DATABASE {} TO sdd; CREATE SCHEMA sdd_monitor AUTHORIZATION sdd",
        database.name(),
        database.name()
    ));
    let mut store = open(&database.url_of("sdd", "sesame")).unwrap();
    store.apply(&pair("a"), &monitor(), &observations(0..3)).unwrap();
    // A second user may be let in, and a table that is taken away is told of.
    database.sql("REVOKE ALL ON sdd_monitor.observation FROM sdd");
    let error = store.apply(&pair("a"), &monitor(), &observations(3..4)).unwrap_err();
    assert_eq!(error.code(), "monitor_database_refuses", "{error:?}");
    database.sql("GRANT ALL ON sdd_monitor.observation TO sdd");
    assert_eq!(images(&mut store), 3);
}

#[test]
fn certificates_are_checked_as_sslmode_asks() {
    let issue = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let [own, other] = ["localhost", "elsewhere.example"].map(issue);
    let cluster = Cluster::start("-c fsync=off");
    let folder = cluster.folder().to_owned();
    let data = folder.join("data");
    for (name, content) in
        [("server.crt", own.cert.pem()), ("server.key", own.signing_key.serialize_pem())]
    {
        std::fs::write(data.join(name), content).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(data.join(name), mode).unwrap();
        let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&data).unwrap());
        std::os::unix::fs::chown(data.join(name), Some(owner), None).unwrap();
    }
    cluster.sql("postgres", "ALTER SYSTEM SET ssl = on");
    cluster.stop("fast");
    cluster.resume();
    for (name, certificate) in [("own.pem", &own), ("other.pem", &other)] {
        std::fs::write(folder.join(name), certificate.cert.pem()).unwrap();
    }
    let database = cluster.database();
    let url = |host: &str, options: &str| {
        let roots = |name: &str| folder.join(name).display().to_string();
        let options =
            options.replace("OWN", &roots("own.pem")).replace("OTHER", &roots("other.pem"));
        format!("{}?{options}", database.url().replace("127.0.0.1", host))
    };
    for (options, encrypted) in [
        ("sslmode=disable", "f"),
        ("", "t"),
        ("sslmode=prefer", "t"),
        ("sslmode=require", "t"),
        ("sslmode=verify-full&sslrootcert=OWN", "t"),
    ] {
        let mut store = open(&url("localhost", options)).unwrap();
        store.pairs().unwrap();
        let query = "SELECT bool_or(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'sdd-monitor'";
        assert_eq!(cluster.sql("postgres", query), encrypted, "{options}");
        drop(store);
        let gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sdd-monitor'";
        while cluster.sql("postgres", gone) != "0" {}
    }
    for (host, options) in [
        ("localhost", "sslmode=verify-full"),
        ("localhost", "sslmode=verify-full&sslrootcert=OTHER"),
        ("127.0.0.1", "sslmode=verify-full&sslrootcert=OWN"),
    ] {
        let error = refused(&url(host, options));
        assert_eq!(error.code(), "monitor_database_refuses", "{error:?}");
        assert!(error.to_string().contains("sslmode"), "{error}");
    }
}

/// Between the store and the server: passes everything on, until it is told to lose a COMMIT.
struct Proxy {
    port: u16,
    lose: Arc<AtomicU8>,
}

const NOTHING: u8 = 0;
/// The server does not see it.
const REQUEST: u8 = 1;
/// The server does it, and the store does not hear of it.
const ANSWER: u8 = 2;

impl Proxy {
    fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let lose = Arc::new(AtomicU8::new(NOTHING));
        let losing = Arc::clone(&lose);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || pass(from, to));
                let losing = Arc::clone(&losing);
                std::thread::spawn(move || pass_requests(client, server, &losing));
            }
        });
        Self { port, lose }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

fn pass_requests(mut client: TcpStream, mut server: TcpStream, lose: &AtomicU8) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        let request = &buffer[..length];
        if request.windows(6).any(|six| six == b"COMMIT") {
            let what = lose.swap(NOTHING, Ordering::SeqCst);
            if what != NOTHING {
                client.shutdown(Shutdown::Both).unwrap();
            }
            if what == REQUEST {
                break;
            }
        }
        if server.write_all(request).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
    let _ = client.shutdown(Shutdown::Both);
}

#[test]
fn a_commit_that_nobody_knows_the_end_of_counts_once() {
    let cluster = cluster::shared();
    let database = cluster.database();
    let proxy = Proxy::start(cluster.port());
    let mut store = open(&database.url_at("postgres", PASSWORD, proxy.port)).unwrap();
    let monitor = monitor();
    let mut expected = 0;
    for round in 0..12_u32 {
        // The store itself tries once more, by another connection.
        proxy.lose.store([REQUEST, ANSWER][round as usize % 2], Ordering::SeqCst);
        expected += 7;
        let batch = observations(7 * round..7 * round + 7);
        let state = store.apply(&pair("a"), &monitor, &batch).unwrap();
        assert_eq!(state.sequence(), expected, "{round}");
        assert_eq!(proxy.lose.load(Ordering::SeqCst), NOTHING);
    }
    // As does the next store of the same writer, where this one had no time for it.
    let delivery = Some(Delivery { writer: "one", number: 3 });
    let batch = observations(0..5);
    store.deliver(&pair("a"), &monitor, delivery, &batch).unwrap();
    drop(store);
    let mut store = open(&database.url()).unwrap();
    let state = store.deliver(&pair("a"), &monitor, delivery, &batch).unwrap();
    assert_eq!(state.sequence(), expected + 5);
    let rows = store.observations(&pair("a"), Page { before: None, limit: 999 }).unwrap();
    assert_eq!(rows.len() as u64, expected + 5);
}

#[test]
fn a_server_that_was_restarted_or_crashed_is_gone_on_with() {
    let cluster = Cluster::start("-c fsync=on");
    let database = cluster.database();
    let mut store = open(&database.url()).unwrap();
    let monitor = monitor();
    for (mode, expected) in [("fast", 10), ("immediate", 20)] {
        store.apply(&pair("a"), &monitor, &observations(0..5)).unwrap();
        cluster.stop(mode);
        let error = store.apply(&pair("a"), &monitor, &observations(0..5)).unwrap_err();
        assert_eq!(error.code(), "monitor_database_unavailable", "{error:?}");
        cluster.resume();
        store.apply(&pair("a"), &monitor, &observations(0..5)).unwrap();
        // What was written before the crash is there.
        assert_eq!(images(&mut store), expected);
        // Between two calls it is not even noticed.
        cluster.stop(mode);
        cluster.resume();
        assert_eq!(images(&mut store), expected);
    }
}

#[test]
fn a_server_that_hangs_is_given_up_and_a_lock_is_told_as_one() {
    let cluster = Cluster::start("-c fsync=off");
    let database = cluster.database();
    let mut store = open(&database.url()).unwrap();
    let monitor = monitor();
    store.apply(&pair("a"), &monitor, &observations(0..5)).unwrap();

    cluster.signal("-STOP");
    let asked = Instant::now();
    let error = store.apply(&pair("a"), &monitor, &observations(0..5)).unwrap_err();
    assert_eq!(error.code(), "monitor_database_unavailable", "{error:?}");
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    cluster.signal("-CONT");
    assert_eq!(store.apply(&pair("b"), &monitor, &observations(0..5)).unwrap().sequence(), 5);

    // Another process stands still in the middle of a transaction.
    let mut other = open(&database.url()).unwrap();
    let held = other.run("write", async |handle| lock(handle, &pair("b")).await.map(|(id, _)| id));
    held.unwrap();
    let error = store.apply(&pair("b"), &monitor, &observations(0..5)).unwrap_err();
    assert_eq!(error.code(), "monitor_database_unavailable", "{error:?}");
    assert!(error.to_string().contains("locked"), "{error}");
    // Not for ever.
    let asked = Instant::now();
    while store.apply(&pair("b"), &monitor, &observations(0..5)).is_err() {
        assert!(asked.elapsed() < Duration::from_secs(20));
    }
}

/// Of another server, which may be at work at the time.
#[test]
fn tables_of_the_first_version_are_brought_up_by_whoever_comes_first_and_nothing_is_lost() {
    let database = cluster::shared().database();
    database.sql(&format!(
        "CREATE SCHEMA sdd_monitor; {} UPDATE sdd_monitor.version SET version = 1",
        schema::STEPS[0]
    ));
    // As that version left it.
    database.sql(
        r#"INSERT INTO sdd_monitor.pair (model_sha256, reference_sha256, notice, writers, seen_ms, state)
        VALUES ('m', 'a', '', '{"gone":[7,1700000000000]}', 1700000000000, '{"format_version":1,"sequence":60,
        "last_ms":59,"epoch":{"number":1,"began_ms":0,"began_after":0,"because":"first"},"cusum":0.5}')"#,
    );
    let address: PostgresAddress = database.url().parse().unwrap();
    let refused = PostgresMonitorStore::open_to_read(&address).map(drop).unwrap_err();
    assert!(refused.to_string().contains("start a server of this version"), "{refused:?}");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut store = open(&database.url()).unwrap();
                store.apply(&pair("a"), &monitor(), &observations(60..70)).unwrap();
            });
        }
    });
    let expected = format!("1|{}", schema::STEPS.len());
    assert_eq!(database.sql("SELECT count(*), max(version) FROM sdd_monitor.version"), expected);
    let mut store = PostgresMonitorStore::open_to_read(&address).unwrap();
    assert_eq!(images(&mut store), 100);
    // As docs/drift.md has it: an image of a server of before that was connected is not taken.
    database.sql(
        "DO $$ BEGIN \
         INSERT INTO sdd_monitor.observation (pair, sequence, epoch, time_ms, request_id, predicted_class, \
         confidence, score, p_value, out_of_distribution, neighbors, image_sha256, e_value, cusum) \
         SELECT id, 101, 1, 5, '', 'good', 0.5, 0.5, 0.5, false, '[]', NULL, 1, 0 FROM sdd_monitor.pair; \
         RAISE 'it was taken'; \
         EXCEPTION WHEN undefined_column THEN NULL; END $$",
    );
    // What it makes of a state that it cannot read, when it is asked for a new epoch, is gone on from.
    database.sql(
        r#"UPDATE sdd_monitor.pair SET writers = '', state = '{"format_version":2,"sequence":100,"last_ms":69,
        "epoch":{"number":2,"began_ms":70,"began_after":100,"because":"reset"}}'"#,
    );
    let mut store = open(&database.url()).unwrap();
    for i in 0..2 {
        let state = store.apply(&pair("a"), &monitor(), &observations(70 + i..71 + i)).unwrap();
        assert_eq!((state.sequence(), state.epoch()), (101 + u64::from(i), 3));
    }
}

#[test]
fn who_reads_a_locked_table_is_told_and_leaves_nobody_waiting_in_the_database() {
    let database = cluster::shared().database();
    let mut store = open(&database.url()).unwrap();
    store.apply(&pair("a"), &monitor(), &observations(0..5)).unwrap();
    let mut other = open(&database.url()).unwrap();
    let lock =
        "BEGIN; LOCK TABLE sdd_monitor.observation; SET idle_in_transaction_session_timeout = 0";
    other.run("lock", async |handle| Ok(handle.client.batch_execute(lock).await?)).unwrap();
    let page = Page { before: None, limit: 9 };
    let error = store.observations(&pair("a"), page).unwrap_err();
    assert_eq!(error.code(), "monitor_database_unavailable", "{error:?}");
    assert!(error.to_string().contains("locked"), "{error}");
    let waiting = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database \
                   WHERE NOT granted AND datname = current_database()";
    assert_eq!(database.sql(waiting), "0");
    other.run("unlock", async |handle| Ok(handle.client.batch_execute("COMMIT").await?)).unwrap();
    assert_eq!(store.observations(&pair("a"), page).unwrap().len(), 5);
}

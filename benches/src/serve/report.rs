//! The comparison as Markdown, for the terminal and the README.

use std::fmt::Write as _;

use super::compare::{Round, Workload};
use super::growth::Growth;
use super::program::Precision::{self, Fp32, Int8};
use super::program::Program::{self, Ours, OursWithDrift, Peer};
use super::run::Run;
use crate::samples::Quartiles;

/// A ratio that is wanted, by precision of ours and of the peer: of parts' images and of 1080p ones.
const WANTED: [(Program, Precision, Precision, [Option<f64>; 2]); 4] = [
    (Ours, Fp32, Fp32, [Some(1.4), Some(1.5)]),
    (Ours, Int8, Int8, [Some(1.6), None]),
    (Ours, Int8, Fp32, [Some(2.2), None]),
    (OursWithDrift, Fp32, Fp32, [None, None]),
];

/// The throughput of each pair, with ratios within rounds.
pub fn throughput(workloads: &[Workload]) -> String {
    let mut text = String::from(
        "| images | sdd-server | FastAPI | requests/s | requests/s | ratio (range) | wanted | \
         share of the limit |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (kind, workload) in workloads.iter().enumerate() {
        for (program, precision, peer_precision, wanted) in WANTED {
            let (Some(ours), Some(peer)) =
                (workload.place(program, precision), workload.place(Peer, peer_precision))
            else {
                continue;
            };
            let rate = |i: usize| workload.over_rounds(|round| round.loaded[i].throughput).median;
            let ratio =
                |round: &Round| round.loaded[ours].throughput / round.loaded[peer].throughput;
            let share = workload
                .over_rounds(|r| r.loaded[ours].throughput / r.limit(precision).strict())
                .median;
            let drift = if program == OursWithDrift { " with drift" } else { "" };
            line(
                &mut text,
                &[
                    workload.images.clone(),
                    format!("{}{drift}", precision.name()),
                    peer_precision.name().into(),
                    format!("{:.1}", rate(ours)),
                    format!("{:.1}", rate(peer)),
                    with_range(workload, ratio),
                    wanted.get(kind).copied().flatten().map_or("–".into(), at_least),
                    format!("{:.0} %", 100.0 * share),
                ],
            );
        }
    }
    text
}

/// What else is wanted of the server, with the peer's value beside it. The peer's threads do HTTP
/// and inference alike, so of it only the difference to the limit can be given.
pub fn costs(workload: &Workload, starts: &[Quartiles; 2]) -> String {
    let mut text = String::from(
        "| | sdd-server | FastAPI | wanted of sdd-server |\n| --- | --- | --- | --- |\n",
    );
    let mut rows = loaded(workload);
    rows.push(single(workload));
    rows.push(("start to ready", starts.map(|s| format!("{:.2} s", s.median)), "≤ 0.5 s"));
    for (what, [ours, peer], wanted) in rows {
        line(&mut text, &[what.into(), ours, peer, wanted.into()]);
    }
    text
}

/// What is measured, of ours and of the peer, and what is wanted of ours.
type Row = (&'static str, [String; 2], &'static str);

/// The medians over the rounds of a value of ours and of the peer, both with the fp32 file.
fn both(workload: &Workload, value: impl Fn(&Round, usize) -> f64) -> [f64; 2] {
    [Ours, Peer].map(|program| match workload.place(program, Fp32) {
        Some(place) => workload.over_rounds(|round| value(round, place)).median,
        None => f64::NAN,
    })
}

fn loaded(workload: &Workload) -> Vec<Row> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let strict = both(workload, |r, i| r.loaded[i].throughput / r.limit(Fp32).strict());
    let busy = both(workload, |r, i| r.loaded[i].throughput / r.limit(Fp32).loaded());
    let [http, _] = both(workload, |r, i| r.loaded[i].ms_each(r.loaded[i].usage.others));
    let beyond = both(workload, |r, i| {
        r.loaded[i].ms_each(r.loaded[i].usage.total) - 1e3 * r.limit(Fp32).together.cpu_s
    });
    let [half, most] =
        [0, 2].map(|quantile| both(workload, |r, i| 1e3 * r.loaded[i].latency_s[quantile]));
    let resident = both(workload, |r, i| r.loaded[i].memory.resident as f64);
    let counted_once = both(workload, |r, i| r.loaded[i].memory.proportional as f64);
    vec![
        ("share of the limit, by the CPU time of one thread alone", strict.map(percent), "≥ 92 %"),
        ("share of the limit, by the CPU time with all cores busy", busy.map(percent), "–"),
        (
            "HTTP, multipart and JSON: CPU time a request of the threads that do not infer",
            [format!("{http:.2} ms"), "–".into()],
            "≤ 0.4 ms",
        ),
        (
            "CPU time a request beyond decoding and inference, all cores busy",
            beyond.map(|ms| format!("{ms:.1} ms")),
            "–",
        ),
        (
            "latency under that load, median and 99 %",
            [0, 1].map(|i| format!("{:.0} ms, {:.0} ms", half[i], most[i])),
            "–",
        ),
        (
            "resident memory, and with pages that processes share counted once",
            [0, 1].map(|i| {
                let [all, once] = [resident[i], counted_once[i]].map(mebibytes);
                format!("{all:.0} MiB, {once:.0} MiB")
            }),
            "below the peer's",
        ),
    ]
}

fn single(workload: &Workload) -> Row {
    let ms = both(workload, |r, i| 1e3 * r.single[i].latency_s[0]);
    let ratio = both(workload, |r, i| r.single[i].latency_s[0] / r.limit(Fp32).alone.wall_s);
    (
        "one client's median latency, and as a multiple of decoding and inference alone",
        [0, 1].map(|i| format!("{:.1} ms, {:.2} x", ms[i], ratio[i])),
        "≤ 1.15 x",
    )
}

/// What was measured beside, in words.
pub fn notes(workloads: &[Workload]) -> String {
    let runs = || {
        let rounds = workloads.iter().flat_map(|workload| &workload.rounds);
        rounds.flat_map(|round| round.loaded.iter().chain(&round.single))
    };
    let failed: usize = runs().map(|run| run.failed).sum();
    let client =
        Quartiles::of(runs().map(|run: &Run| run.ms_each(run.client_cpu)).collect()).median;
    let mut text = format!(
        "- Requests that failed: {failed}. The load generator took {client:.2} ms of CPU time a request.\n\
         - The limits are measured, too, each round in runs of their own, and the CPU time of the same \
         work changes by some percent from run to run, the more so with all cores busy. A share above \
         100 % or a CPU time below 0 says that the server comes as close to the limit as can be measured, \
         not that it is faster."
    );
    for workload in workloads {
        for precision in [Fp32, Int8] {
            let of = |value: &dyn Fn(&Round) -> f64| workload.over_rounds(value).median;
            let alone = 1e3 * of(&|r| r.limit(precision).alone.cpu_s);
            let together = 1e3 * of(&|r| r.limit(precision).together.cpu_s);
            let [decode, resize] =
                [0, 1].map(|i| alone * of(&|r| r.limit(precision).alone.shares[i]));
            // Writing into a String cannot fail.
            let _ = write!(
                text,
                "\n- Limit of {}, {}: {alone:.2} CPU-ms an image on one thread alone (decoding \
                 {decode:.2}, preprocessing {resize:.2}), {together:.2} with all cores busy.",
                workload.images,
                precision.name()
            );
        }
    }
    text
}

/// Memory before and after many uploads.
pub fn growth(growths: &[Growth]) -> String {
    let mut text = String::from(
        "| | resident after the warm-up | after 10,000 uploads more | growth | wanted |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for growth in growths {
        let at = |memory: Option<&super::accounting::Memory>| {
            memory.map_or(0.0, |memory| mebibytes(memory.resident as f64))
        };
        let wanted = if growth.setup.program == Peer { "–" } else { "< 1 MiB" };
        line(
            &mut text,
            &[
                growth.setup.name(),
                format!("{:.1} MiB", at(growth.memory.first())),
                format!("{:.1} MiB", at(growth.memory.last())),
                format!("{:+.2} MiB", mebibytes(growth.bytes() as f64)),
                wanted.into(),
            ],
        );
    }
    text
}

fn line(text: &mut String, cells: &[String]) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn with_range(workload: &Workload, ratio: impl Fn(&Round) -> f64) -> String {
    let median = workload.over_rounds(&ratio).median;
    let [low, high] = [f64::min, f64::max]
        .map(|pick| workload.rounds.iter().map(&ratio).reduce(pick).unwrap_or(f64::NAN));
    format!("**{median:.2}** ({low:.2} to {high:.2})")
}

fn at_least(wanted: f64) -> String {
    format!("≥ {wanted}")
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

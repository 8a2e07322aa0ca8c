//! The process, by the names that Prometheus's own clients give to it.

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, WithCurrentSystemInfo};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

/// What the operating system says of it; empty where it does not.
pub(crate) fn registry() -> Registry {
    let mut registry = Registry::with_prefix("process");
    if let Err(error) = add_all(&mut registry) {
        tracing::debug!("the process's own numbers cannot be read: {error}");
    }
    registry
}

fn add_all(registry: &mut Registry) -> ProcResult<()> {
    let process = Process::myself()?;
    let stat = process.stat()?;
    let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
    registry.register_with_unit(
        "cpu",
        "Time that the process has had a core, in its own code and in the system's",
        Unit::Seconds,
        ConstCounter::new(seconds(stat.utime + stat.stime)),
    );
    let started = procfs::boot_time_secs()? as f64 + seconds(stat.starttime);
    registry.register_with_unit(
        "start_time",
        "When the process was started, since 1970",
        Unit::Seconds,
        ConstGauge::new(started),
    );
    let resident = stat.rss_bytes().get();
    for (name, help, value) in [
        ("resident_memory", "Memory that the process has, without what is swapped out", resident),
        ("virtual_memory", "Addresses that the process has asked for", stat.vsize),
    ] {
        registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(value));
    }
    let threads = ConstGauge::new(stat.num_threads);
    registry.register("threads", "Threads of the process", threads);
    let open = ConstGauge::new(process.fd_count()? as u64);
    registry.register("open_fds", "Open file descriptors", open);
    if let LimitValue::Value(most) = process.limits()?.max_open_files.soft_limit {
        registry.register("max_fds", "Open file descriptors at most", ConstGauge::new(most));
    }
    Ok(())
}

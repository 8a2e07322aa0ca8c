//! What the program does, as its arguments ask for it: serving, and the subcommands beside that.

use std::io::Write;
use std::mem::ManuallyDrop;
use std::process::ExitCode;
use std::sync::Arc;

use sdd_serving::causes::causes_of;
use signal_hook::low_level;

use crate::error::way_back;
use crate::security::keys;
use crate::settings::{self, Command, ReadSettings, Settings, SettingsError};
use crate::{Application, health, telemetry};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

/// Does what the arguments say. 0: served until told to stop, or healthy. 2: could not start, or is not healthy.
#[must_use]
pub fn main() -> ExitCode {
    sdd_core::runtime::without_telemetry();
    let Err(error) = run() else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    for cause in causes_of(error.as_ref()).skip(1) {
        eprintln!("  because: {cause}");
    }
    if let Some(command) = way_back(error.as_ref()) {
        eprintln!("  what helps: {command}");
    }
    ExitCode::from(2)
}

fn run() -> Result {
    let read = match settings::read(std::env::args_os()) {
        // With its own words, colors and exit code, also for --help.
        Err(SettingsError::Arguments(error)) => error.exit(),
        read => read?,
    };
    match &read.cli.command {
        Some(Command::Health) => health::check(&read.cli.settings),
        Some(Command::Key) => make_key(),
        Some(Command::Config) => show_config(&read),
        None => serve(&read.cli.settings),
    }
}

/// Ends the process once it has been told to stop; returns only where something went wrong.
fn serve(settings: &Settings) -> Result {
    let log = telemetry::init(settings.telemetry.log_format);
    // Writing past the longest file that the system allows (`ulimit -f`) is an error like a full disk, of one capture
    // or of the monitor, and no end of the server.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
    sdd_index::check_cpu()?;
    // Dropping it would wait for what its threads have begun, as a reload that nothing can interrupt.
    let system = ManuallyDrop::new(actix_web::rt::System::new());
    system.block_on(async {
        let application = Application::build(settings)?;
        Ok::<_, Box<dyn std::error::Error>>(application.run_until_stopped().await?)
    })?;
    drop(log);
    // All that is to be kept has been written by now. No hooks of libraries: they would take apart what
    // a thread that still loads a model is using.
    low_level::exit(0)
}

/// What holds, unless a start would refuse it before it opens any model, reference or monitor.
fn show_config(read: &ReadSettings) -> Result {
    let settings = &read.cli.settings;
    settings.drift.tests().check()?;
    settings.drift.place()?;
    settings.telemetry.traces_url(|name| std::env::var(name).ok())?;
    keys::KeyRing::open(&settings.security)?;
    Ok(write!(std::io::stdout(), "{}", settings::effective_text(read))?)
}

fn make_key() -> Result {
    let (key, hash) = keys::generate()?;
    Ok(writeln!(std::io::stdout(), "key     {key}\nSHA-256 {hash}")?)
}

//! The command line.

// Both panic where nobody reads, or where the disk is full: `command::output` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod command;

use std::{
    env, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use panoptes_config::{Config, Flags, LogFormat, load};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::error;
use tracing_subscriber::EnvFilter;

use self::command::output::complain;

/// The configuration, or the command line, is at fault.
const EXIT_USAGE: u8 = 2;
/// It was right, and could not be done.
const EXIT_FAILURE: u8 = 1;

/// Passes every byte between applications and their database on, and writes one event per statement.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the proxy until SIGTERM or SIGINT.
    Run(Options),
    /// Say what is wrong in a configuration, and what to do about it.
    Check(Options),
    /// Say what the audit would say of SQL: one JSON line a statement.
    Classify(command::classify::Classify),
    /// Make the key pair that signs the chain of events, and checks it.
    Keys(command::keys::Keys),
    /// Say whether a trail is whole: a journal, or the files of a sink.
    Verify(command::verify::Verify),
    /// Show the journal's state, export a range of it, or send one, or dead letters, to a sink again.
    Journal(command::journal::Journal),
    /// Print the DDL of the table that a database sink writes to.
    Schema(command::schema::Schema),
}

/// Where the configuration comes from: file, then `PANOPTES_…` variables, then these flags.
#[derive(Args, Default)]
struct Options {
    /// Configuration file (TOML).
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where clients connect, e.g. 127.0.0.1:6432.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The database, e.g. postgres://127.0.0.1:5432.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Folder of the journal.
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Where events go: console, console=lines|json|pretty, file=PATH. May be repeated.
    #[arg(long = "sink", value_name = "SINK")]
    sinks: Vec<String>,
    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// Form of the program's own log on standard error.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<Format>,
    /// Events on the console as bare JSON lines; the same as --sink console=json.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(options) => run(options),
        Command::Check(options) => command::check::run(options),
        Command::Classify(classify) => classify.run(),
        Command::Keys(keys) => keys.run(),
        Command::Verify(verify) => verify.run(),
        Command::Journal(journal) => journal.run(),
        Command::Schema(schema) => schema.run(),
    }
}

fn run(options: Options) -> ExitCode {
    let Ok(config) = configuration(options) else { return ExitCode::from(EXIT_USAGE) };
    if let Err(error) = start_log(&config) {
        complain(format_args!("panoptes: log.level: {error}"));
        return ExitCode::from(EXIT_USAGE);
    }
    match panoptes::run(&config, ended()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The configuration; what is wrong with it is told here.
fn configuration(options: Options) -> Result<Config, ()> {
    let Options { config, listen, upstream, journal, mut sinks, admin, log_format, json } = options;
    if json {
        sinks.push("console=json".into());
    }
    let log_format = log_format.map(Into::into);
    let flags = Flags { listen, upstream, journal, admin, sinks, log_format };
    let variables = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load(config.as_deref().map(Path::new), variables, &flags).map_err(|errors| {
        complain(errors);
    })
}

fn start_log(config: &Config) -> Result<(), String> {
    let level = EnvFilter::try_new(&config.log.level).map_err(|error| error.to_string())?;
    // A log that cannot be written is lost, and nothing else: to say so would be an eprintln!, which panics.
    let log =
        tracing_subscriber::fmt().with_env_filter(level).with_writer(io::stderr).log_internal_errors(false);
    match config.log.format {
        LogFormat::Json => log.json().try_init(),
        LogFormat::Text => log.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
    }
    .map_err(|error| error.to_string())
}

/// Ready at SIGTERM or SIGINT, and what it gives at the next one.
async fn ended() -> impl Future<Output = ()> {
    let (Ok(mut term), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        error!("signals cannot be caught: only SIGKILL ends this process");
        return std::future::pending().await;
    };
    told(&mut term, &mut interrupt).await;
    // A signal that comes before this is looked at is not missed.
    async move { told(&mut term, &mut interrupt).await }
}

async fn told(term: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}

//! What no single value can tell: bounds, and options that contradict each other.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use crate::{ByteSize, Config, Journal, Listen, Mode, Upstream, key::Key, load::Reader, sink};

/// Names are in every event.
const MAX_NAME_BYTES: usize = 128;
/// The name of a sink is also that of its cursor's file and a label of metrics.
const MAX_SINK_NAME_BYTES: usize = 64;
/// More threads than any machine has cores are a slip.
const MAX_THREADS: usize = 1_024;
/// Every wait here is one of seconds or minutes.
const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);
/// A segment holds at least one event of the default limits.
const MIN_SEGMENT_SIZE: ByteSize = ByteSize::kib(64);

/// Checks what was read and folds the names of environments.
pub(crate) fn check(config: &mut Config, listeners: &[(Key, Listen)], reader: &mut Reader) {
    check_names(config, reader);
    check_listeners(listeners, config.admin.address, config.journal.mode, reader);
    check_journal(&config.journal, reader);
    sink::check(&config.sinks, &config.journal.dir, reader);
    check_amounts(config, reader);
}

/// Whether a text can name an application or an instance.
pub(crate) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_NAME_BYTES && !text.contains(char::is_control)
}

/// What is wrong with the name of a sink.
pub(crate) fn sink_name(name: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    let good = name.bytes().all(allowed) && name.starts_with(|c: char| c.is_ascii_lowercase());
    match good && name.len() <= MAX_SINK_NAME_BYTES {
        true => Ok(()),
        false => Err(format!(
            "is no name for a sink; use a-z, 0-9, _ and -, a letter first, at most {MAX_SINK_NAME_BYTES}"
        )),
    }
}

fn check_names(config: &mut Config, reader: &mut Reader) {
    for (key, name) in [("app_name", &config.app_name), ("instance", &config.instance)] {
        if !is_name(name) {
            let what =
                format!("{name:?} is no name; write 1 to {MAX_NAME_BYTES} bytes without control characters");
            reader.refuse(&Key::of(key), what);
        }
    }
    let folded = match config.environment.to_ascii_lowercase().as_str() {
        "dev" | "development" => "dev",
        "stage" | "staging" => "stage",
        "prod" | "production" => "prod",
        _ => {
            return reader.refuse(
                &Key::of("environment"),
                format!("{:?} is none of dev, stage, prod", config.environment),
            );
        }
    };
    config.environment = folded.to_owned();
    if config.log.level.trim().is_empty() {
        reader.refuse(&Key::of("log.level"), "is empty; write e.g. \"info\"");
    }
}

fn check_listeners(
    listeners: &[(Key, Listen)],
    admin: Option<SocketAddr>,
    journal: Mode,
    reader: &mut Reader,
) {
    if !reader.has_listener() && !reader.lacks_a_source() {
        reader.refuse_all(
            "nothing to listen on: give --listen and --upstream, or a [[listen]] in the configuration",
        );
    }
    let mut taken: Vec<(String, SocketAddr)> = Vec::new();
    for (key, listen) in listeners {
        let address = key.then("address");
        if let Some((other, _)) = taken.iter().find(|(_, other)| overlap(*other, listen.address)) {
            reader.refuse(
                &address,
                format!("{} is already taken by {other}; use another port", listen.address),
            );
        }
        taken.push((address.to_string(), listen.address));
        let what = match (journal, listen.mode) {
            (_, Some(Mode::Memory)) => Some("memory is a mode of the whole journal; set journal.mode"),
            (Mode::Memory, Some(Mode::Durable)) => Some("durable needs a disk, and journal.mode is memory"),
            (Mode::Memory, Some(Mode::Strict)) => Some("strict needs a disk, and journal.mode is memory"),
            _ => None,
        };
        if let Some(what) = what {
            reader.refuse(&key.then("mode"), what);
        }
        let Upstream { host, port, .. } = &listen.upstream;
        let own = listeners.iter().find(|(_, own)| leads_to(host, *port, own.address));
        if let Some((own, _)) = own {
            let own = own.then("address");
            let what = format!("{} is {own} itself, an endless loop; name the database", listen.upstream);
            reader.refuse(&key.then("upstream"), what);
        }
    }
    let Some(admin) = admin else { return };
    if let Some((other, _)) = taken.iter().find(|(_, other)| overlap(*other, admin)) {
        reader.refuse(
            &Key::of("admin.address"),
            format!("{admin} is already taken by {other}; use another port"),
        );
    }
}

/// Whether two sockets cannot both listen. Port 0 is any free one.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let any = |ip: IpAddr, other: IpAddr| ip.is_unspecified() && (ip.is_ipv6() || other.is_ipv4());
    let same_ip = a.ip() == b.ip() || any(a.ip(), b.ip()) || any(b.ip(), a.ip());
    a.port() == b.port() && a.port() != 0 && same_ip
}

/// Whether connecting there reaches our own socket, as far as that is known without asking the DNS.
pub(crate) fn leads_to(host: &str, port: u16, own: SocketAddr) -> bool {
    let named: Option<IpAddr> = host.parse().ok();
    let local: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let ips = if host.eq_ignore_ascii_case("localhost") { local.as_slice() } else { named.as_slice() };
    port == own.port() && ips.iter().any(|ip| reaches(ip.to_canonical(), own.ip().to_canonical()))
}

/// Connecting to an unspecified address reaches this host, as connecting to a loopback address does.
fn reaches(ip: IpAddr, own: IpAddr) -> bool {
    let here = ip.is_loopback() || ip.is_unspecified();
    ip == own || (here && own.is_unspecified()) || (ip.is_unspecified() && own.is_loopback())
}

fn check_journal(journal: &Journal, reader: &mut Reader) {
    check_path("journal.dir", &journal.dir, reader);
    let (segment, max) = (Key::of("journal.segment_size"), Key::of("journal.max_size"));
    if journal.segment_size < MIN_SEGMENT_SIZE {
        return reader.refuse(&segment, format!("is below {MIN_SEGMENT_SIZE}; leave it out for the default"));
    }
    if !reader.refused(&max) && journal.segment_size.bytes() > journal.max_size.bytes() / 4 {
        let (size, max) = (journal.segment_size, journal.max_size);
        reader.refuse(
            &segment,
            format!("{size} is more than a quarter of journal.max_size, {max}; lower it, or raise max_size"),
        );
    }
}

pub(crate) fn check_path(key: &str, path: &Path, reader: &mut Reader) {
    if path.as_os_str().is_empty() || path.to_string_lossy().contains('\0') {
        reader.refuse(&Key::of(key), "is empty or no path; leave it out for the default");
    }
}

fn check_amounts(config: &Config, reader: &mut Reader) {
    let (audit, limits, journal) = (&config.audit, &config.limits, &config.journal);
    if config.workers > MAX_THREADS {
        reader.refuse(&Key::of("workers"), format!("is above {MAX_THREADS}; use 0 for one thread per core"));
    }
    if audit.threads > MAX_THREADS {
        reader.refuse(
            &Key::of("audit.threads"),
            format!("is above {MAX_THREADS}; leave it out for the default"),
        );
    }
    for (key, count) in [
        ("audit.threads", audit.threads),
        ("audit.queue", audit.queue.as_usize()),
        ("audit.statement_cache", audit.statement_cache.as_usize()),
        ("limits.max_connections", limits.max_connections),
        ("limits.max_pending_logins", limits.max_pending_logins),
        ("limits.max_sql_bytes", limits.max_sql_bytes.as_usize()),
        ("limits.max_script_bytes", limits.max_script_bytes.as_usize()),
        ("limits.max_parameter_bytes", limits.max_parameter_bytes.as_usize()),
        ("limits.max_pending_statements", limits.max_pending_statements),
        ("limits.max_pending_bytes", limits.max_pending_bytes.as_usize()),
        ("limits.max_prepared_statements", limits.max_prepared_statements),
        ("limits.max_prepared_bytes", limits.max_prepared_bytes.as_usize()),
    ] {
        above_zero(&Key::of(key), count, reader);
    }
    for (key, duration) in [
        ("journal.sync_interval", journal.sync_interval),
        ("limits.login_timeout", limits.login_timeout),
        ("limits.connect_timeout", limits.connect_timeout),
        ("limits.drain_timeout", limits.drain_timeout),
        ("limits.cancel_timeout", limits.cancel_timeout),
    ] {
        within_a_day(&Key::of(key), duration, reader);
    }
}

pub(crate) fn above_zero(key: &Key, amount: usize, reader: &mut Reader) {
    if amount == 0 {
        reader.refuse(key, "must be above 0; leave it out for the default");
    }
}

pub(crate) fn within_a_day(key: &Key, duration: Duration, reader: &mut Reader) {
    if duration.is_zero() || duration > MAX_DURATION {
        reader.refuse(key, "must be above 0 and at most a day; leave it out for the default");
    }
}

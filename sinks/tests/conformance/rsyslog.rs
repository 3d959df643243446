//! rsyslog: over TCP in both framings, over TLS with certificates on both sides, over UDP.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
};

use libtest_mimic::Trial;
use panoptes_config::{ByteSize, Framing, SinkOptions, Syslog, Transport};

use crate::{
    certificates::Certificates,
    free_port, named, program, rate,
    relay::Relay,
    scenarios::{self, Destination, Refusal, end},
    trial::{Got, Poison, Run, lines, wait_for},
    wait_for_port,
};

struct Rsyslog {
    dir: tempfile::TempDir,
    port: u16,
    relay: Relay,
    process: Option<Child>,
    way: Way,
}

/// How messages come.
enum Way {
    Tcp(Framing),
    Tls(Certificates),
    Udp,
}

/// rsyslog's own part of TLS, a package of its own in Debian.
const GTLS: &str = "rsyslog/lmnsd_gtls.so";

pub fn trials() -> Vec<Trial> {
    let there = program("rsyslogd").is_some();
    let framings = [("octet counting", Framing::OctetCounting), ("newlines", Framing::Newline)];
    // A syslog server has no way to refuse.
    let all = || scenarios::ALL.into_iter().filter(|(name, _)| !name.starts_with("refusing"));
    let tcp = all().flat_map(|(name, scenario)| {
        framings.map(|(words, framing)| {
            let name = format!("syslog with {words} to rsyslog: {name}");
            named(name, there, move || scenario(&mut Rsyslog::new(Way::Tcp(framing))))
        })
    });
    let there_too = there && Certificates::can_be_had() && has_tls();
    // Over TLS rsyslog loses, as it is killed, what its library has read and it has not; and it says no goodbye that
    // would tell that from a batch read to its end.
    let survives = |(name, _): &(&str, _)| !name.starts_with("killed");
    let tls = all().filter(survives).map(|(name, scenario)| {
        let name = format!("syslog over TLS with a client certificate to rsyslog: {name}");
        named(name, there_too, move || scenario(&mut Rsyslog::new(Way::Tls(Certificates::new()))))
    });
    let udp = named("syslog over UDP to rsyslog".into(), there, over_udp);
    let rate = rate("syslog to rsyslog", there, || Rsyslog::new(Way::Tcp(Framing::OctetCounting)));
    tcp.chain(tls).chain([udp]).chain(rate).collect()
}

fn has_tls() -> bool {
    let folders = ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    folders.iter().any(|folder| Path::new(folder).join(GTLS).exists())
}

/// Nothing says what has arrived: on this machine all does.
fn over_udp() {
    let mut server = Rsyslog::new(Way::Udp);
    let mut run = Run::new(server.options());
    run.start();
    run.send(100);
    wait_for("the last datagram", || lines(&server.dir.path().join("out")).len() == 100);
    end(run, &mut server);
}

impl Rsyslog {
    fn new(way: Way) -> Self {
        let port = free_port();
        let (dir, relay) = (tempfile::tempdir().unwrap(), Relay::to(port));
        let mut server = Self { dir, port, relay, process: None, way };
        server.start();
        server
    }
}

impl Rsyslog {
    fn tls(&self) -> String {
        let Way::Tls(certificates) = &self.way else { return String::new() };
        let file = |path: std::path::PathBuf| path.display().to_string();
        format!(
            " DefaultNetstreamDriverCAFile=\"{}\" DefaultNetstreamDriverCertFile=\"{}\" DefaultNetstreamDriverKeyFile=\"{}\"",
            file(certificates.certificate("ca")),
            file(certificates.certificate("server")),
            file(certificates.key("server")),
        )
    }
}

impl Destination for Rsyslog {
    fn options(&self) -> SinkOptions {
        let address = format!("127.0.0.1:{}", self.relay.port);
        let options = Syslog { address, max_message: ByteSize::kib(16), ..Syslog::default() };
        SinkOptions::Syslog(match &self.way {
            Way::Tcp(framing) => Syslog { framing: *framing, ..options },
            Way::Tls(certificates) => {
                Syslog { transport: Transport::Tls, tls: certificates.client(), ..options }
            }
            // The relay passes connections on, and there is none.
            Way::Udp => {
                Syslog { transport: Transport::Udp, address: format!("127.0.0.1:{}", self.port), ..options }
            }
        })
    }

    fn relay(&self) -> &Relay {
        &self.relay
    }

    fn received(&mut self) -> Vec<Got> {
        // What it has read is in the file when it has ended.
        self.kill();
        let lines = lines(&self.dir.path().join("out"));
        let events = lines.iter().map(|line| serde_json::from_str(line.trim()).expect(line));
        events.map(|event| Got::of(&event)).collect()
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Gracefully: what it has read and not yet written would be lost by itself, whoever sent it.
            Command::new("kill").arg(process.id().to_string()).status().unwrap();
            process.wait().unwrap();
        }
    }

    fn start(&mut self) {
        let (dir, port) = (self.dir.path().display(), self.port);
        let (input, options) = match &self.way {
            Way::Udp => ("imudp", String::new()),
            Way::Tcp(_) => ("imtcp", String::new()),
            Way::Tls(_) => {
                ("imtcp", " StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"x509/certvalid\"".into())
            }
        };
        let configuration = format!(
            "global(maxMessageSize=\"64k\" workDirectory=\"{dir}\"{tls})
             module(load=\"{input}\"{options})
             template(name=\"json\" type=\"string\" string=\"%msg%\\n\")
             input(type=\"{input}\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"trial\")
             ruleset(name=\"trial\") {{ action(type=\"omfile\" file=\"{dir}/out\" template=\"json\") }}\n",
            tls = self.tls(),
        );
        let file = self.dir.path().join("conf");
        fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program("rsyslogd").unwrap());
        command.arg("-n").arg("-f").arg(file).arg("-i").arg(self.dir.path().join("pid"));
        self.process = Some(command.spawn().unwrap());
        match self.way {
            Way::Udp => {
                let port = format!(":{:04X} ", self.port);
                wait_for("the port", || {
                    fs::read_to_string("/proc/net/udp").is_ok_and(|open| open.contains(&port))
                });
            }
            Way::Tcp(_) | Way::Tls(_) => wait_for_port(self.port),
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        panic!("rsyslog cannot refuse: {refusal:?}");
    }

    fn poison(&self) -> Poison {
        Poison::Large(20_000)
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.kill();
    }
}

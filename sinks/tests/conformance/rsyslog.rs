//! rsyslog, over TCP in both framings.

use std::{
    fs,
    process::{Child, Command},
};

use libtest_mimic::Trial;
use panoptes_config::{ByteSize, Framing, SinkOptions, Syslog};

use crate::{
    free_port, named, program,
    relay::Relay,
    scenarios::{self, Destination, Refusal},
    trial::{Got, Poison, lines},
    wait_for_port,
};

struct Rsyslog {
    dir: tempfile::TempDir,
    port: u16,
    relay: Relay,
    process: Option<Child>,
    framing: Framing,
}

pub fn trials() -> Vec<Trial> {
    let there = program("rsyslogd").is_some();
    let framings = [("octet counting", Framing::OctetCounting), ("newlines", Framing::Newline)];
    // A syslog server has no way to refuse.
    let all = scenarios::ALL.into_iter().filter(|(name, _)| !name.starts_with("refusing"));
    all.flat_map(|(name, scenario)| {
        framings.map(|(words, framing)| {
            let name = format!("syslog with {words} to rsyslog: {name}");
            named(name, there, move || scenario(&mut Rsyslog::new(framing)))
        })
    })
    .collect()
}

impl Rsyslog {
    fn new(framing: Framing) -> Self {
        let port = free_port();
        let (dir, relay) = (tempfile::tempdir().unwrap(), Relay::to(port));
        let mut server = Self { dir, port, relay, process: None, framing };
        server.start();
        server
    }
}

impl Destination for Rsyslog {
    fn options(&self) -> SinkOptions {
        SinkOptions::Syslog(Syslog {
            address: format!("127.0.0.1:{}", self.relay.port),
            framing: self.framing,
            max_message: ByteSize::kib(16),
            ..Syslog::default()
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
        let configuration = format!(
            "global(maxMessageSize=\"64k\" workDirectory=\"{dir}\")
             module(load=\"imtcp\")
             template(name=\"json\" type=\"string\" string=\"%msg%\\n\")
             input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\" ruleset=\"trial\")
             ruleset(name=\"trial\") {{ action(type=\"omfile\" file=\"{dir}/out\" template=\"json\") }}\n"
        );
        let file = self.dir.path().join("conf");
        fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program("rsyslogd").unwrap());
        command.arg("-n").arg("-f").arg(file).arg("-i").arg(self.dir.path().join("pid"));
        self.process = Some(command.spawn().unwrap());
        wait_for_port(self.port);
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

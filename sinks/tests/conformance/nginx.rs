//! nginx keeps each request's body in a file of its own, and its log says in which order and with which answer.

use std::{
    fs,
    io::Read,
    process::{Child, Command},
};

use libtest_mimic::Trial;
use panoptes_config::{Compression, Http, HttpBody, SinkOptions, Tls, Url};
use serde_json::Value;

use crate::{
    certificates::Certificates,
    free_port, named, program, rate,
    relay::Relay,
    scenarios::{self, Destination, Refusal, Scenario, end},
    trial::{Got, Poison, Run, lines, wait_for},
    wait_for_port,
};

struct Nginx {
    dir: tempfile::TempDir,
    ports: [u16; 2],
    relay: Relay,
    process: Option<Child>,
    refusal: Refusal,
    layout: HttpBody,
    compression: Compression,
    concurrency: usize,
    /// It speaks TLS, and asks clients for a certificate.
    certificates: Option<Certificates>,
}

type Variant = (&'static str, HttpBody, Compression, usize);

const VARIANTS: [Variant; 3] = [
    ("http lines to nginx", HttpBody::Lines, Compression::None, 1),
    ("http arrays, zstd, four at once, to nginx", HttpBody::Array, Compression::Zstd, 4),
    ("http event by event, gzip, to nginx", HttpBody::Event, Compression::Gzip, 2),
];

pub fn trials() -> Vec<Trial> {
    let there = program("nginx").is_some();
    let each = |variant: Variant| {
        scenarios::ALL.map(|(name, scenario)| {
            named(format!("{}: {name}", variant.0), there, move || scenario(&mut Nginx::new(variant, None)))
        })
    };
    let plain = VARIANTS.into_iter().flat_map(each);
    let there = there && Certificates::can_be_had();
    let secured = scenarios::ALL.into_iter().chain(OF_TLS).map(|(name, scenario)| {
        let name = format!("https with a client certificate to nginx: {name}");
        named(name, there, move || scenario(&mut Nginx::new(VARIANTS[0], Some(Certificates::new()))))
    });
    let rate = rate("http to nginx", there, || Nginx::new(VARIANTS[0], None));
    plain.chain(secured).chain(rate).collect()
}

const OF_TLS: [Scenario; 2] =
    [("another authority's", another_authority), ("a client without a certificate", without_certificate)];

fn another_authority(nginx: &mut dyn Destination) {
    let stranger = Certificates::new();
    refused_until_mended(nginx, Tls { ca_file: Some(stranger.certificate("ca")), ..Tls::default() });
}

fn without_certificate(nginx: &mut dyn Destination) {
    let SinkOptions::Http(Http { tls, .. }) = nginx.options() else { panic!("{:?}", nginx.options()) };
    refused_until_mended(nginx, Tls { cert_file: None, key_file: None, ..tls });
}

/// With the wrong files nothing arrives, and nothing is given up either, though it went well before.
fn refused_until_mended(nginx: &mut dyn Destination, wrong: Tls) {
    let right = nginx.options();
    let SinkOptions::Http(http) = right.clone() else { panic!("{right:?}") };
    let mut run = Run::new(right.clone());
    run.start();
    run.send(20);
    wait_for("a delivery", || run.delivered() == 20);
    run.reconfigure(SinkOptions::Http(Http { tls: wrong, ..http }));
    run.send(50);
    run.wait_for_failures(3);
    assert_eq!(run.delivered(), 0);
    run.reconfigure(right);
    end(run, nginx);
}

impl Nginx {
    fn new((_, layout, compression, concurrency): Variant, certificates: Option<Certificates>) -> Self {
        let ports = [free_port(), free_port()];
        let dir = tempfile::tempdir().unwrap();
        let relay = Relay::to(ports[0]);
        let mut nginx = Self {
            dir,
            ports,
            relay,
            process: None,
            refusal: Refusal::None,
            layout,
            compression,
            concurrency,
            certificates,
        };
        nginx.start();
        nginx
    }

    fn tls(&self) -> String {
        let Some(certificates) = &self.certificates else { return String::new() };
        let file = |path: std::path::PathBuf| path.display().to_string();
        format!(
            "ssl_certificate {}; ssl_certificate_key {}; ssl_client_certificate {}; ssl_verify_client on;",
            file(certificates.certificate("server")),
            file(certificates.key("server")),
            file(certificates.certificate("ca")),
        )
    }

    fn configuration(&self) -> String {
        let [port, behind] = self.ports;
        let dir = self.dir.path().display();
        let (ssl, tls) = (if self.certificates.is_some() { " ssl" } else { "" }, self.tls());
        let refusal = match self.refusal {
            Refusal::None => "",
            Refusal::Some => "limit_req zone=few; limit_req_status 429;",
            // As it answers where the fault is not the events'.
            Refusal::All => "return 400;",
        };
        format!(
            "daemon off; user root; worker_processes 1; worker_shutdown_timeout 5s; pid {dir}/pid; error_log {dir}/error.log;
             events {{ worker_connections 256; }}
             http {{
               client_body_temp_path {dir}/bodies; client_body_in_file_only on; client_max_body_size 16k;
               proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
               limit_req_zone $binary_remote_addr zone=few:1m rate=20r/s;
               log_format bodies '$status $request_body_file $http_idempotency_key';
               server {{ listen 127.0.0.1:{port}{ssl}; {tls} access_log {dir}/access.log bodies;
                 location / {{ {refusal} proxy_pass http://127.0.0.1:{behind}; }} }}
               server {{ listen 127.0.0.1:{behind}; access_log off; client_max_body_size 1m;
                 location / {{ client_body_in_file_only off; return 204; }} }}
             }}"
        )
    }
}

impl Destination for Nginx {
    fn options(&self) -> SinkOptions {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{}/audit", self.relay.port);
        SinkOptions::Http(Http {
            url: Url::try_from(url.as_str()).unwrap(),
            tls: self.certificates.as_ref().map(Certificates::client).unwrap_or_default(),
            body: self.layout,
            compression: self.compression,
            concurrency: self.concurrency,
            ..Http::default()
        })
    }

    fn relay(&self) -> &Relay {
        &self.relay
    }

    fn received(&mut self) -> Vec<Got> {
        // What nginx has taken is in its log when it has ended.
        self.kill();
        let log = lines(&self.dir.path().join("access.log"));
        let taken = log.iter().filter_map(|line| line.strip_prefix("204 ")?.split_once(' '));
        let mut got = Vec::new();
        for (file, key) in taken.filter(|(file, _)| *file != "-") {
            let events = events(&fs::read(file).unwrap(), self.layout, self.compression);
            assert!(!events.is_empty() && key.starts_with(&events[0].id), "{key}");
            got.extend(events);
        }
        got
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // The workers, too, and gracefully: on TERM a request may be answered and not yet in the log, which comes when the
            // server behind has closed. The relay is what cuts connections.
            let pid = fs::read_to_string(self.dir.path().join("pid")).unwrap();
            assert!(Command::new("kill").args(["-QUIT", pid.trim()]).status().unwrap().success());
            process.wait().unwrap();
        }
    }

    fn start(&mut self) {
        let file = self.dir.path().join("nginx.conf");
        fs::write(&file, self.configuration()).unwrap();
        let process = Command::new(program("nginx").unwrap())
            .arg("-e")
            .arg(self.dir.path().join("error.log"))
            .arg("-c")
            .arg(file)
            .spawn();
        self.process = Some(process.unwrap());
        wait_for_port(self.ports[0]);
        // Written only when it listens, and how it is ended.
        wait_for("its pid", || {
            fs::read_to_string(self.dir.path().join("pid")).is_ok_and(|pid| !pid.is_empty())
        });
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.kill();
        self.refusal = refusal;
        self.start();
    }

    fn poison(&self) -> Poison {
        // Beyond client_max_body_size, compressed as well.
        Poison::Large(60_000)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}

fn events(body: &[u8], layout: HttpBody, compression: Compression) -> Vec<Got> {
    let mut plain = Vec::new();
    match compression {
        Compression::None => plain.extend_from_slice(body),
        Compression::Gzip => drop(flate2::read::GzDecoder::new(body).read_to_end(&mut plain).unwrap()),
        Compression::Zstd => plain = zstd::stream::decode_all(body).unwrap(),
    }
    match layout {
        HttpBody::Array => {
            let array: Vec<Value> = serde_json::from_slice(&plain).unwrap();
            array.iter().map(Got::of).collect()
        }
        HttpBody::Lines | HttpBody::Event => {
            let values = serde_json::Deserializer::from_slice(&plain).into_iter::<Value>();
            values.map(|value| Got::of(&value.unwrap())).collect()
        }
    }
}

//! OpenSearch, one node in a process of its own.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Instant,
};

use libtest_mimic::Trial;
use panoptes_config::{Compression, Elasticsearch, Install, SinkOptions, Url};
use serde_json::{Value, json};

use crate::{
    named, program, rate,
    relay::{Relay, Weather},
    scenarios::{self, Destination, Refusal},
    trial::{Got, Poison, Run, wait_for},
};

/// The runner takes ports up to 9299 only, and adds the number of the node.
const PORTS: std::ops::Range<u16> = 9_210..9_299;
const FIRST_DAY: &str = "trial-2026.11.22";

struct OpenSearch {
    dir: tempfile::TempDir,
    port: u16,
    relay: Relay,
    process: Option<Child>,
    compression: Compression,
}

fn jars() -> Option<PathBuf> {
    let lib = PathBuf::from(std::env::var_os("PANOPTES_OPENSEARCH_LIB")?);
    (lib.is_dir() && program("java").is_some()).then_some(lib)
}

pub fn trials() -> Vec<Trial> {
    let there = jars().is_some();
    let mut trials: Vec<Trial> = scenarios::ALL
        .into_iter()
        .map(|(name, scenario)| {
            named(format!("elasticsearch to OpenSearch: {name}"), there, move || {
                scenario(&mut OpenSearch::new())
            })
        })
        .collect();
    trials.push(named("elasticsearch to OpenSearch: the template and what it maps".into(), there, template));
    trials.push(named(
        "elasticsearch to OpenSearch: no plugin for lifecycles".into(),
        there,
        without_lifecycle,
    ));
    trials.push(named("elasticsearch to OpenSearch: several nodes".into(), there, several_nodes));
    trials.push(named("elasticsearch to OpenSearch: a data stream".into(), there, data_stream));
    trials.extend(rate("elasticsearch to OpenSearch", there, OpenSearch::by_default));
    trials
}

fn template() {
    let mut server = OpenSearch::new();
    let mut run = Run::new(server.options());
    run.start();
    run.send(50);
    run.finish();
    run.check(&server.received(), false);
    let mapping = server.ask("GET", &format!("/{FIRST_DAY}/_mapping"), None);
    let properties = &mapping[FIRST_DAY]["mappings"]["properties"];
    assert_eq!(properties["@timestamp"]["type"], "date_nanos");
    assert_eq!(properties["meta"]["properties"]["timestamp"]["type"], "date_nanos");
    assert_eq!(properties["meta"]["properties"]["appName"]["type"], "keyword");
    assert_eq!(properties["sql"]["properties"]["raw"]["type"], "text");
    assert_eq!(properties["session"]["properties"]["attributes"]["type"], "flat_object");
    let found =
        server.ask("GET", "/trial-*/_search", Some(&json!({"query": {"match": {"sql.raw": "select"}}})));
    assert_eq!(found["hits"]["total"]["value"], 50);
}

/// The plugin for lifecycle policies cannot be had here: a cluster without it says so, and gets the events all the same.
fn without_lifecycle() {
    let mut server = OpenSearch::new();
    let SinkOptions::Elasticsearch(mut options) = server.options() else { panic!() };
    options.install.delete_after = Some(std::time::Duration::from_secs(86_400));
    let mut run = Run::new(SinkOptions::Elasticsearch(options));
    run.start();
    run.send(30);
    run.finish();
    run.check(&server.received(), false);
    let template = server.ask("GET", "/_index_template/trial", None);
    assert_eq!(template["index_templates"][0]["index_template"]["index_patterns"], json!(["trial-*.*.*"]));
}

/// Two ways to it stand for two nodes: while one fails, deliveries do not.
fn several_nodes() {
    let mut server = OpenSearch::new();
    let SinkOptions::Elasticsearch(options) = server.options() else { panic!() };
    let other = Relay::to(server.port);
    let url = Url::try_from(format!("http://127.0.0.1:{}", other.port).as_str()).unwrap();
    let urls = [options.urls.clone(), vec![url]].concat();
    let mut run = Run::new(SinkOptions::Elasticsearch(Elasticsearch { urls, ..options }));
    run.start();
    for weather in [Weather::Fair, Weather::Down, Weather::Deaf, Weather::Fair] {
        other.set(weather);
        run.send(60);
        let sent = run.sent();
        wait_for("deliveries", || run.delivered() == sent);
    }
    assert_eq!(run.failures(), 0);
    run.finish();
    run.check(&server.received(), false);
}

fn data_stream() {
    let server = OpenSearch::new();
    let SinkOptions::Elasticsearch(options) = server.options() else { panic!() };
    let options = Elasticsearch { index: "logs-trial-default".into(), data_stream: true, ..options };
    for _ in 0..2 {
        // The second time all of them are there already.
        let mut run = Run::new(SinkOptions::Elasticsearch(options.clone()));
        run.start();
        run.send(60);
        run.finish();
        run.check(&server.search("logs-trial-default"), false);
    }
}

impl OpenSearch {
    fn new() -> Self {
        let free = |port: &u16| TcpStream::connect(("127.0.0.1", port + 1)).is_err();
        let port = PORTS.filter(|port| free(port)).nth(usize::from(crate::free_port()) % 20).unwrap() + 1;
        let mut server = Self {
            dir: tempfile::tempdir().unwrap(),
            port,
            relay: Relay::to(port),
            process: None,
            compression: Compression::Gzip,
        };
        server.start();
        server
    }

    /// Bodies as they are where nobody says otherwise.
    fn by_default() -> Self {
        let mut server = Self::new();
        server.compression = Compression::default();
        server
    }

    /// Asks the server itself, without the relay.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.try_ask(method, path, body).unwrap_or_else(|| panic!("{method} {path}"))
    }

    fn try_ask(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let length = body.len();
        // HTTP/1.0: the answer ends with the connection.
        write!(stream, "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        assert!(head.contains(" 200 ") || head.contains(" 503 "), "{answer}");
        serde_json::from_str(body).ok()
    }

    /// Deletes what the sink and its like have written.
    fn forget(&self) {
        for day in ["2026.11.22", "2026.11.23"] {
            self.ask("DELETE", &format!("/trial-{day}?ignore_unavailable=true"), None);
        }
    }

    /// Sends bodies over so many connections, each when the one before it is answered; in how many seconds.
    fn load(&self, bodies: &[Vec<u8>], connections: usize) -> f64 {
        let (begin, next) = (Instant::now(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..connections {
                scope.spawn(|| {
                    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", self.relay.port)).unwrap());
                    stream.get_ref().set_nodelay(true).unwrap();
                    while let Some(body) = bodies.get(next.fetch_add(1, Relaxed)) {
                        let head = "POST /_bulk?filter_path=errors HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson";
                        write!(stream.get_mut(), "{head}\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
                        stream.get_mut().write_all(body).unwrap();
                        assert_eq!(answer(&mut stream), r#"{"errors":false}"#);
                    }
                });
            }
        });
        begin.elapsed().as_secs_f64()
    }

    fn search(&self, index: &str) -> Vec<Got> {
        self.ask("POST", &format!("/{index}/_refresh"), None);
        let found = self.ask("GET", &format!("/{index}/_search?size=10000&sort=seq"), None);
        let hits = found["hits"]["hits"].as_array().unwrap();
        hits.iter()
            .map(|hit| {
                let got = Got::of(&hit["_source"]);
                assert_eq!(hit["_id"], got.id.as_str());
                got
            })
            .collect()
    }
}

impl Destination for OpenSearch {
    fn options(&self) -> SinkOptions {
        let url = Url::try_from(format!("http://127.0.0.1:{}", self.relay.port).as_str()).unwrap();
        SinkOptions::Elasticsearch(Elasticsearch {
            urls: vec![url],
            index: "trial-%Y.%m.%d".into(),
            install: Install { template: true, replicas: 0, ..Install::default() },
            compression: self.compression,
            ..Elasticsearch::default()
        })
    }

    fn relay(&self) -> &Relay {
        &self.relay
    }

    fn received(&mut self) -> Vec<Got> {
        self.search("trial-*")
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn start(&mut self) {
        let log = File::create(self.dir.path().join("log")).unwrap();
        let process = Command::new("java")
            .args(["-Xmx512m", "-cp"])
            .arg(jars().unwrap().join("*"))
            .arg("org.codelibs.opensearch.runner.OpenSearchRunner")
            .args(["-numOfNode", "1", "-baseHttpPort", &(self.port - 1).to_string(), "-basePath"])
            .arg(self.dir.path().join("node"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.process = Some(process.unwrap());
        wait_for("OpenSearch to be ready", || {
            let health = self.try_ask("GET", "/_cluster/health", None);
            health.is_some_and(|health| matches!(health["status"].as_str(), Some("green" | "yellow")))
        });
        // How full the disk of whoever runs the trial is has nothing to do with it.
        self.ask(
            "PUT",
            "/_cluster/settings",
            Some(&json!({"persistent": {"cluster.routing.allocation.disk.threshold_enabled": false}})),
        );
    }

    /// By what it does itself on a disk that is full: indices that take no writes.
    fn refuse(&mut self, refusal: Refusal) {
        // First: a cluster that only reads takes no settings of an index.
        let all = if refusal == Refusal::All { json!(true) } else { Value::Null };
        self.ask(
            "PUT",
            "/_cluster/settings",
            Some(&json!({"persistent": {"cluster.blocks.read_only": all}})),
        );
        if refusal == Refusal::Some {
            let mapping = json!({"mappings": {"dynamic": false, "properties": {"seq": {"type": "long"}}}});
            self.ask("PUT", &format!("/{FIRST_DAY}"), Some(&mapping));
            self.ask("PUT", &format!("/{FIRST_DAY}/_settings"), Some(&json!({"index.blocks.write": true})));
        } else if refusal == Refusal::None {
            self.ask("PUT", "/trial-*/_settings", Some(&json!({"index.blocks.write": null})));
        }
    }

    fn is_ordered(&self) -> bool {
        // Sorted by us: only that each is there once.
        false
    }

    fn poison(&self) -> Poison {
        Poison::WrongType
    }

    fn bare(&mut self, events: &[String]) -> Vec<(String, f64)> {
        let rates = [(1, 256), (1, 2_000), (2, 2_000), (4, 1_000)].map(|(connections, size)| {
            self.forget();
            let bodies: Vec<Vec<u8>> = events.chunks(size).map(bulk).collect();
            let rate = events.len() as f64 / self.load(&bodies, connections);
            (format!("{connections} bare connections, {size} events a body"), rate)
        });
        self.forget();
        rates.into()
    }
}

/// The body of an answer of HTTP/1.1 whose length is told.
fn answer(stream: &mut impl BufRead) -> String {
    let (mut length, mut line) = (0, String::new());
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).unwrap();
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

/// The body of a bulk request, as the sink makes it.
fn bulk(events: &[String]) -> Vec<u8> {
    let mut body = Vec::new();
    for event in events {
        let value: Value = serde_json::from_str(event).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (id, meta) = (text(&value["id"]), &value["meta"]);
        let (day, at) = (text(&meta["date"]).replace('-', "."), text(&meta["timestamp"]));
        writeln!(body, "{}", json!({"create": {"_index": format!("trial-{day}"), "_id": id}})).unwrap();
        writeln!(body, "{{\"@timestamp\":\"{at}\",{}", &event[1..]).unwrap();
    }
    body
}

impl Drop for OpenSearch {
    fn drop(&mut self) {
        self.kill();
    }
}

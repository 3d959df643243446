//! Kafka: librdkafka's own cluster of brokers, in this process; and a real broker, where its jars are.
//!
//! Its jars are looked for at `PANOPTES_KAFKA_LIB`; `scripts/kafka` fetches them.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use panoptes_config::{ByteSize, Kafka, Secret, SecurityProtocol, SinkOptions, Tls};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
    mocking::MockCluster,
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use crate::{
    certificates::Certificates,
    free_port, named, program, rate,
    relay::{Relay, Weather},
    scenarios::{self, Destination, Refusal},
    trial::{Got, Poison, Run, wait_for},
    wait_for_port,
};

const TOPIC: &str = "audit";
const PARTITIONS: i32 = 3;

pub fn trials() -> Vec<Trial> {
    let real = jars().is_some();
    let mut trials = Vec::new();
    for (name, scenario) in scenarios::ALL {
        let of_mock = move || scenario(&mut Mock::new());
        trials.push(named(format!("kafka to librdkafka's mock cluster: {name}"), true, of_mock));
        // A broker takes what it can: there is no rule that a test could set for it to refuse.
        if !name.starts_with("refusing") {
            let of_broker = move || scenario(&mut Broker::new());
            trials.push(named(format!("kafka to Apache Kafka: {name}"), real, of_broker));
        }
    }
    trials.extend(rate("Apache Kafka", real, Broker::by_default));
    trials.push(named("kafka to Apache Kafka: logins and TLS".into(), real, secured));
    let trial =
        |name: &str, run: fn()| named(format!("kafka to librdkafka's mock cluster: {name}"), true, run);
    trials.push(trial("large events are cut, none is lost", large));
    trials.push(trial("a broker that takes less than we send", small_broker));
    trials
}

fn options(brokers: String) -> Kafka {
    Kafka {
        brokers: vec![brokers],
        topic: TOPIC.into(),
        max_message: ByteSize::kib(16),
        timeout: Duration::from_millis(300),
        // Reconnects soon, so that a trial is short.
        properties: [
            ("reconnect.backoff.max.ms", "200"),
            ("retry.backoff.max.ms", "100"),
            ("retry.backoff.ms", "20"),
        ]
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .into(),
        ..Kafka::default()
    }
}

/// All that is in the topic, partition by partition.
fn consume(brokers: &str) -> Vec<Got> {
    consume_topic(brokers, TOPIC)
}

fn consume_topic(brokers: &str, topic: &str) -> Vec<Got> {
    messages(brokers, topic)
        .iter()
        .map(|payload| Got::of(&serde_json::from_slice(payload).unwrap()))
        .collect()
}

fn messages(brokers: &str, topic: &str) -> Vec<Vec<u8>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "trial")
        .set("enable.partition.eof", "false")
        .create()
        .unwrap();
    let mut found = Vec::new();
    for partition in 0..PARTITIONS {
        let (_, end) = consumer.fetch_watermarks(topic, partition, crate::support::PATIENCE).unwrap();
        let mut one = TopicPartitionList::new();
        one.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        consumer.assign(&one).unwrap();
        let mut next = 0;
        while next < end {
            // What is no message ends the wait as well.
            let Some(message) = consumer.poll(crate::support::PATIENCE) else { continue };
            let message = message.unwrap();
            next = message.offset() + 1;
            let got = Got::of(&serde_json::from_slice(message.payload().unwrap()).unwrap());
            assert_eq!(message.key(), Some(got.session.as_bytes()));
            let id = message.headers().unwrap().iter().find(|header| header.key == "id");
            assert_eq!(id.unwrap().value, Some(got.id.as_bytes()));
            found.push(message.payload().unwrap().to_vec());
        }
    }
    found
}

/// Brokers of librdkafka, in a thread of this process.
struct Mock {
    cluster: MockCluster<'static, DefaultProducerContext>,
    relay: Relay,
}

impl Mock {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
        Self { cluster, relay: Relay::to(0) }
    }
}

impl Destination for Mock {
    fn options(&self) -> SinkOptions {
        SinkOptions::Kafka(options(self.cluster.bootstrap_servers()))
    }

    fn relay(&self) -> &Relay {
        &self.relay
    }

    /// Brokers name their own addresses: there is no relay on the way to them.
    fn weather(&self, weather: Weather) {
        let rtt = |ms| self.cluster.broker_round_trip_time(1, Duration::from_millis(ms)).unwrap();
        match weather {
            Weather::Fair => {
                self.cluster.clear_request_errors(RDKafkaApiKey::Produce);
                self.cluster.broker_up(1).unwrap();
                rtt(0);
            }
            Weather::Down => self.cluster.broker_down(1).unwrap(),
            Weather::Slow => rtt(100),
            // Answers that are too late, or lost with the connection.
            Weather::Deaf => {
                rtt(2_000);
                let lost = [RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT; 2];
                self.cluster.request_errors(RDKafkaApiKey::Produce, &lost);
            }
        }
    }

    fn received(&mut self) -> Vec<Got> {
        consume(&self.cluster.bootstrap_servers())
    }

    fn kill(&mut self) {
        self.cluster.broker_down(1).unwrap();
    }

    fn start(&mut self) {
        self.cluster.broker_up(1).unwrap();
    }

    fn refuse(&mut self, refusal: Refusal) {
        let errors = match refusal {
            Refusal::None => return self.cluster.clear_request_errors(RDKafkaApiKey::Produce),
            Refusal::Some => vec![
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            ],
            Refusal::All => vec![RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 10_000],
        };
        self.cluster.request_errors(RDKafkaApiKey::Produce, &errors);
    }

    fn poison(&self) -> Poison {
        Poison::LargeReason(40_000)
    }
}

fn large() {
    let mut mock = Mock::new();
    let mut run = Run::new(mock.options());
    run.start();
    run.send(20);
    run.send_sized(1, 50_000);
    run.send(20);
    run.finish();
    run.check(&mock.received(), true);
    let all = messages(&mock.cluster.bootstrap_servers(), TOPIC);
    let cut: Vec<&Vec<u8>> = all.iter().filter(|payload| payload.len() > 10_000).collect();
    assert!(cut.len() == 1 && cut[0].len() <= 16 << 10);
    let event: serde_json::Value = serde_json::from_slice(cut[0]).unwrap();
    assert_eq!(event["sql"]["truncated"]["raw"], 50_009);
}

fn small_broker() {
    let mut mock = Mock::new();
    let mut run = Run::new(mock.options());
    run.start();
    run.send(20);
    wait_for("a delivery", || run.delivered() == 20);
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE; 2];
    mock.cluster.request_errors(RDKafkaApiKey::Produce, &errors);
    run.send(20);
    run.finish();
    run.check(&mock.received(), false);
}

/// Apache Kafka, one node that is broker and controller.
struct Broker {
    dir: tempfile::TempDir,
    port: u16,
    controller: u16,
    relay: Relay,
    process: Option<Child>,
    /// Its limits, and ours, are the default ones.
    by_default: bool,
}

fn jars() -> Option<PathBuf> {
    let lib = PathBuf::from(std::env::var_os("PANOPTES_KAFKA_LIB")?);
    (lib.is_dir() && program("java").is_some()).then_some(lib)
}

fn java(class: &str, memory: &str) -> Command {
    let mut command = Command::new("java");
    command.args([memory, "-cp"]).arg(jars().unwrap().join("*")).arg(class);
    command
}

impl Broker {
    fn new() -> Self {
        Self::with(tempfile::tempdir().unwrap(), "", "", &[])
    }

    /// Takes what a broker takes where nobody says otherwise.
    fn by_default() -> Self {
        let mut broker = Self::with(tempfile::tempdir().unwrap(), "", "message.max.bytes=1048588\n", &[]);
        broker.by_default = true;
        broker
    }

    /// With more listeners, their configuration, and accounts.
    fn with(dir: tempfile::TempDir, listeners: &str, more: &str, accounts: &[&str]) -> Self {
        let (port, controller) = (free_port(), free_port());
        let mut broker =
            Self { dir, port, controller, relay: Relay::to(port), process: None, by_default: false };
        fs::write(broker.file(), broker.configuration(listeners) + more).unwrap();
        let format = java("kafka.tools.StorageTool", "-Xmx128m")
            .args(["format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c"])
            .arg(broker.file())
            .args(accounts.iter().flat_map(|account| ["--add-scram", account]))
            .output();
        let format = format.unwrap();
        assert!(format.status.success(), "{}", String::from_utf8_lossy(&format.stderr));
        broker.start();
        broker
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("server.properties")
    }

    /// None where `scripts/kafka` has not fetched it.
    fn by_kafkas_tool(&self, events: &[String]) -> Option<f64> {
        const TOOL: &str = "org.apache.kafka.tools.ProducerPerformance";
        let file = self.dir.path().join("events");
        fs::write(&file, events.join("\n")).unwrap();
        let out = java(TOOL, "-Xmx768m")
            .args(["--topic", TOPIC, "--throughput", "-1", "--num-records", &events.len().to_string()])
            .arg("--payload-file")
            .arg(file)
            .args(["--producer-props", "acks=all", "compression.type=zstd"])
            .arg(format!("bootstrap.servers=127.0.0.1:{}", self.relay.port))
            .output()
            .unwrap();
        // "100000 records sent, 23201.856148 records/sec (22.66 MB/sec), …"
        let told = String::from_utf8(out.stdout).unwrap();
        let rate = told.lines().next_back().and_then(|line| line.split(" records sent, ").nth(1));
        let rate = rate.and_then(|rate| rate.split(' ').next()?.parse().ok());
        if rate.is_none() {
            println!(
                "no {TOOL}: {}",
                String::from_utf8_lossy(&out.stderr).lines().next().unwrap_or_default()
            );
        }
        rate
    }

    fn by_librdkafka(&self, events: &[String]) -> f64 {
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", format!("127.0.0.1:{}", self.relay.port))
            .set("enable.idempotence", "true")
            .set("compression.type", "zstd")
            .set("queue.buffering.max.messages", "1000000")
            .create()
            .unwrap();
        let begin = Instant::now();
        for (number, event) in events.iter().enumerate() {
            let key = (number % 5).to_string();
            producer
                .send(BaseRecord::to(TOPIC).key(&key).payload(event))
                .map_err(|(error, _)| error)
                .unwrap();
        }
        producer.flush(crate::support::PATIENCE * 2).unwrap();
        events.len() as f64 / begin.elapsed().as_secs_f64()
    }

    /// It tells clients the relay's address as its own.
    fn configuration(&self, listeners: &str) -> String {
        let (port, controller, relay, dir) =
            (self.port, self.controller, self.relay.port, self.dir.path().display());
        format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listeners}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{relay}{listeners}\ncontroller.listener.names=CONTROLLER\nlog.dirs={dir}/data\n\
             num.partitions={PARTITIONS}\noffsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\nmin.insync.replicas=1\nmessage.max.bytes=20000\n"
        )
    }
}

/// Each way to prove who one is, and to be sure of the broker: the right one delivers, a wrong one is told in words.
fn secured() {
    const PASSWORD: &str = "open-sesame";
    let (dir, certificates) = (tempfile::tempdir().unwrap(), Certificates::new());
    certificates.copy_to(dir.path());
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    fs::write(dir.path().join("keystore.pem"), read("server.key") + &read("server.crt")).unwrap();
    let [login, tls, both] = [free_port(), free_port(), free_port()];
    let listeners = format!(",LOGIN://127.0.0.1:{login},TLS://127.0.0.1:{tls},BOTH://127.0.0.1:{both}");
    let path = dir.path().display();
    let mut more = format!(
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,TLS:SSL,BOTH:SASL_SSL\n\
         inter.broker.listener.name=PLAINTEXT\nsasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
         listener.name.tls.ssl.client.auth=required\nssl.keystore.type=PEM\nssl.keystore.location={path}/keystore.pem\n\
         ssl.truststore.type=PEM\nssl.truststore.location={path}/ca.crt\n"
    );
    for listener in ["login", "both"] {
        let module = "org.apache.kafka.common.security";
        more += &format!(
            "listener.name.{listener}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_panoptes=\"{PASSWORD}\";\n"
        );
        for bits in [256, 512] {
            more += &format!(
                "listener.name.{listener}.scram-sha-{bits}.sasl.jaas.config={module}.scram.ScramLoginModule required;\n"
            );
        }
    }
    let accounts = [256, 512].map(|bits| format!("SCRAM-SHA-{bits}=[name=panoptes,password={PASSWORD}]"));
    let broker = Broker::with(dir, &listeners, &more, &accounts.each_ref().map(String::as_str));
    let (with_tls, wrong) = (certificates.client(), Certificates::new());
    let authority = Tls { cert_file: None, key_file: None, ..with_tls.clone() };
    let other = Tls { ca_file: Some(wrong.certificate("ca")), ..with_tls.clone() };
    let ways = [
        ("plain", SecurityProtocol::SaslPlaintext, login, "PLAIN", Tls::default()),
        ("scram", SecurityProtocol::SaslPlaintext, login, "SCRAM-SHA-256", Tls::default()),
        ("certificate", SecurityProtocol::Ssl, tls, "", with_tls),
        ("plain-tls", SecurityProtocol::SaslSsl, both, "PLAIN", authority.clone()),
        ("scram-tls", SecurityProtocol::SaslSsl, both, "SCRAM-SHA-512", authority.clone()),
    ];
    for (topic, security_protocol, port, mechanism, tls) in ways {
        let with_password = |password| Kafka {
            topic: topic.into(),
            security_protocol,
            sasl_mechanism: mechanism.into(),
            username: security_protocol.has_login().then(|| "panoptes".into()),
            password: security_protocol.has_login().then(|| Secret::new(password)),
            tls: tls.clone(),
            ..options(format!("127.0.0.1:{port}"))
        };
        let needs_openssl = security_protocol.is_tls() || mechanism.starts_with("SCRAM");
        if needs_openssl && !cfg!(feature = "kafka-tls") {
            println!("{topic}: only with --features kafka-tls");
            continue;
        }
        let mut run = Run::new(SinkOptions::Kafka(with_password(PASSWORD)));
        run.start();
        run.send(60);
        run.finish();
        run.check(&consume_topic(&format!("127.0.0.1:{}", broker.port), topic), true);
        let (wrong, words) = match security_protocol.has_login() {
            true => (with_password("wrong"), "uthentication failed"),
            false => (Kafka { tls: other.clone(), ..with_password("") }, "certificate"),
        };
        let mut run = Run::new(SinkOptions::Kafka(wrong));
        run.send(1);
        run.start();
        let told = || run.journal().stats().sinks[0].last_error.clone().unwrap_or_default();
        wait_for("its complaint", || told().contains(words));
        assert!(!told().contains(PASSWORD) && run.delivered() == 0, "{}", told());
        println!("{topic}: delivered; refused: {}", told());
    }
}

impl Destination for Broker {
    fn options(&self) -> SinkOptions {
        let broker = format!("127.0.0.1:{}", self.relay.port);
        SinkOptions::Kafka(match self.by_default {
            true => Kafka { brokers: vec![broker], topic: TOPIC.into(), ..Kafka::default() },
            false => options(broker),
        })
    }

    fn relay(&self) -> &Relay {
        &self.relay
    }

    fn received(&mut self) -> Vec<Got> {
        consume(&format!("127.0.0.1:{}", self.relay.port))
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn start(&mut self) {
        let log = File::create(self.dir.path().join("log")).unwrap();
        let mut command = java("kafka.Kafka", "-Xmx256m");
        self.process =
            Some(command.arg(self.file()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        wait_for_port(self.port);
    }

    fn refuse(&mut self, refusal: Refusal) {
        panic!("a broker cannot refuse: {refusal:?}");
    }

    fn poison(&self) -> Poison {
        Poison::LargeReason(40_000)
    }

    /// By Kafka's own tool, and by librdkafka.
    fn bare(&mut self, events: &[String]) -> Vec<(String, f64)> {
        let tool = self.by_kafkas_tool(events).map(|rate| ("kafka-producer-perf-test".to_owned(), rate));
        tool.into_iter().chain([("librdkafka alone".to_owned(), self.by_librdkafka(events))]).collect()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

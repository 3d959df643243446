//! Kafka: librdkafka's own cluster of brokers, in this process; and a real broker, where its jars are.
//!
//! Its jars are looked for at `PANOPTES_KAFKA_LIB`; `scripts/kafka` fetches them.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use libtest_mimic::Trial;
use panoptes_config::{ByteSize, Kafka, Secret, SinkOptions};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};

use crate::{
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
    trials.extend(rate("Apache Kafka", real, Broker::new));
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
    messages(brokers).iter().map(|payload| Got::of(&serde_json::from_slice(payload).unwrap())).collect()
}

fn messages(brokers: &str) -> Vec<Vec<u8>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "trial")
        .set("enable.partition.eof", "false")
        .create()
        .unwrap();
    let mut found = Vec::new();
    for partition in 0..PARTITIONS {
        let (_, end) = consumer.fetch_watermarks(TOPIC, partition, crate::support::PATIENCE).unwrap();
        let mut one = TopicPartitionList::new();
        one.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
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
    let all = messages(&mock.cluster.bootstrap_servers());
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
        let (port, controller) = (free_port(), free_port());
        let dir = tempfile::tempdir().unwrap();
        let mut broker = Self { dir, port, controller, relay: Relay::to(port), process: None };
        fs::write(broker.file(), broker.configuration()).unwrap();
        let format = java("kafka.tools.StorageTool", "-Xmx128m")
            .args(["format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c"])
            .arg(broker.file())
            .output();
        let format = format.unwrap();
        assert!(format.status.success(), "{}", String::from_utf8_lossy(&format.stderr));
        broker.start();
        broker
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("server.properties")
    }

    /// It tells clients the relay's address as its own.
    fn configuration(&self) -> String {
        let (port, controller, relay, dir) =
            (self.port, self.controller, self.relay.port, self.dir.path().display());
        format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{relay}\ncontroller.listener.names=CONTROLLER\nlog.dirs={dir}/data\n\
             num.partitions={PARTITIONS}\noffsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\nmin.insync.replicas=1\nmessage.max.bytes=20000\n"
        )
    }
}

impl Destination for Broker {
    fn options(&self) -> SinkOptions {
        SinkOptions::Kafka(options(format!("127.0.0.1:{}", self.relay.port)))
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
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

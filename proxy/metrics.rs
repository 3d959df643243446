//! What Panoptes tells of itself, for Prometheus. No label that a client can make grow.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use panoptes_event::Outcome;
use panoptes_parser::sql::Category;
use panoptes_sinks::Journal;
use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector, local::LocalHistogram,
};

use crate::session::Ending;

const CATEGORIES: [Category; 7] = [
    Category::Dml,
    Category::Ddl,
    Category::Dcl,
    Category::Tcl,
    Category::Session,
    Category::Utility,
    Category::Other,
];
const OUTCOMES: [Outcome; 6] =
    [Outcome::Ok, Outcome::Warning, Outcome::Error, Outcome::Cancelled, Outcome::Lost, Outcome::Skipped];

/// Bounds of the time that the proxy adds, in seconds: 1 µs to 1 s.
const ADDED_BUCKETS: [f64; 13] =
    [1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 5e-3, 2.5e-2, 1e-1, 1.0];

/// All metrics of the process.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) connections: IntGauge,
    pub(crate) logging_in: IntGauge,
    pub(crate) accepted: IntCounter,
    ended: IntCounterVec,
    bytes: IntCounterVec,
    added: Histogram,
    statements: IntCounterVec,
    pub(crate) left_out: IntCounter,
    pub(crate) names_forgotten: IntCounter,
    pub(crate) queued: IntGauge,
    journal: JournalMetrics,
}

/// The journal's and the sinks' figures, taken over when they are asked for.
#[derive(Debug)]
struct JournalMetrics {
    bytes: IntGauge,
    max_bytes: IntGauge,
    high_water: IntGauge,
    segments: IntGauge,
    last_seq: IntGauge,
    intents: IntCounter,
    open_intents: IntGauge,
    operations: IntCounterVec,
    blocked: prometheus::Counter,
    sinks: IntCounterVec,
    panics: IntCounterVec,
    lag_events: IntGaugeVec,
    lag_seconds: GaugeVec,
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            connections: gauge(&registry, "panoptes_connections", "Client connections that are open.")?,
            logging_in: gauge(
                &registry,
                "panoptes_connections_pending",
                "Client connections that are open and have not logged in.",
            )?,
            accepted: counter(
                &registry,
                "panoptes_connections_accepted_total",
                "Client connections accepted.",
            )?,
            ended: counters(
                &registry,
                "panoptes_sessions_ended_total",
                "Sessions that ended, by why.",
                &["reason"],
            )?,
            bytes: counters(&registry, "panoptes_passed_bytes_total", "Bytes passed on.", &["direction"])?,
            added: histogram(
                &registry,
                "panoptes_added_latency_seconds",
                "Time from the read of a chunk of bytes to the end of its write to the other side.",
            )?,
            statements: counters(
                &registry,
                "panoptes_statements_total",
                "Statements, by category and outcome.",
                &["category", "outcome"],
            )?,
            left_out: counter(
                &registry,
                "panoptes_capture_dropped_total",
                "Statements left out because the capture queue was full (policy drop).",
            )?,
            names_forgotten: counter(
                &registry,
                "panoptes_prepared_statements_forgotten_total",
                "Prepared statements beyond the limit of a session: their executions are told without text.",
            )?,
            queued: gauge(
                &registry,
                "panoptes_capture_queue_batches",
                "Batches waiting for an audit thread.",
            )?,
            journal: JournalMetrics::new(&registry)?,
            registry,
        };
        let info = Opts::new("panoptes_build_info", "The version that runs.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        let info = IntGauge::with_opts(info)?;
        info.set(1);
        metrics.registry.register(Box::new(info))?;
        Ok(metrics)
    }

    /// A session ended.
    pub(crate) fn ended(&self, ending: &Ending) {
        self.ended.with_label_values(&[ending.as_str()]).inc();
    }

    /// Adds what a batch counted.
    pub(crate) fn count_statements(&self, counts: &mut StatementCounts) {
        for (category, row) in CATEGORIES.iter().zip(&mut counts.0) {
            for (outcome, count) in OUTCOMES.iter().zip(row) {
                if *count > 0 {
                    let labels = [category.as_str(), outcome.as_str()];
                    self.statements.with_label_values(&labels).inc_by(std::mem::take(count));
                }
            }
        }
    }

    /// The text form that Prometheus reads.
    pub(crate) fn render(&self, journal: &Journal) -> Result<Vec<u8>, prometheus::Error> {
        self.journal.update(journal);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

impl JournalMetrics {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let lag_events = Opts::new(
            "panoptes_sink_lag_events",
            "Events in the journal that the sink has not acknowledged.",
        );
        let lag_seconds = Opts::new(
            "panoptes_sink_lag_seconds",
            "Age of the oldest event that the sink has not acknowledged.",
        );
        let blocked = prometheus::Counter::new(
            "panoptes_journal_blocked_seconds_total",
            "How long the audit threads waited for room in the journal.",
        )?;
        let lag_events = registered(registry, IntGaugeVec::new(lag_events, &["sink"])?)?;
        let lag_seconds = registered(registry, GaugeVec::new(lag_seconds, &["sink"])?)?;
        let blocked = registered(registry, blocked)?;
        Ok(Self {
            bytes: gauge(registry, "panoptes_journal_bytes", "Size of the journal on disk.")?,
            max_bytes: gauge(registry, "panoptes_journal_max_bytes", "What the journal may take on disk.")?,
            high_water: gauge(
                registry,
                "panoptes_journal_high_water",
                "1 while the journal is 80 % full or more.",
            )?,
            segments: gauge(registry, "panoptes_journal_segments", "Files that the journal is made of.")?,
            last_seq: gauge(registry, "panoptes_journal_last_seq", "Number of the last event.")?,
            intents: counter(registry, "panoptes_intents_total", "Intents written (mode strict).")?,
            open_intents: gauge(registry, "panoptes_intents_open", "Intents that have no outcome yet.")?,
            operations: counters(
                registry,
                "panoptes_journal_operations_total",
                "What the journal did: appended and dropped events, syncs, sync_failures, write_failures.",
                &["operation"],
            )?,
            blocked,
            sinks: counters(
                registry,
                "panoptes_sink_events_total",
                "What became of events at a sink: delivered, filtered, retried, dead_lettered, missed; failures counts deliveries.",
                &["sink", "result"],
            )?,
            panics: counters(
                registry,
                "panoptes_sink_panics_total",
                "How often a sink ended in a panic, by a defect of Panoptes, and was begun anew.",
                &["sink"],
            )?,
            lag_events,
            lag_seconds,
        })
    }

    fn update(&self, journal: &Journal) {
        let stats = journal.stats();
        let sizes = [
            (&self.bytes, stats.bytes),
            (&self.max_bytes, stats.max_bytes),
            (&self.high_water, stats.high_water.into()),
            (&self.segments, stats.segments as u64),
            (&self.last_seq, stats.last_seq),
            (&self.open_intents, stats.open_intents),
        ];
        for (gauge, size) in sizes {
            gauge.set(i64::try_from(size).unwrap_or(i64::MAX));
        }
        raise(&self.intents, stats.intents);
        let operations = [
            ("appended", stats.appended),
            ("dropped", stats.dropped),
            ("syncs", stats.syncs),
            ("sync_failures", stats.sync_failures),
            ("write_failures", stats.write_failures),
        ];
        for (operation, count) in operations {
            raise(&self.operations.with_label_values(&[operation]), count);
        }
        self.blocked.inc_by((stats.blocked.as_secs_f64() - self.blocked.get()).max(0.0));
        for sink in &stats.sinks {
            let results = [
                ("delivered", sink.delivered),
                ("filtered", sink.filtered),
                ("retried", sink.retried),
                ("dead_lettered", sink.dead_lettered),
                ("missed", sink.missed),
                ("failures", sink.failures),
            ];
            for (result, count) in results {
                raise(&self.sinks.with_label_values(&[&sink.name, result]), count);
            }
            raise(&self.panics.with_label_values(&[&sink.name]), sink.panics);
            let lag = i64::try_from(sink.lag_events).unwrap_or(i64::MAX);
            self.lag_events.with_label_values(&[&sink.name]).set(lag);
            self.lag_seconds.with_label_values(&[&sink.name]).set(sink.lag.as_secs_f64());
        }
    }
}

/// Statements by category and outcome, until they are added to the metrics.
#[derive(Debug, Default)]
pub(crate) struct StatementCounts([[u64; OUTCOMES.len()]; CATEGORIES.len()]);

impl StatementCounts {
    /// One more.
    pub(crate) fn count(&mut self, category: Category, outcome: Option<Outcome>) {
        let row = CATEGORIES.iter().position(|known| *known == category);
        let column = OUTCOMES.iter().position(|known| Some(*known) == outcome);
        if let (Some(row), Some(column)) = (row, column)
            && let Some(count) = self.0.get_mut(row).and_then(|row| row.get_mut(column))
        {
            *count += 1;
        }
    }
}

/// What one worker's sessions passed on; added to the metrics now and then, as that takes locks.
#[derive(Debug)]
pub(crate) struct Traffic {
    to_server: (IntCounter, Cell<u64>),
    to_client: (IntCounter, Cell<u64>),
    added: RefCell<LocalHistogram>,
}

impl Traffic {
    /// At zero.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let direction = |name| (metrics.bytes.with_label_values(&[name]), Cell::new(0));
        Self {
            to_server: direction("to_server"),
            to_client: direction("to_client"),
            added: RefCell::new(metrics.added.local()),
        }
    }

    /// A chunk went on to the server.
    pub(crate) fn to_server(&self, bytes: usize, nanos: u64) {
        self.passed(&self.to_server.1, bytes, nanos);
    }

    /// A chunk went on to the client.
    pub(crate) fn to_client(&self, bytes: usize, nanos: u64) {
        self.passed(&self.to_client.1, bytes, nanos);
    }

    /// Adds what was counted to the metrics.
    pub(crate) fn flush(&self) {
        for (counter, count) in [&self.to_server, &self.to_client] {
            counter.inc_by(count.take());
        }
        self.added.borrow_mut().flush();
    }

    fn passed(&self, count: &Cell<u64>, bytes: usize, nanos: u64) {
        count.set(count.get() + bytes as u64);
        self.added.borrow_mut().observe(Duration::from_nanos(nanos).as_secs_f64());
    }
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    registered(registry, IntGauge::new(name, help)?)
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    registered(registry, IntCounter::new(name, help)?)
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn histogram(registry: &Registry, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts::new(name, help).buckets(ADDED_BUCKETS.to_vec());
    registered(registry, Histogram::with_opts(options)?)
}

fn registered<M: Collector + Clone + 'static>(
    registry: &Registry,
    metric: M,
) -> Result<M, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

/// Counters of the journal are its own; a metric only ever follows them up.
fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

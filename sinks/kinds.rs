//! The kinds of sinks: which options make which.

use panoptes_config::{self as config, Database as DatabaseOptions, DatabaseEngine, SinkOptions};

#[cfg(feature = "sqlserver")]
use crate::database::Sqlserver;
#[cfg(feature = "kafka")]
use crate::kafka::Kafka;
use crate::{
    console::Console,
    database::{Database, Mysql, Postgres, Sqlite},
    elasticsearch::Elasticsearch,
    file::File,
    http::{Http, Splunk},
    life::New,
    sink::Sink,
    sinks::StartError,
    syslog::Syslog,
};

/// What is done with a sink of any kind.
pub(crate) trait Build {
    /// `new` makes it of its options, as often as it is called.
    fn build<S: Sink, O: Clone + Send + 'static>(
        &mut self,
        name: &str,
        config: &config::Sink,
        options: &O,
        new: New<O, S>,
    ) -> Result<(), StartError>;
}

/// Builds a sink as it is configured. A new kind of sink is a file of its own and a line here.
pub(crate) fn build(name: &str, sink: &config::Sink, with: &mut impl Build) -> Result<(), StartError> {
    match &sink.options {
        SinkOptions::Console(options) => with.build(name, sink, options, |options| Ok(Console::new(options))),
        SinkOptions::File(options) => with.build(name, sink, options, File::new),
        SinkOptions::Http(options) => with.build(name, sink, options, Http::new),
        SinkOptions::Splunk(options) => with.build(name, sink, options, Splunk::new),
        SinkOptions::Elasticsearch(options) => with.build(name, sink, options, Elasticsearch::new),
        SinkOptions::Syslog(options) => with.build(name, sink, options, Syslog::new),
        SinkOptions::Database(options) => build_database(name, sink, with, options),
        #[cfg(feature = "kafka")]
        SinkOptions::Kafka(options) => with.build(name, sink, options, Kafka::new),
        #[cfg(not(feature = "kafka"))]
        SinkOptions::Kafka(_) => Err(StartError::Option {
            option: format!("sinks.{name}.kind"),
            what: "is kafka, which this build is without; build it with --features kafka".to_owned(),
        }),
    }
}

fn build_database(
    name: &str,
    sink: &config::Sink,
    with: &mut impl Build,
    options: &DatabaseOptions,
) -> Result<(), StartError> {
    match options.url.engine {
        DatabaseEngine::Postgres => with.build(name, sink, options, Database::<Postgres>::new),
        DatabaseEngine::Mysql => with.build(name, sink, options, Database::<Mysql>::new),
        DatabaseEngine::Sqlite => with.build(name, sink, options, Database::<Sqlite>::new),
        #[cfg(feature = "sqlserver")]
        DatabaseEngine::Sqlserver => with.build(name, sink, options, Database::<Sqlserver>::new),
        #[cfg(not(feature = "sqlserver"))]
        DatabaseEngine::Sqlserver => Err(StartError::Option {
            option: format!("sinks.{name}.url"),
            what: "is of SQL Server, which this build is without; build it with --features sqlserver"
                .to_owned(),
        }),
    }
}

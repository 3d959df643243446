//! Words of MySQL's statements that are no reserved ones, and so may be names as well: `SHOW MASTER STATUS`, `ENGINE = InnoDB`.
//!
//! Where no name can stand whose case matters, such a word is written in upper case. Names of tables, schemas and accounts may
//! differ in case alone, and none of their places is touched; in a query or a statement that writes rows an alias may stand nearly
//! anywhere, so there only the words of its locks are folded. A definition of what is called by one of
//! these words has its class by the text, not by the form: see [`may_fold`].

use super::super::lexer::{Kind, Lexer, Token};
use super::{Form, Last};
use crate::sql::Dialect;

/// Statements in which an alias may stand where a word does.
const ROWS: [&str; 10] =
    ["call", "delete", "do", "insert", "replace", "select", "table", "update", "values", "with"];

/// Keywords behind which a name stands, of a table or whatever has a case.
#[rustfmt::skip]
const BEFORE_NAMES: [&str; 27] = [
    "ANALYZE", "AS", "DATABASE", "DESC", "DESCRIBE", "EXISTS", "EXPLAIN", "FOR", "FROM", "FUNCTION", "HANDLER", "IN", "INDEX", "INTO", "JOIN",
    "LIKE", "ON", "PROCEDURE", "REFERENCES", "SCHEMA", "STRAIGHT_JOIN", "TABLE", "TO", "TRIGGER", "TRUNCATE", "UPDATE", "USE",
];

/// The same of the words below, and VIEW.
#[rustfmt::skip]
const NAMED: [&str; 15] = [
    "body", "cache", "channel", "component", "event", "library", "package", "plugin", "role", "server", "tables", "tablespace", "undofile",
    "user", "view",
];

impl<const POSTGRES: bool> Form<'_, '_, POSTGRES> {
    /// Is it one of these, where no name of a table can stand?
    #[inline(always)] // once per name
    pub(super) fn is_unreserved(&self, token: Token, spelling: &[u8]) -> bool {
        match self.rows {
            true => matches!(spelling.len(), 4..=6) && self.locks(token, spelling),
            false => self.is_unreserved_word(token, spelling),
        }
    }

    /// `LOCK IN SHARE MODE`, `FOR SHARE`, `FOR UPDATE SKIP LOCKED`
    fn locks(&self, token: Token, spelling: &[u8]) -> bool {
        let is = |word: &[u8], other: &str| word.eq_ignore_ascii_case(other.as_bytes());
        match spelling.len() {
            4 if is(spelling, "mode") => is(self.before(), "share"),
            4 if is(spelling, "skip") => is(self.next(token).1, "locked"),
            5 if is(spelling, "share") => self.last == Last::Keyword("FOR") || is(self.next(token).1, "mode"),
            6 if is(spelling, "locked") => is(self.before(), "skip"),
            _ => false,
        }
    }

    #[inline(never)]
    fn is_unreserved_word(&self, token: Token, spelling: &[u8]) -> bool {
        if matches!(self.last, Last::Dot | Last::At | Last::Account | Last::Colon)
            || !is_word(spelling)
            || self.is_caseless(token, spelling)
        {
            return false;
        }
        let (kind, next) = self.next(token);
        let before = self.before();
        match self.last {
            _ if kind == Some(Kind::Dot) => false,
            _ if next == b"=" => true,
            Last::Open => self.end == 0,
            Last::Comma => false,
            Last::Keyword("FOR") => matches!(kind, Some(Kind::String | Kind::Number)),
            Last::Keyword(word) => !BEFORE_NAMES.contains(&word) && word != "VIEW",
            _ => !NAMED.iter().any(|word| before.eq_ignore_ascii_case(word.as_bytes())),
        }
    }

    fn next(&self, token: Token) -> (Option<Kind>, &[u8]) {
        let rest = self.text.as_bytes().get(token.end..).unwrap_or_default();
        let next = Lexer::new(rest, self.dialect).token();
        let spelling = next.and_then(|next| rest.get(next.start..next.end)).unwrap_or_default();
        (next.map(|next| next.kind), spelling)
    }

    /// The word that the last token was; empty where it was none.
    fn before(&self) -> &[u8] {
        let before = self.text.as_bytes().get(..self.end).unwrap_or_default();
        let length =
            before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        before.get(before.len() - length..).unwrap_or_default()
    }
}

/// Is it a query, or a statement that writes rows?
pub(super) fn is_about_rows(text: &str, dialect: Dialect) -> bool {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let verb = match letters {
        // Behind white space, a comment, a bracket.
        0 => {
            let first = Lexer::new(text.as_bytes(), dialect).find(|token| token.kind != Kind::Open);
            first.and_then(|first| text.get(first.start..first.end))
        }
        _ => text.get(..letters),
    };
    let verb = verb.unwrap_or_default();
    ROWS.iter().any(|word| verb.eq_ignore_ascii_case(word))
}

/// May the form show a part of this name in another case than the text, in a statement that is not about rows?
pub(in crate::sql) fn may_fold(name: &str) -> bool {
    name.split('.').any(|part| is_word(part.as_bytes()))
}

fn is_word(word: &[u8]) -> bool {
    const LONGEST: usize = 38;
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    WORDS.binary_search_by(|known| known.as_bytes().cmp(lower)).is_ok()
}

/// As MySQL 9.7 and MariaDB 10.11 say them (`information_schema.keywords`), less those of `keyword`, and values of
/// their options.
#[rustfmt::skip]
static WORDS: [&str; 559] = [
    "absent", "account", "action", "active", "admin", "after", "against", "aggregate", "algorithm", "allow_missing_files",
    "always", "aria", "ascii", "assign_gtids_to_anonymous_transactions", "at", "attribute", "authentication", "authors",
    "auto", "auto_increment", "auto_refresh", "auto_refresh_source", "autoextend_size", "avg", "avg_row_length", "backup",
    "bernoulli", "binlog", "bit", "block", "body", "bool", "boolean", "btree", "buckets", "bulk", "byte", "cache",
    "cascaded", "catalog_name", "chain", "challenge_response", "changed", "channel", "charset", "checksum", "cipher",
    "class_origin", "client", "clob", "clone", "code", "collation", "column_add", "column_check", "column_create",
    "column_delete", "column_format", "column_get", "column_name", "columns", "committed", "compact", "completion",
    "component", "compressed", "compression", "concurrent", "connection", "consistent", "constraint_catalog",
    "constraint_name", "constraint_schema", "contains", "context", "contributors", "cpu", "cube", "current",
    "current_pos", "cursor_name", "cycle", "data", "datafile", "date", "datetime", "day", "default_auth", "definer",
    "definition", "delay_key_write", "delete_domain_id", "des_key_file", "description", "diagnostics", "directory",
    "disable", "disk", "do_domain_ids", "duality", "dynamic", "elsif", "empty", "enable", "encryption", "ends",
    "enforced", "engine", "engine_attribute", "engines", "enum", "error", "errors", "event", "events", "every",
    "examined", "exception", "exchange", "exclude", "expansion", "expire", "export", "extended", "extent_size",
    "external_format", "factor", "failed_login_attempts", "fast", "faults", "federated", "fields", "file",
    "file_block_size", "file_format", "file_name", "file_pattern", "file_prefix", "files", "finish", "first", "fixed",
    "flush", "following", "follows", "format", "found", "general", "generate", "generated", "geomcollection", "geometry",
    "geometrycollection", "get", "get_format", "get_source_public_key", "global", "goto", "grants", "group_replication",
    "gtid_only", "gtids", "guided", "hard", "hash", "header", "help", "histogram", "history", "host", "hosts", "hour",
    "id", "ignore_domain_ids", "ignore_server_ids", "ignored", "import", "inactive", "increment", "indexes", "initial",
    "initial_size", "initiate", "innodb", "inplace", "insert_method", "install", "instance", "instant", "invisible",
    "invoker", "io", "io_thread", "ipc", "isolation", "isopen", "issuer", "json", "json_table", "json_value",
    "key_block_size", "keyring", "language", "last", "last_value", "lastval", "leaves", "less", "level", "linestring",
    "list", "local", "locked", "locks", "log", "logfile", "logs", "manual", "masking", "master", "master_connect_retry",
    "master_delay", "master_demote_to_replica", "master_demote_to_slave", "master_gtid_pos", "master_heartbeat_period",
    "master_host", "master_log_file", "master_log_pos", "master_password", "master_port", "master_server_id",
    "master_ssl", "master_ssl_ca", "master_ssl_capath", "master_ssl_cert", "master_ssl_cipher", "master_ssl_crl",
    "master_ssl_crlpath", "master_ssl_key", "master_ssl_verify_server_cert", "master_use_gtid", "master_user",
    "max_connections_per_hour", "max_queries_per_hour", "max_rows", "max_size", "max_statement_time",
    "max_updates_per_hour", "max_user_connections", "medium", "member", "memory", "message_text", "microsecond",
    "migrate", "min_rows", "minute", "minvalue", "mode", "modify", "monitor", "month", "multilinestring", "multipoint",
    "multipolygon", "mutex", "myisam", "mysql", "mysql_errno", "name", "names", "national", "nchar", "ndb", "ndbcluster",
    "nested", "network_namespace", "never", "new", "next", "nextval", "no", "no_wait", "nocache", "nocopy", "nocycle",
    "nodegroup", "nomaxvalue", "nominvalue", "none", "notfound", "number", "nvarchar", "off", "oj", "old", "old_password",
    "one", "online", "open", "option", "optional", "options", "ordinality", "organization", "others", "owner",
    "pack_keys", "package", "page", "page_checksum", "parallel", "parameters", "parse_tree", "parse_vcol_expr", "parser",
    "partial", "partitioning", "partitions", "password", "password_lock_time", "path", "period", "persist",
    "persist_only", "persistent", "phase", "plugin", "plugin_dir", "plugins", "point", "policy", "polygon", "port",
    "portion", "precedes", "preceding", "preserve", "prev", "previous", "privilege_checks_user", "privileges", "process",
    "processlist", "profile", "profiles", "proxy", "quarter", "query", "raise", "random", "raw", "read_only", "rebuild",
    "recover", "redo_buffer_size", "redofile", "redundant", "ref_system_id", "reference", "registration", "relational",
    "relay", "relay_log_file", "relay_log_pos", "relay_thread", "relaylog", "reload", "remove", "reorganize", "repair",
    "repeatable", "replay", "replica", "replica_pos", "replicas", "replicate_do_db", "replicate_do_table",
    "replicate_ignore_db", "replicate_ignore_table", "replicate_rewrite_db", "replicate_wild_do_table",
    "replicate_wild_ignore_table", "replication", "require_row_format", "require_table_primary_key_check", "resource",
    "respect", "restart", "restore", "resume", "retain", "returned_sqlstate", "reuse", "reverse", "role", "rotate",
    "routine", "row_count", "row_format", "rowcount", "rownum", "rowtype", "rtree", "s3", "schedule", "schema_name",
    "second", "secondary", "secondary_engine", "secondary_engine_attribute", "secondary_load", "secondary_unload",
    "security", "serial", "serializable", "server", "session", "sets", "setval", "share", "shutdown", "signed", "simple",
    "skip", "slave", "slave_pos", "slaves", "slow", "snapshot", "socket", "soft", "soname", "source",
    "source_auto_position", "source_bind", "source_compression_algorithms", "source_connect_retry",
    "source_connection_auto_failover", "source_delay", "source_heartbeat_period", "source_host", "source_log_file",
    "source_log_pos", "source_password", "source_port", "source_public_key_path", "source_retry_count", "source_ssl",
    "source_ssl_ca", "source_ssl_capath", "source_ssl_cert", "source_ssl_cipher", "source_ssl_crl", "source_ssl_crlpath",
    "source_ssl_key", "source_ssl_verify_server_cert", "source_tls_ciphersuites", "source_tls_version", "source_user",
    "source_zstd_compression_level", "sql_after_gtids", "sql_after_mts_gaps", "sql_before_gtids", "sql_thread",
    "sql_tsi_day", "sql_tsi_hour", "sql_tsi_minute", "sql_tsi_month", "sql_tsi_quarter", "sql_tsi_second", "sql_tsi_week",
    "sql_tsi_year", "srid", "stacked", "stage", "start", "starts", "statement", "stats_auto_recalc", "stats_persistent",
    "stats_sample_pages", "status", "stop", "storage", "stored", "stream", "strict_load", "string", "subclass_origin",
    "subject", "subpartition", "subpartitions", "super", "suspend", "swaps", "switches", "sysdate", "system",
    "system_time", "table_checksum", "table_name", "tables", "tablespace", "temptable", "text", "than", "thread_priority",
    "threads", "time", "timestamp", "timestampadd", "timestampdiff", "tls", "traditional", "transactional", "tree",
    "triggers", "type", "types", "unbounded", "uncommitted", "undefined", "undo_buffer_size", "undofile", "unicode",
    "uninstall", "unregister", "until", "upgrade", "uri", "url", "use_frm", "user", "user_resources", "validate",
    "validation", "value", "varchar2", "variables", "vcpu", "vector", "verify_key_constraints", "versioning", "via",
    "virtual", "visible", "wait", "warnings", "week", "weight_string", "wrapper", "x509", "xa", "xid", "xml", "year",
    "zone",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found() {
        assert!(WORDS.is_sorted());
        assert!(WORDS.iter().all(|word| is_word(word.to_uppercase().as_bytes())));
        assert!(may_fold("d.Status") && !may_fold("Orders") && !is_word(&[b'a'; 99]));
    }
}

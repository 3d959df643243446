//! Names of settings, options and variables: which of them hold a secret.

/// What such a name has in it.
const SECRET: [&str; 15] = [
    "passw",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "api_key",
    "apikey",
    "private_key",
    "access_key",
    "encryption_key",
    "scram_client_key",
    "scram_server_key",
    // Galera's user and password.
    "sst_auth",
    // Of a device that logs a user in.
    "challenge_response",
];

/// Names that have it and hold none: policies, switches, counts.
const POLICIES: [&str; 13] = [
    "password_encryption",
    "password_required",
    "old_passwords",
    "default_password_lifetime",
    "disconnect_on_expired_password",
    "strict_password_validation",
    "password_history",
    "password_reuse_interval",
    "password_require_current",
    "max_password_errors",
    "generated_random_password_length",
    "md5_password_warnings",
    "ssl_passphrase_command_supports_reload",
];

/// Options of servers, mappings and wrappers that may be read. Any other may hold a secret.
#[rustfmt::skip]
const HARMLESS_OPTIONS: [&str; 32] = [
    "analyze_sampling", "application_name", "async_capable", "batch_size", "column_name", "connect_timeout", "database",
    "dbname", "extensions", "fdw_startup_cost", "fdw_tuple_cost", "fetch_size", "filename", "format", "host", "hostaddr",
    "import_default", "keep_connections", "owner", "parallel_commit", "password_required", "port", "schema",
    "schema_name", "socket", "sslmode", "table_name", "truncatable", "updatable", "use_remote_estimate", "user",
    "username",
];

/// Does a setting, variable or option of this name hold a secret?
pub(super) fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|word| contains(name, word)) && !is_policy(name)
}

/// Does a variable hold one, of a session or a routine? People call these shorter than settings; the manual of MySQL calls the
/// key of its examples `@key_str`.
pub(super) fn is_secret_variable(name: &str) -> bool {
    is_secret(name)
        || ends(name, "key_str")
        || ["pw", "pass", "key"].iter().any(|known| name.eq_ignore_ascii_case(known))
        || ["_pw", "_pass", "crypt_key", "aes_key"].iter().any(|known| ends(name, known))
}

/// Does a setting of this name hold a connection string?
pub(super) fn is_connection(name: &str) -> bool {
    contains(name, "conninfo") || contains(name, "dsn") || contains(name, "connection_string")
}

/// Does a setting of this name hold a command line?
pub(super) fn is_command(name: &str) -> bool {
    ends(name, "_command")
}

/// May the value of this option be read?
pub(super) fn is_harmless_option(name: &str) -> bool {
    HARMLESS_OPTIONS.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Is it a name that in any text means a password?
pub(super) fn is_password(name: &str) -> bool {
    (contains(name, "passw") || contains(name, "passphrase") || ends(name, "pwd")) && !is_policy(name)
}

fn is_policy(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    POLICIES.iter().any(|known| last.eq_ignore_ascii_case(known))
        || ["validate_password", "simple_password_check", "cracklib_password_check", "password_reuse_check"]
            .iter()
            .any(|plugin| contains(name, plugin))
        || ends(name, "_path")
        || ends(name, "_file")
}

/// Has `text` this word in it, in any case?
pub(super) fn contains(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

fn ends(name: &str, word: &str) -> bool {
    let start = name.len().saturating_sub(word.len());
    name.as_bytes().get(start..).is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
}

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

/// What may stand directly behind such a word: `tokens`, `secretkey`, but not `tokenizer` and `secretary`.
const TAILS: [&str; 8] = ["access", "hash", "id", "key", "s", "str", "text", "val"];

/// The last word of names that tell something of a secret, not the secret.
#[rustfmt::skip]
const FACTS: [&str; 22] = [
    "age", "algorithm", "attempts", "count", "days", "enabled", "expires", "expiry", "file", "interval", "length", "lifetime",
    "limit", "max", "min", "path", "policy", "required", "size", "timeout", "ttl", "version",
];

/// What a key is for that is kept secret, as names of variables say it.
#[rustfmt::skip]
const KEYS: [&str; 33] = [
    "access", "aes", "api", "auth", "cipher", "crypt", "crypto", "data", "db", "decrypt", "decryption", "dek", "des", "enc", "encrypt",
    "encryption", "hmac", "jwt", "kek", "license", "master", "my", "pgp", "priv", "private", "raw", "rsa", "secret", "sign", "signing", "stripe",
    "sym", "symmetric",
];

/// Options of servers, mappings and wrappers that may be read. Any other may hold a secret.
#[rustfmt::skip]
const HARMLESS_OPTIONS: [&str; 44] = [
    "analyze_sampling", "application_name", "async_capable", "batch_size", "column_name", "connect_timeout", "database",
    "dbname", "default", "delimiter", "encoding", "escape", "extensions", "fdw_startup_cost", "fdw_tuple_cost", "fetch_size",
    "filename", "force_not_null", "force_null", "format", "header", "host", "hostaddr", "import_default", "keep_connections",
    "log_verbosity", "null", "on_error", "owner", "parallel_commit", "password_required", "port", "quote", "reject_limit",
    "schema", "schema_name", "socket", "sslmode", "table_name", "truncatable", "updatable", "use_remote_estimate", "user",
    "username",
];

/// Does a setting, variable or option of this name hold a secret?
pub(super) fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|word| has_word(name, word)) && !is_policy(name)
}

/// Does a variable hold one, of a session or a routine? People call these shorter than settings, and keys by what they are for.
pub(super) fn is_secret_variable(name: &str) -> bool {
    let name = name.rsplit('.').next().unwrap_or(name);
    is_secret(name)
        || is_key(name)
        || ["jwt", "pass", "passcode", "passkey", "pw"].iter().any(|known| name.eq_ignore_ascii_case(known))
        || ["_jwt", "_pass", "_passcode", "_passkey", "_pw", "dbpass", "userpass"]
            .iter()
            .any(|known| ends(name, known))
}

/// Is an argument of this name a secret? What is called `key` alone is most often that of a map.
pub(super) fn is_secret_argument(name: &str) -> bool {
    is_secret_variable(name) && !name.eq_ignore_ascii_case("key")
}

/// `key`, `enc_key`, `mykey`, and the `key_str` of MySQL's manual; not `last_key`.
fn is_key(name: &str) -> bool {
    let known = ["key_str", "key"].into_iter().find(|known| ends(name, known));
    let Some(use_of) = known.and_then(|known| name.get(..name.len() - known.len())) else { return false };
    let use_of = use_of.trim_end_matches('_');
    let word = use_of.rsplit(['_', '.']).next().unwrap_or_default();
    // `aes256_key`
    let word = word.trim_end_matches(|digit: char| digit.is_ascii_digit());
    word.is_empty() || KEYS.iter().any(|known| word.eq_ignore_ascii_case(known))
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
    let key = ["secret_access_key", "secret-access-key", "secretkey"].iter().any(|key| contains(name, key));
    let hash = name.eq_ignore_ascii_case("authentication_string");
    (contains(name, "passw") || contains(name, "passphrase") || ends(name, "pwd") || hash || key)
        && !is_policy(name)
}

fn is_policy(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let word = last.rsplit('_').next().unwrap_or_default();
    POLICIES.iter().any(|known| last.eq_ignore_ascii_case(known))
        || ["validate_password", "simple_password_check", "cracklib_password_check", "password_reuse_check"]
            .iter()
            .any(|plugin| contains(name, plugin))
        || word.len() < last.len() && FACTS.iter().any(|fact| word.eq_ignore_ascii_case(fact))
}

/// Has a name this word in it, and not only as the beginning of another one?
fn has_word(name: &str, word: &str) -> bool {
    let places = name.as_bytes().windows(word.len()).enumerate();
    let mut places = places.filter(|(_, found)| found.eq_ignore_ascii_case(word.as_bytes()));
    // In upper case alone a name does not show where its words begin.
    let upper = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    places.any(|(at, _)| {
        let tail = name.as_bytes().get(at + word.len()..).unwrap_or_default();
        let goes_on =
            tail.first().is_some_and(|next| next.is_ascii_lowercase() || upper && next.is_ascii_uppercase());
        let tails = |known: &&str| {
            tail.get(..known.len()).is_some_and(|tail| tail.eq_ignore_ascii_case(known.as_bytes()))
        };
        word == "passw" || !goes_on || TAILS.iter().any(tails)
    })
}

/// Has `text` this word in it, in any case?
pub(super) fn contains(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

fn ends(name: &str, word: &str) -> bool {
    let start = name.len().saturating_sub(word.len());
    name.as_bytes().get(start..).is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_a_secret_from_what_is_like_one() {
        for name in [
            "app.token",
            "access_tokens",
            "authToken",
            "API_TOKEN",
            "my_secret",
            "SECRETKEY",
            "db_password",
            "PWD",
            "a.credentials",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "app.tokenizer",
            "TOKENIZER",
            "secretary",
            "my_token_count",
            "password_length",
            "secret_file",
            "tokenBucket_max",
        ] {
            assert!(!is_secret(name), "{name}");
        }
        for name in [
            "aes256_key",
            "stripe_key",
            "userPass",
            "app.passkey",
            "a.passcode",
            "my.jwt",
            "key",
            "enc_key",
            "aeskey",
            "mykey",
            "app.master_key",
            "my_key_str",
            "pw",
            "db_pass",
            "app.pass",
        ] {
            assert!(is_secret_variable(name), "{name}");
        }
        for name in ["last_key", "compass", "key_count", "primary_key", "monkey", "keys"] {
            assert!(!is_secret_variable(name), "{name}");
        }
    }
}

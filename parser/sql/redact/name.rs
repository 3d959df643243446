//! Names of settings, options, variables, arguments and members: which of them hold a secret.
//!
//! There is one list, [`is_secret_variable`], for all that an application names; [`is_secret`] is the part of it that holds for
//! settings of the servers, and [`is_password`] what is told in any prose.

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

/// Names of variables and members that are secrets, whatever else is one.
#[rustfmt::skip]
const SHORT: [&str; 6] = ["authorization", "jwt", "pass", "passcode", "passkey", "pw"];

/// What longer ones end with.
const ENDS: [&str; 8] =
    ["_authorization", "_jwt", "_pass", "_passcode", "_passkey", "_pw", "dbpass", "userpass"];

/// Of the query of an address, where the value looks as nobody's word does.
const QUERY: [&str; 4] = ["key", "sig", "signature", "x_amz_signature"];

/// The last word of names that tell something of a secret, not the secret.
#[rustfmt::skip]
const FACTS: [&str; 42] = [
    "age", "algorithm", "arn", "at", "attempts", "count", "created", "days", "enabled", "endpoint", "exp", "expired", "expires",
    "expiry", "file", "in", "index", "interval", "issued", "kind", "length", "lifetime", "limit", "max", "min", "name", "path",
    "policy", "provider", "required", "scope", "size", "state", "status", "timeout", "ttl", "type", "updated", "uri", "url",
    "valid", "version",
];

/// What a key is for that is kept secret, as names of variables say it.
#[rustfmt::skip]
const KEYS: [&str; 38] = [
    "access", "account", "aes", "api", "auth", "cipher", "crypt", "crypto", "data", "db", "decrypt", "decryption", "dek", "des", "enc", "encrypt",
    "encryption", "hmac", "jwt", "kek", "license", "master", "my", "pgp", "priv", "private", "raw", "role", "root", "rsa", "secret", "service", "shared", "sign",
    "signing", "stripe", "sym", "symmetric",
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

/// Does what an application calls so hold one, a variable or a member? People call these shorter than settings, and keys by what
/// they are for.
pub(super) fn is_secret_variable(name: &str) -> bool {
    let name = name.rsplit('.').next().unwrap_or(name);
    is_secret(name)
        || is_key(name)
        || SHORT.iter().any(|known| same(name.as_bytes(), known.as_bytes()))
        || ENDS.iter().any(|known| ends(name, known))
}

/// Is an argument, a member of JSON, the value of a pair of this name a secret? What is called `key` alone is most often that of a map.
pub(super) fn is_secret_pair(name: &str) -> bool {
    // Of an option, `--key=…`.
    let name = name.trim_start_matches('-');
    is_secret_variable(name) && !name.eq_ignore_ascii_case("key")
}

/// May the parameter of an address be one that is called so?
pub(super) fn is_secret_query(name: &str) -> bool {
    QUERY.iter().any(|known| same(name.as_bytes(), known.as_bytes()))
}

/// Is it that of the header which HTTP logs in by?
pub(super) fn is_authorization(name: &str) -> bool {
    ends(name, "authorization")
}

/// Is the name a word that people use in talk?
pub(super) fn is_common_word(name: &str) -> bool {
    #[rustfmt::skip]
    const WORDS: [&str; 10] = [
        "authorization", "credential", "credentials", "pass", "secret", "secrets", "token", "tokens", "passcode", "passkey",
    ];
    WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// `key`, `enc_key`, `mykey`, `signingKey`, and the `key_str` of MySQL's manual; not `last_key`.
fn is_key(name: &str) -> bool {
    let known = ["key_str", "key"].into_iter().find(|known| ends(name, known));
    let Some(use_of) = known.and_then(|known| name.get(..name.len() - known.len())) else { return false };
    let use_of = use_of.trim_end_matches(['_', '-']);
    // `aes256_key`
    let words = last_words(use_of).map(|word| word.trim_end_matches(|digit: char| digit.is_ascii_digit()));
    use_of.is_empty() || KEYS.iter().any(|known| words.iter().any(|word| word.eq_ignore_ascii_case(known)))
}

/// Is it of a key that may as well be no more than an id: `accountKey`, `dataKey`?
pub(super) fn is_ambiguous_key(name: &str) -> bool {
    let use_of = name.get(..name.len().saturating_sub(3)).filter(|_| ends(name, "key")).unwrap_or_default();
    let words = last_words(use_of.trim_end_matches(['_', '-']));
    let ambiguous =
        |word: &str| ["account", "data", "license"].iter().any(|use_of| word.eq_ignore_ascii_case(use_of));
    !is_secret(name) && words.into_iter().any(ambiguous)
}

/// Is it one of which people tell each other the digits?
pub(super) fn is_spoken_password(name: &str) -> bool {
    ["passcode", "passkey", "pw"].iter().any(|known| same(name.as_bytes(), known.as_bytes()))
        || ["_passcode", "_passkey", "_pw"].iter().any(|end| ends(name, end))
}

/// The last word of a name: behind the last `_`, `-` or `.`, and from the last capital on that begins one.
fn last_words(name: &str) -> [&str; 2] {
    let word = name.rsplit(['_', '-', '.']).next().unwrap_or(name);
    let capital =
        |pair: &[u8]| matches!(pair, [last, next] if last.is_ascii_lowercase() && next.is_ascii_uppercase());
    let start = word.as_bytes().windows(2).rposition(capital).map_or(0, |last| last + 1);
    [word, word.get(start..).unwrap_or(word)]
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
    let is_fact =
        |word: &str| word.len() < last.len() && FACTS.iter().any(|fact| word.eq_ignore_ascii_case(fact));
    POLICIES.iter().any(|known| last.eq_ignore_ascii_case(known))
        || ["validate_password", "simple_password_check", "cracklib_password_check", "password_reuse_check"]
            .iter()
            .any(|plugin| contains(name, plugin))
        || last_words(last).into_iter().any(is_fact)
}

/// Has a name this word in it, and not only as the beginning of another one?
fn has_word(name: &str, word: &str) -> bool {
    let places = name.as_bytes().windows(word.len()).enumerate();
    let mut places = places.filter(|(_, found)| same(found, word.as_bytes()));
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

/// Does a name end so, in any case?
pub(super) fn ends(name: &str, word: &str) -> bool {
    let start = name.len().saturating_sub(word.len());
    name.as_bytes().get(start..).is_some_and(|end| same(end, word.as_bytes()))
}

/// Equal but for case, and for `-` where `word` has `_`?
fn same(name: &[u8], word: &[u8]) -> bool {
    let fold = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    name.len() == word.len() && name.iter().zip(word).all(|(one, other)| fold(*one) == *other)
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
            "accessKey",
            "privateKey",
            "x-api-key",
            "client-secret",
            "service_role_key",
            "SharedAccessKey",
            "request.header.authorization",
        ] {
            assert!(is_secret_variable(name), "{name}");
        }
        for name in [
            "last_key",
            "compass",
            "key_count",
            "primary_key",
            "monkey",
            "keys",
            "app.token_type",
            "tokenType",
            "token_uri",
            "client_secret_expires_at",
            "sortKey",
        ] {
            assert!(!is_secret_variable(name), "{name}");
        }
    }
}

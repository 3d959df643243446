//! Functions that take a secret, and which of their arguments it is.
//!
//! pgcrypto: <https://www.postgresql.org/docs/current/pgcrypto.html>, dblink:
//! <https://www.postgresql.org/docs/current/dblink.html>, MySQL:
//! <https://dev.mysql.com/doc/refman/8.4/en/encryption-functions.html>.

use super::super::Dialect;

/// What a function does with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Any other: its arguments are what the call itself is.
    Other,
    /// None of its arguments is secret, whatever they stand in: `gen_salt`.
    Neutral,
    /// A password or key at these places, one bit each.
    Secret(u16),
    /// A connection string or a statement at each place: both may hold a secret.
    Remote,
    /// Names and values in turn: what follows the name of a password is one.
    Pairs,
    /// A command line.
    Command,
    /// `set_config`: its first argument names what its second one is.
    Setting,
}

impl Call {
    /// What the function of this name does.
    pub(super) fn named(name: &str, dialect: Dialect) -> Self {
        // No name is longer or shorter.
        if !(3..=54).contains(&name.len()) {
            return Self::Other;
        }
        let known = if dialect.is_postgres() { POSTGRES } else { MYSQL };
        let found = known.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        found.map_or_else(|| Self::told(name), |(_, call)| *call)
    }

    /// Of what no manual here knows, by the end of its name: `change_password`, `account_options_credentials`.
    fn told(name: &str) -> Self {
        let ends = |end: &str| {
            let tail = name.len().checked_sub(end.len()).and_then(|start| name.get(start..));
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        let begins = |verb: &str| name.get(..verb.len()).is_some_and(|head| head.eq_ignore_ascii_case(verb));
        match ENDS.iter().find(|(end, _)| ends(end)) {
            Some((_, call)) if !ASKS.iter().any(|verb| begins(verb)) => *call,
            _ => Self::Other,
        }
    }

    /// Do words elsewhere in the text tell if a secret is in it?
    pub(super) const fn is_harmless(self) -> bool {
        matches!(self, Self::Other | Self::Neutral)
    }

    /// May a name with these last two letters, in any case, be one of them? For a quick look at any text.
    pub(super) fn may_end(first: u8, second: u8, dialect: Dialect) -> bool {
        let ends = if dialect.is_postgres() { &POSTGRES_ENDS } else { &MYSQL_ENDS };
        ends.get(usize::from(second & 31)).is_some_and(|firsts| firsts >> (first & 31) & 1 == 1)
    }
}

/// By the last letter of the names, the last but one: one bit each. Letters are told by their lower five bits.
static POSTGRES_ENDS: [u32; 32] = ends(POSTGRES, ends(ENDS, [0; 32]));
static MYSQL_ENDS: [u32; 32] = ends(MYSQL, ends(ENDS, [0; 32]));

#[allow(clippy::indexing_slicing)] // evaluated by the compiler: out of bounds would not build
const fn ends(known: &[(&str, Call)], mut ends: [u32; 32]) -> [u32; 32] {
    let mut at = 0;
    while at < known.len() {
        let (name, call) = known[at];
        let name = name.as_bytes();
        // AND ends as JSON_ARRAY_APPEND does, and has more brackets behind it than all of these: `passw` shows that one.
        let and = matches!(name, [.., b'n', b'd']);
        if !call.is_harmless() && !and {
            ends[(name[name.len() - 1] & 31) as usize] |= 1 << (name[name.len() - 2] & 31);
        }
        at += 1;
    }
    ends
}

const FIRST: Call = Call::Secret(0b001);
const SECOND: Call = Call::Secret(0b010);
const THIRD: Call = Call::Secret(0b100);
const FOURTH: Call = Call::Secret(0b1000);
const FIRST_TWO: Call = Call::Secret(0b011);
const ALL: Call = Call::Secret(u16::MAX);

/// How functions are called that take a secret, in whatever extension: every literal they are given goes.
const ENDS: &[(&str, Call)] = &[
    ("credentials", ALL),
    ("passphrase", ALL),
    ("passwd", ALL),
    ("password", ALL),
    ("secret", ALL),
    // pg_tde: <https://docs.percona.com/pg-tde/functions.html>, which took the token itself once.
    ("key_provider_vault_v2", SECOND),
];

/// Unless they only ask for it, by what it is called, or make one.
const ASKS: [&str; 8] = ["delete_", "drop_", "generate_", "get_", "has_", "is_", "random_", "read_"];

const POSTGRES: &[(&str, Call)] = &[
    ("crypt", FIRST_TWO),
    ("gen_salt", Call::Neutral),
    ("hmac", SECOND),
    ("encrypt", SECOND),
    ("decrypt", SECOND),
    ("encrypt_iv", SECOND),
    ("decrypt_iv", SECOND),
    ("pgp_sym_encrypt", SECOND),
    ("pgp_sym_encrypt_bytea", SECOND),
    ("pgp_sym_decrypt", SECOND),
    ("pgp_sym_decrypt_bytea", SECOND),
    ("pgp_pub_decrypt", Call::Secret(0b110)),
    ("pgp_pub_decrypt_bytea", Call::Secret(0b110)),
    ("dblink", Call::Remote),
    ("dblink_connect", Call::Remote),
    ("dblink_connect_u", Call::Remote),
    ("dblink_exec", Call::Remote),
    ("dblink_open", Call::Remote),
    ("dblink_send_query", Call::Remote),
    ("set_config", Call::Setting),
    ("hstore", Call::Pairs),
    ("http_header", Call::Pairs),
    ("json_build_object", Call::Pairs),
    ("json_object", Call::Pairs),
    ("json_object_agg", Call::Pairs),
    ("json_objectagg", Call::Pairs),
    ("jsonb_build_object", Call::Pairs),
    ("jsonb_insert", Call::Pairs),
    ("jsonb_object", Call::Pairs),
    ("jsonb_object_agg", Call::Pairs),
    ("jsonb_set", Call::Pairs),
    // Of extensions: Supabase's vault, aws_s3 on RDS, pgsodium.
    ("create_secret", FIRST),
    ("update_secret", SECOND),
    ("create_aws_credentials", ALL),
    // azure_storage and azure_ai, pgjwt.
    ("account_add", SECOND),
    ("set_setting", SECOND),
    ("sign", SECOND),
    ("verify", FIRST_TWO),
    // pg_transport on RDS, anonymizer, pg_duckdb, set_user.
    ("import_from_server", Call::Secret(0b10_1000)),
    ("set_secret_salt", FIRST),
    ("create_simple_secret", Call::Secret(0b110)),
    ("raw_query", Call::Remote),
    ("set_user", SECOND),
    ("table_import_from_s3", Call::Secret(0b1_1100_0000)),
    ("crypto_aead_det_decrypt", ALL),
    ("crypto_aead_det_encrypt", ALL),
    ("crypto_aead_ietf_decrypt", ALL),
    ("crypto_aead_ietf_encrypt", ALL),
    ("crypto_auth", ALL),
    ("crypto_auth_hmacsha256", ALL),
    ("crypto_auth_hmacsha256_verify", ALL),
    ("crypto_auth_hmacsha512", ALL),
    ("crypto_auth_hmacsha512_verify", ALL),
    ("crypto_auth_verify", ALL),
    ("crypto_box", ALL),
    ("crypto_box_open", ALL),
    ("crypto_box_seal_open", ALL),
    ("crypto_generichash", ALL),
    ("crypto_kdf_derive_from_key", ALL),
    ("crypto_pwhash", ALL),
    ("crypto_pwhash_str", ALL),
    ("crypto_pwhash_str_verify", ALL),
    ("crypto_secretbox", ALL),
    ("crypto_secretbox_open", ALL),
    ("crypto_secretstream_open", ALL),
    ("crypto_shorthash", ALL),
    ("crypto_sign", ALL),
    ("crypto_sign_detached", ALL),
    ("crypto_signcrypt_sign_after", ALL),
    ("crypto_signcrypt_sign_before", ALL),
    ("crypto_stream_xchacha20", ALL),
    ("crypto_stream_xchacha20_xor", ALL),
];

const MYSQL: &[(&str, Call)] = &[
    ("aes_encrypt", SECOND),
    ("aes_decrypt", SECOND),
    ("des_encrypt", SECOND),
    ("des_decrypt", SECOND),
    ("encode", SECOND),
    ("decode", SECOND),
    ("encrypt", FIRST),
    ("password", ALL),
    ("old_password", ALL),
    ("column_add", Call::Pairs),
    ("column_create", Call::Pairs),
    ("json_array_append", Call::Pairs),
    ("json_array_insert", Call::Pairs),
    ("json_insert", Call::Pairs),
    ("json_object", Call::Pairs),
    ("json_objectagg", Call::Pairs),
    ("json_replace", Call::Pairs),
    ("json_set", Call::Pairs),
    ("sys_eval", Call::Command),
    ("sys_exec", Call::Command),
    ("validate_password_strength", FIRST),
    ("kdf", FIRST),
    ("asymmetric_encrypt", THIRD),
    ("asymmetric_decrypt", THIRD),
    ("asymmetric_sign", THIRD),
    ("asymmetric_derive", ALL),
    ("create_asymmetric_priv_key", SECOND),
    ("create_asymmetric_pub_key", SECOND),
    ("keyring_key_store", THIRD),
    ("audit_log_encryption_password_set", FIRST),
    // Procedures of Amazon, Azure and Google.
    ("az_replication_change_master", THIRD),
    ("az_replication_change_primary", THIRD),
    ("az_replication_change_primary_with_gtid", THIRD),
    ("az_replication_change_master_with_gtid", THIRD),
    ("setupexternalsource", FOURTH),
    ("setupexternalsourceautoposition", FOURTH),
    ("rds_import_binlog_ssl_material", ALL),
    ("rds_set_external_master_with_delay", FOURTH),
    ("rds_set_external_source_with_delay", FOURTH),
    ("rds_set_external_source_for_channel", FOURTH),
    ("rds_set_external_source_with_auto_position_for_channel", FOURTH),
    ("rds_set_external_source_with_delay_for_channel", FOURTH),
    ("rds_set_external_master", FOURTH),
    ("rds_set_external_source", FOURTH),
    ("rds_set_external_master_with_auto_position", FOURTH),
    ("rds_set_external_source_with_auto_position", FOURTH),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_look_knows_every_name_and_few_others() {
        for (known, dialect) in [(POSTGRES, Dialect::POSTGRES), (MYSQL, Dialect::MYSQL)] {
            for (name, _) in known.iter().filter(|(name, call)| !call.is_harmless() && !name.ends_with("nd"))
            {
                for name in [name.to_string(), name.to_uppercase()] {
                    let [.., first, second] = name.as_bytes() else { panic!("{name}") };
                    assert!(Call::may_end(*first, *second, dialect), "{name}");
                }
            }
            for name in ["now", "count", "values", "in", "max", "exists", "and", "sum"] {
                let [.., first, second] = name.as_bytes() else { panic!("{name}") };
                assert!(!Call::may_end(*first, *second, dialect), "{name}");
            }
        }
        assert!(!Call::may_end(b'a', b'l', Dialect::POSTGRES), "nextval");
    }
}

//! Values as a real server sends and prints them, and as nobody should.

use proptest::prelude::*;
use serde_json::Value;

use super::types::OIDS;
use super::*;

fn written(oid: u32, format: i16, value: Option<&[u8]>) -> String {
    let mut out = Vec::new();
    write_json(&mut out, oid, format, value, &Encoding::UTF8);
    String::from_utf8(out).unwrap()
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2).map(|n| u8::from_str_radix(&digits[n * 2..n * 2 + 2], 16).unwrap()).collect()
}

fn unquoted(json: &str) -> &str {
    json.trim_matches('"')
}

/// Numbers compared as doubles: the server prints 1e+20 where we write 1e20.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        _ => one == other,
    }
}

#[test]
fn agrees_with_a_real_server() {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/postgres/values.tsv");
    let table = std::fs::read_to_string(table).unwrap();
    let mut rows = 0;
    for line in table.lines() {
        let [name, oid, sent, printed, json] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not five columns: {line}");
        };
        let oid = oid.parse().unwrap();
        let printed: String = serde_json::from_str(printed).unwrap();
        let expected: Value = serde_json::from_str(json).unwrap();
        let binary = written(oid, 1, Some(&unhex(sent)));
        let text = written(oid, 0, Some(printed.as_bytes()));

        assert_eq!(Type::of(oid).unwrap().name, name);
        assert!(equal(&serde_json::from_str(&binary).unwrap(), &expected), "{line}\nbinary: {binary}");
        assert!(equal(&serde_json::from_str(&text).unwrap(), &expected), "{line}\ntext: {text}");
        match name {
            "int2" | "int4" | "int8" | "oid" | "numeric" if expected.is_number() => {
                assert_eq!((binary, text), (printed.clone(), printed), "digit for digit");
            }
            "float4" => assert_eq!(
                unquoted(&binary).parse::<f32>().map(f32::to_bits),
                printed.parse().map(f32::to_bits)
            ),
            "float8" => assert_eq!(
                unquoted(&binary).parse::<f64>().map(f64::to_bits),
                printed.parse().map(f64::to_bits)
            ),
            _ => {}
        }
        rows += 1;
    }
    assert!(rows > 240, "only {rows} rows");
}

#[test]
fn null_is_null_whatever_the_type() {
    for oid in [0, 23, 25, 600, 99_999] {
        assert_eq!(written(oid, 0, None), "null");
        assert_eq!(written(oid, 1, None), "null");
    }
}

#[test]
fn what_is_not_read_is_shown_with_type_and_hex() {
    assert_eq!(written(0, 1, Some(b"ab")), r#"{"type":"unknown","hex":"6162"}"#);
    assert_eq!(written(0, 0, Some(b"a\"b")), r#"{"type":"unknown","hex":"612262","text":"a\"b"}"#);
    assert_eq!(written(0, 0, Some(b"a\xff")), r#"{"type":"unknown","hex":"61ff"}"#);
    assert_eq!(written(16_437, 0, Some(b"happy")), r#"{"type":"16437","hex":"6861707079","text":"happy"}"#);
    assert_eq!(
        written(790, 1, Some(&[0, 0, 0, 0, 0, 0, 0, 1])),
        r#"{"type":"money","hex":"0000000000000001"}"#
    );
    assert_eq!(written(23, 2, Some(b"1")), r#"{"type":"int4","hex":"31"}"#);
}

#[test]
fn a_binary_value_of_the_wrong_length_is_shown_with_type_and_hex() {
    for oid in [16, 18, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950, 869, 3802] {
        for bytes in [&b""[..], b"\x07\x07\x07", &[7; 17]] {
            assert!(written(oid, 1, Some(bytes)).starts_with("{\"type\":"), "{oid}: {bytes:?}");
        }
    }
}

#[test]
fn values_that_a_type_cannot_have_are_hex() {
    let day_and_more = 86_400_000_001_i64.to_be_bytes();
    assert_eq!(written(1083, 1, Some(&day_and_more)), r#"{"type":"time","hex":"000000141dd76001"}"#);
    assert_eq!(
        written(869, 1, Some(&[2, 33, 0, 4, 1, 2, 3, 4])),
        r#"{"type":"inet","hex":"0221000401020304"}"#
    );
}

#[test]
fn text_of_a_session_in_another_encoding() {
    let mut out = Vec::new();
    write_json(&mut out, 25, 0, Some(b"caf\xe9"), &Encoding::named("LATIN1"));
    write_json(&mut out, 1009, 0, Some(b"{\"\x95\x5c\",x}"), &Encoding::named("SJIS"));
    write_json(&mut out, 25, 1, Some(b"caf\xe9"), &Encoding::named("SQL_ASCII"));
    assert_eq!(String::from_utf8(out).unwrap(), r#""café"["表","x"]"caf\\xe9""#);
}

/// Written bytes for each byte sent, and as many again at most for the frame around them.
const GROWTH: usize = 16;
const FRAME: usize = 128;

fn assert_sound(oid: u32, format: i16, bytes: &[u8]) -> Result<(), TestCaseError> {
    let json = written(oid, format, Some(bytes));
    prop_assert!(serde_json::from_str::<Value>(&json).is_ok(), "{}", json);
    prop_assert!(json.len() <= bytes.len() * GROWTH + FRAME, "{} bytes for {}", json.len(), bytes.len());
    prop_assert!(!json.bytes().any(|byte| byte < b' '), "{}", json);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_json(
        oid in prop_oneof![proptest::sample::select(OIDS), any::<u32>()],
        format in prop_oneof![Just(0_i16), Just(1), any::<i16>()],
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        assert_sound(oid, format, &bytes)?;
    }

    #[test]
    fn any_text_is_json(oid in proptest::sample::select(OIDS), text in r#"[{}\[\]",:=\\xntfa0-9.eE+\- \n]{0,40}"#) {
        assert_sound(oid, 0, text.as_bytes())?;
    }

    #[test]
    fn a_real_value_with_a_byte_changed_is_json(row in 0_usize..251, at: usize, byte: u8) {
        let table = include_str!("../../../tests/data/postgres/values.tsv");
        let columns: Vec<_> = table.lines().nth(row).unwrap().split('\t').collect();
        let mut bytes = unhex(columns[2]);
        if !bytes.is_empty() {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        assert_sound(columns[1].parse().unwrap(), 1, &bytes)?;
    }

    #[test]
    fn any_body_of_a_bind_is_walked_to_its_end(body in proptest::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..80)) {
        let mut parameters = Parameters::new(&body, body.len() as u64);
        let seen = parameters.by_ref().count();
        prop_assert_eq!(seen < usize::from(parameters.declared()) || parameters.declared() == 0 && seen == 0 && parameters.truncated(),
            parameters.truncated());
    }
}

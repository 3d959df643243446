//! Values in binary format, as the server's `…_recv` functions take them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::types::Kind;
use super::{array, datetime, numeric};
use crate::json::{write_digits, write_document, write_float, write_hex, write_integer};
use crate::text::{Encoding, write_json_string};

/// Writes a value; None where the type has no such value or is not read here. `out` may then hold a part of it.
pub(super) fn write(out: &mut Vec<u8>, kind: Kind, bytes: &[u8], encoding: &Encoding) -> Option<()> {
    match kind {
        Kind::Text => write_json_string(out, &encoding.decode(bytes)),
        Kind::Char => write_char(out, bytes, encoding)?,
        Kind::Bool => out.extend_from_slice(if one(bytes)? == 0 { b"false" } else { b"true" }),
        Kind::Int2 => write_integer(out, i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Int4 => write_integer(out, i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Int8 => write_integer(out, i64::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Oid => write_digits(out, u32::from_be_bytes(bytes.try_into().ok()?).into(), 1),
        Kind::Xid8 => write_digits(out, u64::from_be_bytes(bytes.try_into().ok()?), 1),
        Kind::Float4 => write_float(out, f32::from_be_bytes(bytes.try_into().ok()?))?,
        Kind::Float8 => write_float(out, f64::from_be_bytes(bytes.try_into().ok()?))?,
        Kind::Numeric => numeric::write_binary(out, bytes)?,
        Kind::Json => write_document(out, &encoding.decode_exact(bytes)?),
        Kind::Jsonb => write_document(out, &encoding.decode_exact(bytes.strip_prefix(&[1])?)?),
        Kind::Array(element) => array::write_binary(out, element, bytes, encoding)?,
        Kind::Opaque => return None,
        _ => {
            out.push(b'"');
            write_bare(out, kind, bytes)?;
            out.push(b'"');
        }
    }
    Some(())
}

/// The kinds whose JSON is a string that needs no escapes.
fn write_bare(out: &mut Vec<u8>, kind: Kind, bytes: &[u8]) -> Option<()> {
    match kind {
        Kind::Bytea => {
            out.extend_from_slice(b"\\\\x");
            write_hex(out, bytes);
        }
        Kind::Uuid => write_uuid(out, bytes.try_into().ok()?),
        Kind::Date => datetime::write_date(out, i32::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Time => datetime::write_time(out, i64::from_be_bytes(bytes.try_into().ok()?))?,
        Kind::TimeTz => {
            let (time, zone) = bytes.split_first_chunk()?;
            datetime::write_time(out, i64::from_be_bytes(*time))?;
            datetime::write_zone(out, i32::from_be_bytes(zone.try_into().ok()?))?;
        }
        Kind::Timestamp => datetime::write_timestamp(out, i64::from_be_bytes(bytes.try_into().ok()?), b""),
        Kind::TimestampTz => {
            datetime::write_timestamp(out, i64::from_be_bytes(bytes.try_into().ok()?), b"+00")
        }
        Kind::Interval => {
            let (time, rest) = bytes.split_first_chunk()?;
            let (days, months) = rest.split_first_chunk()?;
            let (time, days) = (i64::from_be_bytes(*time), i32::from_be_bytes(*days));
            datetime::write_interval(out, time, days, i32::from_be_bytes(months.try_into().ok()?));
        }
        Kind::Network => write_network(out, bytes)?,
        _ => return None,
    }
    Some(())
}

fn one(bytes: &[u8]) -> Option<u8> {
    <[u8; 1]>::try_from(bytes).ok().map(|[byte]| byte)
}

/// "char" is one byte; zero is the empty one.
fn write_char(out: &mut Vec<u8>, bytes: &[u8], encoding: &Encoding) -> Option<()> {
    let text = if one(bytes)? == 0 { b"" } else { bytes };
    write_json_string(out, &encoding.decode(text));
    Some(())
}

fn write_uuid(out: &mut Vec<u8>, bytes: &[u8; 16]) {
    let mut rest = bytes.as_slice();
    for length in [4, 2, 2, 2, 6] {
        let (group, tail) = rest.split_at_checked(length).unwrap_or_default();
        write_hex(out, group);
        out.extend((!tail.is_empty()).then_some(b'-'));
        rest = tail;
    }
}

/// inet and cidr: family (2 or 3), bits of the mask, whether it is a cidr, length of the address, the address.
/// A cidr shows its mask always, an inet where it is not the whole address.
fn write_network(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let ([family, bits, cidr, length], address) = bytes.split_first_chunk()?;
    if usize::from(*length) != address.len() || *cidr > 1 {
        return None;
    }
    let most = match family {
        2 => {
            write_display(out, Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?));
            32
        }
        3 => {
            write_ipv6(out, <[u8; 16]>::try_from(address).ok()?);
            128
        }
        _ => return None,
    };
    if *bits > most {
        return None;
    }
    if *cidr == 1 || *bits < most {
        out.push(b'/');
        write_digits(out, (*bits).into(), 1);
    }
    Some(())
}

/// As the server, unlike the standard library, an address of the old IPv4-compatible kind ends in dotted digits.
fn write_ipv6(out: &mut Vec<u8>, address: [u8; 16]) {
    match address {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if (a, b) != (0, 0) => {
            out.extend_from_slice(b"::");
            write_display(out, Ipv4Addr::new(a, b, c, d));
        }
        _ => write_display(out, Ipv6Addr::from(address)),
    }
}

fn write_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    use std::io::Write;
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}

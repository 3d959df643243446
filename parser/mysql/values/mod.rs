//! Parameters of COM_STMT_EXECUTE and COM_STMT_BULK_EXECUTE, and the attributes of a query, as JSON.
//!
//! * [`Parameters`]: one run's. [`BulkParameters`]: those of many rows. [`Attributes`]: names and values of a query.
//! * [`write_json`]: one value. [`write_head`]: what was kept of one. `condense` keeps no more of long ones. `types` knows the types, `value` reads and writes the values of each.
//!
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html>,
//! <https://mariadb.com/docs/server/reference/clientserver-protocol/3-binary-protocol-prepared-statements/com_stmt_bulk_execute>

mod bulk;
mod condense;
mod head;
mod parameters;
mod skip;
mod types;
mod value;

pub use bulk::{BulkParameters, Cell};
pub(super) use condense::{Condenser, Declared, unmarked};
pub use head::{write_head, write_head_text};
pub(super) use parameters::split_query;
pub use parameters::{Attributes, Parameter, Parameters};
pub(super) use skip::{Skip, leave_out};
pub use value::Value;

use self::types::Type;
use crate::text::Encoding;

/// Stands for a type that was not sent yet, where [`Parameters`] and [`BulkParameters`] take those that are known.
pub const UNKNOWN_TYPE: u32 = u32::MAX;

fn known(types: &[u32], place: usize) -> Option<u16> {
    types.get(place).and_then(|kind| u16::try_from(*kind).ok())
}

/// Appends one value as JSON. `kind` is its type as the client sent it, with the flag of numbers without a sign;
/// `None` is SQL NULL. `encoding` is the session's.
///
/// - Integers, floats and decimals become JSON numbers, digit for digit; what is no number for JSON becomes a string.
/// - Texts, dates (`2026-11-22`), times (`-26:03:04.000001`) and both together become strings, JSON is embedded.
/// - Blobs, bits, geometry, and what is of an unknown type or not well formed become `{"type":…,"hex":…}`; a blob that is
///   a text has `"text"` too.
///
/// Takes any bytes, and writes at most a small multiple of their length.
pub fn write_json(out: &mut Vec<u8>, kind: u16, value: Option<&[u8]>, encoding: &Encoding) {
    match value {
        Some(bytes) => value::write(out, Type::of(kind), bytes, encoding),
        None => out.extend_from_slice(b"null"),
    }
}

//! The server's built-in types by OID.

/// A built-in type.
#[derive(Clone, Copy)]
pub(super) struct Type {
    /// As in `pg_type`; an array's begins with an underscore.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// How values of a type are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Types whose values are texts in both formats.
    Text,
    Char,
    Bool,
    Int2,
    Int4,
    Int8,
    /// Unsigned, of four bytes.
    Oid,
    /// Unsigned, of eight bytes.
    Xid8,
    Float4,
    Float8,
    Numeric,
    Bytea,
    Uuid,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Interval,
    Json,
    Jsonb,
    /// inet and cidr.
    Network,
    /// Of elements of the type with this OID.
    Array(u32),
    /// Known by name alone.
    Opaque,
}

impl Type {
    /// The type of this OID; None for 0 and for types that a database defines itself.
    pub(super) fn of(oid: u32) -> Option<Self> {
        let (name, kind) = lookup(oid)?;
        Some(Self { name, kind })
    }
}

/// One match for the types and their arrays, which the compiler turns into a search tree.
macro_rules! types {
    ($($oid:literal $name:literal $array:literal $kind:ident)*) => {
        fn lookup(oid: u32) -> Option<(&'static str, Kind)> {
            match oid {
                $($oid => Some(($name, Kind::$kind)),
                $array => Some((concat!("_", $name), Kind::Array($oid))),)*
                705 => Some(("unknown", Kind::Text)),
                _ => None,
            }
        }

        #[cfg(test)]
        pub(super) const OIDS: &[u32] = &[$($oid, $array,)* 705];
    };
}

// As pg_type of PostgreSQL 15 has them: OID, name, OID of the array.
types! {
    16 "bool" 1000 Bool
    17 "bytea" 1001 Bytea
    18 "char" 1002 Char
    19 "name" 1003 Text
    20 "int8" 1016 Int8
    21 "int2" 1005 Int2
    22 "int2vector" 1006 Opaque
    23 "int4" 1007 Int4
    24 "regproc" 1008 Opaque
    25 "text" 1009 Text
    26 "oid" 1028 Oid
    27 "tid" 1010 Opaque
    28 "xid" 1011 Oid
    29 "cid" 1012 Oid
    30 "oidvector" 1013 Opaque
    114 "json" 199 Json
    142 "xml" 143 Text
    600 "point" 1017 Opaque
    601 "lseg" 1018 Opaque
    602 "path" 1019 Opaque
    603 "box" 1020 Opaque
    604 "polygon" 1027 Opaque
    628 "line" 629 Opaque
    650 "cidr" 651 Network
    700 "float4" 1021 Float4
    701 "float8" 1022 Float8
    718 "circle" 719 Opaque
    774 "macaddr8" 775 Opaque
    790 "money" 791 Opaque
    829 "macaddr" 1040 Opaque
    869 "inet" 1041 Network
    1033 "aclitem" 1034 Opaque
    1042 "bpchar" 1014 Text
    1043 "varchar" 1015 Text
    1082 "date" 1182 Date
    1083 "time" 1183 Time
    1114 "timestamp" 1115 Timestamp
    1184 "timestamptz" 1185 TimestampTz
    1186 "interval" 1187 Interval
    1266 "timetz" 1270 TimeTz
    1560 "bit" 1561 Opaque
    1562 "varbit" 1563 Opaque
    1700 "numeric" 1231 Numeric
    1790 "refcursor" 2201 Text
    2202 "regprocedure" 2207 Opaque
    2203 "regoper" 2208 Opaque
    2204 "regoperator" 2209 Opaque
    2205 "regclass" 2210 Opaque
    2206 "regtype" 2211 Opaque
    2950 "uuid" 2951 Uuid
    2970 "txid_snapshot" 2949 Opaque
    3220 "pg_lsn" 3221 Opaque
    3614 "tsvector" 3643 Opaque
    3615 "tsquery" 3645 Opaque
    3642 "gtsvector" 3644 Opaque
    3734 "regconfig" 3735 Opaque
    3769 "regdictionary" 3770 Opaque
    3802 "jsonb" 3807 Jsonb
    3904 "int4range" 3905 Opaque
    3906 "numrange" 3907 Opaque
    3908 "tsrange" 3909 Opaque
    3910 "tstzrange" 3911 Opaque
    3912 "daterange" 3913 Opaque
    3926 "int8range" 3927 Opaque
    4072 "jsonpath" 4073 Opaque
    4089 "regnamespace" 4090 Opaque
    4096 "regrole" 4097 Opaque
    4191 "regcollation" 4192 Opaque
    4451 "int4multirange" 6150 Opaque
    4532 "nummultirange" 6151 Opaque
    4533 "tsmultirange" 6152 Opaque
    4534 "tstzmultirange" 6153 Opaque
    4535 "datemultirange" 6155 Opaque
    4536 "int8multirange" 6157 Opaque
    5038 "pg_snapshot" 5039 Opaque
    5069 "xid8" 271 Xid8
}

//! The parameters of one run, and the attributes of a query: both are sent alike.

use std::iter;

use super::{
    bulk::shape,
    condense::is_condensed,
    known,
    skip::size,
    types::{Size, Type},
    value::{self, Value},
};
use crate::{mysql::field, reader::Reader};

/// Of COM_STMT_EXECUTE: the number of parameters is told, although the statement has none. Where it has some, it is told in
/// any case, provided that parameters may have names.
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html>
const COUNTED: u8 = 0x08;

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Its name; empty for none.
    pub name: &'a [u8],
    /// Its type, as the client sent it.
    pub kind: u16,
    /// Its bytes.
    pub value: Value<'a>,
}

/// Reads the parameters of a run one by one. Allocates nothing.
///
/// The body may have been cut: the walk ends before the first value that is not all there, and
/// [`truncated`](Self::truncated) then says so.
#[derive(Clone, Debug)]
pub struct Parameters<'a> {
    count: usize,
    seen: usize,
    nulls: &'a [u8],
    /// Types and names, where they were sent.
    types: Option<Reader<'a>>,
    /// Types that were sent with an earlier run.
    known: &'a [u32],
    /// Places of those whose values were sent ahead.
    appended: &'a [u16],
    named: bool,
    values: Reader<'a>,
    /// Values may be heads.
    condensed: bool,
    truncated: bool,
}

/// Types of parameters, with their names where there are any.
fn types<'a>(reader: &mut Reader<'a>, count: usize, named: bool) -> Option<Reader<'a>> {
    let start = *reader;
    for _ in 0..count {
        reader.u16_le()?;
        if named {
            field::name(reader)?;
        }
    }
    Some(start)
}

impl<'a> Parameters<'a> {
    /// Over [`Ask::Run`](crate::wire::Ask::Run)'s parameters. `declared` is how many the statement has, `named` whether
    /// they may have names, `known` the types that were sent last (they need not be sent again), and `appended` the
    /// places of parameters that were sent ahead by [`Ask::Append`](crate::wire::Ask::Append), which are passed over.
    #[must_use]
    pub fn new(body: &'a [u8], declared: u16, named: bool, known: &'a [u32], appended: &'a [u16]) -> Self {
        let mut reader = Reader::new(body);
        let count = || {
            let flags = reader.u8()?;
            // The number of iterations: one.
            reader.u32_le()?;
            let counted = named && (declared > 0 || flags & COUNTED != 0);
            if counted {
                field::low_integer(&mut reader)?.try_into().ok()
            } else {
                Some(usize::from(declared))
            }
        };
        let count = { count }();
        let block = count.and_then(|count| Self::block(reader, count, named, known, appended));
        let condensed = is_condensed(body, false);
        block.map_or(Self { truncated: true, ..Self::none() }, |block| Self { condensed, ..block })
    }

    fn none() -> Self {
        let values = Reader::new(b"");
        Self {
            count: 0,
            seen: 0,
            nulls: b"",
            types: None,
            known: &[],
            appended: &[],
            named: false,
            values,
            condensed: false,
            truncated: false,
        }
    }

    /// A bitmap of those that are NULL, whether types follow, types and names, values.
    fn block(
        mut reader: Reader<'a>,
        count: usize,
        named: bool,
        known: &'a [u32],
        appended: &'a [u16],
    ) -> Option<Self> {
        if count == 0 {
            return Some(Self { values: reader, ..Self::none() });
        }
        let nulls = reader.bytes(count.div_ceil(8))?;
        let types = if reader.u8()? != 0 { Some(types(&mut reader, count, named)?) } else { None };
        Some(Self { count, nulls, types, known, appended, named, values: reader, ..Self::none() })
    }

    /// Over no more than so many bytes of values.
    #[must_use]
    pub fn within(mut self, bytes: usize) -> Self {
        let kept = self.values.left().min(bytes);
        self.values = Reader::new(self.values.bytes(kept).unwrap_or_default());
        self
    }

    /// How many there are, those with but a name among them.
    #[must_use]
    pub fn declared(&self) -> usize {
        self.count
    }

    /// Whether the walk came to an end before all that was declared, because the rest is missing or malformed.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The types of all, where they were sent: to be remembered for the next run.
    pub fn sent_types(&self) -> Option<impl Iterator<Item = u16> + use<'a>> {
        let (mut reader, named) = (self.types?, self.named);
        Some(iter::from_fn(move || Some(kind_and_name(&mut reader, named)?.0)).take(self.count))
    }

    /// What each value takes, and the values.
    pub(super) fn shapes(mut self) -> Option<(Vec<u8>, &'a [u8])> {
        if self.truncated {
            return None;
        }
        let mut shapes = Vec::new();
        while self.seen < self.count {
            let (kind, _) = self.kind()?;
            let takes_nothing = self.is_appended() || self.is_null()?;
            shapes.push(if takes_nothing { 0 } else { shape(kind, self.named) });
            self.seen += 1;
        }
        Some((shapes, self.values.rest()))
    }

    /// Of one whose value was sent ahead there is but a type here, and a name.
    fn read(&mut self) -> Option<Parameter<'a>> {
        let (kind, name) = self.kind()?;
        let value = if self.is_appended() {
            Value::Whole(b"")
        } else if self.is_null()? {
            Value::Null
        } else {
            value::take(&mut self.values, Type::of(kind), self.named, self.condensed)?
        };
        Some(Parameter { name, kind, value })
    }

    fn kind(&mut self) -> Option<(u16, &'a [u8])> {
        match &mut self.types {
            Some(types) => kind_and_name(types, self.named),
            None => Some((known(self.known, self.seen)?, b"")),
        }
    }

    fn is_null(&self) -> Option<bool> {
        Some(self.nulls.get(self.seen / 8)? >> (self.seen % 8) & 1 == 1)
    }

    fn is_appended(&self) -> bool {
        u16::try_from(self.seen).is_ok_and(|place| self.appended.contains(&place))
    }
}

fn kind_and_name<'a>(types: &mut Reader<'a>, named: bool) -> Option<(u16, &'a [u8])> {
    let kind = types.u16_le()?;
    Some((kind, if named { field::name(types)? } else { b"" }))
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        if self.truncated || self.seen == self.count {
            return None;
        }
        let parameter = self.read();
        self.truncated = parameter.is_none();
        self.seen += 1;
        parameter
    }
}

/// The attributes of a query, or nothing where they cannot be read, and the text behind them.
pub(in crate::mysql) fn split_query(body: &[u8]) -> (&[u8], &[u8]) {
    let text = behind_attributes(body);
    let ahead = text.map_or(body.len(), |text| body.len() - text.len());
    body.split_at_checked(ahead).unwrap_or((body, b""))
}

fn behind_attributes(body: &[u8]) -> Option<&[u8]> {
    let mut attributes = Attributes::open(body)?;
    attributes.all.by_ref().for_each(drop);
    (!attributes.all.truncated).then(|| attributes.all.values.rest())
}

/// Reads the attributes of a query one by one, as [`Attributes`](crate::wire::Observation::Attributes) tells them.
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query.html>
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    all: Parameters<'a>,
    left_out: Option<u64>,
}

impl<'a> Attributes<'a> {
    /// Over all of them; what cannot be read has none.
    #[must_use]
    pub fn new(attributes: &'a [u8]) -> Self {
        Self::open(attributes).unwrap_or(Self { all: Parameters::none(), left_out: None })
    }

    /// So many bytes of them were too much to be kept, and none of them is told.
    #[must_use]
    pub fn left_out(&self) -> Option<u64> {
        self.left_out
    }

    /// The sizes of all values, and what there is of these.
    pub(super) fn sizes(body: &'a [u8]) -> Option<(Vec<Size>, &'a [u8])> {
        let Self { mut all, .. } = Self::open(body)?;
        let nulls = all.nulls;
        let null = |place: usize| nulls.get(place / 8).is_some_and(|bits| bits >> (place % 8) & 1 == 1);
        let sizes = all.sent_types()?.enumerate().map(|(place, kind)| size(kind, null(place))).collect();
        Some((sizes, all.values.rest()))
    }

    fn open(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let count = usize::try_from(field::low_integer(&mut reader)?).ok()?;
        // The number of sets is one, whatever it says.
        let sets = field::integer(&mut reader)?;
        let left_out = Some(sets).filter(|sets| count == 0 && *sets > 1);
        Some(Self { all: Parameters::block(reader, count, true, &[], &[])?, left_out })
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        self.all.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three parameters: a number, NULL, a text.
    const RUN: &[u8] = b"\0\x01\0\0\0\x02\x01\x03\x80\xfd\0\xfd\0\x07\0\0\0\x02ab";

    fn parameter<'a>(name: &'a str, kind: u16, value: Option<&'a [u8]>) -> Parameter<'a> {
        let value = value.map_or(Value::Null, Value::Whole);
        Parameter { name: name.as_bytes(), kind, value }
    }

    #[test]
    fn values_are_read_with_their_types() {
        let mut parameters = Parameters::new(RUN, 3, false, &[], &[]);
        assert_eq!(parameters.sent_types().unwrap().collect::<Vec<_>>(), [0x8003, 253, 253]);
        let number = parameter("", 0x8003, Some(&[7, 0, 0, 0]));
        let expected = [number, parameter("", 253, None), parameter("", 253, Some(b"ab"))];
        assert_eq!(parameters.by_ref().collect::<Vec<_>>(), expected);
        assert!(!parameters.truncated() && parameters.declared() == 3);
    }

    #[test]
    fn types_that_are_not_sent_again_are_known() {
        let again = b"\0\x01\0\0\0\0\0\x07\0\0\0\x01a";
        let parameters = Parameters::new(again, 2, false, &[3, 253], &[]);
        assert!(parameters.sent_types().is_none());
        assert_eq!(
            parameters.map(|p| p.value).collect::<Vec<_>>(),
            [Value::Whole(&[7, 0, 0, 0]), Value::Whole(b"a")]
        );
        let mut unknown = Parameters::new(again, 2, false, &[], &[]);
        assert_eq!((unknown.next(), unknown.truncated()), (None, true));
    }

    #[test]
    fn what_was_sent_ahead_is_passed_over() {
        let run = b"\0\x01\0\0\0\0\x01\xfc\0\x01\0\x05";
        let parameters: Vec<_> = Parameters::new(run, 2, false, &[], &[0]).collect();
        assert_eq!(parameters, [parameter("", 252, Some(b"")), parameter("", 1, Some(b"\x05"))]);
    }

    #[test]
    fn names_come_with_the_types() {
        let run = b"\x08\x01\0\0\0\x02\0\x01\x01\0\0\xfd\0\x05trace\x09\x02t1";
        let parameters = Parameters::new(run, 1, true, &[], &[]);
        assert_eq!(parameters.declared(), 2);
        let expected = [parameter("", 1, Some(b"\x09")), parameter("trace", 253, Some(b"t1"))];
        assert_eq!(parameters.collect::<Vec<_>>(), expected);
    }

    /// As Connector/Python sends it.
    #[test]
    fn parameters_that_may_have_names_are_counted_whatever_the_flag() {
        let run = b"\0\x01\0\0\0\x01\0\x01\x01\x80\0\x07";
        let parameters = Parameters::new(run, 1, true, &[], &[]);
        assert_eq!(parameters.collect::<Vec<_>>(), [parameter("", 0x8001, Some(b"\x07"))]);
    }

    #[test]
    fn attributes_stand_before_their_query() {
        let body = b"\x01\x01\0\x01\xfd\0\x05trace\x02t1select 1";
        let (attributes, text) = split_query(body);
        assert_eq!(text, b"select 1");
        assert_eq!(Attributes::new(attributes).collect::<Vec<_>>(), [parameter("trace", 253, Some(b"t1"))]);
        assert_eq!(split_query(b"\0\x01select 1"), (&b"\0\x01"[..], &b"select 1"[..]));
        assert_eq!(split_query(&body[..12]), (&body[..12], &b""[..]));
        assert_eq!(split_query(b""), (&b""[..], &b""[..]));
    }

    /// Each ran its last words on a MySQL 9.7.
    #[test]
    fn a_text_begins_where_the_server_begins_it() {
        for attribute in [
            &b"\x01\x06\0\x01a\x0cselect 1 -- "[..],
            b"\x01\x09\0\x01a\x0fxxxselect 1 -- ",
            b"\x01\x0d\0\x01a\x0dxselect 1 -- ",
            b"\x01\x03\x01\x01a\x0cselect 1 -- ",
            b"\x02\x03\0\x01aabcd",
            b"\x01\xfd\0\xff\x01\0\0\0\x09\x09\x09\x09a\xfe\x01\0\0\0\x09\x09\x09\x09b",
        ] {
            let body = [b"\x01\x01\0", attribute, b"delete from t"].concat();
            assert_eq!(split_query(&body).1, b"delete from t", "{attribute:?}");
        }
    }

    #[test]
    fn a_cut_body_ends_early_and_says_so() {
        for cut in 0..RUN.len() {
            let mut parameters = Parameters::new(&RUN[..cut], 3, false, &[], &[]);
            assert!(parameters.by_ref().count() < 3 && parameters.truncated(), "cut at {cut}");
        }
        assert_eq!(Parameters::new(b"\0\x01\0\0\0", 0, false, &[], &[]).count(), 0);
    }

    #[test]
    fn values_may_be_bounded() {
        let mut parameters = Parameters::new(RUN, 3, false, &[], &[]).within(5);
        assert_eq!((parameters.by_ref().count(), parameters.truncated()), (2, true));
        let mut parameters = Parameters::new(RUN, 3, false, &[], &[]).within(7);
        assert_eq!((parameters.by_ref().count(), parameters.truncated()), (3, false));
    }

    #[test]
    fn a_count_reserves_nothing() {
        let run = b"\x08\x01\0\0\0\xfe\xff\xff\xff\xff\xff\xff\xff\xff\0\x01";
        let mut parameters = Parameters::new(run, 0, true, &[], &[]);
        assert_eq!((parameters.next(), parameters.truncated()), (None, true));
    }
}

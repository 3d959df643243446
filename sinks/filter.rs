//! Which events a sink gets.
//!
//! Judged on the encoded event: its kind stands at a fixed place, and only where that fits and more is asked are three
//! members read, the rest skipped. What cannot be judged is delivered.

use std::borrow::Cow;

use panoptes_config as config;
use serde::Deserialize;
use wildmatch::WildMatch;

/// `{"id":"` and 36 characters, then `","version":1,"kind":"`: what every event of this version begins with.
const BEFORE_KIND: usize = r#"{"id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21","version":1,"kind":""#.len();
/// About more than one statement: only their kind is looked at.
const OF_THE_TRAIL: [&str; 4] = ["gap", "blind", "checkpoint", "verdict"];

/// A sink's filter.
pub(crate) struct Filter {
    kinds: Words,
    categories: Words,
    outcomes: Words,
    tables: List<Table>,
}

/// Of an event, what is filtered by.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    operation: Operation<'a>,
    #[serde(borrow, default)]
    sql: Sql<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Operation<'a> {
    #[serde(borrow)]
    category: Cow<'a, str>,
    #[serde(borrow)]
    tables_involved: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    parsed: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sql<'a> {
    #[serde(borrow)]
    outcome: Cow<'a, str>,
}

impl Filter {
    /// None where it fits all.
    pub(crate) fn new(config: &config::Filter) -> Option<Self> {
        (!config.fits_all()).then(|| Self {
            kinds: Words::new(&config.kinds, |word| word.to_ascii_lowercase()),
            categories: Words::new(&config.categories, |word| word.to_ascii_lowercase()),
            outcomes: Words::new(&config.outcomes, |word| word.to_ascii_lowercase()),
            tables: List::new(&config.tables, Table::new),
        })
    }

    /// Whether an encoded event fits.
    pub(crate) fn fits(&self, json: &[u8]) -> bool {
        let kind = kind_of(json);
        if kind.is_some_and(|kind| !self.kinds.fit(kind)) {
            return false;
        }
        let rest = [self.categories.is_empty(), self.outcomes.is_empty(), self.tables.is_empty()];
        if rest == [true; 3] && kind.is_some() {
            return true;
        }
        serde_json::from_slice(json).map_or(true, |head| self.fits_head(&head))
    }

    fn fits_head(&self, head: &Head<'_>) -> bool {
        if OF_THE_TRAIL.contains(&&*head.kind) {
            return self.kinds.fit(&head.kind);
        }
        let Operation { tables_involved: tables, parsed, .. } = &head.operation;
        // What was not understood may be about any table.
        let is_unknown = tables.is_empty() && ["partial", "none"].contains(&&**parsed);
        self.kinds.fit(&head.kind)
            && self.categories.fit(&head.operation.category)
            && self.outcomes.fit(&head.sql.outcome)
            && (is_unknown || self.tables.fit_any(tables.iter().map(|table| &**table)))
    }
}

/// The kind of an event that begins as all of this version do.
fn kind_of(json: &[u8]) -> Option<&str> {
    let rest = json
        .get(BEFORE_KIND..)
        .filter(|_| json.get(..BEFORE_KIND).is_some_and(|head| head.ends_with(br#","kind":""#)))?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

/// What must be there, and what must not.
struct List<T> {
    wanted: Vec<T>,
    unwanted: Vec<T>,
}

type Words = List<String>;

/// Whether an item of a list means this name.
trait Means {
    fn means(&self, name: &str) -> bool;

    /// The same, as far as the name tells.
    fn may_mean(&self, name: &str) -> bool {
        self.means(name)
    }
}

impl Means for String {
    fn means(&self, name: &str) -> bool {
        self.eq_ignore_ascii_case(name)
    }
}

/// A glob: the whole of it, then without its first part, and so on.
struct Table(Vec<WildMatch>);

impl Table {
    fn new(pattern: &str) -> Self {
        Self(ends(pattern).map(WildMatch::new_case_insensitive).collect())
    }
}

impl Means for Table {
    /// A name may have more before it, a database: it is the same table.
    fn means(&self, name: &str) -> bool {
        match self.0.as_slice() {
            [last] => last.matches(name.rsplit('.').next().unwrap_or(name)),
            globs => globs.first().is_some_and(|whole| ends(name).any(|end| whole.matches(end))),
        }
    }

    /// A statement need not say the schema.
    fn may_mean(&self, name: &str) -> bool {
        let unsaid = self.0.len().checked_sub(ends(name).count());
        let as_said = unsaid.filter(|&parts| parts > 0).and_then(|parts| self.0.get(parts));
        self.means(name) || as_said.is_some_and(|end| end.matches(name))
    }
}

/// The whole of a name, then without its first part, down to the last.
fn ends(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, rest)| rest))
}

impl<T: Means> List<T> {
    fn new(items: &[String], read: impl Fn(&str) -> T) -> Self {
        let of = |unwanted: bool| items.iter().filter(move |item| item.starts_with('!') == unwanted);
        Self {
            wanted: of(false).map(|item| read(item)).collect(),
            unwanted: of(true).map(|item| read(item.trim_start_matches('!'))).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    fn fit(&self, name: &str) -> bool {
        self.fit_any([name].into_iter())
    }

    /// Whether one of the names is wanted and that one not unwanted. Who has no name at all fits where none is wanted.
    fn fit_any<'a>(&self, mut names: impl Iterator<Item = &'a str> + Clone) -> bool {
        let any = names.clone().next().is_some();
        let wanted =
            |name: &str| self.wanted.is_empty() || self.wanted.iter().any(|item| item.may_mean(name));
        let unwanted = |name: &str| self.unwanted.iter().any(|item| item.means(name));
        match any {
            true => names.any(|name| wanted(name) && !unwanted(name)),
            false => self.wanted.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21","version":1,"kind":"statement","seq":4,"meta":{"appName":"\"kind\":\"gap\""},"operation":{"type":"UPDATE","category":"DML","tablesInvolved":["public.orders","Cust\u0041"]},"sql":{"raw":"\"outcome\":\"error\"","outcome":"ok"},"request":{"attributes":{"category":"DDL"}}}"#;
    const LOGIN: &str = r#"{"id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21","version":1,"kind":"login","seq":5,"operation":{"type":"LOGIN","category":"SESSION"},"sql":{"outcome":"ok"}}"#;
    const GAP: &str =
        r#"{"id":"01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21","version":1,"kind":"gap","seq":6,"gap":{"count":2}}"#;

    fn fits(list: &str, items: &[&str]) -> [bool; 3] {
        let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
        let mut config = config::Filter::default();
        match list {
            "kinds" => config.kinds = items,
            "categories" => config.categories = items,
            "outcomes" => config.outcomes = items,
            _ => config.tables = items,
        }
        let filter = Filter::new(&config).unwrap();
        [EVENT, LOGIN, GAP].map(|event| filter.fits(event.as_bytes()))
    }

    #[test]
    fn each_list_picks_its_events() {
        assert!(Filter::new(&config::Filter::default()).is_none());
        for (list, items, expected) in [
            ("kinds", &["statement"][..], [true, false, false]),
            ("kinds", &["!login"], [true, false, true]),
            ("categories", &["dml", "DDL"], [true, false, true]),
            ("categories", &["!SESSION"], [true, false, true]),
            ("outcomes", &["error"], [false, false, true]),
            ("outcomes", &["ok", "!error"], [true, true, true]),
            ("tables", &["orders"], [true, false, true]),
            ("tables", &["PUBLIC.*"], [true, false, true]),
            ("tables", &["public.o?der"], [false, false, true]),
            // A name without a schema may be of this one.
            ("tables", &["shop.cust*"], [true, false, true]),
            ("tables", &["shop.ord*"], [false, false, true]),
            ("tables", &["!public.*", "!shop.cust*"], [true, true, true]),
            ("tables", &["custa"], [true, false, true]),
            ("tables", &["!public.*"], [true, true, true]),
            ("tables", &["!orders", "!custa"], [false, true, true]),
        ] {
            assert_eq!(fits(list, items), expected, "{list} {items:?}");
        }
    }

    #[test]
    fn a_table_is_the_same_with_less_or_more_of_its_name() {
        for (pattern, names) in [
            ("public.*", &[("orders", true), ("db.public.orders", true), ("db.audit.orders", false)][..]),
            ("db.public.*", &[("orders", true), ("public.orders", true), ("audit.orders", false)]),
            ("!public.*", &[("orders", true), ("db.public.orders", false), ("db.audit.orders", true)]),
            ("orders", &[("db.public.orders", true), ("orders.public.x", false)]),
            ("*.orders", &[("orders", true), ("a.orders", true), ("orders.a", false)]),
        ] {
            let config = config::Filter { tables: vec![pattern.into()], ..Default::default() };
            let filter = Filter::new(&config).unwrap();
            for (name, expected) in names {
                let json = format!(r#"{{"kind":"statement","operation":{{"tablesInvolved":["{name}"]}}}}"#);
                assert_eq!(filter.fits(json.as_bytes()), *expected, "{pattern} {name}");
            }
        }
    }

    #[test]
    fn what_cannot_be_judged_is_delivered() {
        let config = config::Filter { tables: vec!["payroll".into()], ..Default::default() };
        for (parsed, expected) in [("full", false), ("partial", true), ("none", true)] {
            let json = format!(r#"{{"kind":"statement","operation":{{"parsed":"{parsed}"}}}}"#);
            assert_eq!(Filter::new(&config).unwrap().fits(json.as_bytes()), expected, "{parsed}");
        }
        let config = config::Filter {
            outcomes: vec!["error".into()],
            kinds: vec!["login".into()],
            ..Default::default()
        };
        assert!(Filter::new(&config).unwrap().fits(br#"{"kind":5}"#));
        assert!(!Filter::new(&config).unwrap().fits(br#"{"kind":"gap"}"#));
    }
}

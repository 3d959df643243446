//! Prepared statements and portals of a session, by name; in PostgreSQL both SQL and the protocol name them.

use std::{borrow::Cow, collections::HashMap, rc::Rc};

use foldhash::quality::RandomState;
use panoptes_parser::text::write_json_string;

use super::{secret::Secrets, text::Text};

/// A prepared statement.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Its name; empty for the unnamed one.
    pub(crate) name: Box<[u8]>,
    /// The same for people: `prepared`, a member of `sql`.
    shown: Box<[u8]>,
    /// Nothing where it could not be kept.
    pub(crate) text: Option<Rc<Text>>,
    /// Types of its parameters; 0 where one is not known.
    pub(crate) types: Vec<u32>,
}

/// A prepared statement with its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Portal {
    pub(crate) prepared: Rc<Prepared>,
    /// Values, encoded as a JSON array; empty where there are none.
    pub(crate) parameters: Rc<[u8]>,
    /// Those that were hidden.
    pub(crate) secrets: Option<Secrets>,
    /// Their size, where some of it is missing.
    pub(crate) truncated: Option<u64>,
    /// It could not be made, and that was told already.
    pub(crate) failed: bool,
    /// A cursor that outlives its transaction.
    pub(crate) hold: bool,
}

impl Prepared {
    /// A statement of this name; empty for the unnamed one.
    pub(crate) fn new(name: &[u8], text: Option<Rc<Text>>, types: Vec<u32>) -> Self {
        let for_people = match name.split_first_chunk() {
            Some((&[0, a, b, c, d], [])) => Cow::Owned(u32::from_le_bytes([a, b, c, d]).to_string()),
            _ => String::from_utf8_lossy(name),
        };
        let mut shown = b"\"prepared\":".to_vec();
        write_json_string(&mut shown, &for_people);
        Self { name: name.into(), shown: shown.into(), text, types }
    }

    /// A statement of which no more is known than its name.
    pub(crate) fn unknown(name: &[u8]) -> Self {
        Self::new(name, None, Vec::new())
    }

    /// `prepared`, a member of `sql`: its name for people.
    pub(crate) fn shown(&self) -> &[u8] {
        &self.shown
    }
}

/// The key of a statement that the server numbers, by the number as it is sent. SQL has no name with a NUL.
pub(crate) fn numbered(statement: &[u8]) -> [u8; 5] {
    let mut key = [0; 5];
    key.iter_mut().skip(1).zip(statement).for_each(|(byte, sent)| *byte = *sent);
    key
}

/// The names of one session.
#[derive(Debug)]
pub(crate) struct Names {
    statements: HashMap<Box<[u8]>, Rc<Prepared>, RandomState>,
    unnamed: Option<Rc<Prepared>>,
    portals: HashMap<Box<[u8]>, Portal, RandomState>,
    unnamed_portal: Option<Portal>,
    bytes: usize,
    portal_bytes: usize,
    limits: NameLimits,
}

/// What the names of one session may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameLimits {
    /// Number of named statements; of portals as well.
    pub(crate) count: usize,
    /// Bytes of their texts, and of the portals' parameters.
    pub(crate) bytes: usize,
    /// Bytes of parameters that are told of a run, and of those that are sent ahead of it (MySQL).
    pub(crate) ahead: usize,
    /// Bytes of a statement's text that are told.
    pub(crate) text: usize,
}

impl Names {
    /// None yet.
    pub(crate) fn new(limits: NameLimits) -> Self {
        Self {
            statements: HashMap::default(),
            unnamed: None,
            portals: HashMap::default(),
            unnamed_portal: None,
            bytes: 0,
            portal_bytes: 0,
            limits,
        }
    }

    /// Remembers a statement; `false` if there is no room, and it is forgotten.
    pub(crate) fn prepare(&mut self, prepared: Rc<Prepared>) -> bool {
        if prepared.name.is_empty() {
            self.unnamed = Some(prepared);
            return true;
        }
        self.deallocate(&prepared.name);
        let size = size(&prepared);
        if self.statements.len() >= self.limits.count || !self.has_room(size) {
            return false;
        }
        self.bytes += size;
        self.statements.insert(prepared.name.clone(), prepared);
        true
    }

    /// The statement of a name.
    pub(crate) fn statement(&self, name: &[u8]) -> Option<&Rc<Prepared>> {
        if name.is_empty() { self.unnamed.as_ref() } else { self.statements.get(name) }
    }

    /// The server told the types of a statement's parameters.
    pub(crate) fn describe(&mut self, name: &[u8], types: Vec<u32>) {
        let known = if name.is_empty() { self.unnamed.as_mut() } else { self.statements.get_mut(name) };
        if let Some(known) = known {
            let described = Prepared::new(&known.name, known.text.clone(), types);
            if !name.is_empty() {
                self.bytes = self.bytes - size(known) + size(&described);
            }
            *known = Rc::new(described);
        }
    }

    /// Forgets a statement.
    pub(crate) fn deallocate(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.unnamed = None;
        } else if let Some(gone) = self.statements.remove(name) {
            self.bytes -= size(&gone);
        }
    }

    /// Forgets all statements that have a name.
    pub(crate) fn deallocate_all(&mut self) {
        self.statements = HashMap::default();
        self.bytes = 0;
    }

    /// Forgets those that SQL named; those that the server numbers stay.
    pub(crate) fn forget_named(&mut self) {
        self.statements.retain(|name, _| name.first() == Some(&0));
        self.bytes = self.statements.values().map(|prepared| size(prepared)).sum();
    }

    /// Remembers a portal; `false` if there is no room, and it is forgotten.
    pub(crate) fn bind(&mut self, name: &[u8], portal: Portal) -> bool {
        if name.is_empty() {
            self.unnamed_portal = Some(portal);
            return true;
        }
        self.close_portal(name);
        let size = portal_size(name, &portal);
        if self.portals.len() >= self.limits.count || !self.has_room(size) {
            return false;
        }
        self.portal_bytes += size;
        self.portals.insert(name.into(), portal);
        true
    }

    /// The portal of a name.
    pub(crate) fn portal(&self, name: &[u8]) -> Option<&Portal> {
        if name.is_empty() { self.unnamed_portal.as_ref() } else { self.portals.get(name) }
    }

    /// Forgets a portal.
    pub(crate) fn close_portal(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.unnamed_portal = None;
        } else if let Some(gone) = self.portals.remove(name) {
            self.portal_bytes -= portal_size(name, &gone);
        }
    }

    /// Portals end with their transaction, but for cursors `WITH HOLD`.
    pub(crate) fn close_portals(&mut self) {
        self.unnamed_portal = None;
        if self.portals.values().any(|portal| portal.hold) {
            self.portals.retain(|_, portal| portal.hold);
            self.portal_bytes = self.portals.iter().map(|(name, portal)| portal_size(name, portal)).sum();
        } else if !self.portals.is_empty() {
            self.portals = HashMap::default();
            self.portal_bytes = 0;
        }
    }

    /// `CLOSE ALL`.
    pub(crate) fn close_all_portals(&mut self) {
        self.unnamed_portal = None;
        self.portals = HashMap::default();
        self.portal_bytes = 0;
    }

    fn has_room(&self, size: usize) -> bool {
        self.bytes + self.portal_bytes + size <= self.limits.bytes
    }
}

fn size(prepared: &Prepared) -> usize {
    let name = prepared.name.len() + prepared.shown.len();
    name + prepared.types.len() * 4 + prepared.text.as_ref().map_or(0, |text| text.size())
}

/// With its statement, which nothing else may remember.
fn portal_size(name: &[u8], portal: &Portal) -> usize {
    let secrets = portal.secrets.as_ref().map_or(0, Secrets::size);
    name.len() + size_of::<Portal>() + portal.parameters.len() + secrets + size(&portal.prepared)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(name: &[u8]) -> Rc<Prepared> {
        Rc::new(Prepared::new(name, None, vec![0; 10]))
    }

    #[test]
    fn a_portal_without_room_takes_its_namesake_along() {
        let mut names = Names::new(NameLimits { count: 9, bytes: 1 << 10, ahead: 1 << 10, text: 64 << 10 });
        let portal = |length| Portal {
            prepared: prepared(b"s"),
            parameters: vec![b'1'; length].into(),
            secrets: None,
            truncated: None,
            failed: false,
            hold: false,
        };
        assert!(names.bind(b"p", portal(500)) && names.bind(b"", portal(1 << 20)));
        assert!(!names.bind(b"q", portal(500)) && names.portal(b"q").is_none());
        assert!(!names.bind(b"p", portal(2_000)) && names.portal(b"p").is_none());
        assert!(names.bind(b"q", portal(500)));
        names.close_portals();
        assert!(names.portal(b"q").is_none() && names.portal(b"").is_none());
        assert_eq!(names.portal_bytes, 0);
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let mut names = Names::new(NameLimits { count: 2, bytes: 1 << 10, ahead: 1 << 10, text: 64 << 10 });
        assert!(names.prepare(prepared(b"a")) && names.prepare(prepared(b"b")));
        assert!(!names.prepare(prepared(b"c")) && names.statement(b"c").is_none());
        assert!(names.prepare(prepared(b"")), "the unnamed one always has room");
        assert!(names.prepare(prepared(b"a")), "a new one takes the place of its namesake");
        names.deallocate(b"a");
        assert!(names.prepare(prepared(b"c")));
        names.describe(b"c", vec![0; 100]);
        names.deallocate(b"c");
        names.deallocate(b"b");
        assert_eq!(names.bytes, 0, "what was described is forgotten whole");
        let mut names = Names::new(NameLimits { count: 9, bytes: 100, ahead: 1 << 10, text: 64 << 10 });
        assert!(names.prepare(prepared(b"a")) && !names.prepare(prepared(b"b")));
    }
}

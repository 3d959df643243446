//! Values that are sent ahead of a run (COM_STMT_SEND_LONG_DATA).

use panoptes_parser::wire::{Ask, Nanos, Target};

use super::names::numbered;

/// What a value counts for beside its bytes.
const ENTRY_BYTES: usize = 64;

/// Those of a session, for runs to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentAhead {
    values: Vec<Ahead>,
    bytes: usize,
    /// Not all places of values found room, so what was sent cannot be told apart.
    pub(super) overflowed: bool,
}

/// A value that was sent ahead of a run.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    statement: [u8; 5],
    pub(super) parameter: u16,
    /// As far as it is kept.
    pub(super) data: Vec<u8>,
    pub(super) length: u64,
}

impl Ahead {
    fn add_length(&mut self, length: u64) {
        self.length = self.length.saturating_add(length);
    }
}

impl SentAhead {
    /// The values of a statement.
    pub(super) fn of(&self, statement: [u8; 5]) -> Vec<Ahead> {
        self.values.iter().filter(|ahead| ahead.statement == statement).cloned().collect()
    }

    /// Forgets the values of a statement, and gives them.
    pub(super) fn take(&mut self, statement: [u8; 5]) -> Vec<Ahead> {
        let taken: Vec<_> = self.values.extract_if(.., |ahead| ahead.statement == statement).collect();
        let bytes: usize = taken.iter().map(|ahead| ENTRY_BYTES + ahead.data.len()).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        self.overflowed &= !self.values.is_empty();
        taken
    }

    /// Adds a value, or a part of one, of which so many bytes have room: all values together have `most`.
    pub(super) fn add(&mut self, statement: [u8; 5], parameter: u16, data: &[u8], length: u64, most: usize) {
        let same = |ahead: &&mut Ahead| ahead.statement == statement && ahead.parameter == parameter;
        let known = self.values.iter_mut().rev().find(same);
        let entry = if known.is_some() { 0 } else { ENTRY_BYTES };
        let Some(room) = most.checked_sub(self.bytes + entry) else {
            self.overflowed |= known.is_none();
            // How much of it is missing is told.
            return known.into_iter().for_each(|known| known.add_length(length));
        };
        let data = data.get(..room).unwrap_or(data);
        self.bytes += entry + data.len();
        match known {
            Some(known) => {
                known.data.extend_from_slice(data);
                known.add_length(length);
            }
            None => self.values.push(Ahead { statement, parameter, data: data.to_vec(), length }),
        }
    }
}

/// What will have been sent ahead once all that was asked is answered: for intents, which do not wait for that.
#[derive(Debug, Default)]
pub(super) struct Foreseen {
    /// None where nothing is unanswered that changes what is known.
    values: Option<SentAhead>,
    /// How much is.
    pending: usize,
    /// When the last of it was asked.
    last: Nanos,
}

impl Foreseen {
    /// The values that a run will find, by those that are known.
    pub(super) fn values<'a>(&'a self, known: Option<&'a SentAhead>) -> Option<&'a SentAhead> {
        self.values.as_ref().or(known)
    }

    /// Takes what changes them, before it is answered.
    pub(super) fn ask(&mut self, ask: &Ask<&[u8]>, at: Nanos, known: Option<&SentAhead>, most: usize) {
        let Some(statement) = changes(ask).map(numbered) else { return };
        (self.pending, self.last) = (self.pending + 1, at);
        let values = self.values.get_or_insert_with(|| known.cloned().unwrap_or_default());
        match *ask {
            Ask::Append { parameter, data, length, .. } => {
                values.add(statement, parameter, data, length, most);
            }
            _ => drop(values.take(statement)),
        }
    }

    /// Takes what is answered now.
    pub(super) fn settle(&mut self, ask: &Ask<&[u8]>, asked: Nanos) {
        if changes(ask).is_some() {
            self.pending = if asked > self.last { 0 } else { self.pending.saturating_sub(1) };
            self.values.take_if(|_| self.pending == 0);
        }
    }
}

/// The statement whose values a question adds to, uses up, or forgets.
fn changes<'a>(ask: &Ask<&'a [u8]>) -> Option<&'a [u8]> {
    match *ask {
        Ask::Append { statement, .. }
        | Ask::Run { statement, parameters: Some(_), .. }
        | Ask::Reset { statement }
        | Ask::Close { target: Target::Statement, name: statement } => Some(statement),
        _ => None,
    }
}

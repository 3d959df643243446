//! What is known of prepared statements, as far as it takes to find the values of a run that is too long to be kept. It is
//! learned as the server answers.

use std::{collections::BTreeMap, sync::Arc};

use super::values::{BulkParameters, Condenser, Declared, Parameters, UNKNOWN_TYPE};
use crate::wire::{Answer, Ask, Failure, Target};

/// What all statements of a session may weigh; of one beyond it a long run is told as far as it was kept.
const MAX_WEIGHT: usize = 64 << 10;
/// What a statement weighs beside its parameters, each of which weighs one, and one more if it was sent ahead.
const ENTRY: usize = 16;
/// ER_MALFORMED_PACKET: nothing of a run was looked at.
const MALFORMED_PACKET: u16 = 1835;
/// ER_WRONG_ARGUMENTS: its types were not kept.
const WRONG_ARGUMENTS: u16 = 1210;

/// The statements of a session that have parameters.
#[derive(Debug, Default)]
pub(super) struct Statements {
    all: Option<Arc<Numbered>>,
    weight: usize,
}

type Numbered = BTreeMap<[u8; 4], Statement>;

#[derive(Clone, Debug)]
struct Statement {
    /// Of its parameters, as they were sent last.
    types: Vec<u32>,
    /// Places of those that were sent ahead of the run to come.
    appended: Vec<u16>,
}

impl Statement {
    fn weight(&self) -> usize {
        ENTRY + self.types.len() + self.appended.len()
    }
}

/// What it takes to condense a run that is about to come.
#[derive(Clone, Debug)]
pub(super) struct Condense {
    all: Arc<Numbered>,
    /// What -1 stands for.
    last: Option<[u8; 4]>,
    named: bool,
    bulk: bool,
    /// Bytes of values to be kept.
    most: usize,
}

impl Condense {
    /// Over the head of a packet, as much as there is; `None` where it is not known what comes.
    pub(super) fn begin(&self, packet: &[u8]) -> Option<Condenser> {
        let (number, body) = packet.get(1..)?.split_first_chunk()?;
        let number = if *number == [0xff; 4] { self.last.as_ref().unwrap_or(number) } else { number };
        let Statement { types, appended } = self.all.get(number)?;
        let declared = Declared { types, appended, named: self.named, bulk: self.bulk };
        Condenser::begin(body, declared, self.most)
    }

    /// What of a packet stands ahead of what is condensed: the command, and the statement's number.
    pub(super) const AHEAD: usize = 1 + 4;
}

impl Statements {
    /// For a run, before which all is answered.
    pub(super) fn condense(
        &self,
        last: Option<&[u8; 4]>,
        named: bool,
        bulk: bool,
        most: usize,
    ) -> Option<Box<Condense>> {
        let all = Arc::clone(self.all.as_ref()?);
        Some(Box::new(Condense { all, last: last.copied(), named, bulk, most }))
    }

    /// All are forgotten.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes what was asked and answered.
    pub(super) fn settle(&mut self, ask: &Ask<&[u8]>, answer: &Answer<&[u8]>) {
        match (*ask, answer) {
            (Ask::Parse { statement, .. }, Answer::Prepared { parameters: parameters @ 1.. }) => {
                let types = vec![UNKNOWN_TYPE; (*parameters).into()];
                self.put(statement, Statement { types, appended: Vec::new() });
            }
            (
                Ask::Run { parameters: Some(_), .. },
                Answer::Failed(Failure { code: MALFORMED_PACKET, .. }),
            ) => {}
            (Ask::Run { statement, parameters: Some(body), bulk, named, .. }, _) => {
                let refused = matches!(answer, Answer::Failed(Failure { code: WRONG_ARGUMENTS, .. }));
                self.run(statement, (!refused).then_some(body), bulk, named);
            }
            (Ask::Append { statement, parameter, .. }, _) => self.append(statement, parameter),
            (Ask::Close { target: Target::Statement, name }, _) => drop(self.take(name)),
            (Ask::Reset { .. }, Answer::Failed(_) | Answer::Skipped | Answer::Lost) => {}
            (Ask::Reset { statement }, _) => self.run(statement, None, false, false),
            _ => {}
        }
    }

    /// What was sent ahead is used up, and the types are known from here on.
    fn run(&mut self, statement: &[u8], body: Option<&[u8]>, bulk: bool, named: bool) {
        let Some(Statement { types, appended }) = self.find(statement) else { return };
        let sent = body.and_then(|body| changed_types(body, types, bulk, named));
        if sent.is_none() && appended.is_empty() {
            return;
        }
        if let Some(mut known) = self.take(statement) {
            known.types = sent.unwrap_or(known.types);
            known.appended.clear();
            self.put(statement, known);
        }
    }

    fn append(&mut self, statement: &[u8], parameter: u16) {
        if self.find(statement).is_some_and(|known| !known.appended.contains(&parameter))
            && let Some(mut known) = self.take(statement)
        {
            known.appended.push(parameter);
            self.put(statement, known);
        }
    }

    fn find(&self, statement: &[u8]) -> Option<&Statement> {
        self.all.as_ref()?.get(statement)
    }

    /// Adds it, if there is room.
    fn put(&mut self, statement: &[u8], known: Statement) {
        self.take(statement);
        let weight = self.weight + known.weight();
        if let Ok(number) = statement.try_into()
            && weight <= MAX_WEIGHT
        {
            self.weight = weight;
            Arc::make_mut(self.all.get_or_insert_default()).insert(number, known);
        }
    }

    fn take(&mut self, statement: &[u8]) -> Option<Statement> {
        self.find(statement)?;
        let known = Arc::make_mut(self.all.as_mut()?).remove(statement)?;
        self.weight -= known.weight();
        Some(known)
    }
}

/// The types that were sent with a run, where they are not those that are known.
fn changed_types(body: &[u8], known: &[u32], bulk: bool, named: bool) -> Option<Vec<u32>> {
    let count = u16::try_from(known.len()).ok()?;
    if bulk {
        let sent = BulkParameters::new(body, count, known);
        changed(|| sent.sent_types(), known)
    } else {
        let sent = Parameters::new(body, count, named, known, &[]);
        changed(|| sent.sent_types(), known)
    }
}

fn changed<I: Iterator<Item = u16>>(sent: impl Fn() -> Option<I>, known: &[u32]) -> Option<Vec<u32>> {
    let types = || Some(sent()?.take(known.len()).map(u32::from));
    if types()?.eq(known.iter().copied()) {
        return None;
    }
    let types: Vec<u32> = types()?.collect();
    (types.len() == known.len()).then_some(types)
}

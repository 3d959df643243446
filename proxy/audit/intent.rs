//! Intents: what a session is asked to run, told before it goes to the server (mode `strict`), and tied to its outcome.
//!
//! An intent says what is known when the client asks. What is prepared, bound or sent ahead by messages that have no answer
//! yet counts as done; what an EXECUTE runs is only known when it has run, so all its arguments are hidden. Each intent has one
//! outcome: the event that names it by `intentId`. Where the statements of a text turn out not to be those that were
//! told, one event stands for several intents, that one and those behind it (`intentCount`).

use std::{collections::VecDeque, rc::Rc};

use panoptes_event::Uuid;
use panoptes_parser::{
    postgres::type_oids,
    sql::Effect,
    wire::{Answer, Ask, Nanos, Settled},
};

use super::{
    Tools,
    ahead::Foreseen,
    names::{NameLimits, Names, Portal, Prepared, numbered},
    operation::Operated,
    run::Run,
    session::Session,
    statement::{Statement, What},
    text::Text,
    values::{self, Sent},
};

/// What a MariaDB takes for the statement that was prepared last, where that has no number yet.
const LAST_PREPARED: [u8; 4] = [0xff; 4];

/// Intents one behind the other: their ids count up from the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Intent {
    pub(crate) first: Uuid,
    pub(crate) count: u32,
}

/// Intents of a session that have no outcome yet.
#[derive(Debug)]
pub(crate) struct Intents {
    /// Of questions without an answer, in their order.
    asked: VecDeque<Question>,
    /// Of the question that is answered now, those without an outcome.
    at_hand: Option<Intent>,
    /// How many of that question have one.
    told: u32,
    /// Intents whose question was never answered, as far as it was seen.
    untold: u32,
    /// What names will mean once what was asked is answered.
    names: Names,
    /// Not all of them found room.
    forgotten: bool,
    /// Messages without an answer that give a meaning to names.
    naming: usize,
    foreseen: Foreseen,
    limits: NameLimits,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    kind: Kind,
    at: Nanos,
    /// None of a text without statements.
    intent: Option<Intent>,
    /// It never reached the server.
    unsent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Query,
    Execute,
    Run,
    Command(&'static str),
}

impl Kind {
    /// Of what begins a statement; not of a later answer to it.
    fn of(ask: &Ask<&[u8]>) -> Option<Self> {
        Some(match ask {
            Ask::Query { text: Some(_), .. } => Self::Query,
            Ask::Execute { .. } => Self::Execute,
            Ask::Run { parameters: Some(_), .. } => Self::Run,
            Ask::Command { name, .. } => Self::Command(name),
            _ => return None,
        })
    }
}

impl Intent {
    /// Without the first so many.
    fn skip(self, count: u32) -> Option<Self> {
        let first = Uuid::from_u128(self.first.as_u128().wrapping_add(count.into()));
        let count = self.count.checked_sub(count).filter(|left| *left > 0)?;
        Some(Self { first, count })
    }
}

impl Intents {
    /// None yet.
    pub(crate) fn new(limits: NameLimits) -> Self {
        Self {
            asked: VecDeque::new(),
            at_hand: None,
            told: 0,
            untold: 0,
            names: Names::new(limits),
            forgotten: false,
            naming: 0,
            foreseen: Foreseen::default(),
            limits,
        }
    }

    /// The question is answered whose intents stand next.
    fn begin(&mut self, kind: Kind, asked: Nanos) -> Option<Question> {
        self.leave();
        while let Some(question) = self.asked.front().filter(|question| question.at < asked) {
            self.untold += question.intent.map_or(0, |intent| intent.count);
            self.asked.pop_front();
        }
        let question = *self.asked.front().filter(|next| next.at == asked && next.kind == kind)?;
        self.asked.pop_front();
        self.at_hand = question.intent;
        Some(question)
    }

    /// The question at hand has had its last answer.
    fn leave(&mut self) {
        self.untold += self.rest().map_or(0, |rest| rest.count);
        (self.at_hand, self.told) = (None, 0);
    }

    /// Those of the question at hand that have no outcome.
    fn rest(&self) -> Option<Intent> {
        self.at_hand.and_then(|intent| intent.skip(self.told))
    }

    /// What was asked is answered that gave a meaning to names.
    fn named(&mut self) {
        self.naming = self.naming.saturating_sub(1);
        if self.naming == 0 {
            (self.names, self.forgotten) = (Names::new(self.limits), false);
        }
    }
}

impl Statement {
    /// It is the outcome of the next intent of what is settled now, if that has one.
    pub(super) fn meet_intent(&mut self, intents: Option<&mut Intents>) {
        let Some(intents) = intents else { return };
        if let Some(rest) = intents.rest() {
            intents.told += 1;
            self.aside().intent = Some(Intent { count: 1, ..rest });
        }
    }
}

impl Session {
    /// Takes what the client asks, before it goes on.
    pub(super) fn ask(&mut self, ask: Ask<&[u8]>, at: Nanos, tools: &mut Tools) {
        let Some(mut intents) = self.intents.take() else { return };
        match Kind::of(&ask) {
            Some(kind) => {
                let statements = self.intended(ask, at, &intents, tools);
                let intent = self.tell_intents(statements, tools);
                intents.asked.push_back(Question { kind, at, intent, unsent: false });
            }
            None => self.ask_names(ask, &mut intents, tools),
        }
        let known = self.runs.as_ref().map(|runs| &runs.sent_ahead);
        intents.foreseen.ask(&ask, at, known, self.limits.ahead);
        self.intents = Some(intents);
    }

    /// The last so many questions never reached the server.
    pub(crate) fn unsent(&mut self, count: u32) {
        let asked = self.intents.iter_mut().flat_map(|intents| intents.asked.iter_mut().rev());
        for question in asked.take(usize::try_from(count).unwrap_or(usize::MAX)) {
            question.unsent = true;
        }
    }

    /// Finds the intents of what is settled now. What never reached the server is not lost but never ran.
    pub(super) fn meet_intents<'a>(&mut self, mut settled: Settled<&'a [u8]>) -> Settled<&'a [u8]> {
        let Some(intents) = &mut self.intents else { return settled };
        intents.foreseen.settle(&settled.ask, settled.asked);
        let question = match (Kind::of(&settled.ask), &settled.ask) {
            (Some(kind), _) => intents.begin(kind, settled.asked),
            // More of an answer.
            (None, Ask::Query { .. } | Ask::Run { .. }) => None,
            (None, Ask::Parse { .. } | Ask::Bind { .. }) => {
                intents.leave();
                intents.named();
                None
            }
            (None, _) => {
                intents.leave();
                None
            }
        };
        if question.is_some_and(|question| question.unsent) && settled.answer == Answer::Lost {
            settled.answer = Answer::Skipped;
        }
        settled
    }

    /// Whether an intent waits for the outcome of what is settled now.
    pub(super) fn has_intent(&self) -> bool {
        self.intents.as_ref().is_some_and(|intents| intents.rest().is_some())
    }

    /// A statement is the outcome of all intents of what is settled now that have none, and of the last `back` that had:
    /// it stands for their statements.
    pub(super) fn meet_all_intents(&mut self, statement: &mut Statement, back: u32) {
        let Some(intents) = &mut self.intents else { return };
        intents.told = intents.told.saturating_sub(back);
        let rest = intents.rest();
        intents.told += rest.map_or(0, |rest| rest.count);
        statement.aside().intent = rest;
    }

    /// The session is over: how many intents have no outcome. There should be none.
    pub(super) fn close_intents(&mut self, tools: &mut Tools) {
        let Some(mut intents) = self.intents.take() else { return };
        intents.leave();
        let asked: u32 = intents.asked.iter().filter_map(|question| question.intent).map(|i| i.count).sum();
        let untold = intents.untold.saturating_add(asked);
        if untold > 0 {
            self.identity.write_blind(&format!("{untold} intents have no outcome"), tools);
        }
    }

    /// What is to run, as a statement each. They have no id yet.
    fn intended(
        &mut self,
        ask: Ask<&[u8]>,
        at: Nanos,
        intents: &Intents,
        tools: &mut Tools,
    ) -> Vec<Statement> {
        let at = tools.anchor.unix_micros(at);
        let statement = |what, tools: &Tools| Statement::intended(what, at, &tools.no_parameters);
        match ask {
            Ask::Query { text: Some(text), length } => {
                let (whats, uncertain) = self.intended_query(text, length, tools);
                let statements = whats.into_iter().map(|what| statement(what, tools));
                statements.map(|one| Statement { split_uncertain: uncertain, ..one }).collect()
            }
            Ask::Execute { portal } => {
                let ahead = intents.names.portal(portal);
                let portal =
                    ahead.or_else(|| self.known_portal(portal).filter(|_| !intents.forgotten)).cloned();
                let text = portal.as_ref().and_then(|portal| portal.prepared.text.as_ref());
                if text.is_some_and(|text| text.is_empty()) {
                    return Vec::new();
                }
                let mut one = statement(self.intended_text(text, tools), tools);
                if let Some(portal) = portal {
                    one.bind(&portal);
                    one.prepared = (!portal.prepared.name.is_empty()).then_some(portal.prepared);
                }
                vec![one]
            }
            Ask::Run { statement: name, parameters: Some(body), length, bulk, named } => {
                let run = Run { statement: name, parameters: Some(body), length, bulk, named };
                let prepared = self.meant(&numbered(name), intents);
                let what = match &prepared.text {
                    Some(text) => self.intended_text(Some(text), tools),
                    None => What::Command(Operated::command(run.command(), None)),
                };
                let mut one = statement(what, tools);
                self.intended_values(&mut one, run, &prepared, intents, tools);
                one.prepared = (name != LAST_PREPARED).then_some(prepared);
                vec![one]
            }
            Ask::Command { name, object, argument } => {
                let argument = (!argument.is_empty()).then(|| self.encoding.decode(argument).into_owned());
                let about = argument.or_else(|| object.map(|number| number.to_string()));
                vec![statement(What::Command(Operated::command(name, about)), tools)]
            }
            _ => Vec::new(),
        }
    }

    /// The statements of a text, and whether one stands for all of it.
    fn intended_query(&mut self, text: &[u8], length: u64, tools: &mut Tools) -> (Vec<What>, bool) {
        let (mut query, _) = self.asked_query(text, length);
        if self.replication
            && let Some(command) = query.replication_command()
        {
            return (vec![What::Command(Operated::command(command, None))], false);
        }
        let texts = query.all(&mut tools.texts);
        let whats = texts.iter().map(|text| self.intended_text(Some(text), tools)).collect();
        (whats, query.is_uncertain())
    }

    /// A text that has not run.
    fn intended_text(&self, text: Option<&Rc<Text>>, tools: &Tools) -> What {
        let Some(text) = text else { return What::Command(Rc::clone(&tools.unknown)) };
        let hidden = match text.effect {
            Effect::Execute(_) | Effect::Explain(_) => text.without_arguments(None, self.dialect),
            _ => None,
        };
        What::Sql(hidden.map_or_else(|| Rc::clone(text), Rc::new))
    }

    /// The values of a run, as far as they can be read before its statement was.
    fn intended_values(
        &self,
        one: &mut Statement,
        run: Run<'_>,
        prepared: &Prepared,
        intents: &Intents,
        tools: &mut Tools,
    ) {
        let Run { length, bulk, named, .. } = run;
        let body = run.parameters.unwrap_or_default();
        let sent_ahead = intents.foreseen.values(self.runs.as_ref().map(|runs| &runs.sent_ahead));
        let ahead = sent_ahead.map_or_else(Vec::new, |values| values.of(numbered(run.statement)));
        let overflowed = sent_ahead.is_some_and(|values| values.overflowed);
        let most = self.limits.ahead;
        let sent = Sent { body, length, bulk, named, ahead: &ahead, overflowed, most };
        let read = values::read(&sent, prepared, (&self.encoding, self.dialect), &mut tools.encoded);
        if !tools.encoded.is_empty() {
            one.parameters = tools.encoded.as_slice().into();
        }
        let unread = run.statement == LAST_PREPARED && tools.encoded.is_empty() && length > values::EMPTY_RUN;
        one.secrets = read.secrets;
        one.parameters_truncated = read.truncated.or(unread.then_some(length));
    }

    /// Takes what gives a meaning to a name.
    fn ask_names(&mut self, ask: Ask<&[u8]>, intents: &mut Intents, tools: &mut Tools) {
        let kept = match ask {
            Ask::Parse { statement, text, length, types } => {
                let cut = self.cut(length, text);
                let text = tools.texts.read(self.encoding.decode(text).trim(), cut, self.dialect);
                let last = numbered(&LAST_PREPARED);
                let name = if self.dialect.is_postgres() { statement } else { &last };
                let types = type_oids(types).collect();
                intents.names.prepare(Rc::new(Prepared::new(name, Some(text), types)))
            }
            Ask::Bind { portal, statement, parameters, length } => {
                let prepared = self.meant(statement, intents);
                let bound: Portal = self.portal_with(prepared, parameters, length, tools);
                intents.names.bind(portal, bound)
            }
            _ => return,
        };
        intents.forgotten |= !kept;
        intents.naming += 1;
    }

    /// The prepared statement that a name will mean.
    fn meant(&self, name: &[u8], intents: &Intents) -> Rc<Prepared> {
        let ahead = intents.names.statement(name);
        let known = ahead.or_else(|| self.known_statement(name).filter(|_| !intents.forgotten));
        known.cloned().unwrap_or_else(|| Rc::new(Prepared::unknown(name)))
    }

    /// Writes intents, one behind the other.
    fn tell_intents(&mut self, statements: Vec<Statement>, tools: &mut Tools) -> Option<Intent> {
        let count = u32::try_from(statements.len()).unwrap_or(u32::MAX);
        let first = tools.event_ids(statements.first()?.unix_micros, count);
        let all = Intent { first, count };
        for (place, mut one) in (0..count).zip(statements) {
            one.id = all.skip(place).map_or(first, |intent| intent.first);
            self.identity.write_intent(&one, tools);
        }
        Some(all)
    }
}

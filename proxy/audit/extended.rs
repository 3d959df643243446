//! The extended query protocol: statements and portals by name, and what an error leaves behind.
//!
//! After an error the server passes over everything up to the next Sync. A Parse or Bind that failed and the Execute
//! that was sent along with it are one statement: the event that tells the error stands for both.

use std::rc::Rc;

use panoptes_event::Uuid;
use panoptes_parser::{
    postgres::values::Parameters,
    wire::{Answer, Settled, Target},
};

use super::{
    Tools,
    names::{NameLimits, Names, Portal, Prepared},
    operation::Operated,
    secret::{Places, write_parameters},
    session::Session,
    statement::{Statement, What, contradicts},
    text::Text,
};

/// What was asked since an error.
#[derive(Debug)]
pub(crate) struct PassedOver {
    /// What would have these names now.
    names: Names,
    /// Not all of them found room, so a name may not be what it was before.
    forgotten: bool,
    failed: Option<Failed>,
}

/// A Parse, Bind or Describe that failed.
#[derive(Debug)]
struct Failed {
    /// Tells of it.
    event: Uuid,
    /// The statement that it was about, if it fails whoever binds it.
    prepared: Option<Rc<Prepared>>,
}

impl PassedOver {
    fn new(limits: NameLimits) -> Self {
        Self { names: Names::new(limits), forgotten: false, failed: None }
    }

    fn has_failed(&self, prepared: &Rc<Prepared>) -> bool {
        let failed = self.failed.as_ref().and_then(|failed| failed.prepared.as_ref());
        failed.is_some_and(|failed| Rc::ptr_eq(failed, prepared))
    }
}

impl Session {
    pub(super) fn parse(&mut self, prepared: Rc<Prepared>, settled: Settled<&[u8]>, tools: &mut Tools) {
        match settled.answer {
            Answer::Complete { .. } | Answer::Prepared { .. } => {
                if !self.prepare(Rc::clone(&prepared), tools)
                    && let Some(text) = &prepared.text
                {
                    self.identity.write_forgotten(text, tools);
                }
            }
            Answer::Skipped | Answer::Lost => self.pass_over_statement(prepared),
            Answer::Failed(_) => {
                if prepared.name.is_empty() {
                    // It is gone before the new one is looked at.
                    self.names.deallocate(b"");
                }
                self.pass_over_statement(Rc::clone(&prepared));
                let portal = self.portal_of(Rc::clone(&prepared), tools);
                self.fail_before_execution(Some(&portal), Some(prepared), settled, tools);
            }
            _ => {}
        }
    }

    pub(super) fn bind(
        &mut self,
        name: &[u8],
        mut portal: Portal,
        settled: Settled<&[u8]>,
        tools: &mut Tools,
    ) {
        match settled.answer {
            Answer::Complete { .. } => {
                let kept = self.names.bind(name, portal);
                tools.metrics.names_forgotten.inc_by(u64::from(!kept));
            }
            Answer::Skipped | Answer::Lost => {
                portal.failed = self.passed_over.as_ref().is_some_and(|p| p.has_failed(&portal.prepared));
                self.pass_over_portal(name, portal);
            }
            Answer::Failed(_) => {
                portal.failed = true;
                self.fail_before_execution(Some(&portal), None, settled, tools);
                self.pass_over_portal(name, portal);
            }
            _ => {}
        }
    }

    /// Describe is told only where it failed.
    pub(super) fn describe(
        &mut self,
        target: Target,
        name: &[u8],
        settled: Settled<&[u8]>,
        tools: &mut Tools,
    ) {
        if !matches!(settled.answer, Answer::Failed(_)) {
            return;
        }
        match target {
            Target::Statement => {
                let prepared = self.names.statement(name).cloned();
                let portal = prepared.clone().unwrap_or_else(|| Rc::new(Prepared::unknown(name)));
                let portal = self.portal_of(portal, tools);
                self.fail_before_execution(Some(&portal), prepared, settled, tools);
            }
            Target::Portal => {
                let portal = self.names.portal(name).cloned().map(|portal| Portal { failed: true, ..portal });
                self.fail_before_execution(portal.as_ref(), None, settled, tools);
                if let Some(portal) = portal {
                    self.pass_over_portal(name, portal);
                }
            }
        }
    }

    /// Close fails only where it cannot be read; what came before it in the transaction is undone like by any error.
    pub(super) fn close(&mut self, target: Target, name: &[u8], settled: Settled<&[u8]>, tools: &mut Tools) {
        match (settled.answer, target) {
            (Answer::Failed(_), _) => {
                self.settle_one(What::Command(Operated::command("Close", None)), settled, tools);
            }
            (Answer::Skipped | Answer::Lost, _) => {}
            (_, Target::Statement) if !self.dialect.is_postgres() => self.close_numbered(name, tools),
            (_, Target::Statement) => self.names.deallocate(name),
            (_, Target::Portal) => self.names.close_portal(name),
        }
    }

    pub(super) fn execute(&mut self, name: &[u8], settled: Settled<&[u8]>, tools: &mut Tools) {
        let portal = match (settled.answer, &mut self.passed_over) {
            (Answer::Skipped | Answer::Lost, Some(passed_over)) => {
                let known = passed_over.names.portal(name).cloned();
                if let Some(portal) = known.as_ref().filter(|portal| portal.failed)
                    && let Some(failed) = passed_over.failed.take()
                {
                    if self.complete_failed(failed.event, portal) || !self.has_intent() {
                        return;
                    }
                    // That was written already: its intent has an outcome of its own.
                    return self.execute_portal(Some(portal), settled, tools);
                }
                known.or_else(|| self.known_portal(name).cloned())
            }
            _ => self.names.portal(name).cloned(),
        };
        self.execute_portal(portal.as_ref(), settled, tools);
    }

    fn execute_portal(&mut self, portal: Option<&Portal>, settled: Settled<&[u8]>, tools: &mut Tools) {
        let text = portal.and_then(|portal| portal.prepared.text.as_ref());
        let unheard = matches!(settled.answer, Answer::Skipped | Answer::Lost);
        // There was nothing to do, had it been heard.
        if unheard && text.is_some_and(|text| text.is_empty()) && !self.has_intent() {
            return;
        }
        if let Some(statement) = self.portal_statement(portal, settled, tools) {
            self.hold(statement, &settled.answer, tools);
        }
    }

    /// A portal of a prepared statement; what was passed over is looked at first.
    pub(super) fn bound(&self, name: &[u8], parameters: &[u8], length: u64, tools: &mut Tools) -> Portal {
        let prepared =
            self.known_statement(name).cloned().unwrap_or_else(|| Rc::new(Prepared::unknown(name)));
        self.portal_with(prepared, parameters, length, tools)
    }

    /// What a name means; that which was passed over is looked at first.
    pub(super) fn known_statement(&self, name: &[u8]) -> Option<&Rc<Prepared>> {
        let passed_over = self.passed_over.as_ref();
        let passed = passed_over.and_then(|passed_over| passed_over.names.statement(name));
        let known = || self.names.statement(name).filter(|_| passed_over.is_none_or(|p| !p.forgotten));
        passed.or_else(known)
    }

    /// The same of a portal.
    pub(super) fn known_portal(&self, name: &[u8]) -> Option<&Portal> {
        let passed_over = self.passed_over.as_ref();
        let passed = passed_over.and_then(|passed_over| passed_over.names.portal(name));
        let known = || self.names.portal(name).filter(|_| passed_over.is_none_or(|p| !p.forgotten));
        passed.or_else(known)
    }

    /// A portal with its parameters.
    pub(super) fn portal_with(
        &self,
        prepared: Rc<Prepared>,
        parameters: &[u8],
        length: u64,
        tools: &mut Tools,
    ) -> Portal {
        let mut values = Parameters::new(parameters, length);
        let secret = Places::of(prepared.text.as_ref());
        let encoded = &mut tools.encoded;
        encoded.clear();
        let read_as = (&self.encoding, self.dialect);
        let secrets = write_parameters(encoded, &mut values, &prepared.types, secret, read_as);
        let mut portal = self.portal_of(prepared, tools);
        if !tools.encoded.is_empty() {
            portal.parameters = tools.encoded.as_slice().into();
        }
        portal.secrets = secrets;
        portal.truncated = values.truncated().then_some(length);
        portal
    }

    /// Without parameters.
    fn portal_of(&self, prepared: Rc<Prepared>, tools: &Tools) -> Portal {
        let (truncated, failed, hold) = (None, false, false);
        let parameters = Rc::clone(&tools.no_parameters);
        Portal { prepared, parameters, secrets: None, truncated, failed, hold }
    }

    /// A cursor that SQL declared is a portal like any other.
    pub(super) fn declare(&mut self, name: &[u8], hold: bool, text: &Rc<Text>, tools: &Tools) {
        let prepared = Prepared::new(b"", Some(Rc::clone(text)), Vec::new());
        let portal = Portal { hold, ..self.portal_of(Rc::new(prepared), tools) };
        let kept = self.names.bind(name, portal);
        tools.metrics.names_forgotten.inc_by(u64::from(!kept));
    }

    fn portal_statement(
        &mut self,
        portal: Option<&Portal>,
        settled: Settled<&[u8]>,
        tools: &Tools,
    ) -> Option<Statement> {
        let tag = if let Answer::Complete { tag, .. } = settled.answer { tag } else { b"" };
        let what = match portal.and_then(|portal| portal.prepared.text.as_ref()) {
            // The server ran something else: a DO block may have given the name to another statement.
            Some(text) if contradicts(tag, text.verb()) && text.verb() != "UNKNOWN" => {
                What::Command(Operated::tagged(tag))
            }
            Some(text) => What::Sql(Rc::clone(text)),
            None => What::Command(Rc::clone(&tools.unknown)),
        };
        let mut statement = self.statement(what, settled, tools)?;
        if let Some(portal) = portal {
            statement.prepared = (!portal.prepared.name.is_empty()).then(|| Rc::clone(&portal.prepared));
            statement.bind(portal);
        }
        Some(statement)
    }

    fn fail_before_execution(
        &mut self,
        portal: Option<&Portal>,
        prepared: Option<Rc<Prepared>>,
        settled: Settled<&[u8]>,
        tools: &mut Tools,
    ) {
        if let Some(statement) = self.portal_statement(portal, settled, tools) {
            self.passed_over().failed = Some(Failed { event: statement.id, prepared });
            self.hold(statement, &settled.answer, tools);
        }
    }

    /// The execution that was sent along tells the parameters, if the event is still there; whether it is.
    fn complete_failed(&mut self, event: Uuid, portal: &Portal) -> bool {
        let (mut intents, dialect) = (self.intents.take(), self.dialect);
        let found = self.transactions.find(event).map(|statement| {
            statement.bind(portal);
            statement.hide(dialect);
            statement.meet_intent(intents.as_deref_mut());
        });
        self.intents = intents;
        found.is_some()
    }

    fn pass_over_statement(&mut self, prepared: Rc<Prepared>) {
        let passed_over = self.passed_over();
        passed_over.forgotten |= !passed_over.names.prepare(prepared);
    }

    fn pass_over_portal(&mut self, name: &[u8], portal: Portal) {
        let passed_over = self.passed_over();
        passed_over.forgotten |= !passed_over.names.bind(name, portal);
    }

    fn passed_over(&mut self) -> &mut PassedOver {
        let limits = self.limits;
        self.passed_over.get_or_insert_with(|| Box::new(PassedOver::new(limits)))
    }
}

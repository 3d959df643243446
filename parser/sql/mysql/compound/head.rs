//! From the first word of a statement to where its body begins, if it has one.

use super::{Block, Compound, Definition, Last, State};

/// `CREATE OR REPLACE DEFINER = a @ b SQL SECURITY INVOKER PROCEDURE`: no head is longer.
const MAX_HEAD_WORDS: usize = 16;

impl Compound {
    /// The first word of the whole statement.
    pub(super) fn first(&mut self, is: impl Fn(&str) -> bool + Copy) {
        self.state = match () {
            () if is("create") || is("alter") => State::Object,
            () if is("begin") => State::Begin,
            () if is("set") => State::Set,
            () if is("declare") => {
                self.enter(Block::Declarations);
                self.start = false;
                State::Body
            }
            () if opens(is) => {
                self.enter_body();
                self.body(is, Last::Other);
                State::Body
            }
            () => State::Label,
        };
        self.words = 1;
    }

    /// Behind CREATE or ALTER.
    pub(super) fn object(&mut self, is: impl Fn(&str) -> bool, last: Last) {
        self.words += 1;
        let definition = match () {
            () if last == Last::Operator => return, // DEFINER = trigger
            () if is("procedure") || is("function") => Definition::Routine,
            () if is("trigger") => Definition::Trigger,
            () if is("event") => Definition::Event,
            () if is("package") => Definition::Package,
            () if self.words > MAX_HEAD_WORDS || NO_BODY.iter().any(|object| is(object)) => {
                return self.state = State::Plain;
            }
            () => return,
        };
        (self.state, self.words) = (State::Name(definition), 0);
    }

    /// Between the name and the body.
    pub(super) fn head(
        &mut self,
        definition: Definition,
        is: impl Fn(&str) -> bool + Copy,
        last: Last,
    ) -> bool {
        let body = match definition {
            Definition::Routine if is("as") || is("is") => {
                self.state = State::As;
                return false;
            }
            Definition::Package if is("as") || is("is") => {
                self.enter(Block::Declarations);
                return false;
            }
            Definition::Routine if is("return") => {
                self.state = State::Return;
                return true;
            }
            Definition::Routine if is("character") || is("char") => {
                self.last = Last::Character;
                false
            }
            Definition::Routine if is("set") => last != Last::Character,
            Definition::Routine => opens(is) || is("begin") || VERBS.iter().any(|verb| is(verb)),
            Definition::Trigger if is("each") => {
                self.last = Last::Each;
                false
            }
            Definition::Trigger if is("row") && last == Last::Each => {
                self.enter_body();
                return false;
            }
            Definition::Event if is("do") => {
                self.enter_body();
                return false;
            }
            _ => false,
        };
        if !body {
            return false;
        }
        self.enter_body();
        self.body(is, last)
    }
}

/// The words that begin a block wherever a statement may begin.
fn opens(is: impl Fn(&str) -> bool) -> bool {
    ["if", "case", "loop", "while", "repeat", "for"].iter().any(|word| is(word))
}

/// Objects whose definition has no body.
#[rustfmt::skip]
const NO_BODY: [&str; 14] = [
    "table", "view", "index", "database", "schema", "user", "role", "sequence", "server", "tablespace", "logfile", "resource",
    "instance", "library",
];

/// What the body of a routine may begin with, where it is one plain statement.
#[rustfmt::skip]
const VERBS: [&str; 36] = [
    "select", "insert", "update", "delete", "replace", "with", "values", "table", "call", "do", "create", "drop", "alter",
    "truncate", "rename", "grant", "revoke", "start", "commit", "rollback", "savepoint", "release", "lock", "unlock", "flush",
    "analyze", "optimize", "repair", "check", "show", "prepare", "execute", "deallocate", "signal", "kill", "load",
];

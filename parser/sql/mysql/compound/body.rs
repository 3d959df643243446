//! The words of a body: blocks that open and close, and where statements begin.

use super::{Block, Compound, Definition, Handler, Last, State};

impl Compound {
    /// A word of a body, at depth 0 of parentheses.
    pub(super) fn body(&mut self, is: impl Fn(&str) -> bool + Copy, last: Last) -> bool {
        if matches!(last, Last::End | Last::Label) {
            self.last = if last == Last::Label { last } else { Last::Other };
            return false;
        }
        if last == Last::Order {
            self.start = true;
            return false;
        }
        if self.handler == Handler::Next {
            (self.handler, self.start) = (Handler::No, true);
        }
        let start = std::mem::take(&mut self.start);
        self.words = if start { 1 } else { self.words + 1 };
        if start { self.begins(is) } else { self.continues(is, last) }
    }

    /// The first word of a statement in a body.
    fn begins(&mut self, is: impl Fn(&str) -> bool) -> bool {
        let innermost = self.innermost();
        match () {
            () if is("begin") && innermost == Some(Block::Declarations) => {
                self.replace(Block::Begin);
                self.start = true;
            }
            () if is("begin") => self.enter(Block::Begin),
            () if is("end") && innermost.is_some() => {
                self.pop();
                self.last = Last::End;
            }
            () if is("if") => self.push(Block::If),
            () if is("case") => self.push(Block::Case),
            () if is("while") || is("for") => self.push(Block::LoopHead),
            () if is("loop") => self.enter(Block::Loop),
            () if is("repeat") => self.enter(Block::Repeat),
            () if is("until") && innermost == Some(Block::Repeat) => self.replace(Block::Until),
            () if is("else") => self.start = true,
            () if is("elseif") || is("elsif") || is("when") || is("exception") => {
                self.start = is("exception");
            }
            () if is("follows") || is("precedes") => self.last = Last::Order,
            () if innermost == Some(Block::Declarations) && (is("procedure") || is("function")) => {
                (self.state, self.words) = (State::Name(Definition::Routine), 0);
            }
            () if is("not") => self.last = Last::BeginNot,
            () => return true,
        }
        false
    }

    /// A word further inside of a statement.
    fn continues(&mut self, is: impl Fn(&str) -> bool, last: Last) -> bool {
        let innermost = self.innermost();
        match () {
            () if self.handler == Handler::Condition => {
                if !["not", "sqlstate", "value"].iter().any(|word| is(word)) {
                    self.handler = Handler::Next;
                }
            }
            () if last == Last::BeginNot && is("atomic") => self.start = true,
            () if is("handler") => self.last = Last::Handler,
            () if is("for") && last == Last::Handler => self.handler = Handler::Condition,
            () if is("case") => self.push(Block::Choice),
            () if is("end") && matches!(innermost, Some(Block::Choice)) => self.pop(),
            () if is("end") && matches!(innermost, Some(Block::Until)) => {
                self.pop();
                self.last = Last::End;
            }
            () if innermost == Some(Block::Choice) => {}
            () if is("then") && innermost.is_some() => self.start = true,
            () if is("else") && matches!(innermost, Some(Block::If | Block::Case)) => self.start = true,
            () if (is("do") || is("loop")) && innermost == Some(Block::LoopHead) => {
                self.replace(Block::Loop);
                self.start = true;
            }
            () => {}
        }
        false
    }
}

//! Where a space stands in the normalized text: the tokens on both sides say it, never the text.
//!
//! None stands inside of brackets, before a comma, a semicolon and the bracket of a call, around a dot and `::`, and within
//! MySQL's `@a` and `'ann'@'host'`; anywhere else there is one, around operators too. So no two tokens grow together.

use super::super::lexer::{Kind, Token};
use super::{Form, Last};

impl<const POSTGRES: bool> Form<'_, '_, POSTGRES> {
    #[inline(always)] // once per token
    pub(super) fn is_spaced(&self, token: Token) -> bool {
        match self.last {
            Last::Open | Last::Dot | Last::Cast | Last::At | Last::Account => false,
            Last::Comma => true,
            _ => match token.kind {
                Kind::Word | Kind::String | Kind::Number | Kind::Parameter | Kind::Quoted | Kind::Other => {
                    self.last != Last::Colon
                }
                Kind::Operator => POSTGRES || !self.is_host(token),
                Kind::Open => self.is_no_call(),
                Kind::Colon => token.end - token.start > 1 || !self.after_operand(),
                Kind::Close
                | Kind::CloseBracket
                | Kind::OpenBracket
                | Kind::Semicolon
                | Kind::Comma
                | Kind::Dot
                | Kind::Cast => false,
            },
        }
    }

    /// The `@` of `ann@localhost`.
    fn is_host(&self, token: Token) -> bool {
        matches!(self.last, Last::Operand | Last::String)
            && self.text.as_bytes().get(token.start..token.end) == Some(b"@")
    }

    /// Does a bracket follow something else than a name? Some keywords are functions.
    fn is_no_call(&self) -> bool {
        match self.last {
            Last::Operand | Last::Term => false,
            Last::Keyword(word) => !matches!(
                word,
                "CAST"
                    | "COALESCE"
                    | "EXTRACT"
                    | "GROUPING"
                    | "IF"
                    | "LEFT"
                    | "NULLIF"
                    | "OVERLAY"
                    | "POSITION"
                    | "REPLACE"
                    | "RIGHT"
                    | "ROW"
                    | "SUBSTRING"
                    | "TRIM"
            ),
            _ => true,
        }
    }
}

//! Operators, each as long as the server takes it.

use super::byte::{OPERATOR, is};
use super::{Kind, Lexer};

/// The server takes no longer operator (`NAMEDATALEN`), so that no more need be looked at.
const LONGEST: usize = 64;

impl Lexer<'_> {
    pub(super) fn operator(&mut self) -> Kind {
        let length =
            if self.dialect.is_postgres() { self.postgres_operator() } else { self.mysql_operator() };
        self.at += length.max(1);
        Kind::Operator
    }

    /// The longest run of operator characters, cut before a comment; `+` and `-` end a long operator only
    /// where it holds one of the characters that SQL's own operators do not have.
    fn postgres_operator(&self) -> usize {
        let run = self.rest();
        let mut length = run.iter().take(LONGEST).take_while(|byte| is(**byte, OPERATOR)).count();
        if length == 1 {
            return length;
        }
        let run = run.get(..length).unwrap_or_default();
        if let Some(comment) = run.windows(2).position(|pair| pair == b"--" || pair == b"/*") {
            length = comment;
        }
        let special = run.iter().position(|byte| b"~!@#%^&|`?".contains(byte)).unwrap_or(run.len());
        while length > 1
            && run.get(length - 1).is_some_and(|last| matches!(last, b'+' | b'-'))
            && special >= length - 1
        {
            length -= 1;
        }
        // A long run of signs: told one by one, each would cost a look at all that follow.
        if length == 1 && run.len() == LONGEST && run.iter().all(|byte| matches!(byte, b'+' | b'-')) {
            return LONGEST - 1;
        }
        length
    }

    fn mysql_operator(&self) -> usize {
        const LONG: [&[u8]; 13] =
            [b"<=>", b"->>", b"->", b"<=", b">=", b"<>", b"!=", b"<<", b">>", b"||", b"&&", b"@@", b":="];
        LONG.iter().find(|operator| self.rest().starts_with(operator)).map_or(1, |operator| operator.len())
    }
}

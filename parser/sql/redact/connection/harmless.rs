//! Values beside the name of a secret that are none: words of a sentence, switches, placeholders, code.

use super::super::{name, prose};
use super::pair::Pair;
use super::skip;

/// From so many digits on a number beside the name of a secret is not taken for a count.
const LONG_NUMBER: usize = 6;

/// So long is no word that people give to things.
const LONG_WORD: usize = 16;

/// Bytes of a call's arguments that are looked at.
const MAX_ARGUMENTS: usize = 64;
/// Bytes of an address before a name that are looked through.
const MAX_PATH: usize = 256;

impl Pair<'_> {
    /// Is the value, which begins at `from`, a word of a sentence, or one that nobody would call a secret?
    pub(super) fn is_harmless(&self, from: usize, value: &str) -> bool {
        let spaced = !self.is_escaped() && from > self.sign + 1;
        let rest = self.text.get(from..).unwrap_or_default();
        let sentence = spaced && !self.quoted && prose::begins_sentence(rest);
        // The end of an element, what somebody else has hidden, MySQL's `(using password: YES)`.
        let hidden = value.starts_with("</")
            || !value.is_empty() && value.bytes().all(|byte| byte == b'*')
            || matches!(value, "YES" | "NO");
        sentence
            || hidden
            || is_nothing(value)
            || is_link(value) && (spaced || self.quoted)
            || self.is_label(value)
            || self.is_own_name(value)
            || self.is_type(value)
            || spaced && !self.quoted && self.is_code(rest)
            || self.is_in_path() && !prose::is_random(value)
            || self.is_list_of_words(value)
            || self.is_query() && !name::is_secret_pair(&self.name) && is_path(value)
            || !name::is_password(&self.name) && self.is_remark(value)
    }

    /// A count, a short name, or what follows a word that people use in talk: `token: expired`.
    fn is_remark(&self, value: &str) -> bool {
        let bare = bare(value);
        let number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let talk = !number
            && !self.quoted
            && self.sign_is(b':')
            && name::is_common_word(&self.name)
            && self.scheme(self.from()) == 0
            && !value.starts_with(['"', '\''])
            && !prose::is_random(value);
        let plain = value.trim_matches(['"', '\'']);
        let short = name::is_ambiguous_key(&self.name) && !prose::is_random(plain) && plain.len() < LONG_WORD;
        number && self.counts(bare) || talk || short
    }

    /// May a number be how many there are, or which one, and no PIN?
    fn counts(&self, number: &str) -> bool {
        let name = &self.name;
        let ends = |end: &str| name.len() > end.len() && name::ends(name, end);
        let many = ends("s") && !ends("pass") && !name.eq_ignore_ascii_case("pass");
        many || ends("id") || number.len() < LONG_NUMBER && !name::is_spoken_password(name)
    }

    fn sign_is(&self, sign: u8) -> bool {
        self.text.as_bytes().get(self.sign) == Some(&sign)
    }

    /// `{"password": "Password"}` of a form.
    fn is_label(&self, value: &str) -> bool {
        let label = value.trim_matches(['"', '\'']);
        self.quoted
            && label.starts_with(|first: char| first.is_ascii_uppercase())
            && label.eq_ignore_ascii_case(&self.name)
    }

    /// `refresh_token=refresh_token` of a call; but a password may be `password`.
    fn is_own_name(&self, value: &str) -> bool {
        !name::is_password(&self.name)
            && !self.quoted
            && self.name.contains('_')
            && *self.name == *bare(value)
    }

    /// `password: string` of an interface, a schema, an example.
    fn is_type(&self, value: &str) -> bool {
        #[rustfmt::skip]
        const TYPES: [&str; 14] = [
            "any", "bool", "boolean", "bytes", "char", "int", "integer", "number", "object", "str", "string", "text", "unknown",
            "varchar",
        ];
        let value = value.trim_matches(['"', '\'']);
        let is_known = |word: &str| TYPES.iter().any(|known| word.eq_ignore_ascii_case(known));
        let (word, rest) =
            value.split_at_checked(skip(value, 0, |b| b.is_ascii_alphabetic())).unwrap_or_default();
        // `varchar(255)`, `string|null`; no password behind the type.
        let is_part = |word: &str| {
            is_known(word)
                || matches!(word, "" | "null" | "undefined")
                || word.len() < 5 && word.bytes().all(|byte| byte.is_ascii_digit())
        };
        self.sign_is(b':')
            && is_known(word)
            && (rest.is_empty() || rest.starts_with(['(', '[', '?', '|', ',', ';', '}', ')']))
            && rest.split(|char| "()[]?|,;}".contains(char)).all(is_part)
    }

    /// `token = lexer.next();`, `password = os.environ["…"]`, `token = request.token`: code that brings the value from elsewhere.
    fn is_code(&self, rest: &str) -> bool {
        const ENVIRONMENTS: [&str; 3] = ["os.environ", "process.env.", "ENV["];
        let end = skip(rest, 0, |byte| byte.is_ascii_alphanumeric() || b"_.:$->".contains(&byte));
        let (path, behind) = rest.split_at_checked(end).unwrap_or_default();
        let last = path.rsplit(['.', ':', '>']).next().unwrap_or_default();
        let object = path.strip_suffix(last).unwrap_or_default();
        let member = [".", "::", "->"].iter().any(|sign| object.ends_with(sign))
            && last == self.name
            && is_end(behind);
        let named = path.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '_' | '$'))
            && !path.split(|char: char| !char.is_alphanumeric()).any(prose::is_random);
        let called =
            || arguments(behind).is_some_and(|arguments| is_asked(arguments, name::is_password(&self.name)));
        let environment = ENVIRONMENTS.iter().any(|known| rest.starts_with(known));
        environment && is_of_environment(behind) || named && (member || called())
    }

    /// A part of an address's path: `https://example.com/wiki/Password:Help`.
    fn is_in_path(&self) -> bool {
        let before =
            self.text.as_bytes().get(self.sign.saturating_sub(MAX_PATH)..self.sign).unwrap_or_default();
        let word = before.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
        self.separator == Some(b'/') && self.sign_is(b':') && word.windows(3).any(|sign| sign == b"://")
    }

    /// Words that a text was cut into, or what a form says of a field: `{"password": ["is too short"]}`.
    fn is_list_of_words(&self, value: &str) -> bool {
        let Some(list) = value.strip_prefix('[') else { return false };
        if name::is_password(&self.name) {
            let mut texts = list.split('"').skip(1).step_by(2).peekable();
            return texts.peek().is_some() && texts.all(prose::begins_sentence);
        }
        let mut words = list.split(|char: char| !char.is_alphanumeric());
        self.name.eq_ignore_ascii_case("tokens")
            && words.all(|word| word.len() < LONG_WORD && !prose::is_random(word))
    }
}

/// What another text or a program puts in for `name`: `?`, `$1`, `${DB_PASSWORD}`, `{{ password }}`, `$PASSWORD`, `:password`.
/// People begin passwords with these signs too: with a digit in it a `$Passw0rd` is one, and so is a `@dmin_pass`.
pub(super) fn is_placeholder(value: &str, name: &str) -> bool {
    let plain = bare(value);
    let value = bare(value.trim_matches(['"', '\'']));
    let is_letter = |byte: u8| byte == b'_' || byte.is_ascii_alphabetic();
    let is_variable = |word: &str| {
        word.bytes().next().is_some_and(is_letter)
            && word.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
    };
    let is_template = |text: &str| {
        !text.contains(['{', '}']) && !text.split(|char: char| !char.is_alphanumeric()).any(prose::is_random)
    };
    let digits = |word: &str| !word.is_empty() && word.len() < 4 && word.bytes().all(|b| b.is_ascii_digit());
    let variable = |word: &str| word.bytes().all(is_letter) && name::is_secret_variable(word);
    match value.as_bytes() {
        b"?" => true,
        [b'$', b'{', word @ .., b'}'] => str::from_utf8(word).is_ok_and(is_variable),
        [b'{', b'{', text @ .., b'}', b'}'] => str::from_utf8(text).is_ok_and(is_template),
        [b'$', ..] => value.get(1..).is_some_and(|word| digits(word) || variable(word)),
        [b':' | b'@', ..] => plain.get(1..).is_some_and(|word| word.eq_ignore_ascii_case(name)),
        _ => false,
    }
}

/// Without what may stand behind it in a sentence, a list or code.
fn bare(value: &str) -> &str {
    value.trim_end_matches([',', ';', ')', '.'])
}

/// No value, or a switch.
fn is_nothing(value: &str) -> bool {
    matches!(
        value.trim_end_matches([',', ';', ')', '.', '}', ']']),
        "true"
            | "false"
            | "null"
            | "None"
            | "NULL"
            | "True"
            | "False"
            | "TRUE"
            | "FALSE"
            | "nil"
            | "undefined"
    )
}

/// An address, of which only a password within it is secret; none that has a token in it.
fn is_link(value: &str) -> bool {
    let address = value.trim_start_matches(['"', '\'']);
    let is_token = |word: &str| prose::is_random(word) || word.len() >= LONG_WORD;
    ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme))
        && !address.split(|char: char| !char.is_alphanumeric()).any(is_token)
}

/// Of a file: `photos/2024/cat.jpg`.
fn is_path(value: &str) -> bool {
    let end = value.rsplit('.').next().unwrap_or_default();
    value.contains('/') && (2..5).contains(&end.len()) && end.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Does code end before this, so that no other value follows, as behind `||`?
fn is_end(behind: &str) -> bool {
    behind.is_empty() || behind.starts_with(|char: char| char.is_whitespace() || ",;)]}".contains(char))
}

/// Does this follow a variable of the environment: its name at most, and no value for where there is none?
fn is_of_environment(behind: &str) -> bool {
    let close = |arguments: &str| behind.get(arguments.len() + 2..).is_some_and(is_end);
    is_end(behind) || arguments(behind).is_some_and(|name| !name.contains(',') && close(name))
}

/// What stands in the brackets of a call, or of an element.
fn arguments(behind: &str) -> Option<&str> {
    let close = if behind.starts_with('[') { b']' } else { b')' };
    let behind = behind.strip_prefix(['(', '['])?;
    let end = behind.bytes().take(MAX_ARGUMENTS).position(|byte| byte == close)?;
    behind.get(..end)
}

/// Do arguments hold no value: none, names (where no password is meant), or the name of what is asked for:
/// `settings.get("PASSWORD")`?
fn is_asked(arguments: &str, password: bool) -> bool {
    let names = |byte: u8| byte.is_ascii_alphabetic() || b"_., &".contains(&byte);
    let word = arguments.split(',').next().unwrap_or_default();
    let key = ['"', '\''].into_iter().find_map(|quote| word.strip_prefix(quote)?.strip_suffix(quote));
    let asked = || {
        key.is_some_and(|key| {
            key.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphabetic()) && name::is_secret_pair(key)
        }) && matches!(arguments.get(word.len()..), Some("" | ", None" | ", null" | ", ''" | ", \"\""))
    };
    arguments.is_empty() || !password && arguments.bytes().all(names) || asked()
}

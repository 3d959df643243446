//! A secret in any surroundings: where a statement that takes one is read with certainty, it is hidden.
//!
//! The fuzzer chooses a shape and what stands in its gaps, and puts anything before and behind it. Nothing panics, no text
//! grows beyond bounds, and of a shape by itself nothing of the canary is left.
#![no_main]

use libfuzzer_sys::{arbitrary, arbitrary::Arbitrary, fuzz_target};
use panoptes_parser::sql::{
    Dialect, redact, redact_head, redact_message, redact_text, redact_text_head, redact_value,
};

const CANARY: &str = "s3cr3tK3Y";

/// `~` is a gap.
const SHAPES: [(&str, Dialect); 26] = [
    ("ALTER~ROLE~a~PASSWORD~'s3cr3tK3Y'", Dialect::POSTGRES),
    ("CREATE~USER~MAPPING~FOR~a~SERVER~s~OPTIONS~(~password~'s3cr3tK3Y'~)", Dialect::POSTGRES),
    ("ALTER~SUBSCRIPTION~s~CONNECTION~'host=h password=s3cr3tK3Y'", Dialect::POSTGRES),
    ("SELECT~crypt~(~'s3cr3tK3Y'~,~gen_salt~(~'bf'~)~)", Dialect::POSTGRES),
    ("SELECT~dblink_connect~(~'postgres://u:s3cr3tK3Y@h/d'~)", Dialect::POSTGRES),
    ("SELECT~set_config~(~'my.secret'~,~'s3cr3tK3Y'~,~false~)", Dialect::POSTGRES),
    ("DO~$$BEGIN~EXECUTE~'ALTER~ROLE~a~PASSWORD~''s3cr3tK3Y''';~END$$", Dialect::POSTGRES),
    ("DO~$$DECLARE~password~constant~varchar(20)~:=~'s3cr3tK3Y';~BEGIN~END$$", Dialect::POSTGRES),
    ("SELECT~U&\"cr!0079pt\"~UESCAPE~'!'~(~'s3cr3tK3Y'~,~a~)", Dialect::POSTGRES),
    ("CREATE~PROCEDURE~p()~BEGIN~DECLARE~a,~pwd~VARCHAR(20)~DEFAULT~'s3cr3tK3Y';~END", Dialect::MYSQL),
    ("SELECT~1,~'s3cr3tK3Y'~INTO~@a,~@password", Dialect::MYSQL),
    ("SET~@key_str~=~SHA2~(~'s3cr3tK3Y'~,~512~)", Dialect::MYSQL),
    ("CREATE~TRIGGER~t~AFTER~INSERT~ON~u~FOR~EACH~ROW~SET~@password~=~'s3cr3tK3Y'", Dialect::MYSQL),
    ("CREATE~USER~'a'@'h'~IDENTIFIED~BY~'s3cr3tK3Y'", Dialect::MYSQL),
    ("SET~PASSWORD~FOR~a@h~=~PASSWORD~(~'s3cr3tK3Y'~)", Dialect::MYSQL),
    ("CHANGE~MASTER~TO~MASTER_HOST~=~'h'~,~MASTER_PASSWORD~=~'s3cr3tK3Y'", Dialect::MYSQL),
    ("SELECT~AES_ENCRYPT~(~'d'~,~'s3cr3tK3Y'~)", Dialect::MYSQL),
    ("WITH~k~AS~(~SELECT~'s3cr3tK3Y'~)~SELECT~crypt~(~(~SELECT~*~FROM~k~)~,~a~)", Dialect::POSTGRES),
    ("SET~app.k~=~'s3cr3tK3Y'~;~SELECT~crypt~(~current_setting~(~'app.k'~)~,~a~)", Dialect::POSTGRES),
    ("CREATE~FUNCTION~f~(~k~text~DEFAULT~'s3cr3tK3Y'~)~RETURNS~text~RETURN~crypt~(~k~,~a~)", Dialect::POSTGRES),
    ("SELECT~jsonb_build_object~(~'password'~,~'s3cr3tK3Y'~)", Dialect::POSTGRES),
    ("SELECT~format~(~'ALTER ROLE a PASSWORD %L'~,~'s3cr3tK3Y'~)", Dialect::POSTGRES),
    ("SET~@p~=~'s3cr3tK3Y'~;~UPDATE~t~SET~a~=~AES_ENCRYPT~(~a~,~@p~)", Dialect::MYSQL),
    ("SELECT~AES_ENCRYPT~(~a~,~k~)~FROM~JSON_TABLE~(~'[\"s3cr3tK3Y\"]'~,~'$[*]'~COLUMNS~(~k~TEXT~PATH~'$'~)~)~j", Dialect::MYSQL),
    ("CREATE~TABLE~t~(a~INT)~PARTITION~BY~HASH~(a)~(~PARTITION~p~REMOTE_PASSWORD~=~'s3cr3tK3Y'~)", Dialect::MYSQL),
    ("EXECUTE~IMMEDIATE~'ALTER~USER~a~IDENTIFIED~BY~''s3cr3tK3Y'''", Dialect::MYSQL),
];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    shape: u8,
    gaps: Vec<Gap>,
    upper: u64,
    before: &'a str,
    behind: &'a str,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Gap {
    Space,
    Line,
    Tabs,
    Comment,
    Dashes,
}

impl Gap {
    fn text(self) -> &'static str {
        match self {
            Self::Space => " ",
            Self::Line => "\r\n",
            Self::Tabs => "\t\x0b\x0c ",
            Self::Comment => " /* it */ ",
            Self::Dashes => " -- it\n",
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let (shape, dialect) = SHAPES[usize::from(input.shape) % SHAPES.len()];
    let mut gaps = input.gaps.iter().copied().cycle();
    let mut sql = String::new();
    for (place, piece) in shape.split('~').enumerate() {
        if place > 0 {
            sql += gaps.next().unwrap_or(Gap::Space).text();
        }
        let upper = input.upper >> (place % 64) & 1 == 1 && !piece.contains('\'');
        sql += &if upper { piece.to_uppercase() } else { piece.to_owned() };
    }
    let shown = redact(&sql, dialect).expect("it holds a secret").text;
    assert!(!shown.contains("s3cr3") && !shown.contains("3tK3Y"), "{sql}\n{shown}");

    let text = format!("{}{sql}{}", input.before, input.behind);
    for dialect in [dialect, Dialect::Postgres { standard_conforming_strings: false }] {
        for redacted in [redact(&text, dialect), redact_head(&text, dialect)].into_iter().flatten() {
            assert!(redacted.text.len() <= 16 * text.len() + 64);
            assert!(redacted.hidden.iter().all(|range| text.get(range.clone()).is_some()));
        }
        redact_value(&text, dialect);
        redact_text(&text, dialect);
        redact_text_head(&text, dialect);
    }
    let message = redact_message(&format!("near \"{CANARY}\" and {CANARY}"), &shown, &[CANARY], dialect);
    assert!(!message.expect("it changes").contains(CANARY));
});

//! What a command says. `print!` panics where nobody reads any more, or where the disk is full: an exit code that is none
//! of the command's.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Prints an answer on standard output. Who reads it may have enough before its end: a closed pipe is no error.
pub(crate) fn print(answer: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{answer}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(io::Error::new(error.kind(), format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// As [`print`], a line.
pub(crate) fn print_line(answer: impl Display) -> io::Result<()> {
    print(format_args!("{answer}\n"))
}

/// Tells what is wrong on standard error. Where not even that can be written, the exit code alone tells.
pub(crate) fn complain(what: impl Display) {
    let _ = writeln!(io::stderr(), "{what}");
}

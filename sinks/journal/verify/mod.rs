//! Checks a trail with nothing but the trail and the public key: a journal's folder, or the lines that a sink wrote.
//!
//! * [`folder`], [`files`]: what is checked. `lines`: reads files of lines, compressed ones too.
//! * `record`: one event, as far as this must know it. `order`: puts records that came out of order where they belong.
//! * `checker`: the chain: which record fits to the one before, which checkpoint covers it. `due`: where one must be.
//! * `report`: [`Report`], what was found.

mod checker;
mod due;
mod lines;
mod order;
mod record;
mod report;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

pub(super) use self::report::range;
pub use self::report::{Finding, Report, Verdict};
use self::{checker::Checker, record::Record};
use super::{
    cursor::{Cursor, Saved},
    directory::Directory,
    keys::VerifyingKey,
    scan::{Seen, scan},
};

/// Checks a journal, also one that is being written. Its end is told by the cursors of its sinks too: what one of them has
/// acknowledged must be there.
pub fn folder(dir: &Path, keys: &[VerifyingKey]) -> io::Result<Report> {
    let acknowledged = acknowledged(dir)?;
    let mut checker = Checker::new(keys);
    scan(dir, 0..=u64::MAX, |seen| {
        match seen {
            Seen::Event { seq, json, .. } => match Record::parse(json, keys) {
                Ok(record) => {
                    let place = (record.seq != seq).then(|| format!("in the record of number {seq}"));
                    checker.take(record, place);
                }
                Err(reason) => checker.unreadable(format!("number {seq}"), reason),
            },
            Seen::Damage { segment, seqs } => {
                let place = format!("{segment}, numbers {} to {}", seqs.start, seqs.end.saturating_sub(1));
                checker.unreadable(place, "cannot be read: the checksums are wrong".to_owned());
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(checker.finish(acknowledged))
}

/// Checks the lines of files that belong together, as a file sink leaves them: plain, gzip or zstd; in any order.
pub fn files(paths: &[PathBuf], keys: &[VerifyingKey]) -> io::Result<Report> {
    let several = paths.len() > 1;
    // One alone may be a pipe, to be read once.
    let first = |path: &PathBuf| if several { lines::first_number(path) } else { Ok(None) };
    let mut paths: Vec<(Option<u64>, &PathBuf)> = paths
        .iter()
        .map(|path| Ok((first(path).map_err(|error| at(path, error))?, path)))
        .collect::<io::Result<_>>()?;
    paths.sort_by_key(|(first, _)| *first);
    let mut checker = Checker::new(keys);
    for (_, path) in paths {
        let name = several.then(|| path.display().to_string());
        lines::each(path, |number, line| {
            let place = || match &name {
                Some(name) => format!("{name}:{number}"),
                None => format!("line {number}"),
            };
            match line.map(|line| Record::parse(line, keys)) {
                Ok(Ok(record)) => checker.take(record, Some(place())),
                Ok(Err(reason)) | Err(reason) => checker.unreadable(place(), reason),
            }
        })
        .map_err(|error| at(path, error))?;
    }
    Ok(checker.finish(0))
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The highest number that a sink has acknowledged.
fn acknowledged(dir: &Path) -> io::Result<u64> {
    let folder = dir.join("cursors");
    if !fs::exists(&folder)? {
        return Ok(0);
    }
    let cursors = Directory::open(&folder)?;
    let mut highest = 0;
    for name in Cursor::names(&cursors)? {
        if let Saved::Cursor(cursor) = Cursor::load(&cursors, &name)? {
            highest = highest.max(cursor.seq);
        }
    }
    Ok(highest)
}

//! Files of JSON lines: plain, gzip or zstd, told by their first bytes.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;

use crate::journal::record::MAX_PAYLOAD;

/// More than any line that a sink writes.
const MAX_LINE: usize = MAX_PAYLOAD + 1024;
/// What files are read by.
const BLOCK: usize = 1 << 20;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Shows each line that is not empty, with its number, or says why it cannot be shown.
pub(super) fn each(path: &Path, mut each: impl FnMut(u64, Result<&[u8], String>)) -> io::Result<()> {
    let mut file = open(path)?;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut file).take(MAX_LINE as u64).read_until(b'\n', &mut line);
        let end = match read {
            Ok(0) => return Ok(()),
            Ok(_) => line.last() == Some(&b'\n'),
            // The file's form is broken from here on: what could be read, was.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof
                ) =>
            {
                each(number, Err(format!("cannot be read: {error}")));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let text = line.trim_ascii();
        if !end && line.len() >= MAX_LINE {
            each(number, Err("is longer than any event".to_owned()));
            while !line.is_empty() && line.last() != Some(&b'\n') {
                line.clear();
                (&mut file).take(MAX_LINE as u64).read_until(b'\n', &mut line)?;
            }
        } else if !text.is_empty() {
            each(number, Ok(text));
        }
    }
    Ok(())
}

/// The number of the first line that has one.
pub(super) fn first_number(path: &Path) -> io::Result<Option<u64>> {
    #[derive(Deserialize)]
    struct Head {
        seq: u64,
    }
    let mut line = Vec::new();
    let read = open(path)?.take(MAX_LINE as u64).read_until(b'\n', &mut line);
    let start = line.iter().position(|&b| b == b'{').unwrap_or(0);
    let head = serde_json::from_slice::<Head>(line.get(start..).unwrap_or_default());
    Ok(read.ok().and(head.ok()).map(|head| head.seq))
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::with_capacity(BLOCK, File::open(path)?);
    let head = file.fill_buf()?;
    Ok(match () {
        () if head.starts_with(GZIP) => Box::new(BufReader::with_capacity(BLOCK, MultiGzDecoder::new(file))),
        () if head.starts_with(ZSTD) => {
            Box::new(BufReader::with_capacity(BLOCK, zstd::Decoder::with_buffer(file)?))
        }
        () => Box::new(file),
    })
}
